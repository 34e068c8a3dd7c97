"""Estimates against scipy's densities and another optimiser; intervals against what they claim."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, stats
from scipy.integrate import trapezoid

from pluristats.errors import LatentError, LatentWarning
from pluristats.latent.metrics import balanced_accuracy, coverage, rmse
from pluristats.latent.priors import Uniform
from pluristats.latent.ratings import RATING_MODELS, STATIC, Ratings, estimate, infer_ratings, trajectories
from pluristats.latent.ratings.coordinates import Coordinates
from pluristats.latent.ratings.estimate import drawn
from pluristats.latent.ratings.likelihoods import LIKELIHOODS, latents
from pluristats.latent.record import Array, Model, Parameter

DRIFT, SEQUENTIAL, LAPSE = RATING_MODELS
Z90 = 1.6448536269514722


def some(model: Model, n: int = 4, t: int = 60, seed: int = 1) -> Ratings:
    made = model.simulate(n_agents=n, n_trials=t, seed=seed)
    return Ratings.of(made.trials["rating"], made.trials["effect"])


@pytest.mark.parametrize("model", RATING_MODELS, ids=lambda m: m.name)
def test_coordinates_change_variables(model: Model) -> None:
    coordinates, rng = Coordinates.of(model), np.random.default_rng(2)
    theta = model.draw(4000, rng)
    w = coordinates.to(theta)
    np.testing.assert_allclose(coordinates.back(w), theta)
    # Spread about one, and standard normal where the prior is normal in w.
    assert (np.abs(w.mean(axis=0)) < 0.06).all() and (np.abs(w.std(axis=0) - 1) < 0.06).all()
    h = 1e-6
    some_w = w[:5]
    for k, c in enumerate(coordinates.each):
        up, down = c.back(some_w[:, k] + h), c.back(some_w[:, k] - h)
        np.testing.assert_allclose(c.slope(theta[:5, k]), (up - down) / (2 * h), rtol=1e-5)
        np.testing.assert_allclose(
            c.prior_slope(theta[:5, k]), (c.log_prior(up) - c.log_prior(down)) / (2 * h), rtol=1e-4, atol=1e-4
        )
        mass = trapezoid(np.exp(c.log_prior(c.back(np.linspace(-9, 9, 4001)))), np.linspace(-9, 9, 4001))
        assert mass == pytest.approx(1, abs=1e-3)


def test_a_prior_without_a_coordinate_is_refused() -> None:
    import dataclasses

    flat = dataclasses.replace(STATIC, parameters=(Parameter("level", 0, 1, Uniform(0, 1)),))
    with pytest.raises(LatentError, match="'level' needs a normal, log-normal or beta prior"):
        Coordinates.of(flat)


def test_the_mode_is_that_of_an_independent_posterior() -> None:
    r = some(DRIFT, n=2)
    fit = estimate(DRIFT, r)
    assert fit.converged.all()
    for i in range(2):

        def loss(v: Array, i: int = i) -> float:
            theta = np.array([[v[0], v[1], np.exp(v[2]), np.exp(v[3])]])
            prior = (
                stats.norm.logpdf(v[0], 0.5, 0.2)
                + stats.norm.logpdf(v[1], 0.38, 0.2)
                + stats.norm.logpdf(v[2], np.log(0.28), 0.45)
                + stats.norm.logpdf(v[3], np.log(0.008), 0.9)
            )
            return -LIKELIHOODS[DRIFT.name](theta, r.rows(slice(i, i + 1))).log_likelihood[0] - prior

        found = optimize.minimize(
            loss, [0.4, 0.3, -1.0, -4.0], method="Nelder-Mead",
            options={"xatol": 1e-6, "fatol": 1e-9, "maxiter": 4000, "maxfev": 4000},
        )  # fmt: skip
        expected = np.array([found.x[0], found.x[1], np.exp(found.x[2]), np.exp(found.x[3])])
        np.testing.assert_allclose(fit.parameters[i], expected, rtol=2e-3)


def test_the_evidence_is_near_the_integral() -> None:
    """Of the static model, by the mean likelihood of a lattice of draws from a wide normal around the mode."""
    r = some(STATIC, n=3, t=40)
    fit = estimate(STATIC, r)
    coordinates = Coordinates.of(STATIC)
    z = np.random.default_rng(0).standard_normal((20_000, 3))
    for i in range(3):
        root = 1.5 * np.linalg.cholesky(fit.covariance[i])
        theta = coordinates.back(coordinates.to(fit.parameters[i]) + z @ root.T)
        row = r.rows(slice(i, i + 1))
        many = Ratings(*(np.broadcast_to(x, (len(z), 40)) for x in (row.lower, row.upper, row.effect, row.previous,
                                                                    row.mask)))  # fmt: skip
        value = LIKELIHOODS[STATIC.name](theta, many).log_likelihood + coordinates.log_prior(theta)
        density = stats.multivariate_normal(np.zeros(3)).logpdf(z) - np.log(np.linalg.det(root))
        expected = np.log(np.mean(np.exp(value - density - value.max()))) + value.max()
        assert fit.log_evidence[i] == pytest.approx(expected, abs=0.1)


def test_draws_have_the_posteriors_moments() -> None:
    r = some(DRIFT)
    fit = estimate(DRIFT, r)
    coordinates = Coordinates.of(DRIFT)
    theta, density = drawn(fit, 512, seed=1)
    w = coordinates.to(theta)
    np.testing.assert_allclose(w.mean(axis=0), coordinates.to(fit.parameters), atol=0.02)
    for i in range(len(fit.parameters)):
        np.testing.assert_allclose(np.cov(w[:, i].T), fit.covariance[i], atol=0.03)
    assert density.shape == (512, 4)
    root = np.linalg.cholesky(fit.covariance)
    z = np.stack([np.linalg.solve(root[i], (w - coordinates.to(fit.parameters))[:, i].T).T for i in range(4)])
    np.testing.assert_allclose(density.T, -0.5 * (z**2).sum(axis=2), atol=1e-6)
    # The same draws for everybody, but not at the same time.
    assert abs(np.corrcoef(z[0, :, 3], z[1, :, 3])[0, 1]) < 0.2
    np.testing.assert_array_equal(theta, drawn(fit, 512, seed=1)[0])
    assert not np.array_equal(theta, drawn(fit, 512, seed=2)[0])


def test_trajectories_average_over_parameters() -> None:
    r = some(DRIFT, n=3)
    fit = estimate(DRIFT, r)
    plain = trajectories(fit, r, draws=0)
    exact = latents(DRIFT.name, fit.parameters, r)
    np.testing.assert_array_equal(plain.shift, exact.shift)
    averaged = trajectories(fit, r, draws=64)
    assert (averaged.sd[:, 5:] > plain.sd[:, 5:]).mean() > 0.9
    # The first trial's shift is zero by definition.
    assert (averaged.shift[:, 0] == 0).all() and (averaged.sd[:, 0] == 0).all()


def test_fits_that_stop_early_are_told() -> None:
    from unittest import mock

    r = some(STATIC, n=2)
    stopped = optimize.OptimizeResult(x=np.array([3.0, 0.0, 0.0]), jac=np.ones(3))
    with (
        mock.patch("scipy.optimize.minimize", return_value=stopped),
        pytest.warns(LatentWarning, match="2 of 2 annotators' fits of rating-static"),
    ):
        assert not estimate(STATIC, r).converged.any()


def test_a_baseline_speaks_the_common_language() -> None:
    made = LAPSE.simulate(n_agents=10, n_trials=50, seed=3)
    known = infer_ratings(LAPSE, made.trials, made.parameters)
    assert known.continuous.shape == (10, 50, 0) and known.states.shape == (10, 50, 1)
    fitted = infer_ratings(LAPSE, made.trials, draws=8)
    right = [balanced_accuracy(made.discrete[:, :, 0], found.states[:, :, 0]) for found in (known, fitted)]
    assert min(right) > 0.6
    for model in (DRIFT, SEQUENTIAL, STATIC):
        made = model.simulate(n_agents=4, n_trials=30, seed=3)
        found = infer_ratings(model, made.trials, draws=4)
        assert found.continuous.shape == (4, 30, len(model.continuous_names)) and found.probabilities == ()
    with pytest.raises(LatentError, match="do not fit 4 agents and 3 parameters"):
        infer_ratings(STATIC, made.trials, np.zeros((4, 2)))
    from pluristats.latent.simulators import MODELS

    with pytest.raises(LatentError, match="'rl4' is no rating model"):
        infer_ratings(MODELS["rl4"], made.trials)


def test_with_the_true_parameters_intervals_hold_what_they_claim() -> None:
    made = DRIFT.simulate(n_agents=300, seed=11)
    found = infer_ratings(DRIFT, made.trials, made.parameters)
    true, mean, sd = made.continuous[:, 1:, 0], found.continuous[:, 1:, 0], found.continuous_sd[:, 1:, 0]
    assert 0.87 < coverage(true, mean - Z90 * sd, mean + Z90 * sd) < 0.93
    # What smoothing gains over knowing nothing.
    assert rmse(true, mean).mean() < 0.8 * rmse(true, np.zeros_like(true)).mean()


@pytest.mark.slow
@pytest.mark.parametrize("model", (DRIFT, SEQUENTIAL), ids=lambda m: m.name)
def test_with_fitted_parameters_intervals_hold_what_they_claim(model: Model) -> None:
    made = model.simulate(n_agents=200, seed=2)
    found = infer_ratings(model, made.trials)
    true, mean, sd = made.continuous[:, 1:, 0], found.continuous[:, 1:, 0], found.continuous_sd[:, 1:, 0]
    assert 0.87 < coverage(true, mean - Z90 * sd, mean + Z90 * sd) < 0.93


@pytest.mark.slow
def test_probabilities_of_states_are_frequencies() -> None:
    made = LAPSE.simulate(n_agents=200, seed=2)
    found = infer_ratings(LAPSE, made.trials)
    engaged, p = made.discrete[:, :, 0] == 1, found.probabilities[0][:, :, 1]
    for low, high in ((0, 0.2), (0.2, 0.5), (0.5, 0.8), (0.8, 0.95), (0.95, 1.0)):
        of = (p >= low) & (p < high)
        assert engaged[of].mean() == pytest.approx(p[of].mean(), abs=0.05)
