"""Embeddings without torch: shares of words and pieces of words, in a few dimensions.

    z = unit(Σ_t w_t v_t),    w_t = (1 + ln n_t) (1 + ln((1 + N)/(1 + N_t)))

over the terms t of a text: words and pairs of words, and runs of three to five letters within words, each of the two
parts w of unit length; n_t counts the term in the text, N_t the fitted texts that have it, of N. The v_t are the right
singular vectors of the fitted texts' w (latent semantic analysis). Texts are near when they share words or spellings,
not meanings: "liberty" and "freedom" are near only if the fitted texts use them alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pluristats.errors import TopicError
from pluristats.topics.embed import Bools, Vectors, too_long, unit
from pluristats.topics.texts import readable

# How terms are read; and how many at most of each sort, the most frequent.
_WORDS = {"ngram_range": (1, 2)}
_PIECES = {"analyzer": "char_wb", "ngram_range": (3, 5)}
_MOST = 20_000


@dataclass(frozen=True, eq=False)
class LightEmbedder:
    """TF-IDF and a truncated singular value decomposition, fitted to texts.

    Parameters
    ----------
    words, pieces
        Terms of the two parts.
    idf
        Weight of each term, words first, shape (terms,).
    components
        The v_t as columns, shape (d, terms).
    seed
        Of the decomposition.
    """

    words: tuple[str, ...] = field(repr=False)
    pieces: tuple[str, ...] = field(repr=False)
    idf: NDArray[np.float64] = field(repr=False)
    components: NDArray[np.float32] = field(repr=False)
    seed: int

    @cached_property
    def identity(self) -> dict[str, Any]:
        """``kind`` "light", ``name``, ``seed``, and ``sha256`` of the terms and numbers."""
        import hashlib

        digest = hashlib.sha256("\n".join((*self.words, "", *self.pieces)).encode())
        digest.update(self.idf.tobytes() + self.components.tobytes())
        name = f"light ({len(self.components)} dimensions)"
        return {"kind": "light", "name": name, "seed": self.seed, "sha256": digest.hexdigest()}

    def __call__(self, texts: Sequence[str], *, progress: bool = False) -> Vectors:
        """Unit vectors, shape (n, d); 0 for a text without a known term."""
        if not texts:
            return np.zeros((0, len(self.components)), dtype=np.float32)
        return unit(_weighted(self._counts(texts), self.idf) @ self.components.T.astype(np.float64))

    def cut(self, texts: Sequence[str]) -> Bools:
        """Those that are cut before any embedder reads them."""
        return too_long(texts)

    def _counts(self, texts: Sequence[str]) -> tuple[Any, Any]:
        from scipy.sparse import csr_matrix
        from sklearn.feature_extraction.text import CountVectorizer

        read = readable(texts)
        words, pieces = (
            CountVectorizer(vocabulary=list(terms), **how).transform(read) if terms else csr_matrix((len(read), 0))
            for terms, how in ((self.words, _WORDS), (self.pieces, _PIECES))
        )
        return words, pieces


def light_embedder(texts: Sequence[str], *, dimensions: int = 100, seed: int = 0) -> LightEmbedder:
    """Fit the light embedder to texts.

    Parameters
    ----------
    texts
        Those that it is to tell apart; terms of one text only are not looked at.
    dimensions
        At most; fewer where there are not as many texts or terms.
    seed
        Of the decomposition. The same texts in the same order and the same seed give the same numbers, on any number
        of threads.

    Raises
    ------
    TopicError
        No two texts have a word or a piece of one in common.
    """
    from sklearn.decomposition import TruncatedSVD
    from threadpoolctl import threadpool_limits

    if dimensions < 1:
        raise TopicError(f"dimensions is a number from 1, not {dimensions}.")
    read = readable(texts)
    (words, word_counts), (pieces, piece_counts) = (_terms(read, how) for how in (_WORDS, _PIECES))
    if len(words) + len(pieces) < 2 or len(read) < 2:
        raise TopicError("no two texts have words in common; the light embedder cannot tell how near they are.")
    have = np.concatenate([_having(word_counts), _having(piece_counts)])
    idf = np.log((1 + len(read)) / (1 + have)) + 1
    weighted = _weighted((word_counts, piece_counts), idf)
    size = min(dimensions, len(idf) - 1, len(read) - 1)
    # sklearn divides by the whole variance too, which is 0 where all texts say the same.
    with threadpool_limits(1, user_api="blas"), np.errstate(divide="ignore", invalid="ignore"):
        svd = TruncatedSVD(size, random_state=seed, n_iter=7).fit(weighted)
    return LightEmbedder(words, pieces, idf, svd.components_.astype(np.float32), seed)


def _terms(read: list[str], how: dict[str, Any]) -> tuple[tuple[str, ...], Any]:
    """Terms of at least two texts, in alphabetical order, and their counts, shape (n, terms)."""
    from scipy.sparse import csr_matrix
    from sklearn.feature_extraction.text import CountVectorizer

    vectorizer = CountVectorizer(min_df=2, max_features=_MOST, **how)
    try:
        counts = vectorizer.fit_transform(read)
    except ValueError:  # no term is in two texts
        return (), csr_matrix((len(read), 0))
    return tuple(vectorizer.get_feature_names_out()), counts


def _having(counts: Any) -> NDArray[np.int64]:
    return np.bincount(counts.indices, minlength=counts.shape[1])


def _weighted(counts: tuple[Any, Any], idf: NDArray[np.float64]) -> Any:
    """The w of texts from their counts of words and of pieces, sparse, shape (n, terms)."""
    from scipy.sparse import diags_array, hstack
    from sklearn.preprocessing import normalize

    parts, start = [], 0
    for part in counts:
        weights = part.astype(np.float64)
        weights.data = 1 + np.log(weights.data)
        stop = start + part.shape[1]
        parts.append(normalize(weights @ diags_array(idf[start:stop])) if part.shape[1] else weights)
        start = stop
    return hstack(parts).tocsr()
