"""`pluristats generate`: variants of seed prompts from the command line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pluristats.errors import GenerateError

if TYPE_CHECKING:
    from pluristats.generate import Checks, Seeds, Variants
    from pluristats.llm import Endpoint, ResponseStore


def generate(
    seeds: Annotated[
        str, typer.Argument(help="CSV, JSONL or Parquet file of seeds, or 'air-bench' (from the hub).", metavar="SEEDS")
    ],
    out: Annotated[Path, typer.Option(help="Table to write: .parquet, .jsonl or .csv.", metavar="FILE")],
    model: Annotated[str, typer.Option(help="Model, as the endpoint knows it.")] = "",
    base_url: Annotated[
        str, typer.Option(help="OpenAI-compatible address, such as https://api.openai.com/v1.", metavar="URL")
    ] = "",
    simulated: Annotated[
        bool, typer.Option("--simulated", help="Ask the embedded endpoint, whose answers are made up.")
    ] = False,
    levels: Annotated[str, typer.Option(help="Harm levels, 0 to 1, with commas; 0, 0.1, … 1 by default.")] = "",
    store: Annotated[
        Path | None, typer.Option(help="Where answers are kept; OUT with .answers.sqlite by default.", metavar="FILE")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent and cost; send nothing.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume/--no-resume", help="Go on with the store; --no-resume refuses one with answers.")
    ] = True,
    collect: Annotated[bool, typer.Option("--collect", help="Write what the store holds; send nothing.")] = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Ask again what failed for good.")] = False,
    prices: Annotated[
        Path | None, typer.Option(help="YAML of prices a million tokens: 'MODEL: {input: 2.5, output: 10}'.")
    ] = None,
    max_cost: Annotated[float | None, typer.Option(help="Hard budget of everything in the store.")] = None,
    max_requests: Annotated[int | None, typer.Option(help="The same in requests.")] = None,
    concurrency: Annotated[int, typer.Option(help="Requests in flight at once.")] = 16,
    requests_per_minute: Annotated[float | None, typer.Option(help="Rate limit.")] = None,
    tokens_per_minute: Annotated[float | None, typer.Option(help="Rate limit.")] = None,
    temperature: Annotated[float | None, typer.Option(help="The endpoint's own by default.")] = None,
    max_tokens: Annotated[int, typer.Option(help="Longest answer.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of the endpoint's random numbers.")] = 0,
    template: Annotated[str, typer.Option(help="Name in generation/, or a .txt file.")] = "variant",
    id_column: Annotated[str, typer.Option(help="Column that identifies the seeds.")] = "id",
    text_column: Annotated[str, typer.Option(help="Column of their texts.")] = "text",
    duplicates: Annotated[
        Literal["refuse", "first"], typer.Option(help="Seeds of the same text: refuse, or keep the first.")
    ] = "refuse",
    key_variable: Annotated[str, typer.Option(help="Environment variable of the API key.")] = "OPENAI_API_KEY",
    no_key: Annotated[bool, typer.Option("--no-key", help="The endpoint asks for no key.")] = False,
    similar: Annotated[float, typer.Option(help="From which similarity on variants are too similar.")] = 0.9,
    checks: Annotated[Path | None, typer.Option(help="Table of the checks of every row.", metavar="FILE")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that hold something else.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else on stdout.")] = False,
) -> None:
    """Write variants of seed prompts at several harm levels, and check them."""
    from pluristats.cli.output import print_json, warnings_on_stderr
    from pluristats.generate import LEVELS, Plan, collect_variants, generate_variants, load_template
    from pluristats.generate.variants import COLUMNS, FIELDS
    from pluristats.llm import ChatClient, Limits, load_prices
    from pluristats.texts.files import check_place, write_table

    answers = store or out.with_suffix(".answers.sqlite")
    _different(Path(seeds), out, answers, *([checks] if checks else []))
    check_place(out, COLUMNS, force)
    if checks:
        check_place(checks, ["seed", "level", "simulated"], force)
    if not resume and answers.exists():
        raise GenerateError(f"{answers} holds an earlier run's answers; leave --no-resume out, or name another --store")
    found = _seeds(seeds, id_column, text_column, duplicates)
    settings: dict[str, Any] = {
        "levels": _levels(levels) if levels else LEVELS,
        "template": load_template(template, FIELDS),
        "temperature": temperature,
        "max_tokens": max_tokens,
        "random_seed": seed,
    }
    limits = Limits(
        concurrency=concurrency,
        requests_per_minute=requests_per_minute,
        tokens_per_minute=tokens_per_minute,
        max_cost=max_cost,
        max_requests=max_requests,
        prices=load_prices(prices) if prices else {},
    )
    silent = dry_run or collect
    asking = _simulated(seed, model, silent) if simulated else _given(base_url, model, key_variable, no_key)
    with _opened(answers, may_make=not silent) as kept, asking as endpoint, warnings_on_stderr() as told:
        client = ChatClient(endpoint, kept, limits)
        if dry_run:
            estimate = client.dry_run(Plan(found, endpoint.model, **settings), retry_failed=retry_failed)
            print_json(vars(estimate)) if as_json else print(f"dry run, nothing is sent: {estimate}")
            return
        if collect:
            variants = collect_variants(found, client, **settings)
        else:
            variants = generate_variants(found, client, retry_failed=retry_failed, **settings)
    checked = variants.checks(similar=similar)
    variants.write(out, force=force)
    if checks:
        write_table(checked.flags, checks, {"kind": "checks", "simulated": checked.simulated})
    _tell(variants, checked, found, out, answers, told, bool(prices), as_json)


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

    counts = variants.run.counts
    if as_json:
        print_json(
            {
                "out": str(out),
                "store": str(answers),
                "simulated": variants.simulated,
                "seeds": len(seeds),
                "seeds_left_out": seeds.dropped,
                "variants": variants.counts(),
                "sent": counts.sent,
                "prompt_tokens": counts.prompt_tokens,
                "completion_tokens": counts.completion_tokens,
                "cost": counts.cost if priced else None,
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
    cost = f"cost {counts.cost:,.4g}" if priced else "cost not known (no --prices)"
    print(
        f"this run sent {counts.sent:,} requests, {counts.prompt_tokens:,} + {counts.completion_tokens:,} tokens, "
        f"{cost}; answers are kept in {printable(str(answers))}"
    )
    print_table(checked.counts()[["check", "flagged", "checked", "share"]])


def _different(*paths: Path) -> None:
    if len({path.resolve() for path in paths}) < len(paths):
        raise GenerateError("seeds, --out, --store and --checks must be different files")


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


@contextmanager
def _given(base_url: str, model: str, key_variable: str, no_key: bool) -> Iterator[Endpoint]:
    from pluristats.llm import Endpoint

    if not base_url or not model:
        raise GenerateError("say whom to ask with --base-url and --model, or try it with --simulated")
    yield Endpoint(base_url, model, key_variable=key_variable, no_key=no_key)


@contextmanager
def _simulated(seed: int, model: str, silent: bool) -> Iterator[Endpoint]:
    """The embedded endpoint, under one name whatever its port; where nothing is sent, the name alone."""
    from pluristats.llm import Endpoint
    from pluristats.llm.simulated import simulated_endpoint

    with nullcontext("http://127.0.0.1:9/v1") if silent else simulated_endpoint(seed) as url:
        yield Endpoint(url, model or "simulated", no_key=True, name=f"simulated, seed {seed}")


@contextmanager
def _opened(path: Path, may_make: bool) -> Iterator[ResponseStore]:
    """The store; where there is none and none may be made, an empty one that is gone afterwards."""
    from pluristats.llm import ResponseStore

    if may_make or path.exists():
        with ResponseStore(path) as store:
            yield store
    else:
        with TemporaryDirectory() as folder, ResponseStore(Path(folder) / "empty.sqlite") as store:
            yield store
