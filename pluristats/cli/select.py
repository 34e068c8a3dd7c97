"""`pluristats select`: the prompts of a pool that come nearest to a target, from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pluristats.errors import ConstraintError

if TYPE_CHECKING:
    from pluristats.select import Selection


def select(
    pool: Annotated[
        Path, typer.Argument(help="Parquet or CSV table as `pluristats features` writes it.", metavar="POOL")
    ],
    size: Annotated[int, typer.Option(help="How many prompts.")] = 150,
    target: Annotated[str, typer.Option(help="Name in generation/targets/, or a YAML file.")] = "pluriharms",
    max_per_seed: Annotated[int, typer.Option(help="Most prompts of one seed; 0 is any number.")] = 2,
    include: Annotated[str, typer.Option(help="Rows (from 0) that must be in, with commas.")] = "",
    exclude: Annotated[str, typer.Option(help="Rows that must not.")] = "",
    id_column: Annotated[str, typer.Option(help="Column that names the rows of --include and --exclude.")] = "",
    quota: Annotated[
        list[str] | None,
        typer.Option(help="COLUMN=VALUE:LEAST-MOST, such as harm_level=0.5:30-40; may be given again."),
    ] = None,
    masses: Annotated[
        str, typer.Option(help="What a row's mass is: shares, argmax or presence; or AXIS=… with commas.")
    ] = "",
    weights: Annotated[str, typer.Option(help="Weights of axes, such as harm=2,value=0.5.")] = "",
    method: Annotated[
        str, typer.Option(help="memetic, genetic (without local search), annealing, greedy or random.")
    ] = "memetic",
    generations: Annotated[int | None, typer.Option(help="Of the search; the method's own by default.")] = None,
    seconds: Annotated[float | None, typer.Option(help="Begin no generation that would end later.")] = None,
    gap: Annotated[float, typer.Option(help="Stop within this part of the bound: 0.1 is 1.1 times.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Of the random numbers.")] = 0,
    jobs: Annotated[int, typer.Option(help="Threads; they change no result.")] = 1,
    out: Annotated[Path | None, typer.Option(help="Table of the chosen rows to write.", metavar="FILE")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that holds something else.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else on stdout.")] = False,
) -> None:
    """Pick prompts whose distributions come nearest to a target, and say how near anything could come."""
    from pluristats.cli.output import print_json, warnings_on_stderr
    from pluristats.select import Constraints, load_target, select_prompts
    from pluristats.texts import check_place, write_table

    wanted = load_target(target).with_(weights=_numbers("--weights", weights), masses=_masses(masses))
    constraints = Constraints(
        max_per_seed=max_per_seed or None,
        include=_rows("--include", include, bool(id_column)),
        exclude=_rows("--exclude", exclude, bool(id_column)),
        id_column=id_column or None,
        quotas=_quotas(quota or []),
    )
    if out:
        check_place(out, [], force)
    settings: dict[str, Any] = {"generations": generations, "seconds": seconds, "gap": gap, "n_jobs": jobs}
    with warnings_on_stderr() as told:
        found = select_prompts(
            pool, wanted, size=size, constraints=constraints, seed=seed, method=method, progress=True, **settings
        )
    if out:
        facts = {"kind": "selection", "simulated": found.simulated, "seed": seed, "distance": found.distance}
        write_table(found.frame().reset_index(names="row"), out, facts)
    if as_json:
        print_json(found.as_json() | {"warnings": told})
        return
    _tell(found, out)


def _tell(found: Selection, out: Path | None) -> None:
    import pandas as pd

    from pluristats.cli.output import print_table, printable

    if found.simulated:
        print("SIMULATED: the pool is made up")
    assert found.bound is not None, "the command always asks for one"
    near = f", {1 + found.gap:.3f} times the bound: no selection is below {found.bound.distance:.5f}"
    print(f"{len(found.selected):,} of {len(found.pool):,} rows, distance {found.distance:.5f}{near}")
    rows = {name: (value, found.bound.floors[name] ** 0.5) for name, value in found.axes.items()}
    print_table(pd.DataFrame([{"axis": name, "distance": d, "bound": b} for name, (d, b) in rows.items()]))
    print(
        f"{found.method}, seed {found.seed}, {found.generations:,} generations in {found.seconds:.2f} s (and "
        f"{found.compile_seconds:.1f} s of compiling, {found.bound.seconds:.1f} s for the bound), "
        f"stopped by {found.stopped}"
    )
    if out:
        print(printable(f"chosen rows written to {out}"))
    else:
        print(f"rows from 0: {', '.join(str(row) for row in found.selected)}")


def _rows(option: str, text: str, named: bool) -> list[Any]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if named:
        return parts
    for part in parts:
        if not part.isdigit():
            raise ConstraintError(
                f"{option} {part!r}: rows are numbers from 0 with commas; with --id-column they are its values"
            )
    return [int(part) for part in parts]


def _numbers(option: str, text: str) -> dict[str, float]:
    found = {}
    for part in filter(None, text.split(",")):
        name, _, value = part.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            raise ConstraintError(f"{option} {part!r}: write AXIS=NUMBER with commas, such as harm=2") from None
    return found


def _masses(text: str) -> Any:
    if "=" not in text:
        return text or None
    return {name.strip(): value.strip() for name, _, value in (part.partition("=") for part in text.split(","))}


def _quotas(given: list[str]) -> dict[str, dict[Any, Any]]:
    found: dict[str, dict[Any, Any]] = {}
    for text in given:
        named, _, numbers = text.rpartition(":")
        column, _, value = named.partition("=")
        least, dash, most = numbers.partition("-")
        if not column or not value or not least.isdigit() or (dash and not most.isdigit()):
            raise ConstraintError(
                f"--quota {text!r}: write COLUMN=VALUE:LEAST-MOST, such as harm_level=0.5:30-40, or COLUMN=VALUE:NUMBER"
            )
        found.setdefault(column, {})[_value(value)] = (int(least), int(most)) if dash else int(least)
    return found


def _value(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text
