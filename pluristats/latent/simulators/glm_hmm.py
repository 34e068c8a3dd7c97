r"""Choices by a logistic regression whose weights depend on a hidden state: engaged, biased to left, biased to right.

    P(a_t = 1 | z_t = k) = 1 / (1 + exp(−x_t'w_k)),   P(z_{t+1} = l | z_t = k) = A_kl,   z_1 uniform
    x_t = (stimulus, ½, previous choice, wsls)

The previous choice is +1 after action 1 (right), −1 after 0 (left); win-stay-lose-switch is the previous choice after a
reward and minus it after none; both are 0 where there is no previous trial or it is missing. A choice on the stimulus'
side is rewarded, one at stimulus 0 never. The latent is the state (0 engaged, 1 left-biased, 2 right-biased).

Source: Ashwood et al. (2022), Nat. Neurosci. 25:201; LaseNet (Pan et al. 2025), public simulation code: 11 stimulus
levels, the bias column ½, weights ~ N(m, 1) an agent, never rewarded at 0. Its third row of transitions sums to 1.01
(.04, .01, .96) and is normalised when used; here it is normalised too, to (.0396, .0099, .9505). It draws a first
previous choice and wsls at random; here they are 0, as in data that begin.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator
from scipy.special import expit

from pluristats.errors import LatentError
from pluristats.latent.priors import Normal
from pluristats.latent.record import Array, Drawn, Model, Parameter, Trials
from pluristats.latent.simulators.hrl import choose
from pluristats.latent.simulators.tasks import before, check_noise, raw, signs

STIMULI = np.array([-1, -0.5, -0.25, -0.125, -0.0625, 0, 0.0625, 0.125, 0.25, 0.5, 1])
_SHARES = np.array([0.15, 0.1, 0.1, 0.06, 0.06, 0.06, 0.06, 0.06, 0.1, 0.1, 0.15])
STATES = ("engaged", "left", "right")
REGRESSORS = ("stimulus", "bias", "previous", "wsls")
BIAS = 0.5
WEIGHT_MEANS = np.array([[6, 0, 0.1, 0], [0.5, -3, 0.1, 0], [0.5, 3, 0.1, 0]])
PUBLISHED_TRANSITIONS = np.array([[0.98, 0.01, 0.01], [0.04, 0.94, 0.02], [0.04, 0.01, 0.96]])
TRANSITIONS = PUBLISHED_TRANSITIONS / PUBLISHED_TRANSITIONS.sum(axis=1, keepdims=True)


def run(
    parameters: Array, n_trials: int, rng: Generator, *, noise: float = 1.0, transitions: Any = TRANSITIONS
) -> Drawn:
    """Simulate agents; ``noise`` divides all weights.

    Parameters
    ----------
    parameters
        Shape (N, 12): the weights of each state in turn.
    n_trials
        T.
    rng
        Random numbers.
    noise
        1 is the model.
    transitions
        Shape (3, 3), rows summing to 1.
    """
    matrix = check_transitions(transitions)
    n = len(parameters)
    weights = parameters.reshape(n, 3, 4) / check_noise(noise)
    stimulus = STIMULI[rng.choice(len(STIMULI), (n, n_trials), p=_SHARES)]
    actions, rewards, states = raw(n, n_trials), raw(n, n_trials), np.empty((n, n_trials, 1), np.int64)
    agent, previous, wsls, state = np.arange(n), np.zeros(n), np.zeros(n), rng.integers(0, 3, n)
    for t in range(n_trials):
        x = np.column_stack([stimulus[:, t], np.full(n, BIAS), previous, wsls])
        action = (rng.random(n) < expit((x * weights[agent, state]).sum(axis=1))).astype(np.int64)
        reward = (np.sign(stimulus[:, t]) == 2 * action - 1).astype(np.int64)
        actions[:, t], rewards[:, t], states[:, t, 0] = action, reward, state
        previous = 2.0 * action - 1
        wsls = previous * (2 * reward - 1)
        state = choose(matrix[state].T, rng)
    return Drawn({"stimulus": stimulus, "action": actions, "reward": rewards}, np.empty((n, n_trials, 0)), states)


def design(trials: Trials) -> Array:
    """Regressors x_t of raw columns stimulus, action and reward, shape (N, T, 4); 0 for a missing stimulus."""
    action, reward = signs(trials["action"]), signs(trials["reward"])
    stimulus = np.nan_to_num(np.asarray(trials["stimulus"], dtype=np.float64))
    previous = np.where(reward != 0, action, 0.0)
    wsls = previous * reward
    return np.stack([stimulus, np.full(action.shape, BIAS), before(previous), before(wsls)], axis=2)


INPUTS = ("stimulus", "action=0", "action=1", "previous", "wsls", "side*stimulus", "side*previous", "side*wsls")


def encode(trials: Trials) -> Array:
    """Columns of :data:`INPUTS`; side is the action as a sign, whose products with x_t are what a likelihood sees."""
    x, side = design(trials), signs(trials["action"])
    stimulus, previous, wsls = x[:, :, 0], x[:, :, 2], x[:, :, 3]
    products = (side * stimulus, side * previous, side * wsls)
    return np.stack([stimulus, side < 0, side > 0, previous, wsls, *products], axis=2).astype(np.float64)


def check_transitions(transitions: Any) -> Array:
    """A transition matrix of the three states."""
    matrix = np.asarray(transitions, dtype=np.float64)
    if matrix.shape != (3, 3) or not (matrix >= 0).all() or not np.allclose(matrix.sum(axis=1), 1):
        raise LatentError(
            "transitions is a 3 x 3 matrix of probabilities, rows summing to 1 (the published third row sums to 1.01; "
            "glm_hmm.TRANSITIONS is normalised)."
        )
    return matrix


MODEL = Model(
    name="glm-hmm",
    version=1,
    description="Logistic choices with weights that depend on a hidden state: engaged, left-biased, right-biased.",
    source="Ashwood et al. (2022); LaseNet (Pan et al. 2025), GLM-HMM",
    parameters=tuple(
        Parameter(f"{state}_{name}", -20, 20, Normal(float(mean), 1), f"weight of {name} when {state}")
        for state, means in zip(STATES, WEIGHT_MEANS, strict=True)
        for name, mean in zip(REGRESSORS, means, strict=True)
    ),
    n_agents=9000,
    n_trials=720,
    continuous_names=(),
    discrete={"state": 3},
    input_names=INPUTS,
    columns=("stimulus", "action", "reward"),
    run=run,
    encoder=encode,
    defaults={"noise": 1.0, "transitions": tuple(map(tuple, TRANSITIONS.tolist()))},
)
