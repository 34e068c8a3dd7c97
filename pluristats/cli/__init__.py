"""Command line: its subcommands parse and print, no more."""

from __future__ import annotations

import os
import sys

import typer

from pluristats.cli.data import data_app
from pluristats.cli.diff import diff
from pluristats.cli.evaluate import evaluate
from pluristats.cli.features import features
from pluristats.cli.fit import fit
from pluristats.cli.generate import generate
from pluristats.cli.ladder import ladder, ledger
from pluristats.cli.latent import latent_app
from pluristats.cli.llm import llm_app
from pluristats.cli.moderate import moderate
from pluristats.cli.multiverse import multiverse
from pluristats.cli.report import report
from pluristats.cli.reproduce import reproduce
from pluristats.cli.select import select
from pluristats.errors import PluristatsError

app = typer.Typer(
    name="pluristats",
    help="The statistical workbench for pluralistic human judgement.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(data_app)
app.add_typer(latent_app)
app.add_typer(llm_app)
app.command()(reproduce)
app.command()(diff)
app.command()(evaluate)
app.command()(features)
app.command()(fit)
app.command()(generate)
app.command()(ladder)
app.command()(ledger)
app.command()(moderate)
app.command()(multiverse)
app.command()(report)
app.command()(select)


def main() -> None:
    """Run the command line; an error of ours becomes one sentence on stderr and exit status 1."""
    # Before numpy is loaded: the matrices are small, and threads that wait for each other cost more than they compute.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        app()
    except PluristatsError as error:
        from pluristats.cli.output import printable

        print(printable(f"error: {error}"), file=sys.stderr)
        sys.exit(1)
