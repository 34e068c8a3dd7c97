"""Any fit as what a table of models needs of it: its own ``tidy()`` and ``glance()``, and what a reader must know."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from pluristats.analysis.rq import Question
from pluristats.errors import FitError
from pluristats.lasso import LassoLmer, LassoSelection
from pluristats.lasso.inference.debiased import TARGET as DEBIASED
from pluristats.lasso.inference.debiased import Debiased
from pluristats.lasso.inference.split import TARGET as HALF
from pluristats.lasso.inference.split import Split
from pluristats.models import LmerFit, information
from pluristats.models.multiplicity import Adjust, with_adjusted
from pluristats.models.ordered_beta import OrderedBetaFit

NUMBERS = ("estimate", "std_error", "statistic", "df", "p_value", "p_adjusted", "conf_low", "conf_high")


@dataclass(frozen=True)
class Model:
    """One column of the table.

    Parameters
    ----------
    fit
        The object itself.
    family
        Likelihoods of two families are not densities of the same thing; empty where it is not known.
    terms
        One row a coefficient: ``term`` and those of :data:`NUMBERS` that the fit has.
    components
        Standard deviations and correlations: grp, var1, var2, sdcor; one row each, as lme4's VarCorr.
    statistics
        By name: ``glance()``, and ``outcome``, ``method`` and the number of levels as ``groups:<factor>``.
    reference
        Where p-values and intervals come from, in words.
    remarks
        What a reader must know of this model, as sentences.
    name
        Its own name; empty for none.
    simulated, selected
        Whether its data are simulated; whether the rows that it was fitted to also chose its columns.
    """

    fit: Any = field(repr=False)
    family: str
    terms: pd.DataFrame = field(repr=False)
    components: pd.DataFrame | None = field(repr=False)
    statistics: Mapping[str, Any] = field(repr=False)
    reference: str
    remarks: tuple[str, ...]
    name: str = ""
    simulated: bool = False
    selected: bool = False


def read(fit: Any, *, conf_level: float, adjust: Adjust | None) -> Model:
    """Read a fit.

    Parameters
    ----------
    fit
        An :class:`~pluristats.LmerFit`, an :class:`~pluristats.OrderedBetaFit`, a Lasso's selection (its unpenalised
        refit), a question (:func:`~pluristats.rq1` …: its refit), or anything whose ``tidy()`` has ``term`` and
        ``estimate``; its ``glance()`` and ``varcorr()`` are used where it has them.
    conf_level, adjust
        As of ``tidy``.

    Raises
    ------
    FitError
        It has no such ``tidy()``, repeats a term, or knows no other interval than its own.
    """
    if isinstance(fit, Question):
        inner = read(fit.selection, conf_level=conf_level, adjust=adjust)
        statistics = {**inner.statistics, **_row(fit.glance())}
        return replace(inner, fit=fit, name=fit.name, statistics=statistics, remarks=(*fit.caveats, *inner.remarks))
    if isinstance(fit, LassoSelection) and fit.refit is None:
        return _least_squares(fit, conf_level, adjust)
    if isinstance(fit, LassoSelection | LassoLmer):
        assert fit.refit is not None
        return replace(read(fit.refit, conf_level=conf_level, adjust=adjust), fit=fit, selected=True)
    terms = with_adjusted(_tidy(fit, conf_level), adjust)
    if isinstance(fit, LmerFit):
        return _lmer(fit, terms)
    if isinstance(fit, OrderedBetaFit):
        return _ordered_beta(fit, terms)
    return _other(fit, terms)


def underlying(model: Model) -> Any:
    """The fit whose rows and likelihood a model's are."""
    fit = model.fit
    while isinstance(fit, Question | LassoSelection | LassoLmer):
        fit = fit.selection if isinstance(fit, Question) else fit.refit
    return fit


def _lmer(fit: LmerFit, terms: pd.DataFrame) -> Model:
    remarks = []
    if fit.singular:
        remarks.append("the fit is singular: a variance component is at zero, on the boundary.")
    if fit.optimizer.status == "failed":
        remarks.append(f"THE OPTIMISER DID NOT CONVERGE ({fit.optimizer.message}): do not quote these numbers.")
    if fit.n_dropped:
        remarks.append(f"{fit.n_dropped:,} of {fit.design.n_data:,} rows left out, a value is missing.")
    if fit.dropped_columns:
        remarks.append(f"left out as linear combinations of other columns: {', '.join(fit.dropped_columns)}.")
    if fit.loglik_error > 0:
        remarks.append(
            f"an iterative fit: its log-likelihood is known to ± {fit.loglik_error:.2g}, AIC and BIC to twice."
        )
    if fit.design.weights_from:
        remarks.append(f"weighted ({fit.design.weights_from}); the residual is that of weight 1.")
    if fit.design.offset_from or fit.design.parsed.offsets:
        remarks.append("with an offset, which is no part of what R² says is explained.")
    return Model(
        fit=fit,
        family="Gaussian",
        terms=terms,
        components=fit.varcorr(),
        statistics={
            "outcome": _outcome(fit),
            "method": "REML" if fit.reml else "ML",
            **_row(fit.glance()),
            **_levels(fit),
        },
        reference="Student's t with Satterthwaite's degrees of freedom",
        remarks=tuple(remarks),
        simulated=fit.simulated,
        selected=fit.after_selection,
    )


