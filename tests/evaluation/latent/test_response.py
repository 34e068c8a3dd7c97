"""Ratings and the latent scale: against scipy's distributions and hand-made cutpoints."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pluristats.evaluation.forecast import LEVELS
from pluristats.evaluation.latent.response import Heaped, Straight, truncated

NONE = np.nan


def test_moments_between_bounds_are_scipys() -> None:
    rng = np.random.default_rng(1)
    mean, sd = rng.normal(size=300), rng.uniform(0.3, 2, size=300)
    lower = mean + sd * rng.uniform(-4, 2, size=300)
    upper = lower + sd * rng.uniform(0.05, 3, size=300)
    lower[:50], upper[50:100] = -np.inf, np.inf
    found, variance = truncated(mean, sd, lower, upper)
    theirs = stats.truncnorm((lower - mean) / sd, (upper - mean) / sd, mean, sd)
    np.testing.assert_allclose(found, theirs.mean(), rtol=1e-9, atol=1e-9)
    # The variance is kept above a ten-thousandth of sd².
    np.testing.assert_allclose(variance, np.maximum(theirs.var(), 1e-4 * sd**2), rtol=1e-6)


@settings(deadline=None)
@given(st.floats(-60, 60), st.floats(0.01, 5))
def test_far_away_the_mean_stays_between_the_bounds(lower: float, width: float) -> None:
    found, variance = truncated(np.zeros(1), np.ones(1), np.array([lower]), np.array([lower + width]))
    assert lower <= found[0] <= lower + width
    assert 0 < variance[0] <= 1


def test_cutpoints_are_each_annotators_own_shares_and_two_of_everybodys() -> None:
    ratings = np.array([[0.0, 0.0, 0.0, 1.0], [0.5, 0.5, NONE, NONE], [NONE] * 4])
    found = Heaped.of(ratings, pooled=2.0)
    np.testing.assert_array_equal(found.values, [0.0, 0.5, 1.0])
    share = np.array([3, 2, 1]) / 6
    np.testing.assert_allclose(found.upto[0], np.cumsum((np.array([3, 0, 1]) + 2 * share) / 6))
    np.testing.assert_allclose(found.upto[1], np.cumsum((np.array([0, 2, 0]) + 2 * share) / 4))
    np.testing.assert_allclose(found.upto[2], np.cumsum(share))  # nothing of their own


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000))
def test_a_rating_and_its_latent_value_are_in_the_same_interval(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ratings = rng.choice([0, 0.1, 0.5, 0.9, 1], size=(5, 12), p=[0.4, 0.1, 0.2, 0.1, 0.2])
    ratings[rng.random(ratings.shape) < 0.2] = NONE
    ratings[0, :2] = 0, 1
    response = Heaped.of(ratings)
    latent = response.latent(ratings)
    there = ~np.isnan(ratings)
    assert latent.lower is not None and latent.upper is not None
    assert (latent.lower[there] < latent.z[there]).all() and (latent.z[there] <= latent.upper[there]).all()
    np.testing.assert_array_equal(response.at(np.where(there, latent.z, 0.0))[there], ratings[there])
    np.testing.assert_array_equal(response.at(np.where(there, latent.upper, 0.0))[there], ratings[there])


def test_quantiles_of_a_standard_normal_value_are_the_annotators_own_ratings() -> None:
    rng = np.random.default_rng(2)
    ratings = np.round(rng.beta(0.6, 0.5, size=(4, 400)), 2)
    found = Heaped.of(ratings, pooled=0.0).quantiles(np.zeros((4, 1)), np.ones((4, 1)))
    theirs = np.quantile(ratings, LEVELS, axis=1, method="inverted_cdf").T
    np.testing.assert_array_equal(found[:, 0], theirs)


def test_everybodys_cutpoints_are_the_pooled_shares() -> None:
    found = Heaped.alike(np.array([[0.0, 1.0], [1.0, 1.0]]), 3)
    np.testing.assert_allclose(found.upto, [[0.25, 1.0]] * 3)


def test_straight_ratings_are_standardised_and_predictions_censored() -> None:
    ratings = np.array([[0.2, 0.4], [0.9, NONE]])
    response = Straight.of(ratings)
    known = ratings[~np.isnan(ratings)]
    np.testing.assert_allclose(response.latent(ratings).z, (ratings - known.mean()) / known.std())
    found = response.quantiles(np.array([[0.5]]), np.array([[2.0]]))[0, 0]
    plain = stats.norm(known.mean() + 0.5 * known.std(), 2 * known.std()).ppf(LEVELS)
    np.testing.assert_allclose(found, np.clip(plain, 0, 1))
    assert Straight.of(np.full((2, 2), 0.3)).sd == pytest.approx(1.0)
