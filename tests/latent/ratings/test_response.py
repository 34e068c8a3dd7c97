from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pluristats.errors import LatentError
from pluristats.latent.ratings import Ratings
from pluristats.latent.ratings.response import as_rating, mass, previous_of

EVERY = np.arange(101)[None] / 100


@given(st.floats(-3, 4), st.floats(0.02, 3))
def test_all_ratings_together_are_certain(mean: float, sigma: float) -> None:
    r = Ratings.of(EVERY, np.zeros((1, 101)))
    found = mass(r.lower, r.upper, r.mask, np.full((1, 101), mean), np.full((1, 101), sigma))
    assert found.p.sum() == pytest.approx(1, abs=1e-9)
    np.testing.assert_allclose(found.p[0, 1:-1], np.diff(stats.norm.cdf(np.arange(100) / 100 + 0.005, mean, sigma)),
                               atol=1e-12)  # fmt: skip


@given(st.floats(-0.5, 1.5))
def test_an_opinion_lies_within_its_ratings_limits(latent: float) -> None:
    rating = as_rating(np.array([[latent]]))
    r = Ratings.of(rating, np.zeros((1, 1)))
    assert r.lower[0, 0] - 1e-12 <= latent <= r.upper[0, 0] + 1e-12


def test_tails_keep_their_digits() -> None:
    """Log Φ(−z) − far from the mean, by the logarithm of the survival function."""
    r = Ratings.of(np.array([[1.0, 0.0, 0.9]]), np.zeros((1, 3)))
    mean, sigma = np.array([[-0.5, 1.5, -0.5]]), np.full((1, 3), 0.05)
    found = np.log(mass(r.lower, r.upper, r.mask, mean, sigma).p[0])
    z = (0.995 + 0.5) / 0.05
    assert found[0] == pytest.approx(stats.norm.logsf(z)) and found[1] == pytest.approx(found[0])
    low, high = (0.895 + 0.5) / 0.05, (0.905 + 0.5) / 0.05
    expected = stats.norm.logsf(low) + np.log1p(-np.exp(stats.norm.logsf(high) - stats.norm.logsf(low)))
    assert found[2] == pytest.approx(expected)


def test_slopes_are_those_of_differences() -> None:
    rng = np.random.default_rng(1)
    rating = np.round(rng.random((2, 30)) * 100) / 100
    rating[0, :4] = [0, 1, np.nan, 0.5]
    r = Ratings.of(rating, np.zeros((2, 30)))
    mean, sigma, h = rng.normal(0.5, 0.3, (2, 30)), np.full((2, 30), 0.2), 1e-5

    def log_p(mean: np.ndarray, log_sigma: np.ndarray) -> np.ndarray:
        return np.log(mass(r.lower, r.upper, r.mask, mean, np.exp(log_sigma)).p)

    found, log_sigma = mass(r.lower, r.upper, r.mask, mean, sigma), np.log(sigma)
    np.testing.assert_allclose(
        found.by_mean, (log_p(mean + h, log_sigma) - log_p(mean - h, log_sigma)) / (2 * h), atol=1e-6
    )
    np.testing.assert_allclose(
        found.by_log_sigma, (log_p(mean, log_sigma + h) - log_p(mean, log_sigma - h)) / (2 * h), atol=1e-6
    )
    assert found.p[0, 2] == 1 and found.by_mean[0, 2] == 0


def test_other_scales_and_missing_effects_are_refused() -> None:
    with pytest.raises(LatentError, match=r"Rating 0\.333333 of annotator 0 in trial 1 is no whole hundredth"):
        Ratings.of(np.array([[0.5, 1 / 3]]), np.zeros((1, 2)))
    with pytest.raises(LatentError, match=r"Rating 1\.2"):
        Ratings.of(np.array([[1.2]]), np.zeros((1, 1)))
    with pytest.raises(LatentError, match="annotator 0 in trial 0 has no prompt effect"):
        Ratings.of(np.array([[0.5]]), np.array([[np.nan]]))
    np.testing.assert_array_equal(previous_of(np.array([[1.0, np.nan, 3.0]])), [[0.0, 1.0, 0.0]])
