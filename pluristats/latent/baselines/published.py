r"""The particle filter of hierarchical RL as it was published, to say what a comparison with it is worth.

Unlike :func:`filter_particles` it is no filter of the model's posterior (LaseNet, Pan et al. 2025, public code):

- cues are drawn from the softmax and weighted by it again: w ← w · π(c) / (1 − π(u)) where the side is not that of the
  arrow u that points to a side alone, w ← w where it is; 0 where arrow c points to the other side;
- values are learned by every particle's own cue, also one that contradicts the side;
- resampling takes the cues and leaves the values with the particles they were with, so that values are never selected;
- weights that are all 0 begin anew as equal ones.
"""

from __future__ import annotations

import numpy as np

from pluristats.errors import LatentError
from pluristats.latent.baselines.inferred import Inferred
from pluristats.latent.baselines.likelihood import choices
from pluristats.latent.baselines.particles import systematic
from pluristats.latent.record import Array, Ints, Mask, Trials
from pluristats.latent.simulators import hrl


def filter_hrl_published(parameters: Array, trials: Trials, *, n_particles: int = 1000, seed: int = 0) -> Inferred:
    """Chosen cues and values by the published particle filter with given parameters.

    Parameters
    ----------
    parameters
        Shape (N, 2): alpha, beta.
    trials
        Raw columns action, reward, arrow0, arrow1, arrow2, each (N, T).
    n_particles
        Published: 1000.
    seed
        The same seed, agents and particles give the same numbers.

    Returns
    -------
    Inferred
        The cue's probabilities are taken after resampling, as published; the value is Σ w Q(c) before it (there is none
        in the published code). Without a likelihood: NaN.

    Raises
    ------
    LatentError
        All arrows of a trial point to one side, for which the weights are not defined.
    """
    mask, (action, reward) = hrl.MODEL.encode(trials).mask, choices(trials)
    arrows = np.stack([np.asarray(trials[name]) for name in hrl.ARROWS], axis=2)
    alone = _alone(arrows, mask)
    alpha, beta = (np.asarray(parameters, dtype=np.float64)[:, k, None] for k in range(2))
    (n, n_trials), rng = action.shape, np.random.default_rng(seed)
    q, weight = np.full((3, n, n_particles), 1 / 3), np.full((n, n_particles), 1 / n_particles)
    moments, probabilities = np.full((n, n_trials, 2), np.nan), np.full((n, n_trials, 3), 1 / 3)
    for t in range(n_trials):
        policy = hrl.softmax(beta * q)
        cue = hrl.choose(policy, rng)
        there, value = mask[:, t, None], np.take_along_axis(q, cue[None], axis=0)[0]
        new = _weigh(weight, policy, cue, arrows[:, t], action[:, t, None], alone[:, t, None])
        moment = np.stack([(new * value).sum(axis=1), (new * value**2).sum(axis=1)], axis=1)
        q = np.where(there, hrl.update(q, cue, reward[:, t, None], alpha), q)
        few = 1 / (new**2).sum(axis=1, keepdims=True) < n_particles / 2
        cue = np.where(few, np.take_along_axis(cue, systematic(new, rng), axis=1), cue)
        new = np.where(few, 1 / n_particles, new)
        found = np.stack([(new * (cue == k)).sum(axis=1) for k in range(hrl.N_CUES)], axis=1)
        weight = np.where(there, new, weight)
        moments[:, t], probabilities[:, t] = np.where(there, moment, np.nan), np.where(there, found, 1 / hrl.N_CUES)
    mean = moments[:, :, :1]
    return Inferred(
        f"particle filter as published, {n_particles} particles",
        mean,
        np.sqrt(np.maximum(moments[:, :, 1:] - mean**2, 0)),
        hrl.MODEL.continuous_names,
        (probabilities,),
        tuple(hrl.MODEL.discrete),
        np.asarray(parameters),
        np.full(n, np.nan),
        mask,
    )


def _weigh(weight: Array, policy: Array, cue: Ints, arrows: Ints, side: Ints, alone: Ints) -> Array:
    """Published weights, shape (N, M); policy (3, N, M), cue (N, M), arrows (N, 3), side and alone (N, 1)."""
    fits = np.take_along_axis(arrows, cue, axis=1) == side
    drawn = np.take_along_axis(policy, cue[None], axis=0)[0]
    left = 1 - np.take_along_axis(policy, np.broadcast_to(alone, cue.shape)[None], axis=0)[0]
    by_policy = drawn / np.where(fits, np.maximum(left, drawn), 1.0)
    new = weight * np.where(fits, np.where(np.take_along_axis(arrows, alone, axis=1) == side, 1.0, by_policy), 0.0)
    total = new.sum(axis=1, keepdims=True)
    return np.where(total > 0, new / np.where(total > 0, total, 1.0), 1 / weight.shape[1])


def _alone(arrows: Ints, mask: Mask) -> Ints:
    """Which arrow points to a side that no other points to, shape (N, T); 0 in a missing trial."""
    left = (arrows == 1).sum(axis=2)
    equal = mask & ((left == 0) | (left == hrl.N_CUES))
    if equal.any():
        agent, trial = np.argwhere(equal)[0]
        raise LatentError(
            f"All arrows of trial {trial} of agent {agent} point to one side, for which the published filter has no "
            "weights; use filter_particles."
        )
    return np.where(mask, np.argmax(arrows == (left == 1)[:, :, None], axis=2), 0)
