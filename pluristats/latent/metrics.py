"""How near inferred latents are to true ones: arrays in, one number an agent or in all out.

A trial counts where ``mask`` is True (all, when it is None) and both values are there.
"""

from __future__ import annotations

import numpy as np

from pluristats.errors import LatentError
from pluristats.latent.record import Array, Ints, Mask


def rmse(true: Array, inferred: Array, mask: Mask | None = None) -> Array:
    """Root mean squared error of each agent, (mean_t (x_t − x̂_t)²)^½, shape (N,); NaN without a trial.

    Parameters
    ----------
    true, inferred
        Shape (N, T).
    mask
        Shape (N, T).
    """
    return np.sqrt(_row_mean((true - inferred) ** 2, mask))


def mean_rmse(true: Array, inferred: Array, mask: Mask | None = None) -> float:
    """Mean over agents of each agent's :func:`rmse`, the published figure."""
    return float(np.nanmean(rmse(true, inferred, mask)))


def balanced_accuracy(true: Ints, inferred: Ints, mask: Mask | None = None) -> float:
    """Mean over the states that occur of the share of their trials that are inferred right, all agents together.

    Parameters
    ----------
    true, inferred
        States, shape (N, T); -1 where there is none.
    mask
        Shape (N, T).

    Raises
    ------
    LatentError
        Without a trial to judge.
    """
    counts = _there((true >= 0) & (inferred >= 0), mask)
    states = np.unique(true[counts])
    if not len(states):
        raise LatentError("No trial has both a true and an inferred state; nothing can be judged.")
    return float(np.mean([(inferred[counts & (true == s)] == s).mean() for s in states]))


def coverage(true: Array, low: Array, high: Array, mask: Mask | None = None) -> float:
    """Share of trials whose true value lies within [low, high], all agents together; NaN without a trial."""
    counts = _there(~np.isnan(true + low + high), mask)
    inside = (true >= low) & (true <= high)
    return float(inside[counts].mean()) if counts.any() else np.nan


def r_squared(true: Array, inferred: Array, mask: Mask | None = None) -> Array:
    """Of each agent, 1 − Σ (x_t − x̂_t)² / Σ (x_t − x̄)², shape (N,); NaN where x does not vary."""
    counts = _there(~np.isnan(true + inferred), mask)
    where = None if counts.all() else counts
    centre = _row_mean(true, where)[:, None]
    spread = _row_mean((true - centre) ** 2, where)
    left = _row_mean((true - inferred) ** 2, where)
    return np.where(spread > 0, 1 - left / np.where(spread > 0, spread, 1), np.nan)


def _row_mean(values: Array, mask: Mask | None) -> Array:
    there = _there(~np.isnan(values), mask)
    n = there.sum(axis=1)
    return np.where(n > 0, np.where(there, values, 0).sum(axis=1) / np.maximum(n, 1), np.nan)


def _there(both: Mask, mask: Mask | None) -> Mask:
    if mask is not None and mask.shape != both.shape:
        raise LatentError(f"A mask of shape {mask.shape} does not fit values of shape {both.shape}.")
    return both if mask is None else both & mask
