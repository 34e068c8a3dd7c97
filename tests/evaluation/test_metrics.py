from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from pluristats.errors import EvaluationError
from pluristats.evaluation import metrics
from pluristats.evaluation.forecast import LEVELS, Forecast

RNG = np.random.default_rng(0)
Y = np.where(RNG.random((6, 20)) < 0.2, np.nan, RNG.random((6, 20)).round(1))
P = np.where(RNG.random((6, 20)) < 0.1, np.nan, RNG.random((6, 20)).round(1))


def both(i: int) -> tuple[np.ndarray, np.ndarray]:
    there = ~(np.isnan(Y[i]) | np.isnan(P[i]))
    return Y[i, there], P[i, there]


def test_errors_are_sklearns_within_each_annotator() -> None:
    np.testing.assert_allclose(metrics.mae(Y, P), [mean_absolute_error(*both(i)) for i in range(6)])
    np.testing.assert_allclose(metrics.rmse(Y, P), [root_mean_squared_error(*both(i)) for i in range(6)])


def test_spearman_is_scipys_ties_included() -> None:
    np.testing.assert_allclose(metrics.spearman(Y, P), [stats.spearmanr(*both(i)).statistic for i in range(6)])


def test_an_annotator_without_cells_or_ranks_has_no_value() -> None:
    y = np.array([[np.nan, np.nan, np.nan], [0.1, 0.2, 0.3], [0.1, np.nan, np.nan]])
    p = np.array([[0.5, 0.5, 0.5], [0.5, 0.5, 0.5], [0.5, 0.1, 0.2]])
    assert np.isnan(metrics.mae(y, p)).tolist() == [True, False, False]
    assert np.isnan(metrics.spearman(y, p)).all()
    assert metrics.mean_over_annotators(metrics.mae(y, p)) == pytest.approx(0.35)
    assert np.isnan(metrics.mean_over_annotators(np.array([np.nan])))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_crps_is_that_of_equally_likely_values(seed: int) -> None:
    rng = np.random.default_rng(seed)
    q = np.sort(rng.random((2, 3, len(LEVELS))).round(1), axis=-1)
    y = rng.random((2, 3)).round(1)
    spread = np.abs(q[..., :, None] - q[..., None, :]).mean(axis=(-1, -2))
    np.testing.assert_allclose(metrics.crps(y, q), np.abs(q - y[..., None]).mean(axis=-1) - spread / 2, atol=1e-12)


def test_crps_of_a_normal_distribution_is_near_its_closed_form() -> None:
    y, mu, sd = 0.3, 0.5, 0.2
    w = (y - mu) / sd
    closed = sd * (w * (2 * stats.norm.cdf(w) - 1) + 2 * stats.norm.pdf(w) - 1 / np.sqrt(np.pi))
    q = stats.norm.ppf(LEVELS, mu, sd)[None, None]
    assert metrics.crps(np.array([[y]]), q)[0, 0] == pytest.approx(closed, abs=2e-4)


def test_crps_of_a_certain_forecast_is_its_absolute_error() -> None:
    q = np.repeat(P[..., None], len(LEVELS), axis=-1)
    np.testing.assert_allclose(metrics.crps(Y, q), np.abs(Y - P), atol=1e-12)


def test_the_share_below_a_level_is_the_level_for_the_distribution_itself_masses_included() -> None:
    # Every one of the 51 equally likely values comes once as the rating: calibrated exactly.
    values = np.sort(np.r_[np.zeros(17), np.linspace(0.1, 0.9, 20), np.ones(14)])
    under, upto = metrics.pit(values[None], np.broadcast_to(values, (1, 51, 51)))
    levels = np.linspace(0.02, 0.98, 25)
    np.testing.assert_allclose(metrics.pit_below(under, upto, levels), levels, atol=1e-12)


def test_the_share_below_a_level_tells_a_forecast_that_is_too_low() -> None:
    rng = np.random.default_rng(1)
    y = rng.uniform(0.5, 1.0, (1, 400))
    under, upto = metrics.pit(y, np.broadcast_to(LEVELS, (1, 400, 51)))
    np.testing.assert_allclose(metrics.pit_below(under, upto, np.array([0.25, 0.75])), [0.0, 0.5], atol=0.06)


@pytest.mark.parametrize("wrong", [np.nan, 1.2, -0.1, np.inf])
def test_a_prediction_outside_0_to_1_is_refused(wrong: float) -> None:
    with pytest.raises(EvaluationError, match="outside 0-1"):
        Forecast(np.array([[0.5, wrong]]))
    if np.isnan(wrong):
        Forecast(np.array([[0.5, wrong]]), refused=np.array([[False, True]]))


def test_quantiles_of_another_shape_are_refused() -> None:
    with pytest.raises(EvaluationError, match=r"\(1, 1, 3\)"):
        Forecast(np.array([[0.5]]), np.zeros((1, 1, 3)))
