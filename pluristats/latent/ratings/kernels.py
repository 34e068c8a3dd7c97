"""Drift and lapses of one annotator, compiled. The only module here that imports numba; imported where needed."""

from __future__ import annotations

import math

import numba
import numpy as np

from pluristats.latent.record import Array, Mask

jit = numba.njit(cache=True, nogil=True, error_model="numpy")
# Of a step of the walk, in standard deviations: φ(8) / φ(0) = 1e-14.
_REACH = 8.0
_LEAST = 1e-300
# Points that the walk reaches with less probability are left out of a trial.
_NEVER = 1e-14


@jit
def drift(
    theta: Array,
    lower: Array,
    upper: Array,
    effect: Array,
    mask: Mask,
    half: int,
    step: float,
    gradient: Array,
    mean: Array,
    variance: Array,
) -> float:
    """Log likelihood by the forward recursion; slopes and smoothed moments by the backward one.

    α_1(u) ∝ p_1(u) [u = 0],   α_t(u) ∝ p_t(u) h Σ_v φ(u − v) α_{t−1}(v)
    β_t(u) ∝ h Σ_v φ(u − v) p_{t+1}(v) β_{t+1}(v)

    Parameters
    ----------
    theta
        level, slope, sigma, tau.
    lower, upper, effect, mask
        Shape (T,), as in :class:`pluristats.latent.ratings.response.Ratings`.
    half, step
        The grid is u = step · (−half … half), G points.
    gradient, mean, variance
        Filled: shape (4,), and moments of u given all ratings, shape (T,).
    """
    level, slope, sigma, tau = theta[0], theta[1], theta[2], theta[3]
    n, size = len(effect), 2 * half + 1
    p, alpha = np.ones((n, size)), np.zeros((n, size))
    by_mean, by_log_sigma = np.zeros((n, size)), np.zeros((n, size))
    reach = min(math.ceil(_REACH / step), size - 1)
    weight = np.empty(reach + 1)
    for k in range(reach + 1):
        weight[k] = step / math.sqrt(2 * math.pi) * math.exp(-0.5 * (k * step) ** 2)

    ahead, scale, total = np.zeros(size), np.empty(n), 0.0
    ahead[half] = 1.0
    for t in range(n):
        if mask[t]:
            centre, top = level + slope * effect[t], 0.0
            for g in range(size):
                if ahead[g] < _NEVER:
                    p[t, g] = 0.0
                    continue
                m = centre + tau * step * (g - half)
                p[t, g], by_mean[t, g], by_log_sigma[t, g] = _mass(lower[t], upper[t], m, sigma)
                top = max(top, p[t, g])
            # Scaled by the greatest, so that an improbable rating does not underflow.
            for g in range(size):
                p[t, g] /= top
            total += math.log(top)
        sum_ = 0.0
        for g in range(size):
            alpha[t, g] = ahead[g] * p[t, g]
            sum_ += alpha[t, g]
        sum_ = max(sum_, _LEAST)
        scale[t] = sum_
        total += math.log(sum_)
        for g in range(size):
            alpha[t, g] /= sum_
        _stepped(alpha[t], weight, ahead)

    gradient[:] = 0.0
    beta, behind = np.ones(size), np.empty(size)
    for t in range(n - 1, -1, -1):
        first, second, of_mean = 0.0, 0.0, 0.0
        for g in range(size):
            u, gamma = step * (g - half), alpha[t, g] * beta[g]
            first += gamma * u
            second += gamma * u * u
            of_mean += gamma * by_mean[t, g]
            gradient[2] += gamma * by_log_sigma[t, g]
            gradient[3] += gamma * by_mean[t, g] * u
            behind[g] = p[t, g] * beta[g] / scale[t]
        gradient[0] += of_mean
        gradient[1] += of_mean * effect[t]
        mean[t], variance[t] = first, max(second - first * first, 0.0)
        _stepped(behind, weight, beta)
    gradient[2] /= sigma
    return total


