from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import pluristats as ps
from pluristats.errors import LatentError
from pluristats.latent.ratings import in_order
from pluristats.study import Study


def changed(study: Study, ratings: pd.DataFrame) -> Study:
    return replace(study, ratings_=ratings)


def test_ratings_stand_in_the_order_of_their_trials(study: Study) -> None:
    rows = study.ratings
    # Gaps and another origin change no rank.
    order = in_order(changed(study, rows.assign(trial=3 * rows["trial"] + 7)))
    for i, annotator in enumerate(study.annotators["annotator"]):
        mine = rows[rows["annotator"].eq(annotator)].sort_values("trial")
        np.testing.assert_array_equal(order.rating[i], mine["rating"] / 100)
        assert [order.prompts[j] for j in order.prompt[i]] == mine["prompt"].tolist()
        np.testing.assert_array_equal(order.number[i], 3 * mine["trial"] + 7)
    assert order.simulated and repr(order).startswith("RatingOrder(24 annotators, 60 trials")


def test_residuals_and_effects_are_the_mixed_models(study: Study) -> None:
    order = in_order(study)
    fit = ps.lmer("rating_raw ~ 1 + (1|annotator) + (1|prompt)", study)
    table = order.tidy().merge(fit.augment(), on=["annotator", "prompt"])
    assert len(table) == len(study.frame()) == order.mask.sum()
    np.testing.assert_allclose(table["residual"], table["resid"] / 100, atol=1e-6)
    modes = fit.ranef().query("group == 'prompt'").set_index("level")["estimate"]
    z = (modes - modes.mean()) / modes.std()
    np.testing.assert_allclose(table["effect"], table["prompt"].map(z).astype(float), atol=1e-6)
    assert order.effect_sd == pytest.approx(modes.std() / 100, rel=1e-5)
    # A prompt that was shown has an effect, rated or not.
    unsure = order.shown & ~order.mask
    assert unsure.any() and np.isfinite(order.effect[unsure]).all() and np.isnan(order.residual[unsure]).all()


def test_fixed_effects_of_prompts_are_part_of_their_effect(study: Study) -> None:
    plain, with_level = in_order(study), in_order(study, "rating_raw ~ harm_level + (1|annotator) + (1|prompt)")
    shown = plain.shown
    assert np.corrcoef(plain.effect[shown], with_level.effect[shown])[0, 1] > 0.98
    assert np.nanmax(np.abs(plain.residual - with_level.residual)) < 0.05


def test_annotators_with_fewer_trials_end_earlier(study: Study) -> None:
    rows = study.ratings
    first = study.annotators["annotator"].iloc[0]
    order = in_order(changed(study, rows[~(rows["annotator"].eq(first) & (rows["trial"] >= 50))]))
    assert order.shown[0].sum() == 50 and order.shown[1:].all() and np.isnan(order.effect[0, 50:]).all()


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda rows: rows.assign(trial=np.nan), "does not say in which order"),
        (lambda rows: rows.assign(trial=rows["trial"].where(rows.index != 3)), "1 ratings have no trial, the first by"),
        (lambda rows: rows.assign(trial=rows["trial"].where(rows["trial"] != 4, 5.0)), "has trial 5 twice"),
    ],
)
def test_an_order_that_is_none_is_refused(study: Study, edit: object, message: str) -> None:
    with pytest.raises(LatentError, match=message):
        in_order(changed(study, edit(study.ratings)))  # type: ignore[operator]


def test_a_model_of_something_else_is_refused(study: Study) -> None:
    for formula in ("rating ~ 1 + (1|annotator)", "trial ~ 1 + (1|annotator) + (1|prompt)"):
        with pytest.raises(LatentError, match="is a model of rating with"):
            in_order(study, formula)
