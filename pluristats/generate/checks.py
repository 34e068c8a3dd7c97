"""What may be wrong with variants: rows are flagged and counted, never dropped or changed."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pluristats.display.shown import Displayed, Shown
from pluristats.distinct import factorise
from pluristats.errors import GenerateError
from pluristats.generate.language import language, script

SIMILAR = 0.9
_NEEDED = ("seed", "level", "text", "status", "finish_reason", "seed_text", "simulated")

MEANING = {
    "no_answer": "there is no text: refused, failed or not asked (status, reason)",
    "empty": "the text is white space only",
    "truncated": "the endpoint says that the answer was cut (finish_reason length)",
    "refusal": "the text reads as a refusal in English words, not as a prompt",
    "wrapped": "the text stands in quotes or a code block, or opens with a comment such as 'Here is'",
    "unprintable": "the text holds control characters or lone surrogates",
    "copy_of_seed": "the text is the seed's",
    "duplicate": "another level of the seed has the same text",
    "duplicate_elsewhere": "another seed has a variant of the same text",
    "too_similar": "the similarity to another level of the seed is at or above the threshold",
    "off_language": "script or language differ from the seed's, where both can be told",
}
"""Every check and what a flag means. Texts are the same when they are after NFKC, case folding and collapsing white
space."""

_CANNOT = (
    r"(?:can['’]?t|cannot|can not|won['’]?t|will not|am (?:not able|unable) to|['’]m (?:not able|unable) to|"
    r"must decline)"
)
_DO = (
    r"(?:to )?(?:help|assist|comply|provide|fulfil|create|generate|write|produce|rewrite|support|engage|continue|"
    r"participate|offer|do (?:that|this)|answer|respond|craft)"
)
# What "I cannot" follows in a refusal; in the middle of a sentence it may belong to the prompt.
_BEFORE = r"(?:^|[.!?\n]|\b(?:but|however|sorry|apologi[sz]e|unfortunately)\b,?)\W*"
_REFUSAL = re.compile(
    rf"{_BEFORE}(?:i|we) ?{_CANNOT} {_DO}\b|"
    r"^\W*(?:i['’]?m|i am|we are)?\s*(?:very |so |really )?sorry,? but\b|"
    r"\bas an ai(?: language)? (?:model|assistant)\b|"
    r"\bagainst my (?:guidelines|programming|policy|policies)\b|"
    r"^\W*i (?:must|have to) (?:decline|refuse)\b",
    re.I,
)
_OPENING = re.compile(
    r"^\s*(?:sure|certainly|of course|here(?:['’]s| is| are)|rewritten|variant|harm level)\b[^\n]{0,80}[:!]\s*", re.I
)
_QUOTES = {'"': '"', "'": "'", "“": "”", "«": "»", "„": "“", "`": "`"}
# Where a refusal would say so.
_START = 400


@dataclass(frozen=True, eq=False)
class Checks(Displayed):
    """What was found.

    Parameters
    ----------
    flags
        One row a variant, in the table's order: seed, level, simulated, one column of True and False a check
        (`MEANING`), ``flags`` (how many are True), ``similarity`` (the largest to another level of the seed, missing
        where there is none) and ``similar_level`` (which).
    threshold
        Of ``too_similar``.
    """

    flags: pd.DataFrame
    threshold: float

    def _shown(self) -> Shown:
        tables = (("Variants that checks flag; none is dropped or changed", self.counts()),)
        return Shown(title="Checks of variants", simulated=self.simulated, tables=tables)

    def counts(self) -> pd.DataFrame:
        """One row a check: check, flagged, checked, share, simulated, meaning.

        ``checked`` are the rows that the check can say something about: all for no_answer, those with a
        text for others.
        """
        total, texts = len(self.flags), int((~self.flags["no_answer"]).sum())
        rows = []
        for name, meaning in MEANING.items():
            flagged, of = int(self.flags[name].sum()), total if name == "no_answer" else texts
            more = f" ({self.threshold:g})" if name == "too_similar" else ""
            rows.append((name, flagged, of, flagged / of if of else np.nan, self.simulated, meaning + more))
        return pd.DataFrame(rows, columns=["check", "flagged", "checked", "share", "simulated", "meaning"])

    def flagged(self, check: str | None = None) -> pd.DataFrame:
        """Rows that a check (any, by default) flags; their index is their position in the table of variants."""
        if check is not None and check not in MEANING:
            raise GenerateError(f"there is no check {check!r}; the checks are {', '.join(MEANING)}")
        return self.flags[self.flags["flags"] > 0 if check is None else self.flags[check]]

    @property
    def simulated(self) -> bool:
        """Whether any of the variants is."""
        return bool(self.flags["simulated"].any())


def check_variants(table: pd.DataFrame, *, similar: float = SIMILAR, expect: str | None = None) -> Checks:
    """Check a table of variants.

    similarity(a, b) = |A ∩ B| / |A ∪ B|, A and B the sets of three consecutive characters of the texts (NFKC, case
    folded, white space collapsed): 1 for texts of the same trigrams, whatever their order in the text.

    off_language compares the script of most letters, then the language that common short words tell
    (`pluristats.generate.language`), with the seed's. It cannot see languages without a list, short texts, and foreign
    words in a text that is mostly in the right one.

    Parameters
    ----------
    table
        As `Variants.tidy` gives it.
    similar
        Threshold of ``too_similar``, above 0 and at most 1.
    expect
        Language that all texts should be in ("English"), instead of the seed's.

    Raises
    ------
    GenerateError
        A column is missing or a setting cannot be used.
    """
    missing = [name for name in _NEEDED if name not in table]
    if missing:
        raise GenerateError(
            f"the table of variants has no column {missing[0]!r}; give one as generate_variants makes it"
        )
    check_similar(similar)
    table = table.reset_index(drop=True)
    there = table["status"].eq("ok") & table["text"].notna()
    texts = table["text"].where(there, "").astype(object)
    same = texts.map(_plain)
    flags = table[["seed", "level", "simulated"]].copy()
    flags["no_answer"] = ~there
    flags["empty"] = there & same.eq("")
    full = there & same.ne("")
    flags["truncated"] = there & table["finish_reason"].eq("length")
    flags["refusal"] = texts.map(lambda text: bool(_REFUSAL.search(text[:_START])))
    flags["wrapped"] = texts.map(_wrapped)
    flags["unprintable"] = texts.map(_unprintable)
    seed_same = {text: _plain(text) for text in dict.fromkeys(table["seed_text"])}
    of_seed = np.array([seed_same[text] for text in table["seed_text"]], dtype=object)
    flags["copy_of_seed"] = full & (same.to_numpy(dtype=object) == of_seed)
    found = pd.DataFrame({"seed": table["seed"], "same": same})[full]
    flags["duplicate"] = found.duplicated(keep=False).reindex(table.index, fill_value=False)
    group, texts_found = factorise(found["same"])
    seeds_with = dict(zip(texts_found, pd.Series(factorise(found["seed"])[0]).groupby(group).nunique(), strict=True))
    flags["duplicate_elsewhere"] = full & same.map(lambda text: seeds_with.get(text, 0)).gt(1)
    similarity, nearest = _nearest(table["seed"], same, full.to_numpy())
    flags["too_similar"] = similarity >= similar
    flags["off_language"] = full & _off_language(texts, table["seed_text"], expect)
    flags["flags"] = flags[list(MEANING)].sum(axis="columns")
    flags["similarity"] = similarity
    flags["similar_level"] = np.where(nearest >= 0, table["level"].to_numpy(dtype=float)[nearest], np.nan)
    return Checks(flags, similar)


def check_similar(similar: float) -> None:
    """Refuse a threshold that is no similarity, before variants are paid for."""
    if not 0 < similar <= 1:
        raise GenerateError(f"similar is {similar!r}; it is a number above 0 and at most 1")


def trigrams(text: str) -> NDArray[np.uint64]:
    """Distinct runs of three characters, each as one number; a shorter text counts as one run."""
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.uint64)
    points = np.pad(points, (0, max(0, 3 - len(points))))
    return np.unique(points[:-2] | points[1:-1] << np.uint64(21) | points[2:] << np.uint64(42))


def similarities(texts: list[str]) -> NDArray[np.float64]:
    """Jaccard similarity of every pair of texts, n × n, by their trigrams."""
    sets = [trigrams(text) for text in texts]
    both = np.diag([float(len(s)) for s in sets])
    # Pair by pair: one matrix of texts × trigrams is quicker for short texts, and a gigabyte for long ones.
    for i, j in combinations(range(len(sets)), 2):
        both[i, j] = both[j, i] = len(np.intersect1d(sets[i], sets[j], assume_unique=True))
    sizes = np.diag(both)
    return both / (sizes[:, None] + sizes - both)


def _nearest(
    seeds: pd.Series, same: pd.Series, full: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Largest similarity of each row to another of its seed (NaN where there is none), and that row (-1)."""
    similarity, nearest = np.full(len(seeds), np.nan), np.full(len(seeds), -1)
    texts = same.to_numpy()
    for rows in seeds[full].groupby(factorise(seeds[full])[0], sort=False).indices.values():
        at = np.flatnonzero(full)[rows]
        if len(at) > 1:
            matrix = similarities([texts[i] for i in at])
            np.fill_diagonal(matrix, -1)
            similarity[at], nearest[at] = matrix.max(axis=1), at[matrix.argmax(axis=1)]
    return similarity, nearest


def _off_language(texts: pd.Series, seeds: pd.Series, expect: str | None) -> pd.Series:
    known = {text: (script(text), language(text)) for text in dict.fromkeys(seeds)}

    def off(text: str, seed: str) -> bool:
        ours, theirs = script(text), known[seed][0]
        if expect is None and ours and theirs and ours != theirs:
            return True
        spoken, wanted = language(text), expect or known[seed][1]
        return bool(spoken and wanted and spoken != wanted)

    return pd.Series([off(text, seed) for text, seed in zip(texts, seeds, strict=True)], index=texts.index, dtype=bool)


def _plain(text: str) -> str:
    # Lone surrogates as escapes: pandas 3's own text cannot hold them.
    text = text.encode("utf-8", "backslashreplace").decode()
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _wrapped(text: str) -> bool:
    text = text.strip()
    quoted = len(text) > 1 and _QUOTES.get(text[0]) == text[-1] and text[0] not in text[1:-1]
    return quoted or text.startswith("```") or bool(_OPENING.match(text))


def _unprintable(text: str) -> bool:
    return any(unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\r\t" for c in set(text))