@jit
def lapse(
    theta: Array,
    lower: Array,
    upper: Array,
    effect: Array,
    mask: Mask,
    anything: float,
    gradient: Array,
    engaged: Array,
) -> float:
    """Log likelihood of two states by the forward recursion; slopes and state probabilities by the backward one.

    Parameters
    ----------
    theta
        level, slope, sigma, lapse, recover.
    lower, upper, effect, mask
        Shape (T,), as for :func:`drift`.
    anything
        Probability of any rating while lapsing.
    gradient, engaged
        Filled: shape (5,), and P(engaged | all ratings), shape (T,).
    """
    level, slope, sigma, leave, back = theta[0], theta[1], theta[2], theta[3], theta[4]
    n = len(effect)
    off, on = np.ones(n), np.ones(n)
    by_mean, by_log_sigma = np.zeros(n), np.zeros(n)
    alpha, scale = np.empty(n), np.empty(n)
    attentive, total = 1 - leave, 0.0
    for t in range(n):
        if mask[t]:
            on[t], by_mean[t], by_log_sigma[t] = _mass(lower[t], upper[t], level + slope * effect[t], sigma)
            off[t] = anything
        scale[t] = attentive * on[t] + (1 - attentive) * off[t]
        total += math.log(scale[t])
        alpha[t] = attentive * on[t] / scale[t]
        attentive = alpha[t] * (1 - leave) + (1 - alpha[t]) * back
    gradient[:] = 0.0
    beta_on, beta_off = 1.0, 1.0
    for t in range(n - 1, -1, -1):
        engaged[t] = alpha[t] * beta_on
        of_mean = engaged[t] * by_mean[t]
        gradient[0] += of_mean
        gradient[1] += of_mean * effect[t]
        gradient[2] += engaged[t] * by_log_sigma[t]
        ahead_on, ahead_off = on[t] * beta_on / scale[t], off[t] * beta_off / scale[t]
        if t == 0:
            gradient[3] += ahead_off - ahead_on
        else:
            gradient[3] += alpha[t - 1] * (ahead_off - ahead_on)
            gradient[4] += (1 - alpha[t - 1]) * (ahead_on - ahead_off)
            beta_on = (1 - leave) * ahead_on + leave * ahead_off
            beta_off = back * ahead_on + (1 - back) * ahead_off
    gradient[2] /= sigma
    return total


@jit
def _stepped(values: Array, weight: Array, out: Array) -> None:
    """Σ_v weight(|u − v|) values(v) at every u."""
    size, reach = len(values), len(weight) - 1
    for g in range(size):
        out[g] = weight[0] * values[g]
    for k in range(1, reach + 1):
        w = weight[k]
        for g in range(size - k):
            out[g] += w * values[g + k]
            out[g + k] += w * values[g]


@jit
def _mass(lower: float, upper: float, mean: float, sigma: float) -> tuple[float, float, float]:
    """As :func:`pluristats.latent.ratings.response.mass`, of one rating."""
    a, b = (lower - mean) / sigma, (upper - mean) / sigma
    p = _below(-a) - _below(-b) if a + b > 0 else _below(b) - _below(a)
    p = max(p, _LEAST)
    phi_a, phi_b = 0.0, 0.0
    of_a, of_b = 0.0, 0.0
    if math.isfinite(a):
        phi_a = math.exp(-0.5 * a * a) / math.sqrt(2 * math.pi)
        of_a = a * phi_a
    if math.isfinite(b):
        phi_b = math.exp(-0.5 * b * b) / math.sqrt(2 * math.pi)
        of_b = b * phi_b
    return p, (phi_a - phi_b) / (p * sigma), (of_a - of_b) / p


@jit
def _below(x: float) -> float:
    """Φ(x)."""
    return 0.5 * math.erfc(-x / math.sqrt(2.0))
