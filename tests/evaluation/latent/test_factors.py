"""The factor model: its steps against dense Gaussian algebra, the whole against known truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, stats

from pluristats.errors import EvaluationError
from pluristats.evaluation.latent import factors as f
from pluristats.evaluation.latent.amounts import CENTRE, SPREAD, log_posterior, most_likely
from pluristats.evaluation.latent.response import Latent

Array = np.ndarray


def gaussian_kernel(x: Array, y: Array | None = None) -> Array:
    return np.exp(-0.5 * (x[:, None] - (x if y is None else y)[None, :]) ** 2)


def made(n: int, m: int, rank: int, seed: int, noise: float = 0.5) -> tuple[Array, Array]:
    """Noisy and true values."""
    rng = np.random.default_rng(seed)
    w, c = rng.normal([0, 1.0, *[0.6] * (rank - 1)], 0.5, (n, rank + 1)), rng.normal(size=(m, rank))
    truth = w[:, :1] + w[:, 1:] @ c.T
    return truth + noise * rng.normal(size=truth.shape), truth


def test_amounts_have_the_density_of_a_multivariate_normal() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=7)
    kernels, y, precision = [gaussian_kernel(x), np.outer(x, x)], rng.normal(size=7), rng.uniform(0.5, 3, 7)
    amounts = np.array([-1.0, -0.3, -2.5])

    def minus_log(a: Array) -> float:
        cov = sum(np.exp(v) * k for v, k in zip(a, [*kernels, np.eye(7)], strict=True)) + np.diag(1 / precision)
        prior = stats.norm(CENTRE, SPREAD).logpdf(a).sum()
        return float(-stats.multivariate_normal(np.zeros(7), cov).logpdf(y) - prior)

    other = np.array([-3.0, 0.5, -1.0])
    value, gradient = log_posterior(amounts, kernels, y, precision)
    assert value - log_posterior(other, kernels, y, precision)[0] == pytest.approx(
        minus_log(amounts) - minus_log(other)
    )
    np.testing.assert_allclose(gradient, optimize.approx_fprime(amounts, minus_log, 1e-6), atol=1e-5)
    best = most_likely(amounts, kernels, y, precision, steps=200)
    theirs = optimize.minimize(minus_log, amounts, method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-10})
    np.testing.assert_allclose(best, theirs.x, atol=2e-3)


def test_scores_are_the_posterior_of_a_dense_regression() -> None:
    """With people's weights certain, q(c) is exact: every rating is a linear equation in all scores."""
    rng = np.random.default_rng(1)
    n, m, rank = 5, 4, 2
    z, _ = made(n, m, rank, 1)
    seen = rng.random(z.shape) < 0.8
    noise = rng.uniform(0.2, 1.0, n)
    w = rng.normal(size=(n, rank + 1))
    prior = np.stack([gaussian_kernel(np.arange(m) / s) + 0.1 * np.eye(m) for s in (1.0, 3.0)])
    precision = seen / noise[:, None]
    pull, own = f._evidence(np.where(seen, z, 0.0), precision, w, np.zeros((n, rank + 1, rank + 1)))
    mean, cov = f._update_scores(pull, own, np.stack([np.linalg.inv(k) for k in prior]))

    rows, values, spread = [], [], []
    for i, j in zip(*np.nonzero(seen), strict=True):
        row = np.zeros((rank, m))
        row[:, j] = w[i, 1:]
        rows.append(row.ravel())
        values.append(z[i, j] - w[i, 0])
        spread.append(noise[i])
    x, v = np.array(rows), np.array(spread)
    before = np.zeros((rank * m, rank * m))
    before[:m, :m], before[m:, m:] = prior
    gain = before @ x.T @ np.linalg.inv(x @ before @ x.T + np.diag(v))
    np.testing.assert_allclose(mean.T.ravel(), gain @ np.array(values), atol=1e-10)
    np.testing.assert_allclose(cov.reshape(rank * m, -1), before - gain @ x @ before, atol=1e-10)


def test_weights_are_the_posterior_of_a_dense_regression() -> None:
    rng = np.random.default_rng(2)
    z, c = rng.normal(size=(3, 6)), rng.normal(size=(6, 2))
    seen = np.array([[1] * 6, [1, 0, 1, 0, 1, 1], [0] * 6], dtype=bool)
    noise, mean, var = np.array([0.5, 1.0, 2.0]), np.array([0.1, 1.0, -0.5]), np.array([0.3, 0.5, 2.0])
    w, cov = f._update_weights(np.where(seen, z, 0.0), seen / noise[:, None], c, np.zeros((2, 6, 2, 6)), mean, var)
    x = np.column_stack([np.ones(6), c])
    for i in range(3):
        here = x[seen[i]]
        gain = np.diag(var) @ here.T @ np.linalg.inv(here @ np.diag(var) @ here.T + noise[i] * np.eye(len(here)))
        np.testing.assert_allclose(w[i], mean + gain @ (z[i, seen[i]] - here @ mean), atol=1e-10)
        np.testing.assert_allclose(cov[i], np.diag(var) - gain @ here @ np.diag(var), atol=1e-10)


