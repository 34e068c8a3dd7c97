"""Predictions of a mixed model for rows it has and has not seen."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pluristats.engine.result import Array, EngineFit, Problem, RandomEffects
from pluristats.errors import DroppedRowsWarning, FitError, FormulaError
from pluristats.formula import Recipe, grouping_factor, level_label, shown
from pluristats.models.slopes import coefficient_columns, same_terms

NewLevels = Literal["error", "population", "nan"]


class Fitted(Protocol):
    """What rows are looked up in: the columns and levels of any fit with random effects."""

    @property
    def kept(self) -> NDArray[np.intp]:
        """Positions of the fixed columns in use."""

    @property
    def random(self) -> tuple[RandomEffects, ...]:
        """One entry a grouping factor."""


@dataclass(frozen=True)
class Rows:
    """Rows to predict, as arrays.

    Parameters
    ----------
    x
        Fixed-effect columns that the fit kept, shape (m, p); NaN in rows that miss a fixed value.
    levels
        For each factor in theta's order the position of the row's level among the fit's, shape (m,); -1 where the fit
        has not seen it. None where random effects are not wanted.
    columns
        For each factor what its random coefficients multiply, shape (m, c); None is a random intercept.
    index
        Labels of the rows.
    offset, weights
        Shape (m,), or None.
    """

    x: Array
    levels: tuple[NDArray[np.intp], ...] | None
    columns: tuple[Array | None, ...]
    index: pd.Index
    offset: Array | None = None
    weights: Array | None = None


def fitted_rows(problem: Problem, result: EngineFit, index: pd.Index, *, random: bool) -> Rows:
    """The rows of the fit itself."""
    codes = {f.name: f.codes for f in problem.factors}
    levels = tuple(codes[r.factor] for r in result.random) if random else None
    columns = tuple(None if _intercept(r) else coefficient_columns(r, problem) for r in result.random)
    return Rows(problem.x[:, result.kept], levels, columns, index, problem.offset, problem.weights)


def new_rows(
    design: Recipe,
    result: Fitted,
    new: pd.DataFrame,
    *,
    new_levels: NewLevels,
    random: bool,
    weighted: bool = False,
) -> Rows:
    """Rows of a table, with their weights where asked for (``weighted``, for prediction intervals).

    See :meth:`pluristats.models.fit.LmerFit.predict` for what is refused and warned about; a row without an offset or
    weight counts as missing a fixed value.
    """
    if not isinstance(new, pd.DataFrame):
        raise TypeError(f"The rows to predict are a pandas DataFrame, not {type(new).__name__}; a study has frame().")
    if new_levels not in ("error", "population", "nan"):
        raise ValueError(f"new_levels is 'error', 'population' or 'nan', not {new_levels!r}.")
    sloped = (random or weighted) and not all(_intercept(r) for r in result.random)
    known = [*design.fixed_inputs(new), *design.offset_inputs(new), *(design.random_inputs(new) if sloped else [])]
    weights = design.weights_from.read(new) if weighted and design.weights_from else None
    whole = ~new[known].isna().any(axis=1).to_numpy() if known else np.ones(len(new), dtype=bool)
    if weights is not None:
        whole &= ~np.isnan(weights)
    if not whole.all():
        what = "a fixed value or one of a random slope" if sloped else "a fixed value"
        warnings.warn(
            f"{int((~whole).sum())} of {len(new)} rows miss {what}; their prediction is NaN.",
            DroppedRowsWarning,
            stacklevel=4,
        )
    x = np.full((len(new), len(result.kept)), np.nan)
    complete = new.loc[whole] if not whole.all() else new
    x[whole] = design.fixed_for(complete)[:, result.kept]
    given, offset = design.offset_for(complete), None
    if given is not None:
        offset = np.full(len(new), np.nan)
        offset[whole] = given
    built = design.random_for(complete) if sloped else ()
    z = tuple(_columns(r, design, built, whole) if sloped else None for r in result.random)
    if not random:
        return Rows(x, None, z, new.index, offset, weights)
    # Looked up in the formula's order, so that the first unseen level named is the first in the formula.
    found = {t.name: _levels(t.name, t.group, design, result, new, new_levels) for t in design.parsed.random}
    return Rows(x, tuple(found[r.factor] for r in result.random), z, new.index, offset, weights)


def predictions(rows: Rows, result: EngineFit, *, new_levels: NewLevels) -> Array:
    """The offset + Xβ (+ Σ_k b_k) of the rows, shape (m,)."""
    out = rows.x @ result.beta if len(result.beta) else np.zeros(len(rows.x))
    out = out if rows.offset is None else out + rows.offset
    for r, levels, z in zip(result.random, rows.levels or (), rows.columns, strict=False):
        unseen = 0.0 if new_levels == "population" else np.nan
        effect = r.modes[levels, 0] if z is None else np.einsum("ia,ia->i", z, r.modes[levels])
        out = out + np.where(levels >= 0, effect, unseen)
    return out


def _intercept(r: RandomEffects) -> bool:
    return r.terms == ("(Intercept)",)


def _columns(r: RandomEffects, design: Recipe, built: Sequence[Array], whole: NDArray[np.bool_]) -> Array | None:
    """What one factor's coefficients multiply, NaN in rows that are not whole; None for a random intercept."""
    if _intercept(r):
        return None
    parts = []
    for part in r.parts:
        at = [i for i, c in enumerate(design.random) if c.term.name == r.factor and same_terms(c.names, r.terms[part])]
        parts.append(built[at[0]])
    out = np.full((len(whole), len(r.terms)), np.nan)
    out[whole] = np.concatenate(parts, axis=1)
    return out


def _refuse_other_type(name: str, levels: Sequence[Any], position: Mapping[Any, int]) -> None:
    """Refuse levels that read as the fit's and are of another type (5 and "5"): all would count as new ones."""
    known = {level_label(level): level for level in position}
    for level in levels:
        if level not in position and level_label(level) in known:
            fitted = known[level_label(level)]
            raise FormulaError(
                f"{name!r} has the level {shown(level)} ({type(level).__name__}) in the new data and "
                f"{shown(fitted)} ({type(fitted).__name__}) in the fit; convert the column, or give the level another "
                "name if it is a new one."
            )


def _levels(
    name: str, group: tuple[str, ...], design: Recipe, result: Fitted, new: pd.DataFrame, policy: NewLevels
) -> NDArray[np.intp]:
    """Where each row's level of one factor stands among the fit's; -1 where nowhere."""
    for column in group:
        if column not in new.columns:
            raise FormulaError(f"The new data lack the grouping column {column!r}; add it, or predict(random=False).")
    fitted = next(r for r in result.random if r.factor == name)
    position = {level: i for i, level in enumerate(fitted.levels)}
    missing = new[list(group)].isna().any(axis=1).to_numpy()
    found = np.full(len(new), -1, dtype=np.intp)
    if not missing.all():
        term = next(t for t in design.parsed.random if t.name == name)
        factor = grouping_factor(term, new.loc[~missing])
        _refuse_other_type(name, factor.levels, position)
        found[~missing] = np.array([position.get(level, -1) for level in factor.levels], dtype=np.intp)[factor.codes]
    unseen = found < 0
    if unseen.any() and policy == "error":
        first = int(np.argmax(unseen))
        level = ":".join(str(v) for v in new[list(group)].iloc[first])
        raise FitError(
            f"Row {shown(new.index[first])} has level {level!r} of {name!r}, which the fit has not seen; pass "
            "new_levels='population' to predict it at the population mean, or 'nan'."
        )
    return found
