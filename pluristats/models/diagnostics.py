"""Whether residuals and random effects look as the model says: their shape, spread by level, and mass at the ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from pluristats.display.shown import Displayed, Shown
from pluristats.engine.result import Array, Factor, RandomEffects
from pluristats.engine.weighting import scaled

if TYPE_CHECKING:
    from pluristats.models.fit import LmerFit


@dataclass(frozen=True, eq=False)
class Diagnostics(Displayed):
    """Checks of a fit's assumptions as tables; nothing is tested away or hidden behind one verdict.

    Parameters
    ----------
    summary
        One row for the residuals (``group`` is ``Residual``) and one a random coefficient: ``group``, ``term``
        (missing for residuals), ``n`` (rows or levels), and of the residuals or conditional modes ``sd``,
        ``skewness``, ``excess_kurtosis`` and ``qq_correlation``. Then, of a factor, how residual spread differs between
        its levels: ``spread_low``, ``spread_high`` (smallest and largest sd of a level with two rows or more),
        ``spread_f``, ``spread_df1``, ``spread_df2``, ``spread_p`` (Brown & Forsythe). Of the residuals
        ``spread_fitted``: Spearman's correlation of their size with the fitted values; ``share_low``, ``share_high``:
        rows at the smallest and largest response there is; ``fitted_outside``: rows fitted beyond these.
    groups
        One row a level: ``group``, ``level``, ``n``, ``mean``, ``sd``, ``skewness``, ``excess_kurtosis`` of its
        residuals, ``share_low``, ``share_high`` of its responses. NaN where a level has too few rows, or all of
        them are equal.
    qq
        One row a level and random coefficient, sorted within each: ``group``, ``term``, ``level``, ``theoretical``,
        ``sample``, for a quantile-quantile plot of standardised conditional modes.
    simulated
        Whether the data say of themselves that they are simulated.
    """

    summary: pd.DataFrame
    groups: pd.DataFrame
    qq: pd.DataFrame
    simulated: bool = False

    def _shown(self) -> Shown:
        return Shown(simulated=self.simulated, tables=(("Residuals and random effects", self.summary),))


def diagnose(fit: LmerFit) -> Diagnostics:
    """Shape and spread of residuals and random effects.

    Formula: skewness m_3 / m_2^1.5 and excess kurtosis m_4 / m_2² - 3 of central moments m_k; ``qq_correlation`` is
    Pearson's correlation of the sorted values with normal quantiles at (i - a) / (n + 1 - 2a), a = 3/8 up to n = 10 and
    ½ beyond, as R's ``ppoints`` (its square is Shapiro & Francia's W'). ``spread_f`` is the one-way F statistic of the
    distances |residual - median of its level|.

    Notes
    -----
    Residuals are y less the conditional fit, in the response's units (with weights times √weight, so that all have one
    variance); they are not independent, so that ``spread_p`` describes and does not decide. ``sample`` is a mode over
    its standard deviation √(σ_k² - std_error²) given theta and β: modes are shrunken, the more so the fewer rows a
    level has, and look more normal than the effects they stand for. It is NaN for a component at zero, and where the
    engine gives no standard errors.

    References
    ----------
    Brown & Forsythe (1974), J. Am. Stat. Assoc. 69; Shapiro & Francia (1972), J. Am. Stat. Assoc. 67; Lange & Ryan
    (1989), Ann. Stat. 17 (normality of random effects).
    """
    y, fitted = fit.problem.y, fit.fitted
    residuals = scaled(y - fitted, None if fit.problem.weights is None else np.sqrt(fit.problem.weights))
    factors = {f.name: f for f in fit.problem.factors}
    rows = [
        {
            "group": "Residual",
            "n": len(y),
            **shape(residuals),
            "spread_fitted": _spearman(np.abs(residuals), fitted),
            "share_low": float(np.mean(y == y.min())),
            "share_high": float(np.mean(y == y.max())),
            "fitted_outside": float(np.mean((fitted < y.min()) | (fitted > y.max()))),
        }
    ]
    for r in fit.result.random:
        spreads = spread(residuals, factors[r.factor])
        for j, term in enumerate(r.terms):
            rows.append({"group": r.factor, "term": term, "n": len(r.levels), **shape(r.modes[:, j]), **spreads})
    columns = [
        *("group", "term", "n", "sd", "skewness", "excess_kurtosis", "qq_correlation"),
        *("spread_low", "spread_high", "spread_f", "spread_df1", "spread_df2", "spread_p", "spread_fitted"),
        *("share_low", "share_high", "fitted_outside"),
    ]
    return Diagnostics(
        summary=pd.DataFrame(rows, columns=columns),
        groups=pd.concat([by_level(residuals, y, factors[r.factor]) for r in fit.result.random], ignore_index=True),
        qq=pd.concat([_qq(r, j) for r in fit.result.random for j in range(len(r.terms))], ignore_index=True),
        simulated=fit.simulated,
    )


def shape(values: Array) -> dict[str, float]:
    """Standard deviation (n - 1), skewness, excess kurtosis and correlation with normal quantiles; NaN if constant."""
    names = ("sd", "skewness", "excess_kurtosis", "qq_correlation")
    centred = values - values.mean()
    m2 = float(np.mean(centred**2))
    if len(values) < 3 or m2 <= (1e-14 * np.abs(values).max()) ** 2:
        return dict.fromkeys(names, np.nan)
    skewness, kurtosis = np.mean(centred**3) / m2**1.5, np.mean(centred**4) / m2**2 - 3.0
    r = np.corrcoef(np.sort(values), normal_quantiles(len(values)))[0, 1]
    return dict(zip(names, map(float, (values.std(ddof=1), skewness, kurtosis, r)), strict=True))


def normal_quantiles(n: int) -> Array:
    """Φ⁻¹((i - a) / (n + 1 - 2a)), i = 1 … n, as R's ``qqnorm``."""
    a = 0.375 if n <= 10 else 0.5
    return stats.norm.ppf((np.arange(1, n + 1) - a) / (n + 1 - 2 * a))


