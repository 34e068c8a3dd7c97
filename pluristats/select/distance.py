r"""Jensen-Shannon distance of distributions, in bits, and of several axes together.

    JSD(p, q) = ½ Σ_k p_k log₂(2 p_k / (p_k + q_k)) + ½ Σ_k q_k log₂(2 q_k / (p_k + q_k)),   distance = √JSD,
    combined = √( Σ_a w_a JSD_a / Σ_a w_a ),   fitness = 1 / combined.

Divergences lie between 0 and 1. Source: Lin 1991; the distance is a metric (Endres & Schindelin 2003).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def divergence(mass: ArrayLike, target: ArrayLike) -> float:
    """JSD of masses, divided by their sum, and a target, in bits.

    Parameters
    ----------
    mass
        Non-negative, shape (K,). Without any mass there is no distribution: the divergence counts as 1, the largest.
    target
        Shares that sum to 1, shape (K,).
    """
    p, q = np.asarray(mass, dtype=np.float64), np.asarray(target, dtype=np.float64)
    total = p.sum()
    if total <= 0:
        return 1.0
    p = p / total
    return max(float(np.sum(terms(p, q))), 0.0)  # rounding leaves −1e-17 where p = q


def terms(p: Array, q: Array) -> Array:
    """Each category's part of the divergence; any shape, never NaN."""
    with np.errstate(divide="ignore", invalid="ignore"):
        middle = (p + q) / 2
        of_p = np.where(p > 0, p * np.log2(p / middle), 0.0)
        of_q = np.where(q > 0, q * np.log2(q / middle), 0.0)
    return (of_p + of_q) / 2


def slope(p: Array, q: Array) -> Array:
    """Derivative of a category's part in p: ½ log₂(2p / (p + q)); −∞ at p = 0 < q, ½ where q = 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(q > 0, 0.5 * np.log2(2 * p / (p + q)), 0.5)


def curvature(p: Array, q: Array) -> Array:
    """Second derivative of a category's part in p: q / (2 ln 2 · p (p + q)); 0 where q = 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(q > 0, q / (2 * math.log(2) * p * (p + q)), 0.0)


def combine(divergences: Sequence[float], weights: Sequence[float]) -> float:
    """Combined distance of axes with these divergences."""
    return math.sqrt(max(math.fsum(w * d for w, d in zip(weights, divergences, strict=True)) / math.fsum(weights), 0.0))
