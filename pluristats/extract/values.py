"""Values, rights and duties of prompts, asked of a chat model: one question a text, its answer as a table of items.

It is the other way to a table of items beside KALEIDO (`pluristats.values`): any model can be asked, and its numbers
are what it says, not what it would assign to its words.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from pluristats.display.shown import Displayed, Shown
from pluristats.llm import Asker, ChatClient, ChatRequest, Completed, Run
from pluristats.llm.structured import jsons
from pluristats.texts.answers import STATUS, answer_cells
from pluristats.texts.templates import Template, load_template
from pluristats.values import Filtered, Thresholds, filter_items
from pluristats.values.filter import Embed
from pluristats.values.items import VALENCE, VRD

# How far supports + opposes + either may be from 1 to count as rounded.
ROUNDED = 0.05


@dataclass(frozen=True)
class Item:
    """A value, right or duty that bears on a prompt.

    Parameters
    ----------
    vrd
        Value, Right or Duty.
    text
        The model's words.
    relevance
        From 0 to 1.
    supports, opposes, either
        From 0 to 1, of sum 1.
    explanation
        The model's words, or None.
    """

    vrd: str
    text: str
    relevance: float
    supports: float
    opposes: float
    either: float
    explanation: str | None = None


def read_items(text: str) -> tuple[Item, ...]:
    """Items in an answer: the first JSON list of objects in it.

    ``supports``, ``opposes`` and ``either`` that miss a sum of 1 by at most 0.05 are divided by it. An empty list is an
    answer.

    Raises
    ------
    ValueError
        There is no such list, or an item of it does not fit; the model is then asked again.
    """
    for content in jsons(text):
        found = (
            next((v for v in content.values() if isinstance(v, list)), None) if isinstance(content, dict) else content
        )
        if isinstance(found, list):
            return tuple(_item(entry, i) for i, entry in enumerate(found))
    raise ValueError("there is no JSON list of values, rights and duties in the answer")


def _item(entry: Any, place: int) -> Item:
    if not isinstance(entry, dict):
        raise ValueError(f"item {place} is no object")
    vrd = str(entry.get("vrd")).strip().capitalize()
    if vrd not in VRD:
        raise ValueError(f"item {place}: vrd is none of Value, Right, Duty")
    words = entry.get("text")
    if not isinstance(words, str) or not words.strip():
        raise ValueError(f"item {place}: text is empty")
    numbers = [_probability(entry, name, place) for name in ("relevance", *VALENCE)]
    total = sum(numbers[1:])
    if abs(total - 1) > ROUNDED:
        raise ValueError(f"item {place}: supports, opposes and either add up to {total:.2f}, not to 1")
    explanation = entry.get("explanation")
    supports, opposes, either = (number / total for number in numbers[1:])
    told = explanation if isinstance(explanation, str) else None
    return Item(vrd, words.strip(), numbers[0], supports, opposes, either, told)


def _probability(entry: Mapping[str, Any], name: str, place: int) -> float:
    value = entry.get(name)
    number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    if not 0 <= number <= 1:
        raise ValueError(f"item {place}: {name} is no number from 0 to 1")
    return number


@dataclass(frozen=True, eq=False)
class ValuePlan:
    """Texts as requests, in their order.

    Parameters
    ----------
    texts
        What to analyse.
    model
        As the endpoint knows it.
    template
        With the field ``{text}``; ``generation/values.txt`` by default.
    temperature, top_p, max_tokens, random_seed, extra
        As in `ChatRequest`.
    """

    texts: Sequence[str]
    model: str
    template: Template | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = 4000
    random_seed: int | None = 0
    extra: Mapping[str, Any] | None = None

    def __len__(self) -> int:
        return len(self.texts)

    def __iter__(self) -> Iterator[ChatRequest]:
        template = self.template or load_template("values", ("text",))
        for text in self.texts:
            yield template.request(
                self.model,
                {"text": text},
                temperature=self.temperature,
                top_p=self.top_p,
                max_tokens=self.max_tokens,
                seed=self.random_seed,
                extra=self.extra,
            )


@dataclass(frozen=True, eq=False)
class ExtractedValues(Displayed):
    """What became of the questions.

    Parameters
    ----------
    units
        ``unit`` (identifier) and ``text`` of what was asked about.
    run
        Of the client.
    """

    units: pd.DataFrame
    run: Run

    def __repr__(self) -> str:
        told = ", ".join(f"{count:,} {status}" for status, count in self.counts().items() if count)
        return f"<ExtractedValues: {len(self.units):,} texts, {told}{', SIMULATED' if self.simulated else ''}>"

    def _shown(self) -> Shown:
        counts = pd.DataFrame(list(self.counts().items()), columns=["status", "texts"])
        title = f"Values, rights and duties of {len(self.units):,} texts"
        return Shown(title=title, simulated=self.simulated, tables=(("What became of the questions", counts),))

    @property
    def simulated(self) -> bool:
        """Whether any answer came from a simulated endpoint."""
        return self.run.simulated

    def counts(self) -> dict[str, int]:
        """Texts by status, every status named."""
        found = self.tidy()["status"].value_counts()
        return {status: int(found.get(status, 0)) for status in STATUS.values()}

    def tidy(self) -> pd.DataFrame:
        """One row a text, whatever came of it.

        Columns: ``unit``, ``status`` (ok, refused, failed, not asked), ``reason``, ``items`` (how many),
        ``asked_again``, ``answered_by``, ``prompt_tokens``, ``completion_tokens``, ``simulated``, ``key``.
        """
        return self._tables[0]

    def answered(self) -> list[str]:
        """Identifiers of the texts that have an answer, whether it names items or not."""
        table = self.tidy()
        return list(table.loc[table["status"].eq("ok"), "unit"])

    def items(self) -> pd.DataFrame:
        """One row an item, in the order of the texts and within them of the answer.

        Columns: ``prompt`` (the unit), ``vrd``, ``text``, ``relevance``, ``supports``, ``opposes``, ``either``,
        ``explanation``, ``simulated``.
        """
        return self._tables[1]

    def filter(self, thresholds: Thresholds, embed: Embed | None = None) -> Filtered:
        """The items that are relevant, each thing said once: the filter that KALEIDO's items pass.

        A chat model's relevance is a number that it writes, so thresholds are for you to choose.

        Parameters
        ----------
        thresholds, embed
            As in `filter_items`.
        """
        return filter_items(self.items(), thresholds, embed)

    @cached_property
    def _tables(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        rows, items = [], []
        for unit, outcome in zip(self.units["unit"], self.run, strict=True):
            found = outcome.parsed if isinstance(outcome, Completed) else ()
            cells: dict[str, Any] = {"unit": unit, **answer_cells(outcome)}
            rows.append(cells | {"items": len(found), "asked_again": getattr(outcome, "repairs", 0)})
            items += [{"prompt": unit, **vars(item), "simulated": cells["simulated"]} for item in found]
        names = ["unit", "status", "reason", "items", "asked_again", "answered_by"]
        names += ["prompt_tokens", "completion_tokens", "simulated", "key"]
        table = pd.DataFrame(rows, dtype=object)[names].astype({"items": int, "asked_again": int, "simulated": bool})
        if table["simulated"].any():
            table["simulated"] = True
        columns = ["prompt", *Item.__dataclass_fields__, "simulated"]
        kinds = {name: float for name in ("relevance", *VALENCE)} | {"simulated": bool}
        return table, pd.DataFrame(items, columns=columns, dtype=object).astype(kinds)


def extract_values(
    units: pd.DataFrame, asker: Asker, *, repairs: int = 2, progress: bool = True, **settings: Any
) -> ExtractedValues:
    """Ask for the values, rights and duties of every text what the store does not hold yet.

    Parameters
    ----------
    units
        ``unit`` and ``text``, as `Prompts.units` gives them.
    asker
        A client, or a `BatchRunner`.
    repairs
        How often an answer of another form is asked for again.
    progress
        Show rate, remaining time and spend.
    settings
        Of `ValuePlan`: ``template``, ``temperature``, ``max_tokens``, ….

    Raises
    ------
    LLMStopped
        The run could not end; what was answered is stored, the same call goes on.
    """
    plan = ValuePlan(list(units["text"]), asker.endpoint.model, **settings)
    return ExtractedValues(
        units, asker.run(plan, validate=read_items, repairs=repairs, progress=progress, what="values")
    )


def collect_values(units: pd.DataFrame, client: ChatClient, *, repairs: int = 2, **settings: Any) -> ExtractedValues:
    """What the store already holds of these values; nothing is sent (parameters as `extract_values`)."""
    plan = ValuePlan(list(units["text"]), client.endpoint.model, **settings)
    return ExtractedValues(units, client.collect(plan, validate=read_items, repairs=repairs))
