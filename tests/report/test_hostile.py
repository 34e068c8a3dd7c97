"""Hostile text in every field of a report, of its index and of its files, opened in a real Chromium."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from pluristats import plot
from pluristats.display.grid import frame_grid
from pluristats.display.render import markdown
from pluristats.report import Artifacts, runfolder
from pluristats.report.page import write_index, write_report
from pluristats.report.runner import StageRun
from pluristats.report.stages import Stage
from tests.browser import page
from tests.markup import Page
from tests.report import books
from tests.report.test_browser import watched

HOSTILE = (
    "<script>alert('script')</script>",
    '"><img src=x onerror="alert(\'img\')">',
    "'><svg/onload=alert(1)>",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(1)",
    "|a|b|",
    "`code` ``` ~~~",
    "$x^{2$ $$\\frac{1}",
    "{{ 7*7 }}{% raw %}",
    "]]> --> </style></title></textarea>",
    "right \u202e to left",
    "\x00\x07\x1b[31m\x85\u2028",
    "half \ud800 pair",
    "[link](javascript:alert(1)) ![i](x)",
    "\t\r\n",
    "x" * 1_000_000,
)
ALL = " ".join(text for text in HOSTILE if len(text) < 100)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose every field is hostile; nothing of it is computed."""
    run = tmp_path_factory.mktemp("hostile") / "reports" / "a <b> & 'c' #d%41"
    folder = runfolder.stage_folder(run, "study")
    art = Artifacts(folder)
    with pd.option_context("mode.string_storage", "python"):
        frame = pd.DataFrame({ALL: pd.Series(HOSTILE, dtype=object), "n": range(len(HOSTILE))})
        art.table("texts", frame, caption=ALL, regenerates=ALL, published="disagreement")
        rows = pd.DataFrame(
            {"variable": pd.Series(HOSTILE, dtype=object), "category": pd.Series(HOSTILE, dtype=object), "count": 1}
        ).assign(share=0.5)
        text = plot.describe_composition(rows)
        art.figure("labels", plot.composition(rows, what=ALL), caption=ALL, alt=text + ALL, data=rows, regenerates=ALL)
    art.note("warning", ALL)
    shown = [new_output("display_data", {"text/html": html}) for html in art.shown]
    shown += [new_output("stream", text=ALL), new_output("display_data", {"text/html": ALL})]
    shown += [new_output("stream", name="stderr", text=f"x.py:1: UserWarning: {ALL}\n")]
    printable = ALL.encode("utf-8", "backslashreplace").decode()
    cells = [new_markdown_cell(f"# {printable}\n\n## {printable}\n\n{printable}"), new_code_cell(ALL, outputs=shown)]
    book = json.dumps(new_notebook(cells=cells))
    (folder / "notebook.ipynb").write_text(book, encoding="ascii")
    record = runfolder.FinishedStage("study", ALL, {"versions": {ALL: ALL}, "code": ALL}, {ALL: ALL}, ALL, 1.0, {})
    source = replace(books.SIMULATED, name=ALL, checksum=ALL)
    path = write_report(run, source, [Stage("study", ALL, "n")], {"study": StageRun(record, False)}, ALL)
    whole = {"format": runfolder.FORMAT, "name": ALL, "simulated": True, "stages": {ALL: ALL}, "finished": ALL}
    (run / "run.json").write_text(json.dumps(whole))
    write_index(run.parent)
    return path


def test_nothing_hostile_becomes_markup(report: Path) -> None:
    for file in (report, report.parent.parent / "index.html"):
        read = Page(file.read_text("utf-8"))
        assert read.faults == [] and read.loaded == []
        assert not read.all("script") and not read.all("svg")
        assert not [name for _, given in read.elements for name in given if name.startswith("on")]
        assert "<script>alert('script')</script>" in read.text and "7*7" in read.text
        assert not set("\x00\x1b\u202e\u2028") & set(read.text)
    assert report.stat().st_size < 2_000_000  # the long text is cut, also where it stands more than once


def test_chromium_runs_nothing_of_it(report: Path) -> None:
    with page(offline=True) as opened:
        for file in (report, report.parent.parent / "index.html"):
            assert watched(opened, file) == [f"request {file.as_uri()[:100]}"]
            assert opened.evaluate("document.querySelectorAll('script, iframe, object, embed, svg').length") == 0
            assert opened.evaluate("[...document.images].every(i => i.naturalWidth > 0 && !i.onerror)")
        assert opened.evaluate("[...document.querySelectorAll('a[href]')].every(a => a.protocol === 'file:')")


def test_csv_holds_every_text_and_no_formula(report: Path) -> None:
    for name in ("tables/texts.csv", "figures/labels.csv"):
        file = runfolder.stage_folder(report.parent, "study") / name
        head, *rows = pd.read_csv(file, header=None, dtype=str, keep_default_na=False).to_numpy().tolist()
        assert len(rows) == len(HOSTILE) and all(len(row) == len(head) for row in rows)
        assert not [cell for row in [head, *rows] for cell in row if cell[:1] in ("=", "+", "-", "@", "\t", "\r")]
        assert any(cell == "x" * 1_000_000 for row in rows for cell in row)


def test_markdown_of_it_has_no_markup(report: Path) -> None:
    from markdown_it import MarkdownIt

    with pd.option_context("mode.string_storage", "python"):
        texts = [text for text in HOSTILE if len(text) < 100]
        grid = frame_grid(pd.DataFrame({"n": range(len(texts)), ALL: pd.Series(texts, dtype=object)}), ALL, whole=True)
    written = markdown(grid)
    written.encode("utf-8")
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(written)
    read = Page(html)
    assert {tag for tag, _ in read.elements} <= {"p", "strong", "table", "thead", "tbody", "tr", "th", "td"}
    assert len(read.all("tr")) == len(texts) + 1


def test_the_notebook_that_it_came_from_is_one(report: Path) -> None:
    nbformat.read(runfolder.stage_folder(report.parent, "study") / "notebook.ipynb", as_version=4)
