"""Which rated prompts a model is shown: drawn at random, as different as can be, or nearest to the question.

Closeness is the cosine of TF-IDF vectors of words and pairs of words, fitted to the alignment prompts only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pluristats.errors import EvaluationError
from pluristats.llm.tokens import BYTES_PER_TOKEN

Choice = Literal["random", "diverse", "nearest"]
CHOICES: tuple[Choice, ...] = ("random", "diverse", "nearest")
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Exemplars:
    """How exemplars are chosen.

    Parameters
    ----------
    k
        How many, where the annotator has as many; None shows all.
    choice
        ``random``: drawn with the seed, the same for every question of an annotator. ``diverse``: from a random first,
        each next the least like those chosen (greedy k-centre), the same for every question. ``nearest``: the most
        alike to the question, the most alike last.
    seed
        Of the draws.
    token_budget
        Most tokens of all exemplars together, a token every four bytes; what does not fit is left out from the end of
        the choice (of ``nearest``: the least alike). None is without limit.

    Raises
    ------
    EvaluationError
        A setting is not of this kind.
    """

    k: int | None = 20
    choice: Choice = "random"
    seed: int = 0
    token_budget: int | None = None

    def __post_init__(self) -> None:
        if self.choice not in CHOICES:
            raise EvaluationError(f"choice is one of {', '.join(CHOICES)}, not {self.choice!r}.")
        for name in ("k", "token_budget"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise EvaluationError(f"{name} is at least 1, or None, not {value!r}.")


class Chooser:
    """Exemplars among prompts whose texts are known.

    Parameters
    ----------
    texts
        Of the alignment prompts.
    exemplars
        How to choose.
    """

    def __init__(self, texts: Sequence[str], exemplars: Exemplars):
        from sklearn.feature_extraction.text import TfidfVectorizer

        self.texts, self.how = list(texts), exemplars
        self._vectorizer: Any = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")
        try:
            self._vectors: Any = self._vectorizer.fit_transform(self.texts)
        except ValueError:
            raise EvaluationError("the texts of the prompts hold no words; exemplars cannot be compared") from None

    def choose(self, rated: Ints, annotator: int, question: str) -> Ints:
        """Places of the exemplars, in the order in which they are shown.

        Parameters
        ----------
        rated
            Places of the prompts that the annotator has rated.
        annotator
            Number of the annotator, for draws of its own.
        question
            The text that is to be rated.
        """
        k = len(rated) if self.how.k is None else min(self.how.k, len(rated))
        if self.how.choice == "nearest":
            like = np.asarray((self._vectors[rated] @ self._vectorizer.transform([question]).T).todense()).ravel()
            ranked = rated[np.lexsort((rated, -like))][:k]
            return self._within(ranked)[::-1]
        order = np.random.default_rng([self.how.seed, annotator]).permutation(rated)
        if self.how.choice == "random":
            return self._within(order[:k])
        return self._within(self._spread(order, k))

    def _spread(self, order: Ints, k: int) -> Ints:
        """Greedy k-centre: each next is the one whose nearest chosen is farthest."""
        vectors = self._vectors[order]
        chosen = [0]
        nearest = np.asarray((vectors @ vectors[0].T).todense()).ravel()
        while len(chosen) < k:
            rest = np.setdiff1d(np.arange(len(order)), chosen)
            chosen.append(int(rest[np.argmin(nearest[rest])]))
            nearest = np.maximum(nearest, np.asarray((vectors @ vectors[chosen[-1]].T).todense()).ravel())
        return order[chosen]

    def _within(self, order: Ints) -> Ints:
        """As many of the first as the budget of tokens holds."""
        if self.how.token_budget is None:
            return order
        sizes = np.array([tokens_of(self.texts[i]) for i in order])
        return order[: int(np.searchsorted(np.cumsum(sizes), self.how.token_budget, side="right"))]


def shown(text: str, rating: float) -> str:
    """An exemplar as the templates show it: the rating as a whole number from 0 to 100, then the text."""
    return f"Rated {round(100 * rating)}:\n{text}"


def tokens_of(text: str) -> int:
    """About how many tokens an exemplar takes."""
    return int(-(-len(shown(text, 1.0).encode("utf-8", "surrogatepass")) // BYTES_PER_TOKEN))
