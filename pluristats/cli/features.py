"""`pluristats features`: from prompts to the table of their features, from the command line."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pluristats.cli import asking
from pluristats.errors import GenerateError

if TYPE_CHECKING:
    from pluristats.extract import ExtractedTrees, ExtractedValues, FeatureTable, Prompts
    from pluristats.extract.kaleido import KaleidoValues
    from pluristats.extract.recipe import Kind
    from pluristats.topics import TopicModel
    from pluristats.values import Filtered, Thresholds

_VALUES = ["prompt", "vrd", "text"]
_FATES = {"relevance": "not relevant enough", "ngram": "alike in words", "embedding": "alike in meaning"}


@asking.with_options
def features(
    prompts: Annotated[
        Path, typer.Argument(help="Variants as `pluristats generate` writes them, or any table with id and text.")
    ],
    out: Annotated[Path, typer.Option(help="Table of features to write: .parquet, .jsonl or .csv.", metavar="FILE")],
    *,
    whom: asking.Whom,
    trees: Annotated[bool, typer.Option("--trees/--no-trees", help="Harm-benefit trees: actions and effects.")] = True,
    values: Annotated[bool, typer.Option("--values/--no-values", help="Values, rights and duties.")] = True,
    topics: Annotated[
        str, typer.Option(help="How many topics to find in the values, a topic model's folder, or none.")
    ] = "39",
    topic_size: Annotated[int, typer.Option(help="Fewest different values of a topic before merging.")] = 200,
    embedder: Annotated[
        str, typer.Option(help="Of topics: minilm, light (without torch) or a sentence-transformers model.")
    ] = "minilm",
    name_topics: Annotated[bool, typer.Option("--name-topics", help="Have the model name the topics.")] = False,
    kaleido: Annotated[
        str, typer.Option(help="Values by this KALEIDO checkpoint or folder instead of the model.", metavar="NAME")
    ] = "",
    kaleido_embedder: Annotated[
        str, typer.Option(help="Model that tells alike values of KALEIDO; its own by default.", metavar="NAME")
    ] = "",
    relevance: Annotated[
        float, typer.Option(help="Least relevance of values that a model names; KALEIDO's checkpoint has its own.")
    ] = 0.0,
    alike: Annotated[
        float | None,
        typer.Option(help="ROUGE-L above which two of a prompt's values say the same; the less relevant goes."),
    ] = None,
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
    temperature: asking.Temperature = None,
    max_tokens: Annotated[int, typer.Option(help="Longest answer.")] = 8000,
    seed: asking.Seed = 0,
    id_column: Annotated[str, typer.Option(help="Column that identifies the prompts.")] = "prompt",
    text_column: Annotated[str, typer.Option(help="Column of their texts.")] = "text",
    force: asking.Force = False,
    as_json: asking.AsJson = False,
) -> None:
    """Take features of prompts: shares of harmful actions and effects, a harmfulness score, and values.

    Beside OUT stand the trees (.trees.jsonl), the values (.values.jsonl), the topic model (.topics) and every answer
    (.answers.sqlite, of KALEIDO .kaleido.jsonl).
    """
    from pluristats import extract
    from pluristats.cli.output import warnings_on_stderr
    from pluristats.extract import pool, tree_files
    from pluristats.extract.topics import need_topics
    from pluristats.features import load_profile
    from pluristats.texts import check_place, load_template
    from pluristats.topics.files import check_folder

    _check(trees, values and topics != "none", bool(profile), bool(kaleido) and not values, name_topics)
    thresholds = _thresholds(relevance, alike, values and not kaleido)
    wanted = _wanted(topics) if values else None
    if isinstance(wanted, int):
        need_topics(embedder)
    kinds: tuple[Kind, ...] = (("harms", "benefits") if trees else ()) + (("values",) if values and not kaleido else ())
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
    folder = out.with_suffix(".topics")  # of a model that is found or named here
    if isinstance(wanted, int) or name_topics:
        check_folder(folder, force)
    weights = load_profile(profile) if profile else None
    found = extract.load_prompts(prompts, id_column=id_column, text_column=text_column)
    anybody = bool(kinds) or name_topics
    session = whom.asking(answers, seed=seed, resume=resume, silent=dry_run or collect, anybody=anybody)
    with session as ask, warnings_on_stderr() as told:
        other = {"benefits": (benefit_model, benefit_base_url)}
        clients = {kind: ask.client(*other.get(kind, ())) for kind in recipe.kinds}
        if dry_run:
            asking.say_estimates(extract.dry_run(found, recipe, clients, batch=whom.batch), as_json)
            if name_topics:
                print("names of topics are one call each besides, of up to 300 values", file=sys.stderr)
            return
        if collect:
            taken = extract.collect(found, recipe, clients)
        else:
            taken = extract.take(found, recipe, {kind: ask.asker(*other.get(kind, ())) for kind in recipe.kinds})
        runs = taken.runs()
        named = taken.values if not kaleido else _kaleido(found, kaleido, kaleido_embedder, out)
        kept = None if named is None else _filtered(named, thresholds)
        model_of = _topics(kept, wanted, embedder, topic_size, seed)
        if model_of is not None and name_topics:
            model_of, run = (
                extract.collect_names(model_of, ask.client()) if collect else extract.name_topics(model_of, ask.asker())
            )
            runs.append(run)
        signed = None
        if named is not None and kept is not None and model_of is not None:
            signed = extract.value_features(kept.items, named.answered(), model_of)
        table = extract.feature_table(found, taken.trees, signed, by=by, profile=weights)
        if model_of is not None and model_of is not wanted:
            beside["topics"] = model_of.save(folder, force=force)
        _write(taken.trees, kept, beside, force)
        table.write(out, force=force)
        counts = _counts(taken.trees, named, kept)
        spent = asking.spend(*runs)
        files = {"out": out, **beside} | ({"store": answers} if anybody else {})
    _tell(found, counts, table, files, spent, told, bool(whom.prices), as_json)


def _check(trees: bool, topics: bool, profile: bool, kaleido_alone: bool, name_topics: bool) -> None:
    """Refuse, before anything is paid for, options that leave nothing to take or go with what is not taken."""
    if not trees and not topics:
        raise GenerateError("there is nothing to make features of: take trees, or values with --topics")
    if profile and not trees:
        raise GenerateError("--profile scores trees; leave it out, or --no-trees")
    if kaleido_alone:
        raise GenerateError("--kaleido names values; leave it out, or --no-values")
    if name_topics and not topics:
        raise GenerateError("--name-topics names the topics of values; leave it out, or --no-values and --topics none")


def _thresholds(relevance: float, alike: float | None, of_chat_model: bool) -> Thresholds:
    """Which values of a chat model are kept; by default all."""
    from pluristats.values import Thresholds

    if (relevance or alike is not None) and not of_chat_model:
        raise GenerateError("--relevance and --alike are for values of a chat model: KALEIDO's checkpoint has its own")
    if alike is not None and find_spec("rouge_score") is None:
        raise GenerateError("--alike needs the package rouge-score; pip install 'pluristats[kaleido]', or leave it out")
    return Thresholds(relevance, alike)


def _wanted(topics: str) -> int | TopicModel | None:
    """How many topics to find, the model that is given, or None."""
    from pluristats.topics import load_topics

    if topics == "none":
        return None
    if topics.isdigit() and int(topics):
        return int(topics)
    if Path(topics).is_dir():
        return load_topics(topics)
    raise GenerateError(f"--topics {topics!r}: give a number of topics, the folder of a topic model, or none")


def _kaleido(prompts: Prompts, checkpoint: str, embedder: str, out: Path) -> KaleidoValues:
    from pluristats.extract.kaleido import EMBEDDER, kaleido_values

    return kaleido_values(
        prompts.units("prompt"),
        checkpoint,
        embedder=embedder or EMBEDDER,
        journal=out.with_suffix(".kaleido.jsonl"),
        simulated=bool(prompts.table["simulated"].any()),
    )


def _filtered(named: ExtractedValues | KaleidoValues, thresholds: Thresholds) -> Filtered:
    """The values that are kept: KALEIDO's by its checkpoint's thresholds, a chat model's by the given ones."""
    from pluristats.extract import ExtractedValues

    return named.filter(thresholds) if isinstance(named, ExtractedValues) else named.filtered


