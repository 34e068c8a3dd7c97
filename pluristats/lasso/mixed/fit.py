"""``lasso_lmer``: the L1-penalised mixed model, a penalty chosen along its path, and the unpenalised refit."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from pluristats.display.explored import Explored
from pluristats.display.shown import Displayed, Shown
from pluristats.engine.result import Array
from pluristats.errors import ConvergenceWarning, FitError, PluristatsWarning, SelectionWarning
from pluristats.formula import build_design, refuse_offsets
from pluristats.lasso.inference.debiased import Debiased, debiased
from pluristats.lasso.inference.multisplit import MultiSplit, multisplit
from pluristats.lasso.inference.resampled import Resampled, resampled
from pluristats.lasso.inference.split import Split, split
from pluristats.lasso.inference.stability import Stability, stability
from pluristats.lasso.mixed.choose import Criteria
from pluristats.lasso.mixed.path import MixedPath
from pluristats.lasso.mixed.rows import Rows, candidate_rows, held_theta
from pluristats.lasso.mixed.search import Outcome, Procedure, Standardize, forced_columns
from pluristats.lasso.rule import LassoRule
from pluristats.lasso.select import CAVEAT
from pluristats.models.fit import LmerFit
from pluristats.models.lmer import StudyLike, fit_design, frame_and_groups, remarks
from pluristats.models.multiplicity import Adjust

# What an analyst can do about the caveat.
_REMEDY = "fit.split() and fit.debiased() have intervals that do not."
# Optimality, as a share of λ_max, beyond which a reader is told.
_KKT = 1e-6


@dataclass(frozen=True, eq=False)
class LassoLmer(Displayed, Explored):
    """Outcome of :func:`lasso_lmer`.

    Parameters
    ----------
    formula
        As written.
    rule
        How the penalty was chosen.
    candidates
        Names of all columns but the intercept.
    unpenalised
        Names of those that are in the model whatever the penalty: forced, or main effects of a chosen interaction.
    path_fit
        The penalised fits along the grid.
    position
        Place of the chosen λ on the grid.
    criteria
        Information criteria along the path.
    cv_error, cv_se
        Mean squared error of prediction and its standard error over folds, shape (L,); NaN without cross-validation.
    refit
        The unpenalised fit of the selected columns with the same random part.
    rows, procedure
        What was selected from, and how, so that it can be done again on parts of the rows.
    simulated
        Whether the data say of themselves that they are simulated.
    """

    formula: str
    rule: LassoRule
    candidates: tuple[str, ...] = field(repr=False)
    unpenalised: tuple[str, ...]
    path_fit: MixedPath = field(repr=False)
    position: int
    criteria: Criteria = field(repr=False)
    cv_error: Array = field(repr=False)
    cv_se: Array = field(repr=False)
    refit: LmerFit = field(repr=False)
    rows: Rows = field(repr=False)
    procedure: Procedure = field(repr=False)
    simulated: bool = False

    @property
    def penalty(self) -> float:
        """The λ chosen, for standardised columns."""
        return float(self.path_fit.lambdas[self.position])

    @property
    def kkt(self) -> float:
        """Largest violation of the optimality conditions over the whole path, as a share of λ_max."""
        return float(self.path_fit.kkt.max())

    @property
    def theta(self) -> Array:
        """Relative standard deviations of the penalised fit at the chosen λ, in ``refit.theta_names``' order."""
        return self.path_fit.theta[:, self.position]

    @property
    def sigma(self) -> float:
        """Residual standard deviation of the penalised fit at the chosen λ."""
        return float(self.path_fit.sigma[self.position])

    @property
    def loglik(self) -> float:
        """Log-likelihood of the penalised fit at the chosen λ."""
        return float(self.path_fit.loglik[self.position])

    @property
    def selected(self) -> tuple[str, ...]:
        """Columns with a coefficient at the chosen λ, and the unpenalised ones."""
        kept = self.path_fit.beta[1:, self.position] != 0
        return tuple(n for n, k in zip(self.candidates, kept, strict=True) if k or n in set(self.unpenalised))

    def coef(self) -> pd.Series:
        """Penalised (shrunken) coefficients at the chosen λ, intercept first, for the columns as given."""
        values = np.append(self.path_fit.intercepts[self.position], self.path_fit.coefficients[:, self.position])
        return pd.Series(values, index=["(Intercept)", *self.candidates], name="lasso")

    def coefficients(self) -> pd.DataFrame:
        """Penalised coefficients of every column at every λ, for the columns as given: terms by λ."""
        values = np.vstack([self.path_fit.intercepts, self.path_fit.coefficients])
        return pd.DataFrame(
            values,
            index=pd.Index(["(Intercept)", *self.candidates], name="term"),
            columns=pd.Index(self.path_fit.lambdas, name="lambda"),
        )

    def path(self) -> pd.DataFrame:
        """One row a λ: lambda, df, loglik, sigma, a column ``theta: …`` a random term, criteria, cv, kkt, chosen."""
        p, c = self.path_fit, self.criteria
        thetas = {f"theta: {name}": row for name, row in zip(self.refit.theta_names, p.theta, strict=True)}
        return pd.DataFrame(
            {
                "lambda": p.lambdas,
                "df": c.df,
                "loglik": p.loglik,
                "sigma": p.sigma,
                **thetas,
                "bic": c.bic,
                "bic_hybrid": c.bic_hybrid,
                "ebic": c.ebic,
                "aicc": c.aicc,
                "cv_error": self.cv_error,
                "cv_se": self.cv_se,
                "kkt": p.kkt,
                "chosen": np.arange(len(p.lambdas)) == self.position,
            }
        )

    def tidy(self, *, conf_level: float = 0.95, adjust: Adjust | None = None) -> pd.DataFrame:
        """One row a selected term: the unpenalised refit's ``tidy``, and the shrunken coefficient beside it.

        ``adjust="holm"`` or ``"bh"`` adds ``p_adjusted`` over the selected terms; that these were selected, no
        adjustment among them undoes (:meth:`split` and :meth:`debiased` do).
        """
        table = self.refit.tidy(conf_level=conf_level, adjust=adjust)
        return table.assign(lasso=self.coef().reindex(table.term).to_numpy())

    def stability(
        self,
        n_pairs: int = 50,
        *,
        q: int | None = None,
        unit: str = "annotator",
        theta: Literal["estimated", "fitted"] = "estimated",
        seed: int = 0,
        n_jobs: int = 1,
        progress: bool = False,
    ) -> Stability:
        """How often halves of the people select each column.

        See :func:`pluristats.lasso.inference.stability.stability`.
        """
        return stability(self, n_pairs, q=q, unit=unit, theta=theta, seed=seed, n_jobs=n_jobs, progress=progress)

    def bootstrap(
        self,
        n: int = 200,
        *,
        by: str | Sequence[str] = "annotator",
        seed: int = 0,
        n_jobs: int = 1,
        progress: bool = False,
    ) -> Resampled:
        """The whole selection on resampled people: a description of its stability, no intervals.

        See :func:`pluristats.lasso.inference.resampled.resampled`.
        """
        return resampled(self, n, by=by, seed=seed, n_jobs=n_jobs, progress=progress)

    def split(self, *, by: Sequence[str] | None = None, seed: int = 0) -> Split:
        """Select on half of the people and prompts, estimate on the others.

        See :func:`pluristats.lasso.inference.split.split`.
        """
        return split(self, by=by, seed=seed)

    def multisplit(
        self,
        n_splits: int = 50,
        *,
        by: Sequence[str] | None = None,
        seed: int = 0,
        n_jobs: int = 1,
        progress: bool = False,
    ) -> MultiSplit:
        """p-values of many splits in one; see :func:`pluristats.lasso.inference.split.multisplit`."""
        return multisplit(self, n_splits, by=by, seed=seed, n_jobs=n_jobs, progress=progress)

    def debiased(self, terms: Sequence[str] | None = None, *, most: float = math.inf) -> Debiased:
        """Estimates and intervals of the full model's coefficients.

        See :func:`pluristats.lasso.inference.debiased.debiased`.
        """
        return debiased(self, terms, most=most)

    def summary(self) -> str:
        """The rule, what it kept, the caveat, and the refit's summary."""
        return "\n".join([*self._head(), CAVEAT, _REMEDY, "", self.refit.summary()])

    def _head(self) -> list[str]:
        head = ["SIMULATED DATA: these numbers say nothing about people."] if self.simulated else []
        rule = self.rule.describe().replace("Lasso", "L1-penalised mixed model", 1)
        kept = f"{len(self.selected)} of {len(self.candidates)} columns kept at λ = {self.penalty:.5g}"
        free = f", {len(self.unpenalised)} of them unpenalised" if self.unpenalised else ""
        return [*head, f"{rule}.", f"{kept}{free}; optimality conditions met to {self.kkt:.1g} of the largest penalty."]

    def _shown(self) -> Shown:
        head = (*self._head()[self.simulated :], _REMEDY)
        return Shown(simulated=self.simulated, warnings=(CAVEAT,), lines=head, parts=(self.refit._shown(),))


