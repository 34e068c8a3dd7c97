from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from pluristats.errors import RunError
from pluristats.report import runfolder
from pluristats.report.runfolder import FinishedStage


def record(files) -> FinishedStage:
    return FinishedStage("study", "id", {}, {}, "2026-01-01T00:00:00Z", 1.0, files)


def finish_a_stage(run, text="1"):
    work = runfolder.new_work(run, "study")
    (work / "a.csv").write_text(text)
    runfolder.finish(run, work, record(runfolder.files_of(work)))


def test_a_stage_is_finished_only_as_it_was_made(tmp_path):
    assert runfolder.finished(tmp_path, "study") is None
    finish_a_stage(tmp_path)
    found = runfolder.finished(tmp_path, "study")
    assert found is not None
    assert list(found.files) == ["a.csv"]
    (tmp_path / "stages/study/a.csv").write_text("2")
    assert runfolder.finished(tmp_path, "study") is None


def test_a_damaged_record_is_no_finished_stage(tmp_path):
    finish_a_stage(tmp_path)
    for content in ("{", "[]", "{}", '{"name": "study"}', "null"):
        (tmp_path / "stages/study/stage.json").write_text(content)
        assert runfolder.finished(tmp_path, "study") is None


def test_finishing_replaces_the_predecessor_whole(tmp_path):
    finish_a_stage(tmp_path, "old")
    (tmp_path / "stages/study/leftover").write_text("")
    finish_a_stage(tmp_path, "new")
    assert sorted(p.name for p in (tmp_path / "stages").iterdir()) == ["study"]
    assert sorted(p.name for p in (tmp_path / "stages/study").iterdir()) == ["a.csv", "stage.json"]


def test_opening_clears_what_a_killed_run_left(tmp_path):
    with runfolder.opened(tmp_path / "run"):
        finish_a_stage(tmp_path / "run")
        runfolder.new_work(tmp_path / "run", "ladder")
    stages = tmp_path / "run/stages"
    os.replace(stages / "study", stages / ".old-study")  # killed between the two moves of a replacement
    with runfolder.opened(tmp_path / "run"):
        assert [p.name for p in stages.iterdir()] == ["study"]
        assert runfolder.finished(tmp_path / "run", "study") is not None


@pytest.mark.parametrize("content", [None, "{}", "[]", "{", '{"format": "pluristats run 0"}'])
def test_a_foreign_folder_is_refused_and_untouched(tmp_path, content):
    (tmp_path / "thesis.txt").write_text("mine")
    if content is not None:
        (tmp_path / "run.json").write_text(content)
    before = sorted(p.name for p in tmp_path.iterdir())
    with pytest.raises(RunError, match="holds something that is not a run"), runfolder.opened(tmp_path):
        pass
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="is a file; name a folder"), runfolder.opened(tmp_path / "file"):
        pass
    with (
        pytest.raises(RunError, match=r"cannot write to folder .*Not a directory"),
        runfolder.opened(tmp_path / "file" / "below"),
    ):
        pass


def test_an_empty_folder_and_one_killed_at_birth_are_free(tmp_path):
    (tmp_path / ".lock").write_text("123\n")
    with runfolder.opened(tmp_path):
        assert json.loads((tmp_path / "run.json").read_text())["format"] == runfolder.FORMAT


def test_a_second_run_is_refused_until_the_first_is_gone(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from pluristats.report import runfolder\n"
        "with runfolder.opened(Path(sys.argv[1])):\n"
        "    print('held', flush=True); time.sleep(600)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "run")], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(RunError, match=rf"another run \(process {holder.pid}\) is writing"),
            runfolder.opened(tmp_path / "run"),
        ):
            pass
    finally:
        holder.kill()
        holder.wait()
    with runfolder.opened(tmp_path / "run"):  # its lock is stale now
        pass
