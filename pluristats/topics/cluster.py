"""Clusters of texts by BERTopic: UMAP, HDBSCAN, merging to so many topics, keywords by c-TF-IDF."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pluristats.errors import TopicError
from pluristats.topics.embed import Vectors
from pluristats.topics.settings import Settings

Ints = NDArray[np.int64]
OWN_STOP_WORDS = ("value", "right", "duty")
"""What nearly every item says, and which tells no topic from another."""
_PACKAGES = "bertopic umap-learn pynndescent hdbscan numba scikit-learn numpy scipy sentence-transformers transformers"
_PACKAGES += " tokenizers torch"


@dataclass(frozen=True, eq=False)
class Clusters:
    """What was found.

    Parameters
    ----------
    topic
        Of each text, from the most frequent, 0, on; -1 for none. Shape (n,).
    keywords
        Of each topic, best first, with their c-TF-IDF weights.
    merged_from
        How many clusters the topics were merged from.
    model
        BERTopic's own, for what is not kept of it; None outside of measurements.
    """

    topic: Ints
    keywords: tuple[tuple[tuple[str, float], ...], ...]
    merged_from: int
    model: Any = None


def cluster(texts: Sequence[str], vectors: Vectors, settings: Settings) -> Clusters:
    """Find topics.

    Parameters
    ----------
    texts
        For keywords; at least as many as `Settings.check_enough` asks for.
    vectors
        Their embeddings, shape (n, d).
    settings
        Everything else.

    Returns
    -------
    Clusters
        The final topics are those that the fitted model gives the same texts (BERTopic's ``transform``), as in the
        paper's pipeline; topics are numbered by how many texts they then have, of equally many by the first text.

    Raises
    ------
    TopicError
        BERTopic is missing, or the texts have no word but stop words.
    """
    from threadpoolctl import threadpool_limits

    documents, found = list(texts), _model(settings)
    with warnings.catch_warnings(), threadpool_limits(1, user_api="blas"):
        # A seed makes UMAP run on one thread, and it says so each time.
        warnings.filterwarnings("ignore", message="n_jobs value", category=UserWarning)
        try:
            found.fit(documents, embeddings=vectors)
        except ValueError as error:
            if "empty vocabulary" not in str(error):
                raise
            raise TopicError(
                "the texts have no words but stop words; with other letters than a-z use language='multilingual'."
            ) from None
        merged_from = _count(found.topics_)
        if merged_from > settings.topics:
            # BERTopic counts the outliers as a topic where there are any.
            found.reduce_topics(documents, nr_topics=settings.topics + (-1 in found.topics_))
        topic = np.asarray(found.transform(documents, embeddings=vectors)[0], dtype=np.int64)
    old = _by_size(topic)
    new = np.full(max(topic.max(), -1) + 2, -1)
    new[old] = np.arange(len(old))
    words = tuple(tuple((w, float(x)) for w, x in found.get_topic(int(t)) if w) for t in old)
    return Clusters(new[topic], words, merged_from, found)


def versions() -> dict[str, str]:
    """Versions of the installed packages that topics depend on."""
    found = {}
    for name in _PACKAGES.split():
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # the light path needs no torch
            continue
    return found


def stop_words() -> list[str]:
    """scikit-learn's English stop words, and value, right and duty. They keep words out of keywords only."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return sorted({*ENGLISH_STOP_WORDS, *OWN_STOP_WORDS})


def _model(settings: Settings) -> Any:
    # BERTopic's import silences every UserWarning of the process, and so all of ours, for good.
    with warnings.catch_warnings():
        try:
            from bertopic import BERTopic
            from hdbscan import HDBSCAN
            from umap import UMAP
        except ImportError as error:
            raise TopicError(f"topics need BERTopic (pip install 'pluristats[topics]'): {error}.") from None
    from sklearn.feature_extraction.text import CountVectorizer

    return BERTopic(
        language=settings.language,
        top_n_words=settings.n_keywords,
        vectorizer_model=CountVectorizer(ngram_range=(1, 5), stop_words=stop_words()),
        umap_model=UMAP(
            n_neighbors=settings.n_neighbors,
            n_components=settings.n_components,
            min_dist=0.0,
            metric="cosine",
            random_state=settings.seed,
            low_memory=True,
        ),
        hdbscan_model=HDBSCAN(
            min_cluster_size=settings.min_cluster_size,
            metric="euclidean",
            cluster_selection_method="eom",
            prediction_data=True,
            core_dist_n_jobs=1,
        ),
        calculate_probabilities=False,
    )


def _count(topics: Sequence[int]) -> int:
    return len(set(topics) - {-1})


def _by_size(topic: Ints) -> list[int]:
    """Topics from the most frequent on; of equally frequent ones that of the earlier first text."""
    values, first, size = np.unique(topic, return_index=True, return_counts=True)
    order = np.lexsort((first, -size))
    return [int(values[i]) for i in order if values[i] >= 0]