def lasso_lmer(
    formula: str,
    data: StudyLike | pd.DataFrame,
    rule: LassoRule | None = None,
    *,
    force: Sequence[str] = (),
    standardize: Standardize = "model",
    adaptive: bool = False,
    hierarchy: bool = False,
    theta: Sequence[float] | None = None,
    reml: bool = True,
    groups: Mapping[str, Sequence[str]] | None = None,
    n_jobs: int = 1,
    progress: bool = False,
    **choices: Any,
) -> LassoLmer:
    """Select fixed effects by the L1-penalised mixed model, with variance components estimated along the path.

    Formula: at each λ, β minimises (y - Xβ)'V⁻¹(y - Xβ)/2n + λ Σ_j w_j|β_j| on standardised columns with an unpenalised
    intercept, V = I + Σ_k theta_k² Z_k Z_k', and theta and σ² maximise the likelihood at β
    (:mod:`pluristats.lasso.mixed.path`). ``fit.kkt`` holds the largest violation of optimality along the path.

    Parameters
    ----------
    formula
        As for :func:`pluristats.lmer`, with random intercepts.
    data
        A study or a table.
    rule
        How the penalty is chosen; or give the fields of :class:`pluristats.LassoRule` by name: ``penalty="bic"`` (the
        default), ``"bic_hybrid"``, ``"ebic"``, ``"aicc"``, ``"cv"`` with ``folds`` and ``choose``, or a number.
    force
        Columns and feature groups that are in the model unpenalised.
    standardize
        What a coefficient's penalty is proportional to: its column's length in the ``"model"``, (x_j'V⁻¹x_j/n)^½ at
        λ_max's variances, or its standard deviation over ``"rows"``. A column of people has few of the rows'
        information about its coefficient: by rows it enters only at small penalties, by the model as soon as its z is
        as large, which finds more of what matters (``SELECTION.md``).
    adaptive
        Weigh each column's penalty by 1/|β_j| of a first path's choice, standardised; what that leaves out stays out
        (adaptive Lasso: Zou 2006; with the Lasso first: Bühlmann & van de Geer 2011, section 2.8).
    hierarchy
        An interaction only with its main effects (of three columns: also with the products of two that the formula
        has): those of a chosen interaction become unpenalised and the path is followed anew, until none is missing.
    theta
        Variance ratios to hold instead of estimating them, in the refit's theta order; zeros are glmnet's Lasso.
    reml
        Of the unpenalised refit; the penalised fit is by maximum likelihood.
    groups
        Feature groups for a table; a study brings its own.
    n_jobs, progress
        Processes for the folds, and whether to show how far they are.

    Returns
    -------
    LassoLmer

    Raises
    ------
    FitError
        There is no column to select from, no random term, or the model cannot be fitted.
    FormulaError
        ``force`` names a column that the formula does not have.
    UnsupportedError
        Random slopes, an offset, or a formula without intercept.
    ValueError
        A field of the rule is out of its range.

    Warns
    -----
    SelectionWarning
        Always: inference after selection is not valid.
    ConvergenceWarning
        At some λ coefficients and variances did not settle together.

    References
    ----------
    Schelldorfer, Bühlmann & van de Geer (2011), Estimation for high-dimensional linear mixed-effects models using
    ℓ1-penalization, Scand. J. Stat. 38(2).
    """
    if standardize not in ("rows", "model"):
        raise ValueError(f"standardize is 'rows' or 'model', not {standardize!r}.")
    rule = LassoRule.of(rule, choices)
    frame, groups, simulated = frame_and_groups(data, groups)
    design = build_design(formula, frame, groups)
    refuse_offsets(design.parsed, "lasso_lmer")
    rows = candidate_rows(design, frame)
    free = forced_columns(rows.names, force, groups, formula)
    procedure = Procedure(rule, free, adaptive, hierarchy, held_theta(theta, rows.problem.factors), standardize)
    outcome = procedure.run(rows, n_jobs=n_jobs, progress=progress)
    smaller = design.subset(np.r_[0, 1 + np.flatnonzero(outcome.selected)])
    try:
        refit = fit_design(smaller, frame, formula=formula, reml=reml, simulated=simulated)
    except FitError as error:
        raise FitError(
            f"The {outcome.selected.sum()} columns kept at λ = {outcome.path.lambdas[outcome.position]:.4g} cannot be "
            f"refitted; choose the penalty in another way, or fit with reml=False if REML is named here: {error}"
        ) from error
    for category, message in [*_remarks(outcome, rule), *remarks(refit)]:
        warnings.warn(message, category, stacklevel=2)
    warnings.warn(f"{CAVEAT} {_REMEDY}", SelectionWarning, stacklevel=2)
    return LassoLmer(
        formula=formula,
        rule=rule,
        candidates=rows.names,
        unpenalised=tuple(rows.names[j - 1] for j in outcome.free[1:]),
        path_fit=outcome.path,
        position=outcome.position,
        criteria=outcome.criteria,
        cv_error=outcome.error,
        cv_se=outcome.se,
        refit=replace(refit, after_selection=True),
        rows=rows,
        procedure=procedure,
        simulated=simulated,
    )


