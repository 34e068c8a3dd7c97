"""Which items of a prompt are kept: relevant ones, and of those that say the same the most relevant one.

Within each prompt, in order of relevance (ties as they come):

1. an item goes when its relevance is below its kind's threshold;
2. then when F1, precision or recall of ROUGE-L against an item that step 2 has kept exceed theirs, the later item being
   the target and "Right to " or "Duty to " being taken off the start of both;
3. then when the cosine of its embedding with that of an item that step 3 has kept exceeds its kind's threshold.

Steps 2 and 3 compare items of the same kind, or all of a prompt's with ``across_vrd``. Source: Value Kaleidoscope
(Sorensen et al., AAAI 2024), public code; the numbers come with each checkpoint.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pluristats.display.shown import Displayed, Shown, mark
from pluristats.distinct import factorise
from pluristats.errors import ValueItemsWarning, ValuesError
from pluristats.values.items import check_items
from pluristats.values.ngrams import Overlap, Rouge, overlap
from pluristats.values.thresholds import Thresholds

Embed = Callable[[Sequence[str]], NDArray[Any]]
"""Texts to rows of length 1, shape (n, d)."""
REASONS = ("relevance", "ngram", "embedding")
_PREFIXES = ("Right to ", "Duty to ")


@dataclass(frozen=True, eq=False)
class Filtered(Displayed):
    """What is left, and what went and why.

    Parameters
    ----------
    items
        Kept items, prompts in the order in which they come, the most relevant item of each first.
    dropped
        The others in the same order, with ``reason`` (relevance, ngram, embedding), ``measure`` (which number told:
        relevance, f1, precision, recall, cosine), its ``value`` and ``threshold``, and ``like_vrd`` and ``like_text``
        of the item that it was like (the most relevant such; missing for relevance; an item that step 2 kept may
        itself have gone in step 3).
    thresholds
        What was asked for.
    wordless
        Items of step 2 without a Latin letter or digit: n-grams say nothing about them.
    """

    items: pd.DataFrame
    dropped: pd.DataFrame
    thresholds: Thresholds
    wordless: int

    def __repr__(self) -> str:
        simulated = mark(self.simulated)
        return f"<Filtered: {len(self.items):,} items kept, {len(self.dropped):,} dropped{simulated}>"

    def _shown(self) -> Shown:
        said = f"{self.wordless:,} items have no Latin letter or digit: n-grams say nothing about them."
        return Shown(
            f"{len(self.items):,} items kept, {len(self.dropped):,} dropped",
            self.simulated,
            lines=(said,) * bool(self.wordless),
            tables=(("What became of them", self.counts()), ("Kept", self.items)),
        )

    @property
    def simulated(self) -> bool:
        """Whether any item, kept or dropped, is."""
        return bool(self.items["simulated"].any() or self.dropped["simulated"].any())

    def counts(self) -> pd.DataFrame:
        """One row a fate: ``fate`` (kept, or the reason for dropping), ``items``, ``share`` of all, ``simulated``."""
        found = self.dropped["reason"].value_counts()
        numbers = {"kept": len(self.items), **{reason: int(found.get(reason, 0)) for reason in REASONS}}
        total = max(sum(numbers.values()), 1)
        rows = [(fate, number, number / total, self.simulated) for fate, number in numbers.items()]
        return pd.DataFrame(rows, columns=["fate", "items", "share", "simulated"])


class _Drop(NamedTuple):
    """Why an item goes: positions are those of the sorted table, -1 for none."""

    reason: str
    measure: str
    value: float
    threshold: float
    like: int = -1


def filter_items(items: pd.DataFrame, thresholds: Thresholds, embed: Embed | None = None) -> Filtered:
    """Drop irrelevant and repeated items, as this module's text says.

    Parameters
    ----------
    items
        Table of items.
    thresholds
        Such as a checkpoint's (`Kaleido.thresholds`).
    embed
        Called once with the distinct texts to compare; its rows have length 1, as those of
        `pluristats.topics.sentence_embedder`. Not called when nothing is to be compared. Needed when
        ``thresholds.embed`` is not None, and not used otherwise.

    Raises
    ------
    ValuesError
        The table is none of items, or the embedder is lacking or gives other rows.
    """
    table = check_items(items)
    if thresholds.embed is not None and embed is None:
        raise ValuesError(
            "the thresholds have one for embeddings and there is no embedder; give embed=sentence_embedder(…), or "
            "thresholds whose embed is None"
        )
    prompt = factorise(table["prompt"])[0]
    order = np.lexsort((-table["relevance"].to_numpy(), prompt))
    table, prompt = table.iloc[order].reset_index(drop=True), prompt[order]
    vrd, texts = table["vrd"].tolist(), table["text"].tolist()

    drops = _irrelevant(table, thresholds)
    wordless = 0

    def groups() -> list[list[int]]:
        return _groups((i for i in range(len(table)) if i not in drops), prompt, vrd, thresholds.across_vrd)

    if thresholds.ngram is not None:
        compare = _ByWords(texts, thresholds.ngram)
        drops |= _repeated(groups(), compare)
        wordless = compare.wordless
    if thresholds.embed is not None and embed is not None:
        drops |= _repeated(found := groups(), _ByEmbedding(found, texts, vrd, embed, thresholds.embed))
    if wordless:
        warnings.warn(
            f"{wordless:,} of {len(table):,} items hold no Latin letter or digit, so that n-grams cannot tell which of "
            "them say the same; only embeddings can",
            ValueItemsWarning,
            stacklevel=2,
        )
    gone = np.fromiter(sorted(drops), dtype=np.intp, count=len(drops))
    kept = table.iloc[np.setdiff1d(np.arange(len(table)), gone)].reset_index(drop=True)
    return Filtered(kept, _dropped(table, gone, [drops[i] for i in gone]), thresholds, wordless)


def _irrelevant(table: pd.DataFrame, thresholds: Thresholds) -> dict[int, _Drop]:
    relevance = table["relevance"].to_numpy()
    least = table["vrd"].map(thresholds.relevance).to_numpy(dtype=np.float64)
    return {
        int(i): _Drop("relevance", "relevance", float(relevance[i]), float(least[i]))
        for i in np.flatnonzero(relevance < least)
    }


def _groups(alive: Iterable[int], prompt: NDArray[np.intp], vrd: list[str], across: bool) -> list[list[int]]:
    """Positions that are compared with each other, in order of relevance; only groups of two and more."""
    found: dict[tuple[int, str], list[int]] = {}
    codes = prompt.tolist()
    for i in alive:
        found.setdefault((codes[i], "" if across else vrd[i]), []).append(i)
    return [group for group in found.values() if len(group) > 1]


def _repeated(groups: list[list[int]], compare: Callable[[int, list[int]], _Drop | None]) -> dict[int, _Drop]:
    """Items that are like one that is kept, gone through in order."""
    drops: dict[int, _Drop] = {}
    for group in groups:
        kept: list[int] = []
        for i in group:
            if (drop := compare(i, kept)) is None:
                kept.append(i)
            else:
                drops[i] = drop
    return drops


class _ByWords:
    """Whether an item shares too many words with a kept one."""

    def __init__(self, texts: list[str], most: dict[str, float]):
        self._texts, self._rouge = [_without_prefix(text) for text in texts], Rouge()
        self._most = [(name, most[name]) for name in Overlap._fields]
        self.wordless = 0

    def __call__(self, i: int, kept: list[int]) -> _Drop | None:
        target = self._rouge.words(self._texts[i])
        if not target.words:
            self.wordless += 1
            return None
        for j in kept:
            shared = overlap(target, self._rouge.words(self._texts[j]))
            for value, (name, most) in zip(shared, self._most, strict=True):
                if value > most:
                    return _Drop("ngram", name, value, most, j)
        return None


class _ByEmbedding:
    """Whether an item's embedding is too near that of a kept one."""

    def __init__(self, groups: list[list[int]], texts: list[str], vrd: list[str], embed: Embed, most: dict[str, float]):
        distinct = {text: row for row, text in enumerate(dict.fromkeys(texts[i] for group in groups for i in group))}
        self._vectors = _checked(embed(list(distinct)), len(distinct)) if distinct else np.empty((0, 0))
        self._row = {i: distinct[texts[i]] for group in groups for i in group}
        self._vrd, self._most = vrd, most

    def __call__(self, i: int, kept: list[int]) -> _Drop | None:
        if not kept:
            return None
        most = self._most[self._vrd[i]]
        cosines = self._vectors[[self._row[j] for j in kept]] @ self._vectors[self._row[i]]
        cosines = np.clip(cosines, -1, 1)  # rounding can lead beyond; nothing exceeds a threshold of 1
        alike = np.flatnonzero(cosines > most)
        return _Drop("embedding", "cosine", float(cosines[alike[0]]), most, kept[alike[0]]) if len(alike) else None


