"""`pluristats features`: from prompts to the table of their features, from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pluristats.cli import asking

if TYPE_CHECKING:
    from pluristats.extract import FeatureTable, Prompts, Taken
    from pluristats.extract.recipe import Kind

_VALUES = ["prompt", "vrd", "text"]


def features(
    prompts: Annotated[
        Path, typer.Argument(help="Variants as `pluristats generate` writes them, or any table with id and text.")
    ],
    out: Annotated[Path, typer.Option(help="Table of features to write: .parquet, .jsonl or .csv.", metavar="FILE")],
    model: asking.Model = "",
    base_url: asking.BaseUrl = "",
    simulated: asking.Simulated = False,
    trees: Annotated[bool, typer.Option("--trees/--no-trees", help="Harm-benefit trees: actions and effects.")] = True,
    values: Annotated[bool, typer.Option("--values/--no-values", help="Values, rights and duties.")] = True,
    by: Annotated[
        Literal["seed", "prompt"], typer.Option(help="Trees of the seeds, as in the release, or of every prompt.")
    ] = "seed",
    samples: Annotated[int, typer.Option(help="Trees a text; their counts are added.")] = 1,
    profile: Annotated[str, typer.Option(help="Weight profile (name or .yaml) that scores the trees.")] = "",
    benefit_model: Annotated[str, typer.Option(help="Another model for benefits, such as BenefitReporter.")] = "",
    benefit_base_url: Annotated[str, typer.Option(help="Its address.", metavar="URL")] = "",
    harm_template: Annotated[str, typer.Option(help="Name in generation/, or a .txt file.")] = "harm-tree",
    benefit_template: Annotated[str, typer.Option(help="The same for benefits.")] = "benefit-tree",
    value_template: Annotated[str, typer.Option(help="The same for values.")] = "values",
    repairs: Annotated[int, typer.Option(help="How often a malformed answer is asked for again.")] = 2,
    store: asking.Store = None,
    dry_run: asking.DryRun = False,
    resume: asking.Resume = True,
    collect: asking.Collect = False,
    batch: asking.Batch = False,
    batch_every: asking.BatchEvery = 60.0,
    prices: asking.Prices = None,
    max_cost: asking.MaxCost = None,
    max_requests: asking.MaxRequests = None,
    concurrency: asking.Concurrency = 16,
    requests_per_minute: asking.RequestsPerMinute = None,
    tokens_per_minute: asking.TokensPerMinute = None,
    temperature: asking.Temperature = None,
    max_tokens: Annotated[int, typer.Option(help="Longest answer.")] = 8000,
    seed: asking.Seed = 0,
    id_column: Annotated[str, typer.Option(help="Column that identifies the prompts.")] = "prompt",
    text_column: Annotated[str, typer.Option(help="Column of their texts.")] = "text",
    key_variable: asking.KeyVariable = "OPENAI_API_KEY",
    no_key: asking.NoKey = False,
    force: asking.Force = False,
    as_json: asking.AsJson = False,
) -> None:
    """Take features of prompts: shares of harmful actions and effects, a harmfulness score, and values.

    Beside OUT stand the trees (.trees.jsonl), the values (.values.jsonl) and every answer (.answers.sqlite).
    """
    from pluristats import extract
    from pluristats.cli.output import warnings_on_stderr
    from pluristats.extract import pool, tree_files
    from pluristats.features import load_profile
    from pluristats.texts import check_place, load_template, write_table

    kinds: tuple[Kind, ...] = (("harms", "benefits") if trees else ()) + (("values",) if values else ())
    recipe = extract.Recipe(
        kinds=kinds,
        by=by,
        samples=samples,
        templates={
            "harms": extract.load_tree_template(harm_template, "harms"),
            "benefits": extract.load_tree_template(benefit_template, "benefits"),
            "values": load_template(value_template, ("text",)),
        },
        repairs=repairs,
        temperature=temperature,
        max_tokens=max_tokens,
        random_seed=seed,
    )
    answers = store or out.with_suffix(".answers.sqlite")
    beside = {name: out.with_suffix(f".{name}.jsonl") for name, on in (("trees", trees), ("values", values)) if on}
    asking.different(prompts=prompts, out=out, store=answers, **beside)
    for path, columns in ((out, pool.FIRST), (beside.get("trees"), tree_files.FIRST), (beside.get("values"), _VALUES)):
        if path is not None:
            check_place(path, columns, force)
    weights = load_profile(profile) if profile else None
    found = extract.load_prompts(prompts, id_column=id_column, text_column=text_column)
    session = asking.asking(
        answers,
        base_url=base_url,
        model=model,
        simulated=simulated,
        seed=seed,
        key_variable=key_variable,
        no_key=no_key,
        resume=resume,
        silent=dry_run or collect,
        limits=asking.limits_of(concurrency, requests_per_minute, tokens_per_minute, max_cost, max_requests, prices),
        batch=batch,
        batch_every=batch_every,
    )
    with session as ask, warnings_on_stderr() as told:
        other = {"benefits": (benefit_model, benefit_base_url)}
        clients = {kind: ask.client(*other.get(kind, ())) for kind in recipe.kinds}
        if dry_run:
            asking.say_estimates(extract.dry_run(found, recipe, clients, batch=batch), as_json)
            return
        if collect:
            taken = extract.collect(found, recipe, clients)
        else:
            taken = extract.take(found, recipe, {kind: ask.asker(*other.get(kind, ())) for kind in recipe.kinds})
        table = extract.feature_table(found, taken.trees, by=by, profile=weights)
        if taken.trees is not None:
            tree_files.write_trees(beside["trees"], taken.trees.trees(), force=force)
        if taken.values is not None:
            items = taken.values.items()
            write_table(items, beside["values"], {"kind": "values", "simulated": taken.values.simulated})
        table.write(out, force=force)
        _tell(found, taken, table, {"out": out, **beside, "store": answers}, told, bool(prices), as_json)


def _tell(
    prompts: Prompts,
    taken: Taken,
    table: FeatureTable,
    files: dict[str, Path],
    told: list[str],
    priced: bool,
    as_json: bool,
) -> None:
    from pluristats.cli.output import print_json, printable

    spend = asking.spend(*taken.runs())

    parts = {"trees": taken.trees, "values": taken.values}
    counts = {name: part.counts() for name, part in parts.items() if part is not None}
    if as_json:
        print_json(
            {
                **{name: str(path) for name, path in files.items()},
                "simulated": table.simulated,
                "prompts": len(prompts),
                "without_text": prompts.left_out,
                **{f"{name}_counts": count for name, count in counts.items()},
                **spend,
                "cost": spend["cost"] if priced else None,
                "rows": len(table.table),
                "left_out": table.left_out,
                "warnings": told,
            }
        )
        return
    if table.simulated:
        print("SIMULATED: a program on this machine made up these texts or features; they say nothing about prompts")
    if len(prompts.left_out):
        print(f"{len(prompts.left_out):,} rows of {printable(prompts.source)} have no text")
    for name, count in counts.items():
        print(f"{name}: {', '.join(f'{number:,} {status}' for status, number in count.items() if number)}")
    reasons = table.left_out["reason"].str.split(":").str[0].value_counts()
    print(f"{len(table.table):,} prompts with all features written to {printable(str(files['out']))}")
    for reason, number in reasons.items():
        print(f"{number:,} left out: {printable(str(reason))}")
    print(asking.say_spend(spend, priced, files["store"]))
    print(
        printable("beside it: " + ", ".join(str(path) for name, path in files.items() if name not in ("out", "store")))
    )
