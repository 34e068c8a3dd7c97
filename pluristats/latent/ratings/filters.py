"""The rating models' latents as a baseline: given parameters, or with those that fit."""

from __future__ import annotations

import numpy as np

from pluristats.errors import LatentError
from pluristats.latent.baselines.inferred import Inferred
from pluristats.latent.ratings.estimate import Trajectories, estimate, trajectories
from pluristats.latent.ratings.likelihoods import LIKELIHOODS, latents
from pluristats.latent.ratings.response import Ratings
from pluristats.latent.ratings.simulators import STATIC
from pluristats.latent.record import Array, Model, Trials, fitting


def infer_ratings(
    model: Model, trials: Trials, parameters: Array | None = None, *, draws: int = 32, seed: int = 0
) -> Inferred:
    """Smoothed latents of agents who rate.

    Parameters
    ----------
    model
        A rating model.
    trials
        Raw columns rating and effect, each (N, T), as its simulator gives them.
    parameters
        Shape (N, P); None takes each agent's posterior mode, and averages latents over ``draws`` of parameters
        (:func:`pluristats.latent.ratings.trajectories`).
    draws, seed
        Of parameters.

    Raises
    ------
    LatentError
        A model of something else, or ratings that are no whole hundredths.
    """
    if model.name not in LIKELIHOODS:
        raise LatentError(f"{model.name!r} is no rating model; those are {', '.join(LIKELIHOODS)}.")
    encoded = model.encode(trials)
    ratings = Ratings.of(np.asarray(trials["rating"], dtype=np.float64), np.asarray(trials["effect"], dtype=np.float64))
    if parameters is None:
        base = estimate(STATIC, ratings)
        fit = base if model is STATIC else estimate(model, ratings, base.parameters)
        found, theta, total = trajectories(fit, ratings, draws, seed), fit.parameters, fit.log_likelihood
    else:
        theta = fitting(model, parameters, len(ratings.mask))
        exact = latents(model.name, theta, ratings)
        found = Trajectories(exact.shift, np.sqrt(exact.variance), exact.engaged)
        total = exact.log_likelihood
    there = ~np.isnan(np.asarray(trials["effect"], dtype=np.float64))[:, :, None]
    shifts = len(model.continuous_names)
    states = (np.stack([1 - found.engaged, found.engaged], axis=2),) if model.discrete else ()
    return Inferred(
        "maximum a posteriori, smoothed" if parameters is None else "likelihood, smoothed",
        np.where(there, found.shift[:, :, None], np.nan)[:, :, :shifts],
        np.where(there, found.sd[:, :, None], np.nan)[:, :, :shifts],
        model.continuous_names,
        states,
        tuple(model.discrete),
        theta,
        total,
        encoded.mask,
    )
