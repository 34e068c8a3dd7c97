"""The study: annotators, prompts and ratings as one immutable record."""

from __future__ import annotations

import hashlib
import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd

from pluristats.study.coding import Coding
from pluristats.study.frame import Modelling, build
from pluristats.study.record import FrozenMap, Source, Truth


@dataclass(frozen=True, eq=False, repr=False)
class Study:
    """Ratings of prompts by annotators, with what is known about both.

    Made by :func:`~pluristats.study.load_study` or :func:`~pluristats.study.simulate_study`. Nothing in it can be
    changed: tables are handed out as copies.

    Parameters
    ----------
    name
        For titles.
    source
        Where it came from.
    truth
        What generated it; None unless simulated.
    features
        Prompt feature columns by group, in order.
    codings
        The trait columns and how they are coded.
    scale
        Least and greatest rating.
    labels
        Readable names of feature and trait columns.
    sources
        Name in the files of columns that the frame renames.
    annotators_, prompts_, ratings_
        The tables; read them through :attr:`annotators`, :attr:`prompts` and :attr:`ratings`.

    Examples
    --------
    >>> from pluristats.study import simulate_study
    >>> study = simulate_study(n_annotators=20, n_prompts=30, seed=1)
    >>> study.simulated, len(study.ratings)
    (True, 600)
    """

    name: str
    source: Source
    truth: Truth | None
    features: Mapping[str, tuple[str, ...]]
    codings: tuple[Coding, ...]
    scale: tuple[float, float]
    labels: Mapping[str, str]
    sources: Mapping[str, str]
    annotators_: pd.DataFrame = field(repr=False)
    prompts_: pd.DataFrame = field(repr=False)
    ratings_: pd.DataFrame = field(repr=False)

    @property
    def annotators(self) -> pd.DataFrame:
        """One row an annotator: ``annotator`` and the trait columns as released (labels, factor scores)."""
        return self.annotators_.copy()

    @property
    def prompts(self) -> pd.DataFrame:
        """One row a prompt: ``prompt``, ``text``, ``harm_level``, ``seed`` and the feature columns, raw."""
        return self.prompts_.copy()

    @property
    def ratings(self) -> pd.DataFrame:
        """One row a rating asked for: ``annotator``, ``prompt``, ``rating`` (NaN = "Unsure"), ``trial``."""
        return self.ratings_.copy()

    @cached_property
    def groups(self) -> Mapping[str, tuple[str, ...]]:
        """Frame columns by name: each feature group, ``traits``, and its parts ``demographics`` and ``factors``."""
        demographics = tuple(coding.column for coding in self.codings if coding.zscored)
        factors = tuple(coding.column for coding in self.codings if not coding.zscored)
        of_traits = {"traits": demographics + factors, "demographics": demographics, "factors": factors}
        return FrozenMap({**self.features, **of_traits})

    @property
    def simulated(self) -> bool:
        """Whether the ratings are simulated."""
        return self.source.simulated

    @cached_property
    def checksum(self) -> str:
        """Return sha256 (64 hex digits) of the contents: tables, groups, codings, scale, and whether simulated.

        The same contents give the same checksum wherever they were read from; it is the study's identity in runs.
        """
        digest = hashlib.sha256()
        for table in (self.annotators_, self.prompts_, self.ratings_):
            digest.update(table.to_csv(index=False, lineterminator="\n").encode())
        codings = [(coding.column, coding.rule, coding.words()) for coding in self.codings]
        settings = (dict(self.features), codings, tuple(map(float, self.scale)), self.simulated)
        digest.update(repr(settings).encode())
        return digest.hexdigest()

    @cached_property
    def _modelling(self) -> Modelling:
        groups_of = {column: group for group in ("demographics", "factors") for column in self.groups[group]}
        return build(
            self.annotators_, self.prompts_, self.ratings_, self.codings, self.features, groups_of, self.sources
        )

    def frame(self) -> pd.DataFrame:
        """Return the modelling frame, one row a usable rating.

        z = (x - mean) / sd with ddof 1: labelled and numeric traits over annotators; rating, trial and prompt
        features over the rows of this frame. Factor scores, ``rating_raw`` and ``harm_level`` stay as they are.

        Returns
        -------
        DataFrame
            ``annotator``, ``prompt``, ``seed`` (Categorical); ``rating``, ``rating_raw``, ``trial``,
            ``harm_level``, then every feature and trait column (float64). Rows whose annotator gave no answer to a
            trait stay, with NaN there: models drop and count them (:meth:`dropped`). A constant column is 0.
            The result is the caller's own copy.
        """
        return self._modelling.frame.copy()

    def codebook(self) -> pd.DataFrame:
        """Return how each frame column was made.

        Returns
        -------
        DataFrame
            One row a frame column: ``column``, ``group``, ``source`` (name in the files), ``coding`` (in words),
            ``zscored_over``, ``mean`` and ``sd`` (before z-scoring, ddof 1), ``missing`` (rows of the frame),
            ``constant``.
        """
        return self._modelling.codebook.copy()

    def dropped(self) -> pd.DataFrame:
        """Return which ratings are not usable, and which lack a trait, counted by reason.

        Returns
        -------
        DataFrame
            ``reason``, ``rows``, ``effect``. Only "Unsure" ratings are not in :meth:`frame`; rows with a missing
            trait are in it and are listed because models with that trait drop them.
        """
        return self._modelling.dropped.copy()

    def __repr__(self) -> str:
        simulated = " (simulated)" if self.simulated else ""
        groups = ", ".join(f"{name} {len(columns)}" for name, columns in self.groups.items())
        usable = int(self.ratings_["rating"].notna().sum())
        return (
            f"<Study {self.name!r}{simulated}: {len(self.annotators_):,} annotators × {len(self.prompts_):,} prompts "
            f"({self.prompts_['seed'].nunique():,} seeds), {usable:,} usable of {len(self.ratings_):,} ratings; "
            f"{groups}>"
        )

    def _repr_html_(self) -> str:
        return f"<code>{html.escape(repr(self))}</code>"
