"""A run's page once more from its folder, the list of the paper's figures in it, and its PDF."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pluristats.errors import RunError
from pluristats.report import STAGES, Artifacts, published, render, runfolder, where, write_pdf
from pluristats.report.stages import Stage
from tests.cli.command import InProcess
from tests.markup import Page


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> InProcess:
    return InProcess(monkeypatch, capsys)


def test_a_page_is_rendered_again_as_it_was(finished_run: Any, own_run: Path) -> None:
    before = (own_run / "report.html").read_text("utf-8")
    (own_run / "report.html").unlink()
    assert render(own_run, finished_run.registry) == own_run / "report.html"
    assert (own_run / "report.html").read_text("utf-8") == before
    page = Page(render(own_run).read_text("utf-8"))  # of stages that are not registered any more
    assert page.faults == [] and {"gallery", "first", "second"} <= {s["id"] for s in page.all("section")}


def test_what_is_no_finished_run_is_refused(own_run: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="holds no run of this version"):
        render(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()
    (own_run / "stages/first/tables/counts.csv").write_text("changed\n")
    with pytest.raises(RunError, match=r"stage 'first' in .* is not there as it was made"):
        render(own_run)
    content = json.loads((own_run / "run.json").read_text())
    (own_run / "run.json").write_text(json.dumps(content | {"status": "started"}))
    with pytest.raises(RunError, match="has not finished"):
        render(own_run)


def test_the_command_prints_where_it_is(own_run: Path, command: Any) -> None:
    done = command("report", own_run)
    assert (done.status, done.stdout) == (0, f"{own_run / 'report.html'}\n")


def test_each_of_the_papers_figures_is_somewhere_or_the_reason_is_given(tmp_path: Path) -> None:
    import pandas as pd

    art = Artifacts(runfolder.stage_folder(tmp_path, "study"))
    for name in ("a", "b"):
        art.table(name, pd.DataFrame({"n": [1]}), caption=f"Table {name}", published="levels")
    rows = {row.item.key: row for row in where.rows(tmp_path, [Stage("study", "The study", "x")])}
    assert list(rows) == [item.key for item in published.ITEMS]
    assert [(p.anchor, p.text) for p in rows["levels"].places] == [
        ("study-table-a", "Table a"),
        ("study-table-b", "Table b"),
    ]
    assert rows["disagreement"].missing == "not regenerated from this study"
    assert rows["rq1"].missing == "not in this report: the stage regressions regenerates it"
    assert rows["model-runs"].missing == "not regenerated" and rows["model-runs"].item.remark


def test_the_stages_that_items_name_are_there_and_their_notebooks_name_the_items() -> None:
    from pluristats.report.stages import notebook_path

    stages = {stage.name: stage for stage in STAGES}
    for item in published.ITEMS:
        if item.stage:
            text = notebook_path(stages[item.stage]).read_text("utf-8")
            name = item.key.partition("-")[0] if item.key.startswith(("rq", "composition")) else item.key
            assert re.search(rf"published=.*{'name' if name.startswith('rq') else name}", text), item.key


def test_a_pdf_is_tagged_and_has_bookmarks_alternative_texts_and_the_banner(own_run: Path) -> None:
    pytest.importorskip("weasyprint", reason="needs WeasyPrint: pip install 'pluristats[pdf]'", exc_type=Exception)
    if shutil.which("pdfinfo") is None:
        pytest.skip("needs pdfinfo and pdftotext: apt-get install poppler-utils")
    path = write_pdf(own_run)

    def said(*command: str) -> str:
        return subprocess.run([*command], capture_output=True, text=True, check=True).stdout

    assert "Tagged:          yes" in said("pdfinfo", str(path))
    text = " ".join(said("pdftotext", "-layout", str(path), "-").split())
    assert text.count("Simulated data: these numbers") == 5  # the head and each of four sections
    for part in ("Fixed effects of the prompt features", "Disagreement against mean harm", "c0ffee"):
        assert part in text
    assert re.search(r"1 ?/ ?[45]", text)  # numbers of pages
    assert "Numbers of this figure" not in text and "Skip to the content" not in text
    page = Page((own_run / "report.html").read_text("utf-8"))
    assert page.all("img")[0]["alt"].startswith("Scatter plot")
    structure = said("pdfinfo", "-struct", str(path))
    assert "Figure" in structure and structure.count("H2") == 4 and "Table" in structure


def test_without_weasyprint_one_sentence_says_how_to_get_it(own_run: Path, command: Any, monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    done = command("report", own_run, "--pdf")
    assert done.status == 1
    assert done.stderr == "error: a PDF needs WeasyPrint: pip install 'pluristats[pdf]'\n"
    assert command("reproduce", "--pdf", "--out", own_run.parent / "new").status == 1
    assert not (own_run.parent / "new").exists()  # asked before the long run, not after it
    with pytest.raises(RunError, match=r"has no report\.html"):
        write_pdf(own_run.parent)
