"""A model whose posterior is known: a Gaussian random walk seen in noise, beside a two-state chain seen in noise.

x_1 ~ N(0, 1), x_t = x_{t−1} + N(0, STEP²), y_t = x_t + N(0, NOISE²)
s_1 ~ U{0, 1}, P(s_t = s_{t−1}) = STAY, e_t = ±1 + N(0, SPREAD²)
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from pluristats.latent.priors import Normal
from pluristats.latent.record import Array, Drawn, Model, Parameter, Trials

STEP, NOISE, STAY, SPREAD = 0.3, 0.8, 0.95, 1.5


def run(parameters: Array, n_trials: int, rng: Generator, *, noise: float = 1.0) -> Drawn:
    n = len(parameters)
    steps = rng.normal(0, STEP, (n, n_trials))
    steps[:, 0] = rng.normal(0, 1, n)
    walk = steps.cumsum(axis=1)
    change = rng.random((n, n_trials)) > STAY
    change[:, 0] = rng.random(n) > 0.5
    state = change.cumsum(axis=1) % 2
    trials = {
        "y": walk + rng.normal(0, NOISE * noise, (n, n_trials)),
        "e": 2.0 * state - 1 + rng.normal(0, SPREAD * noise, (n, n_trials)),
    }
    return Drawn(trials, walk[:, :, None], state[:, :, None])


def encode(trials: Trials) -> Array:
    return np.stack([trials["y"], trials["e"]], axis=2)


TOY = Model(
    name="toy",
    version=3,
    description="A random walk and a chain.",
    source="tests",
    parameters=(Parameter("unused", -9, 9, Normal(0, 1)),),
    n_agents=400,
    n_trials=60,
    continuous_names=("walk",),
    discrete={"state": 2},
    input_names=("y", "e"),
    columns=("y", "e"),
    run=run,
    encoder=encode,
)


def smoothed(y: Array) -> tuple[Array, Array]:
    """Mean and standard deviation of x given all y (T,), by the joint normal distribution: no recursion."""
    t = len(y)
    prior = 1 + STEP**2 * np.minimum.outer(np.arange(t), np.arange(t))
    gain = prior @ np.linalg.inv(prior + NOISE**2 * np.eye(t))
    return gain @ y, np.sqrt(np.diag(prior - gain @ prior))


def state_probability(e: Array) -> Array:
    """P(s_t = 1 | all e), (T,), by forward and backward recursions."""
    likelihood = np.exp(-0.5 * ((e[:, None] - np.array([-1.0, 1.0])) / SPREAD) ** 2)
    move = np.array([[STAY, 1 - STAY], [1 - STAY, STAY]])
    ahead, back = np.empty((len(e), 2)), np.ones((len(e), 2))
    ahead[0] = likelihood[0] / likelihood[0].sum()
    for t in range(1, len(e)):
        ahead[t] = (ahead[t - 1] @ move) * likelihood[t]
        ahead[t] /= ahead[t].sum()
    for t in range(len(e) - 2, -1, -1):
        back[t] = move @ (likelihood[t + 1] * back[t + 1])
        back[t] /= back[t].sum()
    both = ahead * back
    return both[:, 1] / both.sum(axis=1)
