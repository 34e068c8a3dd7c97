"""The main job: request, plan, run, report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from pluristats.errors import RunError
from pluristats.report import identity, page, runfolder
from pluristats.report.parameters import assign
from pluristats.report.progress import progress, utc_now
from pluristats.report.runner import StageRun, identity_parts, prepare, run_stages
from pluristats.report.source import Source, read_source
from pluristats.report.stages import STAGES, Stage, plan


@dataclass(frozen=True)
class StageRecord:
    """One stage of a finished run: its name, identity, seconds it took when it ran, and whether it was reused."""

    name: str
    identity: str
    seconds: float
    reused: bool


@dataclass(frozen=True)
class RunRecord:
    """A finished run.

    Parameters
    ----------
    folder
        Of the run, absolute.
    report
        The HTML report, absolute.
    simulated
        Whether the numbers come from simulated data.
    stages
        Those of this request, in order.
    """

    folder: Path
    report: Path
    simulated: bool
    stages: tuple[StageRecord, ...]


def reproduce(
    data: str | Path | None = None,
    seed: int = 0,
    out: str | Path | None = None,
    stages: Iterable[str] | None = None,
    force: bool = False,
    parameters: Mapping[str, Any] | None = None,
    *,
    screen: TextIO | None = None,
) -> RunRecord:
    """Run the registered notebooks on a study and render one HTML report.

    Parameters
    ----------
    data
        Folder or ``study.yaml`` of a study; None for the embedded simulated study.
    seed
        Of the simulation and of every random step, at least 0.
    out
        Folder of the run; None for ``reports/<name of the data>`` in the current folder.
    stages
        Names of the stages to run, with those that they need; None for all.
    force
        Run again what has already finished.
    parameters
        As `pluristats.report.parameters.assign` takes them.
    screen
        Stream for progress; None keeps quiet.

    Returns
    -------
    RunRecord
        Where the report is, and what was reused.

    Raises
    ------
    StudyError
        For data that cannot be used; before anything runs.
    RunError
        For an unknown stage or parameter, a folder that holds something else or that another run is writing to, or a
        notebook that fails. The previous report stays as it was.
    """
    chosen = plan(STAGES, stages)
    assign(chosen, parameters or {})
    source = read_source(data, seed)
    folder = Path("reports") / source.default_run if out is None else Path(out).expanduser()
    return execute(STAGES, chosen, source, folder.absolute(), force=force, parameters=parameters, screen=screen)


def execute(
    registry: Sequence[Stage],
    chosen: Sequence[Stage],
    source: Source,
    folder: Path,
    *,
    force: bool = False,
    parameters: Mapping[str, Any] | None = None,
    screen: TextIO | None = None,
) -> RunRecord:
    """Run the chosen stages of a registry on a study that has been read; `reproduce` is the way in.

    The report shows the chosen stages and those others of the registry that finished earlier in this folder and
    are still up to date.
    """
    values = assign(registry, parameters or {})
    jobs = prepare(chosen, values)
    with runfolder.opened(folder):
        started = utc_now()
        head = {"format": runfolder.FORMAT, "name": source.name, "simulated": source.simulated, "started": started}
        with progress(folder / "run.log", screen) as news:
            news.say(f"run of {', '.join(stage.name for stage in chosen)} on {source.name} into {folder}")
            done = run_stages(jobs, source, folder, news, force=force)
            shown = dict(done)
            for stage in registry:
                if stage.name not in shown and (earlier := _up_to_date(stage, values, source, folder)):
                    shown[stage.name] = earlier
            report = page.write_report(folder, source, [s for s in registry if s.name in shown], shown, started)
            runfolder.write_json(
                folder / "run.json",
                head
                | {
                    "finished": utc_now(),
                    "status": "finished",
                    "checksum": source.checksum,
                    "seed": source.seed,
                    "embedded": not source.data,
                    "stages": {name: stage.record.identity for name, stage in shown.items()},
                    "versions": identity.versions(),
                },
            )
            if folder.parent.name == "reports":
                page.write_index(folder.parent)
            news.say(f"report: {report}")
    records = tuple(
        StageRecord(name, ran.record.identity, ran.record.seconds, ran.reused) for name, ran in done.items()
    )
    return RunRecord(folder, report, source.simulated, records)


def _up_to_date(stage: Stage, values: Mapping[str, Any], source: Source, folder: Path) -> StageRun | None:
    """Give an earlier result of a stage that this request leaves out, when it would be reused."""
    record = runfolder.finished(folder, stage.name)
    if record is None:
        return None
    try:
        (job,) = prepare([stage], values)
        current = identity.digest(identity_parts(job, source, folder))
    except RunError:
        return None
    return StageRun(record, reused=True) if current == record.identity else None
