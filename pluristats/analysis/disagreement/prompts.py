"""What the ratings of each prompt look like: centre, spread, entropy."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from pluristats.errors import PluristatsError
from pluristats.study import Study

BINS = 10


def has_harm_levels(study: Study) -> bool:
    """Whether the study says which harm level its prompts were written for."""
    return bool(study.prompts_["harm_level"].notna().any())


def require_harm_levels(study: Study) -> NDArray[np.float64]:
    """Harm level of each prompt, shape (prompts,), in the order of ``study.prompts``.

    Raises
    ------
    PluristatsError
        The study has none, or a prompt lacks one.
    """
    levels = study.prompts_["harm_level"].to_numpy(dtype=np.float64)
    missing = np.flatnonzero(np.isnan(levels))
    if missing.size == levels.size:
        raise PluristatsError(
            f"The study {study.name!r} has no harm levels; name their column in study.yaml (prompts.harm_level)."
        )
    if missing.size:
        prompt = study.prompts_["prompt"].iloc[missing[0]]
        raise PluristatsError(
            f"The study {study.name!r}: prompt {str(prompt)!r} has no harm_level ({missing.size} lack one); fill it in."
        )
    return levels


def rating_matrix(study: Study) -> pd.DataFrame:
    """Ratings as a matrix: one row an annotator, one column a prompt, NaN where "Unsure" or not asked."""
    ratings = study.ratings_
    matrix = ratings.pivot(index="annotator", columns="prompt", values="rating")
    return matrix.reindex(index=study.annotators_["annotator"], columns=study.prompts_["prompt"])


def bin_counts(
    ratings: NDArray[np.float64], groups: NDArray[np.intp], n_groups: int, scale: tuple[float, float], bins: int
) -> NDArray[np.float64]:
    """Count ratings per group and bin.

    Bins are equal parts of the scale, closed below and open above, the last closed on both sides.

    Parameters
    ----------
    ratings
        Shape (n,), within the scale; NaN is not counted.
    groups
        Group of each rating, 0 … ``n_groups`` - 1, shape (n,).
    n_groups, scale, bins
        Number of groups, least and greatest rating, number of bins.

    Returns
    -------
    ndarray
        Shape (n_groups, bins).
    """
    low, high = scale
    if bins < 1 or not high > low:
        raise ValueError(f"bins must be at least 1 and the scale must ascend, not bins={bins}, scale={scale}.")
    there = ~np.isnan(ratings)
    given = ratings[there]
    if given.size and (given.min() < low or given.max() > high):
        raise ValueError(f"a rating lies outside the scale {low:g} to {high:g}.")
    # Multiplied before divided: 70 * 10 / 100 is exactly 7, 0.7 * 10 need not be.
    position = np.floor((given - low) * bins / (high - low)).astype(np.intp)
    cell = groups[there] * bins + np.minimum(position, bins - 1)
    return np.bincount(cell, minlength=n_groups * bins).reshape(n_groups, bins).astype(np.float64)


def entropy_bits(counts: ArrayLike) -> NDArray[np.float64]:
    """Shannon entropy in bits of each row of counts: H = -Σ_k p_k log2 p_k, p_k = count_k / Σ count.

    0 when all are in one bin, log2(bins) when all bins are equal; NaN for a row without counts. The plug-in estimate
    is too low by about (occupied bins - 1) / (2 n ln 2) bits (Miller 1955), so compare rows of similar n.

    Parameters
    ----------
    counts
        Shape (groups, bins), not negative.

    Returns
    -------
    ndarray
        Shape (groups,).
    """
    counts = np.atleast_2d(np.asarray(counts, dtype=np.float64))
    totals = counts.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = counts / totals[:, None]
        terms = np.where(p > 0, -p * np.log2(p), 0.0)
    return np.where(totals > 0, terms.sum(axis=1), np.nan)


def prompt_statistics(study: Study, bins: int = BINS) -> pd.DataFrame:
    """One row a prompt: centre, spread and entropy of its ratings.

    Formula: mean, median; variance = Σ (x - mean)² / (n - 1), sd its root; entropy as :func:`entropy_bits` over
    ``bins`` equal parts of the rating scale (10 by default: 0-10, 10-20, …, 90-100, a rating on a boundary counts
    upwards).

    Parameters
    ----------
    study
        The study.
    bins
        Number of bins of the entropy.

    Returns
    -------
    DataFrame
        In the order of ``study.prompts``: ``prompt``, ``harm_level`` (NaN where unknown), ``n`` (usable ratings),
        ``n_unsure``, ``mean``, ``median``, ``sd``, ``variance`` (rating units, squared), ``entropy`` (bits). A prompt
        without ratings has NaN, one with a single rating NaN for sd and variance.
    """
    prompts, ratings = study.prompts_, study.ratings_
    code = pd.Index(prompts["prompt"]).get_indexer(pd.Index(ratings["prompt"])).astype(np.intp)
    values = ratings["rating"].to_numpy(dtype=np.float64)
    grouped = pd.Series(values).groupby(code)
    table = grouped.agg(n="count", mean="mean", median="median", variance="var").reindex(range(len(prompts)))
    n = np.nan_to_num(table["n"].to_numpy(dtype=np.float64)).astype(np.int64)
    asked = np.bincount(code, minlength=len(prompts))
    counts = bin_counts(values, code, len(prompts), study.scale, bins)
    return pd.DataFrame(
        {
            "prompt": prompts["prompt"].to_numpy(),
            "harm_level": prompts["harm_level"].to_numpy(dtype=np.float64),
            "n": n,
            "n_unsure": asked - n,
            "mean": table["mean"].to_numpy(),
            "median": table["median"].to_numpy(),
            "sd": np.sqrt(table["variance"].to_numpy()),
            "variance": table["variance"].to_numpy(),
            "entropy": entropy_bits(counts),
        }
    )


def rating_histogram(study: Study, bins: int = 100) -> pd.DataFrame:
    """Share of the ratings in each bin, by harm level; narrow bins show heaping on round numbers.

    Parameters
    ----------
    study
        With harm levels.
    bins
        Equal parts of the rating scale; the last holds its upper end too.

    Returns
    -------
    DataFrame
        One row a level and bin: ``harm_level``, ``low``, ``high`` (of the bin), ``n``, ``share`` (of the level's
        ratings; they sum to 1 within a level, NaN for a level without ratings).

    Raises
    ------
    PluristatsError
        The study has no harm levels.
    """
    level, levels = pd.factorize(require_harm_levels(study), sort=True)
    ratings = study.ratings_
    code = pd.Index(study.prompts_["prompt"]).get_indexer(pd.Index(ratings["prompt"]))
    counts = bin_counts(
        ratings["rating"].to_numpy(dtype=np.float64), level[code].astype(np.intp), len(levels), study.scale, bins
    )
    edges = np.linspace(*study.scale, bins + 1)
    with np.errstate(invalid="ignore"):
        shares = counts / counts.sum(axis=1, keepdims=True)
    return pd.DataFrame(
        {
            "harm_level": np.repeat(np.asarray(levels, dtype=np.float64), bins),
            "low": np.tile(edges[:-1], len(levels)),
            "high": np.tile(edges[1:], len(levels)),
            "n": counts.ravel().astype(np.int64),
            "share": shares.ravel(),
        }
    )
