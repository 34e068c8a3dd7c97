"""The ordered beta distribution: scipy's densities, numeric integration, finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special, stats

from pluristats.engine.result import Factor
from pluristats.models.ordered_beta.density import (
    Ratings,
    Shape,
    derivatives,
    first_guess,
    log_density,
    polygammas,
    shape_curvature,
    slopes,
)
from pluristats.models.ordered_beta.laplace import Point, Rows, laplace
from pluristats.models.ordered_beta.predicted import distribution, end_probabilities, mean, mean_slope, quantile

PREDICTORS = st.floats(-4, 4)
SHAPES = st.tuples(st.floats(-3, 1), st.floats(-1.5, 1.8), st.floats(-1, 3)).map(np.array)


def plain(y: float, eta: float, shape: np.ndarray) -> float:
    """Kubinec's formula as it stands, with scipy's beta density."""
    low, high, phi = shape[0], shape[0] + np.exp(shape[1]), np.exp(shape[2])
    if y == 0:
        return 1 - special.expit(eta - low)
    if y == 1:
        return float(special.expit(eta - high))
    mu = special.expit(eta)
    between = special.expit(eta - low) - special.expit(eta - high)
    return between * stats.beta.pdf(y, mu * phi, (1 - mu) * phi)


@settings(max_examples=25, deadline=None)
@given(PREDICTORS, SHAPES)
def test_density_is_kubinecs(eta: float, shape: np.ndarray) -> None:
    y = np.array([0.0, 0.01, 0.3, 0.77, 0.99, 1.0])
    expected = [plain(value, eta, shape) for value in y]
    np.testing.assert_allclose(
        np.exp(log_density(Ratings.of(y), np.full(6, eta), Shape.of(shape))), expected, rtol=1e-9
    )


@settings(max_examples=25, deadline=None)
@given(st.floats(-2, 2), st.tuples(st.floats(-3, 1), st.floats(-1.5, 1.8), st.floats(0, 3)).map(np.array))
def test_masses_and_density_sum_to_one_and_give_the_mean(eta: float, shape: np.ndarray) -> None:
    """By the trapezoidal rule over z with y = Λ(z), where the density is smooth even if it is infinite at the ends."""
    z = np.arange(-250, 250, 0.05)
    log, log_rest = special.log_expit(z), special.log_expit(-z)
    nowhere = np.zeros(len(z), dtype=bool)
    ratings = Ratings(nowhere, nowhere, np.arange(len(z)), log, log_rest)
    share = 0.05 * np.exp(log_density(ratings, np.full(len(z), eta), Shape.of(shape)) + log + log_rest)
    low, high = end_probabilities(np.array(eta), Shape.of(shape))
    assert low + high + share.sum() == pytest.approx(1, abs=1e-9)
    assert high + share @ special.expit(z) == pytest.approx(float(mean(np.array(eta), Shape.of(shape))), abs=1e-9)


def test_distribution_and_quantiles_are_the_integrated_density() -> None:
    shape = np.array([-1.2, 0.9, 1.1])
    for eta in (-1.5, 0.0, 2.0):
        at = np.array([0.0, 0.05, 0.4, 0.8, 1.0])
        inside = [integrate.quad(lambda y, e=eta: plain(y, e, shape), 1e-12, top, limit=200)[0] for top in at[1:4]]
        low, high = plain(0, eta, shape), plain(1, eta, shape)
        found = distribution(at, np.full(5, eta), Shape.of(shape))
        np.testing.assert_allclose(found, [low, *(low + np.array(inside)), 1.0], atol=1e-6)
        levels = np.array([low / 2, low - 1e-9, low + 0.3 * (1 - low - high), 1 - high / 2])
        q = quantile(levels, np.full(4, eta), Shape.of(shape))
        assert q[0] == q[1] == 0 and q[3] == 1
        assert integrate.quad(lambda y, e=eta: plain(y, e, shape), 1e-12, q[2])[0] == pytest.approx(levels[2] - low)


@settings(max_examples=25, deadline=None)
@given(PREDICTORS, SHAPES, st.floats(0.001, 0.999))
def test_quantiles_turn_the_distribution_around(eta: float, shape: np.ndarray, level: float) -> None:
    y = quantile(np.array(level), np.array(eta), Shape.of(shape))
    assert distribution(y, np.array(eta), Shape.of(shape)) >= level - 1e-9
    if 1e-6 < y < 1:
        assert distribution(y * (1 - 1e-6), np.array(eta), Shape.of(shape)) <= level + 1e-9


def test_polygammas_are_scipys() -> None:
    x = np.geomspace(1e-8, 1e6, 400)
    for order, found in zip((1, 2), polygammas(x), strict=True):
        np.testing.assert_allclose(found, special.polygamma(order, x), rtol=1e-13)


@settings(max_examples=25, deadline=None)
@given(SHAPES, st.integers(0, 1000))
def test_derivatives_are_those_of_the_density(shape: np.ndarray, seed: int) -> None:
    rng = np.random.default_rng(seed)
    y = Ratings.of(np.r_[0, 0, 1, 1, rng.uniform(0.01, 0.99, 6)])
    eta, h = rng.uniform(-3, 3, 10), 1e-5
    found = derivatives(y, eta, Shape.of(shape))

    def in_eta(f):
        return (f(eta + h, shape) - f(eta - h, shape)) / (2 * h)

    def in_shape(f):
        return np.array([(f(eta, shape + h * e) - f(eta, shape - h * e)) / (2 * h) for e in np.eye(3)])

    def value(e, s):
        return log_density(y, e, Shape.of(s))

    def first(e, s):
        return slopes(y, e, Shape.of(s))[0]

    def second(e, s):
        return slopes(y, e, Shape.of(s))[1]

    close = {"rtol": 1e-5, "atol": 1e-6}
    np.testing.assert_allclose(found.first, in_eta(value), **close)
    np.testing.assert_allclose(found.second, in_eta(first), **close)
    np.testing.assert_allclose(found.third, in_eta(second), **close)
    np.testing.assert_allclose(found.shape, in_shape(value), **close)
    np.testing.assert_allclose(found.shape_first, in_shape(first), **close)
    np.testing.assert_allclose(found.shape_second, in_shape(second), **close)
    curvature = in_shape(lambda e, s: derivatives(y, e, Shape.of(s)).shape)
    np.testing.assert_allclose(shape_curvature(y, eta, Shape.of(shape)), curvature, **close)
    slope = in_eta(lambda e, s: mean(e, Shape.of(s)))
    np.testing.assert_allclose(mean_slope(eta, Shape.of(shape)), slope, **close)


def crossed(seed: int) -> Rows:
    rng = np.random.default_rng(seed)
    n = 150
    y = np.where(rng.random(n) < 0.2, 0.0, np.where(rng.random(n) < 0.2, 1.0, rng.random(n)))
    factors = tuple(
        Factor(g, np.r_[np.arange(q), rng.integers(0, q, n - q)], tuple(range(q))) for g, q in (("a", 9), ("b", 7))
    )
    return Rows(Ratings.of(y), np.column_stack([np.ones(n), rng.normal(size=n)]), factors)


@pytest.mark.parametrize("sd", [[0.7, 0.4], [0.3, 0.0], [-0.5, 1.5]])
def test_gradient_of_the_likelihood(sd: list[float]) -> None:
    """By finite differences, also where a standard deviation is zero; and the sign of one does not matter."""
    rows, h = crossed(1), 1e-5
    theta = np.r_[0.2, -0.3, -1.1, 0.8, 1.2, sd]
    found = laplace(rows, Point.of(theta, 2))
    by_hand = [
        (laplace(rows, Point.of(theta + h * e, 2)).value - laplace(rows, Point.of(theta - h * e, 2)).value) / (2 * h)
        for e in np.eye(7)
    ]
    np.testing.assert_allclose(found.gradient, by_hand, rtol=1e-6, atol=1e-6)
    flipped = laplace(rows, Point.of(np.r_[theta[:5], -theta[5:]], 2))
    assert flipped.value == pytest.approx(found.value, rel=1e-12)


def test_likelihood_is_the_dense_formula() -> None:
    """With Z as a matrix, the mode by scipy, and log |H| of the dense H by differences of the density."""
    from scipy.optimize import minimize

    rows, sd = crossed(2), np.array([0.7, 0.4])
    shape = Shape.of(np.array([-1.1, 0.8, 1.2]))
    z = np.hstack([s * np.eye(f.q)[f.codes] for s, f in zip(sd, rows.factors, strict=True)])
    fixed = rows.x @ np.array([0.2, -0.3])

    def height(u):
        return 0.5 * u @ u - log_density(rows.y, fixed + z @ u, shape).sum()

    u = minimize(height, np.zeros(16), method="BFGS", options={"gtol": 1e-8}).x
    h = 1e-4
    eta = fixed + z @ u
    weight = -sum(log_density(rows.y, eta + k * h, shape) * c for k, c in ((-1, 1), (0, -2), (1, 1))) / h**2
    expected = -height(u) - 0.5 * np.linalg.slogdet(np.eye(16) + z.T @ (weight[:, None] * z))[1]
    found = laplace(rows, Point(np.array([0.2, -0.3]), np.array([-1.1, 0.8, 1.2]), sd))
    assert found.value == pytest.approx(expected, abs=1e-5)


def test_first_guess_has_the_shares_of_the_ends() -> None:
    rng = np.random.default_rng(3)
    y = Ratings.of(np.r_[np.zeros(300), np.ones(200), rng.beta(2, 3, 500)])
    eta, shape = first_guess(y)
    low, high = end_probabilities(np.array(eta), Shape.of(shape))
    assert (low, high) == (pytest.approx(0.3, abs=1e-3), pytest.approx(0.2, abs=1e-3))
