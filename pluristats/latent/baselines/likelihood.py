"""Models with a tractable likelihood: its value, and the latents that parameters imply."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pluristats.errors import LatentError
from pluristats.latent.baselines.hmm import forward_backward
from pluristats.latent.baselines.inferred import Inferred
from pluristats.latent.record import Array, Ints, Mask, Model, Trials, fitting

TRACTABLE = ("rl4", "meta-rl")


def log_likelihood(model: Model, parameters: Array, trials: Trials, *, capped: bool = True) -> Array:
    """Log likelihood of each agent's choices given the rewards, shape (N,).

    Parameters
    ----------
    model
        ``rl4`` or ``meta-rl``.
    parameters
        Shape (N, P).
    trials
        Raw columns action and reward, each (N, T).
    capped
        Of meta-rl: whether α⁻ ends at 1, as in the simulator (the published likelihood: False).
    """
    return _run(model, parameters, trials, capped)[0]


def infer(model: Model, parameters: Array, trials: Trials, *, smooth: bool = True, capped: bool = True) -> Inferred:
    """Latents that parameters imply, given what was chosen and rewarded.

    Values are a function of choices and rewards. The state of meta-rl does not change what is learned, so that it is
    a hidden Markov chain with emissions ½ and π_t(a_t); its probabilities are exact.

    Parameters
    ----------
    model, parameters, trials, capped
        As in :func:`log_likelihood`.
    smooth
        Whether a state's probability knows all trials (forward-backward) or those up to its own (forward filter).
    """
    total, chosen, policy, mask = _run(model, parameters, trials, capped)
    probabilities: tuple[Array, ...] = ()
    if model.name == "meta-rl":
        probabilities = (_states(parameters, policy, mask, smooth),)
    continuous = chosen[:, :, None]
    return Inferred(
        "likelihood, " + ("smoothed" if smooth else "filtered"),
        continuous,
        np.where(np.isnan(continuous), np.nan, 0.0),
        model.continuous_names,
        probabilities,
        tuple(model.discrete),
        np.asarray(parameters),
        total,
        mask,
    )


def _states(parameters: Array, policy: Array, mask: Mask, smooth: bool) -> Array:
    """Probabilities of random and engaged, shape (N, T, 2)."""
    lapse, recover = parameters[:, -2], parameters[:, -1]
    transition = np.stack([1 - recover, recover, lapse, 1 - lapse], axis=1).reshape(-1, 2, 2)
    emission = np.stack([np.full(policy.shape, 0.5), np.where(mask, policy, 0.5)], axis=2)
    found = forward_backward(np.column_stack([lapse, 1 - lapse]), transition, np.log(emission))
    return found.smoothed if smooth else found.filtered


def kernel_of(model: Model) -> Callable[..., float]:
    """The compiled likelihood of a model."""
    if model.name not in TRACTABLE:
        raise LatentError(
            f"Model {model.name!r} has no likelihood in closed form here; those that have are {', '.join(TRACTABLE)} "
            "(glm-hmm: fit_glm_hmm; hrl and weber: filter_particles)."
        )
    from pluristats.latent.baselines import kernels

    return {"rl4": kernels.rl4, "meta-rl": kernels.meta_rl}[model.name]


def choices(trials: Trials) -> tuple[Ints, Ints]:
    """Actions and rewards as integers, -1 where either is missing."""
    action, reward = (_integers(trials, name) for name in ("action", "reward"))
    there = (action >= 0) & (reward >= 0)
    return np.where(there, action, -1), np.where(there, reward, -1)


def _integers(trials: Trials, name: str) -> Ints:
    values: NDArray[Any] = np.asarray(trials[name])
    whole = np.where(np.isnan(values), -1, values).astype(np.int64)
    if values.ndim != 2 or not np.isin(whole, (-1, 0, 1)).all() or (whole != np.where(whole < 0, whole, values)).any():
        raise LatentError(
            f"Column {name!r} must have shape (agents, trials) and hold 0, 1 or, where missing, -1 or NaN."
        )
    return whole


def _run(model: Model, parameters: Array, trials: Trials, capped: bool) -> tuple[Array, Array, Array, Mask]:
    kernel, (action, reward) = kernel_of(model), choices(trials)
    theta = fitting(model, parameters, len(action))
    chosen, policy = np.empty(action.shape), np.full(action.shape, np.nan)
    agents = zip(theta, action, reward, chosen, policy, strict=True)
    total = np.array([kernel(p, a, r, capped, c, e) for p, a, r, c, e in agents])
    return total, chosen, policy, action >= 0
