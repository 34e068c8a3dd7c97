"""`pluristats reproduce`: the main job, from data to the HTML report."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from pluristats.errors import RunError


def reproduce(
    data: Annotated[
        Path | None,
        typer.Option(help="Folder or study.yaml of a study; without it the embedded simulated study.", metavar="PATH"),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the simulation and of every random step.", metavar="N")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the run; without it reports/<name of the data>.", metavar="FOLDER"),
    ] = None,
    stages: Annotated[
        str | None,
        typer.Option(help="Stages to run, separated by commas, with those that they need.", metavar="A,B"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Run again what has already finished.")] = False,
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            "-p", "--parameter", help="A stage's setting; STAGE.NAME=VALUE for one stage only.", metavar="NAME=VALUE"
        ),
    ] = None,
    pdf: Annotated[bool, typer.Option("--pdf", help="Write report.pdf too (pip install 'pluristats[pdf]').")] = False,
) -> None:
    """Run the notebooks on a study and write one HTML report; the last line says where it is."""
    from pluristats import report

    if pdf:
        report.need_weasyprint()
    record = report.reproduce(
        data,
        seed=seed,
        out=out,
        stages=None if stages is None else stages.split(","),
        force=force,
        parameters=assignments(parameter or []),
        screen=sys.stderr,
    )
    for stage in record.stages:
        print(f"{stage.name}: {'reused' if stage.reused else f'{stage.seconds:.1f} s'}")
    if pdf:
        print(report.write_pdf(record.folder))
    print(record.report)


def assignments(given: list[str]) -> dict[str, str]:
    """Read ``NAME=VALUE`` texts.

    Raises
    ------
    RunError
        For one without a name or an equals sign, or a name given twice.
    """
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not name or not equals:
            raise RunError(f"-p {text!r} is not of the form NAME=VALUE")
        if name in found:
            raise RunError(f"-p gives {name!r} twice")
        found[name] = value
    return found
