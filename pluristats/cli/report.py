"""`pluristats report`: a finished run's page once more, and as PDF."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.", metavar="RUN")],
    pdf: Annotated[bool, typer.Option("--pdf", help="Write report.pdf too (pip install 'pluristats[pdf]').")] = False,
) -> None:
    """Write the report of a finished run anew from its folder, without computing anything; prints where it is."""
    from pluristats.report import render, write_pdf

    print(render(run))
    if pdf:
        print(write_pdf(run))
