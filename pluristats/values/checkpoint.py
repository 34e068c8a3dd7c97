"""What a KALEIDO checkpoint says in its own config: how it is asked, and its thresholds. Nothing of it is written here.

    config.task_specific_params[task] = {"template": text, "args": [token, …]}
    config.system_params = {"relevance_threshold", "ngram_threshold", "embed_threshold", "dedup_across_vrd"}

The tokens stand in the template for, in this order, the prompt, the kind (Value, Right, Duty) and the item's text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pluristats.errors import ValuesError
from pluristats.values.items import show
from pluristats.values.thresholds import Thresholds

# What each task is filled with.
TASKS = {
    "generate": ("the prompt",),
    "relevance": ("the prompt", "the kind", "the item's text"),
    "valence": ("the prompt", "the kind", "the item's text"),
    "explanation": ("the prompt", "the kind", "the item's text"),
}
_THRESHOLDS = {
    "relevance": "relevance_threshold",
    "ngram": "ngram_threshold",
    "embed": "embed_threshold",
    "across_vrd": "dedup_across_vrd",
}


@dataclass(frozen=True)
class Template:
    """Text with tokens to fill in.

    Parameters
    ----------
    text
        As the checkpoint has it.
    args
        The tokens, in the order in which values are given.
    """

    text: str
    args: tuple[str, ...]

    def fill(self, *values: str) -> str:
        """The text with its tokens filled in, all at once: a value that looks like a token stays as it is."""
        by_token = dict(zip(self.args, values, strict=True))
        longest_first = sorted(map(re.escape, self.args), key=len, reverse=True)
        return re.sub("|".join(longest_first), lambda token: by_token[token[0]], self.text)


def read_templates(config: Any, checkpoint: str) -> dict[str, Template]:
    """Templates by task.

    Parameters
    ----------
    config
        With the attribute ``task_specific_params``.
    checkpoint
        Its name, for messages.

    Raises
    ------
    ValuesError
        A task, template or token is missing.
    """
    return {task: _template(config, task, checkpoint) for task in TASKS}


def read_thresholds(config: Any, checkpoint: str) -> Thresholds:
    """Thresholds of `filter_items`.

    Raises
    ------
    ValuesError
        One is missing or none.
    """
    given = {name: _found(config, checkpoint, "system_params", key) for name, key in _THRESHOLDS.items()}
    try:
        return Thresholds(**given)
    except ValuesError as error:
        raise ValuesError(f"checkpoint {checkpoint}: system_params of its config do not fit: {error}") from None


def _template(config: Any, task: str, checkpoint: str) -> Template:
    text, args = (_found(config, checkpoint, "task_specific_params", task, key) for key in ("template", "args"))
    where = f"checkpoint {checkpoint}: task_specific_params[{task!r}] of its config"
    if not isinstance(text, str) or not isinstance(args, list | tuple) or not all(isinstance(a, str) for a in args):
        raise ValuesError(f"{where} has a template that is no text, or args that are no list of texts")
    if len(args) != len(TASKS[task]) or len(set(args)) < len(args):
        raise ValuesError(f"{where} has the args {show(args)}; one stands for each of {', '.join(TASKS[task])}")
    absent = [arg for arg in args if not arg or arg not in text]
    if absent:
        raise ValuesError(f"{where}: its template {show(text)} does not have {show(absent[0])}, which its args name")
    return Template(text, tuple(args))


def _found(config: Any, checkpoint: str, attribute: str, *keys: str) -> Any:
    """A nested value of the config."""
    found, path = getattr(config, attribute, None), attribute
    for key in keys:
        if not isinstance(found, Mapping) or key not in found:
            raise ValuesError(
                f"checkpoint {checkpoint}: its config has no {path}[{key!r}]; it is no KALEIDO checkpoint, or its "
                "config was saved without it: load one whose config.json has it"
            )
        found, path = found[key], f"{path}[{key!r}]"
    return found