def _remarks(outcome: Outcome, rule: LassoRule) -> list[tuple[type[PluristatsWarning], str]]:
    """What a reader must know about the path."""
    path = outcome.path
    told: list[tuple[type[PluristatsWarning], str]] = []
    if not path.converged.all():
        at = path.lambdas[~path.converged][0]
        count = int((~path.converged).sum())
        told.append(
            (
                ConvergenceWarning,
                f"At {count} of {len(path.lambdas)} penalties, from λ = {at:.4g} on, coefficients and variances did "
                "not settle together; do not read those.",
            )
        )
    if path.kkt.max() > _KKT:
        at = path.lambdas[int(np.argmax(path.kkt))]
        told.append(
            (
                ConvergenceWarning,
                f"The Lasso at λ = {at:.4g} meets its optimality conditions only to {path.kkt.max():.1g} of the "
                "largest penalty; columns that nearly determine each other may be exchanged for one another.",
            )
        )
    if isinstance(rule.penalty, str) and outcome.position == len(path.lambdas) - 1:
        told.append(
            (
                SelectionWarning,
                f"The grid ends before {rule.criterion} has a minimum, and the smallest penalty is chosen; lower "
                "min_ratio. With nearly as many columns as rows the likelihood has no maximum, and its criteria no "
                "minimum; choose by penalty='cv' then.",
            )
        )
    return told
