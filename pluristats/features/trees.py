"""Harm-benefit trees as typed objects: who is affected, by which actions, with which effects.

A tree is what a model writes about a prompt, kept in its own words: categories are found when a tree is flattened
(:mod:`pluristats.features.leaves`) or counted, by the rules of :mod:`pluristats.features.taxonomy`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from pluristats.display.shown import Displayed, Shown, mark

Side = Literal["harms", "benefits"]
SIDES: tuple[Side, ...] = ("harms", "benefits")


@dataclass(frozen=True, slots=True)
class Effect:
    """A leaf: one effect of an action on a stakeholder.

    Parameters
    ----------
    label
        The model's words, such as "2. Physical health risks".
    likelihood
        ``low`` (below 30 %), ``medium``, ``high`` (above 70 %); any other word counts as unknown.
    extent
        ``minor``, ``significant``, ``substantial``, ``major``; any other word counts as unknown.
    immediate
        Short-term (True) or downstream (False); None is unknown.
    """

    label: str
    likelihood: str
    extent: str
    immediate: bool | None


@dataclass(frozen=True, slots=True)
class Action:
    """What may be done, harmful or beneficial, and its effects.

    Parameters
    ----------
    label
        The model's words: a category of the taxonomy for harms, free text for benefits.
    effects
        In the order given; may be empty.
    """

    label: str
    effects: tuple[Effect, ...]


@dataclass(frozen=True, slots=True)
class Stakeholder:
    """A person, group or institution that may be affected.

    Parameters
    ----------
    name
        The model's words.
    harms, benefits
        Actions that harm or benefit this stakeholder.
    """

    name: str
    harms: tuple[Action, ...] = ()
    benefits: tuple[Action, ...] = ()

    def actions(self, side: Side) -> tuple[Action, ...]:
        """Harmful or beneficial actions."""
        return self.harms if side == "harms" else self.benefits


@dataclass(frozen=True, slots=True)
class Tree(Displayed):
    """What a model says may come of answering a prompt.

    Parameters
    ----------
    stakeholders
        In the order given. One may stand twice, once with harms and once with benefits, as models are asked twice.
    prompt
        The prompt's text.
    id
        How tables name it; "" is its place among the trees.
    simulated
        Whether a simulated model wrote it.
    """

    stakeholders: tuple[Stakeholder, ...]
    prompt: str = ""
    id: str = ""
    simulated: bool = False

    def __repr__(self) -> str:
        effects = sum(len(action.effects) for _, _, action in self.branches())
        named = f" {self.id!r}" if self.id else ""
        simulated = mark(self.simulated)
        return f"<Tree{named}: {len(self.stakeholders):,} stakeholders, {effects:,} effects{simulated}>"

    def _shown(self) -> Shown:
        import pandas as pd

        rows = [
            (who.name, side, action.label, effect.label, effect.likelihood, effect.extent, effect.immediate)
            for who, side, action in self.branches()
            for effect in action.effects or (Effect("", "", "", None),)
        ]
        columns = ["stakeholder", "side", "action", "effect", "likelihood", "extent", "immediate"]
        return Shown(
            "What may come of answering a prompt",
            self.simulated,
            lines=tuple(text for text in (self.id, self.prompt[:500]) if text),
            tables=(("Branches", pd.DataFrame(rows, columns=columns, dtype=object)),),
        )

    def branches(self) -> Iterator[tuple[Stakeholder, Side, Action]]:
        """Stakeholder, side and action of every branch, in order, harms of a stakeholder first."""
        for who in self.stakeholders:
            for action in who.harms:
                yield who, "harms", action
            for action in who.benefits:
                yield who, "benefits", action

    def to_json(self) -> dict[str, Any]:
        """Plain data that ``json.dumps`` writes and :func:`tree_from_json` reads."""
        return {
            "id": self.id,
            "prompt": self.prompt,
            "simulated": self.simulated,
            "stakeholders": [
                {"stakeholder": who.name, **{side: [_action(a) for a in who.actions(side)] for side in SIDES}}
                for who in self.stakeholders
            ],
        }

    def answer(self, side: Side) -> list[dict[str, Any]]:
        """Harms or benefits in the form that models are asked for: a list of stakeholders with that key."""
        found = [{"stakeholder": w.name, side: [_action(a) for a in w.actions(side)]} for w in self.stakeholders]
        return [entry for entry in found if entry[side]]


def _action(action: Action) -> dict[str, Any]:
    return {
        "action": action.label,
        "effects": [
            {"effect": e.label, "immediacy": e.immediate, "extent": e.extent, "likelihood": e.likelihood}
            for e in action.effects
        ],
    }
