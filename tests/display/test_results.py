"""Records that a cell may end with: each says in one line and in a table what it holds, and that it is simulated."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

import pluristats as ps
from pluristats.analysis import disagreement
from pluristats.display import Displayed
from pluristats.display.text import printable
from pluristats.errors import PluristatsWarning, Problem
from pluristats.features import Action, Effect, Stakeholder, Tree, fit_profile, fit_profiles, load_profile
from pluristats.generate.seeds import Seeds
from pluristats.lasso import choose_columns
from pluristats.latent.ratings import in_order
from pluristats.latent.simulators import MODELS
from pluristats.latent.tables import Behaviour, behaviour_of
from pluristats.llm.estimate import Estimate
from pluristats.llm.run import Run
from pluristats.llm.session import Counts
from pluristats.select.diversity import Diversity, diversity
from pluristats.select.pool import measure
from pluristats.select.target import Axis, Target
from pluristats.study.check import CheckReport
from pluristats.values.candidates import Candidates
from pluristats.values.filter import Filtered
from pluristats.values.thresholds import Thresholds
from tests.display.test_shown import Page
from tests.display.test_text import hostile
from tests.features.builders import random_leaves
from tests.topics.models import by_hand

ELEMENTS = {"section", "h4", "p", "strong", "table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td", "br"}
NOTHING = Thresholds(0.0)


def run(endpoint: str, reason: str, simulated: int) -> Run:
    """A run of six requests; what a model and an endpoint said is other people's text."""
    counts = Counts(
        Counter(completed=3, refused=1, failed=1),
        reused=2,
        sent=4,
        failures=Counter({reason: 1}),
        versions=Counter({("m", reason, None): 3}),
        simulated=simulated,
    )
    return Run(None, endpoint, list("abcdef"), None, counts, 1)  # type: ignore[arg-type]  # not read to be shown


def tree(text: str, simulated: bool) -> Tree:
    effects = (Effect(text, text, text, None),)
    return Tree((Stakeholder(text, (Action(text, effects), Action(text, ()))),), text, text, simulated)


def items(text: str, simulated: bool) -> pd.DataFrame:
    row = {"prompt": text, "vrd": "Value", "text": text, "relevance": 0.5, "simulated": simulated}
    return pd.DataFrame([row], dtype=object).astype({"simulated": bool})


def written(name: str, text: str, simulated: bool = True) -> Any:
    """A record whose every text is this one."""
    two = pd.DataFrame({"text": pd.Series([text, text], dtype=object)})
    match name:
        case "Run":
            return run(text, text, 3 * simulated)
        case "Tree":
            return tree(text, simulated)
        case "TopicModel":
            model = replace(by_hand(simulated=simulated), names=(text, text), notes=(text,))
            return replace(model, embedding={"name": text})
        case "Diversity":
            one = pd.Series([text], dtype=object)
            pairs = pd.DataFrame({"first": one, "second": one, "similarity": 1.0})
            return Diversity(2, 1, 2, 1.0, pairs, 0.9, simulated)
        case "Filtered":
            dropped = items(text, simulated).assign(reason="relevance")
            return Filtered(items(text, simulated), dropped, NOTHING, 1)
        case "Candidates":
            prompts = pd.DataFrame({"prompt": pd.Series([text], dtype=object), "items": 1, "repeated": 0})
            prompts = prompts.assign(unparsed=0, truncated=False, simulated=simulated)
            return Candidates(items(text, simulated), prompts, two)
        case "CheckReport":
            rows = [("name", text), ("simulated", "yes" if simulated else "no")]
            return CheckReport(text, (), pd.DataFrame(rows, columns=["item", "value"], dtype=object))
        case "Behaviour":
            rows = np.array([[0, 1, -1]])
            return Behaviour((text,), {text: rows}, 0, rows, text, simulated)
        case "CheckReport of broken files":
            return CheckReport(text, (Problem(text, text),), pd.DataFrame(columns=["item", "value"]))
        case "Seeds":
            return Seeds(two, text, two)
        case "Target":
            return Target(text, (Axis(text, column=text or "c", shares=((text, 1.0),)),), text)
        case "Profile":
            return replace(load_profile("neutral"), name=text, source=text)
        case "Estimate":
            return Estimate(9, 8, 1, 0, 7, 70, 30, None, None, 1.0, text)
    raise AssertionError(name)


