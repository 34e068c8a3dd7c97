"""Embedders: functions from texts to vectors, texts of like meaning near each other.

An embedder is called with texts and gives one vector each, of length 1 (or 0 where it finds nothing that it knows), as
float32. Its ``identity`` says which it is: two embedders with the same identity give the same vectors, whatever the
batches, to 1e-5. What it reads of a text is what `readable` leaves; no text is too strange for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pluristats.errors import TopicError
from pluristats.topics.texts import READ, readable

Vectors = NDArray[np.float32]
Bools = NDArray[np.bool_]


class Embedder(Protocol):
    """What `fit_topics` and `TopicModel.assign` call."""

    @property
    def identity(self) -> Mapping[str, Any]:
        """What tells this embedder from others: ``kind``, ``name`` and what fixes its numbers; JSON can hold it."""

    def __call__(self, texts: Sequence[str], *, progress: bool = False) -> Vectors:
        """Vectors of length 1 or 0, shape (n, d)."""

    def cut(self, texts: Sequence[str]) -> Bools:
        """Which texts are longer than what it reads, shape (n,)."""


@dataclass(frozen=True)
class CustomEmbedder:
    """Any function from a list of texts to an array as an embedder.

    Parameters
    ----------
    function
        Takes n texts, gives an array of shape (n, d), the same for the same texts; it is made of unit length here.
    name
        What its vectors are told from others' by; change it when the function changes.
    """

    function: Callable[[list[str]], Any]
    name: str

    @property
    def identity(self) -> dict[str, str]:
        """``kind`` "custom" and the name."""
        return {"kind": "custom", "name": self.name}

    def __call__(self, texts: Sequence[str], *, progress: bool = False) -> Vectors:
        """What the function gives, of unit length."""
        return unit(self.function(readable(texts)))

    def cut(self, texts: Sequence[str]) -> Bools:
        """Those that are cut before any embedder reads them."""
        return too_long(texts)


def embedded(embedder: Embedder, texts: Sequence[str], *, progress: bool = False) -> Vectors:
    """What an embedder gives for texts, checked.

    Raises
    ------
    TopicError
        It is not one vector of finite numbers a text.
    """
    vectors = np.asarray(embedder(texts, progress=progress), dtype=np.float32)
    if vectors.ndim != 2 or len(vectors) != len(texts) or not np.isfinite(vectors).all():
        name = embedder.identity.get("name")
        raise TopicError(
            f"the embedder {name!r} gave an array of shape {vectors.shape} for {len(texts):,} texts, where one vector "
            "of finite numbers a text was to come; use another embedder."
        )
    return vectors


def unit(vectors: Any) -> Vectors:
    """Rows divided by their lengths; a row of zeros stays one."""
    rows = np.asarray(vectors, dtype=np.float64)
    length = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.divide(rows, length, out=np.zeros_like(rows), where=length != 0).astype(np.float32)


def too_long(texts: Sequence[str]) -> Bools:
    """Which texts `readable` cuts."""
    return np.array([len(text) > READ for text in texts], dtype=bool)
