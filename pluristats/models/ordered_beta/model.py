"""``ordered_beta``: formula and ratings in, a bounded mixed model with mass at both ends out, without R."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from pluristats.engine.result import Array
from pluristats.errors import (
    FitError,
    SingularFitWarning,
    UnsupportedError,
)
from pluristats.formula import Design, build_design
from pluristats.models.lmer import StudyLike, frame_and_groups
from pluristats.models.ordered_beta.estimate import estimate
from pluristats.models.ordered_beta.fit import OrderedBetaFit
from pluristats.models.ordered_beta.maximise import ZERO
from pluristats.models.remarks import Remark, of_columns, of_optimizer, of_rows

# Effects of all grouping factors: they are one dense matrix.
MOST_LEVELS = 3000


def ordered_beta(
    formula: str,
    data: StudyLike | pd.DataFrame,
    *,
    scale: tuple[float, float] | None = None,
    groups: Mapping[str, Sequence[str]] | None = None,
) -> OrderedBetaFit:
    """Fit an ordered beta regression with random intercepts by maximum likelihood, with Laplace's approximation.

    Formula: η = Xβ + Σ_k Z_k b_k, b_k ~ N(0, σ_k² I); P(y = 0) = Λ(c₀ - η), P(y = 1) = Λ(η - c₁), and between the ends
    Beta(μφ, (1 - μ)φ) with μ = Λ(η), of y = (rating - least) / (greatest - least), Λ the logistic function. It is what
    R's ``glmmTMB(family = ordbeta())`` fits.

    Parameters
    ----------
    formula
        As for :func:`pluristats.lmer`, with random intercepts or none. The response is a rating as given: in a study's
        frame ``rating_raw``, as ``rating`` is z-scored there.
    data
        A study, or a table with one row an observation.
    scale
        Least and greatest rating possible, such as ``(0, 100)``; None is the study's.
    groups
        Feature groups for a table; a study brings its own.

    Returns
    -------
    OrderedBetaFit

    Raises
    ------
    UnsupportedError
        Random slopes, an offset, or more than 3,000 levels of all grouping factors.
    FormulaError
        The formula cannot be read or names unknown columns.
    FitError
        A rating outside the scale, no rating at one of its ends or between them, or no maximum.
    ValueError
        A scale that is none, or none for a table.

    Warns
    -----
    DroppedRowsWarning, RankDeficientWarning, SingularFitWarning, ConvergenceWarning
        What happened on the way; the same facts are in the result.

    Notes
    -----
    The release's 14,725 ratings with 58 fixed columns and both intercepts take some seconds on one core.

    References
    ----------
    Kubinec (2023), Ordered beta regression, Political Analysis 31; Brooks et al. (2017), glmmTMB, R Journal 9(2).
    """
    ends = getattr(data, "scale", None) if scale is None else scale
    if ends is None:
        raise ValueError("An ordered beta model needs the ends of the rating scale, such as scale=(0, 100).")
    low, high = float(ends[0]), float(ends[1])
    if not (np.isfinite([low, high]).all() and high > low):
        raise ValueError(f"scale is the least and the greatest rating, such as (0, 100), not {scale}.")
    frame, groups, simulated = frame_and_groups(data, groups)
    design = build_design(formula, frame, groups)
    _refuse(design)
    found = estimate(unit_ratings(design, frame, (low, high)), design.x, design.factors)
    fit = OrderedBetaFit(formula, design, frame.index[design.rows], (low, high), found, simulated)
    for category, message in _remarks(fit):
        warnings.warn(message, category, stacklevel=2)
    return fit


def unit_ratings(design: Design, frame: pd.DataFrame, scale: tuple[float, float]) -> Array:
    """The response on 0-1, shape (n,); refused where a rating is outside the scale."""
    low, high = scale
    outside = np.flatnonzero((design.y < low) | (design.y > high))
    if len(outside):
        row = frame.index[design.rows[outside[0]]]
        raise FitError(
            f"The response {design.parsed.response!r} is {design.y[outside[0]]:g} in row {row}, outside the scale "
            f"{low:g} to {high:g}; take ratings as given (rating_raw of a study) or another scale=."
        )
    return (design.y - low) / (high - low)


def _refuse(design: Design) -> None:
    """What an ordered beta model does not do."""
    slopes = [str(term) for term in design.parsed.random if not term.intercept_only]
    if slopes:
        raise UnsupportedError(
            f"Random term {slopes[0]} is more than a random intercept, which ordered_beta does not fit; use (1|group), "
            "or lmer for random slopes."
        )
    if design.offset is not None:
        raise UnsupportedError("An ordered beta model takes no offset; leave offset() out.")
    levels = sum(f.q for f in design.factors)
    if levels > MOST_LEVELS:
        raise UnsupportedError(
            f"The grouping factors have {levels:,} levels, and ordered_beta holds a matrix of at most {MOST_LEVELS:,} "
            "squared; fit lmer, or a sample of the levels."
        )


def _remarks(fit: OrderedBetaFit) -> list[Remark]:
    """What a reader must know about this fit, as warnings."""
    out = [*of_rows(fit.design), *of_columns(fit.dropped_columns)]
    if fit.singular:
        zero = ", ".join(r.factor for r in fit.result.random if r.covariance[0, 0] < ZERO**2)
        out.append(
            (
                SingularFitWarning,
                f"The fit is on the boundary (singular): the intercepts of {zero} have variance zero; tests and "
                "intervals for it are not valid, and the term may be left out.",
            )
        )
    return [*out, *of_optimizer(fit.optimizer)]
