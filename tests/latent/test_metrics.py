from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, r2_score, root_mean_squared_error

from pluristats.errors import LatentError
from pluristats.latent import metrics

RNG = np.random.default_rng(0)
TRUE, FOUND = RNG.random((5, 30)), RNG.random((5, 30))
TRUE[0, 25:] = np.nan
MASK = RNG.random((5, 30)) < 0.8
STATE, GUESS = RNG.integers(0, 3, (5, 30)), RNG.integers(0, 3, (5, 30))
STATE[1, 20:] = -1


@pytest.mark.parametrize("mask", [None, MASK])
def test_errors_are_sklearns_agent_by_agent(mask: np.ndarray | None) -> None:
    there = ~np.isnan(TRUE) & (True if mask is None else mask)
    errors = [root_mean_squared_error(t[k], f[k]) for t, f, k in zip(TRUE, FOUND, there, strict=True)]
    np.testing.assert_allclose(metrics.rmse(TRUE, FOUND, mask), errors)
    assert metrics.mean_rmse(TRUE, FOUND, mask) == pytest.approx(np.mean(errors))
    shares = [r2_score(t[k], f[k]) for t, f, k in zip(TRUE, FOUND, there, strict=True)]
    np.testing.assert_allclose(metrics.r_squared(TRUE, FOUND, mask), shares)


@pytest.mark.parametrize("mask", [None, MASK])
def test_balanced_accuracy_is_sklearns_over_all_trials(mask: np.ndarray | None) -> None:
    there = (STATE >= 0) & (True if mask is None else mask)
    assert metrics.balanced_accuracy(STATE, GUESS, mask) == pytest.approx(
        balanced_accuracy_score(STATE[there], GUESS[there])
    )


def test_coverage_counts_ends() -> None:
    true = np.array([[0.0, 1.0, 2.0, np.nan]])
    low, high = np.array([[0.0, 0.5, 2.1, 0.0]]), np.array([[0.5, 1.0, 3.0, 1.0]])
    assert metrics.coverage(true, low, high) == pytest.approx(2 / 3)
    assert np.isnan(metrics.coverage(true, low, high, np.zeros((1, 4), bool)))


def test_degenerate_agents() -> None:
    assert np.isnan(metrics.rmse(np.full((1, 3), np.nan), np.ones((1, 3))))[0]
    assert np.isnan(metrics.r_squared(np.ones((1, 3)), np.zeros((1, 3))))[0]
    with pytest.raises(LatentError, match="nothing can be judged"):
        metrics.balanced_accuracy(np.full((1, 3), -1), np.zeros((1, 3), int))
    with pytest.raises(LatentError, match="does not fit values"):
        metrics.rmse(TRUE, FOUND, MASK[:2])
