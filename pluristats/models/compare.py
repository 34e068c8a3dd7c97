"""Comparison of fits: likelihood-ratio tests of nested models and information criteria, refused where they mislead."""

from __future__ import annotations

import warnings
from itertools import combinations, pairwise

import numpy as np
import pandas as pd
from scipy import stats

from pluristats.engine.result import Array, Factor
from pluristats.errors import ComparisonWarning, DifferentRowsWarning, FitError, PluristatsWarning
from pluristats.models.fit import LmerFit, same_rows

# Likelihood ratios below this are rounding, not an optimiser that stopped early.
_ROUNDING = -1e-4
# And below this they are 0: of a component estimated at zero the sign of what is left hangs on the order of sums.
_ZERO = 1e-6


def anova(*fits: LmerFit, force: bool = False) -> pd.DataFrame:
    """Likelihood-ratio tests of nested fits, each against the one before it.

    Formula: chisq = 2 (ℓ_larger - ℓ_smaller), compared with χ² of as many degrees of freedom as parameters differ.
    Where the larger model has one random coefficient more, the smaller is on its boundary and

        p_boundary = ½ P(χ²_df > chisq) + ½ P(χ²_(df-1) > chisq)        (χ²_0 is 0 always),

    while ``p_value`` is too large.

    Parameters
    ----------
    *fits
        Two or more, of the same rows and criterion. They are put in order of their number of parameters.
    force
        Compare although the rows, weights, offsets, the criterion or (for REML) the fixed effects differ, or the models
        are not nested; every such reason is then a warning.

    Returns
    -------
    DataFrame
        One row a fit: formula, nobs, n_params, loglik, loglik_error (of an iterative fit, else 0), deviance, aic, bic,
        bic_hybrid, reml, then chisq, chisq_df,
        p_value, p_boundary (NaN in the first row; ``p_boundary`` also where no component, or more than one, is tested).

    Raises
    ------
    FitError
        The fits cannot be compared (unless ``force``).

    Warns
    -----
    ComparisonWarning
        A variance component is tested on its boundary, log-likelihoods of iterative fits differ by less than twice the
        error of their difference, or ``force`` was needed.
    DifferentRowsWarning
        Rows differ, and ``force`` was given.

    References
    ----------
    Self & Liang (1987), J. Am. Stat. Assoc. 82, case 5; Stram & Lee (1994), Biometrics 50, cases 1-3 (a slope more).
    """
    if len(fits) < 2:
        raise FitError("anova compares at least two fits; the table of one fit's coefficients is fit.tidy().")
    ordered = sorted(fits, key=lambda fit: fit.df)
    for small, large in pairwise(ordered):
        _judge(_obstacles(small, large, test=True), force)
    for small, large in pairwise(ordered):
        _warn_if_lost(small, large)
    table = _criteria(ordered)
    nothing = dict.fromkeys(["chisq", "chisq_df", "p_value", "p_boundary"], np.nan)
    tests = [nothing, *(_ratio_test(small, large) for small, large in pairwise(ordered))]
    return pd.concat([table, pd.DataFrame(tests)], axis=1)


def compare(*fits: LmerFit, force: bool = False) -> pd.DataFrame:
    """Information criteria of fits that need not be nested.

    Formula: Δ = criterion - the smallest among the fits; weight_bic = exp(-Δ_bic / 2) / Σ exp(-Δ_bic / 2), the models'
    posterior probabilities under BIC's approximation and equal prior ones.

    Parameters
    ----------
    *fits
        Two or more, of the same rows and criterion; they stay in order.
    force
        As for :func:`anova`.

    Returns
    -------
    DataFrame
        One row a fit: formula, nobs, n_params, loglik, loglik_error, deviance, aic, bic, bic_hybrid, reml, delta_aic,
        delta_bic, delta_bic_hybrid, weight_bic.

    Raises
    ------
    FitError
        The fits cannot be compared (unless ``force``).

    References
    ----------
    Burnham & Anderson (2002), Model Selection and Multimodel Inference, section 6.4.
    """
    if len(fits) < 2:
        raise FitError("compare needs at least two fits; one fit's criteria are in fit.glance().")
    for fit in fits[1:]:
        _judge(_obstacles(fits[0], fit, test=False), force)
    for a, b in combinations(fits, 2):
        _warn_if_lost(a, b)
    table = _criteria(list(fits))
    for name in ("aic", "bic", "bic_hybrid"):
        table[f"delta_{name}"] = table[name] - table[name].min()
    weight = np.exp(-0.5 * table["delta_bic"])
    return table.assign(weight_bic=weight / weight.sum())


