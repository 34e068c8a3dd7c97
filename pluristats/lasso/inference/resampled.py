"""The whole selection repeated on resampled people, items or rows: a description of how much hangs on who took part."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.random import SeedSequence

from pluristats.display.shown import Displayed, Shown
from pluristats.engine.result import Array
from pluristats.errors import ConvergenceWarning, FitError
from pluristats.lasso.folds import fold_units
from pluristats.lasso.mixed.rows import Rows
from pluristats.lasso.mixed.search import Procedure
from pluristats.models.parallel import in_blocks
from pluristats.models.resample import Resampler
from pluristats.models.simulate import streams

if TYPE_CHECKING:
    from pluristats.lasso.mixed.fit import LassoLmer

NOTE = (
    "Quantiles over resamples, zeros among them, describe how stable the selection is; they are not confidence "
    "intervals, and the bootstrap of a Lasso coefficient gives none."
)
_SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, eq=False)
class Resampled(Displayed):
    """Penalised coefficients of resamples, each with its own penalty.

    Parameters
    ----------
    by
        What was resampled.
    seed
        Of the resamples.
    terms
        The p columns.
    estimate
        The fit's own penalised coefficients, shape (p,).
    coefficients
        Those of the resamples, exact zeros where not selected, shape (n, p), read-only; NaN in refused ones.
    selected
        Whether each resample selected each column, shape (n, p).
    refusals
        (reason, resamples) of those that could not be fitted.
    simulated
        Whether the data say of themselves that they are simulated.
    """

    by: tuple[str, ...]
    seed: int
    terms: tuple[str, ...] = field(repr=False)
    estimate: Array = field(repr=False)
    coefficients: Array = field(repr=False)
    selected: np.ndarray = field(repr=False)
    refusals: tuple[tuple[str, int], ...] = ()
    simulated: bool = False

    @property
    def note(self) -> str:
        """What the numbers are not."""
        return NOTE

    def tidy(self) -> pd.DataFrame:
        """One row a column: term, estimate, frequency (share that selects it), and quantiles q05 to q95 with zeros."""
        there = ~np.isnan(self.coefficients).any(axis=1)
        columns: dict[str, object] = {"term": list(self.terms), "estimate": self.estimate}
        columns["frequency"] = self.selected[there].mean(axis=0) if there.any() else np.nan
        for share in _SHARES:
            values = np.quantile(self.coefficients[there], share, axis=0) if there.any() else np.nan
            columns[f"q{100 * share:02.0f}"] = values
        return pd.DataFrame(columns)

    def _shown(self) -> Shown:
        table = self.tidy()
        shown = table[table["frequency"] > 0].sort_values(
            "frequency", ascending=False, kind="stable", ignore_index=True
        )
        how = f"{len(self.coefficients)} resamples of {' and '.join(self.by)} (seed {self.seed})."
        return Shown(
            simulated=self.simulated, lines=(how, NOTE), tables=(("Columns that any resample selected", shown),)
        )

    def summary(self) -> str:
        """What was resampled, what the numbers are not, and the columns that any resample selected."""
        head = ["SIMULATED DATA: these numbers say nothing about people."] if self.simulated else []
        table = self.tidy()
        shown = table[table["frequency"] > 0].sort_values("frequency", ascending=False, kind="stable")
        what = f"{len(self.coefficients)} resamples of {' and '.join(self.by)} (seed {self.seed})."
        return "\n".join([*head, what, NOTE, shown.to_string(index=False, float_format="{:.4g}".format)])


def resampled(
    fit: LassoLmer,
    n: int = 200,
    *,
    by: str | Sequence[str] = "annotator",
    seed: int = 0,
    n_jobs: int = 1,
    progress: bool = False,
) -> Resampled:
    """Repeat the whole selection on rows of people (or others) drawn with replacement.

    Parameters
    ----------
    fit
        Whose procedure is repeated.
    n
        Resamples.
    by
        ``"annotator"``, ``"prompt"``, any column of the data, ``"rows"``, or several: a row then comes as often as the
        product of its clusters' draws (Owen 2007). A cluster drawn twice is two levels of the random effects; in
        cross-validation its copies stay in one fold.
    seed
        The i-th resample depends on ``seed`` and i only, not on ``n_jobs``.
    n_jobs, progress
        Processes, and whether to show how far they are.

    Returns
    -------
    Resampled

    Warns
    -----
    ConvergenceWarning
        Resamples that could not be fitted; they are counted, and are in no frequency and no quantile.

    Notes
    -----
    The bootstrap of a Lasso estimate is not consistent (Chatterjee & Lahiri 2010, Proc. Am. Math. Soc. 138), and with
    copies of rows more columns are selected; hence a description, and no interval.
    """
    if n < 1:
        raise ValueError(f"n is the number of resamples, at least 1, not {n}.")
    named = (by,) if isinstance(by, str) else tuple(dict.fromkeys(by))
    if not named:
        raise ValueError("by names nothing to resample; name a column, or 'rows'.")
    clusters = [fold_units(fit.rows.frame, name) for name in named if named != ("rows",)]
    work: Callable[[Sequence[SeedSequence]], list[tuple[Array, np.ndarray] | str]] = partial(
        _selections, rows=fit.rows, procedure=fit.procedure, resampler=Resampler.of(fit.rows.problem, clusters)
    )
    found = in_blocks(work, streams(seed, n), n_jobs=n_jobs, what="resamples", progress=progress, block=1)
    p = len(fit.candidates)
    coefficients, selected = np.full((n, p), np.nan), np.zeros((n, p), dtype=bool)
    for i, part in enumerate(found):
        if not isinstance(part, str):
            coefficients[i], selected[i] = part
    coefficients.setflags(write=False)
    refusals = tuple(Counter(part for part in found if isinstance(part, str)).most_common())
    if refusals:
        warnings.warn(
            f"{sum(k for _, k in refusals)} of {n} resamples cannot be fitted and are left out; {refusals[0][1]} of "
            f"them because: {refusals[0][0]}",
            ConvergenceWarning,
            stacklevel=3,
        )
    own = fit.coef().iloc[1:].to_numpy()
    return Resampled(named, seed, fit.candidates, own, coefficients, selected, refusals, fit.simulated)


def _selections(
    tasks: Sequence[SeedSequence], *, rows: Rows, procedure: Procedure, resampler: Resampler
) -> list[tuple[Array, np.ndarray] | str]:
    out: list[tuple[Array, np.ndarray] | str] = []
    for stream in tasks:
        drawn, factors = resampler.draw_rows(np.random.default_rng(stream))
        try:
            outcome = procedure.run(rows.take(drawn, factors))
            out.append((outcome.path.coefficients[:, outcome.position], outcome.selected))
        except FitError as error:
            out.append(str(error))
    return out
