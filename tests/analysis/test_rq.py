"""RQ1-RQ3: the release's figures, planted effects, and studies that lack something."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import pluristats as ps
from pluristats.analysis import Question
from pluristats.errors import StudyError
from pluristats.study import Study
from pluristats.study.record import FrozenMap

ALL = ps.LassoRule(penalty=0.0)
ASK = {"rq1": ps.rq1, "rq2": ps.rq2, "rq3": ps.rq3}


# ---- the release (shared facts: what the paper published, and what the released files give) ----


@pytest.mark.release
def test_rq1_on_the_release(release: Study) -> None:
    question = ps.rq1(release, validate=False)
    assert question.fit.nobs == 14_725
    assert round(question.fit.r2().marginal, 3) == 0.273
    signs = np.sign(question.fit.fixef)
    assert signs["action_Child_Harm"] == signs["action_Self_harm"] == 1
    assert signs["effect_Psychological"] == signs["effect_Social"] == -1


@pytest.mark.release
def test_rq2_on_the_release(release: Study) -> None:
    question = ps.rq2(release, validate=False)
    assert question.fit.nobs == 14_285
    assert question.fit.n_dropped == 440
    assert question.fit.r2().marginal == pytest.approx(0.02316, abs=5e-6)
    signs = np.sign(question.fit.fixef)
    assert signs["Toxicity_Experience"] == signs["Social_Media_Frequency"] == 1
    assert signs["Education"] == signs["Gender"] == signs["Political_Affiliation"] == -1


@pytest.mark.release
@pytest.mark.parametrize(
    ("name", "reml", "r2"),
    [("rq1", False, 0.2771), ("rq1", True, 0.2761), ("rq2", False, 0.02325), ("rq2", True, 0.02317)],
)
def test_all_columns_on_the_release(name: str, reml: bool, r2: float, release: Study) -> None:
    found = ASK[name](release, ALL, reml=reml, validate=False).fit.r2().marginal
    assert found == pytest.approx(r2, abs=0.00006 if name == "rq1" else 0.000006)


@pytest.mark.release
@pytest.mark.slow
def test_features_explain_much_in_sample_and_little_out_of_sample(release: Study) -> None:
    """60 independent features on 127 seeds: 0.27 in sample, less than nothing out of sample without shrinkage."""
    row = ps.rq1(release).glance().iloc[0]
    assert row["r2_marginal"] > 0.27
    assert row["r2_cv_selected"] < 0 > row["r2_cv_all"]
    assert 0.05 < row["r2_cv_shrunken"] < 0.15
    assert row["held_out"] == "prompts"
    # The prompts' share of variance, of which no feature of prompts can explain more.
    assert row["r2_marginal"] < row["ceiling"] < 0.5


@pytest.mark.release
@pytest.mark.slow
def test_traits_explain_nothing_of_new_annotators(release: Study) -> None:
    row = ps.rq2(release).glance().iloc[0]
    assert row["r2_cv_selected"] < 0 > row["r2_cv_all"]
    assert row["held_out"] == "annotators"
    assert row["r2_marginal"] < row["ceiling"] < 0.2


@pytest.mark.release
@pytest.mark.slow
def test_rq3_s_examples_at_the_penalty_0_005(release: Study) -> None:
    fixef = ps.rq3(release, ps.LassoRule(penalty=0.005), validate=False).fit.fixef
    found = [fixef[f"{t}:action_Child_Harm"] for t in ("Race_Ethnicity", "Sexual_Orientation", "Political_Affiliation")]
    assert found == pytest.approx([0.033, 0.035, 0.032], abs=0.0015)


# ---- simulated studies ----


@pytest.fixture(scope="module")
def planted() -> Study:
    """Three features, two traits and two products matter, by much."""
    return ps.simulate_study(
        n_annotators=60,
        n_prompts=100,
        seed=1,
        n_features=3,
        n_traits=2,
        n_interactions=2,
        features_variance=0.4,
        traits_variance=0.15,
        interactions_variance=0.1,
        harm_variance=0.02,
        annotator_variance=0.05,
        prompt_variance=0.03,
        residual_variance=0.25,
    )


@pytest.mark.parametrize("name", ASK)
def test_planted_effects_are_found_in_direction_and_size(name: str, planted: Study) -> None:
    question = ASK[name](planted, validate=False)
    assert planted.truth is not None
    of = {"rq1": planted.features.values(), "rq2": [planted.groups["traits"]], "rq3": []}[name]
    columns = {column for group in of for column in group}
    truth = {term: value for term, value in planted.truth.fixed.items() if term in columns}
    if name == "rq3":
        truth = dict(planted.truth.interactions)
    assert len(truth) == {"rq1": 3, "rq2": 2, "rq3": 2}[name]
    for term, value in truth.items():
        # Censoring at 0 and 100 attenuates (see simulate_study), products of strong columns most.
        expected = planted.truth.points * value / planted.frame()["rating_raw"].std()
        assert 0.2 < question.fit.fixef[term] / expected < 1.1, term


def test_a_question_end_to_end(simulated: Study) -> None:
    for name, ask in ASK.items():
        question = ask(simulated)
        assert question.name == name.upper()
        glance = question.glance()
        assert len(glance) == 1
        row = glance.iloc[0]
        assert row["selected"] == len(question.selection.selected) == len(question.tidy()) - 1
        assert row["r2_marginal"] == question.fit.r2().marginal
        assert row["r2_cv_all"] == ps.cross_validated_r2(question.fit.formula, simulated, by=row["held_out"]).estimate
        assert question.caveats
        assert np.isnan(row["ceiling"]) == (name == "rq3")
        assert ("r2_cv_shrunken" in glance) == (name != "rq3")
        assert question.fit.simulated


@pytest.mark.slow
def test_the_embedded_study_with_all_its_columns(embedded: Study) -> None:
    candidates = {"rq1": 62, "rq2": 13, "rq3": 62 + 13 + 62 * 13}
    for name, ask in ASK.items():
        question = ask(embedded, ps.LassoRule(penalty=0.1), validate=name != "rq3")
        assert len(question.selection.candidates) == candidates[name]
        assert 0 < question.glance()["r2_marginal"][0] < 1


def test_the_crossed_refit_is_lmer_with_both_intercepts(simulated: Study) -> None:
    question = ps.rq1(simulated, ps.LassoRule(penalty=0.1), validate=False)
    terms = " + ".join(question.selection.selected)
    direct = ps.lmer(f"rating ~ {terms} + (1|annotator) + (1|prompt)", simulated)
    assert question.crossed.loglik == pytest.approx(direct.loglik, rel=1e-10)
    tidy = question.tidy().set_index("term")
    expected = direct.tidy().set_index("term").loc[tidy.index]
    np.testing.assert_allclose(tidy["estimate_crossed"], expected["estimate"], rtol=1e-6)
    np.testing.assert_allclose(tidy["std_error_crossed"], expected["std_error"], rtol=1e-6)


def test_a_small_study_is_validated_on_fewer_folds() -> None:
    question = ps.rq2(ps.simulate_study(n_annotators=14, n_prompts=20, seed=2))
    assert [len(cv.by_fold) for cv in question.cross_validated] == [7, 7, 7]
    assert [cv.by for cv in question.cross_validated] == ["annotators"] * 3


def test_the_ceiling_is_the_share_of_prompts_or_annotators(simulated: Study) -> None:
    null = ps.lmer("rating_raw ~ 1 + (1|annotator) + (1|prompt)", simulated).icc()
    assert ps.rq1(simulated).ceiling == pytest.approx(null["prompt"], rel=1e-9)
    assert ps.rq2(simulated).ceiling == pytest.approx(null["annotator"], rel=1e-9)


def test_the_same_study_gives_the_same_answer(simulated: Study) -> None:
    one, other = (ps.rq2(simulated, ps.LassoRule(penalty="cv", folds="annotators")) for _ in range(2))
    pd.testing.assert_frame_equal(one.tidy(), other.tidy())
    pd.testing.assert_frame_equal(one.glance(), other.glance())


def test_a_question_needs_only_its_own_columns(
    simulated: Study, without_traits: Study, without_features: Study
) -> None:
    def same(one: Question, other: Question) -> None:
        pd.testing.assert_frame_equal(one.tidy(), other.tidy())

    same(ps.rq1(without_traits, validate=False), ps.rq1(simulated, validate=False))
    same(ps.rq2(without_features, validate=False), ps.rq2(simulated, validate=False))
    for ask, study, lacking, what in (
        (ps.rq1, without_features, "prompt features", "RQ1"),
        (ps.rq2, without_traits, "annotator traits", "RQ2"),
        (ps.rq3, without_traits, "annotator traits", "RQ3"),
        (ps.rq3, without_features, "prompt features", "RQ3"),
        (ps.bic_ladder, without_features, "prompt features", "the BIC ladder"),
        (ps.bic_ladder, without_traits, "annotator traits", "the BIC ladder"),
        (ps.reproduction_ledger, without_traits, "annotator traits", "the BIC ladder"),
    ):
        with pytest.raises(StudyError, match=f"^study: it has no {lacking}, which {what} needs"):
            ask(study)


def test_feature_groups_may_have_any_name(simulated: Study) -> None:
    first, last = simulated.features["actions"], simulated.features["effects"][-1:]
    odd = replace(simulated, features=FrozenMap({"my actions": first, "2nd": last}))
    plain = replace(simulated, features=FrozenMap({"actions": first, "x": last}))
    for ask in ASK.values():
        one, other = (ask(study, ps.LassoRule(penalty=0.1), validate=False) for study in (odd, plain))
        pd.testing.assert_frame_equal(one.tidy(), other.tidy())
