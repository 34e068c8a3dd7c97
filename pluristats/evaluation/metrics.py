"""How far predictions are from ratings: arrays in, one number an annotator or a cell out.

Arrays have the shape (annotators, prompts); a cell counts where both the rating and the prediction are there.
"""

from __future__ import annotations

import warnings

import numpy as np

from pluristats.engine.result import Array
from pluristats.evaluation.forecast import LEVELS


def mae(rating: Array, predicted: Array) -> Array:
    """Mean absolute error of each annotator, mean_j |y_ij - ŷ_ij|, shape (n,); NaN without a cell.

    The published figure is the mean of these over annotators.
    """
    return row_mean(np.abs(rating - predicted))


def rmse(rating: Array, predicted: Array) -> Array:
    """Root mean squared error of each annotator, (mean_j (y_ij - ŷ_ij)²)^½, shape (n,); NaN without a cell."""
    return np.sqrt(row_mean((rating - predicted) ** 2))


def spearman(rating: Array, predicted: Array) -> Array:
    """Rank correlation of each annotator's ratings with the predictions, shape (n,).

    Pearson's correlation of average ranks over the annotator's cells. NaN where either is constant or has fewer than
    two cells: a prediction that ranks nothing has no rank correlation.
    """
    from scipy.stats import rankdata

    out = np.full(len(rating), np.nan)
    for i, (y, p) in enumerate(zip(rating, predicted, strict=True)):
        both = ~(np.isnan(y) | np.isnan(p))
        if both.sum() < 2:
            continue
        a, b = (rankdata(v[both]) - (both.sum() + 1) / 2 for v in (y, p))
        length = np.sqrt((a @ a) * (b @ b))
        if length > 0:
            out[i] = a @ b / length
    return out


def crps(rating: Array, quantiles: Array) -> Array:
    """Continuous ranked probability score of each cell, shape (n, m); NaN without a rating.

    CRPS = ∫ (F(x) - 1{x ≥ y})² dx = E|X - y| - ½ E|X - X'| (Gneiting & Raftery 2007, section 4.2). For L equally
    likely values it is 2/L Σ_l (τ_l - 1{y < q_l})(y - q_l) with τ_l = (l - ½)/L, which is computed. A point forecast's
    CRPS is its absolute error.
    """
    below = rating[..., None] < quantiles
    return 2 * ((LEVELS - below) * (rating[..., None] - quantiles)).mean(axis=-1)


def pit(rating: Array, quantiles: Array) -> tuple[Array, Array]:
    """P(Y < y) and P(Y ≤ y) of each rating under its predicted distribution, shape (n, m) each; NaN without a rating.

    Both are equal where the distribution has no mass at the rating.
    """
    missing = np.isnan(rating)
    y = rating[..., None]
    under, upto = (quantiles < y).mean(axis=-1), (quantiles <= y).mean(axis=-1)
    return np.where(missing, np.nan, under), np.where(missing, np.nan, upto)


def pit_below(under: Array, upto: Array, levels: Array) -> Array:
    """Share of ratings below each level of their predicted distributions, shape of ``levels``.

    F̄(u) = mean of min(max((u - P(Y<y)) / (P(Y≤y) - P(Y<y)), 0), 1), which is u at every level when distributions are
    calibrated, masses at the ends of the scale or not (Czado, Gneiting & Held 2009, equation 2).
    """
    there = ~np.isnan(under)
    low, high = under[there][:, None], upto[there][:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        inside = np.clip((levels - low) / (high - low), 0.0, 1.0)
    return np.where(high > low, inside, levels >= high).mean(axis=0)


def mean_over_annotators(values: Array) -> float:
    """Mean over annotators that have a value; NaN when none has."""
    return float(np.nanmean(values)) if (~np.isnan(values)).any() else float("nan")


def row_mean(values: Array) -> Array:
    """Mean of each row over what is there, shape (n,); NaN for a row without anything."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of rows without a cell, which are NaN
        return np.nanmean(values, axis=1)
