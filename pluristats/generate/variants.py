"""Variants: every seed at every harm level, asked of a chat model, as one tidy table."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from pathlib import Path
from typing import Any

import pandas as pd

from pluristats.display.shown import Displayed, Shown, mark
from pluristats.errors import GenerateError
from pluristats.generate.checks import Checks, check_variants
from pluristats.generate.seeds import Seeds
from pluristats.llm import Asker, ChatClient, ChatRequest, Run
from pluristats.texts.answers import STATUS, answer_cells
from pluristats.texts.files import check_place, write_table
from pluristats.texts.templates import Template, load_template

LEVELS = tuple(i / 10 for i in range(11))
FIELDS = ("level", "text")
COLUMNS = ["seed", "level", "text", "status", "reason", "finish_reason", "model", "answered_by", "fingerprint"]
COLUMNS += ["simulated", "template", "template_sha256", "prompt_tokens", "completion_tokens", "repetition", "key"]
COLUMNS += ["seed_text"]
"""Columns of the table; the seeds' own follow."""


@dataclass(frozen=True, eq=False)
class Plan:
    """Seeds × levels as requests: what `ChatClient.run`, `dry_run` and `collect` take.

    It has a length and can be gone through again; the order is that of the seeds, and of the levels within each.

    Parameters
    ----------
    seeds
        What to make variants of.
    model
        As the endpoint knows it.
    levels
        Distinct numbers from 0 to 1, taken to four decimals.
    template
        With the fields ``{level}`` and ``{text}``.
    temperature, top_p, max_tokens, random_seed, extra
        As in `ChatRequest` (``random_seed`` is its ``seed``); None is not sent. All are part of the request's key.
    repetition
        Another number asks for other variants of the same seeds; part of the key, not sent.

    Raises
    ------
    GenerateError
        For levels that are not such numbers, or seeds with a column that the table of variants has itself.
    """

    seeds: Seeds
    model: str
    levels: Sequence[float] = LEVELS
    template: Template = field(default_factory=lambda: load_template("variant", FIELDS))
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = 1000
    random_seed: int | None = 0
    extra: Mapping[str, Any] | None = None
    repetition: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "levels", _levels(self.levels))
        taken = [name for name in self.seeds.table.columns[2:] if name in COLUMNS]
        if taken:
            raise GenerateError(
                f"{self.seeds.source}: column {taken[0]!r} has a name that the table of variants uses itself; rename it"
            )

    def __len__(self) -> int:
        return len(self.seeds) * len(self.levels)

    def __iter__(self) -> Iterator[ChatRequest]:
        return (self._request(text, level) for text in self.seeds.table["text"] for level in self.levels)

    def _request(self, text: str, level: float) -> ChatRequest:
        return self.template.request(
            self.model,
            {"level": level_text(level), "text": text},
            temperature=self.temperature,
            top_p=self.top_p,
            max_tokens=self.max_tokens,
            seed=self.random_seed,
            sample=self.repetition,
            extra=self.extra,
        )


@dataclass(frozen=True, eq=False)
class Variants(Displayed):
    """What became of a plan.

    Parameters
    ----------
    table
        One row a seed and level, in the plan's order, whatever came of it: see `tidy`.
    run
        Of the client: counts, drift.
    """

    table: pd.DataFrame
    run: Run

    def __repr__(self) -> str:
        told = ", ".join(f"{count:,} {status}" for status, count in self.counts().items() if count)
        simulated = mark(self.simulated)
        return f"<Variants: {len(set(self.table['seed'])):,} seeds, {told}{simulated}>"

    def _shown(self) -> Shown:
        counts = pd.DataFrame(list(self.counts().items()), columns=["status", "variants"])
        columns = ["seed", "level", "text", "status", "reason"]
        return Shown(
            title=f"Variants of {len(set(self.table['seed'])):,} seeds",
            simulated=self.simulated,
            tables=(("What became of them", counts), ("First rows", self.table[columns].head())),
        )

    def tidy(self) -> pd.DataFrame:
        """The table, one row a seed and level.

        Columns: ``seed``, ``level``; ``text`` (the answer as it came; missing unless ``status`` is ok); ``status`` (ok,
        refused, failed, not asked) with ``reason``; ``finish_reason`` ("length": cut at ``max_tokens``); ``model`` that
        was asked, ``answered_by`` and ``fingerprint`` as the endpoint named them; ``simulated``; ``template``,
        ``template_sha256``; ``prompt_tokens``, ``completion_tokens``; ``repetition``; ``key`` in the store;
        ``seed_text`` and the seeds' other columns.
        """
        return self.table

    @property
    def simulated(self) -> bool:
        """Whether any variant came from a simulated endpoint."""
        return bool(self.table["simulated"].any())

    def counts(self) -> dict[str, int]:
        """Rows by status, every status named."""
        found = self.table["status"].value_counts()
        return {status: int(found.get(status, 0)) for status in STATUS.values()}

    def checks(self, **settings: Any) -> Checks:
        """`check_variants` of the table."""
        return check_variants(self.table, **settings)

    def write(self, path: str | Path, *, force: bool = False) -> Path:
        """Write the table as Parquet, JSONL or CSV (by the ending), whole or not at all.

        Raises
        ------
        GenerateError
            The place cannot be written, or holds another file (unless ``force``).
        """
        path = Path(path)
        check_place(path, COLUMNS, force)
        write_table(self.table, path, {"kind": "variants", "simulated": self.simulated, **self.counts()})
        return path


