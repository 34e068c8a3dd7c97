from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pluristats.analysis.disagreement import krippendorff_alpha, rating_matrix
from pluristats.errors import PluristatsError

NAN = np.nan

# Krippendorff (2011), "Computing Krippendorff's alpha-reliability", examples A to C.
MEG_OWEN = [[0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]]
BEN_GERRY = [[ord(c) for c in "aabbdcccedda"], [ord(c) for c in "babbbccceddd"]]
FOUR_OBSERVERS = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
    [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
]


@pytest.mark.parametrize(
    "ratings, metric, published",
    [
        (MEG_OWEN, "nominal", 0.095),
        (BEN_GERRY, "nominal", 0.692),
        (FOUR_OBSERVERS, "nominal", 0.743),
        (FOUR_OBSERVERS, "ordinal", 0.815),
        (FOUR_OBSERVERS, "interval", 0.849),
    ],
)
def test_published_examples(ratings, metric, published):
    assert krippendorff_alpha(ratings, metric).value == pytest.approx(published, abs=5e-4)


def test_the_unit_rated_once_does_not_count():
    found = krippendorff_alpha(FOUR_OBSERVERS)
    assert (found.units, found.values) == (11, 40)  # unit 12 has one rating


matrices = arrays(
    np.float64, st.tuples(st.integers(2, 5), st.integers(2, 6)), elements=st.sampled_from([NAN, 0.0, 1.0, 2.0, 5.0])
)


def brute_force(matrix: np.ndarray, metric: str) -> float:
    """Krippendorff's definition, pair by pair."""
    units = [column[~np.isnan(column)] for column in matrix.T]
    units = [unit for unit in units if len(unit) > 1]
    values = np.concatenate(units)
    n = len(values)

    def delta(c: float, k: float) -> float:
        if metric == "nominal":
            return float(c != k)
        if metric == "interval":
            return (c - k) ** 2
        c, k = min(c, k), max(c, k)
        between = ((values >= c) & (values <= k)).sum()
        return float(between - ((values == c).sum() + (values == k).sum()) / 2) ** 2

    def pairs(unit: np.ndarray) -> float:
        return sum(delta(a, b) for i, a in enumerate(unit) for j, b in enumerate(unit) if i != j)

    observed = sum(pairs(unit) / (len(unit) - 1) for unit in units) / n
    return 1 - observed / (pairs(values) / (n * (n - 1)))


def informative(matrix: np.ndarray) -> bool:
    paired = matrix[:, (~np.isnan(matrix)).sum(axis=0) > 1]
    return paired.size > 0 and np.nanmin(paired) < np.nanmax(paired)


@pytest.mark.parametrize("metric", ["nominal", "ordinal", "interval"])
@given(matrix=matrices)
def test_alpha_is_the_definition(metric, matrix):
    assume(informative(matrix))
    assert krippendorff_alpha(matrix, metric).value == pytest.approx(brute_force(matrix, metric), abs=1e-10)


@pytest.mark.parametrize("metric", ["nominal", "ordinal", "interval"])
@given(matrix=matrices, random=st.randoms(use_true_random=False), factor=st.floats(0.1, 50), shift=st.floats(-50, 50))
def test_order_and_affine_rescaling_do_not_matter(metric, matrix, random, factor, shift):
    assume(informative(matrix))
    rows, columns = (random.sample(range(k), k) for k in matrix.shape)
    other = matrix[rows][:, columns] * factor + shift
    expected = krippendorff_alpha(matrix, metric).value
    assert krippendorff_alpha(other, metric).value == pytest.approx(expected, abs=1e-7)


def test_perfect_agreement_is_one_and_systematic_disagreement_negative():
    agree = np.tile([1.0, 2.0, 3.0], (4, 1))
    assert krippendorff_alpha(agree).value == 1
    # Two values, always opposed: D_o = 1, D_e = n/2 · n · … = 3/5, so α = 1 - 5/3.
    assert krippendorff_alpha([[0, 1, 0], [1, 0, 1]], "nominal").value == pytest.approx(-2 / 3)


def test_large_offsets_keep_their_digits():
    ratings = np.array(FOUR_OBSERVERS) * 1e-3 + 1e6
    assert krippendorff_alpha(ratings).value == pytest.approx(krippendorff_alpha(FOUR_OBSERVERS).value, abs=1e-6)


def test_equal_ratings_leave_alpha_open():
    assert np.isnan(krippendorff_alpha(np.full((3, 4), 7.0)).value)


def test_bad_matrices_are_refused():
    with pytest.raises(PluristatsError, match="No unit has two ratings"):
        krippendorff_alpha([[1.0, NAN], [NAN, 2.0]])
    with pytest.raises(ValueError, match="row 1, column 0 of the ratings is infinite"):
        krippendorff_alpha([[1.0, 2.0], [np.inf, 2.0]])
    with pytest.raises(ValueError, match="1 dimensions"):
        krippendorff_alpha([1.0, 2.0])
    with pytest.raises(ValueError, match="'ratio'"):
        krippendorff_alpha([[1.0, 2.0], [1.0, 2.0]], "ratio")


def test_a_study_is_its_matrix(simulated):
    assert krippendorff_alpha(simulated) == replace(krippendorff_alpha(rating_matrix(simulated)), simulated=True)


@pytest.mark.release
@pytest.mark.parametrize(
    "metric, value",
    [("interval", 0.4130883766746921), ("ordinal", 0.4165957937565741), ("nominal", 0.05126222526417068)],
)
def test_release_as_the_package_krippendorff_has_it(release, metric, value):
    """Values by krippendorff 0.9.0 from PyPI, ``alpha(matrix, level_of_measurement=metric)``."""
    found = krippendorff_alpha(release, metric)
    assert (found.units, found.values) == (150, 14_725)
    assert found.value == pytest.approx(value, abs=1e-12)
