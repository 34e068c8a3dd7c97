"""A topic model: which texts have which topic, what topics are called, and the topic of a new text."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pluristats.display.shown import Displayed, Shown, mark
from pluristats.display.text import one_line
from pluristats.errors import TopicError
from pluristats.topics.embed import Embedder, Vectors, embedded
from pluristats.topics.names import OUTLIERS, clean_name, unusual
from pluristats.topics.nearest import Agreement, Ints, known, vote
from pluristats.topics.settings import Settings
from pluristats.topics.texts import blank, checked, shown


@dataclass(frozen=True, eq=False)
class TopicModel(Displayed):
    """Topics of texts, from `fit_topics` or `load_topics`.

    Parameters
    ----------
    texts
        The fitted texts, each once, sorted; blank ones are not among them.
    counts
        How often each was given, shape (n,).
    topic
        Of each, from 0 (the most frequent) on; -1 for none. Shape (n,).
    vectors
        Embedding of each, shape (n, d).
    keywords
        One row a topic and keyword: ``topic``, ``rank`` (from 1), ``keyword``, ``weight`` (c-TF-IDF).
    names, name_sources
        Of each topic, and where the name is from: ``keywords``, ``given``, ``llm``.
    settings
        With which they were found.
    far
        Cosine to the nearest fitted text below which a new one has no topic.
    agreement
        Of the rule for new texts with the clustering.
    merged_from
        How many clusters the topics were merged from.
    embedding
        Identity of the embedder.
    versions
        Of the packages that were used.
    notes
        What a reader should know: fewer topics than asked for, texts that were cut, blank or split.
    simulated
        Whether the texts come from a simulated endpoint or model.
    embedder
        Embeds new texts; None where it is not at hand.
    """

    texts: tuple[str, ...] = field(repr=False)
    counts: Ints = field(repr=False)
    topic: Ints = field(repr=False)
    vectors: Vectors = field(repr=False)
    keywords: pd.DataFrame = field(repr=False)
    names: tuple[str, ...]
    name_sources: tuple[str, ...]
    settings: Settings
    far: float
    agreement: Agreement
    merged_from: int
    embedding: Mapping[str, Any]
    versions: Mapping[str, str] = field(repr=False)
    notes: tuple[str, ...] = ()
    simulated: bool = False
    embedder: Embedder | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for values in (self.counts, self.topic, self.vectors):
            values.setflags(write=False)

    def __repr__(self) -> str:
        simulated = mark(self.simulated)
        return (
            f"<TopicModel: {self.n_topics} topics of {int(self.counts.sum()):,} texts ({len(self.texts):,} different), "
            f"{one_line(self.embedding['name'])}, seed {self.settings.seed}{simulated}>"
        )

    def _shown(self) -> Shown:
        agree = f"The rule for new texts gives {self.agreement.share:.1%} of the fitted ones the topic that they have."
        return Shown(
            f"{self.n_topics} topics of {int(self.counts.sum()):,} texts",
            self.simulated,
            lines=(f"{len(self.texts):,} different texts, {self.embedding['name']}, seed {self.settings.seed}.", agree),
            tables=(("Topics; -1 holds the texts that have none", self.topics.drop(columns="simulated")),),
            notes=tuple(f"Note: {note}" for note in self.notes),
        )

    @property
    def n_topics(self) -> int:
        """Topics besides the outliers."""
        return len(self.names)

    @property
    def topics(self) -> pd.DataFrame:
        """One row a topic, the outliers (-1) first.

        Columns: ``topic``, ``name``, ``name_source``, ``size`` (texts as they were given), ``texts`` (different ones),
        ``keywords`` (best first, with commas), ``simulated``.
        """
        ids = np.arange(-1, self.n_topics)
        words = self.keywords.groupby("topic")["keyword"].agg(", ".join)
        return pd.DataFrame(
            {
                "topic": ids,
                "name": pd.Series([OUTLIERS, *self.names], dtype=object),
                "name_source": ["", *self.name_sources],
                "size": np.bincount(self.topic + 1, self.counts, len(ids)).astype(np.int64),
                "texts": np.bincount(self.topic + 1, minlength=len(ids)),
                "keywords": pd.Series([words.get(i, "") for i in ids], dtype=object),
                "simulated": self.simulated,
            }
        )

    def assign(self, texts: Iterable[str], *, progress: bool = False) -> pd.DataFrame:
        """Topics of texts, fitted or new.

        A fitted text has the topic that the clustering gave it, exactly. A new one has the topic that most of the
        ``n_neighbors`` fitted texts nearest to it by cosine have, no topic (-1) counting as one; of equally many the
        one whose texts are nearer together. It has none when even the nearest is farther than ``far`` (1% of the
        fitted texts are as far from their nearest), when the embedder knows nothing in it, and when it is blank.
        ``agreement`` says how often this rule gives fitted texts, left out, the topic that they have.

        Parameters
        ----------
        texts
            In any number and order; what a text gets does not depend on the others, but for last digits.
        progress
            Show how far embedding is.

        Returns
        -------
        pandas.DataFrame
            One row a text: ``text``, ``topic``, ``name``, ``how`` (``fitted``, ``nearest``, ``far``, ``blank``),
            ``similarity`` (cosine to the nearest fitted text; missing for blank ones), ``simulated``.

        Raises
        ------
        TopicError
            Something is no text, or a text is new and the embedder is not at hand.
        """
        given = checked(texts)
        place = {text: i for i, text in enumerate(dict.fromkeys(given))}
        rows = [self._fitted.get(text, -1) for text in place]
        fitted = np.array(rows, dtype=np.int64)
        topic = np.where(fitted >= 0, self.topic[fitted], -1)
        similarity = np.where(fitted >= 0, 1.0, np.nan)
        how = np.where(fitted >= 0, "fitted", "blank").astype(object)
        new = [text for text, row in zip(place, rows, strict=True) if row < 0 and not blank(text)]
        if new:
            which = np.array([place[text] for text in new])
            vectors = embedded(self._at_hand(new[0]), new, progress=progress)
            nearest = vote(vectors, self.vectors, self.topic, self.settings.n_neighbors)
            far = (nearest.similarity < self.far) | ~known(vectors)
            topic[which] = np.where(far, -1, nearest.topic)
            similarity[which] = nearest.similarity
            how[which] = np.where(far, "far", "nearest")
        each = np.array([place[text] for text in given], dtype=np.int64)
        names = np.array([*self.names, OUTLIERS], dtype=object)
        return pd.DataFrame(
            {
                "text": pd.Series(given, dtype=object),
                "topic": topic[each],
                "name": names[topic[each]],
                "how": how[each],
                "similarity": similarity[each],
                "simulated": self.simulated,
            }
        )

    def topic_of_text(self, texts: Iterable[str], *, progress: bool = False) -> dict[str, int]:
        """Topic of each different text, as `topic_features` takes them; see `assign`."""
        table = self.assign(dict.fromkeys(checked(texts)), progress=progress)
        return dict(zip(table["text"], table["topic"].tolist(), strict=True))

    def sample(self, topic: int, n: int = 300, *, seed: int = 42) -> list[str]:
        """Different texts of a topic drawn at random, for people or models to name it by.

        Parameters
        ----------
        topic
            From -1.
        n
            At most; all of them, in random order, where there are fewer.
        seed
            The draw depends on it and the topic only.

        Raises
        ------
        TopicError
            There is no such topic.
        """
        self._check(topic, -1)
        which = np.flatnonzero(self.topic == topic)
        order = np.random.default_rng([seed, int(topic) + 1]).permutation(len(which))
        return [self.texts[i] for i in which[order[:n]]]

    def with_names(self, names: Mapping[int, str], *, source: str = "given") -> TopicModel:
        """The model with other names of some topics.

        Names are not trusted: they become one line without control characters (`clean_name`), and whatever markup or
        formula they hold stays text. Those of fewer than three or more than six words are kept, with a note.

        Parameters
        ----------
        names
            Topic from 0 to its name.
        source
            ``given`` by people, or ``llm``.

        Raises
        ------
        TopicError
            There is no such topic, or a name is not text, blank or longer than 100 characters.
        """
        if source not in ("given", "llm"):
            raise TopicError(f"the source of names is given or llm, not {shown(source)}.")
        new, sources, odd = list(self.names), list(self.name_sources), []
        for topic, name in names.items():
            self._check(topic, 0)
            new[topic], sources[topic] = clean_name(name), source
            if unusual(new[topic]):
                odd.append(topic)
        notes = self.notes
        if odd:
            notes += (f"names of topics {', '.join(map(str, odd))} have fewer than three or more than six words",)
        return replace(self, names=tuple(new), name_sources=tuple(sources), notes=notes)

    def digest(self) -> str:
        """SHA-256 of the texts, their topics and the keywords: equal where two fits found the same."""
        words = self.keywords[["topic", "keyword", "weight"]].values.tolist()
        content = [self.texts, self.counts.tolist(), self.topic.tolist(), words]
        return hashlib.sha256(json.dumps(content).encode("ascii")).hexdigest()

    def save(self, folder: str | Path, *, force: bool = False) -> Path:
        """Keep the model in a folder; `load_topics` reads it. See `pluristats.topics.files` for what is in it.

        Raises
        ------
        TopicError
            The folder cannot be written, or holds something else (unless ``force``).
        """
        from pluristats.topics.files import save

        return save(self, folder, force=force)

    @cached_property
    def _fitted(self) -> dict[str, int]:
        return {text: i for i, text in enumerate(self.texts)}

    def _at_hand(self, text: str) -> Embedder:
        if self.embedder is None:
            raise TopicError(
                f"text {shown(text)} is new, and the embedder {self.embedding['name']!r} is not at hand to place it; "
                "give it to load_topics as embed=."
            )
        return self.embedder

    def _check(self, topic: object, lowest: int) -> None:
        whole = isinstance(topic, int | np.integer) and not isinstance(topic, bool)
        if not whole or not lowest <= topic < self.n_topics:  # type: ignore[operator]
            raise TopicError(f"there is no topic {shown(topic)}; topics are from {lowest} to {self.n_topics - 1}.")
