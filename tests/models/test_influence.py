"""Influence against dropping the rows and fitting again."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import pluristats as ps
from pluristats.errors import RankDeficientWarning, SingularFitWarning, UnsupportedError
from pluristats.models import LmerFit

FORMULA = "y ~ x + age + hard + (1|person) + (1|item)"


@pytest.mark.parametrize("by", ["person", "item"])
def test_each_level_against_a_fit_without_its_rows(fit: LmerFit, table: pd.DataFrame, by: str) -> None:
    found = fit.influence(by)
    assert found.levels == tuple(pd.unique(table[by]))
    v = fit.vcov.to_numpy()
    tidy, levels = found.tidy(), found.table().set_index("level")
    for i, level in enumerate(found.levels):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SingularFitWarning)
            fresh = ps.lmer(FORMULA, table[table[by] != level], reml=fit.reml)
        change = (fit.fixef - fresh.fixef).to_numpy()
        se = np.sqrt(np.diag(fresh.vcov))
        rows = tidy[tidy.level == level]
        assert rows.term.tolist() == list(fit.terms)
        np.testing.assert_allclose(rows.estimate, fresh.fixef, atol=1e-4)
        np.testing.assert_allclose(rows.dfbeta, change, atol=1e-4)
        np.testing.assert_allclose(rows.dfbetas, change / se, atol=1e-3)
        row = levels.loc[level]
        assert row.cooks_distance == pytest.approx(change @ np.linalg.inv(v) @ change / 4, rel=1e-2, abs=1e-5)
        assert row.n_rows == (table[by] == level).sum()
        assert row.sigma == pytest.approx(fresh.sigma, rel=1e-5)
        assert row.sigma_change == pytest.approx(fit.sigma - fresh.sigma, abs=1e-5)
        # Sizes may have changed the order of theta; names have not.
        without = dict(zip(fresh.theta_names, fresh.theta, strict=True))
        for name, theta in zip(fit.theta_names, fit.theta, strict=True):
            assert row[f"theta {name}"] == pytest.approx(without[name], abs=1e-3)
            assert row[f"theta {name} change"] == pytest.approx(theta - without[name], abs=1e-3)
        assert row.status == fresh.optimizer.status == found.status[i]


def test_the_person_who_answers_the_other_way_round_is_found(table: pd.DataFrame) -> None:
    odd = table.assign(y=table.y.where(table.person != "P6", 3 - 4 * table.x))
    found = ps.lmer("y ~ x + (1|person)", odd).influence("person")
    assert found.levels[int(np.argmax(found.cooks_distance))] == "P6"
    slope = found.tidy().query("term == 'x'").set_index("level").dfbetas
    assert slope.idxmin() == "P6" and slope["P6"] < -1


def test_another_column_and_processes(fit: LmerFit, table: pd.DataFrame) -> None:
    slot = pd.Series(np.arange(len(table)) % 30, index=table.index, name="slot")
    one, two = (fit.influence(slot, n_jobs=j) for j in (1, 2))
    pd.testing.assert_frame_equal(one.tidy(), two.tidy())
    assert one.by == "slot" and one.levels == tuple(range(30))
    fresh = ps.lmer(FORMULA, table[slot != 4], reml=fit.reml)
    np.testing.assert_allclose(one.betas[4], fresh.fixef, atol=1e-4)


def test_a_column_that_goes_with_its_level(table: pd.DataFrame) -> None:
    only = table.assign(only=(table.person == "P3") * table.x)
    found = ps.lmer("y ~ x + only + (1|person) + (1|item)", only).influence("person")
    lost = np.isnan(found.betas)
    assert lost[3].tolist() == [False, False, True] and lost.sum() == 1
    assert np.isnan(found.cooks_distance).tolist() == [i == 3 for i in range(10)]
    fresh = ps.lmer("y ~ x + (1|person) + (1|item)", table[table.person != "P3"])
    np.testing.assert_allclose(found.betas[3, :2], fresh.fixef, atol=1e-4)


def test_a_level_without_which_nothing_can_be_fitted(table: pd.DataFrame) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularFitWarning)
        warnings.simplefilter("ignore", RankDeficientWarning)
        fit = ps.lmer("y ~ x + (1|half)", table.assign(half=np.where(table.hard > 0, "a", "b")))
    found = fit.influence("half")
    assert all("'half' has only one level" in status for status in found.status)
    assert np.isnan(found.betas).all() and np.isnan(found.table().sigma).all() and len(found.table()) == 2


def test_refusals(fit: LmerFit) -> None:
    with pytest.raises(ValueError, match="'prompt' is no grouping factor of this fit"):
        fit.influence("prompt")
    slopes = replace(fit.result.random[0], terms=("(Intercept)", "x"))
    with pytest.raises(UnsupportedError, match="random intercepts only"):
        replace(fit, result=replace(fit.result, random=(slopes,))).influence("person")
