"""Many splits in one p-value, so that it does not hang on one draw (Meinshausen, Meier & Bühlmann 2009)."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.random import SeedSequence
from numpy.typing import NDArray

from pluristats.display.shown import Displayed, Shown
from pluristats.engine.result import Array, Factor
from pluristats.errors import ConvergenceWarning, FitError
from pluristats.lasso.inference.split import Split, halved, one_split
from pluristats.lasso.mixed.rows import Rows
from pluristats.lasso.mixed.search import Procedure
from pluristats.models.parallel import in_blocks
from pluristats.models.simulate import streams

if TYPE_CHECKING:
    from pluristats.lasso.mixed.fit import LassoLmer


@dataclass(frozen=True, eq=False)
class MultiSplit(Displayed):
    """p-values of many splits in one (Meinshausen, Meier & Bühlmann 2009).

    Parameters
    ----------
    by, seed
        As in :class:`Split`.
    terms
        The columns to select from, forced ones among them.
    selected
        Whether each split selected each column, shape (n_splits, p).
    p_values
        Of each split's second part times the number of its terms, at most 1, and 1 where not selected, shape
        (n_splits, p).
    refused
        Splits one part of which could not be fitted; their p-values are 1.
    simulated
        Whether the data say of themselves that they are simulated.
    """

    by: tuple[str, ...]
    seed: int
    terms: tuple[str, ...] = field(repr=False)
    selected: NDArray[np.bool_] = field(repr=False)
    p_values: Array = field(repr=False)
    refused: int = 0
    simulated: bool = False

    @property
    def n_splits(self) -> int:
        """Splits B."""
        return len(self.p_values)

    def tidy(self) -> pd.DataFrame:
        """One row a column: term, frequency (share of splits that select it), p_value (family-wise error held)."""
        return pd.DataFrame(
            {
                "term": list(self.terms),
                "frequency": self.selected.mean(axis=0),
                "p_value": aggregated(self.p_values),
            }
        )

    def _shown(self) -> Shown:
        table = self.tidy()
        shown = table[table["frequency"] > 0].sort_values("p_value", kind="stable", ignore_index=True)
        how = f"{self.n_splits} splits by {' and '.join(self.by)} (seed {self.seed})."
        holds = "p_value holds the family-wise error over all columns where each split selects all that matter."
        return Shown(simulated=self.simulated, lines=(how, holds), tables=(("Columns that any split selected", shown),))

    def summary(self) -> str:
        """What was split, what the p-values hold, and the columns that any split selected."""
        head = ["SIMULATED DATA: these numbers say nothing about people."] if self.simulated else []
        table = self.tidy()
        shown = table[table["frequency"] > 0].sort_values("p_value", kind="stable")
        return "\n".join(
            [
                *head,
                f"{self.n_splits} splits by {' and '.join(self.by)} (seed {self.seed}).",
                "p_value holds the family-wise error over all columns for their coefficients in the full model, where "
                "each split selects all columns that matter.",
                shown.to_string(index=False, float_format="{:.4g}".format),
            ]
        )


def aggregated(p_values: Array, *, least: float = 0.05) -> Array:
    """One p-value from the p-values of B dependent tests of the same hypothesis, shape (p,) from (B, p).

    Formula: Q(γ) = min(1, the γ-quantile of p^(b)/γ), p = min(1, (1 - log γ_min) inf_{γ_min <= γ <= 1} Q(γ))
    (Meinshausen, Meier & Bühlmann 2009, eqs. 2.2-2.3). The γ-quantile is the ⌈γB⌉-th smallest, so that the infimum is
    at γ = γ_min or at a whole number of splits.
    """
    ordered, splits = np.sort(p_values, axis=0), len(p_values)
    first = max(int(np.ceil(least * splits - 1e-9)), 1)
    shares = np.arange(first, splits + 1) / splits
    shares[0] = max(shares[0], least)
    return np.minimum(1.0, (1.0 - np.log(least)) * (ordered[first - 1 :] / shares[:, None]).min(axis=0))


def multisplit(
    fit: LassoLmer,
    n_splits: int = 50,
    *,
    by: Sequence[str] | None = None,
    seed: int = 0,
    n_jobs: int = 1,
    progress: bool = False,
) -> MultiSplit:
    """Split many times, so that the p-values do not hang on one draw.

    Formula: p_j^(b) = min(1, |S_b| p_j) for the columns S_b that split b selects, 1 for others, then
    :func:`aggregated` over b. The family-wise error over all columns is held: where every split selects all columns
    that matter, the probability of any p_j <= α with β_j = 0 in the *full* model is at most α.

    Parameters
    ----------
    fit, by, seed
        As in :func:`split`; the first split is that of the same seed.
    n_splits
        B.
    n_jobs, progress
        Processes, and whether to show how far they are.

    References
    ----------
    Meinshausen, Meier & Bühlmann (2009), p-values for high-dimensional regression, J. Am. Stat. Assoc. 104(488).
    """
    if n_splits < 1:
        raise ValueError(f"n_splits is the number of splits, at least 1, not {n_splits}.")
    factors = halved(fit.rows, by)
    work: Callable[[Sequence[SeedSequence]], list[Split | None]] = partial(
        _many, rows=fit.rows, procedure=fit.procedure, factors=factors
    )
    found = in_blocks(work, streams(seed, n_splits), n_jobs=n_jobs, what="splits", progress=progress, block=1)
    position = {name: j for j, name in enumerate(fit.candidates)}
    p_values, selected = np.ones((n_splits, len(position))), np.zeros((n_splits, len(position)), dtype=bool)
    for b, part in enumerate(found):
        if part is None:
            continue
        selected[b, [position[name] for name in part.selected]] = True
        table = part.tidy().iloc[1:]
        values = np.minimum(1.0, len(part.selected) * table["p_value"].fillna(1.0))
        p_values[b, [position[name] for name in table["term"]]] = values
    refused = sum(part is None for part in found)
    if refused:
        warnings.warn(
            f"{refused} of {n_splits} splits have a part that cannot be fitted; they count as having selected nothing.",
            ConvergenceWarning,
            stacklevel=3,
        )
    names = tuple(f.name for f in factors)
    return MultiSplit(names, seed, fit.candidates, selected, p_values, refused, fit.simulated)


def _many(
    tasks: Sequence[SeedSequence], *, rows: Rows, procedure: Procedure, factors: tuple[Factor, ...]
) -> list[Split | None]:
    out: list[Split | None] = []
    for stream in tasks:
        try:
            out.append(one_split(rows, procedure, factors, stream))
        except FitError:
            out.append(None)
    return out