def test_moments_of_a_product_are_those_of_simulation() -> None:
    rng = np.random.default_rng(3)
    w, c = rng.normal(size=(2, 3)), rng.normal(size=(3, 2))
    root, own = rng.normal(size=(2, 3, 3)) / 2, rng.normal(size=(3, 2, 2)) / 2
    w_cov, c_cov = root @ root.transpose(0, 2, 1), own @ own.transpose(0, 2, 1)
    mean, spread = f._moments(w, w_cov, c, c_cov)
    draws = 400_000
    for i, j in ((0, 1), (1, 2)):
        person = w[i] + rng.normal(size=(draws, 3)) @ root[i].T
        prompt = c[j] + rng.normal(size=(draws, 2)) @ own[j].T
        value = person[:, 0] + (person[:, 1:] * prompt).sum(axis=1)
        assert mean[i, j] == pytest.approx(value.mean(), abs=5 * value.std() / np.sqrt(draws))
        assert spread[i, j] == pytest.approx(value.var(), rel=0.02)


def test_held_out_cells_are_predicted_nearly_as_well_as_by_the_truth() -> None:
    z, truth = made(60, 50, 2, 4)
    rng = np.random.default_rng(5)
    held = rng.random(z.shape) < 0.2
    fit = f.fit_factors(Latent(np.where(held, np.nan, z)), (), rank=4)
    mean, sd = f.predictive(fit, f.known(fit))
    error, least = (float(np.sqrt(np.mean((p - z)[held] ** 2))) for p in (mean, truth))
    assert error < 1.1 * least
    inside = np.abs(mean - z)[held] < 1.645 * sd[held]
    assert 0.86 < inside.mean() < 0.94
    assert np.sqrt(np.mean(fit.noise)) == pytest.approx(0.5, rel=0.1)


def test_prompts_without_ratings_follow_their_kernel() -> None:
    rng = np.random.default_rng(6)
    n, m = 50, 90
    x = np.sort(rng.uniform(0, 8, m))
    c = np.linalg.cholesky(gaussian_kernel(x) + 1e-9 * np.eye(m)) @ rng.normal(size=m)
    w = rng.normal([0.0, 1.0], [0.5, 0.3], (n, 2))
    truth = w[:, :1] + w[:, 1:] * c
    z = truth + 0.5 * rng.normal(size=truth.shape)
    new = np.zeros(m, dtype=bool)
    new[::3] = True
    kernel = gaussian_kernel(x[~new])
    fit = f.fit_factors(Latent(z[:, ~new]), (kernel,), rank=3)
    cross = gaussian_kernel(x[new], x[~new])
    found = f.extended(fit, [cross], [np.ones(new.sum())], new.sum())
    mean, sd = f.predictive(fit, found)
    blind = np.sqrt(np.mean((truth[:, new] - truth[:, ~new].mean(axis=1, keepdims=True)) ** 2))
    assert np.sqrt(np.mean((mean - truth[:, new]) ** 2)) < 0.35 * blind
    assert 0.84 < (np.abs(mean - z[:, new]) < 1.645 * sd).mean() < 0.96
    # The mean is the dense conditional expectation, given the scores.
    a = np.exp(fit.amounts[0])
    dense = a[0] * cross @ np.linalg.inv(a[0] * kernel + a[1] * np.eye(len(kernel))) @ fit.scores[:, 0]
    np.testing.assert_allclose(found.mean[:, 0], dense, atol=1e-8)


def test_without_kernels_a_new_prompt_has_the_prior() -> None:
    """Mean 0 and the prior's variance: everybody is predicted at their constant."""
    fit = f.fit_factors(Latent(made(9, 12, 2, 3)[0]), (), rank=2)
    found = f.extended(fit, [], [], 2)
    np.testing.assert_array_equal(found.mean, np.zeros((2, 2)))
    np.testing.assert_allclose(found.cov, [np.diag(np.exp(fit.amounts[:, -1]))] * 2)
    np.testing.assert_allclose(f.predictive(fit, found)[0], np.repeat(fit.weights[:, :1], 2, axis=1))


def test_censored_values_are_found_between_their_bounds() -> None:
    """Ordered categories lose what is within them: the fit must do better than their middles do."""
    z, truth = made(50, 60, 1, 7)
    cuts = np.array([-np.inf, -0.5, 0.5, np.inf])
    code = np.searchsorted(cuts[1:-1], z)
    middle = np.array([-1.2, 0.0, 1.2])[code]
    bounded = f.fit_factors(Latent(middle, cuts[code], cuts[code + 1]), (), rank=2)
    plain = f.fit_factors(Latent(middle), (), rank=2)
    errors = [np.sqrt(np.mean((f.predictive(fit, f.known(fit))[0] - truth) ** 2)) for fit in (bounded, plain)]
    assert errors[0] < 0.8 * errors[1]


def test_what_cannot_be_fitted_is_refused() -> None:
    z = np.ones((3, 4))
    z[:, 2] = np.nan
    with pytest.raises(EvaluationError, match="each with a rating"):
        f.fit_factors(Latent(z), (), rank=1)
    with pytest.raises(EvaluationError, match="not positive definite"):
        f.inverse(np.array([[1.0, 2.0], [2.0, 1.0]]))


def test_an_inverse_is_numpys() -> None:
    a = np.random.default_rng(8).normal(size=(6, 6))
    np.testing.assert_allclose(f.inverse(a @ a.T + np.eye(6)), np.linalg.inv(a @ a.T + np.eye(6)), atol=1e-12)
