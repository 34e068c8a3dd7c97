"""Predicted ratings over one feature's range at values of one trait: what an interaction of a model says."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype
from scipy import stats

from pluristats.engine.result import Array
from pluristats.errors import PluristatsWarning, UnsupportedError
from pluristats.explorer.rows import fitted_rows
from pluristats.formula import Design
from pluristats.models import LmerFit
from pluristats.models.tables import degrees_of_freedom

POINTS = 25


@dataclass(frozen=True, eq=False)
class Partial:
    """Predicted population means with their intervals.

    Parameters
    ----------
    moderator, feature
        Columns: one line a value of the first, over the range of the second.
    x
        Values of the feature, shape (m,).
    values
        Values of the moderator, shape (k,).
    estimate, low, high
        Shape (k, m).
    """

    moderator: str
    feature: str
    x: Array = field(repr=False)
    values: Array = field(repr=False)
    estimate: Array = field(repr=False)
    low: Array = field(repr=False)
    high: Array = field(repr=False)


def interactions(fit: LmerFit) -> tuple[tuple[str, str], ...]:
    """Products of two columns among the terms of a fit, as (moderator, feature), in the model's order."""
    kept = set(fit.terms)
    return tuple(
        (term.factors[0], term.factors[1])
        for term in fit.design.terms
        if len(term.factors) == 2 and all(term.lookup) and term.name in kept
    )


def partial_effect(
    fit: LmerFit, moderator: str, feature: str, frame: pd.DataFrame | None = None, conf_level: float = 0.95
) -> Partial:
    """Predict the population mean x'β̂ on a grid of two variables, all others at their means (categories: modes).

    Formula: interval x'β̂ ± t √(x'Vx), V the covariance of β̂, t Student's with Satterthwaite's degrees of freedom (n - p
    for least squares). x is built by the model's own formula, so that every product with either variable follows it.

    Parameters
    ----------
    fit
        The fit.
    moderator, feature
        Numeric columns. The moderator takes its observed values where they are at most 5, else its quantiles 0.1, 0.5
        and 0.9; the feature 25 values over its observed range.
    frame
        The rows that were fitted; without it the columns must all be main effects of the model, too.
    conf_level
        Coverage.

    Raises
    ------
    UnsupportedError
        A column that the formula needs is not known.
    """
    if not isinstance(fit.design, Design):
        raise UnsupportedError("A fit of rows read in chunks has no partial effects here; fit a DataFrame.")
    data = _columns(fit, frame)
    for name in (moderator, feature):
        if name not in data.columns:
            raise UnsupportedError(f"Column {name!r} is not among those of the model; give the study that was fitted.")
    x = np.linspace(data[feature].min(), data[feature].max(), POINTS)
    values = data[moderator].unique()
    values = np.sort(values) if len(values) <= 5 else np.unique(np.quantile(data[moderator], (0.1, 0.5, 0.9)))
    m = len(values) * POINTS
    grid = pd.DataFrame({name: _middle(data[name], m) for name in data.columns})
    grid[moderator], grid[feature] = np.repeat(values, POINTS), np.tile(x, len(values))
    rows = fit.design.fixed_for(grid)[:, fit.result.kept]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PluristatsWarning)  # the table's remarks say it
        df = degrees_of_freedom(fit, None, rows)
    mean = rows @ fit.result.beta
    if fit.problem.offset is not None:
        mean = mean + fit.problem.offset.mean()
    half = stats.t.ppf(0.5 + conf_level / 2, df) * np.sqrt(np.einsum("ij,jk,ik->i", rows, fit.result.vcov, rows))
    shape = (len(values), POINTS)
    return Partial(moderator, feature, x, values, *(v.reshape(shape) for v in (mean, mean - half, mean + half)))


def _columns(fit: LmerFit, frame: pd.DataFrame | None) -> pd.DataFrame:
    """What the fixed part reads, in the rows used."""
    if frame is not None:
        data = fitted_rows(fit, frame)[fit.design.fixed_inputs(frame)]
    else:
        x = {name: fit.problem.x[:, j] for j, name in enumerate(fit.design.x_names)}
        needed = dict.fromkeys(name for term in fit.design.terms for name in term.factors)
        absent = [name for name in needed if name not in x]
        if absent:
            raise UnsupportedError(
                f"Column {absent[0]!r} is no main effect of the model; give the study that was fitted."
            )
        data = pd.DataFrame({name: x[name] for name in needed})
    numeric = [name for name in data.columns if is_numeric_dtype(data[name])]
    return data.astype(dict.fromkeys(numeric, float))


def _middle(column: pd.Series, n: int) -> pd.Series:
    """The mean of numbers or the most frequent category, n times, as a column of the same type."""
    value = column.mean() if is_numeric_dtype(column) else column.mode().iloc[0]
    return pd.Series([value] * n, dtype=column.dtype)
