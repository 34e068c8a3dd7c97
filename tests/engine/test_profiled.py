"""The profiled deviance against the marginal likelihood written out, and its derivatives against differences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pluristats.engine import native
from pluristats.engine.profiled import Evaluation, evaluate, slope_at_zero
from pluristats.engine.result import Array, Problem
from pluristats.errors import FitError
from tests.engine.dense import covariance, deviance, exact_deviance, model

RNG = np.random.default_rng(3)
N = 24
G, H = np.repeat(np.arange(4), 6), np.tile(np.arange(3), 8)
E = RNG.normal(size=N)
X = np.column_stack([np.ones(N), RNG.normal(size=N)])


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    """Small designs: one to three factors, crossed as chance has it, with or without an intercept."""
    n, k = draw(st.integers(8, 16)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    codes = [np.r_[0, 1, rng.integers(0, draw(st.integers(2, 4)), n - 2)] for _ in range(k)]
    x = np.column_stack([np.ones(n), rng.normal(size=(n, 2))])[:, draw(st.sampled_from([[0], [0, 1], [1, 2], []]))]
    y = rng.normal(size=n) + sum(rng.normal(size=c.max() + 1)[c] for c in codes)
    return model(y, x, *codes)


def at(prob: Problem, rho: Array, *, reml: bool) -> Evaluation:
    return evaluate(native.projected(prob), np.exp(rho / 2), reml=reml)


@given(prob=problems(), reml=st.booleans(), data=st.data())
@settings(max_examples=60, deadline=4000)
def test_deviance_is_that_of_the_marginal_likelihood(prob: Problem, reml: bool, data: st.DataObject) -> None:
    factors = native.in_theta_order(prob).factors
    theta = np.array(
        data.draw(st.lists(st.sampled_from([0.0, 0.1, 1.0, 3.0, 50.0]), min_size=(k := len(factors)), max_size=k))
    )
    expected = deviance(prob.y, prob.x, factors, theta, reml=reml)
    assert native.deviance(prob, theta, reml=reml) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("theta", [[0.0, 0.0], [0.7, 0.0], [1.3, 0.4]])
def test_ml_is_the_density_at_the_profiled_estimates(theta: list[float]) -> None:
    prob = model(E + 2 * X[:, 1], X, G, H)
    v = covariance(prob.factors, theta)
    weight = np.linalg.inv(v)
    beta = np.linalg.solve(X.T @ weight @ X, X.T @ weight @ prob.y)
    rest = prob.y - X @ beta
    sigma2 = rest @ weight @ rest / N
    logpdf = stats.multivariate_normal(X @ beta, sigma2 * v).logpdf(prob.y)
    assert native.deviance(prob, np.array(theta), reml=False) == pytest.approx(-2 * logpdf, rel=1e-12)


@pytest.mark.parametrize("theta", [[0.0, 0.0], [0.7, 0.0], [1.3, 0.4]])
def test_reml_is_the_density_of_the_error_contrasts(theta: list[float]) -> None:
    """With A'X = 0 and A'A = I, A'y ~ N(0, σ²A'VA); the criterion of lme4 adds log|X'X|."""
    prob = model(E + 2 * X[:, 1], X, G, H)
    contrasts = np.linalg.svd(X)[0][:, 2:]
    v = contrasts.T @ covariance(prob.factors, theta) @ contrasts
    z = contrasts.T @ prob.y
    sigma2 = z @ np.linalg.solve(v, z) / (N - 2)
    logpdf = stats.multivariate_normal(np.zeros(N - 2), sigma2 * v).logpdf(z)
    expected = -2 * logpdf + np.linalg.slogdet(X.T @ X)[1]
    assert native.deviance(prob, np.array(theta), reml=True) == pytest.approx(expected, rel=1e-12)


@given(prob=problems(), reml=st.booleans(), data=st.data())
@settings(max_examples=40, deadline=4000)
def test_gradient_and_hessian_are_the_differences(prob: Problem, reml: bool, data: st.DataObject) -> None:
    k = len(prob.factors)
    rho = np.array(data.draw(st.lists(st.floats(-3, 2), min_size=k, max_size=k)))
    here, h = at(prob, rho, reml=reml), 1e-4
    for j, step in enumerate(h * np.eye(k)):
        up, down = at(prob, rho + step, reml=reml), at(prob, rho - step, reml=reml)
        assert here.gradient[j] == pytest.approx((up.deviance - down.deviance) / (2 * h), rel=1e-5, abs=1e-6)
        np.testing.assert_allclose(here.hessian[j], (up.gradient - down.gradient) / (2 * h), rtol=1e-5, atol=1e-6)


