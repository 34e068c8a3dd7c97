"""`pluristats data check|simulate|fetch`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from pluristats.errors import Problem

data_app = typer.Typer(name="data", help="Check, simulate or fetch a study's files.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else on stdout.")]


@data_app.command()
def check(
    path: Annotated[Path, typer.Argument(help="Folder of the data, or its study.yaml.")],
    as_json: Json = False,
) -> None:
    """Check files: print a summary (status 0), or every problem found (status 1)."""
    from pluristats.study import check_study

    report = check_study(path)
    if as_json:
        summary = {item: _plain(value) for item, value in report.summary.itertuples(index=False)}
        problems = [{"where": problem.where, "what": problem.what} for problem in report.problems]
        print(json.dumps({"path": report.path, "ok": report.ok, "problems": problems, "summary": summary}))
    elif report.ok:
        _print_summary(list(report.summary.itertuples(index=False)), report.path)
    else:
        _print_problems(report.problems)
    raise typer.Exit(0 if report.ok else 1)


@data_app.command()
def simulate(
    out: Annotated[Path, typer.Argument(help="Folder to write to; made if absent.")],
    seed: Annotated[int, typer.Option(help="Seed of the random numbers.")],
    annotators: Annotated[int, typer.Option(help="Number of annotators.")] = 100,
    prompts: Annotated[int, typer.Option(help="Number of prompts.")] = 150,
    force: Annotated[bool, typer.Option("--force", help="Replace files in a folder that holds some.")] = False,
    as_json: Json = False,
) -> None:
    """Simulate a study with known truth and write it in the release's file format."""
    from pluristats.study import simulate_study, write_study

    study = simulate_study(annotators, prompts, seed)
    folder = write_study(study, out, force=force)
    if as_json:
        print(json.dumps({"path": str(folder), "seed": seed, "checksum": study.checksum, "simulated": True}))
    else:
        print(f"{study!r}\nwritten to {folder}; its truth is in simulated.json")


@data_app.command(name="simulate-pool")
def simulate_pool(
    out: Annotated[Path, typer.Argument(help="Table to write: .parquet or .csv.")],
    seed: Annotated[int, typer.Option(help="Seed of the random numbers.")],
    seeds: Annotated[int, typer.Option(help="Seed prompts, each with 11 variants.")] = 5692,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that holds something else.")] = False,
    as_json: Json = False,
) -> None:
    """Simulate candidates for `pluristats select`, with features as skewed as the release's."""
    from pluristats.select import simulate_pool
    from pluristats.texts import check_place, write_table

    check_place(out, ["seed", "harm_level"], force)
    table = simulate_pool(seeds, seed)
    write_table(table, out, {"kind": "pool", "simulated": True, "seed": seed})
    if as_json:
        print(json.dumps({"path": str(out), "rows": len(table), "seed": seed, "simulated": True}))
    else:
        print(f"SIMULATED: {len(table):,} candidates of {seeds:,} seeds written to {out}")


@data_app.command()
def fetch(
    dest: Annotated[Path, typer.Argument(help="Folder to put the files in.")] = Path("data/pluriharms"),
    url: Annotated[
        str | None,
        typer.Option(envvar="PLURISTATS_RELEASE_URL", help="Address of the folder that holds the released files."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Download the released PluriHarms files and verify their sha256."""
    from pluristats.study import fetch_release
    from pluristats.study.release import SHA256

    folder = fetch_release(url, dest, progress=_progress)
    if as_json:
        print(json.dumps({"path": str(folder), "files": dict(SHA256)}))
    else:
        print(f"{', '.join(SHA256)} are in {folder}, with the pinned sha256")


def _plain(value: object) -> object:
    """Numbers of numpy as Python's, for JSON."""
    return value.item() if hasattr(value, "item") else value


def _print_summary(rows: list[tuple[str, object]], path: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(f"{path}: no problems found"), title_justify="left")
    table.add_column("item")
    table.add_column("value", overflow="fold")
    for item, value in rows:
        table.add_row(Text(item), Text(f"{value:,}" if isinstance(value, int) else str(value)))
    Console().print(table)


def _print_problems(problems: tuple[Problem, ...]) -> None:
    """One line a problem on stderr, then how many."""
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{len(problems)} problem{'s' if len(problems) != 1 else ''} found", file=sys.stderr)


def _progress(name: str, done: int, size: int | None) -> None:
    """Tell a terminal how far a download is; a log file only gets each file's end."""
    finished = size is not None and done >= size
    if sys.stderr.isatty() or finished:
        of = f" of {size:,}" if size is not None else ""
        print(f"{name}: {done:,}{of} bytes", end="\n" if finished else "\r", file=sys.stderr)
