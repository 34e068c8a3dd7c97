"""A finished run's report once more, from what its folder holds: nothing is computed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pluristats.errors import RunError
from pluristats.report import page, runfolder
from pluristats.report.runner import StageRun
from pluristats.report.source import Source
from pluristats.report.stages import STAGES, Stage


def render(run: str | Path, registry: Sequence[Stage] = STAGES) -> Path:
    """Write ``report.html`` of a finished run anew, with the templates and the style sheet of today.

    Parameters
    ----------
    run
        Its folder.
    registry
        Where titles and the order of stages are; one that it does not know comes last, under its name.

    Returns
    -------
    Path
        The report.

    Raises
    ------
    RunError
        For a folder that holds no finished run, a stage whose files are not those that it made, or a run that is
        being written to.
    """
    folder = Path(run).expanduser().absolute()
    content = runfolder.read_json(folder / "run.json")
    if not isinstance(content, dict) or content.get("format") != runfolder.FORMAT:
        raise RunError(f"{folder} holds no run of this version of pluristats (no fitting run.json)")
    if content.get("status") != "finished":
        raise RunError(f"the run in {folder} has not finished; run pluristats reproduce with --out {folder} first")
    # The path of the study is not kept: whether there was one is all that the report says of it.
    source = Source(
        content["name"],
        content["checksum"],
        content["simulated"],
        "" if content.get("embedded", content["simulated"]) else "files",
        content["seed"],
    )
    known = {stage.name: stage for stage in registry}
    names = sorted(content["stages"], key=lambda name: list(known).index(name) if name in known else len(known))
    with runfolder.opened(folder):
        results = {}
        for name in names:
            record = runfolder.finished(folder, name)
            if record is None or record.identity != content["stages"][name]:
                raise RunError(f"the stage {name!r} in {folder} is not there as it was made; run it again")
            results[name] = StageRun(record, reused=False)
        stages = [known.get(name, Stage(name, name, "")) for name in names]
        return page.write_report(folder, source, stages, results, content["started"])
