"""Stability selection: which columns halves of the people (or prompts) agree on (Shah & Samworth 2013)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from numpy.random import SeedSequence
from numpy.typing import NDArray

from pluristats.display.shown import Displayed, Shown
from pluristats.errors import FitError
from pluristats.lasso.folds import fold_units
from pluristats.lasso.mixed.rows import Rows
from pluristats.lasso.mixed.search import Outcome, Procedure
from pluristats.models.parallel import in_blocks
from pluristats.models.simulate import streams

if TYPE_CHECKING:
    from pluristats.lasso.mixed.fit import LassoLmer

Shape = Literal["any", "unimodal"]
Selections = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Stability(Displayed):
    """Selections by complementary halves.

    Parameters
    ----------
    terms
        The p columns that compete; forced ones do not.
    selected
        Whether each half of each pair selects each of them, shape (n_pairs, 2, p), read-only.
    unit
        What stays whole in a half.
    n_units
        How many there are.
    q
        Most columns that a half may select; None where the fit's rule chose each half's penalty.
    seed
        Of the halves.
    simulated
        Whether the data say of themselves that they are simulated.
    """

    terms: tuple[str, ...] = field(repr=False)
    selected: Selections = field(repr=False)
    unit: str
    n_units: int
    q: int | None
    seed: int
    simulated: bool = False

    @property
    def n_pairs(self) -> int:
        """Pairs of halves B."""
        return len(self.selected)

    @property
    def mean_selected(self) -> float:
        """Columns that a half selects, on average."""
        return float(self.selected.sum(axis=2).mean())

    def tidy(self) -> pd.DataFrame:
        """One row a column: term, frequency (share of the 2B halves), simultaneous (share of pairs in both halves)."""
        return pd.DataFrame(
            {
                "term": list(self.terms),
                "frequency": self.selected.mean(axis=(0, 1)),
                "simultaneous": self.selected.all(axis=1).mean(axis=0),
            }
        )

    def _shown(self) -> Shown:
        table = self.tidy()
        shown = table[table["frequency"] > 0].sort_values(
            "frequency", ascending=False, kind="stable", ignore_index=True
        )
        how = (
            f"{self.n_pairs} pairs of halves of {self.n_units} levels of {self.unit} (seed {self.seed}); a half "
            f"selects {self.mean_selected:.1f} of {len(self.terms)} columns on average."
        )
        return Shown(simulated=self.simulated, lines=(how,), tables=(("How often halves select each column", shown),))

    def stable(self, threshold: float = 0.75) -> tuple[str, ...]:
        """Columns that at least this share of the halves selects."""
        table = self.tidy()
        # A frequency is a whole number of halves; the threshold need not be one exactly.
        return tuple(table["term"][table["frequency"] >= _checked(threshold) - 1e-12])

    def bound(self, threshold: float = 0.75, *, shape: Shape = "any") -> float:
        """Bound on the expected number of stable columns that a half would rarely select.

        Formula: with B pairs, q columns selected by a half and rarely meaning with probability at most q/p,

            any:       q² / (p (2τ - 1))                                              (Shah & Samworth, theorem 1)
            unimodal:  q² / (p c),  c = 2 (2τ - 1 - 1/2B) up to τ = 3/4,
                                    c = (1 + 1/B) / (4 (1 - τ + 1/2B)) beyond         (theorem 2)

        Parameters
        ----------
        threshold
            τ, above 1/2.
        shape
            ``"any"`` supposes nothing; ``"unimodal"`` that the simultaneous frequencies of such columns have a unimodal
            distribution, for which q/p must be at most 1/√3 and τ above 3/4 or min(1/2 + (q/p)², 1/2 + 1/2B +
            3(q/p)²/4).

        Returns
        -------
        float
            An expected count. NaN where the formula does not apply.

        Notes
        -----
        Halves of the people are independent draws of people who rate the *same* prompts: the bound is about other
        people with these prompts. A prompt's column that goes with what else is particular about these prompts is
        stable, and rightly so in that sense. ``unit="prompt"`` asks the other question. Without ``q`` given, the mean
        number selected stands for it, which is itself estimated.
        """
        tau = _checked(threshold)
        q, p, pairs = self.mean_selected if self.q is None else float(self.q), len(self.terms), self.n_pairs
        if shape == "any":
            return q**2 / (p * (2.0 * tau - 1.0))
        if shape != "unimodal":
            raise ValueError(f"shape is 'any' or 'unimodal', not {shape!r}.")
        rare = q / p
        least = min(0.5 + rare**2, 0.5 + 0.5 / pairs + 0.75 * rare**2)
        if rare > 1.0 / np.sqrt(3.0) or tau <= min(least, 0.75):
            return float("nan")
        if tau <= 0.75:
            return q**2 / (p * 2.0 * (2.0 * tau - 1.0 - 0.5 / pairs))
        return q**2 / p * 4.0 * (1.0 - tau + 0.5 / pairs) / (1.0 + 1.0 / pairs)

    def summary(self, threshold: float = 0.75) -> str:
        """What was done, the bound, and the columns selected by any half, the most frequent first."""
        head = ["SIMULATED DATA: these numbers say nothing about people."] if self.simulated else []
        how = "by the fit's own rule" if self.q is None else f"at most {self.q}"
        table = self.tidy().sort_values("frequency", ascending=False, kind="stable")
        return "\n".join(
            [
                *head,
                f"Stability selection: {self.n_pairs} complementary pairs of halves of {self.n_units} levels of "
                f"{self.unit} (seed {self.seed}); a half selects {self.mean_selected:.1f} of {len(self.terms)} columns "
                f"({how}).",
                f"At frequency {threshold:g} or more: {', '.join(self.stable(threshold)) or 'none'}; of these, at most "
                f"{self.bound(threshold):.3g} are expected to be there by chance.",
                f"That is about other levels of {self.unit}, the levels of every other factor being the same.",
                table[table["frequency"] > 0].to_string(index=False, float_format="{:.2f}".format),
            ]
        )


def _checked(threshold: float) -> float:
    if not 0.5 < threshold <= 1.0:
        raise ValueError(f"A threshold of stability is a share above 0.5 and at most 1, not {threshold}.")
    return threshold


def stability(
    fit: LassoLmer,
    n_pairs: int = 50,
    *,
    q: int | None = None,
    unit: str = "annotator",
    theta: Literal["estimated", "fitted"] = "estimated",
    seed: int = 0,
    n_jobs: int = 1,
    progress: bool = False,
) -> Stability:
    """Repeat a selection on complementary halves of the people, or of another unit.

    Formula: for b = 1…B the units are dealt into two halves at random (with an odd number one sits out); each half's
    rows go through the fit's whole procedure. A column's frequency is the share of the 2B halves that select it.

    Parameters
    ----------
    fit
        Whose procedure is repeated: formula, forced columns, adaptive weights, hierarchy, rule.
    n_pairs
        B.
    q
        Most columns that a half may select: the last set on its path with no more than q columns besides the forced
        ones. None leaves the choice to the fit's rule, cross-validation included.
    unit
        ``"annotator"``, ``"prompt"``, or any column of the data: its values stay whole.
    theta
        Variance ratios ``"estimated"`` along each half's path, or held as ``"fitted"`` to all rows at the chosen λ,
        which is several times quicker; the halves then share what all rows say about the variances, which the bound
        does not know of.
    seed
        The b-th pair depends on ``seed`` and b only, not on ``n_jobs``.
    n_jobs, progress
        Processes, and whether to show how far they are.

    Returns
    -------
    Stability

    Raises
    ------
    FitError
        Fewer than 4 units, or a half that cannot be fitted.

    Notes
    -----
    A half's sums are taken from its rows, not added up from people's: sums for each person would hold p² numbers a
    person, and the pass over half the rows is a small part of following a path.

    References
    ----------
    Shah & Samworth (2013), Variable selection with error control: another look at stability selection, J. R. Stat.
    Soc. B 75(1); Meinshausen & Bühlmann (2010), Stability selection, J. R. Stat. Soc. B 72(4).
    """
    if n_pairs < 1:
        raise ValueError(f"n_pairs is the number of pairs of halves, at least 1, not {n_pairs}.")
    if theta not in ("estimated", "fitted"):
        raise ValueError(f"theta is 'estimated' or 'fitted', not {theta!r}.")
    competing = np.setdiff1d(np.arange(len(fit.candidates)), fit.procedure.forced - 1)
    if q is not None and not 1 <= q <= len(competing):
        raise ValueError(f"q is a number of columns from 1 to {len(competing)}, not {q}.")
    if q is not None and fit.procedure.hierarchy:
        raise ValueError("q bounds the columns of one path; with hierarchy=True there are several: leave q out.")
    units = fold_units(fit.rows.frame, unit)
    n_units = int(units.max()) + 1
    if n_units < 4:
        raise FitError(f"Halves of {n_units} levels of {unit!r} are too small to select from; 4 levels are the least.")
    procedure = fit.procedure if theta == "estimated" else replace(fit.procedure, theta=fit.theta)
    if q is not None and not procedure.adaptive:
        # Which penalty the rule would choose does not matter, so that no folds are needed.
        procedure = replace(procedure, rule=replace(procedure.rule, penalty="bic"))
    work: Callable[[Sequence[SeedSequence]], list[Selections]] = partial(
        _pairs, rows=fit.rows, units=units, procedure=procedure, q=q
    )
    found = in_blocks(work, streams(seed, n_pairs), n_jobs=n_jobs, what="stability", progress=progress, block=1)
    selected = np.array(found)[:, :, competing]
    selected.setflags(write=False)
    terms = tuple(fit.candidates[j] for j in competing)
    return Stability(terms, selected, unit, n_units, q, seed, fit.simulated)


def _pairs(
    tasks: Sequence[SeedSequence], *, rows: Rows, units: NDArray[np.intp], procedure: Procedure, q: int | None
) -> list[Selections]:
    out = []
    for stream in tasks:
        order = np.random.default_rng(stream).permutation(int(units.max()) + 1)
        half = len(order) // 2
        sides = (order[:half], order[half : 2 * half])
        out.append(np.array([_select(rows.take(np.flatnonzero(np.isin(units, side))), procedure, q) for side in sides]))
    return out


def _select(half: Rows, procedure: Procedure, q: int | None) -> Selections:
    try:
        outcome = procedure.run(half)
    except FitError as error:
        raise FitError(f"A half cannot be selected from: {error}") from error
    return outcome.selected if q is None else at_most(outcome, procedure, q)


def at_most(outcome: Outcome, procedure: Procedure, q: int) -> Selections:
    """The last set of a path, from its largest penalty on, before one with more than q columns, shape (p,)."""
    used: Selections = outcome.path.beta[1:] != 0
    used[procedure.forced[1:] - 1] = False
    crowded = np.flatnonzero(used.sum(axis=0) > q)
    return used[:, max(crowded[0] - 1, 0) if len(crowded) else -1]
