"""`pluristats evaluate`: how well methods predict each person's ratings, from the command line."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pluristats.cli import asking
from pluristats.display.frames import csv_text
from pluristats.errors import EvaluationError

if TYPE_CHECKING:
    from pluristats.evaluation import Evaluation
    from pluristats.evaluation.methods import Method
    from pluristats.features import Tree
    from pluristats.llm import Asker

SHOWN = ["method", "setting", "mae", "mae_lo", "mae_hi", "rmse", "spearman", "crps", "n_annotators", "n_refused"]


@asking.with_options
def evaluate(
    data: Annotated[Path, typer.Option(help="Folder or study.yaml of a study.", metavar="PATH")],
    methods: Annotated[
        str, typer.Option(help="statistical, llm, all, or names with commas.", metavar="NAMES")
    ] = "statistical",
    splits: Annotated[int, typer.Option(help="Splits of each setting for methods that ask no model.")] = 20,
    llm_splits: Annotated[int, typer.Option(help="Splits for methods that ask one; each costs.")] = 1,
    seed: Annotated[int, typer.Option(help="Of splits, draws and the endpoint's random numbers.")] = 0,
    jobs: Annotated[int, typer.Option(help="Processes; they change no number.")] = 1,
    refusals: Annotated[
        Literal["skip", "midpoint"], typer.Option(help="Leave refused cells out, or predict 0.5.")
    ] = "skip",
    predictions: Annotated[Path | None, typer.Option(help="CSV of every prediction to write.", metavar="FILE")] = None,
    trees: Annotated[
        Path | None, typer.Option(help="Trees by prompt (.trees.jsonl), for safetyanalyst.", metavar="FILE")
    ] = None,
    k: Annotated[int, typer.Option(help="Exemplars of k-shot.")] = 20,
    exemplars: Annotated[
        Literal["random", "diverse", "nearest"], typer.Option(help="Which exemplars k-shot is shown.")
    ] = "random",
    token_budget: Annotated[int | None, typer.Option(help="Most tokens of exemplars in a request.")] = None,
    *,
    whom: asking.Whom,
    store: Annotated[Path, typer.Option("--store", help="Where answers are kept.", metavar="FILE")] = Path(
        "evaluate.answers.sqlite"
    ),
    as_json: asking.AsJson = False,
) -> None:
    """Judge predictions of each annotator's ratings: mean absolute error on 0-1, per annotator and then averaged.

    Settings are not comparable with each other: in new-prompts nobody's ratings of the test prompts are seen (the
    paper's situation), in new-seeds no variant of a seed stands on both sides, in known-prompts others' ratings are.
    """
    from pluristats.cli.output import warnings_on_stderr
    from pluristats.evaluation import evaluate as judge
    from pluristats.evaluation.methods import statistical
    from pluristats.study import load_study

    plain = {method.name: method for method in statistical()}
    names = _names(methods, list(plain), trees is not None)
    ours = [plain[name] for name in names if name in plain]
    asked = [name for name in names if name not in plain]
    if predictions is not None and predictions.exists():
        raise EvaluationError(f"{predictions} exists already; name another file")
    common: dict[str, Any] = {"seed": seed, "refusals": refusals, "progress": True}
    found: Evaluation | None = None
    with warnings_on_stderr() as told:
        study = load_study(data)
        if ours:
            found = judge(study, ours, splits=splits, n_jobs=jobs, **common)
        if asked:
            with whom.asking(store, seed=seed) as ask:
                askers = _asked(asked, ask.asker(), k, exemplars, token_budget, seed, trees)
                other = judge(study, askers, settings=("new-prompts", "new-seeds"), splits=llm_splits, **common)
            found = other if found is None else found.joined(other)
    assert found is not None, "_names gives at least one"
    if predictions is not None:
        predictions.write_text(csv_text(found.predictions()), encoding="utf-8", newline="")
    _tell(found, told, as_json)


def _names(methods: str, plain: list[str], with_trees: bool) -> list[str]:
    """Names of the methods that are asked for, groups resolved, each once."""
    models = [name for name in LLM if with_trees or not name.startswith("safetyanalyst")]
    groups = {"statistical": plain, "llm": models, "all": plain + models}
    names: list[str] = []
    for name in filter(None, (part.strip() for part in methods.split(","))):
        if name not in groups and name not in plain and name not in LLM:
            known = f"the groups {', '.join(groups)}, and {', '.join([*plain, *LLM])}"
            raise EvaluationError(f"there is no method {name!r}; there are {known}")
        names += groups.get(name, [name])
    if not names:
        raise EvaluationError("no method is given; --methods takes names with commas")
    return list(dict.fromkeys(names))


LLM = (
    "zero-shot",
    "zero-shot-mean",
    "k-shot",
    "k-shot-aggregate",
    "value-profile",
    "value-profile-aggregate",
    "wildguard-class",
    "wildguard-probability",
    "safetyanalyst",
    "safetyanalyst-aggregate",
)
"""Methods that ask a model, or take what one said."""


def _asked(
    names: list[str],
    asker: Asker,
    k: int,
    choice: Literal["random", "diverse", "nearest"],
    token_budget: int | None,
    seed: int,
    trees: Path | None,
) -> list[Method]:
    from pluristats.evaluation.asked import Asking, Exemplars, KShot, SafetyAnalyst, ValueProfile, untaught
    from pluristats.extract import load_trees

    whom = Asking(asker, random_seed=seed)
    shown, all_shown = Exemplars(k, choice, seed, token_budget), Exemplars(None, "random", seed, token_budget)
    if trees is None and any(name.startswith("safetyanalyst") for name in names):
        raise EvaluationError("safetyanalyst needs --trees, the trees of the study's prompts (pluristats features)")
    of_prompt: dict[Hashable, Tree] = {} if trees is None else {tree.id: tree for tree in load_trees(trees)}
    made: dict[str, Any] = {
        **untaught(whom),
        "k-shot": KShot(whom, shown),
        "k-shot-aggregate": KShot(whom, shown, personalised=False, name="k-shot-aggregate"),
        "value-profile": ValueProfile(whom, exemplars=all_shown),
        "value-profile-aggregate": ValueProfile(
            whom, exemplars=all_shown, personalised=False, name="value-profile-aggregate"
        ),
        "safetyanalyst": SafetyAnalyst(of_prompt, by="annotator", seed=seed),
        "safetyanalyst-aggregate": SafetyAnalyst(of_prompt, seed=seed, name="safetyanalyst-aggregate"),
    }
    return [made[name] for name in names]


def _tell(found: Evaluation, told: list[str], as_json: bool) -> None:
    from pluristats.cli.output import print_json, print_table, printable

    table = found.tidy()
    skipped = [vars(one) for one in found.skipped]
    if as_json:
        print_json({"simulated": found.simulated, "rows": table, "skipped": skipped, "warnings": told})
        return
    if found.simulated:
        print("SIMULATED DATA: these ratings were made up; nothing here says anything about people")
    if table["note"].str.contains("SIMULATED").any():
        print("SIMULATED ANSWERS: no language model answered; rows that say so prove the plumbing and nothing else")
    told_by = table[table["mae"].notna()]
    if len(told_by):
        print_table(told_by[SHOWN])
    for method, note in dict.fromkeys(zip(told_by["method"], told_by["note"], strict=True)):
        if note:
            print(printable(f"- {method}: {note}"))
    for one in skipped:
        print(printable(f"skipped: {one['method']} in {one['setting']}: {one['reason']}"))
    print("Settings are not comparable with each other; known-prompts and oracle have seen others' ratings.")