def _ordered_beta(fit: OrderedBetaFit, terms: pd.DataFrame) -> Model:
    remarks = ["coefficients and standard deviations are on the logit scale of an ordered beta model."]
    if fit.singular:
        remarks.append("the fit is singular: a standard deviation is zero, on the boundary.")
    if fit.optimizer.status == "failed":
        remarks.append(f"THE OPTIMISER DID NOT CONVERGE ({fit.optimizer.message}): do not quote these numbers.")
    if fit.design.n_dropped:
        remarks.append(f"{fit.design.n_dropped:,} of {fit.design.n_data:,} rows left out, a value is missing.")
    if fit.dropped_columns:
        remarks.append(f"left out as linear combinations of other columns: {', '.join(fit.dropped_columns)}.")
    return Model(
        fit=fit,
        family="ordered beta",
        terms=terms,
        components=fit.varcorr(),
        statistics={"outcome": _outcome(fit), "method": "ML (Laplace)", **_row(fit.glance()), **_levels(fit)},
        reference="the normal distribution",
        remarks=tuple(remarks),
        simulated=fit.simulated,
    )


def _least_squares(fit: LassoSelection, conf_level: float, adjust: Adjust | None) -> Model:
    """A selection without random part; σ counts as a parameter, as in all other models here."""
    found = fit.ols
    loglik, df, nobs = float(found.llf), len(found.params) + 1, int(found.nobs)
    return Model(
        fit=fit,
        family="Gaussian",
        terms=fit.tidy(conf_level=conf_level, adjust=adjust),
        components=pd.DataFrame(
            [("Residual", None, None, found.mse_resid**0.5)], columns=["grp", "var1", "var2", "sdcor"]
        ),
        statistics={
            "method": "least squares",
            "nobs": nobs,
            "df": df,
            "loglik": loglik,
            "aic": information.aic(loglik, df),
            "bic": information.bic(loglik, df, nobs),
            "r2": float(found.rsquared),
        },
        reference="Student's t with the residual degrees of freedom",
        remarks=tuple(f"{note[0].lower()}{note[1:]}" for note in fit.notes),
        simulated=fit.simulated,
        selected=True,
    )


def _other(fit: Any, terms: pd.DataFrame) -> Model:
    remarks = []
    if isinstance(fit, Split):
        remarks.append(f"selected on other rows than it is estimated on. {HALF}")
    if isinstance(fit, Debiased):
        remarks.append(f"debiased after selection. {DEBIASED}")
    if getattr(fit, "singular", False):
        remarks.append("the fit is singular.")
    components = fit.varcorr() if hasattr(fit, "varcorr") else None
    statistics = _row(fit.glance()) if hasattr(fit, "glance") else {}
    simulated = bool(getattr(fit, "simulated", False))
    return Model(fit, "", terms, components, statistics, "its own tidy()", tuple(remarks), simulated=simulated)


def _tidy(fit: Any, conf_level: float) -> pd.DataFrame:
    if not callable(getattr(fit, "tidy", None)):
        raise FitError(
            f"{type(fit).__name__} is no fitted model: it has no tidy(); give fits, or a mapping of names to fits."
        )
    if "conf_level" in inspect.signature(fit.tidy).parameters:
        table = fit.tidy(conf_level=conf_level)
    elif conf_level == 0.95:
        table = fit.tidy()
    else:
        raise FitError(f"tidy() of {type(fit).__name__} takes no conf_level; leave conf_level at 0.95.")
    if not isinstance(table, pd.DataFrame) or not {"term", "estimate"} <= set(table.columns):
        raise FitError(
            f"tidy() of {type(fit).__name__} is no table with columns term and estimate; it cannot be a column here."
        )
    twice = table["term"][table["term"].duplicated()]
    if len(twice):
        raise FitError(
            f"tidy() of {type(fit).__name__} has the term {twice.iloc[0]!r} twice; it is more than one model."
        )
    return table


def _row(glance: pd.DataFrame) -> dict[str, Any]:
    return {str(name): glance[name].iloc[0] for name in glance.columns}


def _outcome(fit: LmerFit | OrderedBetaFit) -> str:
    return fit.design.parsed.response.strip("`")


def _levels(fit: LmerFit | OrderedBetaFit) -> dict[str, int]:
    return {f"groups:{r.factor}": len(r.levels) for r in fit.result.random}
