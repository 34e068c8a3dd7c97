"""``lasso_select``: Lasso selection, then an unpenalised refit, with the caveat attached."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from pluristats.errors import DroppedRowsWarning, FitError, SelectionWarning
from pluristats.formula import build_design
from pluristats.lasso.rule import Chosen, LassoRule, choose_columns
from pluristats.models.fit import LmerFit
from pluristats.models.lmer import Engine, StudyLike, fit_design, frame_and_groups

CAVEAT = (
    "The same rows selected these terms and estimated them: standard errors, p-values and intervals ignore the "
    "selection and are too optimistic."
)


@dataclass(frozen=True)
class LassoSelection:
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
        statsmodels' ``OLSResults`` of the selected columns without random effects.
    """

    rule: LassoRule
    chosen: Chosen = field(repr=False)
    candidates: tuple[str, ...] = field(repr=False)
    selected: tuple[str, ...]
    refit: LmerFit | None = field(repr=False)
    ols: Any = field(repr=False)

    @property
    def penalty(self) -> float:
        """The λ chosen, on standardised columns."""
        return self.chosen.penalty

    def path(self) -> pd.DataFrame:
        """One row a λ: lambda, df, rss, bic, cv_error, cv_se, chosen."""
        return self.chosen.table()

    def tidy(self, *, conf_level: float = 0.95) -> pd.DataFrame:
        """One row a selected term: the refit's ``tidy``, and the Lasso's shrunken coefficient beside it."""
        if self.refit is None:
            interval = self.ols.conf_int(1 - conf_level)
            table = pd.DataFrame(
                {
                    "term": ["(Intercept)", *self.selected],
                    "estimate": self.ols.params,
                    "std_error": self.ols.bse,
                    "statistic": self.ols.tvalues,
                    "p_value": self.ols.pvalues,
                    "conf_low": interval[:, 0],
                    "conf_high": interval[:, 1],
                }
            )
        else:
            table = self.refit.tidy(conf_level=conf_level)
        shrunken = dict(zip(self.candidates, self.chosen.path.coefficients[:, self.chosen.position], strict=True))
        shrunken["(Intercept)"] = float(self.chosen.path.intercepts[self.chosen.position])
        return table.assign(lasso=[shrunken.get(term, np.nan) for term in table.term])

    def summary(self) -> str:
        """The rule, what it kept, the caveat, and the refit's summary."""
        kept = f"{len(self.selected)} of {len(self.candidates)} columns kept at λ = {self.penalty:.5g}."
        body = self.refit.summary() if self.refit is not None else str(self.ols.summary())
        return "\n".join([f"{self.rule.describe()}.", kept, CAVEAT, "", body])

    def _repr_html_(self) -> str:
        head = f"<p>{escape(self.rule.describe())}.</p><p>{len(self.selected)} of {len(self.candidates)} columns kept"
        head += f" at λ = {self.penalty:.5g}.</p><p><strong>{escape(CAVEAT)}</strong></p>"
        return head + (self.refit._repr_html_() if self.refit is not None else self.tidy().to_html(index=False))


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

    Warns
    -----
    SelectionWarning
        Always: inference after selection is not valid.
    """
    rule = LassoRule(**choices) if rule is None else rule
    frame, groups, simulated = frame_and_groups(data, groups)
    design = build_design(formula, frame, groups)
    columns = np.array([j for j, name in enumerate(design.x_names) if name != "(Intercept)"], dtype=np.intp)
    if not len(columns):
        raise FitError(f"The formula {formula!r} has no column to select from.")
    rows = frame.iloc[design.rows]
    chosen = choose_columns(design.x[:, columns], design.y, rows, rule)
    kept = columns[chosen.support]
    intercept = np.setdiff1d(np.arange(len(design.x_names)), columns)
    smaller = design.subset(np.sort(np.r_[intercept, kept]))
    refit = ols = None
    if design.factors:
        refit = fit_design(smaller, frame, formula=formula, reml=reml, engine=engine, simulated=simulated)
    else:
        import statsmodels.api as sm

        ols = sm.OLS(smaller.y, smaller.x).fit()
    if design.n_dropped:
        by_column = ", ".join(f"{c}: {k}" for c, k in design.dropped)
        warnings.warn(
            f"{design.n_dropped} rows left out, a value is missing ({by_column}).", DroppedRowsWarning, stacklevel=2
        )
    warnings.warn(CAVEAT, SelectionWarning, stacklevel=2)
    return LassoSelection(
        rule=rule,
        chosen=chosen,
        candidates=tuple(design.x_names[j] for j in columns),
        selected=tuple(design.x_names[j] for j in kept),
        refit=refit,
        ols=ols,
    )
