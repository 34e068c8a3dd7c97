r"""Learning with imprecise updates: noise in proportion to the size of the update (Weber's law).

    P(a_t = a) ∝ exp(β Q_t(a)),   Q_1 = ½
    δ_t(a_t) = r_t − Q_t(a_t),   δ_t(b) = (1 − r_t) − Q_t(b) for the other b
    Q_{t+1}(a) = clip(Q_t(a) + α δ_t(a) + ζ |α δ_t(a)| ε_t(a), 0, 1),   ε_t(a) ~ N(0, 1)

The noise goes on into all later values, so that the likelihood is an integral over paths. Values are expected rewards
and stay within 0 and 1. The latent is the chosen action's value before its update. The task: the better of two actions
is rewarded with probability 0.9, the other with 0.1, and they change places with probability 0.03 a trial.

Source and what is ours: Weber imprecision is the noise law of Findling, Skvortsova, Dromnelle, Palminteri & Wyart
(2019), Nat. Neurosci. 22:2066 (noise in updates of values), which Findling, Chopin & Koechlin (2021), Nat. Hum. Behav.
5:99, take to beliefs about which action is right (noise μ + λ |change of belief|, rates of switching and reward as
here). LaseNet (Pan et al. 2025) names a "Weber-imprecision" model of 6,000 agents and 300 trials, whose simulator
is not public. This is the form in values, without a floor of noise; the priors are ours, and figures cannot be compared
with the published ones.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from scipy.special import expit

from pluristats.latent.priors import Uniform
from pluristats.latent.record import Array, Drawn, Ints, Model, Parameter
from pluristats.latent.simulators.rl4 import INPUTS, encode
from pluristats.latent.simulators.tasks import HazardReversal, check_noise, raw


def run(parameters: Array, n_trials: int, rng: Generator, *, noise: float = 1.0) -> Drawn:
    """Simulate agents; ``noise`` multiplies ζ.

    Parameters
    ----------
    parameters
        Shape (N, 3): alpha, beta, zeta.
    n_trials
        T.
    rng
        Random numbers.
    noise
        1 is the model.
    """
    alpha, beta, zeta = parameters.T
    zeta = zeta * check_noise(noise)
    n, agent = len(parameters), np.arange(len(parameters))
    actions, rewards, better = raw(n, n_trials), raw(n, n_trials), raw(n, n_trials)
    chosen = np.empty((n, n_trials, 1))
    task, q = HazardReversal.start(n, rng, k=2, p=0.9, hazard=0.03, least=0), np.full((2, n), 0.5)
    for t in range(n_trials):
        action = (rng.random(n) < expit(beta * (q[1] - q[0]))).astype(np.int64)
        better[:, t] = task.better
        reward = task.reward(action == task.better, rng)
        actions[:, t], rewards[:, t], chosen[:, t, 0] = action, reward, q[action, agent]
        q = update(q, action, reward, alpha, zeta, rng)
    return Drawn({"action": actions, "reward": rewards, "better": better}, chosen, np.empty((n, n_trials, 0), np.int64))


def update(q: Array, action: Ints, reward: Ints, alpha: Array, zeta: Array, rng: Generator) -> Array:
    """Values after a trial: Q of shape (2, …), all else of shape (…) or to be broadcast to it."""
    options = np.arange(2).reshape(2, *[1] * (q.ndim - 1))
    step = alpha * (np.where(options == action, reward, 1 - reward) - q)
    return np.clip(q + step + zeta * np.abs(step) * rng.standard_normal(q.shape), 0.0, 1.0)


MODEL = Model(
    name="weber",
    version=1,
    description="Reinforcement learning whose updates are noisy in proportion to their size.",
    source="Findling et al. (2019, 2021), form in values; LaseNet (Pan et al. 2025), Weber-imprecision",
    parameters=(
        Parameter("alpha", 0.01, 1, Uniform(0.1, 0.9), "learning rate"),
        Parameter("beta", 0.1, 20, Uniform(2, 10), "inverse temperature of the softmax"),
        Parameter("zeta", 0, 3, Uniform(0.2, 1.5), "Weber fraction: sd of an update's noise over its size"),
    ),
    n_agents=6000,
    n_trials=300,
    continuous_names=("chosen_q",),
    discrete={},
    input_names=INPUTS,
    columns=("action", "reward"),
    run=run,
    encoder=encode,
)
