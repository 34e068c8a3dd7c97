"""The topic of a new text: what most of the fitted texts nearest to it have.

Clustering gives topics to the texts that were fitted. BERTopic places a new one by UMAP, where its nearest fitted
texts are, and gives it what HDBSCAN has nearest there; that needs both objects, which only pickle keeps. Here the
nearest fitted texts are asked directly: of the k nearest by cosine the topic that most have, no topic (-1) counting as
one; of equally many the one whose texts are nearer together. A text whose nearest fitted text is farther than nearly
all fitted texts have theirs is like nothing that was seen, and has no topic.

The centre of a topic would be a shorter rule, and a worse one: HDBSCAN's topics need not be round, and a centre knows
no outliers. `tests/bench/topics.py` measures both against BERTopic's own placing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pluristats.topics.embed import Bools, Vectors

Ints = NDArray[np.int64]
# Numbers in a block of similarities: 64 MiB.
_BLOCK = 2**24
# Fitted texts to measure agreement with, and the share of them that may be farther from their nearest than `far`.
SAMPLE, FAR_SHARE = 5_000, 0.01


@dataclass(frozen=True, eq=False)
class Nearest:
    """Votes of the nearest fitted texts.

    Parameters
    ----------
    topic
        Of most of them, shape (m,).
    similarity
        Cosine to the nearest, shape (m,); 0 for a vector of zeros.
    """

    topic: Ints
    similarity: NDArray[np.float64]


@dataclass(frozen=True)
class Agreement:
    """How often the rule for new texts gives a fitted text, left out, the topic that clustering gave it.

    Parameters
    ----------
    texts
        How many were asked.
    share
        That agree, of all.
    share_in_topics
        That agree, of those that clustering gave a topic; NaN without any.
    """

    texts: int
    share: float
    share_in_topics: float


def vote(new: Vectors, fitted: Vectors, topic: Ints, k: int, *, without: Ints | None = None) -> Nearest:
    """The topic that most of the k nearest fitted texts have.

    Parameters
    ----------
    new, fitted
        Unit vectors, shapes (m, d) and (n, d).
    topic
        Of the fitted texts, from -1, shape (n,).
    k
        How many to ask; all when there are fewer.
    without
        A fitted text that is not asked, for each new one, shape (m,).
    """
    found, similarity = np.empty(len(new), dtype=np.int64), np.empty(len(new))
    step = max(_BLOCK // max(len(fitted), 1), 1)
    for start in range(0, len(new), step):
        rows = slice(start, start + step)
        near = new[rows] @ fitted.T
        if without is not None:
            near[np.arange(len(near)), without[rows]] = -2  # farther than any
        asked = min(k, len(fitted) - (without is not None))
        which = np.argpartition(-near, asked - 1, axis=1)[:, :asked]
        cosine = np.take_along_axis(near, which, axis=1).astype(np.float64)
        votes, sums = (np.zeros((len(near), topic.max() + 2)) for _ in range(2))
        row = np.arange(len(near))[:, None]
        np.add.at(votes, (row, topic[which] + 1), 1)
        np.add.at(sums, (row, topic[which] + 1), cosine)
        # Sums of cosines lie within ±k: as a fraction below 1 they decide between equal votes only.
        found[rows] = np.argmax(votes + (sums + k) / (2 * k + 1), axis=1) - 1
        similarity[rows] = cosine.max(axis=1)
    return Nearest(found, similarity)


def known(vectors: Vectors) -> Bools:
    """Which vectors say anything: those that are not 0 throughout."""
    return np.asarray(vectors.any(axis=1))


def measure(vectors: Vectors, topic: Ints, k: int, seed: int) -> tuple[float, Agreement]:
    """The similarity below which a text is far from all, and how well the rule agrees with the clustering.

    Parameters
    ----------
    vectors, topic
        Of the fitted texts.
    k
        As in `vote`.
    seed
        Of the sample, where there are more texts than `SAMPLE`.

    Returns
    -------
    far : float
        The 1% quantile of fitted texts' similarity to their nearest other.
    agreement : Agreement
        With that ``far``, each text left out in turn.
    """
    n = len(vectors)
    asked = np.arange(n) if n <= SAMPLE else np.sort(np.random.default_rng(seed).choice(n, SAMPLE, replace=False))
    nearest = vote(vectors[asked], vectors, topic, k, without=asked)
    far = float(np.quantile(nearest.similarity, FAR_SHARE))
    ruled = np.where((nearest.similarity < far) | ~known(vectors[asked]), -1, nearest.topic)
    same, inside = ruled == topic[asked], topic[asked] >= 0
    return far, Agreement(len(asked), float(same.mean()), float(same[inside].mean()) if inside.any() else float("nan"))