def _criteria(fits: list[LmerFit]) -> pd.DataFrame:
    names = ("loglik", "loglik_error", "deviance", "aic", "bic", "bic_hybrid", "reml")
    rows = [
        {"formula": fit.formula, "nobs": fit.nobs, "n_params": fit.df, **{name: getattr(fit, name) for name in names}}
        for fit in fits
    ]
    return pd.DataFrame(rows)


def difference_error(a: LmerFit, b: LmerFit) -> float:
    """Standard error of the difference of two log-likelihoods, of which iterative fits estimate theirs; 0 if none does.

    By pairs of probes where there are as many: with the same seed and factors both err alike.
    """
    found = [fit.result.monte_carlo for fit in (a, b)]
    if found[0] is None or found[1] is None or found[0].n_probes != found[1].n_probes:
        return float(np.hypot(a.loglik_error, b.loglik_error))
    each = found[0].loglik_by_probe - found[1].loglik_by_probe
    return float(each.std(ddof=1) / np.sqrt(len(each)))


def _warn_if_lost(a: LmerFit, b: LmerFit) -> None:
    """Warn where a difference of log-likelihoods is not to be told from its error."""
    error, difference = difference_error(a, b), a.loglik - b.loglik
    if error > 0 and abs(difference) < 2 * error:
        _warn(
            f"The log-likelihoods of {a.formula!r} and {b.formula!r} differ by {abs(difference):.2g}, of which "
            f"iterative fitting leaves ± {error:.2g} unknown; fit both with method='exact' to tell them apart."
        )


def _ratio_test(small: LmerFit, large: LmerFit) -> dict[str, float]:
    """One row's test, with its warnings."""
    chisq, df = small.deviance - large.deviance, large.df - small.df
    if chisq < _ROUNDING:
        _warn(
            f"{large.formula!r} has a lower likelihood than {small.formula!r}, which it contains: its optimiser "
            f"({large.optimizer.status}) did not find the maximum, or they are not nested; chisq is negative."
        )
    # A covariance between coefficients that both have is inside its range: only variances are tested on a boundary.
    added = _coefficients(large) - _coefficients(small)
    if added:
        _warn(
            f"{large.formula!r} has {added} variance parameter{'s' * (added > 1)} more than {small.formula!r}, which "
            "puts the smaller model on the boundary of the larger one: p_value is too large"
            + ("; p_boundary is right for one variance component." if added == 1 else ".")
        )
    one = added == 1
    return {
        "chisq": chisq,
        "chisq_df": df,
        "p_value": float(stats.chi2.sf(chisq, df)) if df else float("nan"),
        "p_boundary": boundary_p(chisq, df) if one else float("nan"),
    }


def boundary_p(chisq: float, df: int) -> float:
    """½ P(χ²_df > chisq) + ½ P(χ²_(df-1) > chisq): one of ``df`` parameters is a variance tested at zero.

    χ²_0 is 0, so that with ``df`` = 1 the p-value is half that of χ²_1, and 1 where ``chisq`` is 0 but for rounding
    (at most 1e-6).
    """
    lower = float(stats.chi2.sf(chisq, df - 1)) if df > 1 else float(chisq <= _ZERO)
    return 0.5 * float(stats.chi2.sf(chisq, df)) + 0.5 * lower


def _coefficients(fit: LmerFit) -> int:
    """Variances among the covariance parameters."""
    return sum(len(r.terms) for r in fit.result.random)


