"""Runs stages: decides by identity what must run, runs its notebook, keeps the result."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pluristats.display.text import printable
from pluristats.errors import RunError
from pluristats.report import identity, runfolder
from pluristats.report.kernel import kernel_manager_class
from pluristats.report.parameters import check_declaration
from pluristats.report.progress import Progress, cell_titles, utc_now
from pluristats.report.runfolder import FinishedStage
from pluristats.report.source import Source
from pluristats.report.stages import Stage, Value, notebook_path

# A kernel takes 2 s to start; on a machine that is busy with other work it can be a minute.
START_TIMEOUT = 300


@dataclass(frozen=True)
class Job:
    """A stage, ready to run.

    Parameters
    ----------
    stage
        What to run.
    notebook
        Its notebook, checked against the registry entry.
    path
        Where the notebook is.
    parameters
        Values of the stage's own parameters.
    """

    stage: Stage
    notebook: Any
    path: Path
    parameters: Mapping[str, Value]


@dataclass(frozen=True)
class StageRun:
    """A stage of a run: its record, and whether it was taken from before."""

    record: FinishedStage
    reused: bool


def prepare(stages: Sequence[Stage], parameters: Mapping[str, Mapping[str, Value]]) -> tuple[Job, ...]:
    """Read and check every notebook before any runs.

    Raises
    ------
    RunError
        For a notebook that is missing, unreadable or at odds with its registry entry.
    """
    jobs = []
    for stage in stages:
        path = notebook_path(stage)
        notebook = read_notebook(path)
        check_declaration(notebook, stage)
        jobs.append(Job(stage, notebook, path, parameters[stage.name]))
    return tuple(jobs)


def read_notebook(path: Path) -> Any:
    """Notebook in format 4.

    Raises
    ------
    RunError
        When the file is not a notebook.
    """
    import nbformat

    try:
        return nbformat.read(path, as_version=4)
    except Exception as error:
        raise RunError(f"{path} cannot be read as a notebook: {_last_line(str(error))}") from None


def run_stages(
    jobs: Sequence[Job], source: Source, run: Path, news: Progress, *, force: bool = False
) -> dict[str, StageRun]:
    """Run what must run and reuse the rest; the folder must be held (`runfolder.opened`).

    Parameters
    ----------
    jobs
        In order; a stage stands after those whose files it reads.
    source
        The study.
    run
        Folder of the run.
    news
        Where to report progress.
    force
        Run every stage, whatever is there.

    Raises
    ------
    RunError
        At the first notebook that fails; stages finished before it stay.
    """
    done: dict[str, StageRun] = {}
    for job in jobs:
        parts = identity_parts(job, source, run)
        before = None if force else runfolder.finished(run, job.stage.name)
        if before is not None and before.identity == identity.digest(parts):
            news.say(f"{job.stage.name}: reused, nothing that it depends on has changed")
            done[job.stage.name] = StageRun(before, reused=True)
        else:
            done[job.stage.name] = StageRun(_run(job, parts, source, run, news), reused=False)
    return done


def identity_parts(job: Job, source: Source, run: Path) -> dict[str, Any]:
    """What a stage's identity is computed from. Paths are not among it: moved data are the same data.

    A stage that reads files of other stages depends on their contents, not on how they came about: when an
    earlier stage runs again and makes the same files, this one is reused.
    """
    return {
        "study": source.checksum,
        "seed": source.seed,
        "parameters": dict(job.parameters),
        "notebook": identity.notebook_sha256(job.notebook),
        "code": identity.code_version(),
        "versions": identity.versions(),
        "inputs": {name: identity.file_sha256(path) for name, path in _inputs(job.stage, run).items()},
    }


def _inputs(stage: Stage, run: Path) -> dict[str, Path]:
    paths = {
        name: runfolder.stage_folder(run, name.partition("/")[0]) / name.partition("/")[2] for name in stage.inputs
    }
    for name, path in paths.items():
        if not path.is_file():
            raise RunError(f"stage {stage.name!r} reads {name}, which its stage did not make; list it in its outputs")
    return paths


def _run(job: Job, parts: dict[str, Any], source: Source, run: Path, news: Progress) -> FinishedStage:
    """Run one notebook in a folder of its own and, when all went well, put that in place."""
    stage = job.stage
    work = runfolder.new_work(run, stage.name)
    values: dict[str, Any] = {**job.parameters, "data": source.data, "seed": source.seed, "out": str(work)}
    if stage.inputs:
        values["inputs"] = {name: str(path) for name, path in _inputs(stage, run).items()}
    started, clock = utc_now(), time.monotonic()
    executed = work / "notebook.ipynb"
    kept = run / "stages" / f"{stage.name}-failed.ipynb"
    try:
        _execute(job, values, executed, news)
        for output in stage.outputs:
            if not (work / output).is_file():
                raise RunError(f"stage {stage.name!r} finished without {output}, which its registry entry promises")
    except RunError as error:
        if executed.is_file():
            os.replace(executed, kept)
            error.args = (f"{error}; the notebook as far as it ran is {kept}",)
        news.say(f"{stage.name}: failed: {error}")
        raise
    finally:
        if not executed.is_file():
            shutil.rmtree(work, ignore_errors=True)
    seconds = time.monotonic() - clock
    record = FinishedStage(
        name=stage.name,
        identity=identity.digest(parts),
        parts=parts,
        parameters=dict(job.parameters),
        started=started,
        seconds=round(seconds, 3),
        files=runfolder.files_of(work),
    )
    runfolder.finish(run, work, record)
    kept.unlink(missing_ok=True)
    news.end(stage.name, len(job.notebook.cells), seconds)
    return record


def _execute(job: Job, values: Mapping[str, Any], executed: Path, news: Progress) -> None:
    """Run the notebook with papermill; it is saved to ``executed`` after every cell."""
    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    name = job.stage.name
    # papermill adds the cell with this run's values; progress and errors count the cells of the notebook as written.
    total = len(job.notebook.cells)
    titles = cell_titles(job.notebook)
    shift = next(i for i, c in enumerate(job.notebook.cells) if "parameters" in c.metadata.get("tags", []))

    def original(index: int) -> int:
        return index if index <= shift else index - 1

    def on_cell_start(cell: Any, cell_index: int) -> None:
        if cell_index != shift + 1:
            news.cell(name, original(cell_index) + 1, total, titles[original(cell_index)])

    logging.getLogger("papermill").setLevel(logging.ERROR)  # it announces paths and cells; we have our own news
    news.begin(name, total)
    with tempfile.TemporaryDirectory(prefix="pluristats-") as home:
        try:
            papermill.execute_notebook(
                _literal(job.path),
                _literal(executed),
                parameters=dict(values),
                kernel_name="python3",
                language="python",
                progress_bar=False,
                start_timeout=START_TIMEOUT,
                kernel_manager_class=kernel_manager_class(Path(home)),
                resources={"metadata": {"path": str(executed.parent)}},
                on_cell_start=on_cell_start,
            )
        except PapermillExecutionError as error:
            last = _last_line(f"{error.ename}: {error.evalue}")
            where = f"cell {original(error.cell_index) + 1}"
            if title := titles[original(error.cell_index)]:
                where += f" ({title})"
            raise RunError(f"stage {name!r} failed in {where} of {job.stage.notebook}: {last}") from None
        except DeadKernelError:
            raise RunError(
                f"stage {name!r}: the process that runs {job.stage.notebook} died (often for lack of memory)"
            ) from None


def _literal(path: Path) -> str:
    """Path for papermill, which fills in braces as a template."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return printable(lines[-1]) if lines else "no message"
