r"""People who rate prompts while something in them changes: their criterion, what the last prompt left, attention.

    y*_t = level + slope · effect_t + shift_t + σ e_t,   e_t ~ N(0, 1)
    rating_t = y*_t rounded to whole hundredths and clipped to 0 … 1

effect_t is what everybody sees in the prompt (mean 0, sd 1 over prompts). Of four models,

    rating-static       shift_t = 0
    rating-drift        shift_1 = 0, shift_{t+1} = shift_t + τ u_t, u_t ~ N(0, 1)
    rating-sequential   shift_1 = 0, shift_{t+1} = γ · effect_t
    rating-lapse        shift_t = 0; while lapsing, the rating is any of the 101 equally likely

and the lapsing of the last is that of the dynamic-noise model (Li, Shi, Li & Collins 2024): engaged → lapsing with
probability lapse, back with probability recover after each trial, lapsing at first with probability lapse. Trials are
steps whether or not they have a rating.

The priors are ours and match the release: level, slope and σ the 100 annotators' maximum-likelihood estimates (medians
.51, .35, .27; interquartile ranges .36-.60, .24-.47, .22-.37), which are on the latent scale, wider than the ratings',
as 29 % of ratings are at an end; τ, γ, lapse and recover such that fits to the release with these priors have about
the priors' mean and spread.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator

from pluristats.errors import LatentError
from pluristats.latent.priors import Beta, LogNormal, Normal
from pluristats.latent.ratings.response import STEPS, as_rating, previous_of
from pluristats.latent.record import Array, Drawn, Mask, Model, Parameter, Trials

ENGAGED, LAPSING = 1, 0
INPUTS = ("rating", "rating=0", "rating=1", "effect")
SOURCE = "pluristats; censoring as in the tobit model, states as in Li, Shi, Li & Collins (2024)"
DEFAULTS = {"noise": 1.0, "effects": None, "rated": None}

_LEVEL = Parameter("level", -1.0, 2.0, Normal(0.5, 0.2), "opinion of the average prompt, in widths of the scale")
_SLOPE = Parameter("slope", -1.0, 3.0, Normal(0.38, 0.2), "opinion per standard deviation of the prompts' effects")
_SIGMA = Parameter("sigma", 0.01, 3.0, LogNormal(0.28, 0.45), "standard deviation of the noise")
_SHARED = (_LEVEL, _SLOPE, _SIGMA)


def run_static(parameters: Array, n_trials: int, rng: Generator, **settings: Any) -> Drawn:
    """Agents who stay as they are."""
    effect, noise, rated = _task(len(parameters), n_trials, rng, **settings)
    rating = as_rating(_opinion(parameters, effect, noise))
    n = len(parameters)
    return Drawn(_trials(rating, effect, rated), np.empty((n, n_trials, 0)), np.empty((n, n_trials, 0), np.int64))


def run_drift(parameters: Array, n_trials: int, rng: Generator, **settings: Any) -> Drawn:
    """Agents whose criterion is a random walk; the latent is its shift since the first trial."""
    n = len(parameters)
    effect, noise, rated = _task(n, n_trials, rng, **settings)
    steps = parameters[:, 3, None] * rng.standard_normal((n, n_trials))
    steps[:, 0] = 0.0
    shift = np.cumsum(steps, axis=1)
    rating = as_rating(_opinion(parameters, effect, noise) + shift)
    return Drawn(_trials(rating, effect, rated), _shift(shift, effect), np.empty((n, n_trials, 0), np.int64))


def run_sequential(parameters: Array, n_trials: int, rng: Generator, **settings: Any) -> Drawn:
    """Agents whom the previous prompt moves; the latent is by how much."""
    n = len(parameters)
    effect, noise, rated = _task(n, n_trials, rng, **settings)
    shift = parameters[:, 3, None] * previous_of(effect)
    rating = as_rating(_opinion(parameters, effect, noise) + shift)
    return Drawn(_trials(rating, effect, rated), _shift(shift, effect), np.empty((n, n_trials, 0), np.int64))


def run_lapse(parameters: Array, n_trials: int, rng: Generator, **settings: Any) -> Drawn:
    """Agents who at times do not attend; the latent is the state (0 lapsing, 1 engaged)."""
    n = len(parameters)
    effect, noise, rated = _task(n, n_trials, rng, **settings)
    lapse, recover = parameters[:, 3], parameters[:, 4]
    state = np.empty((n, n_trials), np.int64)
    engaged = rng.random(n) >= lapse
    for t in range(n_trials):
        state[:, t] = engaged
        engaged = np.where(engaged, rng.random(n) >= lapse, rng.random(n) < recover)
    anything = rng.integers(0, STEPS + 1, (n, n_trials)) / STEPS
    rating = np.where(state == ENGAGED, as_rating(_opinion(parameters, effect, noise)), anything)
    beyond = np.where(np.isnan(effect), -1, state)[:, :, None]
    return Drawn(_trials(rating, effect, rated), np.empty((n, n_trials, 0)), beyond)


def encode(trials: Trials) -> Array:
    """Columns rating, rating=0, rating=1 and effect."""
    rating, effect = trials["rating"], trials["effect"]
    return np.stack([rating, rating == 0, rating == 1, effect], axis=2)


def _task(
    n: int, n_trials: int, rng: Generator, *, noise: float = 1.0, effects: Any = None, rated: Any = None
) -> tuple[Array, Array, Mask]:
    """Effects, noise of sd ``noise``, and which trials get a rating, each (n, T)."""
    if not (np.isfinite(noise) and noise >= 0):
        raise LatentError(f"noise multiplies the noise of a model, it is a number from 0 on, not {noise}.")
    shape = (n, n_trials)
    given = rng.standard_normal(shape) if effects is None else np.asarray(effects, dtype=np.float64)
    there = np.ones(shape, dtype=bool) if rated is None else np.asarray(rated, dtype=bool)
    for name, values in (("effects", given), ("rated", there)):
        if values.shape != shape:
            raise LatentError(f"{name} needs the shape (agents, trials) = {shape}, not {values.shape}.")
    return given, noise * rng.standard_normal(shape), there & ~np.isnan(given)


def _opinion(parameters: Array, effect: Array, noise: Array) -> Array:
    level, slope, sigma = parameters[:, :3].T[:, :, None]
    return level + slope * effect + sigma * noise


def _trials(rating: Array, effect: Array, rated: Mask) -> dict[str, Array]:
    return {"rating": np.where(rated, rating, np.nan), "effect": effect}


def _shift(shift: Array, effect: Array) -> Array:
    """As a latent, NaN beyond an agent's end."""
    return np.where(np.isnan(effect), np.nan, shift)[:, :, None]


