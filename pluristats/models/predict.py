"""Predictions of a mixed model for rows it has and has not seen."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from pluristats.engine.result import Array, EngineFit, Factor
from pluristats.errors import DroppedRowsWarning, FitError, FormulaError
from pluristats.formula import Design, grouping_factor, shown

NewLevels = Literal["error", "population", "nan"]


def random_part(result: EngineFit, factors: Sequence[Factor]) -> Array:
    """Σ_k b_k of the fitted rows, shape (n,); random intercepts only."""
    codes = {f.name: f.codes for f in factors}
    return np.sum([r.modes[codes[r.factor], 0] for r in result.random], axis=0)


def predict_rows(design: Design, result: EngineFit, new: pd.DataFrame, *, new_levels: NewLevels, random: bool) -> Array:
    """Xβ (+ Σ_k b_k) of the rows of ``new``; see :meth:`pluristats.models.fit.LmerFit.predict`."""
    if not isinstance(new, pd.DataFrame):
        raise TypeError(f"The rows to predict are a pandas DataFrame, not {type(new).__name__}; a study has frame().")
    if new_levels not in ("error", "population", "nan"):
        raise ValueError(f"new_levels is 'error', 'population' or 'nan', not {new_levels!r}.")
    known = design.fixed_inputs(new)
    whole = ~new[known].isna().any(axis=1).to_numpy() if known else np.ones(len(new), dtype=bool)
    if not whole.all():
        warnings.warn(
            f"{int((~whole).sum())} of {len(new)} rows miss a fixed value; their prediction is NaN.",
            DroppedRowsWarning,
            stacklevel=3,
        )
    out = np.full(len(new), np.nan)
    rows = new.loc[whole] if not whole.all() else new
    out[whole] = design.fixed_for(rows)[:, result.kept] @ result.beta
    if random:
        for term in design.parsed.random:
            out += _effects(term.name, term.group, design, result, new, new_levels)
    return out


def _effects(
    name: str, group: tuple[str, ...], design: Design, result: EngineFit, new: pd.DataFrame, policy: NewLevels
) -> Array:
    """The random effect of each row's level of one factor."""
    for column in group:
        if column not in new.columns:
            raise FormulaError(f"The new data lack the grouping column {column!r}; add it, or predict(random=False).")
    fitted = next(r for r in result.random if r.factor == name)
    modes = dict(zip(fitted.levels, fitted.modes[:, 0], strict=True))
    missing = new[list(group)].isna().any(axis=1).to_numpy()
    effects = np.full(len(new), np.nan)
    if not missing.all():
        term = next(t for t in design.parsed.random if t.name == name)
        factor = grouping_factor(term, new.loc[~missing])
        effects[~missing] = np.array([modes.get(level, np.nan) for level in factor.levels])[factor.codes]
    unseen = np.isnan(effects)
    if unseen.any() and policy == "error":
        first = int(np.argmax(unseen))
        level = ":".join(str(v) for v in new[list(group)].iloc[first])
        raise FitError(
            f"Row {shown(new.index[first])} has level {level!r} of {name!r}, which the fit has not seen; pass "
            "new_levels='population' to predict it at the population mean, or 'nan'."
        )
    if policy == "population":
        effects[unseen] = 0.0
    return effects
