"""The modelling frame: one row a usable rating, every column coded and z-scored, with a record of how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pluristats.study.coding import Coding, ZScore, code_column, zscore

_CODEBOOK = ("column", "group", "source", "coding", "zscored_over", "mean", "sd", "missing", "constant")


@dataclass(frozen=True)
class Modelling:
    """A modelling frame and its records.

    Parameters
    ----------
    frame
        One row a usable rating.
    codebook
        One row a frame column: how it was made.
    dropped
        One row a reason: how many ratings are not in the frame, and how many are but lack a trait.
    """

    frame: pd.DataFrame
    codebook: pd.DataFrame
    dropped: pd.DataFrame


def build(
    annotators: pd.DataFrame,
    prompts: pd.DataFrame,
    ratings: pd.DataFrame,
    codings: Sequence[Coding],
    features: Mapping[str, Sequence[str]],
    groups_of: Mapping[str, str],
    sources: Mapping[str, str],
) -> Modelling:
    """Code and z-score a study's tables.

    z = (x - mean) / sd, ddof 1; labelled traits over annotators, everything else over the usable ratings.

    Parameters
    ----------
    annotators, prompts, ratings
        As in :class:`~pluristats.study.Study`.
    codings
        The traits.
    features
        Prompt feature columns by group.
    groups_of
        Group names to show in the codebook, by column.
    sources
        Name in the files of columns that are renamed in the frame.
    """
    usable = ratings[ratings["rating"].notna()]
    who = pd.Index(annotators["annotator"]).get_indexer(pd.Index(usable["annotator"]))
    what = pd.Index(prompts["prompt"]).get_indexer(pd.Index(usable["prompt"]))
    columns: dict[str, object] = {
        "annotator": _categorical(annotators["annotator"], who),
        "prompt": _categorical(prompts["prompt"], what),
        "seed": _categorical(prompts["seed"], what),
    }
    book: list[tuple[object, ...]] = [
        (name, "identifier", sources.get(name, name), "label", "", np.nan, np.nan, 0, False) for name in columns
    ]

    def add(
        name: str, group: str, coding: str, over: str, z: ZScore, values: NDArray[np.float64], missing: int
    ) -> None:
        columns[name] = values
        note = (
            "; constant, so it cannot be z-scored and is 0 throughout"
            if z.constant and over and missing < values.size
            else ""
        )
        source = sources.get(name, name)
        book.append((name, group, source, coding + note, over, z.mean, z.sd, missing, z.constant))

    raw = usable["rating"].to_numpy(dtype=np.float64)
    trial = usable["trial"].to_numpy(dtype=np.float64)
    harm = prompts["harm_level"].to_numpy(dtype=np.float64)[what]
    add("rating", "response", "rating", "usable ratings", zscore(raw), zscore(raw).values, 0)
    add("rating_raw", "response", "rating as given", "", zscore(raw), raw, 0)
    add("trial", "design", "display order", "usable ratings", zscore(trial), zscore(trial).values, _count(trial))
    add("harm_level", "design", "level that the prompt was written for", "", zscore(harm), harm, _count(harm))
    for group, names in features.items():
        for name in names:
            z = zscore(prompts[name].to_numpy(dtype=np.float64)[what])
            add(name, group, "number in the cell", "usable ratings", z, z.values, 0)
    for coding in codings:
        coded = code_column(coding, annotators[coding.column].tolist())
        z = zscore(coded)
        over = "annotators" if coding.zscored else ""
        values = z.values if coding.zscored else coded
        add(coding.column, groups_of[coding.column], coding.words(), over, z, values[who], _count(values[who]))
    frame = pd.DataFrame(columns).copy()  # the copy consolidates the columns into one block
    codebook = pd.DataFrame(book, columns=list(_CODEBOOK))
    return Modelling(frame, codebook, _dropped(annotators, ratings, codings, who))


def _categorical(labels: pd.Series, codes: NDArray[np.intp]) -> pd.Categorical:
    """Labels at ``codes``, categories in order of first appearance in ``labels``, unused ones left out."""
    level, levels = pd.factorize(labels)
    return pd.Categorical.from_codes(level[codes], categories=levels).remove_unused_categories()


def _count(values: NDArray[np.float64]) -> int:
    return int(np.isnan(values).sum())


def _dropped(
    annotators: pd.DataFrame, ratings: pd.DataFrame, codings: Sequence[Coding], who: NDArray[np.intp]
) -> pd.DataFrame:
    """Count what is not in the frame, and what is in it but cannot be used by a model with that trait."""
    left_out, kept = "not in the frame", "in the frame; a model with this trait drops the row"
    rows: list[tuple[str, int, str]] = [("Unsure", int(ratings["rating"].isna().sum()), left_out)]
    per_annotator = np.bincount(who, minlength=len(annotators))
    anywhere = np.zeros(len(annotators), dtype=bool)
    for coding in codings:
        cells = annotators[coding.column]
        missing = np.isnan(code_column(coding, cells.tolist()))
        anywhere |= missing
        answers = cells.where(~cells.isna(), "").astype(str).str.strip()
        for answer in dict.fromkeys(answers[missing]):
            rating_count = int(per_annotator[missing & (answers == answer).to_numpy()].sum())
            said = "empty" if coding.numeric or not answer else f"answer {answer!r}"
            rows.append((f"{coding.column} missing: {said}", rating_count, kept))
    if anywhere.any():
        rows.append(("any trait missing", int(per_annotator[anywhere].sum()), kept))
    return pd.DataFrame(rows, columns=["reason", "rows", "effect"])
