"""`pluristats generate`: variants of seed prompts from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pluristats.cli import asking
from pluristats.errors import GenerateError

if TYPE_CHECKING:
    from pluristats.generate import Checks, Seeds, Variants


@asking.with_options
def generate(
    seeds: Annotated[
        str, typer.Argument(help="CSV, JSONL or Parquet file of seeds, or 'air-bench' (from the hub).", metavar="SEEDS")
    ],
    out: Annotated[Path, typer.Option(help="Table to write: .parquet, .jsonl or .csv.", metavar="FILE")],
    *,
    whom: asking.Whom,
    levels: Annotated[str, typer.Option(help="Harm levels, 0 to 1, with commas; 0, 0.1, … 1 by default.")] = "",
    store: asking.Store = None,
    dry_run: asking.DryRun = False,
    resume: asking.Resume = True,
    collect: asking.Collect = False,
    temperature: asking.Temperature = None,
    max_tokens: Annotated[int, typer.Option(help="Longest answer.")] = 1000,
    seed: asking.Seed = 0,
    template: Annotated[str, typer.Option(help="Name in generation/, or a .txt file.")] = "variant",
    id_column: Annotated[str, typer.Option(help="Column that identifies the seeds.")] = "id",
    text_column: Annotated[str, typer.Option(help="Column of their texts.")] = "text",
    duplicates: Annotated[
        Literal["refuse", "first"], typer.Option(help="Seeds of the same text: refuse, or keep the first.")
    ] = "refuse",
    similar: Annotated[float, typer.Option(help="From which similarity on variants are too similar.")] = 0.9,
    checks: Annotated[Path | None, typer.Option(help="Table of the checks of every row.", metavar="FILE")] = None,
    force: asking.Force = False,
    as_json: asking.AsJson = False,
) -> None:
    """Write variants of seed prompts at several harm levels, and check them."""
    from pluristats.cli.output import print_json, warnings_on_stderr
    from pluristats.generate import LEVELS, Plan, collect_variants, generate_variants, load_template
    from pluristats.generate.checks import check_similar
    from pluristats.generate.variants import COLUMNS, FIELDS
    from pluristats.texts.files import check_place, write_table

    answers = store or out.with_suffix(".answers.sqlite")
    asking.different(seeds=Path(seeds), out=out, store=answers, checks=checks)
    check_place(out, COLUMNS, force)
    if checks:
        check_place(checks, ["seed", "level", "simulated"], force)
    check_similar(similar)
    found = _seeds(seeds, id_column, text_column, duplicates)
    settings: dict[str, Any] = {
        "levels": _levels(levels) if levels else LEVELS,
        "template": load_template(template, FIELDS),
        "temperature": temperature,
        "max_tokens": max_tokens,
        "random_seed": seed,
    }
    session = whom.asking(answers, seed=seed, resume=resume, silent=dry_run or collect)
    with session as ask, warnings_on_stderr() as told:
        if dry_run:
            plan = Plan(found, ask.endpoint.model, **settings)
            estimate = ask.client().dry_run(plan, batch=whom.batch)
            print_json(vars(estimate)) if as_json else print(f"dry run, nothing is sent: {estimate}")
            return
        if collect:
            variants = collect_variants(found, ask.client(), **settings)
        else:
            variants = generate_variants(found, ask.asker(), **settings)
    checked = variants.checks(similar=similar)
    variants.write(out, force=force)
    if checks:
        write_table(checked.flags, checks, {"kind": "checks", "simulated": checked.simulated})
    _tell(variants, checked, found, out, answers, told, bool(whom.prices), as_json)


def _tell(
    variants: Variants,
    checked: Checks,
    seeds: Seeds,
    out: Path,
    answers: Path,
    told: list[str],
    priced: bool,
    as_json: bool,
) -> None:
    from pluristats.cli.output import print_json, print_table, printable

    spent = asking.spend(variants.run)
    if as_json:
        print_json(
            {
                "out": str(out),
                "store": str(answers),
                "simulated": variants.simulated,
                "seeds": len(seeds),
                "seeds_left_out": seeds.dropped,
                "variants": variants.counts(),
                **spent,
                "cost": spent["cost"] if priced else None,
                "checks": checked.counts(),
                "warnings": told,
            }
        )
        return
    if variants.simulated:
        print("SIMULATED: these variants come from a simulated endpoint; no language model wrote them")
    by_status = ", ".join(f"{count:,} {status}" for status, count in variants.counts().items() if count)
    print(printable(f"{len(variants.table):,} rows of {len(seeds):,} seeds written to {out}: {by_status}"))
    if len(seeds.dropped):
        print(f"{len(seeds.dropped):,} seeds with the text of an earlier one were left out")
    print(asking.say_spend(spent, priced, answers))
    print_table(checked.counts()[["check", "flagged", "checked", "share"]])


def _seeds(name: str, id_column: str, text_column: str, duplicates: Literal["refuse", "first"]) -> Seeds:
    from pluristats.generate import load_air_bench, load_seeds

    if name == "air-bench":
        return load_air_bench(duplicates=duplicates)
    return load_seeds(name, id_column=id_column, text_column=text_column, duplicates=duplicates)


def _levels(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise GenerateError(f"--levels {text!r}: give numbers from 0 to 1 with commas, such as 0,0.5,1") from None
