"""What a method sees: prompts, annotators and the ratings that are not hidden from it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pluristats.engine.result import Array
from pluristats.evaluation.protocol import Split
from pluristats.study import Study


@dataclass(frozen=True, eq=False)
class Prompts:
    """Prompts as a method knows them: everything but ratings.

    Parameters
    ----------
    labels
        As in the study, length m.
    texts
        Untrusted text; empty where the study has none.
    harm_level
        Level that each was written for, shape (m,); NaN where unknown.
    seeds
        Codes of the seeds, shape (m,).
    features
        Columns as given, shape (m, p), by feature group.
    names
        Names of those columns, by group.
    embeddings
        Of the texts, shape (m, e), where a method asked for them; else None.
    """

    labels: tuple[Hashable, ...]
    texts: tuple[str, ...] = field(repr=False)
    harm_level: Array = field(repr=False)
    seeds: NDArray[np.intp] = field(repr=False)
    features: Mapping[str, Array] = field(repr=False)
    names: Mapping[str, tuple[str, ...]] = field(repr=False)
    embeddings: Array | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, at: NDArray[np.intp]) -> Prompts:
        """Some of them, in the order given."""
        return Prompts(
            tuple(self.labels[j] for j in at),
            tuple(self.texts[j] for j in at),
            self.harm_level[at],
            self.seeds[at],
            {group: x[at] for group, x in self.features.items()},
            self.names,
            None if self.embeddings is None else self.embeddings[at],
        )

    def find(self, others: Prompts) -> NDArray[np.intp]:
        """Position among these of each of the others; -1 where it is not one of these."""
        position = {label: j for j, label in enumerate(self.labels)}
        return np.array([position.get(label, -1) for label in others.labels], dtype=np.intp)


@dataclass(frozen=True, eq=False)
class Annotators:
    """People as a method knows them.

    Parameters
    ----------
    labels
        As in the study, length n.
    traits
        Coded and z-scored over annotators (factors as released), shape (n, t); NaN where there is no answer.
    names
        Names of the traits.
    """

    labels: tuple[Hashable, ...]
    traits: Array = field(repr=False)
    names: tuple[str, ...] = field(repr=False)

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Alignment:
    """What a method is fitted to.

    Parameters
    ----------
    ratings
        Shape (annotators, prompts), 0 to 1; NaN where there is none: "Unsure", never asked, or hidden.
    prompts
        The columns. Test prompts are among them in ``known-prompts`` only, each with the ratings of others.
    annotators
        The rows.
    seed
        For methods that draw.
    """

    ratings: Array = field(repr=False)
    prompts: Prompts
    annotators: Annotators
    seed: int = 0

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Cells with a rating, shape (annotators, prompts)."""
        return ~np.isnan(self.ratings)

    def subset(self, *, prompts: NDArray[np.intp] | None = None, hidden: NDArray[np.bool_] | None = None) -> Alignment:
        """The same with fewer prompts, or with more cells hidden: for validation within the alignment."""
        ratings = self.ratings if hidden is None else np.where(hidden, np.nan, self.ratings)
        if prompts is None:
            return Alignment(ratings, self.prompts, self.annotators, self.seed)
        return Alignment(ratings[:, prompts], self.prompts.take(prompts), self.annotators, self.seed)


@dataclass(frozen=True, eq=False)
class Table:
    """A study as one matrix of ratings on 0-1, with its prompts and annotators.

    Parameters
    ----------
    ratings
        Shape (annotators, prompts), NaN where there is none.
    prompts, annotators
        Its columns and rows.
    """

    ratings: Array = field(repr=False)
    prompts: Prompts
    annotators: Annotators

    @classmethod
    def of(cls, study: Study) -> Table:
        """The study's ratings, (rating - least) / (greatest - least) of its scale."""
        about, people, ratings = study.prompts, study.annotators, study.ratings
        frame = study.frame()
        low, high = study.scale
        i = people.set_index("annotator").index.get_indexer(pd.Index(ratings["annotator"]))
        j = about.set_index("prompt").index.get_indexer(pd.Index(ratings["prompt"]))
        unit = np.full((len(people), len(about)), np.nan)
        unit[i, j] = (ratings["rating"].to_numpy(dtype=np.float64) - low) / (high - low)
        names = tuple(study.groups["traits"])
        first = frame.drop_duplicates("annotator").set_index("annotator")
        first.index = first.index.astype(object)
        traits = first[list(names)].reindex(people["annotator"]).to_numpy(dtype=np.float64)
        text = about["text"].fillna("") if "text" in about else [""] * len(about)
        prompts = Prompts(
            labels=tuple(about["prompt"].tolist()),
            texts=tuple(str(t) for t in text),
            harm_level=about["harm_level"].to_numpy(dtype=np.float64),
            seeds=np.unique(about["seed"].astype(str), return_inverse=True)[1],
            features={g: about[list(columns)].to_numpy(dtype=np.float64) for g, columns in study.features.items()},
            names={g: tuple(columns) for g, columns in study.features.items()},
        )
        return cls(unit, prompts, Annotators(tuple(people["annotator"].tolist()), traits, names))

    def alignment(self, split: Split, seed: int = 0) -> Alignment:
        """What a split lets a method see; in ``oracle`` that is everything."""
        hidden = self.hidden(split)
        if split.setting == "oracle":
            return Alignment(self.ratings, self.prompts, self.annotators, seed)
        if split.setting == "known-prompts":
            return Alignment(np.where(hidden, np.nan, self.ratings), self.prompts, self.annotators, seed)
        left = np.flatnonzero(~hidden.any(axis=0))
        return Alignment(self.ratings[:, left], self.prompts.take(left), self.annotators, seed)

    def hidden(self, split: Split) -> NDArray[np.bool_]:
        """Cells that the split tests, shape (annotators, prompts)."""
        return split.hidden(self.annotators.labels, self.prompts.labels)
