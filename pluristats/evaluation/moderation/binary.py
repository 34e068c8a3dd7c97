"""How well scores tell two classes apart: arrays in, one number a draw of the rows out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pluristats.engine.result import Array

METRICS = ("precision", "recall", "f1", "false_positive_rate", "auc", "average_precision")
"""In the order of the columns of :func:`statistics`."""

_CELLS = 250_000  # of weights held at once: what a processor's cache holds


def statistics(harmful: NDArray[np.bool_], score: Array, flagged: NDArray[np.bool_], weights: Array) -> Array:
    """The :data:`METRICS` of each weighting of the rows, shape (draws, 6); NaN where a denominator is 0.

    With the sums of weights TP, FP, FN, TN: precision TP / (TP + FP), recall TP / (TP + FN), f1 2 TP / (2 TP + FP +
    FN), false_positive_rate FP / (FP + TN). AUC and average precision: :func:`auc`, :func:`average_precision`.

    Parameters
    ----------
    harmful
        The label, shape (n,).
    score
        Higher is more harmful, shape (n,); only the order matters.
    flagged
        What the model calls harmful, shape (n,).
    weights
        How often each row counts, shape (draws, n).
    """
    tp, fp = weights @ (harmful & flagged), weights @ (~harmful & flagged)
    fn, tn = weights @ (harmful & ~flagged), weights @ (~harmful & ~flagged)
    order = np.argsort(-score, kind="stable")
    ranked, ordered = score[order], weights[:, order]
    first = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]]) if len(order) else order
    # Weight of each class at each distinct score, from the highest down.
    positive, negative = (np.add.reduceat(ordered * rows[order], first, axis=1) for rows in (harmful, ~harmful))
    columns = [
        _ratio(tp, tp + fp),
        _ratio(tp, tp + fn),
        _ratio(2 * tp, 2 * tp + fp + fn),
        _ratio(fp, fp + tn),
        auc(positive, negative),
        average_precision(positive, negative),
    ]
    return np.stack(columns, axis=1)


def auc(positive: Array, negative: Array) -> Array:
    """Area under the ROC curve, P(score of a harmful row > that of another) + ½ P(they are equal), shape (draws,).

    Parameters
    ----------
    positive, negative
        Weight of each class at each distinct score, highest first, shape (draws, distinct). NaN without one of them.
    """
    above = np.cumsum(positive, axis=1) - positive
    return _ratio((negative * (above + positive / 2)).sum(axis=1), positive.sum(axis=1) * negative.sum(axis=1))


def average_precision(positive: Array, negative: Array) -> Array:
    """Mean over harmful rows of the precision at their score, Σ_k (R_k - R_{k-1}) P_k, shape (draws,).

    Without interpolation; rows of equal score are flagged together. Parameters as in :func:`auc`; NaN without a
    positive.
    """
    tp = np.cumsum(positive, axis=1)
    flagged = tp + np.cumsum(negative, axis=1)
    precision = np.divide(tp, flagged, out=np.zeros_like(tp), where=flagged > 0)
    return _ratio((positive * precision).sum(axis=1), positive.sum(axis=1))


def wilson(successes: float, n: float, conf_level: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a proportion.

    Formula: (p + z²/2n ± z (p(1 - p)/n + z²/4n²)^½) / (1 + z²/n). NaN for n = 0 (Wilson 1927).
    """
    from scipy.special import ndtri

    if not n:
        return float("nan"), float("nan")
    z, p = float(ndtri((1 + conf_level) / 2)), successes / n
    middle, half = p + z**2 / (2 * n), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    low, high = (middle - half) / (1 + z**2 / n), (middle + half) / (1 + z**2 / n)
    # At p = 0 and 1 an end is 0 or 1 but for rounding.
    return (0.0 if successes == 0 else float(low)), (1.0 if successes == n else float(high))


def wilson_f1(tp: float, fp: float, fn: float, conf_level: float = 0.95) -> tuple[float, float]:
    """Interval of F1 = 2J / (1 + J), where J = TP / (TP + FP + FN) is a proportion: Wilson's of J, transformed.

    Not degenerate at 0 and 1 (the indirect method of Lam, Gopal & Qian 2023, arXiv:2309.14621).
    """
    low, high = wilson(tp, tp + fp + fn, conf_level)
    return 2 * low / (1 + low), 2 * high / (1 + high)


def drawn(harmful: NDArray[np.bool_], draws: int, seed: int) -> Iterator[Array]:
    """Rows drawn with replacement within each class, as weights, in blocks of shape (some draws, n).

    The numbers of harmful and other rows of a benchmark are its makers' choice, not chance; so they stay.
    """
    n = len(harmful)
    block = max(1, _CELLS // max(n, 1))
    for start in range(0, draws, block):
        rng = np.random.default_rng([seed, 29, start])
        weights = np.zeros((min(block, draws - start), n))
        for rows in (np.flatnonzero(harmful), np.flatnonzero(~harmful)):
            if len(rows):
                weights[:, rows] = rng.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), size=len(weights))
        yield weights


def _ratio(above: Array, below: Array) -> Array:
    return np.divide(above, below, out=np.full(np.shape(below), np.nan), where=below > 0)
