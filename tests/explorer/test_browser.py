"""The explorer as people use it: in JupyterLab, in a real Chromium, by keyboard, with hostile text in every field."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser import page
from tests.explorer.lab import lab, notebook, open_explorer

pytest.importorskip("jupyterlab")
pytestmark = pytest.mark.slow

FIT = """
import warnings; warnings.simplefilter("ignore")
import pluristats as ps
study = ps.simulate_study(n_annotators=16, n_prompts=40, seed=3, n_features=4, n_traits=3, n_interactions=2)
fit = ps.lmer("rating ~ actions + Gender + Gender:action_Privacy + (1|annotator) + (1|prompt)", study)
fit.explore(study)
"""
LADDER = """
import warnings; warnings.simplefilter("ignore")
import pluristats as ps
study = ps.simulate_study(n_annotators=16, n_prompts=40, seed=3, n_features=4, n_traits=3, n_interactions=2)
ps.bic_ladder(study, "mixed").explore(study, model="3")
"""
LASSO = """
import warnings; warnings.simplefilter("ignore")
import pluristats as ps
study = ps.simulate_study(n_annotators=16, n_prompts=40, seed=3, n_features=4, n_traits=3, n_interactions=2)
ps.rq1(study, validate=False).explore(study)
"""
HOSTILE = """
import warnings; warnings.simplefilter("ignore")
import numpy as np, pandas as pd, pluristats as ps
bad = "<img src=x onerror='window.hacked=1'>\\"</script><b>&amp;\\x00\\x1b" + "long " * 400
frame = ps.simulate_study(n_annotators=8, n_prompts=12, seed=3).frame()[["rating", "annotator", "prompt", "Gender"]]
frame = frame.rename(columns={"Gender": "<img src=x onerror=window.hacked=2>"})
frame = frame.astype({"prompt": str, "annotator": str})
frame["prompt"], frame["annotator"] = frame["prompt"] + bad, frame["annotator"] + bad
class Table:
    name, checksum, simulated = bad, "0" * 64, True
    groups = {bad + "\\ud800": ("<img src=x onerror=window.hacked=2>",)}
    labels = {"<img src=x onerror=window.hacked=2>": bad + "\\ud800\\u202e"}
    prompts = pd.DataFrame({"prompt": frame["prompt"].unique(), "text": bad + "\\ud800"})
    def frame(self): return frame
study = Table()
fit = ps.lmer("rating ~ `<img src=x onerror=window.hacked=2>` + (1|annotator) + (1|prompt)", study)
fit.explore(study)
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("lab")
    notebook(folder / "fit.ipynb", FIT)
    notebook(folder / "ladder.ipynb", LADDER)
    notebook(folder / "lasso.ipynb", LASSO)
    notebook(folder / "hostile.ipynb", HOSTILE)
    with lab(folder) as where:
        yield where


def listen(p: Any) -> list[str]:
    """Errors of the page that have to do with us, as they come."""
    found: list[str] = []
    p.on("pageerror", lambda error: found.append(str(error)))
    p.on("console", lambda m: found.append(m.text) if m.type == "error" and "ps-" in m.text + str(m.location) else None)
    return found


def shown(box: Any) -> list[str]:
    """Names of the rows, once all stand that the status counts: they are drawn in steps."""
    rows = box.locator(".ps-scroll tbody tr")
    for _ in range(100):
        if rows.count() == int(box.locator(".ps-status").text_content().split(" of ")[0].split()[-1]):
            break
        box.page.wait_for_timeout(50)
    return box.locator(".ps-scroll tbody tr .ps-pick").all_text_contents()


def estimates(box: Any) -> list[str]:
    return box.locator(".ps-scroll tbody tr td:nth-child(3)").all_text_contents()


