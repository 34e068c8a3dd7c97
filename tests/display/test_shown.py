"""Every result shows itself: real ones of simulated data, and no HTML outside the one place that escapes it."""

from __future__ import annotations

import ast
import warnings
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

import pluristats as ps
from pluristats.analysis import disagreement
from pluristats.display import Displayed, Shown
from pluristats.display.text import one_line, printable
from pluristats.errors import PluristatsWarning
from pluristats.extract import FeatureTable
from pluristats.generate.checks import check_variants
from pluristats.generate.variants import Variants
from pluristats.latent.ratings import OrderNull, PredictiveCheck
from tests.conftest import ROOT
from tests.display.test_text import hostile


class Page(HTMLParser):
    """Elements, texts, and how many tables have a caption and header cells a scope."""

    def __init__(self, source: str):
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(source)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)


@pytest.fixture(scope="module")
def study() -> ps.Study:
    return ps.simulate_study(n_annotators=16, n_prompts=24, seed=2)


@pytest.fixture(scope="module")
def penalised(study):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PluristatsWarning)
        return ps.lasso_lmer("rating ~ effects + (1|annotator) + (1|prompt)", study, penalty=0.05)


VARIANTS = pd.DataFrame(
    {
        "seed": ["a", "a"],
        "level": [0.1, 0.2],
        "text": ["<script>alert(1)</script>", "=1+2 and more words"],
        "status": ["ok", "ok"],
        "reason": ["", ""],
        "seed_text": ["one", "one"],
        "simulated": [True, True],
        "finish_reason": ["stop", "stop"],
    }
)


def made(name: str, study: ps.Study, penalised) -> object:
    formula = "rating ~ Age + (1|annotator) + (1|prompt)"
    match name:
        case "LmerFit":
            return ps.lmer(formula, study)
        case "OrderedBetaFit":
            return ps.ordered_beta(formula.replace("rating", "rating_raw", 1), study)
        case "LassoSelection":
            return ps.lasso_select("rating ~ effects + (1|annotator)", study)
        case "least squares":
            return ps.lasso_select("rating ~ effects", study)
        case "LassoLmer":
            return penalised
        case "Split":
            return penalised.split(seed=3)
        case "Debiased":
            return penalised.debiased()
        case "Stability":
            return penalised.stability(2, theta="fitted")
        case "Bootstrap":
            return ps.lmer(formula, study).bootstrap(3, seed=1)
        case "Influence":
            return ps.lmer(formula, study).influence("annotator")
        case "Diagnostics":
            return ps.lmer(formula, study).diagnostics()
        case "VarianceShares":
            return disagreement.variance_shares(study)
        case "HarmLevels":
            return disagreement.by_harm_level(study, resamples=50, permutations=99)
        case "Unsure":
            return disagreement.unsure(study)
        case "Question":
            return ps.rq1(study, validate=False)
        case "Ladder":
            return ps.bic_ladder(study, "mixed", random="(1|annotator)")
        case "Evaluation":
            return ps.evaluate(study, ["annotator-mean", "constant-0.5"], splits=1)
        case "Selection":
            pool = ps.simulate_pool(n_seeds=20, seed=1)
            return ps.evaluate_selection(pool, range(10))
        case "Moderation":
            table = pd.DataFrame({"text": list("abcd"), "label": [1, 0, 1, 0], "score": [0.9, 0.2, 0.6, 0.7]})
            return ps.moderate(table.assign(simulated=True), "score")
        case "FeatureTable":
            table = VARIANTS[["seed", "level", "text", "simulated"]].rename(columns={"seed": "prompt"})
            return FeatureTable(table, pd.DataFrame({"prompt": [], "reason": []}))
        case "Variants":
            return Variants(VARIANTS, None)  # type: ignore[arg-type]  # only its counts look at the run
        case "OrderEffects":
            return ps.order_effects(study, permutations=20)
        case "RatingFit":
            return ps.fit_ratings(study, draws=2)
        case "OrderNull":
            gains = np.array([3.0, 0.1])
            return OrderNull(
                "rating-drift",
                "simulated",
                ("a", "b"),
                gains,
                np.array([[0.0, 1.0], [2.0, 0.5]]),
                seed=0,
                simulated=True,
            )
        case "PredictiveCheck":
            return PredictiveCheck("rating-drift", np.zeros(9), np.ones((5, 9)), seed=0, simulated=True)
        case "Checks":
            return check_variants(VARIANTS)
    raise AssertionError(name)


NAMES = [
    "LmerFit",
    "OrderEffects",
    "RatingFit",
    "OrderNull",
    "PredictiveCheck",
    "OrderedBetaFit",
    "LassoSelection",
    "least squares",
    "LassoLmer",
    "Split",
    "Debiased",
    "Stability",
    "Bootstrap",
    "Influence",
    "Diagnostics",
    "VarianceShares",
    "HarmLevels",
    "Unsure",
    "Question",
    "Ladder",
    "Evaluation",
    "Selection",
    "Moderation",
    "FeatureTable",
    "Variants",
    "Checks",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_result_of_simulated_data_says_so_and_is_accessible(name, study, penalised):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PluristatsWarning)
        result = made(name, study, penalised)
        html, markdown = result._repr_html_(), result._repr_markdown_()
    assert isinstance(result, Displayed)
    page = Page(html)
    assert "SIMULATED DATA" in "".join(page.texts)
    assert "SIMULATED DATA" in markdown
    allowed = {"section", "h4", "p", "strong", "table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td", "br"}
    assert {tag for tag, _ in page.elements} <= allowed
    assert page.count("table") == page.count("caption") > 0
    assert all(attributes.get("scope") for tag, attributes in page.elements if tag == "th")
    assert "<script" not in markdown


def test_numbers_shown_are_those_of_the_tables(study):
    fit = ps.ordered_beta("rating_raw ~ Age + (1|annotator)", study)
    cells = Page(fit._repr_html_()).texts
    estimates = fit.tidy()["estimate"].tolist()
    digits = max(0, 2 - int(np.floor(np.log10(np.median(np.abs(estimates))))))
    for estimate in estimates:
        assert f"{estimate:.{min(4, digits)}f}".replace("-", "−") in cells


@given(hostile, hostile)
@settings(max_examples=60, deadline=None)
def test_hostile_text_in_every_field(text, other):
    frame = pd.DataFrame({"what": pd.Series([text], dtype=object), "more": pd.Series([other], dtype=object)})
    shown = Shown(text, True, (other,), (text,), ((other, frame),), (text,), (Shown(lines=(other,)),))
    page = Page(shown.html())
    assert {tag for tag, _ in page.elements} <= {
        *("section", "h4", "p", "strong", "table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td")
    }
    said = "".join(page.texts)
    for each in (text, other):
        assert printable(each)[:200] in said
    assert "SIMULATED DATA" in shown.markdown()
    assert one_line(shown.markdown()).count("<") == 0


def test_no_class_writes_its_own_html():
    """But for the record itself, the table of models, a study's one line and the report."""
    allowed = {"display/shown.py", "analysis/etable/table.py", "study/study.py"}
    package = ROOT / "pluristats"
    found = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(Path(path).read_text()))
        if (isinstance(node, ast.FunctionDef) and node.name == "_repr_html_")
        or (isinstance(node, ast.Attribute) and node.attr == "to_html")
    }
    assert found == allowed
