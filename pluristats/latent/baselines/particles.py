"""A particle filter for latents whose likelihood is an integral or sum over paths, for many agents at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.random import Generator

from pluristats.errors import LatentError
from pluristats.latent.record import Array, Ints


@dataclass(frozen=True, eq=False)
class Step:
    """What happens to particles in a trial; A agents, M particles.

    Parameters
    ----------
    state
        After the trial, shape (…, A, M).
    log_weight
        Log likelihood of what was seen, shape (A, M).
    value
        The continuous latents in this trial, shape (C, A, M).
    label
        The discrete latent in this trial, shape (A, M); None without one.
    """

    state: Array
    log_weight: Array
    value: Array
    label: Ints | None


class Dynamics(Protocol):
    """A model as a particle filter needs it."""

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Agents, trials, continuous latents, states of the discrete one (0 without one)."""

    def start(self, n_particles: int, rng: Generator) -> Array:
        """State of particles before the first trial, shape (…, A, M)."""

    def step(self, state: Array, t: int, rng: Generator) -> Step:
        """One trial."""


@dataclass(frozen=True, eq=False)
class Particles:
    """What a particle filter says.

    Parameters
    ----------
    mean, sd
        Of the continuous latents, shape (A, T, C).
    probabilities
        Of the states, shape (A, T, K).
    log_likelihood
        Estimate, shape (A,): the sum over trials of the log of the weighted mean likelihood.
    resampled
        Trials after which an agent's particles were resampled, shape (A,).
    """

    mean: Array
    sd: Array
    probabilities: Array
    log_likelihood: Array
    resampled: Ints


def particle_filter(dynamics: Dynamics, *, n_particles: int, rng: Generator, lag: int = 0) -> Particles:
    """Sequential Monte Carlo with systematic resampling where 1 / Σ w² < M / 2 (Gordon, Salmond & Smith 1993).

    Parameters
    ----------
    dynamics
        The model with the agents' behaviour.
    n_particles
        M.
    rng
        Random numbers.
    lag
        0: a latent's distribution knows the trials up to its own. L > 0: it also knows at least the L next ones (and
        fewer than 2 L), by the ancestors of the particles there are then (fixed-lag smoothing).

    Raises
    ------
    LatentError
        All particles of an agent have likelihood 0 in a trial.
    """
    if n_particles < 1 or lag < 0:
        raise LatentError(f"n_particles is at least 1 and lag at least 0, not {n_particles} and {lag}.")
    n_agents, n_trials, _, _ = dynamics.shape
    shape = (n_agents, n_particles)
    state, log_weight = dynamics.start(n_particles, rng), np.full(shape, -np.log(n_particles))
    total, resampled = np.zeros(n_agents), np.zeros(n_agents, np.int64)
    out, waiting = _Moments.empty(dynamics), list[_Past]()
    for t in range(n_trials):
        done = dynamics.step(state, t, rng)
        log_weight = log_weight + done.log_weight
        top = log_weight.max(axis=1, keepdims=True)
        if not np.isfinite(top).all():
            agent = int(np.argmax(~np.isfinite(top[:, 0])))
            raise LatentError(
                f"Trial {t} of agent {agent} is impossible under all particles; check the trial's columns."
            )
        weight = np.exp(log_weight - top)
        mass = weight.sum(axis=1, keepdims=True)
        total += (top + np.log(mass))[:, 0]
        weight, log_weight, state = weight / mass, log_weight - top - np.log(mass), done.state
        few = 1 / (weight**2).sum(axis=1) < n_particles / 2
        parent = None
        past = _Past(t, done.value, done.label)
        waiting.append(past)
        if lag == 0 or len(waiting) == 2 * lag or t == n_trials - 1:
            emitted = len(waiting) if lag == 0 or t == n_trials - 1 else lag
            out.add(waiting, weight, emitted)
            waiting = waiting[emitted:]
        if few.any():
            parent = systematic(np.where(few[:, None], weight, 1 / n_particles), rng)
            parent[~few] = np.arange(n_particles)
            state = np.take_along_axis(state, np.broadcast_to(parent, state.shape), axis=-1)
            log_weight = np.where(few[:, None], -np.log(n_particles), log_weight)
            past.parent = parent
            resampled += few
    return Particles(out.mean, out.sd(), out.probabilities, total, resampled)


def systematic(weight: Array, rng: Generator) -> Ints:
    """Ancestors by systematic resampling, shape (A, M): particle j has ⌈M c_j − u⌉ − ⌈M c_{j−1} − u⌉ children.

    c are the cumulative weights and u ~ U(0, 1) is one number an agent (Kitagawa 1996).
    """
    n, m = weight.shape
    ends = np.ceil(m * np.cumsum(weight, axis=1) - rng.random((n, 1)))
    ends[:, -1] = m
    children = np.diff(np.clip(ends, 0, m).astype(np.int64), axis=1, prepend=0)
    return np.repeat(np.tile(np.arange(m), n), children.ravel()).reshape(n, m)


@dataclass(eq=False)
class _Past:
    """A trial's latents, and which of its particles those of the next trial come from (None: each from itself)."""

    t: int
    value: Array
    label: Ints | None
    parent: Ints | None = None


@dataclass(frozen=True, eq=False)
class _Moments:
    mean: Array
    square: Array
    probabilities: Array

    @classmethod
    def empty(cls, dynamics: Dynamics) -> _Moments:
        a, t, c, k = dynamics.shape
        return cls(np.zeros((a, t, c)), np.zeros((a, t, c)), np.zeros((a, t, k)))

    def add(self, past: list[_Past], weight: Array, first: int) -> None:
        """Moments of the first trials of ``past`` over the particles at its last one."""
        index: Ints | None = None
        for i in range(len(past) - 1, -1, -1):
            trial = past[i]
            if i < len(past) - 1 and trial.parent is not None:
                index = trial.parent if index is None else np.take_along_axis(trial.parent, index, axis=1)
            if i < first:
                self._moments(trial, weight, index)

    def _moments(self, trial: _Past, weight: Array, index: Ints | None) -> None:
        for c, value in enumerate(trial.value):
            x = value if index is None else np.take_along_axis(value, index, axis=1)
            self.mean[:, trial.t, c] = (weight * x).sum(axis=1)
            self.square[:, trial.t, c] = (weight * x**2).sum(axis=1)
        if trial.label is not None:
            z = trial.label if index is None else np.take_along_axis(trial.label, index, axis=1)
            for k in range(self.probabilities.shape[2]):
                self.probabilities[:, trial.t, k] = (weight * (z == k)).sum(axis=1)

    def sd(self) -> Array:
        return np.sqrt(np.maximum(self.square - self.mean**2, 0))
