"""Likelihoods of one agent, trial by trial, compiled. The only module here that imports numba; imported where needed.

A trial with action or reward -1 is missing: nothing is learned in it, it has no likelihood, its latents are NaN.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from pluristats.latent.record import Array, Ints

jit = numba.njit(cache=True, nogil=True, error_model="numpy")


@jit
def rl4(theta: Array, action: Ints, reward: Ints, capped: bool, chosen: Array, engaged: Array) -> float:
    """Log likelihood of four-parameter reinforcement learning; fills the chosen values.

    Parameters
    ----------
    theta
        beta, alpha_plus, alpha_minus, stick.
    action, reward
        Shape (T,).
    capped, engaged
        Not used: the signature is :func:`meta_rl`'s.
    chosen
        Shape (T,), filled: the chosen action's value before its update.
    """
    beta, plus, minus, stick = theta[0], theta[1], theta[2], theta[3]
    q = np.full(2, 0.5)
    last, total = -1, 0.0
    for t in range(len(action)):
        a, r = action[t], reward[t]
        chosen[t] = np.nan
        if a < 0 or r < 0:
            continue
        b = 1 - a
        x = q[a] - q[b]
        if last >= 0:
            x += stick if last == a else -stick
        total -= _softplus(-beta * x)
        chosen[t] = q[a]
        alpha = plus if r == 1 else minus
        q[a] += alpha * (r - q[a])
        q[b] += alpha * ((1 - r) - q[b])
        last = a
    return total


@jit
def meta_rl(theta: Array, action: Ints, reward: Ints, capped: bool, chosen: Array, engaged: Array) -> float:
    """Log likelihood of meta reinforcement learning with dynamic noise, by the exact forward filter.

    l_t = ½ p_R + π_t(a_t) p_E;   p ← (½ p_R A[R, ·] + π_t(a_t) p_E A[E, ·]) / l_t, first (lapse, 1 − lapse).

    Parameters
    ----------
    theta
        As in :mod:`pluristats.latent.simulators.meta_rl`.
    action, reward
        Shape (T,).
    capped
        Whether α⁻ ends at 1, as in the simulator; the published likelihood has no such end.
    chosen, engaged
        Shape (T,), filled: the chosen action's value before its update, and π_t(a_t).
    """
    first, plus, beta, forget, bias = theta[0], theta[1], theta[2], theta[3], theta[4]
    alpha_v, phi, lapse, recover = theta[5], theta[6], theta[7], theta[8]
    q = np.full(2, 0.5)
    e, minus, total = 0.0, first, 0.0
    random, attentive = lapse, 1 - lapse
    for t in range(len(action)):
        a, r = action[t], reward[t]
        chosen[t], engaged[t] = np.nan, np.nan
        if a >= 0 and r >= 0:
            x = beta * (q[0] - q[1] + bias)
            policy = math.exp(-_softplus(-x if a == 0 else x))
            seen_random, seen_attentive = 0.5 * random, policy * attentive
            likelihood = seen_random + seen_attentive
            total += math.log(likelihood)
            random, attentive = seen_random / likelihood, seen_attentive / likelihood
            chosen[t], engaged[t] = q[a], policy
            v = abs(r - q[a]) - e
            e += alpha_v * v
            if r < q[a]:
                minus = max(phi * (v + first) + (1 - phi) * minus, 0.0)
                if capped:
                    minus = min(minus, 1.0)
            q[a] += (plus if r == 1 else minus) * (r - q[a]) * (1 - e)
            q[1 - a] *= forget
        random, attentive = random * (1 - recover) + attentive * lapse, random * recover + attentive * (1 - lapse)
    return total


@jit
def _softplus(x: float) -> float:
    """log(1 + exp(x))."""
    return x + math.log1p(math.exp(-x)) if x > 0 else math.log1p(math.exp(x))
