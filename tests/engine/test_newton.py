"""Optima against closed forms, certificates at the boundary, and what happens where there is no optimum."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from pluristats.engine import native
from pluristats.engine.newton import minimise
from pluristats.engine.omega import DenseOmega
from pluristats.engine.profiled import Evaluation, evaluate, slope_at_zero
from pluristats.engine.result import Array, Problem
from pluristats.errors import FitError
from tests.engine.dense import covariance, deviance, exact_deviance, model

RNG = np.random.default_rng(8)


def balanced(groups: int, size: int, spread: float, seed: int) -> tuple[Problem, float, float]:
    """One-way layout with its mean squares between and within groups."""
    rng = np.random.default_rng(seed)
    y = rng.normal(size=(groups, size)) + spread * rng.normal(size=(groups, 1))
    between = size * y.mean(axis=1).var(ddof=1)
    within = ((y - y.mean(axis=1, keepdims=True)) ** 2).sum() / (groups * (size - 1))
    return model(y.ravel(), np.ones((y.size, 1)), np.repeat(np.arange(groups), size)), between, within


@pytest.mark.parametrize("seed", range(4))
def test_balanced_one_way_reml(seed: int) -> None:
    """σ² = MSW and σ_b² = (MSB - MSW)/m (Searle, Casella & McCulloch 1992, section 3.8)."""
    prob, between, within = balanced(7, 4, 1.5, seed)
    assert between > within
    fit = native.fit(prob, reml=True)
    assert fit.sigma**2 == pytest.approx(within, rel=1e-7)
    assert fit.random[0].covariance.item() == pytest.approx((between - within) / 4, rel=1e-6)
    assert fit.beta.item() == pytest.approx(prob.y.mean(), rel=1e-9)
    assert fit.vcov.item() == pytest.approx(between / len(prob.y), rel=1e-6)
    assert fit.optimizer.status == "converged"


@pytest.mark.parametrize("seed", range(4))
def test_balanced_one_way_ml(seed: int) -> None:
    """ML divides the sum of squares between groups by their number instead."""
    prob, between, within = balanced(7, 4, 1.5, seed)
    fit = native.fit(prob, reml=False)
    assert fit.sigma**2 == pytest.approx(within, rel=1e-7)
    assert fit.random[0].covariance.item() == pytest.approx((between * 6 / 7 - within) / 4, rel=1e-6)


def test_balanced_one_way_below_zero_is_on_the_boundary() -> None:
    """Where MSB < MSW the estimate is zero and the model the ordinary regression."""
    seed = next(s for s in range(50) if (b := balanced(6, 5, 0.0, s))[1] < 0.8 * b[2])
    prob = balanced(6, 5, 0.0, seed)[0]
    for reml in (False, True):
        fit = native.fit(prob, reml=reml)
        assert fit.theta.tolist() == [0.0]
        assert fit.optimizer.status == "boundary"
        assert fit.sigma**2 == pytest.approx(prob.y.var(ddof=int(reml)), rel=1e-10)
        assert fit.random[0].modes.ravel().tolist() == [0.0] * 6
        assert fit.random[0].mode_sd.ravel().tolist() == [0.0] * 6
        pr = native.projected(prob)
        assert slope_at_zero(pr, evaluate(pr, fit.theta, reml=reml), 0, reml=reml) > 0


def test_conditional_modes_of_the_balanced_one_way_layout() -> None:
    """b_i = λ(ȳ_i - ȳ) with λ = mσ_b²/(mσ_b² + σ²), and variance σ_b²(1 - λ) given the mean."""
    prob = balanced(7, 4, 1.5, 0)[0]
    fit = native.fit(prob, reml=True)
    variance = fit.random[0].covariance.item()
    shrink = 4 * variance / (4 * variance + fit.sigma**2)
    means = prob.y.reshape(7, 4).mean(axis=1)
    np.testing.assert_allclose(fit.random[0].modes.ravel(), shrink * (means - prob.y.mean()), rtol=1e-9)
    np.testing.assert_allclose(fit.random[0].mode_sd.ravel(), np.sqrt(variance * (1 - shrink)), rtol=1e-9)


@pytest.mark.parametrize("effects", [(0.0, 0.0), (0.0, 2.0), (2.0, 0.0), (2.0, 2.0)])
@pytest.mark.parametrize("reml", [False, True])
def test_boundary_in_two_factors_is_certified(effects: tuple[float, float], reml: bool) -> None:
    """A crossed table whose row or column means all agree has no variance between them to estimate."""
    rows, columns = np.repeat(np.arange(8), 6), np.tile(np.arange(6), 8)
    table = np.random.default_rng(4).normal(size=(8, 6))
    table -= table.mean(axis=0)
    table -= table.mean(axis=1, keepdims=True)
    a, b = np.linspace(-1, 1, 8) * effects[0], np.linspace(-1, 1, 6) * effects[1]
    prob = model((table + a[:, None] + b).ravel(), np.ones((48, 1)), rows, columns)
    fit = native.fit(prob, reml=reml)
    assert [t > 0 for t in fit.theta] == [e > 0 for e in effects]
    assert fit.optimizer.status == ("converged" if all(effects) else "boundary")
    assert fit.optimizer.gradient_norm <= fit.optimizer.tolerance
    if any(effects):
        assert fit.optimizer.hessian_min_eigenvalue > 0
    else:
        assert np.isnan(fit.optimizer.hessian_min_eigenvalue)


def test_balanced_two_way_reml_is_the_anova() -> None:
    """Balanced, one a cell: σ² = MSE, σ_a² = (MSA - MSE)/columns, σ_b² = (MSB - MSE)/rows where these are positive."""
    rng = np.random.default_rng(1)
    table = rng.normal(size=(8, 6)) + 2 * rng.normal(size=(8, 1)) + 1.5 * rng.normal(size=6)
    rest = table - table.mean(axis=1, keepdims=True) - table.mean(axis=0) + table.mean()
    mse = (rest**2).sum() / 35
    a, b = (6 * table.mean(axis=1).var(ddof=1) - mse) / 6, (8 * table.mean(axis=0).var(ddof=1) - mse) / 8
    fit = native.fit(
        model(table.ravel(), np.ones((48, 1)), np.repeat(np.arange(8), 6), np.tile(np.arange(6), 8)), reml=True
    )
    assert fit.sigma**2 == pytest.approx(mse, rel=1e-7)
    assert [r.covariance.item() for r in fit.random] == pytest.approx([a, b], rel=1e-6)


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    """One to three crossed factors that leave the residual some degrees of freedom."""
    n, k = draw(st.integers(25, 40)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    codes = [np.r_[0, 1, 2, rng.integers(0, draw(st.integers(3, 5)), n - 3)] for _ in range(k)]
    spread = draw(st.sampled_from([0.0, 0.3, 1.0, 10.0]))
    y = rng.normal(size=n) + sum(spread * rng.normal(size=c.max() + 1)[c] for c in codes)
    return model(y, np.column_stack([np.ones(n), rng.normal(size=n)]), *codes)


@given(prob=problems(), reml=st.booleans())
@settings(max_examples=80, deadline=4000)
def test_every_end_is_a_local_minimum_of_the_marginal_likelihood(prob: Problem, reml: bool) -> None:
    fit = native.fit(prob, reml=reml)
    factors = native.in_theta_order(prob).factors
    assert fit.optimizer.status == ("boundary" if (fit.theta == 0).any() else "converged")
    assert fit.optimizer.gradient_norm <= fit.optimizer.tolerance
    best = deviance(prob.y, prob.x, factors, fit.theta, reml=reml)
    assert -2 * fit.loglik == pytest.approx(best, rel=1e-9)
    for k in range(len(factors)):
        for change in (0.97, 1.03):
            theta = fit.theta.copy()
            theta[k] = theta[k] * change if theta[k] else 0.02
            assert deviance(prob.y, prob.x, factors, theta, reml=reml) >= best - 1e-9


@given(prob=problems(), reml=st.booleans())
@settings(max_examples=40, deadline=4000)
def test_estimates_solve_the_generalised_least_squares(prob: Problem, reml: bool) -> None:
    fit = native.fit(prob, reml=reml)
    factors = native.in_theta_order(prob).factors
    v = covariance(factors, fit.theta)
    weight = np.linalg.inv(v)
    information = prob.x.T @ weight @ prob.x
    beta = np.linalg.solve(information, prob.x.T @ weight @ prob.y)
    rest = prob.y - prob.x @ beta
    n, p = prob.x.shape
    sigma2 = rest @ weight @ rest / (n - p if reml else n)
    np.testing.assert_allclose(fit.beta, beta, rtol=1e-7, atol=1e-8)
    assert fit.sigma**2 == pytest.approx(sigma2, rel=1e-7)
    np.testing.assert_allclose(fit.vcov, sigma2 * np.linalg.inv(information), rtol=1e-6, atol=1e-10)
    for effects, factor, theta in zip(fit.random, factors, fit.theta, strict=True):
        z = np.eye(factor.q)[factor.codes]
        np.testing.assert_allclose(effects.modes[:, 0], theta**2 * z.T @ weight @ rest, rtol=1e-6, atol=1e-7)
        variance = sigma2 * (theta**2 - theta**4 * np.diag(z.T @ weight @ z))
        np.testing.assert_allclose(effects.mode_sd[:, 0] ** 2, variance, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("reml", [False, True])
def test_no_factor_is_ordinary_regression(reml: bool) -> None:
    x = np.column_stack([np.ones(30), RNG.normal(size=(30, 2))])
    y = x @ [1.0, 2.0, 0.0] + RNG.normal(size=30)
    ols = sm.OLS(y, x).fit()
    fit = native.fit(model(y, x), reml=reml)
    np.testing.assert_allclose(fit.beta, ols.params, rtol=1e-10)
    assert fit.sigma**2 == pytest.approx(ols.scale if reml else ols.ssr / 30, rel=1e-10)
    if not reml:
        assert fit.loglik == pytest.approx(ols.llf, rel=1e-12)
    np.testing.assert_allclose(fit.vcov, ols.cov_params() * (1.0 if reml else 27 / 30), rtol=1e-9)
    assert fit.optimizer.status == "converged" and fit.theta.shape == (0,)


def test_where_the_first_end_is_only_local_the_better_one_is_found() -> None:
    """Two local minima: (1.5003, 0) on the boundary at 43.4325, where the moments lead, and 43.4043 inside."""
    y = np.array([-0.3, 0.6, 1.2, -0.5, 0.8, 4.9, -1.6, -2.5, 1.6, 2.9, 1.6, 2.3])
    a, b = [0, 1, 2, 0, 0, 2, 0, 3, 2, 2, 2, 2], [0, 1, 2, 1, 1, 3, 0, 3, 0, 1, 1, 1]
    prob = model(y, np.ones((12, 1)), a, b)
    factors = native.in_theta_order(prob).factors
    local = deviance(y, prob.x, factors, [1.50037235, 0.0], reml=True)
    for near in ([1.45, 0.0], [1.55, 0.0], [1.50037235, 0.05]):
        assert deviance(y, prob.x, factors, near, reml=True) > local
    fit = native.fit(prob, reml=True)
    assert fit.theta == pytest.approx([3.17975781, 1.4797942], rel=1e-5)
    assert -2 * fit.loglik < local - 0.02
    assert fit.optimizer.n_evaluations == len(fit.optimizer.trace)


# ---- the minimiser itself ----


def made(theta: Array, value: float, gradient: Array, hessian: Array) -> Evaluation:
    """An evaluation of some other function; the minimiser does not look at the factorisations."""
    nothing = DenseOmega((), np.zeros((0, 0)))
    return Evaluation(theta, value, gradient, hessian, True, np.zeros(0), 1.0, nothing, None)


def quadratic(centre: Array, curvature: Array) -> tuple[object, list[Array]]:
    """Σ_k curvature_k (log theta_k² - centre_k)², whose minimum is known."""
    seen: list[Array] = []

    def value(theta: Array) -> Evaluation:
        seen.append(theta)
        rest = np.log(theta**2) - centre
        d = float(curvature @ rest**2)
        return made(theta, d, 2 * curvature * rest, np.diag(2 * curvature))

    return value, seen


def test_a_quadratic_is_solved_and_every_evaluation_is_in_the_trace() -> None:
    value, seen = quadratic(np.array([0.5, -2.0]), np.array([3.0, 0.1]))
    end = minimise(value, lambda ev, k: 1.0, np.ones(2), np.zeros(2), tol=1e-9)
    np.testing.assert_allclose(np.log(end.at.theta**2), [0.5, -2.0], atol=1e-8)
    assert end.converged and end.message == "gradient within tolerance"
    assert end.n_evaluations == len(seen) == len(end.trace)
    assert [row[:2] for row in end.trace] == [tuple(theta) for theta in seen]
    assert end.trace[-1][2] == end.at.deviance


@pytest.mark.parametrize("budget", [1, 2, 3])
def test_too_few_evaluations_are_not_called_convergence(budget: int) -> None:
    value, seen = quadratic(np.array([9.0]), np.array([1.0]))
    end = minimise(value, lambda ev, k: 1.0, np.ones(1), np.zeros(1), max_evaluations=budget)
    assert not end.converged
    assert end.message == f"stopped after {budget} evaluations"
    assert len(seen) == budget


def test_a_function_that_lies_about_its_gradient_is_not_called_solved() -> None:
    def value(theta: Array) -> Evaluation:
        ev = quadratic(np.zeros(1), np.ones(1))[0](theta)
        return made(theta, ev.deviance, -ev.gradient, ev.hessian)

    end = minimise(value, lambda ev, k: 1.0, np.full(1, 3.0), np.zeros(1))
    assert not end.converged and end.message == "no step lowers the deviance"


def test_a_deviance_that_is_not_a_number_stops_the_search() -> None:
    def value(theta: Array) -> Evaluation:
        nothing = np.full((1, 1), np.nan)
        return made(theta, float("nan"), nothing[0], nothing)

    end = minimise(value, lambda ev, k: 1.0, np.ones(1), np.zeros(1))
    assert not end.converged and end.message == "the deviance is not finite"


def test_the_native_engine_says_failed_where_the_search_did(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 6, (2, 40))
    prob = model(rng.normal(size=40) + rng.normal(size=6)[codes[0]], np.ones((40, 1)), *codes)
    monkeypatch.setattr(native, "minimise", partial(minimise, max_evaluations=1))
    record = native.fit(prob, reml=True).optimizer
    assert record.status == "failed"
    assert record.message == "stopped after 1 evaluations"
    assert record.gradient_norm > record.tolerance


def test_a_limit_of_precision_is_accepted_and_said() -> None:
    """Fourteen coefficients for twelve rows: theta is 330, and the gradient's last digits are rounding."""
    x = [2.04277161, 0.646703, 0.66306337, -0.51400637, -1.64807517, 0.16746474]
    x += [0.10901409, -1.22735205, -0.68322666, -0.07204368, -0.94475162, -0.09826997]
    y = [-20.63966701, 45.2596266, 37.26810038, 35.8745653, -92.82593453, -50.63285876]
    y += [1.76497338, -41.58898793, -2.15125398, -50.93264791, 58.03480765, 102.36521926]
    a, b = [0, 1, 2, 2, 3, 4, 5, 0, 0, 4, 5, 1], [0, 1, 2, 1, 5, 2, 1, 4, 1, 2, 3, 3]
    prob = model(np.array(y), np.column_stack([np.ones(12), x]), a, b)
    fit = native.fit(prob, reml=False)
    assert fit.optimizer.status == "converged"
    assert fit.optimizer.gradient_norm < 1e3 * fit.optimizer.tolerance
    factors = native.in_theta_order(prob).factors
    assert -2 * fit.loglik == pytest.approx(exact_deviance(prob.y, prob.x, factors, fit.theta, reml=False), rel=1e-9)


