from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pluristats.errors import LatentError
from pluristats.latent.baselines import filter_particles, fit_particles, particle_filter
from pluristats.latent.baselines.particles import Step, systematic
from pluristats.latent.simulators import MODELS, hrl
from tests.latent import scalar

A, S, R = 0.9, 0.5, 0.7


@dataclass(frozen=True)
class Walk:
    """x_{t+1} = A x_t + S ε, y_t = x_t + R η: linear and Gaussian, x_1 ~ N(0, 1)."""

    y: np.ndarray

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return (*self.y.shape, 1, 0)

    def start(self, n_particles: int, rng: np.random.Generator) -> np.ndarray:
        return rng.standard_normal((1, len(self.y), n_particles))

    def step(self, state: np.ndarray, t: int, rng: np.random.Generator) -> Step:
        z = (self.y[:, t, None] - state[0]) / R
        weight = -0.5 * z**2 - np.log(R * np.sqrt(2 * np.pi))
        return Step(A * state + S * rng.standard_normal(state.shape), weight, state, None)


def exact(y: np.ndarray, known: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Means, sds of all x given the first ``known`` y, and log density of all y, by the joint normal distribution."""
    n = len(y)
    cov = np.empty((n, n))
    var = np.empty(n)
    var[0] = 1.0
    for t in range(1, n):
        var[t] = A**2 * var[t - 1] + S**2
    for s in range(n):
        for t in range(n):
            cov[s, t] = A ** abs(t - s) * var[min(s, t)]
    seen = cov + R**2 * np.eye(n)
    gain = cov[:, :known] @ np.linalg.inv(seen[:known, :known])
    left = cov - gain @ cov[:known]
    density = -0.5 * (y @ np.linalg.solve(seen, y) + np.linalg.slogdet(2 * np.pi * seen)[1])
    return gain @ y[:known], np.sqrt(np.diag(left)), float(density)


def test_the_filter_is_kalmans_on_a_linear_gaussian_walk() -> None:
    y = np.random.default_rng(0).standard_normal((3, 12))
    found = particle_filter(Walk(y), n_particles=40_000, rng=np.random.default_rng(1))
    for n in range(3):
        for t in range(12):
            mean, sd, _ = exact(y[n], t + 1)
            assert found.mean[n, t, 0] == pytest.approx(mean[t], abs=0.02)
            assert found.sd[n, t, 0] == pytest.approx(sd[t], abs=0.02)
        assert found.log_likelihood[n] == pytest.approx(exact(y[n], 12)[2], abs=0.05)
    assert (found.resampled > 0).all()


@pytest.mark.parametrize("lag", [1, 3, 20])
def test_the_fixed_lag_smoother_knows_later_trials(lag: int) -> None:
    y = np.random.default_rng(0).standard_normal((2, 12))
    found = particle_filter(Walk(y), n_particles=40_000, rng=np.random.default_rng(1), lag=lag)
    # Latents are read out every ``lag`` trials, when 2 lag of them wait, and at the end.
    for n in range(2):
        for t in range(12):
            end = (t // lag) * lag + 2 * lag
            mean, sd, _ = exact(y[n], min(end, 12))
            assert found.mean[n, t, 0] == pytest.approx(mean[t], abs=0.03)
            assert found.sd[n, t, 0] == pytest.approx(sd[t], abs=0.03)


@given(
    arrays(np.float64, (3, 17), elements=st.floats(0, 1)).filter(lambda w: (w.sum(axis=1) > 0.1).all()),
    st.integers(0, 100),
)
@settings(max_examples=60, deadline=None)
def test_systematic_resampling_keeps_counts_within_one(weight: np.ndarray, seed: int) -> None:
    weight = weight / weight.sum(axis=1, keepdims=True)
    parents = systematic(weight, np.random.default_rng(seed))
    assert parents.shape == weight.shape
    for w, row in zip(weight, parents, strict=True):
        counts = np.bincount(row, minlength=17)
        assert (np.abs(counts - 17 * w) < 1 + 1e-9).all()


def test_systematic_resampling_is_unbiased() -> None:
    weight = np.random.default_rng(0).dirichlet(np.ones(5))
    parents = systematic(np.tile(weight, (20_000, 1)), np.random.default_rng(1))
    counts = (parents[:, :, None] == np.arange(5)).sum(axis=1)
    np.testing.assert_allclose(counts.mean(axis=0), 5 * weight, atol=0.02)


def hrl_enumerated(theta: np.ndarray, trials: dict, n: int, last: int) -> tuple[np.ndarray, float, float, float]:
    """P(cue), mean and sd of the chosen value in trial ``last``, given trials up to it; their log likelihood."""
    arrows = np.stack([trials[name][n] for name in hrl.ARROWS], axis=1)
    action, reward = trials["action"][n], trials["reward"][n]
    there = [t for t in range(last + 1) if action[t] >= 0]
    cue, moments = np.zeros(3), np.zeros(2)
    for path in scalar.paths(3, len(there)):
        probability, chosen = scalar.hrl(theta, path, [int(reward[t]) for t in there])
        p = np.prod([probability[i][c] for i, c in enumerate(path)])
        if all(arrows[t, c] == action[t] for t, c in zip(there, path, strict=True)):
            cue[path[-1]] += p
            moments += p * np.array([chosen[-1], chosen[-1] ** 2])
    mean, square = moments / cue.sum()
    return cue / cue.sum(), mean, np.sqrt(max(square - mean**2, 0)), np.log(cue.sum())


def test_hrl_is_the_sum_over_paths_of_cues() -> None:
    made = MODELS["hrl"].simulate(n_agents=3, n_trials=7, seed=2)
    trials = {k: v.copy() for k, v in made.trials.items()}
    trials["action"][1, 2] = trials["reward"][1, 2] = -1
    found = filter_particles(MODELS["hrl"], made.parameters, trials, n_particles=20_000)
    for n in range(3):
        for t in range(7):
            if not found.mask[n, t]:
                assert np.isnan(found.continuous[n, t, 0])
                assert found.states[n, t, 0] == -1
                continue
            cue, mean, sd, total = hrl_enumerated(made.parameters[n], trials, n, t)
            np.testing.assert_allclose(found.probabilities[0][n, t], cue, atol=0.015)
            assert found.continuous[n, t, 0] == pytest.approx(mean, abs=0.01)
            assert found.continuous_sd[n, t, 0] == pytest.approx(sd, abs=0.01)
        assert found.log_likelihood[n] == pytest.approx(total, abs=0.03)


def test_weber_without_noise_has_rl4s_likelihood() -> None:
    model = MODELS["weber"]
    made = model.simulate(np.tile([0.4, 5.0, 0.0], (4, 1)), n_trials=30, seed=1)
    found = filter_particles(model, made.parameters, made.trials, n_particles=10)
    for n in range(4):
        p, chosen = scalar.rl4([5.0, 0.4, 0.4, 0.0], made.trials["action"][n], made.trials["reward"][n])
        assert found.log_likelihood[n] == pytest.approx(np.log(p).sum())
        np.testing.assert_allclose(found.continuous[n, :, 0], chosen, atol=1e-12)
    np.testing.assert_allclose(found.continuous_sd, 0, atol=1e-7)


def test_weber_is_the_integral_over_the_noise() -> None:
    # Two trials: the second value is a clipped normal, and its choice has a likelihood that a sum over a grid gives.
    alpha, beta, zeta = 0.5, 6.0, 0.8
    trials = {"action": np.array([[1, 0]]), "reward": np.array([[1, 0]])}
    found = filter_particles(MODELS["weber"], np.array([[alpha, beta, zeta]]), trials, n_particles=100_000)
    z = np.linspace(-6, 6, 1201)
    mass = np.exp(-0.5 * z**2)
    mass /= mass.sum()
    one = np.clip(0.5 + 0.25 + zeta * 0.25 * z, 0, 1)[:, None]
    zero = np.clip(0.5 - 0.25 + zeta * 0.25 * z, 0, 1)[None, :]
    joint = mass[:, None] * mass[None, :] / (1 + np.exp(beta * (one - zero)))
    assert found.log_likelihood[0] == pytest.approx(np.log(0.5 * joint.sum()), abs=0.01)
    mean = (joint * zero).sum() / joint.sum()
    assert found.continuous[0, 1, 0] == pytest.approx(mean, abs=0.005)
    sd = np.sqrt((joint * (zero - mean) ** 2).sum() / joint.sum())
    assert found.continuous_sd[0, 1, 0] == pytest.approx(sd, abs=0.005)


@pytest.mark.parametrize("name", ["hrl", "weber"])
def test_padding_at_the_end_changes_nothing(name: str) -> None:
    model = MODELS[name]
    made = model.simulate(n_agents=3, n_trials=15, seed=4)
    padded = {k: np.pad(v, ((0, 0), (0, 5)), constant_values=-1) for k, v in made.trials.items()}
    plain, longer = (
        filter_particles(model, made.parameters, t, n_particles=200, seed=1) for t in (made.trials, padded)
    )
    np.testing.assert_array_equal(plain.continuous, longer.continuous[:, :15])
    np.testing.assert_allclose(plain.log_likelihood, longer.log_likelihood)


def test_smoothing_comes_nearer_to_the_truth_than_filtering() -> None:
    model = MODELS["hrl"]
    made = model.simulate(n_agents=20, n_trials=150, seed=5)
    right = [
        filter_particles(model, made.parameters, made.trials, n_particles=300, lag=lag).states[..., 0]
        == made.discrete[..., 0]
        for lag in (0, 10)
    ]
    assert right[1].mean() > right[0].mean() + 0.02


@pytest.mark.parametrize("name", ["hrl", "weber"])
def test_fitted_parameters_are_nearer_to_the_truth_than_the_priors_mean(name: str) -> None:
    model = MODELS[name]
    made = model.simulate(n_agents=12, n_trials=150, seed=6)
    fit = fit_particles(model, made.trials, n_draws=40, n_particles=60, seed=1)
    again = fit_particles(model, made.trials, n_draws=40, n_particles=60, seed=1)
    np.testing.assert_array_equal(fit.parameters, again.parameters)
    guess = model.draw(100_000, np.random.default_rng(0)).mean(axis=0)
    ours, priors = ((fit.parameters - made.parameters) ** 2).mean(axis=0), ((guess - made.parameters) ** 2).mean(axis=0)
    assert ours[1] < 0.8 * priors[1]
    if name == "weber":
        assert ours[0] < 0.4 * priors[0]
    assert (fit.n_effective >= 1).all()


def test_an_impossible_side_is_named() -> None:
    trials = {"action": [[1, 0]], "reward": [[1, 1]]} | {name: [[1, 1]] for name in hrl.ARROWS}
    with pytest.raises(LatentError, match="Trial 1 of agent 0 is impossible under all particles"):
        filter_particles(MODELS["hrl"], np.array([[0.5, 3.0]]), {k: np.array(v) for k, v in trials.items()})


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("rl4", {}, "no particle filter"),
        ("weber", {"n_particles": 0}, "n_particles is at least 1"),
        ("weber", {"lag": -1}, "lag at least 0"),
    ],
)
def test_what_cannot_be_filtered_is_refused(name: str, arguments: dict, message: str) -> None:
    model = MODELS[name]
    made = model.simulate(n_agents=2, n_trials=3)
    with pytest.raises(LatentError, match=message):
        filter_particles(model, made.parameters, made.trials, **arguments)