def _checked(vectors: Any, n: int) -> NDArray[Any]:
    """An embedder's answer, if it is n rows of length 1."""
    found = np.asarray(vectors)
    if found.ndim != 2 or len(found) != n or found.dtype.kind != "f":
        raise ValuesError(
            f"the embedder gave {found.dtype} of shape {found.shape} for {n} texts; it gives floats of shape ({n}, d)"
        )
    lengths = np.sqrt(np.einsum("nd,nd->n", found, found, dtype=np.float64))
    wrong = np.flatnonzero(~(np.abs(lengths - 1) < 1e-3))
    if len(wrong):
        raise ValuesError(
            f"the embedder gave a row of length {lengths[wrong[0]]:g} (row {wrong[0]}); rows have length 1, divide "
            "each by its own"
        )
    return found


def _without_prefix(text: str) -> str:
    prefix = next((prefix for prefix in _PREFIXES if text.startswith(prefix)), "")
    return text[len(prefix) :]


def _dropped(table: pd.DataFrame, gone: NDArray[np.intp], drops: list[_Drop]) -> pd.DataFrame:
    told = pd.DataFrame(drops, columns=list(_Drop._fields))
    like = told.pop("like").to_numpy(dtype=np.intp)
    told = told.astype({"reason": object, "measure": object, "value": np.float64, "threshold": np.float64})
    for name in ("vrd", "text"):
        values = table[name].to_numpy(dtype=object)
        found = np.full(len(like), None, dtype=object)
        found[like >= 0] = values[like[like >= 0]]
        told[f"like_{name}"] = pd.Series(found, dtype=object)
    return pd.concat([table.iloc[gone].reset_index(drop=True), told], axis="columns")