def test_a_person_explores(address: str, tmp_path: Path) -> None:
    with page() as p:
        errors = listen(p)
        box = open_explorer(p, address, "fit.ipynb")
        status = box.locator(".ps-status")
        every = shown(box)
        n = len(every)
        assert n == 18 and "SIMULATED" in box.locator(".ps-strong").text_content()

        # Search, by keyboard; the keys do not reach the notebook.
        box.get_by_label("Search").focus()
        p.keyboard.type("privacy")
        assert shown(box) == [name for name in every if "rivacy" in name] != []
        assert status.text_content() == f"{len(shown(box))} of {n} coefficients shown."
        box.get_by_label("Search").fill("")

        # Groups, size and intervals.
        box.locator(".ps-groups").get_by_label("actions", exact=True).uncheck()
        assert len(shown(box)) == 3
        box.locator(".ps-groups").get_by_label("actions", exact=True).check()
        box.get_by_label("Interval excludes 0").check()
        clear = box.locator(".ps-scroll tbody tr").count()
        assert clear == box.locator(".ps-mark:not(.ps-open)").count() < n
        box.get_by_label("Interval excludes 0").uncheck()
        box.get_by_label("Least |estimate|").fill("0.2")
        assert all(abs(float(x.replace("−", "-"))) >= 0.2 for x in estimates(box))
        box.get_by_label("Least |estimate|").fill("")

        # Sort by keyboard.
        head = box.get_by_role("button", name="Estimate")
        head.focus()
        p.keyboard.press("Enter")
        values = [float(x.replace("−", "-")) for x in estimates(box)]
        assert values == sorted(values, reverse=True) and len(values) == n
        assert box.locator("th.ps-estimate").get_attribute("aria-sort") == "descending"
        p.keyboard.press("Space")
        assert box.locator("th.ps-estimate").get_attribute("aria-sort") == "ascending"
        p.keyboard.press("Enter")
        assert shown(box) == every

        # Refit: numbers change, the former ones stay as rings.
        before = estimates(box)
        assert box.locator(".ps-before").count() == 0
        box.get_by_label("Random part").select_option(label="none")
        box.locator(".ps-status", has_text="Refitted").wait_for()
        assert box.locator(".ps-before").count() == n and estimates(box) != before
        assert "Least squares" in box.locator(".ps-line").text_content()

        # What carries a coefficient, by keyboard, and back.
        pick = box.get_by_role("button", name="Gender", exact=True)
        pick.focus()
        p.keyboard.press("Enter")
        box.locator(".ps-detail h4").wait_for()
        assert box.locator(".ps-detail tbody").count() == 2
        assert box.locator(".ps-detail tbody tr").count() == 20
        assert "Simulated prompt" in box.locator(".ps-detail .ps-text").first.text_content()
        box.get_by_role("button", name="Close").press("Enter")
        assert p.evaluate("document.activeElement.textContent") == "Gender"

        # A partial effect, with words for those who do not see it.
        box.get_by_label("Partial effect of an interaction").select_option(index=1)
        plot = box.locator(".ps-partial svg[role=img]")
        plot.wait_for()
        assert plot.get_attribute("aria-label").startswith("Predicted rating over Privacy from")
        assert plot.locator("polyline").count() == 2

        # Code and figure of this view.
        box.get_by_label("Search").fill("gender")
        box.get_by_role("button", name="Copy code").click()
        code = box.get_by_label("Code of this view")
        code.wait_for()
        assert "search='gender'" in code.input_value() and "view.refit('none'" in code.input_value()
        with p.expect_download() as saved:
            box.get_by_role("button", name="Download SVG").click()
        saved.value.save_as(tmp_path / "figure.svg")
        text = (tmp_path / "figure.svg").read_text()
        assert text.startswith("<svg") and text.count("<circle") == 4 and "SIMULATED" in text

        # The scale has round numbers, 0 among them.
        marks = box.locator(".ps-axis text").all_text_contents()
        assert "0" in marks and 2 <= len(marks) <= 6

        # Every control has a name.
        unnamed = "els => els.filter(e => !(e.labels && e.labels.length) && !e.ariaLabel).length"
        assert box.locator("input, select, textarea").evaluate_all(unnamed) == 0
        assert errors == []


