"""`pluristats diff`: what changed in numbers between two runs."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from pluristats.errors import PluristatsError


def diff(
    before: Annotated[Path, typer.Argument(help="Folder of a run.", metavar="RUN")],
    after: Annotated[Path, typer.Argument(help="Folder of another.", metavar="RUN")],
    rtol: Annotated[float, typer.Option(help="Relative tolerance of numbers.", min=0.0, metavar="X")] = 1e-9,
    atol: Annotated[float, typer.Option(help="Absolute tolerance of numbers.", min=0.0, metavar="X")] = 1e-12,
    ignore: Annotated[
        list[str] | None,
        typer.Option(help="Column that is not compared; without it: seconds, compile_seconds.", metavar="COLUMN"),
    ] = None,
    most: Annotated[int, typer.Option(help="Changes of one file that are listed.", min=1, metavar="N")] = 20,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write the comparison as a page of its own.", metavar="PATH")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else on stdout.")] = False,
) -> None:
    """Compare two runs: stages, every table cell by cell, notes, and how they were made.

    Exit status, as diff's: 0 where nothing differs, 1 where something does, 2 where the runs cannot be compared. Other
    versions, parameters or data are listed and alone are no difference.
    """
    from pluristats.cli.output import print_json, printable
    from pluristats.report import difference

    try:
        left_out = difference.IGNORED if ignore is None else ignore
        found = difference.diff(before, after, rtol=rtol, atol=atol, ignore=left_out)
        if html is not None:
            found.write_html(html)
    except PluristatsError as error:
        print(printable(f"error: {error}"), file=sys.stderr)
        raise typer.Exit(2) from None
    if as_json:
        print_json(
            {
                "before": str(found.before),
                "after": str(found.after),
                "equal": found.equal,
                "simulated": found.simulated,
                "tables": found.tables,
                "cells": found.cells,
                "tolerance": asdict(found.tolerance),
                "ignored": found.ignored,
                "made": [asdict(made) for made in found.made],
                "changes": [asdict(change) for change in found.changes],
            }
        )
    else:
        print(printable("\n".join(found.lines(most))))
        if html is not None:
            print(printable(f"Written as a page: {html}"))
    if not found.equal:
        raise typer.Exit(1)
