"""Harm-benefit trees of prompts, asked of a chat model: harms and benefits apart, read tolerantly, nothing missing.

Each side is one question a text, as SafetyAnalyst does it. An answer with anything malformed is asked for again
(``repairs`` times); what is malformed to the end is read as far as it can be, and the tree says that it is incomplete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from pluristats.display.shown import Displayed, Shown
from pluristats.errors import GenerateError, TreeError
from pluristats.extract.tree_plan import TreePlan
from pluristats.features import Parsed, Tree, parse_tree, tree_features
from pluristats.features.trees import SIDES, Side
from pluristats.llm import Asker, ChatClient, Completed, Failed, Outcome, Run
from pluristats.texts.answers import answer_cells

# From best to worst; a tree is as good as the worse of its sides.
_ORDER = ("ok", "incomplete", "refused", "failed", "not asked")


@dataclass(frozen=True, eq=False)
class ExtractedTrees(Displayed):
    """What became of the questions; trees are read from the store when they are looked at, so it must stay open.

    Parameters
    ----------
    units
        ``unit`` (identifier) and ``text`` of what was analysed.
    runs
        The client's runs by side, each with an outcome a unit and sample.
    samples
        Trees a unit.
    strict
        Whether malformed parts were asked for again.
    """

    units: pd.DataFrame
    runs: Mapping[Side, Run]
    samples: int = 1
    strict: bool = True

    def __repr__(self) -> str:
        told = ", ".join(f"{count:,} {status}" for status, count in self.counts().items() if count)
        return f"<ExtractedTrees: {len(self.units):,} texts, {told}{', SIMULATED' if self.simulated else ''}>"

    def _shown(self) -> Shown:
        counts = pd.DataFrame(list(self.counts().items()), columns=["status", "texts"])
        title = f"Harm-benefit trees of {len(self.units):,} texts"
        return Shown(title=title, simulated=self.simulated, tables=(("What became of the questions", counts),))

    def tidy(self) -> pd.DataFrame:
        """One row a text and sample, whatever came of it.

        Columns: ``unit``, ``sample``; ``status``, the worse of both sides' (ok, incomplete: something malformed is
        left out, refused, failed, not asked); of each side ``harms_status``, ``harms_reason`` (of an incomplete one
        the first problem), ``harms_problems`` (how many), ``harms_mended`` (places of the JSON), ``harms_asked_again``,
        ``harms_leaves``, ``harms_unknown`` (labels in no category), ``harms_answered_by``, ``harms_prompt_tokens``,
        ``harms_completion_tokens``, ``harms_key``, and the same of ``benefits_``; ``simulated``.
        """
        return self._table

    @cached_property
    def _table(self) -> pd.DataFrame:
        rows = []
        for i, read in enumerate(self._read()):
            row: dict[str, Any] = {"unit": self.units["unit"].iloc[i // self.samples], "sample": i % self.samples}
            row["status"] = max((side.status for side in read.values()), key=_ORDER.index)
            for name, side in read.items():
                row |= {f"{name}_{key}": value for key, value in side.cells().items()}
            row["simulated"] = any(side.simulated for side in read.values())
            rows.append(row)
        table = pd.DataFrame(rows, dtype=object).astype({"sample": int, "simulated": bool})
        if table["simulated"].any():
            table["simulated"] = True  # what has no answer was asked of the simulated endpoint too
        return table

    @property
    def simulated(self) -> bool:
        """Whether any answer came from a simulated endpoint."""
        return any(run.simulated for run in self.runs.values())

    def counts(self) -> dict[str, int]:
        """Trees by status, every status named."""
        found = self.tidy()["status"].value_counts()
        return {status: int(found.get(status, 0)) for status in _ORDER}

    def trees(self, sides: Sequence[Side] | None = None) -> Iterator[Tree | None]:
        """The tree of every unit and sample; None where one of these sides has no answer.

        Parameters
        ----------
        sides
            Which must be there and are taken; by default all that were asked.
        """
        wanted = tuple(self.runs) if sides is None else tuple(sides)
        for i, read in enumerate(self._read(wanted)):
            unit = self.units.iloc[i // self.samples]
            parsed = [side.parsed for side in read.values()]
            if any(part is None for part in parsed):
                yield None
                continue
            who = tuple(who for part in parsed if part is not None for who in part.tree.stakeholders)
            yield Tree(who, unit["text"], str(unit["unit"]), any(side.simulated for side in read.values()))

    def features(self, **settings: Any) -> pd.DataFrame:
        """The release's ``action_*`` and ``effect_*`` (`tree_features`), one row a unit with at least one tree.

        Several samples of a unit are counted together. Only harms are needed unless ``effects_of`` says otherwise.

        Parameters
        ----------
        settings
            Of `tree_features`: ``actions``, ``effects``, ``effects_of``.
        """
        sides: tuple[Side, ...] = ("harms",) if settings.get("effects_of", "harms") == "harms" else SIDES
        found = [tree for tree in self.trees(sides) if tree is not None]
        table = tree_features(found, [tree.id for tree in found], **settings)
        return table.rename(columns={"tree": "unit"})

    def _read(self, sides: Sequence[Side] | None = None) -> Iterator[dict[Side, _Side]]:
        runs = {side: self.runs[side] for side in (self.runs if sides is None else sides)}
        for outcomes in zip(*runs.values(), strict=True):
            yield {side: _side(outcome, side) for side, outcome in zip(runs, outcomes, strict=True)}


@dataclass(frozen=True)
class _Side:
    """One side's answer: its status, what was read of it, and its row of `answer_cells`."""

    status: str
    parsed: Parsed | None
    answer: Mapping[str, Any]
    asked_again: int

    @property
    def simulated(self) -> bool:
        return bool(self.answer["simulated"])

    def cells(self) -> dict[str, Any]:
        parsed = self.parsed
        return {
            "status": self.status,
            "reason": parsed.problems[0] if parsed is not None and parsed.problems else self.answer["reason"],
            "problems": None if parsed is None else len(parsed.problems),
            "mended": None if parsed is None else parsed.repairs,
            "asked_again": self.asked_again,
            "leaves": None if parsed is None else parsed.leaves,
            "unknown": None if parsed is None else sum(parsed.unknown.values()),
        } | {name: self.answer[name] for name in ("answered_by", "prompt_tokens", "completion_tokens", "key")}


