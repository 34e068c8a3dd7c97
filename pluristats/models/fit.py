"""A fitted linear mixed model: the same surface whichever engine fitted it.

``tidy``, ``glance`` and ``augment`` (broom's names) are the single source of numbers for tables, plots and reports.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, overload

import numpy as np
import pandas as pd

from pluristats.display.explored import Explored
from pluristats.display.shown import Displayed, Shown
from pluristats.engine.result import Array
from pluristats.models import predict, tables
from pluristats.models.bootstrap import Bootstrap, Kind, bootstrap
from pluristats.models.diagnostics import Diagnostics, diagnose
from pluristats.models.display import shown, summary_text
from pluristats.models.estimates import Estimates, freeze
from pluristats.models.influence import Influence, influence
from pluristats.models.multiplicity import Adjust, with_adjusted
from pluristats.models.predict_error import IntervalKind, prediction_table
from pluristats.models.r2 import R2, nakagawa_r2
from pluristats.models.simulate import Levels, simulate


@dataclass(frozen=True, eq=False)
class LmerFit(Estimates, Displayed, Explored):
    """A fitted linear mixed model: what :class:`pluristats.models.estimates.Estimates` holds, as tables and more.

    Its tables are copies.
    """

    # --- tables -------------------------------------------------------------------------------------------------

    def tidy(
        self,
        effects: Literal["fixed", "ran_pars", "ran_vals"] = "fixed",
        *,
        conf_level: float = 0.95,
        df: tables.DfMethod | None = None,
        adjust: Adjust | None = None,
    ) -> pd.DataFrame:
        """One row a parameter.

        Formula: statistic = estimate / std_error, p_value = 2 P(T > |statistic|), interval = estimate ± t std_error, T
        and t of Student's distribution with Satterthwaite's degrees of freedom
        (:func:`pluristats.models.satterthwaite.satterthwaite_df`), as lmerTest; of the normal one for ``df="wald"``,
        which with few groups is too narrow for terms that vary only between groups.

        Parameters
        ----------
        effects
            ``"fixed"`` (term, estimate, std_error, statistic, df, p_value, conf_low, conf_high), ``"ran_pars"``
            (group, term, estimate: standard deviations ``sd__…`` and, of slopes, correlations ``cor__…``) or
            ``"ran_vals"`` (as :meth:`ranef`).
        conf_level
            Coverage of the interval.
        df
            ``"satterthwaite"`` (the default, None) or ``"wald"`` (``df`` is infinite).
        adjust
            Of fixed effects: ``"holm"`` or ``"bh"`` add ``p_adjusted``, the p-values adjusted for their number; the
            family is all fixed effects but the intercept (:func:`pluristats.models.multiplicity.adjusted`).
        """
        tables.check_level(conf_level)
        if adjust is not None and effects != "fixed":
            raise ValueError(f"adjust={adjust!r} adjusts p-values of fixed effects; effects={effects!r} has none.")
        if effects == "ran_vals":
            return self.ranef()
        if effects == "ran_pars":
            return tables.tidy_components(self.result)
        if effects != "fixed":
            raise ValueError(f"effects is 'fixed', 'ran_pars' or 'ran_vals', not {effects!r}.")
        return with_adjusted(tables.tidy_fixed(self, conf_level=conf_level, df=df), adjust)

    def confint(
        self,
        effects: Literal["ran_pars", "fixed"] = "ran_pars",
        *,
        method: Literal["profile", "wald"] = "profile",
        conf_level: float = 0.95,
    ) -> pd.DataFrame:
        """Confidence intervals of standard deviations, or of fixed effects.

        Formula: ``"profile"`` ends where -2ℓ, all else refitted, is χ²_1's quantile above its minimum
        (:mod:`pluristats.models.profile`); ``"wald"`` is exp(log σ_k ± z se(log σ_k)) of standard deviations and
        :meth:`tidy`'s interval of fixed effects.

        Parameters
        ----------
        effects
            ``"ran_pars"`` (group, term, estimate, conf_low, conf_high: the standard deviations σ_k and σ) or
            ``"fixed"`` (term, estimate, conf_low, conf_high).
        method
            A profile ends at 0 where a variance of zero is likely enough, and follows the fit's own criterion; lme4
            profiles the ML refit of a REML fit, for which refit with ``reml=False``. A Wald interval of a component
            at zero is NaN.
        conf_level
            Coverage.

        Raises
        ------
        FitError
            For profiles of fixed effects of a REML fit, or where a refit fails or is better than the fit.
        UnsupportedError
            For random slopes, but for Wald intervals of fixed effects; for profiles of an iterative fit.
        """
        tables.check_level(conf_level)
        if effects != "fixed" or method != "wald":
            self._random_intercepts_only("An interval by profile likelihood, or of a standard deviation,")
        return tables.confint(self, effects=effects, method=method, conf_level=conf_level)

    def glance(self) -> pd.DataFrame:
        """One row: size, likelihood and its standard error (0 where exact), criteria, variance explained."""
        return tables.glance(self)

    def augment(self) -> pd.DataFrame:
        """One row an observation used: response, grouping levels, ``fixed`` (offset + Xβ), ``fitted``, ``resid``.

        ``resid`` is response - fitted. With an offset also ``offset``, with weights ``weight`` and ``weighted_resid``
        (√weight resid, lme4's Pearson residual), whose variance is the same in all rows.
        """
        return tables.augment(self)

    def ranef(self) -> pd.DataFrame:
        """Conditional modes: group, level, term, estimate, std_error (given theta and β, as lme4's condVar)."""
        return tables.ranef(self.result)

    def varcorr(self) -> pd.DataFrame:
        """Variance components as lme4's ``as.data.frame(VarCorr(m))``: grp, var1, var2, vcov, sdcor."""
        return tables.varcorr(self.result)

    def r2(self) -> R2:
        """Marginal and conditional R² (Nakagawa & Schielzeth 2013; with slopes Johnson 2014), unrounded.

        With weights the residual variance is that of a row of weight 1; the offset is no part of what is explained.
        """
        found = nakagawa_r2(self.data.explained(self.result), self._mean_components, self.sigma**2)
        return replace(found, simulated=self.simulated)

    def icc(self) -> pd.Series:
        """Share of each random intercept in the variance that the fixed effects leave: σ_k² / (Σ_l σ_l² + σ²).

        With weights, of a row of weight 1.
        """
        self._random_intercepts_only("ICC, which with slopes is another at every value of x,")
        components = self._components
        total = components.sum() + self.sigma**2
        return pd.Series(components / total, index=[r.factor for r in self.result.random], name="icc")

    # --- predictions --------------------------------------------------------------------------------------------

    @cached_property
    def fitted(self) -> Array:
        """The offset + Xβ + Σ_k Z_k b_k of the rows used, shape (n,)."""
        rows = predict.fitted_rows(self.problem, self.result, self.index, random=True)
        return freeze(predict.predictions(rows, self.result, new_levels="error"))

    @overload
    def predict(
        self,
        new: pd.DataFrame | None = None,
        *,
        new_levels: predict.NewLevels = ...,
        random: bool = ...,
        se: Literal[False] = ...,
        interval: None = ...,
    ) -> Array: ...

    @overload
    def predict(
        self,
        new: pd.DataFrame | None = None,
        *,
        new_levels: predict.NewLevels = ...,
        random: bool = ...,
        se: Literal[True],
        interval: IntervalKind | None = ...,
        conf_level: float = ...,
    ) -> pd.DataFrame: ...

    @overload
    def predict(
        self,
        new: pd.DataFrame | None = None,
        *,
        new_levels: predict.NewLevels = ...,
        random: bool = ...,
        se: Literal[False] = ...,
        interval: IntervalKind,
        conf_level: float = ...,
    ) -> pd.DataFrame: ...

    def predict(
        self,
        new: pd.DataFrame | None = None,
        *,
        new_levels: predict.NewLevels = "error",
        random: bool = True,
        se: bool = False,
        interval: IntervalKind | None = None,
        conf_level: float = 0.95,
    ) -> Array | pd.DataFrame:
        """Predict offset + Xβ + Σ_k b_k for other rows.

        Formula: std_error² = Var(x'β̂ + z'b̂ - x'β - z'b) by the mixed-model equations
        (:func:`pluristats.models.predict_error.error_variance`), of the population mean x'Vx. A prediction interval
        adds σ² (σ²/weight), for the population mean also Σ_k z'Σ_k z: a new rating by a new person of a new item.

        Parameters
        ----------
        new
            Rows with the formula's columns; None predicts the rows used. Where the fit has an offset they need its
            column too, and for prediction intervals that of the weights; an offset or weights that were given as
            values, not as a column's name, leave no way to predict new rows, which are then refused.
        new_levels
            For a level that the fit has not seen (or a missing one): ``"error"`` (default), ``"population"`` (its
            random effect is 0, the population's mean, and its variance goes into the standard error) or ``"nan"``.
        random
            False predicts the population mean, offset + Xβ, for every row.
        se
            Give a table with standard errors.
        interval
            ``"confidence"`` (of what is predicted) or ``"prediction"`` (of one more rating of it); a table, too.
            Student's t with Satterthwaite's degrees of freedom for the confidence interval of a population mean, else
            the normal distribution; variances are taken as known.
        conf_level
            Coverage.

        Returns
        -------
        ndarray or DataFrame
            Shape (rows of ``new``,), or with ``se`` or ``interval`` a table: estimate, std_error, df, and conf_low and
            conf_high or pred_low and pred_high. A row with a missing fixed value is NaN, with a warning that counts
            them.
        """
        if new is None and not se and interval is None:
            return self.fitted.copy() if random else self._fixed_part.copy()
        if new is None:
            rows = predict.fitted_rows(self.problem, self.result, self.index, random=random)
        else:
            weighted = interval == "prediction"
            rows = predict.new_rows(
                self.design, self.result, new, new_levels=new_levels, random=random, weighted=weighted
            )
        if not se and interval is None:
            return predict.predictions(rows, self.result, new_levels=new_levels)
        return prediction_table(self, rows, new_levels=new_levels, interval=interval, conf_level=conf_level)

    def objective(self, theta: Array | list[float]) -> float:
        """The profiled deviance (or REML criterion) at any ``theta``, on lme4's scale; iterative fits estimate it."""
        from pluristats.engine import native
        from pluristats.engine.slopes import fit as slopes

        values = np.asarray(theta, dtype=float)
        if values.shape != self.theta.shape:
            raise ValueError(f"theta has {len(self.theta)} values ({', '.join(self.theta_names)}), not {values.size}.")
        if not np.isfinite(values).all() or (values[~self._below_diagonal] < 0).any():
            but = "" if not self.has_slopes else " (but for elements below a diagonal)"
            raise ValueError(f"theta must be finite and not negative{but}.")
        if self.has_slopes:
            return slopes.deviance_at(self.slope_equations.pr, values, reml=self.reml)
        return native.deviance_at(self.equations.pr, values, reml=self.reml)

    def diagnostics(self) -> Diagnostics:
        """Shape and spread of residuals and random effects; see :func:`pluristats.models.diagnostics.diagnose`."""
        return diagnose(self)

    # --- refits -------------------------------------------------------------------------------------------------

    def simulate(self, n: int, *, seed: int, levels: Levels = "new") -> Array:
        """New responses, shape (n, nobs); see :func:`pluristats.models.simulate.simulate`."""
        return simulate(self, n, seed=seed, levels=levels)

    def bootstrap(
        self, n: int = 1000, *, kind: Kind = "parametric", seed: int = 0, n_jobs: int = 1, progress: bool = False
    ) -> Bootstrap:
        """Estimates of n refits, parametric or of resampled people, items or rows.

        See :func:`pluristats.models.bootstrap.bootstrap`.
        """
        return bootstrap(self, n, kind=kind, seed=seed, n_jobs=n_jobs, progress=progress)

    def influence(self, by: str | pd.Series, *, n_jobs: int = 1, progress: bool = False) -> Influence:
        """Estimates without each level of ``by``; see :func:`pluristats.models.influence.influence`."""
        return influence(self, by, n_jobs=n_jobs, progress=progress)

    # --- display ------------------------------------------------------------------------------------------------

    def summary(self) -> str:
        """Summary as text, in lme4's order: formula, criteria, random effects, fixed effects, remarks."""
        return summary_text(self)

    def __repr__(self) -> str:
        kind = "REML" if self.reml else "ML"
        return f"LmerFit({self.formula!r}, {kind}, nobs={self.nobs}, loglik={self.loglik:.4f}, engine={self.engine!r})"

    def _shown(self) -> Shown:
        return shown(self)


def same_rows(a: LmerFit, b: LmerFit) -> bool:
    """Whether two fits use the same observations of the same response, so that likelihoods can be compared."""
    return a.data.same_rows(b.data)
