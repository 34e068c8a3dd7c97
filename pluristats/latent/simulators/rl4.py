r"""Four-parameter reinforcement learning on a probabilistic reversal task.

    P(a_t = a) ∝ exp(β (Q_t(a) + κ 1[a = a_{t−1}])),   Q_1 = ½
    Q_{t+1}(a_t) = Q_t(a_t) + α_r (r_t − Q_t(a_t)),   Q_{t+1}(b) = Q_t(b) + α_r ((1 − r_t) − Q_t(b)) for the other b

α_r is α⁺ after a reward and α⁻ after none; there is no κ in the first trial. The latent is the chosen action's value
before it is updated, Q_t(a_t) = r_t − RPE_t. The task: :class:`RewardReversal` with p = 0.8 and lengths 15 + U{0..5}.

Source: LaseNet (Pan, Li, Thompson & Collins 2025, Behavior Research Methods 57:272), public simulation code.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from scipy.special import expit

from pluristats.latent.priors import Beta, Uniform
from pluristats.latent.record import Array, Drawn, Model, Parameter, Prior, Trials
from pluristats.latent.simulators.tasks import RewardReversal, before, check_noise, raw, signs

# What the published MAP fits assume; they are not what the published agents are drawn from.
PUBLISHED_PRIORS: dict[str, Prior] = {
    "alpha_plus": Beta(8, 3),
    "alpha_minus": Uniform(0.5, 1),
    "stick": Uniform(0, 0.5),
}


def run(parameters: Array, n_trials: int, rng: Generator, *, noise: float = 1.0) -> Drawn:
    """Simulate agents; ``noise`` multiplies the softmax' temperature 1/β.

    Parameters
    ----------
    parameters
        Shape (N, 4): beta, alpha_plus, alpha_minus, stick.
    n_trials
        T.
    rng
        Random numbers.
    noise
        1 is the model.
    """
    beta, alpha_plus, alpha_minus, stick = parameters.T
    beta = beta / check_noise(noise)
    n, agent = len(parameters), np.arange(len(parameters))
    actions, rewards, better, chosen = raw(n, n_trials), raw(n, n_trials), raw(n, n_trials), np.empty((n, n_trials, 1))
    task, q, repeat = RewardReversal.start(n, rng), np.full((n, 2), 0.5), np.zeros(n)
    for t in range(n_trials):
        # ``repeat`` is +κ after action 1, −κ after action 0.
        action = (rng.random(n) < expit(beta * (q[:, 1] - q[:, 0] + repeat))).astype(np.int64)
        better[:, t] = task.better
        reward = task.reward(action, rng)
        actions[:, t], rewards[:, t], chosen[:, t, 0] = action, reward, q[agent, action]
        target = np.where(np.arange(2) == action[:, None], reward[:, None], 1 - reward[:, None])
        q = q + np.where(reward == 1, alpha_plus, alpha_minus)[:, None] * (target - q)
        repeat = np.where(action == 1, stick, -stick)
    trials = {"action": actions, "reward": rewards, "better": better}
    return Drawn(trials, chosen, np.empty((n, n_trials, 0), np.int64))


INPUTS = ("action=0", "action=1", "reward", "side*reward", "stay", "won before", "stay*won before")


def encode(trials: Trials) -> Array:
    """Columns of :data:`INPUTS`: the published three, and their products as signs.

    side*reward is +1 where a reward favours action 1; stay is +1 where the previous action is repeated, −1 where it
    is not; won before is +1 after a reward, −1 after none. A network could learn products too, at
    the price of more training.
    """
    action, reward = signs(trials["action"]), signs(trials["reward"])
    stay, won = action * before(action), before(reward)
    return np.stack([action < 0, action > 0, reward > 0, action * reward, stay, won, stay * won], axis=2).astype(
        np.float64
    )


MODEL = Model(
    name="rl4",
    version=1,
    description="Four-parameter reinforcement learning on a probabilistic reversal task.",
    source="LaseNet (Pan et al. 2025), 4-P RL",
    parameters=(
        Parameter("beta", 1e-4, 10, Uniform(1e-4, 10), "inverse temperature of the softmax"),
        Parameter("alpha_plus", 1e-4, 1, Uniform(1e-4, 1), "learning rate after a reward"),
        Parameter("alpha_minus", 1e-4, 1, Uniform(1e-4, 1), "learning rate after no reward"),
        Parameter("stick", 0, 1, Uniform(0, 1), "value added to the last action"),
    ),
    n_agents=9000,
    n_trials=500,
    continuous_names=("chosen_q",),
    discrete={},
    input_names=INPUTS,
    columns=("action", "reward"),
    run=run,
    encoder=encode,
)
