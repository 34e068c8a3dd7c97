"""Likelihoods against closed forms, quadrature, enumeration, and statsmodels' Kalman smoother."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
from scipy import stats

from pluristats.latent.baselines.hmm import forward_backward
from pluristats.latent.ratings import RATING_MODELS, STATIC, Ratings
from pluristats.latent.ratings.likelihoods import LIKELIHOODS, drift, grid, latents
from pluristats.latent.record import Array, Model, Simulated

DRIFT, SEQUENTIAL, LAPSE = RATING_MODELS


def ratings_of(made: Simulated, missing: float = 0.1) -> Ratings:
    rng = np.random.default_rng(0)
    rating = made.trials["rating"]
    return Ratings.of(np.where(rng.random(rating.shape) < missing, np.nan, rating), made.trials["effect"])


def p_of(r: Ratings, mean: Array, sigma: Array) -> Array:
    """Probabilities of ratings, 1 where missing, by scipy."""
    p = stats.norm.cdf(r.upper, mean, sigma) - stats.norm.cdf(r.lower, mean, sigma)
    return np.where(r.mask, p, 1.0)


def test_ratings_without_change_are_independent() -> None:
    r = ratings_of(made := SEQUENTIAL.simulate(n_agents=8, n_trials=25, seed=1))
    level, slope, sigma, gamma = (made.parameters[:, [k]] for k in range(4))
    mean = level + slope * r.effect
    static = LIKELIHOODS["rating-static"](made.parameters[:, :3], r).log_likelihood
    np.testing.assert_allclose(static, np.log(p_of(r, mean, sigma)).sum(axis=1))
    pulled = LIKELIHOODS["rating-sequential"](made.parameters, r).log_likelihood
    np.testing.assert_allclose(pulled, np.log(p_of(r, mean + gamma * r.previous, sigma)).sum(axis=1))
    np.testing.assert_allclose(latents(SEQUENTIAL.name, made.parameters, r).shift, gamma * r.previous)


@pytest.mark.parametrize("model", (STATIC, *RATING_MODELS), ids=lambda m: m.name)
def test_gradients_are_those_of_differences(model: Model) -> None:
    made = model.simulate(n_agents=6, n_trials=30, seed=3)
    r, theta = ratings_of(made), made.parameters
    likelihood = LIKELIHOODS[model.name]
    found = likelihood(theta, r).gradient
    for k in range(theta.shape[1]):
        h = 1e-5 * np.abs(theta[:, k])
        up, down = theta.copy(), theta.copy()
        up[:, k] += h
        down[:, k] -= h
        slope = (likelihood(up, r).log_likelihood - likelihood(down, r).log_likelihood) / (2 * h)
        np.testing.assert_allclose(found[:, k], slope, rtol=2e-4, atol=1e-4)


def test_three_trials_of_drift_by_quadrature() -> None:
    """∫∫ p(y_1 | 0) p(y_2 | τa) p(y_3 | τ(a + b)) φ(a) φ(b) da db, and E[shift], by Gauss-Hermite rules."""
    theta = np.array([[0.5, 0.3, 0.3, 0.1], [0.3, 0.2, 0.15, 0.12], [0.6, 0.4, 0.3, 0.01]])
    r = Ratings.of(np.array([[0.2, 0.9, 1.0], [0.0, 0.33, 0.8], [0.7, np.nan, 0.1]]), np.array([[-1, 0.5, 1.0]] * 3))
    x, w = np.polynomial.hermite_e.hermegauss(80)
    weight = np.outer(w, w) / (2 * np.pi)
    found, smoothed = drift(theta, r, step=0.5), latents(DRIFT.name, theta, r, step=0.5)
    for i, (level, slope, sigma, tau) in enumerate(theta):
        second, third = tau * x[:, None] + 0 * x, tau * (x[:, None] + x)
        mean = level + slope * r.effect[i]
        one = r.rows(slice(i, i + 1))
        p = [p_of(one, mean[t] + shift[..., None] * np.ones(3), sigma)[..., t] for t, shift in enumerate(
            (0 * second, second, third))]  # fmt: skip
        joint = weight * p[0] * p[1] * p[2]
        assert found.log_likelihood[i] == pytest.approx(np.log(joint.sum()), abs=1e-6)
        for t, shift in ((1, second), (2, third)):
            first, square = (joint * shift).sum() / joint.sum(), (joint * shift**2).sum() / joint.sum()
            assert smoothed.shift[i, t] == pytest.approx(first, abs=1e-6)
            assert smoothed.variance[i, t] == pytest.approx(square - first**2, abs=1e-7)
    assert (smoothed.shift[:, 0] == 0).all()


def test_without_ends_drift_is_a_kalman_smoother() -> None:
    from statsmodels.tsa.statespace.structural import UnobservedComponents

    # Noise that never reaches an end, wide against a hundredth: intervals are densities times 0.01.
    theta = np.array([[0.5, 0.05, 0.1, 0.01]])
    made = DRIFT.simulate(theta, n_trials=150, seed=2)
    r = ratings_of(made)
    rating = np.where(r.mask, made.trials["rating"], np.nan)
    assert np.nanmin(rating) > 0 and np.nanmax(rating) < 1
    model = UnobservedComponents((rating - 0.5 - 0.05 * made.trials["effect"])[0], "llevel")
    model.ssm.initialize_known(np.zeros(1), np.zeros((1, 1)))
    # Rounding adds 0.01² / 12 to the variance of what is seen.
    model.ssm.loglikelihood_burn = 0
    kalman = model.smooth([0.1**2 + 0.01**2 / 12, 0.01**2])
    found, smoothed = drift(theta, r), latents(DRIFT.name, theta, r)
    assert found.log_likelihood[0] - r.mask.sum() * np.log(0.01) == pytest.approx(
        model.loglike(kalman.params), abs=0.01
    )
    np.testing.assert_allclose(smoothed.shift[0], kalman.smoothed_state[0], atol=2e-4)
    np.testing.assert_allclose(smoothed.variance[0], kalman.smoothed_state_cov[0, 0], atol=2e-6)


def test_a_finer_grid_changes_nothing() -> None:
    made = DRIFT.simulate(n_agents=20, n_trials=60, seed=5)
    theta = made.parameters.copy()
    theta[:, 3] = np.minimum(theta[:, 3], theta[:, 2])
    r = ratings_of(made)
    coarse, fine = drift(theta, r), drift(theta, r, step=0.25)
    np.testing.assert_allclose(coarse.log_likelihood, fine.log_likelihood, atol=2e-5)
    assert grid(150) == 62 and grid(150, 0.5) == 123


def test_drift_without_a_step_is_the_static_model() -> None:
    made = DRIFT.simulate(n_agents=5, n_trials=40, seed=6)
    theta, r = made.parameters.copy(), ratings_of(made)
    theta[:, 3] = 1e-9
    expected = LIKELIHOODS["rating-static"](theta[:, :3], r).log_likelihood
    np.testing.assert_allclose(drift(theta, r).log_likelihood, expected, atol=1e-6)


def test_lapses_are_summed_over_every_path() -> None:
    t = 7
    made = LAPSE.simulate(n_agents=4, n_trials=t, seed=7)
    r, theta = ratings_of(made, 0.2), made.parameters
    assert not r.mask.all()
    found, smoothed = LIKELIHOODS[LAPSE.name](theta, r), latents(LAPSE.name, theta, r)
    engaged = p_of(r, theta[:, [0]] + theta[:, [1]] * r.effect, theta[:, [2]])
    anything = np.where(r.mask, 1 / 101, 1.0)
    for i, (leave, back) in enumerate(theta[:, 3:]):
        matrix, start = np.array([[1 - back, back], [leave, 1 - leave]]), np.array([leave, 1 - leave])
        total, of_trial = 0.0, np.zeros(t)
        for path in product((0, 1), repeat=t):
            p = start[path[0]] * np.prod([matrix[a, b] for a, b in pairwise(path)])
            p *= np.prod([engaged[i, k] if state else anything[i, k] for k, state in enumerate(path)])
            total += p
            of_trial += p * np.array(path)
        assert found.log_likelihood[i] == pytest.approx(np.log(total))
        np.testing.assert_allclose(smoothed.engaged[i], of_trial / total)


def test_lapses_agree_with_the_general_recursion() -> None:
    made = LAPSE.simulate(n_agents=10, n_trials=80, seed=8)
    r, theta = ratings_of(made), made.parameters
    engaged = np.log(p_of(r, theta[:, [0]] + theta[:, [1]] * r.effect, theta[:, [2]]))
    leave, back = theta[:, 3], theta[:, 4]
    matrix = np.stack([1 - back, back, leave, 1 - leave], axis=1).reshape(-1, 2, 2)
    emission = np.stack([np.where(r.mask, -np.log(101), 0.0), engaged], axis=2)
    expected = forward_backward(np.column_stack([leave, 1 - leave]), matrix, emission)
    np.testing.assert_allclose(LIKELIHOODS[LAPSE.name](theta, r).log_likelihood, expected.log_likelihood)
    np.testing.assert_allclose(latents(LAPSE.name, theta, r).engaged, expected.smoothed[:, :, 1], atol=1e-10)
