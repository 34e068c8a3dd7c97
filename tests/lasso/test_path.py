"""The path against its optimality conditions, closed forms, glmnet on the rows, and scikit-learn."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pluristats.errors import ConvergenceWarning
from pluristats.lasso import path as path_module
from pluristats.lasso.exact import polish
from pluristats.lasso.moments import Standardised, moments, standardise
from pluristats.lasso.path import LassoPath, kkt_violation, lambda_grid, lasso_path


def table(seed: int, n: int = 80, p: int = 10, rank: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Correlated columns of different scales, ``rank`` of them independent."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, rank or p)) @ rng.normal(size=(rank or p, p)) + 0.5 * rng.normal(size=(n, 1))
    if rank is None:
        x = x + rng.normal(size=(n, p))
    return x * np.geomspace(0.01, 100, p) + 3.0, x @ rng.normal(size=p) * 0.3 + rng.normal(size=n) * 2


def solve(x: np.ndarray, y: np.ndarray, n_lambda: int = 60) -> tuple[Standardised, LassoPath]:
    problem = standardise(moments(x, y))
    return problem, lasso_path(problem, lambda_grid(problem, n_lambda))


def kkt_of_rows(x: np.ndarray, y: np.ndarray, path: LassoPath) -> np.ndarray:
    """The largest violation of optimality, from the rows and the coefficients for columns as given."""
    scale = x.std(axis=0)
    varying = scale > 1e-12 * np.abs(x).max()
    residual = y[:, None] - path.intercepts - x @ path.coefficients
    slope = ((x - x.mean(axis=0))[:, varying] / scale[varying]).T @ residual / len(y)
    beta = path.coefficients[varying]
    violation = np.where(
        beta != 0, np.abs(slope - path.lambdas * np.sign(beta)), np.maximum(np.abs(slope) - path.lambdas, 0)
    )
    return violation.max(axis=0) / path.lambdas[0]


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 10_000),
    n=st.sampled_from([12, 30, 200]),
    p=st.sampled_from([1, 2, 7, 20]),
    deficient=st.booleans(),
)
def test_every_solution_is_optimal(seed: int, n: int, p: int, deficient: bool) -> None:
    x, y = table(seed, n, p, rank=max(1, p // 2) if deficient else None)
    problem, path = solve(x, y)
    assert kkt_violation(problem, path).max() < 1e-9
    assert kkt_of_rows(x, y, path).max() < 1e-6
    residual = y[:, None] - path.intercepts - x @ path.coefficients
    np.testing.assert_allclose(path.rss, (residual**2).sum(axis=0), rtol=1e-6, atol=1e-9 * (y**2).sum())
    assert (path.df <= np.linalg.matrix_rank(x - x.mean(axis=0))).all()


def test_path_equals_glmnet_on_the_rows() -> None:
    from glmnet import ElasticNet

    x, y = table(5)
    _, path = solve(x, y)
    model = ElasticNet(
        alpha=1.0, lambda_path=path.lambdas, standardize=True, n_splits=0, tol=1e-15, max_iter=10_000_000
    ).fit(x, y)
    scale = x.std(axis=0)[:, None]
    np.testing.assert_allclose(path.coefficients * scale, model.coef_path_ * scale, atol=1e-6)
    np.testing.assert_allclose(path.intercepts, model.intercept_path_, rtol=1e-6)


@pytest.mark.parametrize("at", [3, 20, 45, 59])
def test_path_equals_scikit_learn(at: int) -> None:
    from sklearn.linear_model import Lasso

    x, y = table(6)
    problem, path = solve(x, y)
    z = (x - problem.center) / problem.scale
    theirs = Lasso(alpha=path.lambdas[at], tol=1e-12, max_iter=1_000_000).fit(z, y)
    np.testing.assert_allclose(path.beta[:, at], theirs.coef_, rtol=1e-5, atol=1e-9)
    assert theirs.intercept_ == pytest.approx(problem.y_center)


@settings(deadline=None)
@given(seed=st.integers(0, 1000))
def test_orthonormal_columns_are_soft_thresholded(seed: int) -> None:
    rng = np.random.default_rng(seed)
    q, _ = np.linalg.qr(np.column_stack([np.ones(32), rng.normal(size=(32, 6))]))
    x, y = q[:, 1:] * np.sqrt(32), rng.normal(size=32)
    _, path = solve(x, y)
    slope = x.T @ y / 32
    expected = np.sign(slope)[:, None] * np.maximum(np.abs(slope)[:, None] - path.lambdas, 0.0)
    np.testing.assert_allclose(path.beta, expected, atol=1e-9)


def test_from_lambda_max_up_nothing_is_kept_and_just_below_one_column_is() -> None:
    x, y = table(7)
    problem = standardise(moments(x, y))
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    largest = np.abs(z.T @ (y - y.mean())).max() / len(y)
    assert lambda_grid(problem, 10, 1e-2)[0] == pytest.approx(largest, rel=1e-10)
    assert lambda_grid(problem, 10, 1e-2)[-1] == pytest.approx(largest / 100, rel=1e-10)
    path = lasso_path(problem, np.array([3 * largest, largest * (1 + 1e-9), largest * 0.999]))
    assert path.df.tolist() == [0, 0, 1]
    assert path.rss[0] == pytest.approx(((y - y.mean()) ** 2).sum())
    np.testing.assert_allclose(path.intercepts[:2], y.mean())


def test_penalty_zero_is_least_squares_also_without_full_rank() -> None:
    x, y = table(8)
    x = np.column_stack([x, x[:, 0], x[:, 1] + x[:, 2], np.full(len(y), 4.2)])
    problem = standardise(moments(x, y))
    path = lasso_path(problem, np.append(lambda_grid(problem, 20), 0.0))
    fitted = np.linalg.lstsq(np.column_stack([np.ones(len(y)), x]), y, rcond=None)[0]
    rss = ((y - fitted[0] - x @ fitted[1:]) ** 2).sum()
    assert path.rss[-1] == pytest.approx(rss, rel=1e-8)
    assert path.coefficients[-1].tolist() == [0.0] * 21


def test_a_column_twice_changes_no_fitted_value() -> None:
    x, y = table(9)
    _, once = solve(x, y)
    _, twice = solve(np.column_stack([x, x[:, 4]]), y)
    np.testing.assert_allclose(twice.lambdas, once.lambdas, rtol=1e-12)
    np.testing.assert_allclose(twice.rss, once.rss, rtol=1e-8)
    together = twice.coefficients[:10].copy()
    together[4] += twice.coefficients[10]
    np.testing.assert_allclose(together, once.coefficients, rtol=1e-6, atol=1e-9)


@given(seed=st.integers(0, 1000), scale=st.sampled_from([1e-3, 1.0, 1e4]), shift=st.sampled_from([0.0, -50.0, 1e5]))
@settings(deadline=None, max_examples=25)
def test_rescaled_columns_and_response_rescale_the_path(seed: int, scale: float, shift: float) -> None:
    x, y = table(seed, p=5)
    _, path = solve(x, y, 20)
    rows = np.random.default_rng(seed).permutation(len(y))
    _, other = solve((x * scale + shift)[rows], (2.0 * y + shift)[rows], 20)
    np.testing.assert_allclose(other.lambdas, 2.0 * path.lambdas, rtol=1e-5)
    np.testing.assert_allclose(other.beta, 2.0 * path.beta, rtol=1e-3, atol=1e-5 * np.abs(path.beta).max())


def test_a_constant_response_or_no_varying_column_keeps_nothing() -> None:
    x, y = table(10)
    for columns, response in ((x, np.full(len(y), 3.0)), (np.ones((len(y), 2)), y)):
        problem = standardise(moments(columns, response))
        assert lambda_grid(problem, 5).tolist() == [0.0] * 5
        path = lasso_path(problem, np.array([0.5, 0.1, 0.0]))
        assert not path.beta.any()
        np.testing.assert_allclose(path.intercepts, response.mean())


def test_the_solution_does_not_depend_on_glmnet_s_threshold() -> None:
    """What glmnet alone would give does: strongly correlated columns still trade places at its usual threshold."""
    from glmnet import ElasticNet

    rng = np.random.default_rng(11)
    x = rng.normal(size=(300, 1)) + 0.05 * rng.normal(size=(300, 25))
    y = x @ rng.normal(size=25) + rng.normal(size=300)
    problem = standardise(moments(x, y))
    grid = lambda_grid(problem, 50)
    loose, tight = lasso_path(problem, grid, tol=1e-4), lasso_path(problem, grid, tol=1e-12)
    np.testing.assert_allclose(loose.beta, tight.beta, atol=1e-9)
    alone = ElasticNet(alpha=1.0, lambda_path=grid, n_splits=0, tol=1e-7, max_iter=10_000_000).fit(x, y)
    assert ((alone.coef_path_ != 0) != (tight.coefficients != 0)).any()


def test_polish_from_nothing_finds_the_solution_and_gives_up_when_told() -> None:
    x, y = table(12, n=10, p=20)
    problem, path = solve(x, y)
    for at in (5, 30, 59):
        found = polish(problem.gram, problem.xy, path.lambdas[at], np.zeros(20))
        assert found is not None
        np.testing.assert_allclose(found, path.beta[:, at], atol=1e-7)
    assert polish(problem.gram, problem.xy, path.lambdas[59], np.zeros(20), max_steps=2) is None


def test_a_solution_that_is_not_optimal_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = table(13)
    problem = standardise(moments(x, y))
    monkeypatch.setattr(path_module, "polish", lambda *_: None)
    with pytest.warns(ConvergenceWarning, match=r"at λ = 0\.\d+ meets its optimality conditions only to"):
        lasso_path(problem, lambda_grid(problem), tol=1e-3)


def test_kkt_violation_sees_a_wrong_coefficient() -> None:
    x, y = table(14)
    problem, path = solve(x, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert kkt_violation(problem, path).max() < 1e-12
    beta = path.beta.copy()
    beta[0, 30] += 0.1
    wrong = LassoPath(path.lambdas, beta, path.intercepts, path.coefficients, path.rss)
    violation = kkt_violation(problem, wrong)
    assert violation[30] == pytest.approx(0.1 / path.lambdas[0], rel=0.2)
    assert np.delete(violation, 30).max() < 1e-12
