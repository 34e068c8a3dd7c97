"""The questions that ask for harm-benefit trees: texts × samples, one side at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pluristats.errors import GenerateError
from pluristats.features.taxonomy import ACTIONS, BENEFIT_KINDS, EFFECTS, HARM_KINDS, KINDS
from pluristats.features.trees import Side
from pluristats.llm import ChatRequest
from pluristats.texts.templates import Template, load_template

TEMPLATES: Mapping[Side, str] = {"harms": "harm-tree", "benefits": "benefit-tree"}
_OPTIONAL = ("actions", "effects")


def load_tree_template(name: str, side: Side) -> Template:
    """Template that asks for one side: by name from ``generation/``, or a ``.txt`` file.

    Its field is ``{text}``; ``{actions}`` and ``{effects}``, where it has them, are filled with the taxonomy.

    Raises
    ------
    GenerateError
        As `load_template`.
    """
    return load_template(name or TEMPLATES[side], ("text",), _OPTIONAL)


@dataclass(frozen=True, eq=False)
class TreePlan:
    """Texts × samples as requests for one side, in the order of the texts.

    Parameters
    ----------
    texts
        What to analyse.
    side
        ``harms`` or ``benefits``.
    model
        As the endpoint knows it.
    template
        From `load_tree_template`; the packaged one by default.
    samples
        How many trees a text; the counts of several can be added (`ExtractedTrees.features`).
    temperature, top_p, max_tokens, random_seed, extra
        As in `ChatRequest`; sample s is asked with the seed ``random_seed + s``.
    """

    texts: Sequence[str]
    side: Side
    model: str
    template: Template | None = None
    samples: int = 1
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = 8000
    random_seed: int | None = 0
    extra: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.samples < 1:
            raise GenerateError(f"samples is {self.samples}; it is at least 1")
        if self.template is None:
            object.__setattr__(self, "template", load_tree_template("", self.side))

    def __len__(self) -> int:
        return len(self.texts) * self.samples

    def __iter__(self) -> Iterator[ChatRequest]:
        return (self._request(text, sample) for text in self.texts for sample in range(self.samples))

    def _request(self, text: str, sample: int) -> ChatRequest:
        assert self.template is not None, "__post_init__ gives one"
        return self.template.request(
            self.model,
            {"text": text, "actions": _listed(ACTIONS, KINDS), "effects": _effects(self.side)},
            temperature=self.temperature,
            top_p=self.top_p,
            max_tokens=self.max_tokens,
            seed=None if self.random_seed is None else self.random_seed + sample,
            sample=sample,
            extra=self.extra,
        )


def _effects(side: Side) -> str:
    return _listed(EFFECTS, HARM_KINDS if side == "harms" else BENEFIT_KINDS)


def _listed(order: Sequence[str], kinds: Mapping[str, Sequence[str]]) -> str:
    """The taxonomy as lines: each category with its numbered kinds."""
    lines, number = [], 0
    for name in order:
        numbered = []
        for kind in kinds[name]:
            number += 1
            numbered.append(f"{number}. {kind}")
        lines.append(f"{name}: {'; '.join(numbered)}")
    return "\n".join(lines)
