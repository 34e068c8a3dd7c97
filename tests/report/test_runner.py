from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import pluristats
from pluristats.errors import RunError
from pluristats.report import runfolder
from pluristats.report.identity import code_version, digest
from pluristats.report.runner import identity_parts, prepare, read_notebook
from pluristats.report.runs import execute
from pluristats.report.stages import Stage
from tests.report import books

ROOT = Path(pluristats.__file__).resolve().parent.parent


def reused(record) -> dict[str, bool]:
    return {stage.name: stage.reused for stage in record.stages}


def one(folder: Path, *cells: str, **stage) -> Stage:
    return Stage("one", "One", str(books.write(folder / "one.ipynb", *cells)), **stage)


def run_one(stage: Stage, folder: Path, source=books.SIMULATED):
    return execute([stage], [stage], source, folder / "run")


def test_stages_run_in_order_and_hand_files_on(finished_run):
    stages = finished_run.run / "stages"
    assert pd.read_csv(stages / "first/tables/counts.csv")["n"].tolist() == [1000, 3]
    assert pd.read_csv(stages / "second/tables/total.csv")["n"].tolist() == [1003]
    assert reused(finished_run.record) == {"gallery": False, "first": False, "second": False}
    assert sorted(p.name for p in stages.iterdir()) == ["first", "gallery", "second"]


def test_records_tell_what_a_stage_was_made_from(finished_run):
    record = json.loads((finished_run.run / "stages/second/stage.json").read_text())
    assert record["identity"] == digest(record["parts"]) == finished_run.record.stages[2].identity
    assert (record["parts"]["study"], record["parts"]["seed"]) == ("c0ffee", 3)
    assert list(record["parts"]["inputs"]) == ["first/tables/counts.csv"]
    assert record["seconds"] > 0
    assert set(record["files"]) == {"manifest.json", "notebook.ipynb", "tables/total.csv"}


def test_the_log_has_time_stage_and_cell(finished_run):
    lines = (finished_run.run / "run.log").read_text().splitlines()
    assert all(line[:2] == "20" and line[19] == "Z" for line in lines)
    said = [line[21:] for line in lines]
    assert "first: cell 3/3 Counting" in said
    assert said.count("first: cell 1/3") == 1  # papermill's own cell is not counted
    assert said[-1] == f"report: {finished_run.run / 'report.html'}"


def test_an_unchanged_run_is_reused_whole(finished_run, own_run):
    before = (own_run / "stages/first/notebook.ipynb").stat().st_mtime_ns
    record = execute(finished_run.registry, finished_run.registry, books.SIMULATED, own_run)
    assert reused(record) == {"gallery": True, "first": True, "second": True}
    assert (own_run / "stages/first/notebook.ipynb").stat().st_mtime_ns == before


def test_identity_follows_study_seed_parameters_and_source_but_not_paths(finished_run, tmp_path):
    registry = finished_run.registry

    def identity_of(source=books.SIMULATED, scale=1, stage=registry[1], extra=""):
        if extra:
            stage = replace(stage, notebook=str(tmp_path / "first.ipynb"))
            text = Path(registry[1].notebook).read_text()
            Path(stage.notebook).write_text(text.replace("## Counting", "## Counting" + extra))
        (job,) = prepare([stage], {"first": {"scale": scale}})
        return digest(identity_parts(job, source, finished_run.run))

    same = identity_of()
    assert same == finished_run.record.stages[1].identity
    assert identity_of(replace(books.SIMULATED, data="/moved/elsewhere", name="renamed")) == same
    others = [
        identity_of(replace(books.SIMULATED, checksum="other")),
        identity_of(replace(books.SIMULATED, seed=4)),
        identity_of(scale=2),
        identity_of(extra=" again"),
    ]
    assert len({same, *others}) == 5


@pytest.mark.slow
def test_a_changed_notebook_reruns_itself_and_what_its_files_change(own_run, tmp_path):
    first, second = books.chain(tmp_path)
    path = Path(first.notebook)
    path.write_text(path.read_text().replace("## Counting", "## Counting, better explained"))
    record = execute([first, second], [first, second], books.SIMULATED, own_run)
    assert reused(record) == {"first": False, "second": True}  # the same numbers came out

    path.write_text(path.read_text().replace("scale * 1000", "scale * 2000"))
    record = execute([first, second], [first, second], books.SIMULATED, own_run)
    assert reused(record) == {"first": False, "second": False}
    assert pd.read_csv(own_run / "stages/second/tables/total.csv")["n"].tolist() == [2003]


@pytest.mark.slow
def test_a_picked_stage_with_a_parameter_and_force(finished_run, own_run):
    gallery, first, second = finished_run.registry
    record = execute(finished_run.registry, [first], books.SIMULATED, own_run, parameters={"first.scale": "7"})
    assert reused(record) == {"first": False}
    assert pd.read_csv(own_run / "stages/first/tables/counts.csv")["n"].tolist() == [7000, 3]
    # The second stage was made from the numbers before: it stays on disk and leaves the report.
    report = (own_run / "report.html").read_text()
    assert gallery.title in report and first.title in report
    assert second.title not in report

    record = execute(finished_run.registry, [first], books.SIMULATED, own_run, parameters={"scale": 7}, force=True)
    assert reused(record) == {"first": False}


@pytest.mark.slow
def test_a_stage_whose_files_were_changed_runs_again(finished_run, own_run):
    first = finished_run.registry[1]
    (own_run / "stages/first/tables/counts.csv").write_text("level,n\nlow,999999\n")
    record = execute([first], [first], books.SIMULATED, own_run)
    assert reused(record) == {"first": False}
    assert "999999" not in (own_run / "stages/first/tables/counts.csv").read_text()


