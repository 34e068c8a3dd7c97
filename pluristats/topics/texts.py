"""Texts from outside: which are told apart, and what of them a model reads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from pluristats.errors import TopicError

READ = 20_000
"""Characters of a text that are read; a value statement has fewer than 200."""

_HALVES = re.compile("[\ud800-\udfff]")


def shown(value: Any) -> str:
    """A value as an error shows it: quoted, escaped, at most 60 characters."""
    text = value if isinstance(value, str) else repr(value)
    cut = text if len(text) <= 60 else f"{text[:57]}..."
    return ascii(cut) if isinstance(value, str) else ascii(cut)[1:-1]


def checked(texts: Iterable[str]) -> list[str]:
    """The texts as a list.

    Raises
    ------
    TopicError
        One is not text; the message says which.
    """
    if isinstance(texts, str):
        raise TopicError("texts is a list of texts, not one text; put it into a list.")
    found = list(texts)
    for i, text in enumerate(found):
        if not isinstance(text, str):
            raise TopicError(f"text {i + 1} is {shown(text)}, which is no text; leave it out or write it as text.")
    return found


def blank(text: str) -> bool:
    """Whether there is nothing to read: a text that is empty or white space."""
    return not text.strip()


def readable(texts: Sequence[str]) -> list[str]:
    """What models read of the texts: the first `READ` characters, halves of surrogate pairs as U+FFFD.

    Tokenisers take UTF-8 only, which has no lone surrogates; a text of a megabyte would cost minutes and be cut by
    every model anyway. The texts themselves are kept as they are.
    """
    return [_HALVES.sub("\ufffd", text[:READ]) for text in texts]
