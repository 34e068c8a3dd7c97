from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import pluristats
from pluristats.cli.reproduce import assignments
from pluristats.errors import RunError
from tests.report import books

ROOT = Path(pluristats.__file__).resolve().parent.parent

# The command line with a registry of one small notebook in place of the real ones, which take minutes.
DRIVER = """
import sys
sys.path.insert(0, {root!r})
from pluristats.report import runs
from pluristats.report.stages import Stage
runs.STAGES = (Stage("small", "Small", {notebook!r}, parameters={{"scale": 1}}),)
from pluristats.cli import main
main()
"""

SMALL = """
import pluristats as ps
import pandas as pd
from pluristats.report import Artifacts
study = ps.load_study(data) if data else ps.simulate_study(n_annotators=12, n_prompts=10, seed=seed)
art = Artifacts(out)
art.table("size", pd.DataFrame({"ratings": [len(study.frame()) * scale]}), caption="Size")
"""


@pytest.fixture
def command(tmp_path):
    notebook = books.write(tmp_path / "small.ipynb", SMALL, parameters=books.PARAMETERS + "scale = 1\n")
    code = DRIVER.format(root=str(ROOT), notebook=str(notebook))

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", code, "reproduce", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)

    return run


@pytest.mark.slow
def test_the_last_line_says_where_the_report_is(command, tmp_path):
    first = command("--seed", "5")
    assert first.returncode == 0, first.stderr
    lines = first.stdout.splitlines()
    assert lines[0].startswith("small: ")
    assert lines[-1] == str(tmp_path / "reports/simulated-seed-5/report.html")
    text = Path(lines[-1]).read_text("utf-8")
    assert "Simulated data:" in text
    assert "(seed 5)" in text
    assert "small: cell 2/2" in first.stderr
    assert (tmp_path / "reports/index.html").is_file()

    second = command("--seed", "5")
    assert second.stdout.splitlines() == ["small: reused", lines[-1]]
    third = command("--seed", "5", "-p", "small.scale=3", "--stages", "small")
    assert third.stdout.splitlines()[0] != "small: reused"


@pytest.mark.slow
def test_a_study_of_files(command, tmp_path, release_path):
    done = command("--data", str(release_path), "--out", "elsewhere")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == str(tmp_path / "elsewhere/report.html")
    text = (tmp_path / "elsewhere/report.html").read_text("utf-8")
    assert "14,725" in text
    assert "Simulated data" not in text
    assert str(release_path) not in text
    assert not (tmp_path / "index.html").exists()
    assert json.loads((tmp_path / "elsewhere/run.json").read_text())["simulated"] is False


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--stages", "nope"], "there is no stage 'nope'; the stages are small"),
        (["-p", "scael=1"], "no stage of this run has a parameter 'scael'; known are small.scale"),
        (["-p", "scale"], "-p 'scale' is not of the form NAME=VALUE"),
        (["--seed", "-1"], "seed -1 is negative"),
        (["--data", "no-such-folder"], "there is no such folder or file"),
        (["--out", "small.ipynb"], "small.ipynb is a file; name a folder with --out"),
    ],
)
def test_a_bad_request_is_one_sentence_and_status_1(command, tmp_path, arguments, message):
    done = command(*arguments)
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert os.listdir(tmp_path) == ["small.ipynb"]


def test_assignments():
    assert assignments(["a=1", " b.c =x=y", "d="]) == {"a": "1", "b.c": "x=y", "d": ""}
    for bad in (["=1"], ["a"], ["a=1", "a=2"]):
        with pytest.raises(RunError):
            assignments(bad)
