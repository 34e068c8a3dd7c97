"""Finding topics of value statements, as PluriHarms does with BERTopic, so that a rerun finds the same."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
import pandas as pd

from pluristats.errors import DroppedRowsWarning, FewTopicsWarning, TopicError
from pluristats.progress import counted
from pluristats.topics.cluster import Clusters, cluster, versions
from pluristats.topics.embed import Embedder, embedded
from pluristats.topics.light import light_embedder
from pluristats.topics.model import TopicModel
from pluristats.topics.names import keyword_name
from pluristats.topics.nearest import Ints, measure
from pluristats.topics.sentences import sentence_embedder
from pluristats.topics.settings import Duplicates, Language, Settings
from pluristats.topics.texts import blank, checked, readable, shown


def fit_topics(
    texts: Iterable[str],
    *,
    topics: int = 39,
    seed: int = 0,
    embed: Embedder | Literal["minilm", "light"] = "minilm",
    min_cluster_size: int = 200,
    n_neighbors: int = 15,
    n_components: int = 5,
    duplicates: Duplicates = "fold",
    language: Language = "english",
    n_keywords: int = 10,
    simulated: bool = False,
    progress: bool = True,
) -> TopicModel:
    """Find topics of short texts: embeddings, UMAP, HDBSCAN, merged to so many, keywords by c-TF-IDF.

    The same set of texts, settings, versions and kind of processor give the same topics bit for bit, in whatever order
    the texts come: they are sorted first, and UMAP's layout and all else that is random is seeded.

    Value statements repeat often ("Duty to protect privacy"). Folded, which is the default, a text counts once however
    often it was given: what topics there are then depends on what is said and not on how often. Kept, as in the
    paper's pipeline, a text with many copies pulls apart from those that mean the same: its copies are each other's
    nearest neighbours, so that UMAP places them by nothing else, and ``min_cluster_size`` copies can be a cluster by
    themselves. Kept costs time by all rows. Copies of a text always have one topic; where clustering, kept, gives them
    several, the text has the one of most of its copies, and a note counts such texts. Blank texts are not clustered
    and have no topic.

    Parameters
    ----------
    texts
        Value statements, in any order, repeated as often as they occur.
    topics
        How many, besides the outliers. Clusters are merged to so many; when fewer are found, there are fewer.
    seed
        Of everything random.
    embed
        ``"minilm"`` (`sentence_embedder`), ``"light"`` (`light_embedder`, fitted to these texts, without torch), or an
        embedder.
    min_cluster_size
        Texts of the smallest cluster before merging.
    n_neighbors, n_components
        Of UMAP.
    duplicates
        ``"fold"`` or ``"keep"``.
    language
        ``"english"`` takes keywords from a-z and digits; ``"multilingual"`` from any letters.
    n_keywords
        Keywords to a topic.
    simulated
        Say so of all tables, for texts that a simulated endpoint or model wrote.
    progress
        Show on standard error how far it is.

    Returns
    -------
    TopicModel

    Raises
    ------
    TopicError
        Too few texts, something that is no text, a setting that does not fit, or a package that is missing.

    Warns
    -----
    FewTopicsWarning
        Fewer topics were found than asked for.
    DroppedRowsWarning
        Some texts are blank.

    References
    ----------
    Grootendorst (2022), BERTopic: neural topic modeling with a class-based TF-IDF procedure.
    """
    settings = Settings(
        topics, seed, min_cluster_size, n_neighbors, n_components, duplicates, language, n_keywords
    )  # fmt: skip
    tally = Counter(checked(texts))
    distinct = tuple(sorted(text for text in tally if not blank(text)))
    counts = np.array([tally[text] for text in distinct], dtype=np.int64)
    copies = counts if duplicates == "keep" else np.ones_like(counts)
    settings.check_enough(int(copies.sum()), len(distinct))
    notes = _blank_note(tally)
    embedder = _embedder(embed, distinct, seed)
    vectors = embedded(embedder, distinct, progress=progress)
    notes += _cut_note(int(embedder.cut(distinct).sum()))
    with counted("topics", 3, show=progress) as advance:
        which, read = np.repeat(np.arange(len(distinct)), copies), readable(distinct)
        found = cluster([read[i] for i in which], vectors[which], settings)
        advance(1, note="clustered")
        topic, split = by_text(found.topic, which, len(distinct))
        notes += _split_note(split) + _few_note(found, settings)
        advance(1, note="one topic a text")
        far, agreement = measure(vectors, topic, n_neighbors, seed)
        advance(1, note="measured")
    return TopicModel(
        texts=distinct,
        counts=counts,
        topic=topic,
        vectors=vectors,
        keywords=keyword_table(found),
        names=tuple(_name(words, i) for i, words in enumerate(found.keywords)),
        name_sources=("keywords",) * len(found.keywords),
        settings=settings,
        far=far,
        agreement=agreement,
        merged_from=found.merged_from,
        embedding=dict(embedder.identity),
        versions=versions(),
        notes=notes,
        simulated=simulated,
        embedder=embedder,
    )


def by_text(topic: Ints, which: Ints, n: int) -> tuple[Ints, int]:
    """One topic a text: that of most of its copies, of equally many the lower.

    Parameters
    ----------
    topic
        Of each copy, from -1.
    which
        The text that it is a copy of, from 0 to n - 1, each at least once.

    Returns
    -------
    topic : Ints
        Shape (n,).
    split : int
        Texts whose copies have several topics.
    """
    votes = np.zeros((n, topic.max(initial=-1) + 2), dtype=np.int64)
    np.add.at(votes, (which, topic + 1), 1)
    return votes.argmax(axis=1) - 1, int((np.count_nonzero(votes, axis=1) > 1).sum())


def _embedder(embed: Embedder | str, texts: Sequence[str], seed: int) -> Embedder:
    if embed == "minilm":
        return sentence_embedder()
    if embed == "light":
        return light_embedder(texts, seed=seed)
    if isinstance(embed, str) or not callable(embed) or not hasattr(embed, "identity"):
        raise TopicError(f"embed is minilm, light or an embedder, not {shown(embed)}; see CustomEmbedder.")
    return embed


def _name(words: Sequence[tuple[str, float]], topic: int) -> str:
    return keyword_name([word for word, _ in words]) or f"topic {topic}"


def keyword_table(found: Clusters) -> pd.DataFrame:
    """One row a topic and keyword: ``topic``, ``rank`` (from 1), ``keyword``, ``weight``."""
    rows = [
        (topic, rank, word, weight)
        for topic, words in enumerate(found.keywords)
        for rank, (word, weight) in enumerate(words, start=1)
    ]
    table = pd.DataFrame(rows, columns=["topic", "rank", "keyword", "weight"])
    return table.astype({"topic": np.int64, "rank": np.int64, "keyword": object, "weight": np.float64})


def _blank_note(tally: Counter[str]) -> tuple[str, ...]:
    number = sum(count for text, count in tally.items() if blank(text))
    if not number:
        return ()
    note = f"{number:,} of {tally.total():,} texts are blank: they are not clustered and have no topic"
    warnings.warn(f"{note}.", DroppedRowsWarning, stacklevel=3)
    return (note,)


def _cut_note(number: int) -> tuple[str, ...]:
    return (f"{number:,} different texts are longer than the embedder reads: they were cut",) if number else ()


def _split_note(number: int) -> tuple[str, ...]:
    return (f"{number:,} different texts have copies in several topics: they have that of most",) if number else ()


def _few_note(found: Clusters, settings: Settings) -> tuple[str, ...]:
    number = len(found.keywords)
    if number >= settings.topics:
        return ()
    note = f"{number} topics were found where {settings.topics} were asked for"
    remedy = f"a min_cluster_size (--topic-size) below {settings.min_cluster_size}, or more texts, may give more"
    warnings.warn(f"{note}; {remedy}.", FewTopicsWarning, stacklevel=3)
    return (note,)