@given(prob=problems(), reml=st.booleans(), data=st.data())
@settings(max_examples=40, deadline=4000)
def test_slope_at_zero_is_the_one_sided_difference(prob: Problem, reml: bool, data: st.DataObject) -> None:
    pr, k = native.projected(prob), len(prob.factors)
    theta = np.array(data.draw(st.lists(st.sampled_from([0.0, 0.3, 2.0]), min_size=k, max_size=k)))
    j = data.draw(st.integers(0, k - 1))
    theta[j] = 0.0
    # Second order from one side: (4 d(h) - d(2h) - 3 d(0)) / 2h, in theta².
    h = 1e-5
    values = [evaluate(pr, np.where(np.arange(k) == j, np.sqrt(s * h), theta), reml=reml).deviance for s in (0, 1, 2)]
    slope = slope_at_zero(pr, evaluate(pr, theta, reml=reml), j, reml=reml)
    assert slope == pytest.approx((4 * values[1] - values[2] - 3 * values[0]) / (2 * h), rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("reml", [False, True])
@pytest.mark.parametrize(
    ("y", "x", "theta"),
    [
        pytest.param(E, X, [1e4, 0.5], id="theta 1e4"),
        pytest.param(E, X, [1e4, 1e4], id="both theta 1e4"),
        pytest.param(E, X, [1e-6, 0.0], id="theta 1e-6"),
        pytest.param(1e4 * RNG.normal(size=4)[G] + E, X, [1e4, 0.5], id="group variance 1e8"),
        pytest.param(1e5 * RNG.normal(size=4)[G] + E, X, [1e5, 0.5], id="group variance 1e10"),
        pytest.param(X @ [1, 2] + 1e-6 * E, X, [1.0, 0.5], id="residual 1e-6"),
        pytest.param(X @ [1, 2] + 1e-9 * E, X, [1.0, 0.5], id="residual 1e-9"),
        pytest.param(E + 1e9, X, [1.0, 0.5], id="response with mean 1e9"),
        pytest.param(E, X + np.array([0, 1e9]), [1.0, 0.5], id="column with mean 1e9"),
        pytest.param(1e12 * E, X * np.array([1, 1e-12]), [1.0, 0.5], id="scales 1e12 and 1e-12"),
        pytest.param(E, np.column_stack([X, X[:, 1] + 3e-7 * RNG.normal(size=N)]), [1.0, 0.5], id="collinear 3e-7"),
        pytest.param(E, RNG.normal(size=(N, 2)) + 1e5, [1.0, 0.5], id="no intercept, means 1e5"),
    ],
)
def test_extremes_against_rational_arithmetic(y: Array, x: Array, theta: list[float], reml: bool) -> None:
    """Of the deviance, the error stays below 1e-6 (relative); an error of that size in d is what lme4 itself has."""
    prob = model(y, x, G, H)
    expected = exact_deviance(y, x, prob.factors, theta, reml=reml)
    assert native.deviance(prob, np.array(theta), reml=reml) == pytest.approx(expected, rel=3e-7)


def test_theta_beyond_double_precision_is_refused() -> None:
    with pytest.raises(FitError, match=r"theta = \[100000000\.0, 1\.0\].*too large"):
        native.deviance(model(E, X, G, H), np.array([1e8, 1.0]))


@pytest.mark.parametrize("reml", [False, True])
def test_without_factors_it_is_the_regression(reml: bool) -> None:
    prob = model(E, X)
    rest = E - X @ np.linalg.lstsq(X, E, rcond=None)[0]
    c = N - 2 if reml else N
    expected = c * (1 + np.log(2 * np.pi * rest @ rest / c)) + (np.linalg.slogdet(X.T @ X)[1] if reml else 0)
    ev = evaluate(native.projected(prob), np.zeros(0), reml=reml)
    assert ev.deviance == pytest.approx(expected, rel=1e-12)
    assert ev.gradient.shape == (0,) and ev.hessian.shape == (0, 0)


def test_sparse_contingency_gives_the_same() -> None:
    """Eighty levels crossed with eighty in eighty-eight rows: the table is stored sparse."""
    a, b = np.r_[np.arange(80), np.arange(8)], np.r_[np.arange(80), np.arange(1, 9)]
    y = RNG.normal(size=88)
    prob = model(y, np.ones((88, 1)), a, b)
    assert native.deviance(prob, np.array([0.6, 0.9]), reml=True) == pytest.approx(
        deviance(y, prob.x, native.in_theta_order(prob).factors, [0.6, 0.9], reml=True), rel=1e-10
    )