def test_models_of_a_ladder_are_switched(address: str) -> None:
    with page() as p:
        errors = listen(p)
        box = open_explorer(p, address, "ladder.ipynb")
        model = box.get_by_label("Model of the ladder")
        assert model.locator("option").all_text_contents()[:2] == ["null: 1", "1: traits"]
        before = dict(zip(shown(box), estimates(box), strict=True))
        box.get_by_role("button", name="Social harm").click()
        box.locator(".ps-detail h4", has_text="What carries Social harm").wait_for()
        model.focus()
        p.keyboard.press("ArrowDown")  # Model 4 adds the traits
        box.locator(".ps-status", has_text="Refitted").wait_for()
        after = dict(zip(shown(box), estimates(box), strict=True))
        assert set(before) < set(after) and len(after) - len(before) == 13
        assert box.locator(".ps-before").count() == len(before)
        assert box.locator(".ps-title").text_content().startswith("rating ~ actions + effects + values + traits +")
        # What was chosen stays chosen, and the keyboard where it was.
        box.locator(".ps-detail h4", has_text="What carries Social harm").wait_for()
        assert p.evaluate("document.activeElement.tagName") == "SELECT"
        model.select_option(label="1: traits")
        box.locator(".ps-detail").wait_for(state="hidden")  # Model 1 has no such coefficient
        assert errors == []


def test_the_penalty_is_moved_along_its_path(address: str, tmp_path: Path) -> None:
    with page() as p:
        errors = listen(p)
        box = open_explorer(p, address, "lasso.ipynb")
        slider, said = box.get_by_label("Penalty λ along the path"), box.locator("output")
        # A bar each candidate at every penalty; those at zero stand on the line.
        n = len(shown(box)) - 1
        assert said.text_content().endswith("(chosen)") and box.locator(".ps-penalised").count() == n > 30
        places = "els => els.map(e => e.getAttribute('x'))"
        chosen = box.locator(".ps-penalised").evaluate_all(places)
        assert 1 < len(set(chosen)) < n
        slider.focus()
        p.keyboard.press("Home")  # the largest penalty, under which nothing is left
        largest = box.locator(".ps-penalised").evaluate_all(places)
        assert len(set(largest)) == 1 and largest != chosen
        assert slider.get_attribute("aria-valuetext") == said.text_content() and "chosen" not in said.text_content()
        p.keyboard.press("End")
        assert len(set(box.locator(".ps-penalised").evaluate_all(places))) > len(set(chosen))
        with p.expect_download() as saved:
            box.get_by_role("button", name="Download SVG").click()
        saved.value.save_as(tmp_path / "figure.svg")
        assert (tmp_path / "figure.svg").read_text().count("<rect") == n + 1  # a bar each, and the ground
        assert errors == []


def test_names_estimates_and_forest_fit_on_a_phone(address: str) -> None:
    with page(width=360) as p:
        box = open_explorer(p, address, "ladder.ipynb")
        inside = "e => e.scrollWidth <= e.clientWidth"
        assert box.locator(".ps-scroll").evaluate(inside)
        assert box.locator(".ps-scroll td.ps-forest svg").first.bounding_box()["width"] >= 70
        assert not box.locator("td.ps-p_value").first.is_visible()
        box.locator(".ps-pick").nth(1).click()  # what has no column here stands in the detail
        box.locator(".ps-detail h4").wait_for()
        assert "95% interval −" in box.locator(".ps-detail p").nth(0).text_content()


def test_hostile_text_is_text(address: str) -> None:
    with page(width=360) as p:
        errors = listen(p)
        box = open_explorer(p, address, "hostile.ipynb")
        assert "<img src=x" in box.locator(".ps-pick").nth(1).text_content()
        box.locator(".ps-pick").nth(1).click()
        box.locator(".ps-detail h4").wait_for()
        box.get_by_role("button", name="Copy code").click()
        box.get_by_label("Code of this view").wait_for()
        assert box.locator("img, b, script").count() == 0
        assert "\\x00" in box.locator(".ps-detail tbody th").first.text_content()
        assert p.evaluate("window.hacked") is None
        assert errors == []
