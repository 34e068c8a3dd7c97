"""The ordered beta likelihood without R: R's stored values, the fit itself, and what stands where it has no maximum."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import pluristats as ps
from pluristats.analysis.sensitivity import bounded as native
from pluristats.errors import FitError, PluristatsWarning
from pluristats.study import Study
from tests.analysis.sensitivity.conftest import rows_from

pytestmark = pytest.mark.filterwarnings("ignore::pluristats.errors.PluristatsWarning")


def test_it_is_glmmtmb(bounded, by_r) -> None:
    found, expected = native.ordered_beta(rows_from(bounded, "person", "item")), by_r["ordered_beta"]
    np.testing.assert_allclose(found.estimate, list(expected["estimate"].values()), rtol=1e-4)
    np.testing.assert_allclose(found.std_error, list(expected["se"].values()), rtol=1e-3)
    assert (found.kind, found.engine, found.nobs) == ("mixed", "native", 300)


def test_marginal_effect_is_the_mean_change_of_the_prediction(bounded) -> None:
    """By predictions with x moved by a little."""
    found = native.ordered_beta(rows_from(bounded, "person", "item"))
    fit = ps.ordered_beta("rating ~ x + w + (1|person) + (1|item)", bounded, scale=(0, 100))
    moved = fit.predict(bounded.assign(x=bounded["x"] + 1e-4)) - fit.predict(bounded.assign(x=bounded["x"] - 1e-4))
    assert found.estimate[0] * found.slope == pytest.approx(moved.mean() / 2e-4, rel=1e-5)


@pytest.mark.parametrize("crossed", [False, True])
def test_a_question_is_refitted(simulated: Study, crossed: bool) -> None:
    question = ps.rq1(simulated, ps.LassoRule(penalty=0.0), validate=False)
    found = ps.likelihood_sensitivity(
        question, simulated, likelihoods=["ordered-beta"], engine="python", crossed=crossed
    )
    assert found.glance()["reference"].tolist() == ["", "gaussian (mixed)"]
    table = found.tidy().query("likelihood == 'ordered-beta'").set_index("term")
    formula = (question.crossed if crossed else question.fit).formula.replace("rating ~", "rating_raw ~", 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PluristatsWarning)
        fit = ps.ordered_beta(formula, simulated)
    expected = fit.tidy().set_index("term").loc[table.index]
    np.testing.assert_allclose(table["estimate"], expected["estimate"], rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(table["std_error"], expected["std_error"], rtol=1e-4)


def test_ratings_that_reach_no_end_are_said(bounded, simulated: Study) -> None:
    with pytest.raises(FitError, match="No rating is at the greatest value of the scale"):
        native.ordered_beta(rows_from(bounded.assign(rating=bounded["rating"].clip(upper=99)), "person"))
    ratings = simulated.ratings.assign(rating=simulated.ratings["rating"].clip(1, 99))
    study = replace(simulated, ratings_=ratings)
    fit = ps.lmer("rating ~ Age + (1|prompt)", study)
    row = ps.likelihood_sensitivity(fit, study, likelihoods=["ordered-beta"]).glance().iloc[1]
    assert row["status"] == "failed" and pd.isna(row["significant"])