MARKED = ["Run", "Tree", "TopicModel", "Diversity", "Filtered", "Candidates", "CheckReport", "Behaviour"]
UNMARKED = ["CheckReport of broken files", "Seeds", "Target", "Profile", "Estimate"]


@pytest.mark.parametrize("name", [*MARKED, *UNMARKED])
@given(hostile)
@settings(max_examples=25, deadline=None)
def test_hostile_text_in_every_field(name, text):
    record = written(name, text)
    assert isinstance(record, Displayed)
    page = Page(record._repr_html_())
    assert {tag for tag, _ in page.elements} <= ELEMENTS
    assert printable(text)[:150] in "".join(page.texts)
    assert record._repr_markdown_().count("<") == record._repr_markdown_().count("<br")
    said = repr(record)
    assert len(said.splitlines()) == 1 and printable(said) == said


@pytest.mark.parametrize("name", MARKED)
def test_what_is_simulated_says_so_and_nothing_else_does(name):
    for simulated in (True, False):
        record = written(name, "x", simulated)
        for said in (record._repr_html_(), record._repr_markdown_(), repr(record)):
            assert ("SIMULATED" in said) is simulated


@pytest.fixture(scope="module")
def study() -> ps.Study:
    return ps.simulate_study(n_annotators=12, n_prompts=20, seed=4)


@pytest.fixture(scope="module")
def found(study) -> dict[str, Any]:
    """Results of simulated data, as a notebook has them."""
    leaves = random_leaves(12, 8, seed=1)
    leaves = replace(leaves, simulated=np.ones(len(leaves.ids), dtype=bool))
    labels = np.linspace(0.1, 0.9, 12)
    pool = ps.simulate_pool(n_seeds=20, seed=1)
    behaviour = MODELS["rl4"].simulate(n_agents=3, n_trials=5, seed=0)
    formula = "rating ~ Age + (1|annotator) + (1|prompt)"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PluristatsWarning)
        return {
            "Alpha": disagreement.krippendorff_alpha(study),
            "Correlation": disagreement.spearman_level(study),
            "CrossValidatedR2": ps.cross_validated_r2(formula, study, n_folds=3),
            "R2": ps.lmer(formula, study).r2(),
            "Diversity": diversity(pool.iloc[:6]),
            "Bound": ps.evaluate_selection(pool, range(10), bound=True).bound,
            "Pool": measure(pool, ps.load_target()),
            "Leaves": leaves,
            "ProfileFit": fit_profile(leaves, labels, n_starts=1),
            "ProfileFits": fit_profiles(leaves, labels, ["a", "b"] * 6, n_starts=1),
            "RatingOrder": in_order(study),
            "Comparison": ps.fit_ratings(study, draws=2).comparison,
            "Truth": study.truth,
            "Simulated": behaviour,
            "Behaviour": behaviour_of(behaviour.table(), MODELS["rl4"]),
        }


NAMES = [
    *("Alpha", "Correlation", "CrossValidatedR2", "R2", "Diversity", "Bound", "Pool", "Leaves", "ProfileFit"),
    *("ProfileFits", "RatingOrder", "Comparison", "Truth", "Simulated", "Behaviour"),
]