def spread(residuals: Array, factor: Factor) -> dict[str, float]:
    """Brown & Forsythe's test that all levels have the same residual spread; NaN where levels have one row each."""
    sizes = np.bincount(factor.codes, minlength=factor.q)
    medians = pd.Series(residuals).groupby(factor.codes).median().to_numpy()
    distance = np.abs(residuals - medians[factor.codes])
    means = np.bincount(factor.codes, weights=distance, minlength=factor.q) / sizes
    between = float(sizes @ (means - distance.mean()) ** 2)
    within = float(np.sum((distance - means[factor.codes]) ** 2))
    df1, df2 = factor.q - 1, len(residuals) - factor.q
    f = between / df1 / (within / df2) if within > 0 else float("nan")
    sds = by_level(residuals, residuals, factor)["sd"]
    return {
        "spread_low": float(sds.min()),
        "spread_high": float(sds.max()),
        "spread_f": f,
        "spread_df1": df1,
        "spread_df2": df2,
        "spread_p": float(stats.f.sf(f, df1, df2)),
    }


def by_level(residuals: Array, y: Array, factor: Factor) -> pd.DataFrame:
    """Moments of the residuals and ends of the responses of each level of a factor; see :class:`Diagnostics`."""
    codes: NDArray[np.intp] = factor.codes
    n = np.bincount(codes, minlength=factor.q)

    def mean(values: Array) -> Array:
        return np.bincount(codes, weights=values, minlength=factor.q) / n

    centre = mean(residuals)
    centred = residuals - centre[codes]
    m2 = mean(centred**2)
    # One row has no spread, two no skewness.
    m2 = np.where((n > 1) & (m2 > (1e-14 * np.abs(residuals).max()) ** 2), m2, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        sd = np.sqrt(m2 * n / (n - 1.0))
    few = np.where(n > 2, 1.0, np.nan)
    return pd.DataFrame(
        {
            "group": factor.name,
            "level": list(factor.levels),
            "n": n,
            "mean": centre,
            "sd": sd,
            "skewness": few * mean(centred**3) / m2**1.5,
            "excess_kurtosis": few * mean(centred**4) / m2**2 - 3.0,
            "share_low": mean((y == y.min()).astype(float)),
            "share_high": mean((y == y.max()).astype(float)),
        }
    )


def _qq(random: RandomEffects, j: int) -> pd.DataFrame:
    """Standardised modes of one coefficient against normal quantiles, sorted."""
    left = random.covariance[j, j] - random.mode_sd[:, j] ** 2
    sample = random.modes[:, j] / np.sqrt(np.where(left > 0, left, np.nan))
    order = np.argsort(sample, kind="stable")
    return pd.DataFrame(
        {
            "group": random.factor,
            "term": random.terms[j],
            "level": [random.levels[i] for i in order],
            "theoretical": normal_quantiles(len(order)),
            "sample": sample[order],
        }
    )


def _spearman(a: Array, b: Array) -> float:
    """Spearman's correlation; NaN where one of them is constant."""
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(np.corrcoef(stats.rankdata(a), stats.rankdata(b))[0, 1])
