"""The tables of a fit (broom's): tidy, glance, augment, and lme4's ranef and VarCorr."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from scipy import stats

from pluristats.engine.result import Array, EngineFit
from pluristats.errors import ConvergenceWarning, FormulaError

if TYPE_CHECKING:
    from pluristats.models.fit import LmerFit

DfMethod = Literal["satterthwaite", "wald"]


def check_level(conf_level: float) -> None:
    """Refuse a coverage that is not a share."""
    if not 0.0 < conf_level < 1.0:
        raise ValueError(f"conf_level is a share between 0 and 1, such as 0.95, not {conf_level}.")


def degrees_of_freedom(fit: LmerFit, df: DfMethod | None, contrasts: Array | None = None) -> Array:
    """Degrees of freedom of coefficients (or of the rows of ``contrasts``); infinite for ``"wald"``.

    Those of a fit without a random part, least squares, are n - p.
    """
    if df not in (None, "satterthwaite", "wald"):
        raise ValueError(f"df is 'satterthwaite' or 'wald', not {df!r}.")
    if df == "wald":
        return np.full(len(fit.terms) if contrasts is None else len(contrasts), np.inf)
    if not fit.result.random:
        p = len(fit.terms)
        return np.full(p if contrasts is None else len(contrasts), float(fit.nobs - p))
    from pluristats.models.satterthwaite import satterthwaite_df

    if fit.has_slopes:
        found, covariance = fit.slope_equations.satterthwaite_df(contrasts), fit.slope_equations.covariance
    else:
        found, covariance = satterthwaite_df(fit.equations, contrasts), fit.equations.covariance
    if np.isnan(covariance).any():
        warnings.warn(
            "The likelihood is not at a proper optimum, so that Satterthwaite's degrees of freedom, p-values and "
            "intervals are NaN; pass df='wald' for the normal reference.",
            ConvergenceWarning,
            stacklevel=4,
        )
    return found


def tidy_fixed(fit: LmerFit, *, conf_level: float, df: DfMethod | None) -> pd.DataFrame:
    """One row a fixed effect; see :meth:`pluristats.models.fit.LmerFit.tidy`."""
    beta, se = fit.result.beta, np.sqrt(np.diag(fit.result.vcov))
    freedom = degrees_of_freedom(fit, df)
    return t_table(fit.terms, beta, se, freedom, conf_level)


def t_table(terms: Sequence[str], estimate: Array, std_error: Array, df: Array, conf_level: float) -> pd.DataFrame:
    """One row a term: estimate, std_error, statistic, df, p_value and interval of Student's t; arrays (p,)."""
    half = stats.t.ppf(0.5 + conf_level / 2, df) * std_error
    return pd.DataFrame(
        {
            "term": list(terms),
            "estimate": estimate,
            "std_error": std_error,
            "statistic": estimate / std_error,
            "df": df,
            "p_value": 2.0 * stats.t.sf(np.abs(estimate / std_error), df),
            "conf_low": estimate - half,
            "conf_high": estimate + half,
        }
    )


def tidy_components(result: EngineFit) -> pd.DataFrame:
    """One row a standard deviation or correlation, named as broom.mixed names them."""
    table = varcorr(result)
    first = table.var1.where(table.var1.notna(), "Observation")
    names = [f"sd__{a}" if pd.isna(b) else f"cor__{a}.{b}" for a, b in zip(first, table.var2, strict=True)]
    return pd.DataFrame({"group": table.grp, "term": names, "estimate": table.sdcor})


