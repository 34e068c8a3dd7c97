"""Block elimination and both routes to Ω_M against dense linear algebra."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from pluristats.engine import native
from pluristats.engine.blocked import LevelBlocks, eliminate
from pluristats.engine.profiled import evaluate
from pluristats.engine.result import Array
from tests.engine.dense import model


def design(sizes: tuple[int, ...], n: int, seed: int, *, sparsely: bool) -> tuple[LevelBlocks, Array]:
    """Blocks of a random design, and Z'Z as a dense matrix."""
    rng = np.random.default_rng(seed)
    codes = [np.r_[np.arange(q), rng.integers(0, q, n - q)] for q in sizes]
    z = [np.eye(q)[c] for q, c in zip(sizes, codes, strict=True)]
    tables = {(k, j): z[k].T @ z[j] for k in range(len(z)) for j in range(k + 1, len(z))}
    if sparsely:
        tables = {key: sparse.csr_array(table) for key, table in tables.items()}
    both = np.concatenate(z, axis=1)
    return LevelBlocks.of([zk.sum(axis=0) for zk in z], tables), both.T @ both


@pytest.mark.parametrize("sparsely", [False, True])
@pytest.mark.parametrize("sizes", [(9,), (9, 5), (12, 7, 4), (8, 8)])
@given(seed=st.integers(0, 2**32 - 1), spread=st.sampled_from([0.0, 1e-4, 0.5, 30.0]))
@settings(max_examples=15, deadline=2000)
def test_elimination_is_the_inverse(sizes: tuple[int, ...], sparsely: bool, seed: int, spread: float) -> None:
    blocks, c = design(sizes, 40, seed, sparsely=sparsely)
    np.testing.assert_allclose(blocks.dense(), c)
    rng = np.random.default_rng(seed)
    theta = spread * rng.uniform(0.5, 2.0, len(sizes))
    lam = np.repeat(theta, sizes)
    omega = np.eye(len(lam)) + lam[:, None] * c * lam
    inverse = np.linalg.inv(omega)
    e = eliminate(blocks, theta)
    slices = [slice(end - q, end) for end, q in zip(np.cumsum(sizes), sizes, strict=True)]
    assert e.log_det == pytest.approx(np.linalg.slogdet(omega)[1], rel=1e-10, abs=1e-10)
    np.testing.assert_allclose(e.solve(np.eye(len(lam))), inverse, atol=1e-9)
    np.testing.assert_allclose(e.diagonal(), np.diag(inverse), atol=1e-9)
    np.testing.assert_allclose(e.traces(), [np.trace(inverse[s, s]) for s in slices], rtol=1e-9)
    norms = [[np.sum(inverse[s, t] ** 2) for t in slices] for s in slices]
    np.testing.assert_allclose(e.norms(), norms, rtol=1e-8, atol=1e-9)
    b = rng.normal(size=len(lam))
    np.testing.assert_allclose(blocks.times(b), c @ b)
    half = rng.normal(size=(3, len(lam)))
    for k, s in enumerate(slices):
        for j, t in enumerate(slices):
            assert blocks.norm(k, j) == pytest.approx(np.sum(c[s, t] ** 2))
            np.testing.assert_allclose(blocks.right_multiply(half[:, s], k, j), half[:, s] @ c[s, t], atol=1e-12)


def test_rows_of_a_sparse_table_are_multiplied_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks, _ = design((30, 12), 200, 1, sparsely=True)
    weights = np.random.default_rng(0).random(30)
    whole = blocks.weighted(weights)
    monkeypatch.setattr("pluristats.engine.blocked._PAIRS", 50)
    np.testing.assert_allclose(blocks.weighted(weights), whole, rtol=1e-13)
    dense = blocks.cross.toarray()
    np.testing.assert_allclose(whole, dense.T @ (weights[:, None] * dense), rtol=1e-12)


