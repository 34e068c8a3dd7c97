"""Trees as chats that a model can be trained on to write such trees: one chat a tree and side, as JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from pluristats.errors import TreeError
from pluristats.features.trees import Side, Tree

Form = Literal["messages", "text"]


def chats(
    trees: Iterable[Tree],
    side: Side,
    *,
    system: str,
    user: str = "{prompt}",
    form: Form = "messages",
    simulated: bool = False,
) -> Iterator[str]:
    r"""Lines of JSON, one a tree that has this side; what a model was asked and what it should answer.

    Parameters
    ----------
    trees
        Trees with their prompts.
    side
        ``harms`` or ``benefits``: models are trained on one at a time, as published.
    system
        The instruction: the taxonomy and the form of the answer.
    user
        The question, with ``{prompt}`` where the prompt's text goes (once; other braces stay as they are).
    form
        ``messages``: ``{"messages": [{"role": "system", "content": …}, …]}`` as OpenAI's fine-tuning takes it.
        ``text``: ``{"prompt": …, "completion": …}`` in the literal layout of SafetyAnalyst's models,
        ``<|system|>\n…\n\n<|user|>\n…\n\n<|assistant|>\n``.
    simulated
        Take trees that a simulated model wrote, though a chat has no place to say so.

    Raises
    ------
    TreeError
        A tree has no prompt or is simulated, ``user`` lacks ``{prompt}``, or ``form`` or ``side`` is something else.
    """
    if side not in ("harms", "benefits"):
        raise TreeError(f"side is harms or benefits, not {side!r}.")
    if form not in ("messages", "text"):
        raise TreeError(f"form is messages or text, not {form!r}.")
    if user.count("{prompt}") != 1:
        raise TreeError("user holds {prompt} once, where the prompt's text goes.")
    for i, tree in enumerate(trees):
        if not tree.prompt:
            raise TreeError(f"tree {tree.id or i + 1} has no prompt; a chat needs what was asked.")
        if tree.simulated and not simulated:
            raise TreeError(
                f"tree {tree.id or i + 1} is simulated, and a chat to train on has no place to say so; leave it out, "
                "or take it with simulated=True."
            )
        answer = tree.answer(side)
        if answer:
            yield _line(system, user.replace("{prompt}", tree.prompt), json.dumps(answer), form)


def write_chats(
    path: str | Path,
    trees: Iterable[Tree],
    side: Side,
    *,
    system: str,
    user: str = "{prompt}",
    form: Form = "messages",
    simulated: bool = False,
) -> int:
    """Write :func:`chats` to a file, one a line; gives how many.

    Raises
    ------
    TreeError
        As :func:`chats`, or the file exists already or cannot be written.
    """
    target = Path(path)
    lines = list(chats(trees, side, system=system, user=user, form=form, simulated=simulated))
    try:
        with target.open("x", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)
    except FileExistsError:
        raise TreeError(f"{target} exists already; give another path.") from None
    except OSError as error:
        raise TreeError(f"{target} cannot be written ({error.strerror}); give another path.") from None
    return len(lines)


def _line(system: str, user: str, answer: str, form: Form) -> str:
    # ASCII with escapes: no character of a prompt, lone surrogates included, can break a line or the encoding.
    if form == "text":
        return json.dumps(
            {"prompt": f"<|system|>\n{system}\n\n<|user|>\n{user}\n\n<|assistant|>\n", "completion": answer}
        )
    turns = (("system", system), ("user", user), ("assistant", answer))
    return json.dumps({"messages": [{"role": role, "content": content} for role, content in turns]})
