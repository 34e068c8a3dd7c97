"""Settings of a topic model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pluristats.errors import TopicError
from pluristats.topics.texts import shown

Duplicates = Literal["fold", "keep"]
Language = Literal["english", "multilingual"]


@dataclass(frozen=True)
class Settings:
    """How topics are found; the defaults are those of PluriHarms where it says them.

    Parameters
    ----------
    topics
        How many to merge clusters into, besides the outliers.
    seed
        Of UMAP (whose layout is random), of the light embedder, and of the sample that measures agreement.
    min_cluster_size
        Texts of the smallest cluster (HDBSCAN, euclidean, excess of mass).
    n_neighbors
        Neighbours of each text (UMAP, cosine, ``min_dist`` 0); as many are asked for the topic of a new one.
    n_components
        Dimensions that UMAP reduces to.
    duplicates
        What equal texts count: ``fold`` (once) or ``keep`` (each).
    language
        ``english`` has keywords of a-z and digits only, as BERTopic by default; ``multilingual`` of any letters.
    n_keywords
        Keywords to a topic.

    Raises
    ------
    TopicError
        A setting is not such a number or word.
    """

    topics: int = 39
    seed: int = 0
    min_cluster_size: int = 200
    n_neighbors: int = 15
    n_components: int = 5
    duplicates: Duplicates = "fold"
    language: Language = "english"
    n_keywords: int = 10

    def __post_init__(self) -> None:
        least = {"topics": 1, "seed": 0, "min_cluster_size": 2, "n_neighbors": 2, "n_components": 2, "n_keywords": 1}
        for name, lowest in least.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value < 2**32:
                raise TopicError(f"{name} is a whole number from {lowest}, not {shown(value)}.")
        for name, words in (("duplicates", ("fold", "keep")), ("language", ("english", "multilingual"))):
            if getattr(self, name) not in words:
                raise TopicError(f"{name} is {' or '.join(words)}, not {shown(getattr(self, name))}.")

    def check_enough(self, rows: int, distinct: int) -> None:
        """Refuse texts of which no two clusters can be made.

        Parameters
        ----------
        rows, distinct
            Texts that are clustered, and how many of them differ.
        """
        needed = 2 * self.min_cluster_size
        what = "different texts" if self.duplicates == "fold" else "texts"
        if rows < needed:
            raise TopicError(
                f"there are {rows:,} {what} that are not blank; with min_cluster_size={self.min_cluster_size} topics "
                f"need at least {needed:,}: give more, or a smaller min_cluster_size (--topic-size)."
            )
        needed = max(self.n_neighbors, self.n_components + 2)
        if distinct <= needed:
            raise TopicError(
                f"there are {distinct:,} different texts that are not blank; n_neighbors={self.n_neighbors} and "
                f"n_components={self.n_components} need more than {needed:,}: give more, or smaller settings."
            )
