"""What agents are rewarded for: contingencies that change without notice. One agent a row, one call a trial."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from pluristats.errors import LatentError
from pluristats.latent.record import Array, Ints


def raw(n_agents: int, n_trials: int) -> Ints:
    """An empty raw column, -1 everywhere."""
    return np.full((n_agents, n_trials), -1, dtype=np.int64)


def signs(column: Any) -> Array:
    """+1 for 1, −1 for 0, and 0 for a missing trial (negative), shape (N, T)."""
    values = np.asarray(column)
    return np.where(values >= 0, 2.0 * values - 1, 0.0)


def before(column: Array) -> Array:
    """The previous trial's value, 0 for the first, shape (N, T)."""
    return np.hstack([np.zeros((len(column), 1)), column[:, :-1]])


def check_noise(noise: Any) -> float:
    """The factor of a model's noise, which must be positive."""
    if not (isinstance(noise, int | float) and np.isfinite(noise) and noise > 0):
        raise LatentError(f"noise is a positive factor of the model's own noise level (1 is the model), not {noise!r}.")
    return float(noise)


@dataclass
class RewardReversal:
    """Two actions; the better one changes after a number of rewards.

    The better action is rewarded with probability ``p``, the other with 1 − p. After a rewarded trial with which the
    rewards since the last reversal reach a length, they change places and the next length is drawn: ``least`` + U{0,
    …, ``spread``}.
    """

    better: Ints
    length: Ints
    rewards: Ints
    p: float
    least: int
    spread: int

    @classmethod
    def start(cls, n: int, rng: Generator, *, p: float = 0.8, least: int = 15, spread: int = 5) -> RewardReversal:
        """Either action is the better one first."""
        return cls(
            rng.integers(0, 2, n), least + rng.integers(0, spread + 1, n), np.zeros(n, np.int64), p, least, spread
        )

    def reward(self, action: Ints, rng: Generator) -> Ints:
        """0 or 1 an agent, and what follows from it."""
        reward = np.where(rng.random(len(action)) < self.p, action == self.better, action != self.better).astype(
            np.int64
        )
        self.rewards = self.rewards + reward
        turn = (reward == 1) & (self.rewards >= self.length)
        self.better = np.where(turn, 1 - self.better, self.better)
        self.rewards = np.where(turn, 0, self.rewards)
        self.length = np.where(turn, self.least + rng.integers(0, self.spread + 1, len(action)), self.length)
        return reward


@dataclass
class HazardReversal:
    """K options, of which one is the better; with probability ``hazard`` a trial it becomes another, equally likely.

    Not before more than ``least`` trials since the last change.
    """

    better: Ints
    since: Ints
    k: int
    p: float
    hazard: float
    least: int

    @classmethod
    def start(cls, n: int, rng: Generator, *, k: int, p: float, hazard: float, least: int) -> HazardReversal:
        """Any option is the better one first."""
        return cls(rng.integers(0, k, n), np.zeros(n, np.int64), k, p, hazard, least)

    def reward(self, right: NDArray[np.bool_], rng: Generator) -> Ints:
        """0 or 1 an agent: with probability p where the agent did right, 1 − p elsewhere."""
        reward = (rng.random(len(right)) < np.where(right, self.p, 1 - self.p)).astype(np.int64)
        turn = (self.since > self.least) & (rng.random(len(right)) < self.hazard)
        other = (self.better + rng.integers(1, self.k, len(right))) % self.k
        self.better = np.where(turn, other, self.better)
        self.since = np.where(turn, 1, self.since + 1)
        return reward


@dataclass
class Foraging:
    """Two sides, each with a reward probability of its own in blocks of its own.

    A block lasts 20 + U{0, …, 15} trials; its probability is one of ``levels``, equally likely.
    """

    p: Array
    left: Ints
    levels: Array

    @classmethod
    def start(cls, n: int, rng: Generator, *, levels: tuple[float, ...] = (0.1, 0.5, 0.9)) -> Foraging:
        """Both sides begin a block."""
        values = np.array(levels)
        return cls(values[rng.integers(0, len(values), (n, 2))], 20 + rng.integers(0, 16, (n, 2)), values)

    def reward(self, action: Ints, rng: Generator) -> Ints:
        """0 or 1 an agent."""
        reward = (rng.random(len(action)) < self.p[np.arange(len(action)), action]).astype(np.int64)
        self.left = self.left - 1
        ended = self.left == 0
        self.p = np.where(ended, self.levels[rng.integers(0, len(self.levels), self.p.shape)], self.p)
        self.left = np.where(ended, 20 + rng.integers(0, 16, self.p.shape), self.left)
        return reward
