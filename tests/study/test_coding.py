"""Labels to numbers, and z-scores, against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pluristats.study.coding import code_column, zscore
from pluristats.study.release import TRAITS

BY_NAME = {coding.column: coding for coding in TRAITS}


@pytest.mark.parametrize(
    ("column", "cell", "number"),
    [
        ("Race_Ethnicity", "White", 1.0),
        ("Race_Ethnicity", "Latino or Hispanic,White", 0.0),
        ("Race_Ethnicity", "American Indian, Alaska Native, or other Indigenous culture,East Asian,White", 0.0),
        ("Race_Ethnicity", "Other", 0.0),
        ("Sexual_Orientation", " Straight (heterosexual)", 1.0),
        ("Sexual_Orientation", "Aromantic or asexual, Straight (heterosexual)", 1.0),
        ("Sexual_Orientation", "Aromantic or asexual, Lesbian", 0.0),
        ("Sexual_Orientation", "Prefer not to answer", 0.0),
        ("Religion_Importance", " Not at all important", 0.0),
        ("Religion_Importance", " Somewhat important", 2.0),
        ("Religion_Importance", " Very important", 3.0),
        ("Political_Affiliation", "Very liberal", 4.0),
        ("Political_Affiliation", "Other", np.nan),
        ("Income", "I prefer not to answer.", np.nan),
        ("Income", "", np.nan),
        ("Education", "Bachelor’s degree", 3.0),
        ("Gender", "Man", 1.0),
    ],
)
def test_released_labels(column: str, cell: str, number: float) -> None:
    assert BY_NAME[column].knows(cell)
    np.testing.assert_equal(code_column(BY_NAME[column], [cell])[0], number)


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("Race_Ethnicity", "White,"),
        ("Race_Ethnicity", "White;East Asian"),
        ("Race_Ethnicity", "Alaska Native"),
        ("Gender", "Man,Woman"),
        ("Gender", "man"),
        ("Income", "Prefer not"),
    ],
)
def test_unknown_labels(column: str, cell: str) -> None:
    assert not BY_NAME[column].knows(cell)


def test_zscore_by_hand() -> None:
    z = zscore(np.array([1.0, 2.0, np.nan, 6.0]))
    assert (z.mean, z.sd) == (3.0, 7.0**0.5)  # deviations -2, -1, 3: 14 / 2
    np.testing.assert_allclose(z.values, np.array([-2.0, -1.0, np.nan, 3.0]) / 7.0**0.5)


@pytest.mark.parametrize("x", [[0.1] * 3, [0.1] * 3 + [np.nan], [5.0]])
def test_zscore_of_a_constant_is_0(x: list[float]) -> None:
    z = zscore(np.array(x))
    assert z.constant
    assert z.sd == 0.0
    np.testing.assert_array_equal(z.values, np.where(np.isnan(x), np.nan, 0.0))


def test_zscore_of_nothing_is_nothing() -> None:
    z = zscore(np.full(3, np.nan))
    assert z.constant
    assert np.isnan([z.mean, z.sd, *z.values]).all()


@given(
    x=st.lists(st.integers(-1000, 1000), min_size=3, max_size=30).filter(lambda x: len(set(x)) > 1),
    scale=st.floats(0.01, 100),
    shift=st.floats(-100, 100),
)
def test_zscore_does_not_see_units(x: list[int], scale: float, shift: float) -> None:
    values = np.array(x, dtype=float)
    np.testing.assert_allclose(zscore(values * scale + shift).values, zscore(values).values, atol=1e-6)
