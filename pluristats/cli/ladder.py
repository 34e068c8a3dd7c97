"""`pluristats ladder` and `pluristats ledger`: RQ4 and the reproduction ledger."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from pluristats.lasso import LassoRule

Data = Annotated[Path, typer.Option(help="Folder or study.yaml of a study.", metavar="PATH")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else on stdout.")]
Penalty = Annotated[
    str,
    typer.Option(
        help="Penalty of the Lasso, the same for all models: bic, cv, or a number. Mixed models select nothing.",
        metavar="RULE",
    ),
]


def ladder(
    data: Data,
    spec: Annotated[
        Literal["published", "common-rows", "mixed"],
        typer.Option(help="Each model on its own rows, all on common rows, or mixed models on common rows."),
    ] = "published",
    random: Annotated[
        str, typer.Option(help="Random part of --spec mixed.", metavar="TERMS")
    ] = "(1|annotator) + (1|prompt)",
    penalty: Penalty = "bic",
    as_json: Json = False,
) -> None:
    """Compare the null and Models 1-6 by BIC; delta_bic is the step from the row above."""
    from pluristats.analysis import bic_ladder
    from pluristats.cli.output import print_json, print_table, warnings_on_stderr
    from pluristats.study import load_study

    by = rule(penalty)
    study = load_study(data)
    with warnings_on_stderr():
        result = bic_ladder(study, spec, random=random, rule=by)
    table = result.table
    first = ["model", "nobs", "n_params", "bic", "delta_bic"]
    table = table[first + [column for column in table.columns if column not in first]]
    if as_json:
        print_json(table)
        return
    print(f"BIC ladder, {result.label}" + (" (SIMULATED DATA)" if result.simulated else ""))
    print_table(table.drop(columns=["terms", "loglik"]))
    for note in result.notes:
        print(f"- {note}")


def ledger(data: Data, penalty: Penalty = "bic", as_json: Json = False) -> None:
    """Compare every published figure with ours: exact, close, found by search, not reproduced, not tried."""
    from pluristats.analysis import reproduction_ledger
    from pluristats.cli.output import print_json, print_table, warnings_on_stderr
    from pluristats.study import load_study

    by = rule(penalty)
    study = load_study(data)
    with warnings_on_stderr():
        result = reproduction_ledger(study, rule=by)
    if as_json:
        print_json(result.table)
        return
    if result.simulated:
        print("SIMULATED DATA: nothing here can be compared with the published figures.")
    print_table(result.table[["claim", "published", "ours", "verdict", "nobs", "common_rows"]])
    print("The choices behind each figure are in the output of --json, column choices.")


def rule(penalty: str) -> LassoRule:
    """Read ``bic``, ``cv`` or a number as a rule.

    Raises
    ------
    typer.BadParameter
        For anything else.
    """
    from pluristats.lasso import LassoRule

    if penalty in ("bic", "cv"):
        return LassoRule(penalty="bic" if penalty == "bic" else "cv")
    try:
        return LassoRule(penalty=float(penalty))
    except ValueError as error:
        raise typer.BadParameter(f"--penalty is bic, cv or a number not below 0, not {penalty!r}") from error
