"""Resampled rows for cluster bootstraps: whole people, whole items, or both at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pluristats.distinct import factorise
from pluristats.engine.result import Factor, Problem
from pluristats.engine.weighting import of_rows
from pluristats.formula import shown

if TYPE_CHECKING:
    from pluristats.models.fit import LmerFit


@dataclass(frozen=True)
class Resampler:
    """Draws whole clusters of rows with replacement.

    A row comes as often as the product of its clusters' draws. Each draw of a cluster is a cluster of its own: levels
    of a factor that lies within a cluster variable get a new identity with every draw, levels of other factors stay
    one and the same.

    Parameters
    ----------
    problem
        Arrays.
    clusters
        Codes 0 … C-1 of the rows, shape (n,), one a cluster variable; none resamples single rows.
    within
        For each factor the cluster variables in which it lies (each level has rows of one cluster only).
    """

    problem: Problem
    clusters: tuple[NDArray[np.intp], ...]
    within: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, problem: Problem, clusters: Sequence[NDArray[np.intp]]) -> Resampler:
        """Prepare a problem for resampling by clusters."""
        within = tuple(
            tuple(i for i, cluster in enumerate(clusters) if _lies_within(f, cluster)) for f in problem.factors
        )
        return cls(problem, tuple(clusters), within)

    def draw(self, rng: np.random.Generator) -> Problem:
        """One resample of the rows."""
        rows, factors = self.draw_rows(rng)
        weights, offset = of_rows(self.problem.weights, rows), of_rows(self.problem.offset, rows)
        return Problem(self.problem.y[rows], self.problem.x[rows], self.problem.x_names, factors, weights, offset)

    def draw_rows(self, rng: np.random.Generator) -> tuple[NDArray[np.intp], tuple[Factor, ...]]:
        """Positions of the rows of one resample, and its factors."""
        n = len(self.problem.y)
        if not self.clusters:
            rows, copies = np.sort(rng.integers(0, n, n)), np.zeros((0, n), dtype=np.intp)
        else:
            rows, copies = self._draw_clusters(rng)
        factors = tuple(
            _relabelled(f, rows, [copies[i] for i in within])
            for f, within in zip(self.problem.factors, self.within, strict=True)
        )
        return rows, factors

    def _draw_clusters(self, rng: np.random.Generator) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Rows drawn, and for each cluster variable which draw of its cluster each row belongs to."""
        times = []
        for cluster in self.clusters:
            size = int(cluster.max()) + 1
            times.append(np.bincount(rng.integers(0, size, size), minlength=size)[cluster])
        each = np.prod(times, axis=0)
        rows = np.repeat(np.arange(len(each)), each)
        # Counting up within a row's copies, in mixed radix: one digit a cluster variable.
        number = np.arange(len(rows)) - np.repeat(np.cumsum(each) - each, each)
        copies = []
        for t in times:
            copies.append(number % t[rows])
            number = number // t[rows]
        return rows, np.array(copies, dtype=np.intp)


def _lies_within(factor: Factor, cluster: NDArray[np.intp]) -> bool:
    of_level = np.zeros(factor.q, dtype=np.intp)
    of_level[factor.codes] = cluster
    return bool((of_level[factor.codes] == cluster).all())


def _relabelled(factor: Factor, rows: NDArray[np.intp], copies: Sequence[NDArray[np.intp]]) -> Factor:
    """The factor on these rows, every copy a level of its own, levels without rows gone."""
    codes = _compact(factor.codes[rows])
    for copy in copies:
        codes = _compact(codes * (int(copy.max()) + 1) + copy)
    return Factor(factor.name, codes, tuple(range(int(codes.max()) + 1)))


def _compact(codes: NDArray[np.intp]) -> NDArray[np.intp]:
    """Codes 0 … q-1 in the same order, q being how many there are."""
    return (np.cumsum(np.bincount(codes) > 0) - 1)[codes]


def clusters_of(fit: LmerFit, by: str | pd.Series) -> tuple[NDArray[np.intp], tuple[object, ...]]:
    """Codes of the fit's rows by a grouping factor's name or a column of the data, and the levels' labels."""
    if isinstance(by, pd.Series):
        if not by.index.equals(fit.index):
            if not by.index.is_unique or not fit.index.isin(by.index).all():
                raise ValueError(
                    f"The column {by.name!r} does not have one value for each row of the fit; take it from the data "
                    "that were fitted, with the same index."
                )
            by = by.loc[fit.index]
        if by.isna().any():
            raise ValueError(
                f"The column {by.name!r} is missing in {int(by.isna().sum())} of the fit's rows, the first with index "
                f"{shown(by.index[by.isna()][0])}; give every row a cluster."
            )
        codes, levels = factorise(by)
        return codes, tuple(levels)
    for f in fit.problem.factors:
        if f.name == by:
            return f.codes, f.levels
    known = ", ".join(repr(f.name) for f in fit.problem.factors)
    raise ValueError(
        f"{by!r} is no grouping factor of this fit, which has {known}; for another column pass the column itself, such "
        f"as data[{by!r}]."
    )
