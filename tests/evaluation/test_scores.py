"""Scores against other people's code and brute force."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

import pluristats as ps
from pluristats.errors import EvaluationError
from pluristats.evaluation import metrics
from pluristats.evaluation.forecast import LEVELS

RNG = np.random.default_rng(4)
RATING = np.where(RNG.random((5, 12)) < 0.2, np.nan, np.round(RNG.random((5, 12)), 1))
POINT = RNG.random((5, 12))


def test_errors_and_ranks_are_those_of_other_libraries() -> None:
    for i in range(5):
        there = ~np.isnan(RATING[i])
        y, p = RATING[i, there], POINT[i, there]
        assert metrics.mae(RATING, POINT)[i] == pytest.approx(mean_absolute_error(y, p))
        assert metrics.rmse(RATING, POINT)[i] == pytest.approx(root_mean_squared_error(y, p))
        assert metrics.spearman(RATING, POINT)[i] == pytest.approx(spearmanr(y, p).statistic)
    assert np.isnan(metrics.spearman(RATING, np.full_like(POINT, 0.5))).all()


def test_crps_is_that_of_equally_likely_values() -> None:
    quantiles = np.sort(RNG.random((5, 12, len(LEVELS))), axis=-1)
    found = metrics.crps(RATING, quantiles)
    for i, j in zip(*np.nonzero(~np.isnan(RATING)), strict=True):
        x, y = quantiles[i, j], RATING[i, j]
        expected = np.abs(x - y).mean() - np.abs(x[:, None] - x).mean() / 2
        assert found[i, j] == pytest.approx(expected)
    point = np.repeat(POINT[..., None], len(LEVELS), axis=-1)
    np.testing.assert_allclose(metrics.crps(RATING, point), np.abs(RATING - POINT))


STUDY = ps.simulate_study(n_annotators=12, n_prompts=30, seed=2)
CHEAP = ["uniform-random", "constant-0.5", "annotator-mean", "prompt-mean", "oracle-prompt-mean"]


def test_the_table_can_be_computed_again_from_the_predictions() -> None:
    found = ps.evaluate(STUDY, CHEAP, splits=3, seed=7, draws=50)
    table = found.tidy()
    rows = found.predictions().merge(STUDY.ratings, on=["annotator", "prompt"])
    low, high = STUDY.scale
    rows["error"] = ((rows["rating"] - low) / (high - low) - rows["prediction"]).abs()
    per = rows.groupby(["method", "setting", "split", "annotator"])["error"].mean()
    again = per.groupby(["method", "setting", "split"]).mean().groupby(["method", "setting"]).mean()
    for row in table.itertuples():
        assert row.mae == pytest.approx(again[row.method, row.setting])
        assert row.mae_lo <= row.mae <= row.mae_hi and row.n_annotators == 12 and row.n_refused == 0
    assert found.simulated and "SIMULATED" in repr(found)
    assert set(table["setting"]) == {"new-prompts", "new-seeds", "known-prompts", "oracle"}


def test_workers_change_no_number_and_seeds_do() -> None:
    one = ps.evaluate(STUDY, CHEAP, splits=2, seed=7, draws=20)
    two = ps.evaluate(STUDY, CHEAP, splits=2, seed=7, draws=20, n_jobs=2)
    assert one.tidy().equals(two.tidy()) and one.predictions().equals(two.predictions())
    other = ps.evaluate(STUDY, CHEAP, splits=2, seed=8, draws=20)
    assert not one.predictions().equals(other.predictions())


def test_comparisons_are_paired_and_joined_evaluations_are_the_whole() -> None:
    whole = ps.evaluate(STUDY, ["annotator-mean", "constant-0.5"], settings=["new-prompts"], splits=3, draws=200)
    difference = whole.compare("annotator-mean", "constant-0.5").iloc[0]
    mae = whole.tidy().set_index("method")["mae"]
    assert difference["difference"] == pytest.approx(mae["annotator-mean"] - mae["constant-0.5"])
    assert difference["lo"] < difference["difference"] < difference["hi"]
    parts = [ps.evaluate(STUDY, [name], settings=["new-prompts"], splits=3, draws=200) for name in mae.index]
    assert parts[0].joined(parts[1]).tidy().equals(whole.tidy())
    with pytest.raises(EvaluationError, match="both evaluations have"):
        whole.joined(parts[0])
    with pytest.raises(EvaluationError, match="study, seed, draws and refusals"):
        parts[0].joined(ps.evaluate(STUDY, ["prompt-mean"], splits=1, seed=3))
