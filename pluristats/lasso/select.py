"""``lasso_select``: Lasso selection, then an unpenalised refit, with the caveat attached."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pluristats.display.explored import Explored
from pluristats.display.shown import Displayed, Shown
from pluristats.engine import native
from pluristats.engine.result import Problem
from pluristats.errors import (
    DroppedRowsWarning,
    FitError,
    SelectionWarning,
    UnsupportedError,
)
from pluristats.formula import Design, build_design, refuse_offsets
from pluristats.lasso.rule import Chosen, LassoRule, choose_columns
from pluristats.models.fit import LmerFit
from pluristats.models.lmer import Engine, StudyLike, fit_design, frame_and_groups, remarks
from pluristats.models.multiplicity import Adjust, with_adjusted
from pluristats.models.remarks import Remark, missing_rows, of_columns

CAVEAT = (
    "The same rows selected these terms and estimated them: standard errors, p-values and intervals ignore the "
    "selection and are too optimistic."
)


@dataclass(frozen=True)
class LassoSelection(Displayed, Explored):
    """Outcome of :func:`lasso_select`.

    Parameters
    ----------
    rule
        How the penalty was chosen.
    chosen
        Path, penalty and support.
    candidates, selected
        Names of all columns and of the selected ones.
    refit
        The unpenalised fit of the selected columns with the formula's random part; None where the formula has
        no random part (``ols`` then holds statsmodels' result).
    ols
        statsmodels' ``OLSResults`` of the selected columns without random effects, terms by name.
    simulated
        Whether the data say of themselves that they are simulated.
    notes
        Rows and columns that the least squares leave out, as sentences; of a mixed model they are the refit's.
    """

    rule: LassoRule
    chosen: Chosen = field(repr=False)
    candidates: tuple[str, ...] = field(repr=False)
    selected: tuple[str, ...]
    refit: LmerFit | None = field(repr=False)
    ols: Any = field(repr=False)
    simulated: bool = False
    notes: tuple[str, ...] = ()

    @property
    def penalty(self) -> float:
        """The λ chosen, on standardised columns."""
        return self.chosen.penalty

    def path(self) -> pd.DataFrame:
        """One row a λ: lambda, df, rss, bic, cv_error, cv_se, chosen."""
        return self.chosen.table()

    def tidy(self, *, conf_level: float = 0.95, adjust: Adjust | None = None) -> pd.DataFrame:
        """One row a selected term: the refit's ``tidy``, and the Lasso's shrunken coefficient beside it.

        ``adjust="holm"`` or ``"bh"`` adds ``p_adjusted`` over the selected terms; that these were selected, no
        adjustment among them undoes.
        """
        if self.refit is None:
            interval = self.ols.conf_int(1 - conf_level).to_numpy()
            table = pd.DataFrame(
                {
                    "term": list(self.ols.params.index),
                    "estimate": self.ols.params.to_numpy(),
                    "std_error": self.ols.bse.to_numpy(),
                    "statistic": self.ols.tvalues.to_numpy(),
                    "p_value": self.ols.pvalues.to_numpy(),
                    "conf_low": interval[:, 0],
                    "conf_high": interval[:, 1],
                }
            )
        else:
            table = self.refit.tidy(conf_level=conf_level)
        table = with_adjusted(table, adjust)
        shrunken = dict(zip(self.candidates, self.chosen.path.coefficients[:, self.chosen.position], strict=True))
        shrunken["(Intercept)"] = float(self.chosen.path.intercepts[self.chosen.position])
        return table.assign(lasso=[shrunken.get(term, np.nan) for term in table.term])

    def summary(self) -> str:
        """The rule, what it kept, the caveat, and the refit's summary."""
        body = self.refit.summary() if self.refit is not None else str(self.ols.summary())
        return "\n".join([*self._head(), *self.notes, CAVEAT, "", body])

    def _head(self) -> list[str]:
        head = ["SIMULATED DATA: these numbers say nothing about people."] if self.simulated else []
        kept = f"{len(self.selected)} of {len(self.candidates)} columns kept at λ = {self.penalty:.5g}."
        return [*head, f"{self.rule.describe()}.", kept]

    def _shown(self) -> Shown:
        head = (*self._head()[self.simulated :], *self.notes)
        if self.refit is None:
            body = Shown(tables=(("Selected terms, by least squares", self.tidy()),))
        else:
            body = self.refit._shown()
        return Shown(simulated=self.simulated, warnings=(CAVEAT,), lines=head, parts=(body,))


def lasso_select(
    formula: str,
    data: StudyLike | pd.DataFrame,
    rule: LassoRule | None = None,
    *,
    reml: bool = True,
    engine: Engine = "native",
    groups: Mapping[str, Sequence[str]] | None = None,
    **choices: Any,
) -> LassoSelection:
    """Select fixed-effect columns by the Lasso, then refit the selected ones unpenalised with the random part.

    Formula: minimise (1/2n)‖y - Xβ‖² + λ‖β‖₁ on standardised columns with an unpenalised intercept; then fit
    y = X_S β_S + Σ_k Z_k b_k + ε on the support S. The Lasso itself ignores the random part, as the paper and most
    of this field do; rows of one annotator or prompt are not independent, which is why ``folds`` matters.

    Parameters
    ----------
    formula
        As for :func:`pluristats.lmer`; without a random part the refit is ordinary least squares.
    data
        A study or a table.
    rule
        How the penalty is chosen; or give the fields of :class:`LassoRule` by name (``penalty="bic"``,
        ``folds="annotators"``).
    reml, engine, groups
        As for :func:`pluristats.lmer`.

    Returns
    -------
    LassoSelection

    Raises
    ------
    FitError
        The formula has no column to select from.
    UnsupportedError
        The formula takes the intercept away, or has an offset.
    ValueError
        ``rule`` and fields of a rule are both given, or a field is out of its range.

    Warns
    -----
    SelectionWarning
        Always: inference after selection is not valid.
    DroppedRowsWarning, RankDeficientWarning, SingularFitWarning, ConvergenceWarning
        As :func:`pluristats.lmer` on the refit.
    """
    rule = LassoRule.of(rule, choices)
    frame, groups, simulated = frame_and_groups(data, groups)
    design = build_design(formula, frame, groups)
    refuse_offsets(design.parsed, "Lasso selection")
    columns = candidate_columns(design)
    if not len(columns):
        raise FitError(f"The formula {formula!r} has no column to select from.")
    chosen = choose_columns(design.x[:, columns], design.y, frame.iloc[design.rows], rule)
    kept = columns[chosen.support]
    smaller = design.subset(np.r_[0, kept])
    refit = ols = None
    if design.factors:
        refit = fit_design(smaller, frame, formula=formula, reml=reml, engine=engine, simulated=simulated)
        refit = replace(refit, after_selection=True)
        told = remarks(refit)
    else:
        ols, told = _least_squares(smaller)
    for category, message in told:
        warnings.warn(message, category, stacklevel=2)
    warnings.warn(CAVEAT, SelectionWarning, stacklevel=2)
    return LassoSelection(
        rule=rule,
        chosen=chosen,
        candidates=tuple(design.x_names[j] for j in columns),
        selected=tuple(design.x_names[j] for j in kept),
        refit=refit,
        ols=ols,
        simulated=simulated,
        notes=() if refit is not None else tuple(message for _, message in told),
    )


def candidate_columns(design: Design) -> NDArray[np.intp]:
    """Positions of the columns to select from: all but the intercept, which comes first.

    Raises
    ------
    UnsupportedError
        There is no intercept: the Lasso's is not penalised, and a refit without it would not be the same model.
    """
    if design.x_names[:1] != ("(Intercept)",):
        raise UnsupportedError(
            f"The formula {design.parsed.text!r} takes the intercept away, which Lasso selection needs; leave it in."
        )
    return np.arange(1, len(design.x_names), dtype=np.intp)


def _least_squares(design: Design) -> tuple[Any, list[Remark]]:
    """Ordinary least squares on the independent columns, and what a reader must know about it."""
    import statsmodels.api as sm

    told: list[Remark] = []
    if design.n_dropped:
        told.append((DroppedRowsWarning, f"{missing_rows(design)}."))
    kept = native.fit(Problem(design.y, design.x, design.x_names, ()), reml=False).kept
    told += of_columns([name for j, name in enumerate(design.x_names) if j not in kept])
    columns = pd.DataFrame(design.x[:, kept], columns=[design.x_names[j] for j in kept])
    return sm.OLS(design.y, columns).fit(), told
