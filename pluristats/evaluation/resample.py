"""Uncertainty of a mean over annotators and prompts: both are resampled, and methods share the draws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pluristats.engine.result import Array


@dataclass(frozen=True, eq=False)
class Draws:
    """How often each annotator and each prompt is drawn.

    Parameters
    ----------
    annotators
        Shape (draws, n), each row summing to n.
    prompts
        Shape (draws, m), each row summing to m.
    """

    annotators: Array
    prompts: Array


def draw(n: int, m: int, draws: int, seed: int) -> Draws:
    """Annotators and prompts drawn with replacement, independently (the pigeonhole bootstrap; Owen 2007)."""
    rng = np.random.default_rng([seed, 7])
    return Draws(
        rng.multinomial(n, np.full(n, 1 / n), size=draws).astype(np.float64),
        rng.multinomial(m, np.full(m, 1 / m), size=draws).astype(np.float64),
    )


def resampled_means(errors: Array, draws: Draws) -> Array:
    """Mean over splits of the mean over annotators of the mean over prompts, in every draw, shape (draws,).

    Formula: with weights a_i, p_j, mean_s [Σ_i a_i ē_si / Σ_i a_i], ē_si = Σ_j p_j e_sij / Σ_j p_j over the cells that
    are there. An annotator without a drawn cell in a split is not in that split's mean.

    Parameters
    ----------
    errors
        Shape (splits, n, m), NaN where there is none.
    draws
        The same for every method, so that differences are paired.
    """
    there = ~np.isnan(errors)
    s, n, m = errors.shape
    total = np.where(there, errors, 0.0).reshape(s * n, m) @ draws.prompts.T
    count = there.reshape(s * n, m).astype(np.float64) @ draws.prompts.T
    means = np.divide(total, count, out=np.zeros_like(total), where=count > 0).reshape(s, n, -1)
    weights = (count.reshape(s, n, -1) > 0) * draws.annotators.T
    total_weight = weights.sum(axis=1)
    of_split = np.divide(
        (weights * means).sum(axis=1), total_weight, out=np.full(total_weight.shape, np.nan), where=total_weight > 0
    )
    known = ~np.isnan(of_split)  # a draw may leave a split without a cell
    splits, sums = known.sum(axis=0), np.where(known, of_split, 0.0).sum(axis=0)
    return np.divide(sums, splits, out=np.full(sums.shape, np.nan), where=splits > 0)


def interval(values: Array, conf_level: float = 0.95) -> tuple[float, float]:
    """Percentile interval; NaN when there is no value."""
    if np.isnan(values).all():
        return float("nan"), float("nan")
    low, high = np.nanquantile(values, [(1 - conf_level) / 2, (1 + conf_level) / 2])
    return float(low), float(high)
