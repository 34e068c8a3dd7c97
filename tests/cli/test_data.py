"""`pluristats data` as a user runs it: status, stdout and stderr of the real command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

COMMAND = Path(sys.executable).parent / "pluristats"


def run(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(COMMAND), "data", *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=120, check=False
    )


def test_simulate_then_check(tmp_path: Path) -> None:
    made = run("simulate", "out", "--seed", 7, "--annotators", 9, "--prompts", 11, "--json", cwd=tmp_path)
    assert made.returncode == 0
    assert made.stderr == ""
    told = json.loads(made.stdout)
    assert told["seed"] == 7
    checked = run("check", "out", "--json", cwd=tmp_path)
    assert checked.returncode == 0
    report = json.loads(checked.stdout)
    assert report["ok"] is True
    assert report["problems"] == []
    assert report["summary"]["annotators"] == 9
    assert report["summary"]["simulated"] == "yes"
    assert report["summary"]["checksum"] == told["checksum"]
    shown = run("check", "out", cwd=tmp_path)
    assert shown.returncode == 0
    assert "usable ratings" in shown.stdout
    again = run("simulate", "out", "--seed", 8, cwd=tmp_path)
    assert again.returncode == 1
    assert again.stdout == ""
    assert again.stderr == ("error: out: the folder holds files already; choose another, or force replacing them\n")
    assert (
        run("simulate", "out", "--seed", 8, "--prompts", 5, "--annotators", 4, "--force", cwd=tmp_path).returncode == 0
    )


def test_check_lists_every_problem_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "annotations.csv").write_text("Participant_ID,Rating_1,Trial_1\n1,101,1\n1,\x1b[31mx,2\n")
    (tmp_path / "prompts.csv").write_bytes(b"\xff")
    found = run("check", tmp_path, cwd=tmp_path)
    assert found.returncode == 1
    assert found.stdout == ""
    lines = found.stderr.splitlines()
    assert (
        "annotations.csv, row 2, column Rating_1: '101' is outside 0 to 100; correct the rating or its scale" in lines
    )
    assert any(
        line.startswith("annotations.csv, row 3, column Rating_1: '\\x1b[31mx' is not a number") for line in lines
    )
    assert any(line.startswith("prompts.csv: byte 0 (0xff, line 1) is not UTF-8") for line in lines)
    assert lines[-1] == f"{len(lines) - 1} problems found"
    assert "Traceback" not in found.stderr
    as_json = run("check", tmp_path, "--json", cwd=tmp_path)
    assert as_json.returncode == 1
    assert len(json.loads(as_json.stdout)["problems"]) == len(lines) - 1


def test_fetch_offline_names_the_manual_way(tmp_path: Path) -> None:
    failed = run("fetch", "dest", "--url", "http://127.0.0.1:9", cwd=tmp_path)
    assert failed.returncode == 1
    assert failed.stderr.startswith("error: http://127.0.0.1:9/annotations.csv: cannot be read (")
    assert "with a browser" in failed.stderr
    assert failed.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
