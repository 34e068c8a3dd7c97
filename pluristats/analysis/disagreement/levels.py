"""Disagreement by the harm level that prompts were written for."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pluristats.analysis.disagreement.prompts import BINS, prompt_statistics, require_harm_levels
from pluristats.display.shown import Displayed, Shown, mark
from pluristats.study import Study

Array = NDArray[np.float64]

MEASURES = ("variance", "entropy")
FEWEST_PROMPTS = 5
"""A bootstrap over fewer prompts gives intervals that are far too narrow (two prompts: the two values)."""

# Levels such as 0.1 + 0.2 must count as 0.3.
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Correlation(Displayed):
    """Spearman's rank correlation.

    Parameters
    ----------
    rho
        NaN when one of the two does not vary, or with fewer than three pairs.
    p_value
        Two-sided, of no association (t approximation).
    n
        Pairs.
    simulated
        Whether the study says of itself that it is simulated.
    """

    rho: float
    p_value: float
    n: int
    simulated: bool = False

    def __repr__(self) -> str:
        simulated = mark(self.simulated)
        return f"<Correlation: rho {self.rho:.4f}, p {self.p_value:.3g}, {self.n:,} pairs{simulated}>"

    def _shown(self) -> Shown:
        table = pd.DataFrame([(self.n, self.rho, self.p_value)], columns=["pairs", "rho", "p_value"])
        return Shown("", self.simulated, tables=(("Spearman's rank correlation", table),))


@dataclass(frozen=True)
class HarmLevels(Displayed):
    """Disagreement by harm level, and the test of "more disagreement in the middle".

    Parameters
    ----------
    table
        One row a level, ascending: ``harm_level``, ``prompts``, ``without_variance`` (prompts with fewer than two
        ratings; they are not in the means of variance and entropy), ``ratings``, ``mean`` (of all its ratings),
        ``variance`` and ``entropy`` (means over its prompts) with ``variance_low``, ``variance_high``,
        ``entropy_low``, ``entropy_high`` (bootstrap interval; NaN with fewer than five prompts).
    claim
        One row a measure: ``measure``, ``inside`` and ``outside`` (mean over prompts at levels ``low`` to ``high``
        and elsewhere), ``difference``, ``p_value`` (permutation, two-sided), ``prompts_inside``, ``prompts_outside``.
        NaN when no prompt is on one side.
    low, high
        Levels of the claim, both included.
    conf_level
        Coverage of the intervals.
    simulated
        Whether the data say of themselves that they are simulated.
    """

    table: pd.DataFrame
    claim: pd.DataFrame
    low: float
    high: float
    conf_level: float
    simulated: bool = False

    def _shown(self) -> Shown:
        claim = f"More disagreement at levels {self.low:g} to {self.high:g}?"
        tables = ((f"By harm level, {100 * self.conf_level:g}% intervals", self.table), (claim, self.claim))
        return Shown("Disagreement by harm level", self.simulated, tables=tables)


def spearman(x: Array, y: Array) -> Correlation:
    """Spearman's ρ = Pearson correlation of the mid-ranks, with its p-value; pairs with NaN are not counted.

    Parameters
    ----------
    x, y
        Shape (n,).
    """
    from scipy import stats

    there = ~(np.isnan(x) | np.isnan(y))
    x, y = x[there], y[there]
    n = int(there.sum())
    if n < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return Correlation(float("nan"), float("nan"), n)
    result = stats.spearmanr(x, y)
    return Correlation(float(result.statistic), float(result.pvalue), n)


def spearman_level(study: Study) -> Correlation:
    """Spearman correlation of the prompts' harm level with their mean rating.

    Raises
    ------
    PluristatsError
        The study has no harm levels.
    """
    found = spearman(require_harm_levels(study), prompt_statistics(study)["mean"].to_numpy(dtype=np.float64))
    return replace(found, simulated=study.simulated)


def by_harm_level(
    study: Study,
    *,
    low: float = 0.4,
    high: float = 0.8,
    bins: int = BINS,
    seed: int = 0,
    resamples: int = 2000,
    permutations: int = 9999,
    conf_level: float = 0.95,
) -> HarmLevels:
    """Mean within-prompt variance and entropy by harm level, and whether they are larger at levels low … high.

    Formula: a level's value is the mean over its prompts of :func:`prompt_statistics`' variance and entropy; its
    interval is the percentile bootstrap over prompts. The claim's difference is mean(inside) - mean(outside) over
    prompts, p = (1 + #{|permuted difference| ≥ |difference|}) / (1 + permutations), two-sided, so that a difference
    in the other direction shows too. Both take prompts as independent; variants of one seed are not quite.

    Parameters
    ----------
    study
        With harm levels.
    low, high
        The claim's levels, both included.
    bins
        Of the entropy.
    seed
        Of bootstrap and permutation.
    resamples, permutations
        How many.
    conf_level
        Coverage of the intervals.

    Raises
    ------
    PluristatsError
        The study has no harm levels.
    """
    require_harm_levels(study)
    rng = np.random.default_rng(seed)
    prompts = prompt_statistics(study, bins)
    rows = [
        _level(level, prompts[prompts["harm_level"] == level], rng, resamples, conf_level)
        for level in np.unique(prompts["harm_level"].to_numpy(dtype=np.float64)).tolist()
    ]
    level = prompts["harm_level"].to_numpy()
    inside = (level >= low - _TOLERANCE) & (level <= high + _TOLERANCE)
    usable = prompts["n"].to_numpy() >= 2
    claims = []
    for measure in MEASURES:
        values = prompts[measure].to_numpy(dtype=np.float64)
        difference, p = mean_difference(values[inside & usable], values[~inside & usable], rng, permutations)
        sides = [float(values[side & usable].mean()) if (side & usable).any() else np.nan for side in (inside, ~inside)]
        counts = (int((inside & usable).sum()), int((~inside & usable).sum()))
        claims.append((measure, *sides, difference, p, *counts))
    columns = ["measure", "inside", "outside", "difference", "p_value", "prompts_inside", "prompts_outside"]
    return HarmLevels(pd.DataFrame(rows), pd.DataFrame(claims, columns=columns), low, high, conf_level, study.simulated)


def _level(
    level: float, prompts: pd.DataFrame, rng: np.random.Generator, resamples: int, conf_level: float
) -> dict[str, float]:
    usable = prompts[prompts["n"] >= 2]
    ratings = int(prompts["n"].sum())
    rated = prompts[prompts["n"] > 0]
    row: dict[str, float] = {
        "harm_level": level,
        "prompts": len(prompts),
        "without_variance": len(prompts) - len(usable),
        "ratings": ratings,
        "mean": float((rated["n"] * rated["mean"]).sum() / ratings) if ratings else np.nan,
    }
    for measure in MEASURES:
        values = usable[measure].to_numpy(dtype=np.float64)
        low, high = bootstrap_mean(values, rng, resamples, conf_level)
        row |= {
            measure: float(values.mean()) if values.size else np.nan,
            f"{measure}_low": low,
            f"{measure}_high": high,
        }
    return row


def bootstrap_mean(
    values: Array, rng: np.random.Generator, resamples: int = 2000, conf_level: float = 0.95
) -> tuple[float, float]:
    """Percentile bootstrap interval of a mean (Efron & Tibshirani 1993, ch. 13); NaN for fewer than five values.

    Parameters
    ----------
    values
        Shape (n,); their order does not matter.
    rng, resamples, conf_level
        Random numbers, number of resamples, coverage.
    """
    if values.size < FEWEST_PROMPTS:
        return float("nan"), float("nan")
    draws = np.sort(values)[rng.integers(0, values.size, (resamples, values.size))]
    low, high = np.quantile(draws.mean(axis=1), [0.5 - conf_level / 2, 0.5 + conf_level / 2])
    return float(low), float(high)


def mean_difference(
    inside: Array, outside: Array, rng: np.random.Generator, permutations: int = 9999
) -> tuple[float, float]:
    """mean(inside) - mean(outside) and its two-sided permutation p-value (Phipson & Smyth 2010, never 0).

    NaN, NaN when one of the two is empty.

    Parameters
    ----------
    inside, outside
        Shapes (n,) and (m,); their order does not matter.
    rng, permutations
        Random numbers, number of permutations.
    """
    if not inside.size or not outside.size:
        return float("nan"), float("nan")
    difference = float(inside.mean() - outside.mean())
    pooled = np.sort(np.concatenate([inside, outside]))
    total, n, m = pooled.sum(), inside.size, outside.size
    sums = np.array([rng.permutation(pooled)[:n].sum() for _ in range(permutations)])
    permuted = sums / n - (total - sums) / m
    # A tie must count although its sum was taken in another order.
    as_large = np.abs(permuted) >= abs(difference) - 1e-12 * np.abs(pooled).max()
    return difference, float((1 + as_large.sum()) / (1 + permutations))
