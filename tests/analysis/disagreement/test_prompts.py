from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from pluristats.analysis.disagreement import (
    entropy_bits,
    has_harm_levels,
    prompt_statistics,
    rating_histogram,
    rating_matrix,
)
from pluristats.errors import PluristatsError

NAN = np.nan


def test_entropy_of_known_distributions():
    found = entropy_bits([[8, 0, 0, 0], [2, 2, 2, 2], [4, 4, 0, 0], [4, 2, 1, 1], [0, 0, 0, 0]])
    np.testing.assert_allclose(found, [0.0, 2.0, 1.0, 1.75, NAN])


@given(arrays(np.int64, (3, 6), elements=st.integers(0, 50)))
def test_entropy_is_scipys(counts):
    counts[:, 0] += 1
    np.testing.assert_allclose(entropy_bits(counts), stats.entropy(counts, base=2, axis=1), atol=1e-12)


def test_statistics_of_each_prompt_by_hand(make):
    study = make([[0, 50, NAN, NAN], [100, 60, NAN, 7], [100, 70, NAN, NAN]], levels=[0.1, 0.5, 0.6, 0.9])
    table = prompt_statistics(study)

    assert table["harm_level"].tolist() == [0.1, 0.5, 0.6, 0.9]
    assert table["n"].tolist() == [3, 3, 0, 1]
    assert table["n_unsure"].tolist() == [0, 0, 3, 2]
    np.testing.assert_allclose(table["mean"], [200 / 3, 60, NAN, 7])
    np.testing.assert_allclose(table["median"], [100, 60, NAN, 7])
    np.testing.assert_allclose(table["variance"], [10_000 / 3, 100, NAN, NAN])
    np.testing.assert_allclose(table["sd"], [np.sqrt(10_000 / 3), 10, NAN, NAN])
    # One of three apart from two; three in three bins; one.
    third = -np.log2(1 / 3) / 3 - np.log2(2 / 3) * 2 / 3
    np.testing.assert_allclose(table["entropy"], [third, np.log2(3), NAN, 0.0], atol=1e-12)


def test_a_rating_on_a_bin_boundary_counts_upwards_and_the_last_bin_holds_its_end(make):
    # 0 1 2 … 100 in ten bins: ten ratings in each, eleven in the last.
    study = make(np.arange(101.0)[:, None] * np.ones((1, 4)))
    counts = rating_histogram(study, bins=10).groupby("low")["n"].sum()
    assert (counts / 4).tolist() == [10] * 9 + [11]


def test_the_matrix_has_a_row_an_annotator_and_a_column_a_prompt(make):
    cells = np.array([[0.0, NAN, 3.0, 4.0], [10.0, 11.0, 12.0, 13.0]])
    study = make(cells)
    matrix = rating_matrix(study)
    np.testing.assert_array_equal(matrix.to_numpy(), cells)
    assert matrix.index.tolist() == study.annotators["annotator"].tolist()
    assert matrix.columns.tolist() == study.prompts["prompt"].tolist()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20, deadline=None)
@given(st.randoms(use_true_random=False))
def test_row_order_does_not_matter(simulated, random):
    order = random.sample(range(len(simulated.ratings)), len(simulated.ratings))
    shuffled = replace(simulated, ratings_=simulated.ratings.iloc[order].reset_index(drop=True))
    expected, found = prompt_statistics(simulated), prompt_statistics(shuffled)
    np.testing.assert_allclose(found.to_numpy(dtype=float), expected.to_numpy(dtype=float), atol=1e-9)


@pytest.mark.parametrize("factor, shift", [(0.5, 0.0), (3.0, -7.0)])
def test_another_rating_scale_changes_units_but_not_entropy(simulated, factor, shift):
    ratings = simulated.ratings.assign(rating=simulated.ratings["rating"] * factor + shift)
    other = replace(simulated, ratings_=ratings, scale=(shift, 100 * factor + shift))
    expected, found = prompt_statistics(simulated), prompt_statistics(other)
    np.testing.assert_allclose(found["mean"], expected["mean"] * factor + shift)
    np.testing.assert_allclose(found["variance"], expected["variance"] * factor**2)
    np.testing.assert_allclose(found["entropy"], expected["entropy"], atol=1e-12)


def test_histogram_shares_sum_to_one_in_each_level(simulated):
    table = rating_histogram(simulated)
    np.testing.assert_allclose(table.groupby("harm_level")["share"].sum(), 1.0)
    assert table["n"].sum() == simulated.ratings["rating"].notna().sum()
    assert sorted(table["harm_level"].unique()) == sorted(simulated.prompts["harm_level"].unique())


def test_a_study_without_harm_levels_is_told_how_to_give_them(make):
    study = make(np.ones((3, 4)), levels=[NAN] * 4)
    assert not has_harm_levels(study)
    assert prompt_statistics(study)["harm_level"].isna().all()
    with pytest.raises(PluristatsError, match=r"no harm levels; name their column in study.yaml"):
        rating_histogram(study)


def test_a_prompt_without_its_level_is_named(make):
    study = make(np.ones((3, 4)), levels=[0.1, 0.2, NAN, 0.4])
    with pytest.raises(PluristatsError, match=r"prompt '3' has no harm_level \(1 lack one\)"):
        rating_histogram(study)


def test_a_rating_outside_the_scale_is_refused(make):
    with pytest.raises(ValueError, match="outside the scale 0 to 100"):
        prompt_statistics(make([[1.0, 2.0, 3.0, 101.0]]))


@pytest.mark.release
def test_release_counts(release):
    table = prompt_statistics(release)
    assert table["n"].sum() == 14_725
    assert table["n_unsure"].sum() == 275
    assert np.isfinite(table.drop(columns="prompt").to_numpy(dtype=float)).all()
