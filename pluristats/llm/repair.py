"""Asking again, with what was wrong, when an answer does not have the form that was asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pluristats.llm.request import ChatRequest, Message

# Characters of an unfit answer that go back with the question, and of what was wrong with it.
_ANSWER, _ERROR = 20_000, 1_000


def repair(request: ChatRequest, text: str, error: ValueError, number: int) -> ChatRequest:
    """The request that asks for a better answer; of a plain request, the same again with the next seed.

    It is a function of the request, the answer and what is wrong with it, so that a resumed run finds the repairs that
    the store already holds.

    Parameters
    ----------
    request
        What was asked last.
    text
        The answer that does not fit.
    error
        What the validator raised.
    number
        Of this repair, from 1: part of its template's name, so that two repairs with the same words are two requests.
    """
    if request.plain:
        # A text to continue has no room for complaints: its model is asked once more, for another draw.
        seed = None if request.seed is None else request.seed + 1
        return replace(request, seed=seed, template=f"{_base(request, number)}+repair{number}")
    complaint = (
        f"Your answer does not have the form that was asked for: {describe(error)}\n"
        "Answer again, in full and in that form, without any other text."
    )
    turns = (Message("assistant", text[:_ANSWER]), Message("user", complaint))
    # Of the answers only the last is sent back: a conversation that grows with every repair would cost more each time.
    before = request.messages if number == 1 else request.messages[:-2]
    return replace(request, messages=(*before, *turns), template=f"{_base(request, number)}+repair{number}")


def _base(request: ChatRequest, number: int) -> str:
    return request.template.removesuffix(f"+repair{number - 1}")


def describe(error: ValueError) -> str:
    """What is wrong with an answer, in words that do not change with pydantic's version: place and type of each error.

    They are part of a repair's request and so of its key.
    """
    errors: Any = getattr(error, "errors", None)
    if not callable(errors):
        return str(error)[:_ERROR]
    found = [f"{'.'.join(map(str, e['loc'])) or 'the whole'}: {e['type']}" for e in errors()]
    return "; ".join(found)[:_ERROR]
