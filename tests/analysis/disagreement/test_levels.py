from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from pluristats.analysis.disagreement import by_harm_level, prompt_statistics, spearman_level
from pluristats.analysis.disagreement.levels import bootstrap_mean, mean_difference
from pluristats.errors import PluristatsError

NAN = np.nan


def test_a_level_is_the_mean_over_its_prompts(make):
    # Variances 50, 200, 0 and 800; entropy 1 bit where the two ratings differ in bin.
    study = make([[10, 20, 50, 0], [20, 40, 50, 40]], levels=[0.5, 0.5, 0.2, 0.9])
    result = by_harm_level(study)
    table = result.table.set_index("harm_level")

    assert table.index.tolist() == [0.2, 0.5, 0.9]
    assert table["prompts"].tolist() == [1, 2, 1]
    assert table["ratings"].tolist() == [2, 4, 2]
    np.testing.assert_allclose(table["mean"], [50, 22.5, 20])
    np.testing.assert_allclose(table["variance"], [0, 125, 800])
    np.testing.assert_allclose(table["entropy"], [0, 1, 1])
    assert table[["variance_low", "variance_high", "entropy_low", "entropy_high"]].isna().all(axis=None)

    claim = result.claim.set_index("measure")
    assert claim.loc["variance", ["inside", "outside", "difference"]].tolist() == [125, 400, -275]
    assert claim.loc["variance", ["prompts_inside", "prompts_outside"]].tolist() == [2, 2]


def test_the_mean_of_a_level_counts_every_rating_once(make):
    study = make([[0, 100], [NAN, 100], [NAN, 100]], levels=[0.5, 0.5])
    row = by_harm_level(study).table.iloc[0]
    assert row["mean"] == 75
    assert (row["prompts"], row["without_variance"], row["ratings"], row["variance"]) == (2, 1, 4, 0)


def test_no_prompt_outside_the_band_leaves_the_claim_open(make):
    claim = by_harm_level(make([[10, 20], [20, 40]], levels=[0.5, 0.6])).claim
    assert claim["difference"].isna().all() and claim["p_value"].isna().all()
    assert claim["prompts_outside"].tolist() == [0, 0]


def test_permutation_p_value_is_the_exact_one():
    """Of the 20 ways to choose 3 of 6, two are as extreme as 1 2 3 against 10 11 12: p = 0.1 two-sided."""
    difference, p = mean_difference(
        np.array([10.0, 11.0, 12.0]), np.array([1.0, 2.0, 3.0]), np.random.default_rng(0), 19_999
    )
    assert difference == 9
    assert p == pytest.approx(0.1, abs=0.01)


def test_permutation_agrees_with_scipy_on_uneven_groups():
    rng = np.random.default_rng(5)
    inside, outside = rng.normal(0.6, 1, 40), rng.normal(0, 1, 15)
    _, p = mean_difference(inside, outside, np.random.default_rng(1), 9_999)
    theirs = stats.permutation_test(
        (inside, outside), lambda a, b, axis: a.mean(axis) - b.mean(axis), n_resamples=9_999, vectorized=True
    )
    # scipy doubles the smaller tail, this counts both; with a symmetric null the two agree closely.
    assert p == pytest.approx(theirs.pvalue, abs=0.02)


def test_bootstrap_interval_is_near_the_normal_one():
    values = np.random.default_rng(2).normal(10, 3, 400)
    low, high = bootstrap_mean(values, np.random.default_rng(0), 4_000)
    half = 1.96 * values.std() / 20
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.05)


def test_too_few_prompts_have_no_interval():
    rng = np.random.default_rng(0)
    assert np.isnan(bootstrap_mean(np.array([1.0, 2, 3, 4]), rng)).all()
    # Five values: the mean of the smallest five draws bounds the interval.
    low, high = bootstrap_mean(np.array([1.0, 1, 1, 1, 6]), rng)
    assert (low, high) == (1, pytest.approx(4))


def test_seed_decides_and_row_order_does_not(simulated):
    shuffled = replace(simulated, ratings_=simulated.ratings.sample(frac=1, random_state=1).reset_index(drop=True))
    one, same, other = by_harm_level(simulated), by_harm_level(shuffled), by_harm_level(simulated, seed=1)
    np.testing.assert_allclose(same.table.to_numpy(), one.table.to_numpy(), rtol=1e-9)
    np.testing.assert_allclose(same.claim["p_value"], one.claim["p_value"])
    assert not np.allclose(other.table["variance_low"], one.table["variance_low"], equal_nan=True)


def test_spearman_survives_monotone_change_and_sees_reversal(simulated):
    base = spearman_level(simulated)
    ratings = simulated.ratings
    stretched = replace(simulated, ratings_=ratings.assign(rating=ratings["rating"] / 2 + 30))
    reversed_ = replace(simulated, ratings_=ratings.assign(rating=100 - ratings["rating"]))
    assert spearman_level(stretched).rho == pytest.approx(base.rho)
    assert spearman_level(reversed_).rho == pytest.approx(-base.rho)
    assert spearman_level(reversed_).p_value == pytest.approx(base.p_value)
    assert base.n == 30


def test_spearman_without_ties_is_one_minus_six_d_squared(make):
    # Ranks 1 2 3 4 5 against 2 1 4 3 5: Σd² = 4, ρ = 1 - 24 / 120.
    study = make(np.tile([20.0, 10.0, 40.0, 30.0, 50.0], (3, 1)), levels=[0.1, 0.2, 0.3, 0.4, 0.5])
    assert spearman_level(study).rho == pytest.approx(0.8)


def test_spearman_of_equal_levels_is_not_defined(make):
    found = spearman_level(make([[1, 2, 3, 4]], levels=[0.5] * 4))
    assert np.isnan(found.rho) and np.isnan(found.p_value) and found.n == 4


def test_levels_are_needed(make):
    study = make([[1, 2, 3, 4]], levels=[NAN] * 4)
    for function in (by_harm_level, spearman_level):
        with pytest.raises(PluristatsError, match="no harm levels"):
            function(study)


@pytest.mark.release
def test_release_gives_the_published_correlation(release):
    found = spearman_level(release)
    assert found.rho == pytest.approx(0.589, abs=5e-4)
    assert found.p_value == pytest.approx(2.17e-15, rel=5e-3)
    assert found.n == 150


@pytest.mark.release
def test_release_disagrees_most_in_the_middle(release):
    result = by_harm_level(release)
    assert result.table["prompts"].tolist() == [2, 3, 7, 15, 30, 36, 30, 15, 7, 3, 2]
    assert result.table["ratings"].sum() == 14_725
    assert (result.claim["difference"] > 0).all() and (result.claim["p_value"] < 0.001).all()
    prompts = prompt_statistics(release)
    middle = prompts["harm_level"].between(0.35, 0.85)
    by_hand = prompts.loc[middle, "variance"].mean() - prompts.loc[~middle, "variance"].mean()
    assert result.claim.loc[0, "difference"] == pytest.approx(by_hand)
