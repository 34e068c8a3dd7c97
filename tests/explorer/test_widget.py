"""The widget as a Python object: messages in, state out; code that runs; the table where widgets do not run."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest

import pluristats as ps
from pluristats.display.shown import SIMULATED
from pluristats.errors import FitError, UnsupportedError
from tests.markup import Page

HOSTILE = "<img src=x onerror=alert(1)>\"'`\x00\ud800\u202e&amp;</script>"


def told(widget: object, message: dict) -> dict:
    """What the widget sends in answer to a message."""
    sent: list[dict] = []
    widget.send = sent.append  # type: ignore[attr-defined]
    widget._answer(widget, message, [])  # type: ignore[attr-defined]
    assert len(sent) == 1
    json.dumps(sent[0], allow_nan=False).encode()
    return sent[0]


def test_state_is_the_fit(fit: ps.LmerFit, study: ps.Study) -> None:
    widget = fit.explore(study)
    state = json.loads(json.dumps(widget.state, allow_nan=False))
    tidy = fit.tidy()
    np.testing.assert_allclose([r["v"][0] for r in state["rows"]], tidy.estimate, rtol=1e-5)
    np.testing.assert_allclose([r["v"][4] for r in state["rows"]], tidy.p_value, rtol=1e-5)
    assert [r["term"] for r in state["rows"]] == list(fit.terms)
    assert state["simulated"] == SIMULATED and repr(widget).startswith(SIMULATED)


def test_a_refit_keeps_what_was_before(fit: ps.LmerFit, study: ps.Study) -> None:
    widget = fit.explore(study)
    old = [r["v"][0] for r in widget.state["rows"]]
    place = widget.state["structures"].index("(1|prompt)")
    assert told(widget, {"type": "refit", "structure": place, "engine": "native", "reml": False})["type"] == "refitted"
    assert widget.state["before"] == old
    fixed = fit.formula.partition(" + (1|")[0]
    fresh = ps.lmer(f"{fixed} + (1|prompt)", study, reml=False)
    np.testing.assert_allclose([r["v"][0] for r in widget.state["rows"]], fresh.fixef, rtol=1e-5)
    assert any("No random intercept of annotator:" in line for line in widget.state["warnings"])
    assert not widget.state["reml"] and widget.state["structure"] == "(1|prompt)"


@pytest.mark.parametrize(
    "message",
    [
        {"type": "carriers", "row": 99},
        {"type": "refit", "structure": 0, "engine": "rm -rf", "reml": True},
        {"type": "refit", "structure": 77, "engine": "native", "reml": True},
        {"type": "partial", "pair": 5},
        {"type": "exec", "code": "1"},
        {},
    ],
)
def test_messages_that_cannot_be_answered_are_answered_in_words(
    fit: ps.LmerFit, study: ps.Study, message: dict
) -> None:
    widget = fit.explore(study)
    before = widget.state
    answer = told(widget, message)
    assert answer["type"] == "error" and answer["text"]
    assert widget.state == before


@pytest.mark.parametrize("structure", ["(1|annotator) + (1|prompt)", "(1|prompt)", "none"])
def test_the_code_makes_the_same_view(fit: ps.LmerFit, study: ps.Study, structure: str) -> None:
    widget = fit.explore(study, search="a", excludes_zero=False, sort="size", descending=True).refit(structure)
    space: dict = {"study": study}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(widget.code(), space)
    pd_a, pd_b = widget.table(), space["view"].table()
    assert list(pd_a.term) == list(pd_b.term) and len(pd_a) > 1
    np.testing.assert_allclose(pd_a.estimate, pd_b.estimate, rtol=1e-6)
    np.testing.assert_allclose(pd_a.p_value, pd_b.p_value, rtol=1e-4, atol=1e-12)


def test_the_figure_draws_the_rows_that_are_seen(fit: ps.LmerFit, study: ps.Study) -> None:
    axes = fit.explore(study, groups=("actions",)).figure()
    texts = [tick.get_text() for tick in axes.get_yticklabels()]
    assert texts[0] == "Actions" and len(texts) == 3


def test_selections_show_their_path_their_caveat_and_code_that_runs(study: ps.Study) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        question = ps.rq1(study, validate=False)
        widget = question.explore(study)
        path = widget.state["path"]
        chosen = question.selection.chosen
        by_term = dict(zip((r["term"] for r in widget.state["rows"]), path["values"], strict=True))
        for term, values in zip(question.selection.candidates, chosen.path.coefficients, strict=True):
            np.testing.assert_allclose(by_term[term], values, rtol=1e-5)
        assert path["position"] == chosen.position
        assert any("selected these terms" in line for line in widget.state["warnings"])
        assert any("too small" in line for line in widget.state["warnings"])
        space: dict = {"study": study}
        exec(widget.code(), space)
        got = space["fit"].fixef
    np.testing.assert_allclose(got[list(question.fit.terms)], question.fit.fixef, rtol=1e-6)


def test_penalised_mixed_models_and_ladders_open_too(study: ps.Study) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lasso = ps.lasso_lmer("rating ~ actions + traits + (1|annotator) + (1|prompt)", study, reml=False)
        widget = lasso.explore(study)
        assert len(widget.state["rows"]) == len(lasso.candidates) + 1
        ladder = ps.bic_ladder(study, "common-rows")
        rung = ladder.explore(study, model="4")
        assert rung.fit.nobs == ladder.table.nobs.iloc[-1] and "prompt" in rung.fit.formula
        with pytest.raises(ValueError, match="model is one of null, 1, 2, 3, 4, 5, 6, not '7'"):
            ladder.explore(study, model="7")
        with pytest.raises(FitError, match="give the study that the ladder was made of"):
            ladder.explore(ps.simulate_study(n_annotators=17, n_prompts=40, seed=3), model="1")
    with pytest.raises(UnsupportedError, match="give the study"):
        ladder.explore()
    with pytest.raises(TypeError, match="not <class 'int'>"):
        ps.explore(3)


def test_models_of_a_ladder_are_switched_and_their_code_fits_the_same_rows() -> None:
    study = ps.simulate_study(n_annotators=20, n_prompts=24, seed=5, n_features=3, n_traits=3, n_interactions=1)
    annotators = study.annotators
    annotators.loc[3, "Factor_1"] = np.nan
    study = replace(study, annotators_=annotators)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ladder = ps.bic_ladder(study, "mixed")
        widget = ladder.explore(study, model="4", sort="size")
        for place, row in enumerate(ladder.table.itertuples()):
            assert told(widget, {"type": "rung", "model": place})["type"] == "refitted"
            assert widget.fit.loglik == pytest.approx(row.loglik, abs=1e-6) and widget.fit.nobs == row.nobs
            assert widget.state["models"][widget.state["model"]].startswith(f"{row.model}: ")
        traits = [r["term"] for r in widget.state["rows"]].index(study.groups["traits"][0])
        assert widget.state["before"][traits] is not None  # Model 5 had it, too
        # The random part that is seen stays, and what was missing in other models' columns costs rows here, too.
        widget.rung("4").refit("(1|annotator)", reml=True).rung("3")
        assert widget.fit.reml and widget.state["structure"] == "(1|annotator)"
        space: dict = {"study": study}
        exec(widget.code(), space)
        again = space["view"].fit
        assert again.nobs == widget.fit.nobs < len(study.frame())
        np.testing.assert_allclose(again.fixef, widget.fit.fixef, rtol=1e-6, atol=1e-9)
        assert space["view"].state["model"] == 3
    assert told(ladder.explore(study), {"type": "rung", "model": 9})["type"] == "error"


def test_code_of_a_selection_keeps_the_rows_that_left_out_columns_cost(study: ps.Study) -> None:
    frame = study.frame().copy()
    a, b, c = study.groups["actions"][:3]
    rng = np.random.default_rng(0)
    frame["noise"] = rng.normal(size=len(frame))
    frame.loc[frame.index[::3], "noise"] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        selection = ps.lasso_select(f"rating ~ {a} + {b} + {c} + noise + (1|annotator)", frame, penalty="bic")
        assert "noise" not in selection.selected
        space: dict = {"study": frame}
        exec(selection.explore(frame).code(), space)
    assert space["fit"].nobs == selection.refit.nobs < len(frame)
    np.testing.assert_allclose(space["fit"].fixef, selection.refit.fixef, rtol=1e-6)


@pytest.mark.parametrize("engine", ["statsmodels", pytest.param("lme4", marks=pytest.mark.r)])
def test_other_engines_refit_the_same_model(fit: ps.LmerFit, study: ps.Study, engine: str) -> None:
    widget = fit.explore(study)
    if engine not in widget.state["engines"]:
        pytest.skip("needs R and pymer4")
    estimates = [r["v"][0] for r in widget.state["rows"]]
    answer = told(widget, {"type": "refit", "structure": 0, "engine": engine, "reml": True})
    assert answer["type"] == "refitted" and widget.fit.engine == engine == widget.state["engine"]
    np.testing.assert_allclose([r["v"][0] for r in widget.state["rows"]], estimates, rtol=1e-3)
    assert f"engine={engine!r}" in widget.code()


def test_where_widgets_do_not_run_the_table_stands(fit: ps.LmerFit, study: ps.Study) -> None:
    widget = fit.explore(study)
    bundle = widget._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert "application/vnd.jupyter.widget-view+json" in data
    page = Page(data["text/html"])
    assert not page.faults and not page.loaded
    assert page.text.index(SIMULATED) < page.text.index("Intercept")
    assert len(page.all("tr")) == len(fit.terms) + 1


def test_hostile_names_and_texts_reach_the_browser_visible_and_short(study: ps.Study) -> None:
    frame = study.frame()[["rating", "annotator", "prompt", study.groups["actions"][0]]].copy()
    frame.columns = ["rating", "annotator", "prompt", "x"]
    frame["prompt"] = frame["prompt"].astype(str) + HOSTILE.replace("\ud800", "") + "y" * 5000
    fit = ps.lmer("rating ~ x + (1|prompt)", frame)
    widget = fit.explore(frame, feature_groups={HOSTILE: ["x"]})
    assert "\\x00\\ud800\\u202e" in widget.state["rows"][1]["group"]
    answer = told(widget, {"type": "carriers", "row": 1})
    for level in answer["factors"][0]["levels"]:
        assert len(level["level"]) <= 300 and "\x00" not in level["level"] and "\ud800" not in level["level"]
    page = Page(widget._repr_html_())
    assert not page.faults and not page.all("img") and not page.loaded


def test_another_study_is_refused_by_name(study: ps.Study) -> None:
    fit = ps.lmer("rating ~ Age + (1|annotator) + (1|prompt)", study)
    with pytest.raises(FitError, match="rows of the fit are not in this study"):
        fit.explore(ps.simulate_study(n_annotators=5, n_prompts=6, seed=3))
    alike = study.frame().assign(rating=lambda rows: rows["rating"] + 1.0)
    with pytest.raises(FitError, match="'rating' of this study is not what was fitted"):
        fit.explore(alike)
    assert fit.explore(study).fit is fit