@pytest.mark.parametrize("name", NAMES)
def test_a_result_of_simulated_data_says_so_and_is_accessible(name, found):
    record = found[name]
    assert isinstance(record, Displayed) and type(record).__name__ == name
    page = Page(record._repr_html_())
    assert {tag for tag, _ in page.elements} <= ELEMENTS
    assert page.count("table") == page.count("caption") > 0
    assert all(attributes.get("scope") for tag, attributes in page.elements if tag == "th")
    for said in ("".join(page.texts), record._repr_markdown_()):
        assert "SIMULATED DATA" in said
    said = repr(record)
    assert "simulated" in said.lower() and len(said.splitlines()) == 1 and len(said) < 250


def test_numbers_shown_are_those_of_the_records(found):
    def cells(name: str) -> list[str]:
        return [text.replace("−", "-") for text in Page(found[name]._repr_html_()).texts]

    assert f"{found['Alpha'].value:.3f}" in cells("Alpha")
    assert f"{found['R2'].conditional:.3f}" in cells("R2")
    folds = cells("CrossValidatedR2")
    assert f"Cross-validated R²: {found['CrossValidatedR2'].estimate:.4f}".replace("−", "-") in folds
    assert sum(text in ("1", "2", "3") for text in folds) >= 3
    weights = found["ProfileFit"].tidy()
    assert set(weights["term"]) <= set(cells("ProfileFit"))


def test_a_run_counts_every_request_once():
    table = run("e", "r", 0)._shown().tables[0][1]
    assert dict(zip(table["outcome"], table["requests"], strict=True)) == {
        **{"completed": 3, "refused": 1, "failed": 1},
        "not asked": 1,
    }
    assert repr(run("e", "r", 0)) == "<Run: 6 requests, 3 completed, 1 refused, 1 failed, 1 not asked>"


def test_real_data_carry_no_mark(study):
    matrix = disagreement.rating_matrix(study)
    assert not disagreement.krippendorff_alpha(matrix).simulated
    assert "SIMULATED" not in disagreement.krippendorff_alpha(matrix)._repr_html_()
    real = ps.simulate_pool(n_seeds=5, seed=1).drop(columns="simulated")
    assert "SIMULATED" not in diversity(real.iloc[:4])._repr_html_()


def test_arrays_are_not_poured_out(study):
    split = ps.draw_splits(study, "new-prompts", 1)[0]
    assert repr(split) == "<Split 0 (new-prompts): 7 test prompts of everybody, seed 0>"
    own = ps.draw_splits(study, "known-prompts", 1)[0]
    assert repr(own).startswith("<Split 0 (known-prompts): ") and "of each of 12 annotators" in repr(own)
    frame = study.frame()
    columns = frame[list(study.groups["effects"])].to_numpy()
    path = choose_columns(columns, frame["rating"].to_numpy(), frame, ps.LassoRule()).path
    assert repr(path).startswith(f"<LassoPath: 7 columns, 100 λ from {path.lambdas[0]:.4g} to ")
    model = MODELS["rl4"]
    assert repr(model) == f"<Model 'rl4' (version 1): {model.description}>"
    assert [p.name in model._repr_html_() for p in model.parameters] == [True] * 4
    fit = ps.lmer("rating ~ Age + (1|annotator)", study)
    size = f"{fit.nobs} rows of {len(study.frame())}"
    assert repr(fit.design) == f"<Design of {fit.formula!r}: {size}, 2 columns, 1 factors>"
    assert repr(fit.result).startswith("<EngineFit by native, REML: 2 coefficients, log-likelihood -")
    behaviour = model.simulate(n_agents=3, n_trials=5, seed=0)
    assert repr(behaviour.sequences) == "<Sequences: " + ", ".join(behaviour.sequences.input_names) + (
        " of 3 agents over 5 trials>"
    )


def test_a_checked_folder_shows_what_is_wrong(tmp_path: Path):
    report = ps.check_study(tmp_path / "nowhere")
    assert not report.ok and "SIMULATED" not in report._repr_html_()
    assert report.problems[0].what[:40] in "".join(Page(report._repr_html_()).texts)