def _obstacles(small: LmerFit, large: LmerFit, *, test: bool) -> list[tuple[type[PluristatsWarning], str]]:
    """Why two fits should not be compared (``test``: tested against each other)."""
    both = f"{small.formula!r} and {large.formula!r}"
    found: list[tuple[type[PluristatsWarning], str]] = []
    if not same_rows(small, large):
        found.append(
            (
                DifferentRowsWarning,
                f"{both} are fitted to different rows or responses, or with other weights or offsets ({small.nobs} and "
                f"{large.nobs} rows), so that their likelihoods are not comparable; fit both to the rows that are "
                "complete in both, weighted and offset alike",
            )
        )
    if small.reml != large.reml:
        found.append(
            (ComparisonWarning, f"{both} are fitted by different criteria (REML and ML); refit both with reml=False")
        )
    elif small.reml and not same_columns(small, large):
        found.append(
            (
                ComparisonWarning,
                f"{both} have different fixed effects, of which restricted likelihoods are not comparable; refit both "
                "with reml=False",
            )
        )
    if test and small.nobs == large.nobs:
        outside = _not_nested(small, large)
        if outside:
            found.append(
                (
                    ComparisonWarning,
                    f"{both} are not nested ({outside} is not in the larger one), so that their likelihood ratio has "
                    "no χ² distribution; compare their criteria by ps.compare",
                )
            )
    return found


def same_columns(a: LmerFit, b: LmerFit) -> bool:
    """Whether two fits have the same fixed columns, in whatever order: then restricted likelihoods are comparable."""
    mine, theirs = (dict(zip(fit.terms, _columns(fit).T, strict=True)) for fit in (a, b))
    return mine.keys() == theirs.keys() and all(np.array_equal(mine[term], theirs[term]) for term in mine)


def _judge(obstacles: list[tuple[type[PluristatsWarning], str]], force: bool) -> None:
    """Refuse, or warn where told to go on."""
    if obstacles and not force:
        raise FitError(f"{obstacles[0][1]} (force=True compares them all the same).")
    for category, text in obstacles:
        warnings.warn(f"{text}.", category, stacklevel=3)


def _warn(text: str) -> None:
    warnings.warn(text, ComparisonWarning, stacklevel=4)


def _columns(fit: LmerFit) -> Array:
    return fit.problem.x[:, fit.result.kept]


def _not_nested(small: LmerFit, large: LmerFit) -> str:
    """What of the smaller model the larger one has not; empty where nothing."""
    theirs = [(r.factor, set(r.terms[part])) for r in large.result.random for part in r.parts]
    for r in small.result.random:
        for part in r.parts:
            # Coefficients that may correlate here must be allowed to there.
            mine = set(r.terms[part])
            same = any(factor == r.factor and mine <= terms for factor, terms in theirs)
            if not same and not (mine == {"(Intercept)"} and _same_groups(r.factor, small, large)):
                return f"(1|{r.factor})" if r.terms == ("(Intercept)",) else f"the random effect of {r.factor}"
    inner, outer = _columns(small), _columns(large)
    named = {name: outer[:, j] for j, name in enumerate(large.terms)}
    new = [j for j, name in enumerate(small.terms) if name not in named or not np.array_equal(inner[:, j], named[name])]
    if not new:
        return ""
    scale = np.sqrt((outer**2).sum(axis=0))
    scaled, wanted = outer / np.where(scale > 0, scale, 1.0), inner[:, new]
    rest = wanted - scaled @ np.linalg.lstsq(scaled, wanted, rcond=None)[0]
    outside = np.flatnonzero((rest**2).sum(axis=0) > 1e-14 * (wanted**2).sum(axis=0))
    return f"column {small.terms[new[outside[0]]]!r}" if len(outside) else ""


def _same_groups(name: str, small: LmerFit, large: LmerFit) -> bool:
    """Whether another factor of the larger model, by another name, makes the same groups."""
    mine = _factor(name, small)
    return any(_one_to_one(mine, other) for other in large.problem.factors if "(Intercept)" in other.terms)


def _factor(name: str, fit: LmerFit) -> Factor:
    return next(f for f in fit.problem.factors if f.name == name)


def _one_to_one(a: Factor, b: Factor) -> bool:
    return a.q == b.q and len(np.unique(a.codes * b.q + b.codes)) == a.q
