"""Particle filters of the models without a tractable likelihood: hierarchical RL and Weber imprecision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from pluristats.errors import LatentError
from pluristats.latent.baselines.fit import within
from pluristats.latent.baselines.inferred import Inferred
from pluristats.latent.baselines.likelihood import choices
from pluristats.latent.baselines.particles import Dynamics, Particles, Step, particle_filter
from pluristats.latent.record import Array, Ints, Model, Trials, fitting
from pluristats.latent.simulators import hrl, weber
from pluristats.progress import counted

# Particles of all agents that are moved at once; it decides which random numbers an agent gets, so it is fixed.
_BLOCK = 20_000


@dataclass(frozen=True, eq=False)
class _Hrl:
    """Cues are drawn given the side: P(c | a) ∝ π(c) 1[arrow c points to a], weighted by the sum of that over c.

    Drawn from π alone, all particles can contradict a side that only an unlikely cue explains.
    """

    alpha: Array
    beta: Array
    action: Ints
    reward: Ints
    arrows: Ints

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return (*self.action.shape, 1, hrl.N_CUES)

    def start(self, n_particles: int, rng: Generator) -> Array:
        return np.full((hrl.N_CUES, len(self.action), n_particles), 1 / hrl.N_CUES)

    def step(self, state: Array, t: int, rng: Generator) -> Step:
        action, there = self.action[:, t, None], self.action[:, t, None] >= 0
        fits = (self.arrows[:, t].T[:, :, None] == action) | ~there
        p = hrl.softmax(self.beta[:, None] * state) * fits
        total = p.sum(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            cue, weight = hrl.choose(p / total, rng), np.log(total)
        value = np.take_along_axis(state, cue[None], axis=0)
        learned = hrl.update(state, cue, self.reward[:, t, None], self.alpha[:, None])
        return Step(np.where(there, learned, state), np.where(there, weight, 0.0), value, cue)


@dataclass(frozen=True, eq=False)
class _Weber:
    alpha: Array
    beta: Array
    zeta: Array
    action: Ints
    reward: Ints

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return (*self.action.shape, 1, 0)

    def start(self, n_particles: int, rng: Generator) -> Array:
        return np.full((2, len(self.action), n_particles), 0.5)

    def step(self, state: Array, t: int, rng: Generator) -> Step:
        action, there = self.action[:, t, None], self.action[:, t, None] >= 0
        value, other = np.where(action == 1, state[1], state[0]), np.where(action == 1, state[0], state[1])
        weight = -np.logaddexp(0, -self.beta[:, None] * (value - other))
        learned = weber.update(state, action, self.reward[:, t, None], self.alpha[:, None], self.zeta[:, None], rng)
        return Step(np.where(there, learned, state), np.where(there, weight, 0.0), value[None], None)


def filter_particles(
    model: Model,
    parameters: Array,
    trials: Trials,
    *,
    n_particles: int = 1000,
    lag: int = 0,
    seed: int = 0,
    progress: bool = False,
) -> Inferred:
    """Latents by a particle filter with given parameters.

    Parameters
    ----------
    model
        ``hrl`` or ``weber``.
    parameters
        Shape (N, P): known ones, or those of :func:`fit_particles`.
    trials
        The model's raw columns, each (N, T).
    n_particles, lag
        As in :func:`particle_filter`.
    seed
        The same seed, agents and particles give the same numbers.
    progress
        Whether to show how far it is.
    """
    parts = _run(model, parameters, trials, n_particles, lag, seed, progress)
    mask = model.encode(trials).mask
    there = mask[:, :, None]
    return Inferred(
        f"particle {'filter' if lag == 0 else f'smoother, lag {lag}'}, {n_particles} particles",
        np.where(there, np.concatenate([p.mean for p in parts]), np.nan),
        np.where(there, np.concatenate([p.sd for p in parts]), np.nan),
        model.continuous_names,
        tuple(np.concatenate([p.probabilities for p in parts]) for _ in model.discrete),
        tuple(model.discrete),
        np.asarray(parameters),
        np.concatenate([p.log_likelihood for p in parts]),
        mask,
    )


@dataclass(frozen=True, eq=False)
class ParticleFit:
    """Parameters of N agents, from draws weighted by their particle filters' likelihoods.

    Parameters
    ----------
    parameters, sd
        Posterior means and standard deviations, shape (N, P).
    n_effective
        1 / Σ w² of the last round's weights, shape (N,): few say that the likelihoods' estimates are noisy, or that the
        draws do not cover the posterior.
    n_draws, n_particles, n_rounds, seed
        How it was made.
    """

    parameters: Array
    sd: Array
    n_effective: Array
    n_draws: int
    n_particles: int
    n_rounds: int
    seed: int

    def __repr__(self) -> str:
        n, p = self.parameters.shape
        least = f"at least {self.n_effective.min(initial=np.inf):.1f} effective of {self.n_draws} draws"
        return f"<ParticleFit: {p} parameters of {n:,} agents, {least}, seed {self.seed}>"


def fit_particles(
    model: Model,
    trials: Trials,
    *,
    n_draws: int = 64,
    n_particles: int = 200,
    n_rounds: int = 2,
    seed: int = 0,
    progress: bool = False,
) -> ParticleFit:
    """Posterior means of each agent's parameters by adaptive importance sampling.

    θ̂ = Σ_s w_s θ_s,   w_s ∝ L̂(θ_s) π(θ_s) / g(θ_s),   L̂ the particle filter's estimate of the likelihood

    In the first round the draws come from the model's prior π, the same ones for all agents; in later ones from normal
    distributions around the round before (1.5 times its standard deviation, at least a twentieth of the prior's),
    cut at the parameters' bounds. The last round counts.

    Parameters
    ----------
    model
        ``hrl`` or ``weber``.
    trials
        The model's raw columns, each (N, T).
    n_draws, n_particles, n_rounds
        Draws a round, particles of each, rounds.
    seed, progress
        As in :func:`filter_particles`.
    """
    if n_draws < 1 or n_rounds < 1:
        raise LatentError(f"n_draws and n_rounds are at least 1, not {n_draws} and {n_rounds}.")
    n, rng = len(trials["action"]), np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0,)))
    many = {name: np.repeat(np.asarray(trials[name]), n_draws, axis=0) for name in model.columns}
    draws, correction = np.tile(model.draw(n_draws, rng), (n, 1, 1)), np.zeros((n, n_draws))
    least = 0.05 * model.draw(1000, rng).std(axis=0)
    for r in range(n_rounds):
        parts = _run(model, draws.reshape(n * n_draws, -1), many, n_particles, 0, seed + r, progress)
        log_weight = np.concatenate([p.log_likelihood for p in parts]).reshape(n, n_draws) + correction
        weight = np.exp(log_weight - log_weight.max(axis=1, keepdims=True))
        weight /= weight.sum(axis=1, keepdims=True)
        mean = np.einsum("ns,nsp->np", weight, draws)
        sd = np.sqrt(np.einsum("ns,nsp->np", weight, (draws - mean[:, None]) ** 2))
        if r < n_rounds - 1:
            draws, correction = _around(model, mean, np.maximum(1.5 * sd, least), n_draws, rng)
    return ParticleFit(mean, sd, 1 / (weight**2).sum(axis=1), n_draws, n_particles, n_rounds, seed)


def _around(model: Model, mean: Array, sd: Array, n_draws: int, rng: Generator) -> tuple[Array, Array]:
    """Draws from cut normal distributions, shape (N, S, P), and log π − log g of each, shape (N, S)."""
    from scipy.stats import truncnorm

    low, high = np.array([within(p.low, p.high, p.prior) for p in model.parameters]).T
    ends = [((end - mean) / sd)[:, None] for end in (low, high)]
    draws = truncnorm.rvs(*ends, mean[:, None], sd[:, None], (len(mean), n_draws, len(low)), random_state=rng)
    density = truncnorm.logpdf(draws, *ends, mean[:, None], sd[:, None])
    prior = np.stack([p.prior.log_density(draws[:, :, k]) for k, p in enumerate(model.parameters)], axis=2)
    return draws, (prior - density).sum(axis=2)


def _run(
    model: Model, parameters: Array, trials: Trials, n_particles: int, lag: int, seed: int, progress: bool
) -> list[Particles]:
    """Blocks of agents, each with a stream of random numbers of its own."""
    dynamics_of = _dynamics(model, parameters, trials)
    n = len(trials["action"])
    size = max(1, _BLOCK // max(n_particles, 1))
    blocks = [slice(i, min(i + size, n)) for i in range(0, n, size)]
    streams = np.random.SeedSequence(seed, spawn_key=(1,)).spawn(len(blocks))
    out = []
    with counted(f"particle filters of {model.name}", n, show=progress) as advance:
        for block, stream in zip(blocks, streams, strict=True):
            dynamics, rng = dynamics_of(block), np.random.default_rng(stream)
            out.append(particle_filter(dynamics, n_particles=n_particles, rng=rng, lag=lag))
            advance(block.stop - block.start)
    return out


def _dynamics(model: Model, parameters: Array, trials: Trials) -> Callable[[slice], Dynamics]:
    if model.name not in ("hrl", "weber"):
        raise LatentError(f"Model {model.name!r} has no particle filter here; those that have are hrl and weber.")
    mask, (action, reward) = model.encode(trials).mask, choices(trials)
    theta = fitting(model, parameters, len(action)).T
    action = np.where(mask, action, -1)
    if model.name == "weber":
        return lambda b: _Weber(theta[0, b], theta[1, b], theta[2, b], action[b], reward[b])
    arrows = np.stack([np.asarray(trials[name]) for name in hrl.ARROWS], axis=2)
    return lambda b: _Hrl(theta[0, b], theta[1, b], action[b], reward[b], arrows[b])
