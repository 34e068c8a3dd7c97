"""The page of a comparison: what it says, that nothing in it acts, and in a real Chromium no barrier."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from pluristats.errors import RunError
from pluristats.report.difference import Change, Made, RunDifference
from pluristats.report.diffpage import MOST
from pluristats.report.tablediff import Tolerance
from tests.browser import page
from tests.markup import Page
from tests.report.test_browser import LOOKS, axe, barriers, watched

__all__ = ["axe"]  # a fixture
HOSTILE = "</td><script>alert(1)</script>\u202e\ud800\x00 \"' &amp; $x$"
CHANGES = (
    Change("cell", "rq1", "tables/tidy.csv", "Age", "estimate", "0.25", "-0.5", -0.75),
    Change("cell", "rq1", "tables/tidy.csv", "Age", "stars", "", "*"),
    Change("cell", "rq1", "tables/tidy.csv", "Income", "estimate", "0.125", "", float("nan")),
    Change("row", "rq1", "tables/tidy.csv", "Gender", before="there"),
    Change("row", "rq1", "tables/tidy.csv", "Race", after="there"),
    Change("column", "rq1", "tables/tidy.csv", column="p_value", before="there"),
    Change("note", "rq1", after="result: The fit is singular."),
    Change("table", "rq2", "tables/new.csv", after="there"),
    Change("file", "rq2", "tables/model.json", before="ab", after="cd"),
    Change("stage", "rq3", before="there"),
)


def difference(changes: tuple[Change, ...] = CHANGES, simulated: bool = True, **parts: Any) -> RunDifference:
    made = (Made("seed", 1, 2), Made("version of numpy", None, "2.3"))
    settings = {"before": Path("reports/old"), "after": Path("reports/new"), "made": made} | parts
    return RunDifference(
        changes=changes,
        tables=3,
        cells=40,
        tolerance=Tolerance(),
        ignored=("seconds",),
        simulated=simulated,
        **settings,
    )


def hostile() -> RunDifference:
    """Every text from a run is hostile."""
    x = HOSTILE
    kinds = ("cell", "row", "column", "note", "table", "file", "stage")
    changes = tuple(Change(kind, x, x, x, x, x, x) for kind in kinds)  # type: ignore[arg-type]
    folders = {"before": Path(x.replace("/", "").replace("\x00", "")), "after": Path("b")}
    return difference(changes, made=(Made(x, x, {x: x}),), **folders)


def written(found: RunDifference, tmp_path: Path) -> tuple[Path, Page]:
    path = found.write_html(tmp_path / "diff.html")
    return path, Page(path.read_text("utf-8"))


def cells(path: Path) -> list[list[list[str]]]:
    """Texts of each table's cells, row by row."""
    tables = re.findall(r"<table.*?</table>", path.read_text("utf-8"), re.S)
    rows = [re.findall(r"<tr>(.*?)</tr>", table, re.S) for table in tables]
    return [[re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S) for row in table] for table in rows]


def test_every_change_is_said_in_words(tmp_path):
    path, read = written(difference(), tmp_path)
    assert read.faults == []
    made, changed = cells(path)
    assert made == [["what", "before", "after"], ["seed", "1", "2"], ["version of numpy", "nothing", "2.3"]]
    assert changed == [
        ["row", "in which run", "estimate", "stars"],
        ["Age", "both", "0.25<br>→ -0.5<br>(−0.75)", "nothing<br>→ *"],
        ["Income", "both", "0.125<br>→ nothing", "same"],
        ["Gender", "only before", "", ""],
        ["Race", "only after", "", ""],
    ]
    for said in (
        "Column p_value: only before.",
        "Only after: result: The fit is singular.",
        "The table is there only after.",
        "Its bytes differ.",
        "The stage is there only before.",
        "3 of 40 cells differ, in 1 of 3 tables; 7 other differences.",
        "40 cells of 3 tables",
        "columns seconds",
    ):
        assert said in read.text


def test_it_is_one_file_in_the_reports_style(tmp_path):
    path, read = written(difference(), tmp_path)
    assert read.loaded == []
    (policy,) = [meta["content"] for meta in read.all("meta") if "http-equiv" in meta]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'") and "script" not in policy
    style = re.search(r"<style>(.*?)</style>", path.read_text("utf-8"), re.S)
    sheet = Path(__file__).parents[2] / "pluristats/report/templates/style.css"
    assert style is not None and style[1].strip() == sheet.read_text("utf-8").strip()
    ids = [attributes["id"] for _, attributes in read.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {link["href"][1:] for link in read.all("a")} <= set(ids)


def test_the_mark_of_simulated_data(tmp_path):
    _, read = written(difference(), tmp_path)
    assert read.text.count("Simulated data:") == 1 + len(read.all("section"))
    _, real = written(difference(simulated=False), tmp_path)
    assert "imulated" not in real.text


def test_hostile_text_is_text(tmp_path):
    path, read = written(hostile(), tmp_path)
    assert read.faults == [] and read.loaded == []
    assert "script" not in {tag for tag, _ in read.elements}
    assert read.text.count("<script>alert(1)</script>") > 10
    assert not set("\u202e\x00") & set(path.read_text("utf-8"))
    assert all("<" not in attributes.get("id", "") for _, attributes in read.elements)


def test_long_tables_and_texts_are_cut_and_say_so(tmp_path):
    rows = tuple(Change("cell", "s", "t.csv", f"r{i}", "x", "1" * 9_999, "2") for i in range(MOST + 50))
    notes = tuple(Change("note", "s", before=f"n: {i}") for i in range(MOST + 7))
    path, read = written(difference(rows + notes), tmp_path)
    assert len(cells(path)[1]) == 1 + MOST + 1
    assert f"{MOST} of {MOST + 50} changed rows; pluristats diff --json lists every change." in read.text
    assert "… and 7 more; pluristats diff --json lists every one." in read.text
    assert path.stat().st_size < 200_000


def test_no_difference(tmp_path):
    _, read = written(difference((), made=()), tmp_path)
    assert "No difference in 40 cells of 3 tables." in read.text and "In nothing that the runs record." in read.text


def test_what_is_not_ours_is_left_alone(tmp_path):
    found = difference()
    path = found.write_html(tmp_path / "diff.html")
    assert found.write_html(path) == path  # an earlier page is replaced
    other = tmp_path / "thesis.html"
    other.write_text("<p>mine</p>")
    for there in (other, tmp_path):
        with pytest.raises(RunError, match="is there and is no comparison of runs"):
            found.write_html(there)
    assert other.read_text() == "<p>mine</p>"
    with pytest.raises(RunError, match=r"nowhere/diff.html cannot be written \(No such file or directory\)"):
        found.write_html(tmp_path / "nowhere" / "diff.html")


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_no_serious_barrier(tmp_path: Path, axe: str, look: str) -> None:
    with page(offline=True, **LOOKS[look]) as opened:
        for found in (difference(), hostile()):
            opened.goto(found.write_html(tmp_path / "diff.html").as_uri())
            assert barriers(opened, axe) == []
            wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert opened.evaluate(wide) <= 0


def test_nothing_acts_and_nothing_is_requested(tmp_path: Path) -> None:
    file = hostile().write_html(tmp_path / "diff.html")
    with page(offline=True) as opened:
        assert watched(opened, file) == [f"request {file.as_uri()[:100]}"]
