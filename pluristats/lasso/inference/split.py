"""Sample splitting: one part of the people and prompts selects, another estimates, and they share nobody.

What is estimated is the selected model's own coefficient (its projection): with μ = Xβ over the rows of the estimating
part, V their covariance and S the selected columns,

    β_S = (X_S'V⁻¹X_S)⁻¹X_S'V⁻¹μ,

which is the full model's coefficient where S has all columns that matter. Whatever the first part selected, the second
part's estimate has its usual distribution, because the parts are independent. In a crossed study that needs care: two
halves of the people rate the same prompts, so that both see the same accidents of these prompts, and a prompt's column
that was selected for going with them goes with them again. So by default the levels of every grouping factor are split,
and rows of a person of one half with a prompt of the other are in neither.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.random import SeedSequence
from numpy.typing import NDArray

from pluristats.display.shown import Displayed, Shown
from pluristats.engine.result import Array, Factor
from pluristats.errors import (
    ConvergenceWarning,
    FitError,
    FormulaError,
    RankDeficientWarning,
    SelectionWarning,
    SingularFitWarning,
)
from pluristats.lasso.inference.unpenalised import unpenalised
from pluristats.lasso.mixed.rows import Rows
from pluristats.lasso.mixed.search import Procedure
from pluristats.models.information import constant_within
from pluristats.models.multiplicity import Adjust, with_adjusted
from pluristats.models.simulate import streams
from pluristats.models.tables import check_level, t_table

if TYPE_CHECKING:
    from pluristats.lasso.mixed.fit import LassoLmer

TARGET = (
    "What is estimated: the coefficients of the selected model, that is its projection of the population's means onto "
    "its columns; the full model's coefficients where no column that matters is missing."
)


@dataclass(frozen=True, eq=False)
class Split(Displayed):
    """A model selected on one part of the rows and estimated on another.

    Parameters
    ----------
    by
        Grouping factors whose levels are split.
    seed
        Of the split.
    n_select
        Rows that selected.
    rows
        Positions, among the rows of the selection, of those that estimated; others are in neither part.
    selected
        Columns that the first part selected.
    terms, estimate, std_error, df
        The REML fit of these on the second part, with Satterthwaite's degrees of freedom.
    shared
        Factor within whose levels each term never varies and whose levels both parts share, empty where there is none;
        for such a term the parts are not independent.
    dropped
        Selected columns that others determine in the second part.
    singular
        Whether a variance component is zero in the second part.
    simulated
        Whether the data say of themselves that they are simulated.
    """

    by: tuple[str, ...]
    seed: int
    n_select: int
    rows: NDArray[np.intp] = field(repr=False)
    selected: tuple[str, ...]
    terms: tuple[str, ...] = field(repr=False)
    estimate: Array = field(repr=False)
    std_error: Array = field(repr=False)
    df: Array = field(repr=False)
    shared: tuple[str, ...] = field(repr=False)
    dropped: tuple[str, ...] = ()
    singular: bool = False
    simulated: bool = False

    def tidy(self, *, conf_level: float = 0.95, adjust: Adjust | None = None) -> pd.DataFrame:
        """One row a selected term, as :meth:`pluristats.LmerFit.tidy`, and ``shared``.

        ``adjust`` adds ``p_adjusted`` over the selected terms; the selection having seen other rows, that is valid.
        """
        check_level(conf_level)
        table = t_table(self.terms, self.estimate, self.std_error, self.df, conf_level)
        return with_adjusted(table, adjust).assign(shared=list(self.shared))

    def _shown(self) -> Shown:
        how = (
            f"Selected on {self.n_select} rows, estimated on {len(self.rows)} others that share no level of "
            f"{' or '.join(self.by)} (seed {self.seed})."
        )
        tables = (("Estimates on the other part", self.tidy()),)
        return Shown(simulated=self.simulated, lines=(how, TARGET), tables=tables)

    def summary(self) -> str:
        """What was split and estimated, and the table."""
        head = ["SIMULATED DATA: these numbers say nothing about people."] if self.simulated else []
        return "\n".join(
            [
                *head,
                f"Selected on {self.n_select} rows, estimated on {len(self.rows)} others that share no level of "
                f"{' or '.join(self.by)} (seed {self.seed}).",
                TARGET,
                self.tidy().to_string(index=False, float_format="{:.4g}".format),
            ]
        )


def split(fit: LassoLmer, *, by: Sequence[str] | None = None, seed: int = 0) -> Split:
    """Select on one part of the levels and estimate on another.

    Parameters
    ----------
    fit
        Whose procedure selects, on the first part.
    by
        Grouping factors of the formula whose levels are halved at random; None is all of them, but those that lie
        within another, which go with it. A factor left out, such as the prompts in ``by=["annotator"]``, has the same
        levels in both parts: the estimates of terms that vary only between its levels are then *not* independent of
        the selection, which a warning and the column ``shared`` say, and those of other terms are to a good
        approximation.
    seed
        Of the halves.

    Returns
    -------
    Split

    Raises
    ------
    FitError
        A part cannot be fitted.
    FormulaError
        ``by`` names what is no grouping factor.

    Warns
    -----
    SelectionWarning
        Terms that are not independent of the selection.
    RankDeficientWarning, SingularFitWarning, ConvergenceWarning
        As :func:`pluristats.lmer`, on the second part.

    Notes
    -----
    With two crossed factors halved, a quarter of the rows selects and a quarter estimates; terms of people lose half of
    the people, not three quarters.

    References
    ----------
    Cox (1975), A note on data-splitting for the evaluation of significance levels, Biometrika 62(2); Wasserman &
    Roeder (2009), High-dimensional variable selection, Ann. Stat. 37(5).
    """
    factors = halved(fit.rows, by)
    found = one_split(fit.rows, fit.procedure, factors, streams(seed, 1)[0])
    result = replace(found, seed=seed, simulated=fit.simulated)
    for category, message in _remarks(result):
        warnings.warn(message, category, stacklevel=3)
    return result


def halved(rows: Rows, by: Sequence[str] | None) -> tuple[Factor, ...]:
    """The grouping factors whose levels are dealt out: those named, or all that lie within no other."""
    all_ = rows.problem.factors
    if by is None:
        return tuple(f for f in all_ if not any(_lies_within(f, g) and g.q < f.q for g in all_ if g is not f))
    known = {f.name: f for f in all_}
    names = [by] if isinstance(by, str) else list(by)
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise FormulaError(f"by names grouping factors of the formula ({', '.join(known)}), not {unknown or names}.")
    return tuple(known[name] for name in dict.fromkeys(names))


def _lies_within(factor: Factor, other: Factor) -> bool:
    return bool(constant_within(other.codes[:, None].astype(float), factor)[0])


def one_split(rows: Rows, procedure: Procedure, factors: tuple[Factor, ...], stream: SeedSequence) -> Split:
    """One split of the levels of some factors, drawn from a stream of random numbers."""
    rng = np.random.default_rng(stream)
    first = np.ones(rows.n, dtype=bool)
    second = first.copy()
    for f in factors:
        chosen = np.zeros(f.q, dtype=bool)
        chosen[rng.permutation(f.q)[: f.q // 2]] = True
        first &= chosen[f.codes]
        second &= ~chosen[f.codes]
    names = tuple(f.name for f in factors)
    if not first.any() or not second.any():
        raise FitError(f"The halves of {' and '.join(names)} have no rows in common with each other; split by fewer.")
    estimating = np.flatnonzero(second)
    try:
        selected = np.flatnonzero(procedure.run(rows.take(np.flatnonzero(first))).selected)
    except FitError as error:
        raise FitError(f"The selecting part cannot be fitted: {error}") from error
    try:
        found = unpenalised(rows.take(estimating), selected)
    except FitError as error:
        raise FitError(f"The estimating part cannot be fitted: {error}") from error
    return Split(
        by=names,
        seed=0,
        n_select=int(first.sum()),
        rows=estimating,
        selected=tuple(rows.names[j] for j in selected),
        terms=found.terms,
        estimate=found.result.beta,
        std_error=found.std_error,
        df=found.df(),
        shared=_shared(rows, found.terms, names),
        dropped=found.dropped,
        singular=found.result.optimizer.status == "boundary",
    )


def _shared(rows: Rows, terms: Sequence[str], split_by: Sequence[str]) -> tuple[str, ...]:
    """Factor within which each term is constant and whose levels are not split; the intercept is of no factor."""
    position = {name: j for j, name in enumerate(rows.names)}
    columns = rows.problem.x[:, [position[t] for t in terms[1:]]]
    out = [""] * len(terms)
    parents = [f for f in rows.problem.factors if f.name in split_by]
    for f in rows.problem.factors:
        if any(_lies_within(f, parent) for parent in parents):
            continue
        for k in np.flatnonzero(constant_within(columns, f)):
            out[1 + k] = f.name
    return tuple(out)


def _remarks(result: Split) -> list[tuple[type[Warning], str]]:
    told: list[tuple[type[Warning], str]] = []
    shared = [f"{t} ({f})" for t, f in zip(result.terms, result.shared, strict=True) if f]
    if shared:
        told.append(
            (
                SelectionWarning,
                f"Both parts share the levels of which these terms are columns, so that their estimates are not "
                f"independent of the selection and are too optimistic: {', '.join(shared)}; split by all factors.",
            )
        )
    if result.dropped:
        names = ", ".join(result.dropped)
        told.append((RankDeficientWarning, f"Selected, but determined by others in the second part: {names}."))
    if result.singular:
        told.append(
            (SingularFitWarning, "A variance component is zero in the second part, which has too few levels for it.")
        )
    if np.isnan(result.df).any():
        told.append((ConvergenceWarning, "The second part's fit is at no proper optimum: degrees of freedom are NaN."))
    return told
