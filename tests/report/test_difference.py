"""Real runs by the real runner: the same again, with another seed, another setting, another notebook."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import pytest

from pluristats.cli.diff import diff as command_function
from pluristats.errors import RunError
from pluristats.report import diff
from pluristats.report.runs import execute
from pluristats.report.stages import Stage
from tests.cli.command import InProcess
from tests.report import books

NOTEBOOK = """
import pandas as pd
from pluristats.report import Artifacts
art = Artifacts(out)
terms = ["a", "b", "c"] if scale < 10 else ["a", "b", "d"]
art.table("tidy", pd.DataFrame({"term": terms, "estimate": [0.1, 0.2 * scale, 0.3], "seconds": [scale, 1, 2]}),
          caption="Terms")
art.table("counts", pd.DataFrame({"level": ["low", "high"], "n": [1000, seed]}), caption="Counts")
art.note("result", f"The scale is {scale}.")
"""


@dataclass(frozen=True)
class Runs:
    """Folders of finished runs of the same registry."""

    plain: Path
    again: Path
    scaled: Path
    two_stages: Path


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    home = tmp_path_factory.mktemp("runs")
    book = books.write(home / "book.ipynb", NOTEBOOK, parameters=books.PARAMETERS + "scale = 1\n")
    tables = Stage("tables", "Tables", str(book), outputs=("tables/tidy.csv",), parameters={"scale": 1})
    first, _ = books.chain(home)

    def run(name: str, registry=(tables,), source=books.SIMULATED, **settings) -> Path:
        return execute(registry, registry, source, home / name, **settings).folder

    plain = run("plain")
    # One stage more in a copy; the other is reused, as it has not changed.
    shutil.copytree(plain, home / "two")
    return Runs(
        plain=plain,
        again=run("again"),
        scaled=run("scaled", source=replace(books.SIMULATED, seed=4, checksum="beef"), parameters={"tables.scale": 20}),
        two_stages=run("two", registry=(tables, first)),
    )


@pytest.fixture
def command(monkeypatch, capsys) -> InProcess:
    return InProcess(monkeypatch, capsys)


def test_the_same_run_twice_has_no_difference(runs):
    found = diff(runs.plain, runs.again)
    assert found.equal
    assert (found.made, found.changes) == ((), ())
    # tidy.csv: 3 estimates (term is the key, seconds are left out); counts.csv: 2 n.
    assert (found.tables, found.cells) == (2, 5)
    assert found.sentence() == "No difference in 5 cells of 2 tables."
    assert len(found.tidy()) == 0


def test_what_changed_and_why(runs):
    found = diff(runs.plain, runs.scaled)
    assert not found.equal
    made = {each.what: (each.before, each.after) for each in found.made}
    assert made == {"checksum": ("c0ffee", "beef"), "seed": (3, 4), "parameter tables.scale": (1, 20)}
    table = found.tidy()
    cells = table[table["kind"] == "cell"].set_index(["stage", "row", "column"])
    before, after = (
        pd.read_csv(run / "stages/tables/tables/tidy.csv").set_index("term") for run in (runs.plain, runs.scaled)
    )
    assert (
        cells.loc[("tables", "b", "estimate"), "difference"] == after.at["b", "estimate"] - before.at["b", "estimate"]
    )
    assert cells.loc[("tables", "high", "n"), ["before", "after"]].tolist() == ["3", "4"]
    assert len(cells) == 2
    rows = table[table["kind"] == "row"]
    assert rows["row"].tolist() == ["c", "d"]
    assert rows["before"].notna().tolist() == [True, False]
    notes = table[table["kind"] == "note"]
    assert notes["before"].dropna().tolist() == ["result: The scale is 1."]
    assert notes["after"].dropna().tolist() == ["result: The scale is 20."]


def test_differences_turn_round(runs):
    there, back = diff(runs.plain, runs.scaled).tidy(), diff(runs.scaled, runs.plain).tidy()
    cells = [t[t["kind"] == "cell"].set_index(["stage", "row"]).sort_index() for t in (there, back)]
    assert (cells[0]["difference"] == -cells[1]["difference"]).all()


def test_tolerance_and_ignored_columns(runs):
    assert diff(runs.plain, runs.scaled, atol=10.0).tidy()["kind"].value_counts().to_dict() == {"row": 2, "note": 2}
    timed = diff(runs.plain, runs.scaled, ignore=())
    assert ("a", "seconds") in {(c.row, c.column) for c in timed.changes}
    with pytest.raises(ValueError, match="rtol is a number from 0 on"):
        diff(runs.plain, runs.again, rtol=-1)


def test_a_stage_of_one_run_only(runs):
    found = diff(runs.two_stages, runs.plain)
    assert [(c.kind, c.stage, c.before, c.after) for c in found.changes] == [("stage", "first", "there", None)]
    assert "stage first\n  stage: only before" in "\n".join(found.lines())
    assert (found.tables, found.cells) == (2, 5)


def test_it_shows_itself(runs):
    found = diff(runs.plain, runs.scaled)
    html = found._repr_html_()
    assert "SIMULATED DATA" in html and "parameter tables.scale" in html
    assert found.lines()[0].startswith("SIMULATED DATA")


def test_folders_that_are_no_runs(runs, tmp_path):
    with pytest.raises(RunError, match="nowhere is no folder"):
        diff(runs.plain, tmp_path / "nowhere")
    with pytest.raises(RunError, match="is no run of this version"):
        diff(tmp_path, runs.plain)
    started = tmp_path / "started"
    started.mkdir()
    (started / "run.json").write_text(json.dumps({"format": "pluristats run 1", "status": "started"}))
    with pytest.raises(RunError, match="has not finished"):
        diff(started, runs.plain)
    changed = Path(shutil.copytree(runs.plain, tmp_path / "changed"))
    (changed / "stages/tables/tables/tidy.csv").write_text("term,estimate\n")
    with pytest.raises(RunError, match=r"stage 'tables' in .* is not there as it was made"):
        diff(runs.plain, changed)


def test_exit_status_is_diffs(runs, command, tmp_path):
    same = command("diff", runs.plain, runs.again)
    assert (same.status, same.stderr) == (0, "")
    assert same.stdout.splitlines()[-1].startswith("No difference in 5 cells of 2 tables.")
    other = command("diff", runs.plain, runs.scaled)
    assert (other.status, other.stderr) == (1, "")
    assert "  b, estimate: 0.2 -> 4.0 (+3.8)" in other.stdout.splitlines()
    assert "seed: 3 -> 4" in other.stdout.splitlines()
    trouble = command("diff", runs.plain, tmp_path / "nowhere")
    assert (trouble.status, trouble.stdout) == (2, "")
    assert trouble.stderr.startswith("error: ") and "is no folder" in trouble.stderr
    assert command("diff", runs.plain, runs.scaled, "--atol", "-1").status == 2
    assert command_function.__doc__ and "0 where nothing differs" in command_function.__doc__


def test_json(runs, command):
    done = command("diff", runs.plain, runs.scaled, "--json", "--ignore", "n")
    assert done.status == 1
    found = done.json()
    wanted = diff(runs.plain, runs.scaled, ignore=["n"])
    assert (found["equal"], found["cells"], found["ignored"]) == (False, wanted.cells, ["n"])
    assert found["tolerance"] == {"rtol": 1e-9, "atol": 1e-12}
    assert [change["kind"] for change in found["changes"]] == [change.kind for change in wanted.changes]
    assert command("diff", runs.plain, runs.again, "--json").json()["changes"] == []


def test_long_lists_are_cut_in_text(runs, command):
    done = command("diff", runs.plain, runs.scaled, "--most", "1")
    assert "  … and 2 more" in done.stdout.splitlines()


def test_as_a_page(runs, command, tmp_path):
    path = tmp_path / "diff.html"
    done = command("diff", runs.plain, runs.scaled, "--html", path)
    assert done.status == 1 and done.stdout.splitlines()[-1] == f"Written as a page: {path}"
    page = path.read_text("utf-8")
    assert "0.2<br>→ 4.0<br>(+3.8)" in page and "parameter tables.scale" in page and "Simulated data:" in page
    assert command("diff", runs.plain, runs.again, "--html", path, "--json").json()["equal"]
    assert "No difference in 5 cells of 2 tables." in path.read_text("utf-8")
    trouble = command("diff", runs.plain, runs.again, "--html", tmp_path)
    assert trouble.status == 2 and "is no comparison of runs" in trouble.stderr