def _model(name: str, description: str, run: Any, own: tuple[Parameter, ...], **latents: Any) -> Model:
    return Model(
        name=name,
        version=1,
        description=description,
        source=SOURCE,
        parameters=(*_SHARED, *own),
        n_agents=9000,
        n_trials=150,
        continuous_names=latents.get("continuous", ()),
        discrete=latents.get("discrete", {}),
        input_names=INPUTS,
        columns=("rating", "effect"),
        run=run,
        encoder=encode,
        defaults=DEFAULTS,
    )


STATIC = _model("rating-static", "Ratings by people in whom nothing changes.", run_static, ())
DRIFT = _model(
    "rating-drift",
    "Ratings by people whose criterion is a random walk.",
    run_drift,
    (Parameter("tau", 1e-5, 0.3, LogNormal(0.008, 0.9), "standard deviation of the criterion's step a trial"),),
    continuous=("shift",),
)
SEQUENTIAL = _model(
    "rating-sequential",
    "Ratings by people whom the previous prompt pulls (assimilation) or pushes (contrast).",
    run_sequential,
    (Parameter("gamma", -1.0, 1.0, Normal(0.012, 0.025), "pull of the previous prompt per sd of its effect"),),
    continuous=("shift",),
)
LAPSE = _model(
    "rating-lapse",
    "Ratings by people who at times do not attend and rate at random.",
    run_lapse,
    (
        Parameter("lapse", 1e-5, 1 - 1e-5, Beta(1.0, 20.0), "probability of a lapse after an engaged trial"),
        Parameter("recover", 1e-5, 1 - 1e-5, Beta(2.0, 4.0), "probability of being engaged after a lapsing trial"),
    ),
    discrete={"state": 2},
)
RATING_MODELS: tuple[Model, ...] = (DRIFT, SEQUENTIAL, LAPSE)
"""Those with latents, for networks; :data:`STATIC` is what they are compared with."""
