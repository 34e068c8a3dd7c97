"""The rows that a penalised mixed model is made of, and parts of them: halves, resamples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pluristats.engine import native
from pluristats.engine.result import Array, Factor, Problem
from pluristats.errors import FitError, UnsupportedError
from pluristats.formula import Design
from pluristats.lasso.select import candidate_columns

# Largest theta² times rows of a level that leaves digits beside 1.
_LARGEST = 1e12


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows to select columns from.

    Parameters
    ----------
    problem
        Response, the p columns without the intercept, factors in theta's order.
    frame
        The same rows of the data, for the units that folds keep whole.
    source
        Where they stood among the rows that they were taken from, shape (n,): the same for copies of a row. None where
        they are all.
    """

    problem: Problem = field(repr=False)
    frame: pd.DataFrame = field(repr=False)
    source: NDArray[np.intp] | None = field(default=None, repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the p columns."""
        return self.problem.x_names

    @property
    def n(self) -> int:
        """How many there are."""
        return len(self.problem.y)

    def take(self, rows: NDArray[np.intp], factors: tuple[Factor, ...] | None = None) -> Rows:
        """Some of the rows, levels without rows gone and factors in the same order.

        Parameters
        ----------
        rows
            Positions, which may come several times.
        factors
            Their levels where they are not simply those of the rows.

        Raises
        ------
        FitError
            What :func:`pluristats.engine.native.check` refuses.
        """
        pb = self.problem
        factors = tuple(_present(f, rows) for f in pb.factors) if factors is None else factors
        part = Problem(pb.y[rows], pb.x[rows], pb.x_names, factors)
        native.check(part)
        return Rows(part, self.frame.iloc[rows], rows if self.source is None else self.source[rows])


def candidate_rows(design: Design, frame: pd.DataFrame) -> Rows:
    """The rows of a design, its columns without the intercept.

    Raises
    ------
    FitError
        No column to select from, no random term, or what :func:`pluristats.lmer` refuses.
    UnsupportedError
        Random slopes, or no intercept.
    """
    columns = candidate_columns(design)
    if not len(columns):
        raise FitError(f"The formula {design.parsed.text!r} has no column to select from.")
    if not design.factors:
        raise FitError(
            f"The formula {design.parsed.text!r} has no random term; add one, e.g. + (1|annotator), or use "
            "lasso_select, which needs none."
        )
    slopes = [str(term) for term in design.parsed.random if not term.intercept_only]
    if slopes:
        raise UnsupportedError(f"lasso_lmer takes random intercepts, not {slopes[0]}; give its group an intercept.")
    names = tuple(design.x_names[j] for j in columns)
    problem = native.in_theta_order(Problem(design.y, design.x[:, columns], names, design.factors))
    native.check(problem)
    return Rows(problem, frame.iloc[design.rows])


def held_theta(theta: Sequence[float] | None, factors: tuple[Factor, ...]) -> Array | None:
    """Variance ratios that a caller gives, one a factor."""
    if theta is None:
        return None
    values = np.asarray(theta, dtype=float)
    if values.shape != (len(factors),) or not np.isfinite(values).all() or (values < 0).any():
        names = ", ".join(f.name for f in factors)
        raise ValueError(f"theta holds one finite value of 0 or more for each of {names}, not {theta!r}.")
    for f, value in zip(factors, values, strict=True):
        if value**2 * np.bincount(f.codes).max() > _LARGEST:
            raise ValueError(f"theta = {value:g} of {f.name} is too large for double precision; hold a smaller one.")
    return values


def _present(factor: Factor, rows: NDArray[np.intp]) -> Factor:
    """The factor on these rows, with the levels that have rows."""
    present, codes = np.unique(factor.codes[rows], return_inverse=True)
    return Factor(factor.name, codes.astype(np.intp), tuple(factor.levels[k] for k in present))