def generate_variants(
    seeds: Seeds, client: Asker, *, retry_failed: bool = False, progress: bool = True, **settings: Any
) -> Variants:
    """Ask for every seed at every level what the client's store does not hold yet.

    Parameters
    ----------
    seeds
        From `load_seeds` or `load_air_bench`.
    client
        Its endpoint names the model, its store keeps the answers, its limits hold the budget. A `BatchRunner` of it
        asks at half the price.
    retry_failed
        Ask again what failed for good in an earlier run.
    progress
        Show rate, remaining time and spend.
    settings
        Of `Plan`: ``levels``, ``template``, ``temperature``, ``max_tokens``, ….

    Raises
    ------
    GenerateError
        For settings that do not fit.
    LLMStopped
        The run could not end; what was answered is stored, the same call goes on, `collect_variants` gives what is
        there.
    """
    plan = Plan(seeds, client.endpoint.model, **settings)
    run = client.run(plan, retry_failed=retry_failed, progress=progress, what="variants")
    return tabulate(plan, run)


def collect_variants(seeds: Seeds, client: ChatClient, **settings: Any) -> Variants:
    """What the store already holds, with ``status`` "not asked" for the rest; nothing is sent.

    Parameters
    ----------
    seeds, client, settings
        As in `generate_variants`.
    """
    plan = Plan(seeds, client.endpoint.model, **settings)
    return tabulate(plan, client.collect(plan))


def tabulate(plan: Plan, run: Run) -> Variants:
    """The outcomes of a plan as `Variants`."""
    template, seeds = plan.template, plan.seeds.table
    # As objects: pandas 3's own text cannot hold half a surrogate pair, which an answer can.
    answers = pd.DataFrame([answer_cells(outcome) for outcome in run], dtype=object).astype({"simulated": bool})
    of_seed = seeds.loc[seeds.index.repeat(len(plan.levels))].reset_index(drop=True)
    asked: dict[str, Any] = {
        "seed": of_seed["seed"],
        "level": list(plan.levels) * len(seeds),
        "model": plan.model,
        "template": template.name,
        "template_sha256": template.sha256,
        "repetition": plan.repetition,
        "seed_text": of_seed["text"],
    }
    table = answers.assign(**asked)[COLUMNS].astype({"prompt_tokens": "Int64", "completion_tokens": "Int64"})
    if table["simulated"].any():
        table["simulated"] = True  # what has no answer was asked of the simulated endpoint too
    return Variants(pd.concat([table, of_seed.iloc[:, 2:]], axis="columns"), run)


def level_text(level: float) -> str:
    """A level as the prompt says it: 0.0, 0.3, 0.25, 1.0."""
    text = f"{level:.4f}".rstrip("0")
    return f"{text}0" if text.endswith(".") else text


def _levels(levels: Sequence[float]) -> tuple[float, ...]:
    found = []
    for level in levels:
        number = isinstance(level, Real) and not isinstance(level, bool) and math.isfinite(level)
        if not number or not 0 <= round(level, 4) <= 1:
            raise GenerateError(f"harm level {level!r} is not a number from 0 to 1")
        found.append(round(float(level), 4) + 0.0)  # + 0.0: -0.0 is 0
    if not found:
        raise GenerateError("there are no harm levels; give at least one number from 0 to 1")
    if len(set(found)) < len(found):
        raise GenerateError(f"harm levels {', '.join(map(level_text, found))} hold one twice (to four decimals)")
    return tuple(found)