def _side(outcome: Outcome, side: Side) -> _Side:
    answer = answer_cells(outcome)
    parsed = None
    text = outcome.text if isinstance(outcome, Completed | Failed) else None
    if text is not None:
        try:
            parsed = reader(side, strict=False)(text)
        except TreeError:
            parsed = None  # not even a list: the outcome's own reason says so
    status = answer["status"] if parsed is None else "incomplete" if parsed.problems else "ok"
    return _Side(status, parsed, answer, getattr(outcome, "repairs", 0))


def reader(side: Side, *, strict: bool = True) -> Callable[[str], Parsed]:
    """A function from an answer's text to what can be read of it (`parse_tree`), for `ChatClient.run`.

    Parameters
    ----------
    side
        What was asked for.
    strict
        Raise for anything malformed, so that the model is asked again.
    """
    if side == "harms":
        return lambda text: parse_tree(text, None, strict=strict)
    return lambda text: parse_tree(None, text, strict=strict)


def extract_trees(
    units: pd.DataFrame,
    askers: Asker | Mapping[Side, Asker],
    *,
    strict: bool = True,
    repairs: int = 2,
    progress: bool = True,
    **settings: Any,
) -> ExtractedTrees:
    """Ask for the harms and benefits of every text what the store does not hold yet.

    Parameters
    ----------
    units
        ``unit`` and ``text``, as `Prompts.units` gives them.
    askers
        A client for both sides, or one a side: ``{"harms": client}`` asks for harms alone, and SafetyAnalyst's own
        models are one a side.
    strict, repairs
        Whether a malformed part counts as a malformed answer, and how often such an answer is asked for again.
    progress
        Show rate, remaining time and spend.
    settings
        Of `TreePlan`: ``samples``, ``temperature``, ``max_tokens``, …; ``templates`` by side.

    Raises
    ------
    LLMStopped
        The run could not end; what was answered is stored, the same call goes on.
    """
    by_side = askers if isinstance(askers, Mapping) else dict.fromkeys(SIDES, askers)
    return _gather(
        units,
        by_side,
        lambda asker, plan, side: asker.run(
            plan, validate=reader(side, strict=strict), repairs=repairs, progress=progress, what=side
        ),
        strict,
        settings,
    )


def collect_trees(
    units: pd.DataFrame,
    clients: ChatClient | Mapping[Side, ChatClient],
    *,
    strict: bool = True,
    repairs: int = 2,
    **settings: Any,
) -> ExtractedTrees:
    """What the store already holds of these trees; nothing is sent (parameters as `extract_trees`)."""
    by_side = clients if isinstance(clients, Mapping) else dict.fromkeys(SIDES, clients)
    return _gather(
        units,
        by_side,
        lambda client, plan, side: client.collect(plan, validate=reader(side, strict=strict), repairs=repairs),
        strict,
        settings,
    )


def _gather(
    units: pd.DataFrame, by_side: Mapping[Side, Any], ask: Callable[..., Run], strict: bool, settings: dict[str, Any]
) -> ExtractedTrees:
    if not by_side or set(by_side) - set(SIDES):
        raise GenerateError(f"sides are harms and benefits, not {', '.join(map(str, by_side)) or 'none'}")
    templates = settings.pop("templates", {})
    runs: dict[Side, Run] = {}
    for side in SIDES:
        if side in by_side:
            model = by_side[side].endpoint.model
            plan = TreePlan(list(units["text"]), side, model, templates.get(side), **settings)
            runs[side] = ask(by_side[side], plan, side)
    return ExtractedTrees(units, runs, settings.get("samples", 1), strict)
