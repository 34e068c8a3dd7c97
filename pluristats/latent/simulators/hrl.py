r"""Hierarchical reinforcement learning: which of three cues to follow, when only the side chosen is seen.

    P(c_t = c) ∝ exp(β Q_t(c)),   Q_1 = ⅓,   a_t = the side to which arrow c_t points
    Q_{t+1}(c_t) = Q_t(c_t) + α (r_t − Q_t(c_t)),   Q_{t+1}(c) = Q_t(c) + α ((1 − r_t) − Q_t(c)) for the other cues

A trial is rewarded with probability 0.9 when a_t is the side of the correct cue's arrow, 0.1 otherwise; after more than
10 trials the correct cue becomes another one with probability 0.05 a trial (:class:`HazardReversal`). Latents: the
chosen cue, and its value before its update. Which cue was chosen is not seen, so that the likelihood sums over 3^T
paths.

Source: LaseNet (Pan et al. 2025), HRL, public simulation code, whose stickiness and slips are 0 in what is published.
Arrows are its five patterns, equally likely (there shuffled in equal numbers); the first correct cue is any (there the
second). Side 1 is left, 0 right.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from pluristats.latent.priors import Uniform
from pluristats.latent.record import Array, Drawn, Ints, Model, Parameter, Trials
from pluristats.latent.simulators.tasks import HazardReversal, check_noise, raw, signs

N_CUES = 3
# Which arrows point left.
PATTERNS = np.array([[0, 1, 0], [1, 0, 1], [0, 0, 1], [0, 1, 1], [1, 0, 0]], dtype=np.int64)
ARROWS = tuple(f"arrow{k}" for k in range(N_CUES))


def run(parameters: Array, n_trials: int, rng: Generator, *, noise: float = 1.0) -> Drawn:
    """Simulate agents; ``noise`` multiplies the softmax' temperature 1/β.

    Parameters
    ----------
    parameters
        Shape (N, 2): alpha, beta.
    n_trials
        T.
    rng
        Random numbers.
    noise
        1 is the model.
    """
    alpha, beta = parameters.T
    beta = beta / check_noise(noise)
    n, agent = len(parameters), np.arange(len(parameters))
    arrows = PATTERNS[rng.integers(0, len(PATTERNS), (n, n_trials))]
    actions, rewards, better = raw(n, n_trials), raw(n, n_trials), raw(n, n_trials)
    cues, chosen = np.empty((n, n_trials, 1), np.int64), np.empty((n, n_trials, 1))
    task, q = HazardReversal.start(n, rng, k=N_CUES, p=0.9, hazard=0.05, least=10), np.full((N_CUES, n), 1 / N_CUES)
    for t in range(n_trials):
        cue = choose(softmax(beta * q), rng)
        action = arrows[agent, t, cue]
        better[:, t] = task.better
        reward = task.reward(action == arrows[agent, t, task.better], rng)
        actions[:, t], rewards[:, t], cues[:, t, 0], chosen[:, t, 0] = action, reward, cue, q[cue, agent]
        q = update(q, cue, reward, alpha)
    trials = {"action": actions, "reward": rewards, "better": better}
    trials |= {name: arrows[:, :, k].copy() for k, name in enumerate(ARROWS)}
    return Drawn(trials, chosen, cues)


def update(q: Array, cue: Ints, reward: Ints, alpha: Array) -> Array:
    """Values after a trial: Q of shape (3, …), all else of shape (…) or to be broadcast to it."""
    options = np.arange(N_CUES).reshape(N_CUES, *[1] * (q.ndim - 1))
    return q + alpha * (np.where(options == cue, reward, 1 - reward) - q)


def softmax(x: Array) -> Array:
    """exp(x_k) / Σ_j exp(x_j) over the first axis."""
    e = np.exp(x - x.max(axis=0))
    return e / e.sum(axis=0)


def choose(p: Array, rng: Generator) -> Ints:
    """One of K options by probabilities that stand in the first axis."""
    # The last option takes what rounding leaves.
    return (rng.random(p.shape[1:]) >= np.cumsum(p[:-1], axis=0)).sum(axis=0)


def encode(trials: Trials) -> Array:
    """Columns side=right, side=left, reward, and of each cue its arrow, whether its side was chosen, and that × reward.

    All but the first three are signs: +1 for left, for the chosen side, and for a rewarded choice of the cue's side or
    an unrewarded one of the other.
    """
    action, reward = signs(trials["action"]), signs(trials["reward"])
    arrows = [signs(trials[name]) for name in ARROWS]
    followed = [action * arrow for arrow in arrows]
    speaks_for = [reward * one for one in followed]
    return np.stack([action < 0, action > 0, reward > 0, *arrows, *followed, *speaks_for], axis=2).astype(np.float64)


MODEL = Model(
    name="hrl",
    version=1,
    description="Reinforcement learning of which of three cues to follow, when only the side chosen is seen.",
    source="LaseNet (Pan et al. 2025), HRL",
    parameters=(
        Parameter("alpha", 0.01, 1, Uniform(0.4, 0.7), "learning rate, also for the cues that were not chosen"),
        Parameter("beta", 0.1, 20, Uniform(1, 10), "inverse temperature of the softmax over cues"),
    ),
    n_agents=9000,
    n_trials=720,
    continuous_names=("chosen_q",),
    discrete={"cue": N_CUES},
    input_names=(
        "side=right",
        "side=left",
        "reward",
        *ARROWS,
        *(f"followed{k}" for k in range(N_CUES)),
        *(f"followed{k}*reward" for k in range(N_CUES)),
    ),
    columns=("action", "reward", *ARROWS),
    run=run,
    encoder=encode,
)
