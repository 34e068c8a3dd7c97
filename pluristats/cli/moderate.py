"""`pluristats moderate`: how well scores or models tell harmful texts from others, from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pluristats.cli import asking
from pluristats.display.frames import csv_text
from pluristats.errors import EvaluationError

if TYPE_CHECKING:
    import pandas as pd

    from pluristats.evaluation import Moderation
    from pluristats.evaluation.methods import Method
    from pluristats.llm import Asker

MODELS = ("wildguard-class", "wildguard-probability", "zero-shot", "zero-shot-mean", "safetyanalyst")
"""Methods that score a text without having seen ratings."""


@asking.with_options
def moderate(
    table: Annotated[Path, typer.Argument(help="CSV, JSONL or Parquet file, one row a text.", metavar="TABLE")],
    label: Annotated[str, typer.Option(help="Column of the labels.", metavar="COLUMN")] = "label",
    positive: Annotated[
        list[str] | None,
        typer.Option(help="Label or class that means harmful; may be given again. 1 and true do.", metavar="VALUE"),
    ] = None,
    negative: Annotated[
        list[str] | None,
        typer.Option(help="Class that means harmless and is no label; may be given again.", metavar="VALUE"),
    ] = None,
    score: Annotated[
        list[str] | None,
        typer.Option(help="Column of scores or classes to judge; may be given again.", metavar="COLUMN"),
    ] = None,
    methods: Annotated[
        str, typer.Option(help=f"Models to ask, with commas: {', '.join(MODELS)}.", metavar="NAMES")
    ] = "",
    text: Annotated[str, typer.Option(help="Column of the texts, for --methods.", metavar="COLUMN")] = "text",
    threshold: Annotated[
        list[str] | None,
        typer.Option(help="Flag from this score on (0.5), or NAME=NUMBER for one; may be given again."),
    ] = None,
    refusals: Annotated[
        Literal["skip", "harmful", "harmless"],
        typer.Option(help="Leave refusals out, or count them as a class; they are counted either way."),
    ] = "skip",
    trees: Annotated[
        Path | None, typer.Option(help="Trees (.trees.jsonl) of the texts, for safetyanalyst.", metavar="FILE")
    ] = None,
    names: Annotated[str, typer.Option(help="Column of the names that the trees have.", metavar="COLUMN")] = "",
    profile: Annotated[str, typer.Option(help="Weights of safetyanalyst: a name, or a YAML file.")] = "safetyanalyst",
    predictions: Annotated[Path | None, typer.Option(help="CSV of every score to write.", metavar="FILE")] = None,
    draws: Annotated[int, typer.Option(help="Of the bootstrap.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of draws and the endpoint's random numbers.")] = 0,
    *,
    whom: asking.Whom,
    store: Annotated[Path, typer.Option("--store", help="Where answers are kept.", metavar="FILE")] = Path(
        "moderate.answers.sqlite"
    ),
    as_json: asking.AsJson = False,
) -> None:
    """Precision, recall, F1, AUC and more on labelled texts, with intervals and paired comparisons.

    For a copy of SimpleSafetyTests, HarmBench, WildGuardTest, AIR-Bench, SORRY-Bench or any table with a column of
    labels. Where all texts are harmful, recall and F1 are all there is.
    """
    from contextlib import nullcontext

    from pluristats.cli.output import warnings_on_stderr
    from pluristats.evaluation import moderate as judge

    called = _names(methods)
    if predictions is not None and predictions.exists():
        raise EvaluationError(f"{predictions} exists already; name another file")
    if "safetyanalyst" in called and (trees is None or not names):
        raise EvaluationError(
            "safetyanalyst needs --trees, trees of the texts (pluristats features), and --names, the column that has "
            "their names"
        )
    common: dict[str, Any] = {"positive": positive or [], "negative": negative or [], "text": text, "names": names}
    common |= {"threshold": _thresholds(threshold or []), "refusals": refusals, "draws": draws, "seed": seed}
    session = whom.asking(store, seed=seed)
    asks = [name for name in called if name != "safetyanalyst"]
    with warnings_on_stderr() as told, session if asks else nullcontext() as ask:
        made = _made(called, ask.asker() if ask else None, seed, trees, profile)
        found = judge(table, score or [], methods=made, label=label, **common)
    if predictions is not None:
        predictions.write_text(csv_text(found.predictions()), encoding="utf-8", newline="")
    _tell(found, told, as_json)


def _names(methods: str) -> list[str]:
    names = list(dict.fromkeys(filter(None, (part.strip() for part in methods.split(",")))))
    for name in names:
        if name not in MODELS:
            raise EvaluationError(f"there is no model {name!r}; there are {', '.join(MODELS)}")
    return names


def _thresholds(given: list[str]) -> float | dict[str, float] | None:
    """One number for all, or numbers by name."""
    named: dict[str, float] = {}
    for part in given:
        name, _, value = part.rpartition("=")
        try:
            number = float(value)
        except ValueError:
            raise EvaluationError(f"--threshold {part!r}: write NUMBER, or NAME=NUMBER") from None
        if not name and len(given) > 1:
            raise EvaluationError("--threshold is given twice; write NAME=NUMBER for each")
        if not name:
            return number
        named[name] = number
    return named or None


def _made(names: list[str], asker: Asker | None, seed: int, trees: Path | None, profile: str) -> list[Method]:
    from pluristats.evaluation.asked import Asking, SafetyAnalyst, untaught

    made: dict[str, Any] = {} if asker is None else {**untaught(Asking(asker, random_seed=seed))}
    if trees is not None:
        from pluristats.extract import load_trees
        from pluristats.features import load_profile

        of_text: dict[Any, Any] = {tree.id: tree for tree in load_trees(trees)}
        made["safetyanalyst"] = SafetyAnalyst(of_text, profile=load_profile(profile), seed=seed)
    return [made[name] for name in names]


def _tell(found: Moderation, told: list[str], as_json: bool) -> None:
    from pluristats.cli.output import print_json, print_table, printable

    table = found.glance()
    if as_json:
        rows = {"rows": table, "comparisons": found.comparisons(), "refusals": found.refusals, "warnings": told}
        print_json({"simulated": found.simulated, **rows})
        return
    if found.simulated:
        print("SIMULATED: these texts or answers were made up; nothing here says anything about a model")
    print_table(table[["method", "n", "n_harmful", "n_refused", "n_unlabelled", "threshold"]])
    print()
    print_table(_with_intervals(table))
    first, *others = (scored.name for scored in found.scored)
    for other in others:
        print(printable(f"\n{first} less {other}, on the texts that count for both:"))
        print_table(found.compare(first, other)[["metric", "difference", "lo", "hi", "n", "reason"]])
    for method, note in zip(table["method"], table["note"], strict=True):
        if note:
            print(printable(f"- {method}: {note}"))
    policy = {"skip": "left out", "harmful": "counted as harmful", "harmless": "counted as harmless"}[found.refusals]
    print(f"Refused and unreadable answers are {policy}. Precision and F1 hold for this share of harmful texts alone.")


def _with_intervals(table: pd.DataFrame) -> pd.DataFrame:
    """A column a metric, with its interval as text; empty where it is not known."""
    from pluristats.evaluation.moderation import METRICS

    def text(row: Any, metric: str) -> str:
        value, low, high = (row[f"{metric}{end}"] for end in ("", "_lo", "_hi"))
        if value != value:
            return ""
        return f"{value:.3f}" + ("" if low != low else f" [{low:.3f}, {high:.3f}]")

    cells = {metric: [text(row, metric) for row in table.to_dict("records")] for metric in METRICS}
    return table[["method"]].assign(**cells)
