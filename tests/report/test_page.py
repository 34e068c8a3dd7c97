from __future__ import annotations

import json
import re
from dataclasses import replace
from urllib.parse import unquote

import nbformat
import pytest

from pluristats.report import runfolder
from pluristats.report.page import duration, write_index, write_report
from pluristats.report.runner import StageRun
from pluristats.report.stages import Stage
from tests.markup import Page
from tests.report import books

STARTED = "2026-01-31T12:00:00Z"


@pytest.fixture
def page(finished_run) -> Page:
    return Page((finished_run.run / "report.html").read_text("utf-8"))


def render(run, source, results, stages) -> Page:
    return Page(write_report(run, source, stages, results, STARTED).read_text("utf-8"))


def test_page_is_well_formed_and_loads_nothing(page, finished_run):
    assert page.faults == []
    assert page.loaded == []
    style = re.search(r"<style>(.*?)</style>", (finished_run.run / "report.html").read_text("utf-8"), re.S)
    assert style is not None
    assert "url(" not in style[1] and "@import" not in style[1]
    (policy,) = [meta["content"] for meta in page.all("meta") if "http-equiv" in meta]
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "script" not in policy


def test_ids_are_unique_and_every_link_leads_somewhere(page, finished_run):
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for link in page.all("a"):
        href = link["href"]
        if href.startswith("#"):
            assert href[1:] in ids
        elif not href.startswith("https://"):
            assert (finished_run.run / unquote(href)).is_file()


def test_sections_contents_and_banners(page, finished_run):
    sections = [attributes["id"] for attributes in page.all("section")]
    assert sections == ["gallery", "first", "second", "provenance"]
    assert page.text.count("Simulated data:") == 1 + len(sections)  # the head and every section
    for heading in ("Gallery of everything", "A table", "First things", "Counting", "Provenance"):
        assert page.text.count(heading) >= 2  # in the contents and in its place
    assert "Mixed-model" in page.text


def test_provenance_names_data_versions_and_parameters(page, finished_run):
    for text in ("c0ffee", "numpy", "scale = 1", finished_run.record.stages[1].identity[:12], "python"):
        assert text in page.text
    assert str(finished_run.books) not in page.text  # no path of this machine


def test_tables_and_figures_are_readable_by_machines(page):
    assert all("scope" in th for th in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table")) - 1  # the plain DataFrame has none
    (figure,) = page.all("img")
    assert figure["alt"].startswith("Scatter plot: ")
    assert page.text.count("p149") == 1  # the figure's numbers are there, to the last point
    assert "Singular fit warning" in page.text
    assert "ipykernel" not in page.text


def test_real_data_carry_no_banner_and_hostile_names_are_text(finished_run, own_run):
    source = replace(books.SIMULATED, simulated=False, name="<script>x</script>\u202e", checksum='"><b>')
    stages = finished_run.registry[1:2]
    results = {"first": StageRun(runfolder.finished(own_run, "first"), reused=True)}
    page = render(own_run, source, results, stages)
    assert page.faults == []
    assert "Simulated data" not in page.text
    assert page.all("script") == []
    assert "<script>x</script>\\u202e" in page.text
    assert "reused" in page.text


def test_simulated_files_are_called_simulated_without_claiming_this_runs_seed(finished_run, own_run):
    results = {"first": StageRun(runfolder.finished(own_run, "first"), reused=True)}
    page = render(own_run, replace(books.SIMULATED, data="/some/files"), results, finished_run.registry[1:2])
    assert page.text.count("Simulated data: these numbers come from a simulated study, not from") == 3
    assert "/some/files" not in page.text


def test_hostile_outputs_do_not_get_out_of_their_section(finished_run, own_run):
    path = own_run / "stages/first/notebook.ipynb"
    notebook = nbformat.read(path, as_version=4)
    html = "</section></main></div><script src='https://evil.example/x.js'></script><img src='https://evil.example/p'>"
    notebook.cells[-1].outputs.append(nbformat.v4.new_output("display_data", {"text/html": html}))
    notebook.cells[-1].outputs.append(nbformat.v4.new_output("stream", text="</pre><script>1</script>"))
    nbformat.write(notebook, path)
    (old,) = [runfolder.FinishedStage(**json.loads((own_run / "stages/first/stage.json").read_text()))]
    page = render(own_run, books.SIMULATED, {"first": StageRun(old, False)}, finished_run.registry[1:2])
    assert page.faults == []
    assert page.loaded == []
    assert "</pre><script>1</script>" in page.text


def test_index_lists_finished_runs_newest_first(tmp_path):
    def run(name, /, **content):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(json.dumps(content))

    whole = {"format": runfolder.FORMAT, "name": "S <b>", "simulated": True, "stages": {"study": "1"}}
    run("older", **whole, finished="2026-01-01T00:00:00Z")
    run("new & <odd> name?", **whole, finished="2026-02-01T00:00:00Z")
    run("unfinished", format=runfolder.FORMAT, status="started")
    run("foreign", name="x", finished="2026-02-01T00:00:00Z")
    page = Page(write_index(tmp_path).read_text("utf-8"))
    assert page.faults == []
    assert [unquote(a["href"]) for a in page.all("a")] == ["new & <odd> name?/report.html", "older/report.html"]
    assert "%3F" in page.all("a")[0]["href"]
    assert page.text.count("simulated") == 2
    assert write_index(tmp_path) is not None  # ours may be replaced

    (tmp_path / "index.html").write_text("<html>my own page</html>")
    assert write_index(tmp_path) is None
    assert (tmp_path / "index.html").read_text() == "<html>my own page</html>"


def test_a_real_run_is_in_the_index_beside_it(finished_run):
    text = (finished_run.run.parent / "index.html").read_text("utf-8")
    assert 'href="example/report.html"' in text


@pytest.mark.parametrize(
    ("seconds", "text"), [(8.24, "8.2 s"), (59.9, "59.9 s"), (185, "3 min 5 s"), (60, "1 min 0 s")]
)
def test_duration(seconds, text):
    assert duration(seconds) == text


def test_a_stage_without_cells_is_still_a_section(own_run):
    stage = Stage("first", "Only a title", "first.ipynb")
    nbformat.write(nbformat.v4.new_notebook(), own_run / "stages/first/notebook.ipynb")
    record = runfolder.FinishedStage("first", "i", {}, {}, STARTED, 0.0, {})
    page = render(own_run, books.SIMULATED, {"first": StageRun(record, False)}, [stage])
    assert page.faults == []
    assert "Only a title" in page.text
