"""When an item is relevant enough, and when two items say the same."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

from pluristats.errors import ValuesError
from pluristats.values.items import VRD, show
from pluristats.values.ngrams import Overlap


@dataclass(frozen=True)
class Thresholds:
    """Of `filter_items`; one number stands for the same everywhere.

    Parameters
    ----------
    relevance
        By kind (Value, Right, Duty): an item below it goes. From 0 to 1.
    ngram
        Of ``f1``, ``precision`` and ``recall``: an item above one of them goes. From 0 to 1; None compares no n-grams.
    embed
        By kind, the later item's: an item whose cosine lies above it goes. From -1 to 1; None compares no embeddings.
    across_vrd
        Compare items of different kinds too.

    Raises
    ------
    ValuesError
        A threshold is lacking, unknown, or outside its range.
    """

    relevance: dict[str, float]
    ngram: dict[str, float] | None
    embed: dict[str, float] | None
    across_vrd: bool = False

    def __init__(
        self,
        relevance: Mapping[str, float] | float,
        ngram: Mapping[str, float] | float | None = None,
        embed: Mapping[str, float] | float | None = None,
        across_vrd: bool = False,
    ):
        if not isinstance(across_vrd, bool):
            raise ValuesError(f"across_vrd is True or False, not {show(across_vrd)}")
        set_ = object.__setattr__
        set_(self, "relevance", _each("relevance", relevance, VRD, 0))
        set_(self, "ngram", None if ngram is None else _each("ngram", _renamed(ngram), Overlap._fields, 0))
        set_(self, "embed", None if embed is None else _each("embed", embed, VRD, -1))
        set_(self, "across_vrd", across_vrd)


def _renamed(ngram: Any) -> Any:
    """rouge-score calls F1 ``fmeasure``."""
    return {("f1" if k == "fmeasure" else k): v for k, v in ngram.items()} if isinstance(ngram, Mapping) else ngram


def _each(what: str, given: Any, names: Iterable[str], least: float) -> dict[str, float]:
    names = tuple(names)
    numbers = dict(given) if isinstance(given, Mapping) else dict.fromkeys(names, given)
    if set(numbers) != set(names):
        raise ValuesError(f"threshold {what} is one number or one for each of {', '.join(names)}, not {show(given)}")
    for name, value in numbers.items():
        number = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
        if not number or not least <= float(value) <= 1:
            raise ValuesError(f"threshold {what} of {name} is a number from {least} to 1, not {show(value)}")
    return {name: float(numbers[name]) for name in names}