def test_an_unknown_parameter_stops_before_anything_is_made(finished_run, tmp_path):
    with pytest.raises(RunError, match=r"no stage of this run has a parameter 'scael'; known are first\.scale"):
        execute(finished_run.registry, finished_run.registry, books.SIMULATED, tmp_path / "x", parameters={"scael": 1})
    assert not (tmp_path / "x").exists()


def test_a_file_that_is_no_notebook_is_named(tmp_path):
    (tmp_path / "x.ipynb").write_text("{")
    with pytest.raises(RunError, match=r"x\.ipynb cannot be read as a notebook"):
        read_notebook(tmp_path / "x.ipynb")


@pytest.mark.slow
def test_a_failed_notebook_is_named_kept_and_leaves_the_previous_report(tmp_path):
    run_one(one(tmp_path, "print('fine')"), tmp_path)
    report = (tmp_path / "run/report.html").read_bytes()
    stage = one(tmp_path, "#md ## Dividing", "print('before')", "raise ValueError('first line\\nthe \\x1b[1mlast')")
    with pytest.raises(RunError) as failure:
        run_one(stage, tmp_path)
    kept = tmp_path / "run/stages/one-failed.ipynb"
    assert str(failure.value) == (
        rf"stage 'one' failed in cell 4 (Dividing) of {stage.notebook}: the \x1b[1mlast; "
        f"the notebook as far as it ran is {kept}"
    )
    assert "before" in kept.read_text()
    assert (tmp_path / "run/report.html").read_bytes() == report
    assert runfolder.finished(tmp_path / "run", "one") is not None
    assert "failed: stage 'one' failed in cell 4" in (tmp_path / "run/run.log").read_text()

    assert reused(run_one(one(tmp_path, "print('fine again')"), tmp_path)) == {"one": False}
    assert not kept.exists()


@pytest.mark.slow
def test_a_promised_file_that_was_not_made_is_an_error(tmp_path):
    stage = one(tmp_path, "1", outputs=("tables/x.csv",))
    with pytest.raises(RunError, match=r"'one' finished without tables/x\.csv"):
        run_one(stage, tmp_path)
    assert runfolder.finished(tmp_path / "run", "one") is None


@pytest.mark.slow
def test_a_kernel_that_dies_is_an_error(tmp_path):
    with pytest.raises(RunError, match=r"the process that runs .* died"):
        run_one(one(tmp_path, "import os", "os._exit(1)"), tmp_path)


@pytest.mark.slow
def test_notebooks_run_here_with_this_pluristats_and_values_are_only_values(tmp_path):
    hostile = "a\"b\\\" + str(1/0) + \"\n''' {braces} \u2028 é"
    stage = one(
        tmp_path,
        "import json, os, sys, pathlib, pluristats",
        "pathlib.Path(out, 'seen.json').write_text(json.dumps("
        "[data, sys.executable, pluristats.__file__, os.getcwd() == os.path.realpath(out), hash('x')]))",
    )
    run_one(stage, tmp_path, replace(books.SIMULATED, data=hostile))
    seen = json.loads((tmp_path / "run/stages/one/seen.json").read_text())
    assert seen[:4] == [hostile, sys.executable, pluristats.__file__, True]
    run_one(stage, tmp_path, replace(books.SIMULATED, seed=9))
    assert json.loads((tmp_path / "run/stages/one/seen.json").read_text())[4] == seen[4]


WAITING = """
import os, pathlib, time
pathlib.Path({pid!r}).write_text(str(os.getpid()))
while not pathlib.Path({go!r}).exists():
    time.sleep(0.05)
"""

RUNNING = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from pluristats.report.runs import execute
from pluristats.report.stages import Stage
from tests.report.books import SIMULATED
quick, waits = (Stage(n, n, str(Path({home!r}) / (n + ".ipynb"))) for n in ("quick", "waits"))
execute([quick, waits], [quick, waits], SIMULATED, Path({home!r}) / "run")
"""


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z"


def wait_for(what, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_leaves_finished_stages_and_the_next_goes_on(tmp_path, how):
    pid, go = tmp_path / "pid", tmp_path / "go"
    quick = Stage("quick", "quick", str(books.write(tmp_path / "quick.ipynb", "1 + 1")))
    waits = Stage(
        "waits", "waits", str(books.write(tmp_path / "waits.ipynb", WAITING.format(pid=str(pid), go=str(go))))
    )
    code = RUNNING.format(root=str(ROOT), home=str(tmp_path))
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    wait_for(lambda: process.poll() is not None or (pid.exists() and pid.read_text()))
    assert process.poll() is None, process.stdout.read().decode()
    with pytest.raises(RunError, match=rf"another run \(process {process.pid}\) is writing"):
        execute([quick], [quick], books.SIMULATED, tmp_path / "run")

    process.send_signal(how)
    assert process.wait(60) != 0
    wait_for(lambda: gone(int(pid.read_text())))  # no kernel is left behind
    assert runfolder.finished(tmp_path / "run", "quick") is not None
    assert runfolder.finished(tmp_path / "run", "waits") is None
    assert not (tmp_path / "run/report.html").exists()

    go.touch()
    code_version.cache_clear()  # this process may have read the tree before an edit, the other one after it
    record = execute([quick, waits], [quick, waits], books.SIMULATED, tmp_path / "run")
    assert reused(record) == {"quick": True, "waits": False}
    assert sorted(p.name for p in (tmp_path / "run/stages").iterdir()) == ["quick", "waits"]