def confint(fit: LmerFit, *, effects: str, method: str, conf_level: float) -> pd.DataFrame:
    """One row an interval; see :meth:`pluristats.models.fit.LmerFit.confint`."""
    from pluristats.models import profile

    if effects not in ("ran_pars", "fixed"):
        raise ValueError(f"effects is 'ran_pars' or 'fixed', not {effects!r}.")
    if method not in ("profile", "wald"):
        raise ValueError(f"method is 'profile' or 'wald', not {method!r}.")
    if method == "profile":
        fit.refuse_iterative("A profile of the likelihood (method='wald' does not)")
    if effects == "fixed" and method == "wald":
        return tidy_fixed(fit, conf_level=conf_level, df=None)[["term", "estimate", "conf_low", "conf_high"]]
    if effects == "fixed":
        intervals = profile.profile_fixed(fit.equations, fit.result.beta, conf_level)
        table = pd.DataFrame({"term": list(fit.terms), "estimate": fit.result.beta})
    else:
        chosen = profile.profile_components if method == "profile" else profile.wald_components
        intervals = chosen(fit.equations, conf_level)
        table = tidy_components(fit.result)
    return table.assign(conf_low=[i.low for i in intervals], conf_high=[i.high for i in intervals])


def glance(fit: LmerFit) -> pd.DataFrame:
    """One row: size, likelihood, information criteria, variance explained."""
    r2 = fit.r2()
    return pd.DataFrame(
        {
            "nobs": [fit.nobs],
            "df": fit.df,
            "loglik": fit.loglik,
            "loglik_error": fit.loglik_error,
            "deviance": fit.deviance,
            "aic": fit.aic,
            "bic": fit.bic,
            "bic_hybrid": fit.bic_hybrid,
            "sigma": fit.sigma,
            "r2_marginal": r2.marginal,
            "r2_conditional": r2.conditional,
            "reml": fit.reml,
            "engine": fit.engine,
            "singular": fit.singular,
            "status": fit.optimizer.status,
        }
    )


def augment(fit: LmerFit) -> pd.DataFrame:
    """One row an observation used; see :meth:`pluristats.models.fit.LmerFit.augment`."""
    fixed, fitted = fit.predict(random=False), fit.fitted
    response = fit.design.parsed.response.strip("`")
    resid = fit.problem.y - fitted
    extra = {} if fit.problem.offset is None else {"offset": fit.problem.offset}
    if fit.problem.weights is not None:
        extra |= {"weight": fit.problem.weights, "weighted_resid": np.sqrt(fit.problem.weights) * resid}
    names = [response, *(f.name for f in fit.problem.factors), "fixed", "fitted", "resid", *extra]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise FormulaError(f"Two columns of the table would be called {twice[0]!r}; rename it in the data.")
    table = pd.DataFrame({response: fit.problem.y}, index=fit.index)
    for f in fit.problem.factors:
        table[f.name] = pd.Series(f.levels).to_numpy()[f.codes]
    return table.assign(fixed=fixed, fitted=fitted, resid=resid, **extra)


def ranef(result: EngineFit) -> pd.DataFrame:
    """Conditional modes, one row a level and coefficient."""
    rows = [
        pd.DataFrame(
            {
                "group": r.factor,
                "level": list(r.levels),
                "term": term,
                "estimate": r.modes[:, j],
                "std_error": r.mode_sd[:, j],
            }
        )
        for r in result.random
        for j, term in enumerate(r.terms)
    ]
    return pd.concat(rows, ignore_index=True)


def varcorr(result: EngineFit) -> pd.DataFrame:
    """Variance components as lme4's ``as.data.frame(VarCorr(m))``; a correlation with a zero variance is NaN.

    Terms of one grouping factor are ``g``, ``g.1``, … as in lme4.
    """
    rows: list[tuple[str, str | None, str | None, float, float]] = []
    for r in result.random:
        for k, part in enumerate(r.parts):
            group = f"{r.factor}.{k}" if k else r.factor
            terms, covariance = r.terms[part], r.covariance[part, part]
            sd = np.sqrt(np.diag(covariance))
            rows += [(group, t, None, float(sd[j] ** 2), float(sd[j])) for j, t in enumerate(terms)]
            with np.errstate(invalid="ignore", divide="ignore"):
                correlation = covariance / np.outer(sd, sd)
            rows += [
                (group, terms[i], terms[j], float(covariance[i, j]), float(correlation[i, j]))
                for i in range(len(sd))
                for j in range(i + 1, len(sd))
            ]
    rows.append(("Residual", None, None, result.sigma**2, result.sigma))
    return pd.DataFrame(rows, columns=["grp", "var1", "var2", "vcov", "sdcor"])
