r"""Meta-learning of the learning rate with dynamic noise: an agent is engaged or chooses at random.

    P(a_t = R | engaged) = 1 / (1 + exp(β (Q_t(L) − Q_t(R) + bias))),   P(a_t = R | random) = ½,   Q_1 = ½, e_1 = 0
    v = |r − Q(a)| − e,   e ← e + α_v v
    α⁻ ← clip(φ (v + α⁻_0) + (1 − φ) α⁻, 0, 1)   when r < Q(a)
    Q(a) ← Q(a) + α_r (r − Q(a)) (1 − e),   Q(b) ← forget · Q(b) for the other b

with v from the old e and the update of Q with the new one. The state moves engaged → random with probability lapse
and random → engaged with probability recover after each trial; the agent learns in both. Latents: the chosen action's
value before its update, and the state (0 random, 1 engaged). Action 0 is left, 1 right.

Source: Li, Shi, Li & Collins (2024), J. Math. Psychol. 119:102842, model of Grossman, Bari & Cohen (2022), public code;
LaseNet's "Meta RL". Two of its habits are not kept, so that the likelihood in ``baselines`` is that of this simulator:
the published simulator caps α⁻ at 1 and the published likelihood does not (here both do); the published simulator
starts engaged and the published likelihood with probabilities (lapse, 1 − lapse) (here both do the latter).

The published agents are simulated from mice's fits and reward schedules, which are not bundled. The priors are ours:
wide, within the published bounds, with states that last (lapse and recover below 0.1 mostly). The task is ours too, in
the manner of the mice's: :class:`Foraging`.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from scipy.special import expit

from pluristats.latent.priors import Beta, Uniform
from pluristats.latent.record import Array, Drawn, Model, Parameter
from pluristats.latent.simulators.rl4 import INPUTS, encode
from pluristats.latent.simulators.tasks import Foraging, check_noise, raw


def run(parameters: Array, n_trials: int, rng: Generator, *, noise: float = 1.0) -> Drawn:
    """Simulate agents; ``noise`` multiplies the probability of a lapse, up to 1.

    Parameters
    ----------
    parameters
        Shape (N, 9): alpha_minus, alpha_plus, beta, forget, bias, alpha_v, phi, lapse, recover.
    n_trials
        T.
    rng
        Random numbers.
    noise
        1 is the model.
    """
    first, alpha_plus, beta, forget, bias, alpha_v, phi, lapse, recover = parameters.T
    lapse = np.minimum(lapse * check_noise(noise), 1.0)
    n, agent = len(parameters), np.arange(len(parameters))
    actions, rewards, states = raw(n, n_trials), raw(n, n_trials), np.empty((n, n_trials, 1), np.int64)
    chosen = np.empty((n, n_trials, 1))
    task, q, e, alpha_minus = Foraging.start(n, rng), np.full((n, 2), 0.5), np.zeros(n), first.copy()
    engaged = rng.random(n) >= lapse
    for t in range(n_trials):
        right = np.where(engaged, expit(-beta * (q[:, 0] - q[:, 1] + bias)), 0.5)
        action = (rng.random(n) < right).astype(np.int64)
        reward = task.reward(action, rng)
        value = q[agent, action]
        actions[:, t], rewards[:, t], chosen[:, t, 0], states[:, t, 0] = action, reward, value, engaged
        v = np.abs(reward - value) - e
        e = e + alpha_v * v
        learned = np.clip(phi * (v + first) + (1 - phi) * alpha_minus, 0, 1)
        alpha_minus = np.where(reward < value, learned, alpha_minus)
        q[agent, action] = value + np.where(reward == 1, alpha_plus, alpha_minus) * (reward - value) * (1 - e)
        q[agent, 1 - action] *= forget
        engaged = np.where(engaged, rng.random(n) >= lapse, rng.random(n) < recover)
    return Drawn({"action": actions, "reward": rewards}, chosen, states)


MODEL = Model(
    name="meta-rl",
    version=1,
    description="Reinforcement learning that learns its learning rate, by agents that are engaged or choose at random.",
    source="Li, Shi, Li & Collins (2024); LaseNet (Pan et al. 2025), Meta RL",
    parameters=(
        Parameter("alpha_minus", 1e-6, 1, Uniform(0.05, 0.95), "first learning rate after no reward, α⁻_0"),
        Parameter("alpha_plus", 1e-6, 1, Uniform(0.05, 0.95), "learning rate after a reward"),
        Parameter("beta", 1e-6, 20, Uniform(2, 15), "inverse temperature when engaged"),
        Parameter("forget", 1e-6, 1, Uniform(0.3, 1), "share of the other action's value that is kept"),
        Parameter("bias", -1, 1, Uniform(-0.3, 0.3), "towards left"),
        Parameter("alpha_v", 1e-6, 1, Uniform(0.01, 0.5), "learning rate of the expected error e"),
        Parameter("phi", 1e-6, 1, Uniform(0.01, 0.9), "rate at which α⁻ follows surprise"),
        Parameter("lapse", 1e-6, 1, Beta(2, 50), "probability of engaged → random"),
        Parameter("recover", 1e-6, 1, Beta(2, 30), "probability of random → engaged"),
    ),
    n_agents=9000,
    n_trials=720,
    continuous_names=("chosen_q",),
    discrete={"state": 2},
    input_names=INPUTS,
    columns=("action", "reward"),
    run=run,
    encoder=encode,
)
