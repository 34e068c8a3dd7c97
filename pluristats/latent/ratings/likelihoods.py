"""Likelihoods of the rating models, their slopes, and the latents that parameters imply."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from pluristats.latent.ratings.response import STEPS, Mass, Ratings, mass
from pluristats.latent.record import Array

STEP = 1.0
"""Of the drift model's grid, see :func:`grid`."""
# Standard deviations of the walk at its last trial that the grid spans; it is left with probability 6e-7.
_SPAN = 5.0


@dataclass(frozen=True, eq=False)
class Score:
    """Log likelihood of each annotator's ratings, shape (N,), and its gradient in the parameters, shape (N, P).

    The gradient is Fisher's: the expected slope of log p(ratings, latents) over the latents given the ratings.
    """

    log_likelihood: Array
    gradient: Array


@dataclass(frozen=True, eq=False)
class Latents:
    """Latents given ratings and parameters.

    Parameters
    ----------
    shift, variance
        Mean and variance of the shift given all ratings, shape (N, T); 0 where the model has none.
    engaged
        Probability of being engaged, shape (N, T); 1 where the model knows no lapses.
    log_likelihood
        Of each annotator's ratings, shape (N,).
    """

    shift: Array
    variance: Array
    engaged: Array
    log_likelihood: Array


def static(theta: Array, ratings: Ratings) -> Score:
    """Parameters level, slope, sigma: ratings are independent given their prompts."""
    return _linear(theta, ratings, [np.ones_like(ratings.effect), ratings.effect])


def sequential(theta: Array, ratings: Ratings) -> Score:
    """Parameters level, slope, sigma, gamma: the static model with the previous prompt's effect as a predictor."""
    columns = [np.ones_like(ratings.effect), ratings.effect, ratings.previous]
    found = _linear(theta[:, [0, 1, 3, 2]], ratings, columns)
    return Score(found.log_likelihood, found.gradient[:, [0, 1, 3, 2]])


def drift(theta: Array, ratings: Ratings, step: float = STEP) -> Score:
    """Parameters level, slope, sigma, tau: forward and backward over a grid of the walk."""
    return _walk(theta, ratings, step)[0]


def lapse(theta: Array, ratings: Ratings) -> Score:
    """Parameters level, slope, sigma, lapse, recover: forward and backward over two states."""
    return _states(theta, ratings)[0]


LIKELIHOODS: Mapping[str, Callable[[Array, Ratings], Score]] = {
    "rating-static": static,
    "rating-drift": drift,
    "rating-sequential": sequential,
    "rating-lapse": lapse,
}


def latents(model: str, theta: Array, ratings: Ratings, step: float = STEP) -> Latents:
    """Smoothed latents under each annotator's parameters, shape (N, P)."""
    shape = ratings.effect.shape
    shift, variance, engaged = np.zeros(shape), np.zeros(shape), np.ones(shape)
    if model == "rating-drift":
        score, mean, spread = _walk(theta, ratings, step)
        tau = theta[:, 3, None]
        shift, variance = tau * mean, tau**2 * spread
    elif model == "rating-lapse":
        score, engaged = _states(theta, ratings)
    else:
        score = LIKELIHOODS[model](theta, ratings)
        if model == "rating-sequential":
            shift = theta[:, 3, None] * ratings.previous
    return Latents(shift, variance, engaged, score.log_likelihood)


def grid(n_trials: int, step: float = STEP) -> int:
    """Half the points of the drift model's grid, u = step · (−half … half), 5 sd of the walk's end on either side.

    The grid is in units of the walk's own step: shift = τ u with u_1 = 0, u_{t+1} = u_t + N(0, 1). A sum over steps of
    h instead of an integral over a Gaussian of unit variance errs by 2 exp(−2π²/h²), 5e-9 for h = 1, and over a
    filtered density of variance v by 2 exp(−2π² v/h²). v is near σ/τ where that is large, and more than ½ (1e-4) while
    τ ≤ σ.
    """
    return int(np.ceil(_SPAN * np.sqrt(max(n_trials - 1, 1)) / step))


def _walk(theta: Array, ratings: Ratings, step: float) -> tuple[Score, Array, Array]:
    """Score, and moments of u at each trial."""
    from pluristats.latent.ratings import kernels

    theta = np.ascontiguousarray(theta, dtype=np.float64)
    total, gradient = np.empty(len(theta)), np.empty(theta.shape)
    mean, variance = np.empty(ratings.effect.shape), np.empty(ratings.effect.shape)
    half = grid(ratings.effect.shape[1], step)
    for i, of_agent in enumerate(zip(theta, *ratings.columns, strict=True)):
        total[i] = kernels.drift(*of_agent, half, step, gradient[i], mean[i], variance[i])
    return Score(total, gradient), mean, variance


def _states(theta: Array, ratings: Ratings) -> tuple[Score, Array]:
    """Score, and the probability of being engaged at each trial."""
    from pluristats.latent.ratings import kernels

    theta = np.ascontiguousarray(theta, dtype=np.float64)
    total, gradient, engaged = np.empty(len(theta)), np.empty(theta.shape), np.empty(ratings.effect.shape)
    for i, of_agent in enumerate(zip(theta, *ratings.columns, strict=True)):
        total[i] = kernels.lapse(*of_agent, 1 / (STEPS + 1), gradient[i], engaged[i])
    return Score(total, gradient), engaged


def _mass(weights: Array, sigma: Array, ratings: Ratings, columns: list[Array]) -> Mass:
    mean = sum((weights[:, k, None] * column for k, column in enumerate(columns)), np.zeros_like(ratings.effect))
    return mass(ratings.lower, ratings.upper, ratings.mask, mean, sigma[:, None])


def _linear(theta: Array, ratings: Ratings, columns: list[Array]) -> Score:
    """Independent ratings whose latent mean is linear in columns; the last parameter is sigma."""
    found = _mass(theta[:, :-1], theta[:, -1], ratings, columns)
    gradient = [(found.by_mean * column).sum(axis=1) for column in columns]
    gradient.append(found.by_log_sigma.sum(axis=1) / theta[:, -1])
    return Score(np.log(found.p).sum(axis=1), np.column_stack(gradient))