# ---- what is refused ----

Y20 = RNG.normal(size=20)
ONES = np.ones((20, 1))
PAIRS = np.arange(20) // 2


@pytest.mark.parametrize(
    ("prob", "message"),
    [
        (model(np.zeros(0), np.zeros((0, 1)), np.zeros(0, int)), "no rows"),
        (model(np.r_[np.nan, Y20[1:]], ONES, PAIRS), "response holds non-finite"),
        (model(Y20, np.column_stack([ONES, np.r_[np.inf, Y20[1:]]]), PAIRS), "non-finite values: x1"),
        (model(np.full(20, 3.0), ONES, PAIRS), "response is constant"),
        (model(Y20, ONES, np.zeros(20, int)), "'f0' has only one level"),
        (model(Y20, ONES, np.arange(20)), r"'f0' has as many levels as there are rows \(20\)"),
        (model(Y20[:4], RNG.normal(size=(4, 4)), PAIRS[:4]), "4 rows cannot determine 4 fixed effects"),
        (model(Y20[:4], RNG.normal(size=(4, 7)), PAIRS[:4]), "4 rows cannot determine 4 fixed effects"),
        (model(Y20, np.column_stack([ONES, Y20]), PAIRS), "fixed effects reproduce the response exactly"),
        (model(np.where(Y20 > 0, 0.3, 0.1 + 0.2), ONES, PAIRS), "fixed effects reproduce the response exactly"),
        (model(PAIRS * 1.7, ONES, PAIRS), "random effects reproduce"),
        (model(PAIRS * 1.7 + PAIRS % 3 * Y20[0], ONES, PAIRS, np.arange(20) % 4), "random effects reproduce"),
        (model(Y20, ONES, PAIRS, PAIRS[::-1]), r"variances of \(1\|f0\) and \(1\|f1\) cannot be told apart"),
        (model(Y20, np.eye(10)[PAIRS], PAIRS), "determine every level of grouping factor 'f0'"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_what_cannot_be_fitted_is_refused_in_one_sentence(prob: Problem, message: str) -> None:
    with pytest.raises(FitError, match=message) as caught:
        native.fit(prob, reml=True)
    assert "\n" not in str(caught.value)


def test_a_factor_that_is_a_fixed_effect_too_has_no_variance_under_ml() -> None:
    fit = native.fit(model(Y20, np.eye(10)[PAIRS], PAIRS), reml=False)
    assert fit.theta.tolist() == [0.0] and fit.optimizer.status == "boundary"


def test_one_row_more_than_columns_leaves_one_contrast() -> None:
    """REML sees one contrast, which cannot tell two variances apart; without the factor it is the residual."""
    x = np.column_stack([np.ones(5), RNG.normal(size=(5, 3))])
    y = RNG.normal(size=5)
    with pytest.raises(FitError, match=r"\(1\|f0\) and the residual cannot be told apart"):
        native.fit(model(y, x, [0, 0, 1, 1, 1]), reml=True)
    ols = sm.OLS(y, x).fit()
    assert native.fit(model(y, x), reml=True).sigma == pytest.approx(np.sqrt(ols.scale), rel=1e-8)
