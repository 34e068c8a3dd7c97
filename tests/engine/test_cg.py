"""Conjugate gradients against dense solves, and their coefficients against the spectrum."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import linalg

from pluristats.engine.cg import UnsolvedError, conjugate_gradients
from pluristats.engine.result import Array


def positive(s: int, seed: int, condition: float) -> Array:
    """A random positive definite matrix with eigenvalues between 1/condition and 1."""
    vectors = np.linalg.qr(np.random.default_rng(seed).normal(size=(s, s)))[0]
    return (vectors * np.geomspace(1.0 / condition, 1.0, s)) @ vectors.T


@given(seed=st.integers(0, 2**32 - 1), s=st.integers(1, 40), condition=st.sampled_from([1.0, 10.0, 1e4]))
@example(seed=2_664_365_109, s=40, condition=1e4)  # LAPACK's stemr gives up on the first column's matrix
@settings(max_examples=40, deadline=None)
def test_solutions_and_quadrature(seed: int, s: int, condition: float) -> None:
    a = positive(s, seed, condition)
    b = np.random.default_rng(seed).normal(size=(s, 5)) * [1e-12, 1.0, 1e12, 0.0, 1.0]
    solved = conjugate_gradients(lambda v: a @ v, b)
    expected = np.linalg.solve(a, b)
    scale = np.linalg.norm(expected, axis=0)
    assert (np.linalg.norm(solved.x - expected, axis=0) <= 1e-8 * condition**0.5 * scale).all()
    assert (solved.x[:, 3] == 0).all()
    for j in range(5):
        nodes, weights = solved.spectrum(j)
        assert weights @ nodes == pytest.approx(b[:, j] @ a @ b[:, j], rel=1e-9)
        assert weights @ np.log(nodes) == pytest.approx(
            b[:, j] @ linalg.logm(a) @ b[:, j], rel=1e-6, abs=1e-9 * weights.sum()
        )
        assert weights @ (1 / nodes) == pytest.approx(b[:, j] @ expected[:, j], rel=1e-6, abs=1e-20)


def test_columns_that_end_early_leave_the_others_as_they_are() -> None:
    a = positive(60, 1, 1e3)
    vectors = np.linalg.eigh(a)[1]
    rng = np.random.default_rng(2)
    b = np.column_stack([vectors[:, :6], rng.normal(size=(60, 6))])
    solved = conjugate_gradients(lambda v: a @ v, b)
    assert (solved.steps[:6] <= 2).all() and (solved.steps[6:] > 20).all()
    np.testing.assert_allclose(solved.x, np.linalg.solve(a, b), rtol=1e-6, atol=1e-6)
    alone = conjugate_gradients(lambda v: a @ v, b[:, 6:])
    np.testing.assert_allclose(solved.x[:, 6:], alone.x, rtol=1e-7)


def test_what_does_not_converge_is_an_error_with_figures() -> None:
    a = positive(50, 3, 1e6)
    with pytest.raises(UnsolvedError, match=r"reached \d\.\de[+-]\d+ of 1e-10 in 10 steps"):
        conjugate_gradients(lambda v: a @ v, np.ones((50, 1)), max_steps=10)


def test_no_columns_and_no_rows() -> None:
    assert conjugate_gradients(lambda v: v, np.zeros((4, 0))).x.shape == (4, 0)
    assert conjugate_gradients(lambda v: v, np.zeros((0, 3))).x.shape == (0, 3)
