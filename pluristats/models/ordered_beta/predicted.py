"""What an ordered beta distribution says of a rating: mean, distribution function, quantiles. All on 0-1."""

from __future__ import annotations

import numpy as np
from scipy.special import betainc, betaincinv, expit

from pluristats.engine.result import Array
from pluristats.models.ordered_beta.density import Shape, beta_mean


def end_probabilities(eta: Array, shape: Shape) -> tuple[Array, Array]:
    """P(y = 0) = Λ(c₀ - η) and P(y = 1) = Λ(η - c₁)."""
    return expit(shape.cut0 - eta), expit(eta - shape.cut1)


def mean(eta: Array, shape: Shape) -> Array:
    """E y = P(y = 1) + P(0 < y < 1) μ."""
    low, high = end_probabilities(eta, shape)
    return high + (1 - low - high) * beta_mean(eta)


def mean_slope(eta: Array, shape: Shape) -> Array:
    """Derivative of :func:`mean` in η."""
    low, high = end_probabilities(eta, shape)
    mu = beta_mean(eta)
    d_low, d_high, d_mu = (p * (1 - p) for p in (low, high, mu))
    return d_high + (d_low - d_high) * mu + (1 - low - high) * d_mu


def distribution(y: Array, eta: Array, shape: Shape) -> Array:
    """P(Y ≤ y) of 0 ≤ y ≤ 1."""
    low, high = end_probabilities(eta, shape)
    mu, phi = beta_mean(eta), shape.phi
    inside = betainc(mu * phi, (1 - mu) * phi, y)
    return np.where(y >= 1, 1.0, low + (1 - low - high) * inside)


def quantile(level: Array, eta: Array, shape: Shape) -> Array:
    """The least y whose distribution function reaches ``level``."""
    low, high = end_probabilities(eta, shape)
    share = np.clip((level - low) / np.maximum(1 - low - high, 1e-300), 0.0, 1.0)
    mu, phi = beta_mean(eta), shape.phi
    found = betaincinv(mu * phi, (1 - mu) * phi, share)
    return np.where(level <= low, 0.0, np.where(level > 1 - high, 1.0, found))
