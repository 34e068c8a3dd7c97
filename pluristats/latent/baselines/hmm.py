"""Exact inference in hidden Markov models of many agents at once.

Own code because the emissions here depend on inputs or on a value that is learned, agent by agent: hmmlearn's are one
family a model and take no inputs, and the published fits use a fork of a package (ssm) that is not kept up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pluristats.errors import LatentError
from pluristats.latent.record import Array


@dataclass(frozen=True, eq=False)
class Smoothed:
    """States of N agents over T trials, K states.

    Parameters
    ----------
    filtered
        P(z_t | y_1..t), shape (N, T, K).
    smoothed
        P(z_t | y_1..T), shape (N, T, K).
    pairs
        Σ_t P(z_t = k, z_{t+1} = l | y_1..T), shape (N, K, K).
    log_likelihood
        log P(y_1..T), shape (N,).
    """

    filtered: Array
    smoothed: Array
    pairs: Array
    log_likelihood: Array


def forward_backward(initial: Array, transition: Array, log_emission: Array) -> Smoothed:
    """The forward-backward recursions, each trial scaled to probabilities (Rabiner 1989).

    α_t(l) = b_t(l) Σ_k α_{t−1}(k) A_kl / c_t,   c_t such that α_t sums to 1
    β_t(k) = Σ_l A_kl b_{t+1}(l) β_{t+1}(l) / c_{t+1},   P(z_t = k | y) = α_t(k) β_t(k)

    Parameters
    ----------
    initial
        P(z_1), shape (K,) or (N, K).
    transition
        A, shape (K, K) or (N, K, K); rows sum to 1.
    log_emission
        log b_t(k) = log P(y_t | z_t = k), shape (N, T, K); 0 in all states where a trial is missing, so that only time
        passes in it.

    Raises
    ------
    LatentError
        A trial is impossible in every state.
    """
    n, n_trials, k = log_emission.shape
    matrix = np.broadcast_to(transition, (n, k, k))
    top = log_emission.max(axis=2)
    emission = np.exp(log_emission - top[:, :, None])
    alpha, scale = np.empty((n_trials, n, k)), np.empty((n_trials, n))
    ahead = np.broadcast_to(initial, (n, k))
    for t in range(n_trials):
        joint = ahead * emission[:, t]
        scale[t] = joint.sum(axis=1)
        if not (scale[t] > 0).all():
            agent = int(np.argmax(~(scale[t] > 0)))
            raise LatentError(f"Trial {t} of agent {agent} is impossible in every state under these parameters.")
        alpha[t] = joint / scale[t][:, None]
        ahead = np.einsum("nk,nkl->nl", alpha[t], matrix)
    beta = np.ones((n_trials, n, k))
    for t in range(n_trials - 2, -1, -1):
        beta[t] = np.einsum("nkl,nl->nk", matrix, emission[:, t + 1] * beta[t + 1] / scale[t + 1][:, None])
    smoothed = alpha * beta
    ahead_of = emission.transpose(1, 0, 2) * beta / scale[:, :, None]
    pairs = np.einsum("tnk,tnl->nkl", alpha[:-1], ahead_of[1:]) * matrix
    return Smoothed(
        np.ascontiguousarray(alpha.transpose(1, 0, 2)),
        np.ascontiguousarray(smoothed.transpose(1, 0, 2)),
        pairs,
        np.log(scale).sum(axis=0) + top.sum(axis=1),
    )