def _topics(
    values: Filtered | None, wanted: int | TopicModel | None, embedder: str, size: int, seed: int
) -> TopicModel | None:
    """The topic model that is given, or found in the values."""
    from pluristats.topics import fit_topics, sentence_embedder

    if values is None or not isinstance(wanted, int):
        return None if isinstance(wanted, int) else wanted
    embed = embedder if embedder in ("minilm", "light") else sentence_embedder(embedder)
    return fit_topics(
        values.items["text"],
        topics=wanted,
        seed=seed,
        embed=embed,  # type: ignore[arg-type]
        min_cluster_size=size,
        simulated=values.simulated,
    )


def _write(trees: ExtractedTrees | None, values: Filtered | None, beside: dict[str, Path], force: bool) -> None:
    """What stands beside the table: the trees and the values that it was made of."""
    from pluristats.extract import write_trees
    from pluristats.texts import write_table

    if trees is not None:
        write_trees(beside["trees"], trees.trees(), force=force)
    if values is not None:
        write_table(values.items, beside["values"], {"kind": "values", "simulated": values.simulated})


def _counts(
    trees: ExtractedTrees | None, named: ExtractedValues | KaleidoValues | None, kept: Filtered | None
) -> dict[str, dict[str, int]]:
    """What became of the questions about trees and values, and of the values that were named."""
    counts = {name: part.counts() for name, part in (("trees", trees), ("values", named)) if part is not None}
    if kept is not None:
        fates = kept.counts()
        counts["items"] = dict(zip(fates["fate"], fates["items"].tolist(), strict=True))
    return counts


def _tell(
    prompts: Prompts,
    counts: dict[str, dict[str, int]],
    table: FeatureTable,
    files: dict[str, Path],
    spent: dict[str, Any],
    told: list[str],
    priced: bool,
    as_json: bool,
) -> None:
    from pluristats.cli.output import print_json, printable

    if as_json:
        print_json(
            {
                **{name: str(path) for name, path in files.items()},
                "simulated": table.simulated,
                "prompts": len(prompts),
                "without_text": prompts.left_out,
                **{f"{name}_counts": count for name, count in counts.items()},
                **spent,
                "cost": spent["cost"] if priced else None,
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
        print(f"{name}: {', '.join(f'{n:,} {_FATES.get(status, status)}' for status, n in count.items() if n)}")
    reasons = table.left_out["reason"].str.split(":").str[0].value_counts()
    print(f"{len(table.table):,} prompts with all features written to {printable(str(files['out']))}")
    for reason, number in reasons.items():
        print(f"{number:,} left out: {printable(str(reason))}")
    if "store" in files:
        print(asking.say_spend(spent, priced, files["store"]))
    print(
        printable("beside it: " + ", ".join(str(path) for name, path in files.items() if name not in ("out", "store")))
    )
