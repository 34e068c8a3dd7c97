"""Simulated responses: their moments, their streams, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pluristats.models import LmerFit
from tests.engine.dense import covariance


def test_moments_of_new_levels(fit: LmerFit) -> None:
    """Mean Xβ and covariance σ²(I + Σ theta² ZZ') of 20,000 simulations, each within 5 standard errors."""
    y = fit.simulate(20_000, seed=3)
    assert y.shape == (20_000, fit.nobs)
    by_name = {f.name: f for f in fit.problem.factors}
    v = fit.sigma**2 * covariance([by_name[r.factor] for r in fit.result.random], fit.theta)
    z = (y.mean(axis=0) - fit.predict(random=False)) / np.sqrt(np.diag(v) / len(y))
    assert np.abs(z).max() < 5
    found = np.cov(y.T)
    error = np.sqrt((np.outer(np.diag(v), np.diag(v)) + v**2) / len(y))
    assert np.abs((found - v) / error).max() < 5.5


def test_moments_of_fitted_levels(fit: LmerFit) -> None:
    y = fit.simulate(20_000, seed=4, levels="fitted")
    assert np.abs((y.mean(axis=0) - fit.fitted) / (fit.sigma / np.sqrt(len(y)))).max() < 5
    off = np.corrcoef(y.T)[np.triu_indices(fit.nobs, 1)]
    assert np.abs(off).max() * np.sqrt(len(y)) < 5.5
    assert y.std() ** 2 - fit.fitted.var() == pytest.approx(fit.sigma**2, rel=0.01)


def test_streams(fit: LmerFit) -> None:
    """The i-th simulation depends on seed and i only."""
    np.testing.assert_array_equal(fit.simulate(3, seed=5), fit.simulate(7, seed=5)[:3])
    assert not np.array_equal(fit.simulate(1, seed=5), fit.simulate(1, seed=6))


def test_refusals(fit: LmerFit, table: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="at least 1, not 0"):
        fit.simulate(0, seed=1)
    with pytest.raises(ValueError, match="'new' or 'fitted', not 'old'"):
        fit.simulate(1, seed=1, levels="old")  # type: ignore[arg-type]
