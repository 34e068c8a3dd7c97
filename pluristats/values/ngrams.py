"""ROUGE-L of short statements: how long a common subsequence of stemmed words two of them have.

    precision = L / |prediction|,   recall = L / |target|,   F1 = 2 · precision · recall / (precision + recall)

L is the length of the longest common subsequence of words. For texts of one line this is rouge-score's rougeLsum; here
every text is a statement, so line breaks are white space. Each text is split and stemmed once, by rouge-score's own
tokenizer, and L is found with one machine word a row of the table (Crochemore et al. 2001, Hyyrö 2004), which makes
thousands of comparisons a second into hundreds of thousands.
"""

from __future__ import annotations

from typing import NamedTuple

from pluristats.errors import ValuesError


class Overlap(NamedTuple):
    """ROUGE-L of two texts, each in [0, 1]; all 0 when either has no words."""

    f1: float
    precision: float
    recall: float


class Words(NamedTuple):
    """A text's stemmed words, and for each the places where it stands as bits of a number."""

    words: tuple[str, ...]
    places: dict[str, int]


class Rouge:
    """Words of texts, kept, so that a text that is compared often is split once.

    Raises
    ------
    ValuesError
        Without the package rouge-score.
    """

    def __init__(self) -> None:
        try:
            from rouge_score.tokenizers import DefaultTokenizer
        except ImportError:
            raise ValuesError(
                "comparing items by n-grams needs the package rouge-score; pip install 'pluristats[kaleido]', or set "
                "the n-gram threshold to None"
            ) from None
        self._tokenize = DefaultTokenizer(use_stemmer=True).tokenize
        self._stems: dict[str, list[str]] = {}
        self._texts: dict[str, Words] = {}

    def words(self, text: str) -> Words:
        """Words of a text: runs of a-z and 0-9 after lower-casing, stemmed when longer than three letters."""
        known = self._texts.get(text)
        if known is None:
            known = self._texts[text] = _placed([stem for part in text.split() for stem in self._part(part)])
        return known

    def _part(self, part: str) -> list[str]:
        """Words between two white spaces; the same ones come again and again, and stemming is what takes time."""
        known = self._stems.get(part)
        if known is None:
            known = self._stems[part] = self._tokenize(part)
        return known

    def overlap(self, target: str, prediction: str) -> Overlap:
        """ROUGE-L of a prediction, judged by a target."""
        return overlap(self.words(target), self.words(prediction))


def overlap(target: Words, prediction: Words) -> Overlap:
    """ROUGE-L of words."""
    if target.places.keys().isdisjoint(prediction.places):
        return Overlap(0.0, 0.0, 0.0)
    common = common_subsequence(target, prediction)
    precision, recall = common / len(prediction.words), common / len(target.words)
    return Overlap(2 * precision * recall / (precision + recall), precision, recall)


def common_subsequence(one: Words, other: Words) -> int:
    """Length of the longest common subsequence.

    Row by row of the usual table: bit j of ``row`` is 0 where the length grows at word j of ``one``.
    """
    if one.words == other.words:  # also spares the square of a megabyte
        return len(one.words)
    every = row = (1 << len(one.words)) - 1
    for word in other.words:
        at = row & one.places.get(word, 0)
        row = ((row + at) | (row - at)) & every
    return len(one.words) - row.bit_count()


def _placed(words: list[str]) -> Words:
    places: dict[str, int] = {}
    for i, word in enumerate(words):
        places[word] = places.get(word, 0) | (1 << i)
    return Words(tuple(words), places)
