"""What is where in a study's files; the release's layout is one constant, a ``study.yaml`` makes others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pluristats.study.coding import Coding
from pluristats.study.record import FrozenMap

RESERVED = ("annotator", "prompt", "seed", "rating", "rating_raw", "trial", "harm_level", "text")
"""Frame and table columns with a fixed meaning; no feature or trait may have these names."""


@dataclass(frozen=True)
class Features:
    """Columns of one feature group.

    Parameters
    ----------
    columns
        Their names; a name with a ``*`` stands for all columns of the header that match.
    low, high
        Permitted range of the cells.
    """

    columns: tuple[str, ...]
    low: float = float("-inf")
    high: float = float("inf")


@dataclass(frozen=True)
class Layout:
    """Files and columns of a study.

    Parameters
    ----------
    name
        Of the study.
    ratings_file, wide, ratings_annotator, ratings_prompt, rating, trial
        Ratings: one row a rating (``wide`` False), or one row an annotator and one column a prompt (``wide`` True;
        then ``rating`` and ``trial`` are patterns whose ``*`` is the prompt's id and ``ratings_prompt`` is unused).
    annotators_file, annotator
        One row an annotator; None where the ratings are all that is known of annotators.
    prompts_file, prompt, text, harm_level, seed
        One row a prompt; None where the ratings are all that is known of prompts.
    scale, harm_range
        Least and greatest rating, least and greatest harm level.
    missing
        Labels in a rating cell that mean "Unsure"; an empty cell always does.
    traits
        Annotator columns and how they are coded.
    features
        Feature groups of the prompts.
    seeds_from
        Feature groups whose identical rows mean that prompts are variants of one seed; empty: each prompt is its
        own seed. Not used where ``seed`` names a column or the prompts have a column called ``seed``.
    topic_names
        Optional JSON file naming the columns ``value_topic_0``, ``value_topic_1``, …
    labels
        Readable names by column.
    """

    name: str
    ratings_file: str
    wide: bool
    ratings_annotator: str
    ratings_prompt: str | None
    rating: str
    trial: str | None
    annotators_file: str | None = None
    annotator: str = ""
    prompts_file: str | None = None
    prompt: str = ""
    text: str | None = None
    harm_level: str | None = None
    seed: str | None = None
    scale: tuple[float, float] = (0.0, 100.0)
    harm_range: tuple[float, float] = (float("-inf"), float("inf"))
    missing: tuple[str, ...] = ()
    traits: tuple[Coding, ...] = ()
    features: Mapping[str, Features] = field(default_factory=lambda: FrozenMap[Features]())
    seeds_from: tuple[str, ...] = ()
    topic_names: str | None = None
    labels: Mapping[str, str] = field(default_factory=lambda: FrozenMap[str]())