@pytest.mark.parametrize("reml", [False, True])
@given(seed=st.integers(0, 2**32 - 1), factors=st.integers(1, 3))
@settings(max_examples=25, deadline=4000)
def test_both_routes_to_the_projected_matrix_agree(reml: bool, seed: int, factors: int) -> None:
    """Z'MZ held dense, and Ω downdated by the fixed effects, give the same deviance and derivatives."""
    rng = np.random.default_rng(seed)
    codes = [rng.integers(0, q, 60) for q in (11, 6, 4)[:factors]]
    x = np.column_stack([np.ones(60), rng.normal(size=(60, 3))])
    pr = native.projected(model(rng.normal(size=60), x, *codes))
    dense = pr.blocks.dense() - pr.xz.T @ pr.xz
    theta = rng.uniform(0.1, 3.0, factors)
    a = evaluate(dataclasses.replace(pr, cm=dense), theta, reml=reml)
    b = evaluate(dataclasses.replace(pr, cm=None), theta, reml=reml)
    assert a.deviance == pytest.approx(b.deviance, rel=1e-11)
    np.testing.assert_allclose(a.gradient, b.gradient, rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(a.hessian, b.hessian, rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(a.u, b.u, atol=1e-10)
    np.testing.assert_allclose(pr.moments(reml=reml), moments_by_rows(x, codes, reml), rtol=1e-8, atol=1e-7)


def moments_by_rows(x: Array, codes: list[np.ndarray], reml: bool) -> Array:
    """Traces tr A_k A_l with A_k = (M) Z_k Z_k' (M) and A_0 = I or M, in the order of descending levels."""
    n = len(x)
    m = np.eye(n) - x @ np.linalg.solve(x.T @ x, x.T) if reml else np.eye(n)
    order = sorted(range(len(codes)), key=lambda k: -len(np.unique(codes[k])))
    a = [m @ (codes[k][:, None] == codes[k]).astype(float) @ m for k in order] + [m]
    return np.array([[np.trace(left @ right) for right in a] for left in a])


def test_average_information_needs_no_products_and_agrees_on_the_gradient() -> None:
    rng = np.random.default_rng(3)
    codes = [rng.integers(0, q, 400) for q in (40, 25)]
    y = rng.normal(size=400) + rng.normal(size=40)[codes[0]] + rng.normal(size=25)[codes[1]]
    pr = native.projected(model(y, np.ones((400, 1)), *codes))
    theta = native.optimise(pr, reml=True).at.theta
    exact, average = (evaluate(pr, theta, reml=True, exact=e) for e in (True, False))
    np.testing.assert_array_equal(exact.gradient, average.gradient)
    assert not average.exact
    # Both estimate the information about log(theta²): the same up to sampling error.
    np.testing.assert_allclose(average.hessian, exact.hessian, atol=0.35 * np.abs(exact.hessian).max())


def test_many_levels_take_the_average_information_to_the_same_optimum(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    codes = [rng.integers(0, q, 600) for q in (60, 30)]
    y = rng.normal(size=600) + 0.7 * rng.normal(size=60)[codes[0]] + rng.normal(size=30)[codes[1]]
    problem = model(y, np.column_stack([np.ones(600), rng.normal(size=600)]), *codes)
    exact = native.fit(problem, reml=False)
    monkeypatch.setattr(native, "EXACT_LEVELS", 0)
    average = native.fit(problem, reml=False)
    assert average.loglik == pytest.approx(exact.loglik, rel=1e-12)
    np.testing.assert_allclose(average.theta, exact.theta, rtol=1e-5)
    assert average.optimizer.status == "converged"


@pytest.mark.parametrize("sizes", [(12,), (12, 7), (12, 7, 4)])
def test_moment_start_solves_the_expected_sums_of_squares_between_groups(sizes: tuple[int, ...]) -> None:
    """Against the same equations with Z and M written out."""
    rng = np.random.default_rng(0)
    n = 80
    codes = [np.r_[np.arange(q), rng.integers(0, q, n - q)] for q in sizes]
    x = np.column_stack([np.ones(n), rng.normal(size=(n, 2))])
    y = rng.normal(size=n) + sum(3 * rng.normal(size=q)[c] for q, c in zip(sizes, codes, strict=True))
    m = np.eye(n) - x @ np.linalg.solve(x.T @ x, x.T)
    z = [np.eye(q)[c] for q, c in zip(sizes, codes, strict=True)]
    k_all = len(z)
    system, right = np.zeros((k_all + 1, k_all + 1)), np.zeros(k_all + 1)
    for k, zk in enumerate(z):
        weights = 1.0 / zk.sum(axis=0)
        right[k] = weights @ (zk.T @ m @ y) ** 2
        system[k, -1], system[-1, k] = weights @ np.diag(zk.T @ m @ zk), np.trace(zk.T @ m @ zk)
        for j, zj in enumerate(z):
            system[k, j] = weights @ np.sum((zk.T @ m @ zj) ** 2, axis=1)
    right[-1], system[-1, -1] = y @ m @ y, n - 3
    expected = np.linalg.solve(system, right)
    assert (expected > 0).all()
    start = native.moment_start(native.projected(model(y, x, *codes)))
    np.testing.assert_allclose(start**2, expected[:-1] / expected[-1], rtol=1e-8)
