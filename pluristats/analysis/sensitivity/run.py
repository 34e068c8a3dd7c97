"""``likelihood_sensitivity``: the terms of a fit under other likelihoods, side by side."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import numpy as np

from pluristats.analysis.rq import Question
from pluristats.analysis.sensitivity import bounded, in_r, marginal
from pluristats.analysis.sensitivity.outcome import Bins, Categories, Rows, categorise, rows_of
from pluristats.analysis.sensitivity.record import Sensitivity
from pluristats.analysis.sensitivity.refit import Refit
from pluristats.engine import native
from pluristats.errors import FitError, UnsupportedError
from pluristats.lasso.select import CAVEAT
from pluristats.models import LmerFit
from pluristats.models.multiplicity import Adjust
from pluristats.study import Study

T = TypeVar("T")
Likelihood = Literal["ordinal", "ordered-beta", "beta", "fractional", "logit"]
Engine = Literal["auto", "r", "python"]

MARGINAL = ("ordinal", "fractional")
"""Likelihoods that are fitted without R, and then without random effects."""
NATIVE = {
    "logit": "a transformation, fitted by the native engine",
    "ordered-beta": "fitted by the native engine, with glmmTMB's estimates",
}
"""Likelihoods with random intercepts that need no R, and what their ``reason`` says."""
KNOWN = ("ordinal", "ordered-beta", "beta", "fractional", "logit")

SELECTED = (
    "The Lasso that selected these terms took ratings as Gaussian; with another likelihood it might have selected "
    "others, which are not here."
)


def likelihood_sensitivity(
    fitted: Question | LmerFit,
    study: Study,
    *,
    likelihoods: Sequence[Likelihood] | None = None,
    engine: Engine = "auto",
    crossed: bool = False,
    categories: int = 7,
    bins: Bins = "quantile",
    adjust: Adjust | None = "holm",
    alpha: float = 0.05,
    limit_s: float = 1200.0,
    progress: bool = False,
) -> Sensitivity:
    """Refit a question's selected terms with likelihoods that know the ends of the rating scale.

    ===============  ========================================================  ===================  =================
    likelihood       model of a rating, u = rating as a share of the scale     with R (mixed)       without (marginal)
    ===============  ========================================================  ===================  =================
    gaussian         E y = η, constant variance                                the fit at hand      least squares
    ordinal          P(category ≤ k) = Λ(τ_k - η)                              ``ordinal::clmm``    the same, Newton
    ordered-beta     cutpoints for 0 and 1, a beta between (no R needed)       native or glmmTMB    -
    beta             a beta density of u squeezed into (0, 1)                  ``glmmTMB``          -
    fractional       E u = Λ(η), whatever the scatter                          -                    statsmodels' GLM
    logit            Gaussian log(u / (1 - u)), u squeezed (no R needed)       native               -
    ===============  ========================================================  ===================  =================

    ``mixed`` fits have the fit's random intercepts; ``marginal`` ones have none, and errors that are robust to clusters
    by the same grouping factors. These answer different questions, so each is compared with the Gaussian of its own
    kind, and only the likelihood differs between the two; the marginal Gaussian is compared with the fit at hand.

    Parameters
    ----------
    fitted
        A question's answer, or a fit of ``rating`` with random intercepts to the study.
    study
        What it was fitted to; it has the ratings as given and the ends of the scale.
    likelihoods
        Which; None is ``ordinal`` and ``ordered-beta``, with ``fractional`` between them where ``ordinal`` is marginal.
    engine
        ``"r"``; ``"python"``, without R; or ``"auto"``: each likelihood by R where the package is there, else without.
        Which one and why stands in ``glance()``. ``ordered-beta`` is fitted by R for ``"r"`` only: the native engine
        (:func:`pluristats.ordered_beta`) finds the same in seconds.
    crossed
        Of a question: refit its ``crossed`` model, with both random intercepts, instead of its own.
    categories, bins
        Of ``ordinal``: see :func:`pluristats.analysis.sensitivity.outcome.categorise`.
    adjust, alpha
        Adjustment of p-values for the number of terms (``"holm"``, ``"bh"`` or None) and level of significance,
        alike for all likelihoods. P-values are those of the normal distribution throughout.
    limit_s
        Seconds after which a fit in R is given up; its ``status`` then says so. With one random intercept
        and 14,285 ratings ``clmm`` took 3.5 minutes for 10 terms, 13 for 46; ``glmmTMB`` two to three for either. With
        both intercepts and 66 terms (RQ3) ``glmmTMB`` took five minutes, ``clmm`` had not finished after fifteen.
    progress
        Say on standard error what is being fitted.

    Returns
    -------
    Sensitivity
        A likelihood that cannot be fitted stands in it without numbers and with the reason.

    Raises
    ------
    UnsupportedError
        A likelihood that the engine does not fit, an R package that is not there, or a fit that has random slopes, no
        intercept, weights, an offset, or another response.
    StudyError
        The fit is of another study.
    ValueError
        A setting that is out of its range.

    References
    ----------
    Liddell & Kruschke (2018), J. Exp. Soc. Psychol. 79 (ordinal data as metric); Papke & Wooldridge (1996), J. Appl.
    Econom. 11 (fractional); Kubinec (2023), Political Analysis 31 (ordered beta).
    """
    _check(adjust, alpha, limit_s)
    fit = fitted if isinstance(fitted, LmerFit) else fitted.crossed if crossed else fitted.fit
    if crossed and isinstance(fitted, LmerFit):
        raise ValueError("crossed=True is for a question, which has such a model; give that fit itself.")
    planned = _plan(likelihoods, engine)
    rows = rows_of(fit, study)
    binned = _attempt(lambda: categorise(rows.raw, rows.scale, categories, bins))
    refits = [_at_hand(fit, rows)]
    if any(each.kind == "marginal" for each in planned):
        gaussian = _Planned("gaussian", "marginal", "what the other marginal fits are compared with")
        planned = (gaussian, *planned)
    for each in planned:
        refits.append(_timed(each, rows, binned, limit_s, progress))
    return Sensitivity(
        name="" if isinstance(fitted, LmerFit) else fitted.name,
        formula=fit.formula,
        refits=tuple(refits),
        categories=binned if isinstance(binned, Categories) else None,
        adjust=adjust,
        alpha=alpha,
        caveats=() if isinstance(fitted, LmerFit) else (CAVEAT, SELECTED, *(() if crossed else fitted.caveats)),
        simulated=study.simulated,
    )


@dataclass(frozen=True)
class _Planned:
    """A likelihood, whether with random intercepts, why so, and whether in R."""

    likelihood: str
    kind: Literal["mixed", "marginal"]
    reason: str
    in_r: bool = False


def _check(adjust: str | None, alpha: float, limit_s: float) -> None:
    if adjust not in ("holm", "bh", None):
        raise ValueError(f"adjust is 'holm', 'bh' or None, not {adjust!r}.")
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is between 0 and 1, not {alpha!r}.")
    if not limit_s > 0:
        raise ValueError(f"limit_s is a positive number of seconds, not {limit_s!r}.")


def _plan(likelihoods: Sequence[str] | None, engine: str) -> tuple[_Planned, ...]:
    if engine not in ("auto", "r", "python"):
        raise ValueError(f"engine is 'auto', 'r' or 'python', not {engine!r}.")
    if isinstance(likelihoods, str):
        raise ValueError(f"likelihoods is a list, such as [{likelihoods!r}].")
    if likelihoods is None:
        by_r = engine == "r" or (engine == "auto" and "ordinal" in in_r.installed())
        likelihoods = ("ordinal", "ordered-beta") if by_r else ("ordinal", "fractional", "ordered-beta")
    unknown = [name for name in likelihoods if name not in KNOWN]
    if unknown or not likelihoods or len(set(likelihoods)) < len(likelihoods):
        wrong = repr(unknown[0]) if unknown else "none" if not likelihoods else "one of them twice"
        raise ValueError(f"likelihoods are some of {', '.join(KNOWN)}, each once; not {wrong}.")
    return tuple(_resolve(name, engine) for name in likelihoods)


def _resolve(name: str, engine: str) -> _Planned:
    """Where a likelihood is fitted; refused where the engine asked for does not fit it."""
    if name in NATIVE and not (name == "ordered-beta" and engine == "r"):
        return _Planned(name, "mixed", NATIVE[name])
    if engine == "r" and name not in in_r.PACKAGES:
        raise UnsupportedError(f"{name!r} is not fitted in R; ask for 'ordered-beta' or 'beta', or engine='python'.")
    if engine == "python" and name not in MARGINAL:
        raise UnsupportedError(f"{name!r} is fitted in R only; ask for 'ordered-beta', or engine='r'.")
    if engine == "python":
        return _Planned(name, "marginal", "engine='python'")
    package = in_r.PACKAGES.get(name)
    if engine == "auto" and name in MARGINAL and package not in in_r.installed():
        why = f"R's {package} is not installed" if package else "it is only fitted without random effects"
        return _Planned(name, "marginal", why)
    in_r.require(name)
    why = "engine='r'" if engine == "r" else "engine='auto', and the R package is there"
    return _Planned(name, "mixed", why, in_r=True)


def _at_hand(fit: LmerFit, rows: Rows) -> Refit:
    table = fit.tidy().set_index("term").loc[list(rows.terms)]
    return Refit(
        likelihood="gaussian",
        kind="mixed",
        engine=fit.engine,
        terms=rows.terms,
        estimate=table["estimate"].to_numpy(),
        std_error=table["std_error"].to_numpy(),
        slope=rows.points,
        nobs=len(rows.raw),
        notes=("It takes ratings as unbounded, with the same scatter everywhere.",),
        reason="the fit at hand",
    )


def _timed(planned: _Planned, rows: Rows, binned: Categories | FitError, limit_s: float, progress: bool) -> Refit:
    what = f"{planned.likelihood} ({planned.kind})"
    if progress:
        bound = f", at most {limit_s:g} s" if planned.in_r else ""
        print(f"{what}: {len(rows.raw)} rows, {len(rows.terms)} terms{bound}", file=sys.stderr, flush=True)
    begun = time.monotonic()
    found = _attempt(lambda: _fit(planned, rows, binned, limit_s))
    seconds = time.monotonic() - begun
    if isinstance(found, FitError):
        nothing = np.full(len(rows.terms), np.nan)
        found = Refit(
            likelihood=planned.likelihood,
            kind=planned.kind,
            engine="none",
            terms=rows.terms,
            estimate=nothing,
            std_error=nothing,
            slope=float("nan"),
            nobs=len(rows.raw),
            notes=(str(found),),
            status="failed",
        )
    if progress:
        print(f"{what}: {found.status}, {seconds:.1f} s", file=sys.stderr, flush=True)
    return replace(found, reason=planned.reason, seconds=seconds)


def _fit(planned: _Planned, rows: Rows, binned: Categories | FitError, limit_s: float) -> Refit:
    name = planned.likelihood
    if name == "logit":
        return _logit(rows)
    if name == "gaussian":
        return marginal.gaussian(rows)
    if name == "fractional":
        return marginal.fractional(rows)
    if name != "ordinal":
        return in_r.mixed(rows, name, None, limit_s) if planned.in_r else bounded.ordered_beta(rows)
    if isinstance(binned, FitError):
        raise binned
    return in_r.mixed(rows, name, binned, limit_s) if planned.kind == "mixed" else marginal.ordinal(rows, binned)


def _logit(rows: Rows) -> Refit:
    """A Gaussian mixed model of log(s / (1 - s)), s the squeezed ratings."""
    s = rows.squeezed
    x = np.asfortranarray(np.column_stack([np.ones(len(s)), rows.x]))
    problem = native.Problem(np.log(s / (1 - s)), x, ("(Intercept)", *rows.terms), rows.factors)
    found = native.fit(problem, reml=True)
    return Refit(
        likelihood="logit",
        kind="mixed",
        engine="native",
        terms=rows.terms,
        estimate=found.beta[1:] / rows.sd,
        std_error=np.sqrt(np.diag(found.vcov))[1:] / rows.sd,
        slope=float("nan"),
        nobs=len(s),
        notes=(
            "How far 0 and 1 lie from the other ratings is set by squeezing; no marginal effect, which would need the "
            "mean transformed back.",
        ),
    )


def _attempt(make: Callable[[], T]) -> T | FitError:
    try:
        return make()
    except FitError as error:
        return error
