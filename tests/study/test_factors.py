"""Factor scores against a worked example and the released loadings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pluristats.errors import PluristatsError
from pluristats.study import score_factors

LOADINGS = pd.DataFrame({"F1": [0.5, -1.0], "F2": [0.0, 2.0]}, index=["care_mean_z_scored", "order_mean_z_scored"])


def test_by_hand() -> None:
    means = pd.DataFrame({"order_mean": [2.0, 4.0, 6.0], "care_mean": [3.0, 2.0, 1.0]}, index=["x", "y", "z"])
    scores = score_factors(means, LOADINGS)
    # z(order) = -1, 0, 1 and z(care) = 1, 0, -1.
    expected = pd.DataFrame({"F1": [1.5, 0.0, -1.5], "F2": [-2.0, 0.0, 2.0]}, index=["x", "y", "z"])
    pd.testing.assert_frame_equal(scores, expected)


def test_names_as_in_the_loadings_and_other_columns_change_nothing() -> None:
    means = pd.DataFrame({"care_mean": [3.0, 2.0, 1.0], "order_mean": [2.0, 4.0, 7.0]})
    renamed = means.add_suffix("_z_scored").assign(note=["a", "b", "c"])
    pd.testing.assert_frame_equal(score_factors(renamed, LOADINGS), score_factors(means, LOADINGS))


@pytest.mark.release
def test_released_scores_have_the_spread_of_plain_sums(release_path: Path) -> None:
    loadings = pd.read_csv(release_path / "factor_loadings.csv", index_col=0)
    implied = loadings.to_numpy() @ loadings.to_numpy().T
    np.fill_diagonal(implied, 1.0)
    rng = np.random.default_rng(0)
    means = pd.DataFrame(rng.multivariate_normal(np.zeros(21), implied, size=20_000), columns=loadings.index)
    spread = score_factors(means, loadings).std()
    np.testing.assert_allclose(spread, [3.40, 2.82, 2.71], atol=0.06)
    released = pd.read_csv(release_path / "annotations.csv")[["Factor_1", "Factor_2", "Factor_3"]].std()
    np.testing.assert_allclose(spread, released, rtol=0.06)


def test_missing_columns_are_named() -> None:
    with pytest.raises(PluristatsError, match="lack the columns care_mean, order_mean; add them"):
        score_factors(pd.DataFrame({"care": [1.0, 2.0]}), LOADINGS)


@pytest.mark.parametrize("value", ["much", np.nan, np.inf, None])
def test_a_cell_that_is_no_number_is_named(value: object) -> None:
    means = pd.DataFrame({"care_mean": [3.0, 2.0], "order_mean": [1.0, value]}, index=["x", "y"])
    with pytest.raises(PluristatsError, match=r"questionnaire means, row 'y', column order_mean: .* is not a finite"):
        score_factors(means, LOADINGS)


def test_a_constant_column_is_named() -> None:
    means = pd.DataFrame({"care_mean": [3.0, 2.0], "order_mean": [1.0, 1.0]})
    with pytest.raises(PluristatsError, match="column order_mean: all rows hold 1, so no z-score"):
        score_factors(means, LOADINGS)
