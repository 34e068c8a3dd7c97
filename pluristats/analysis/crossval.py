"""R² of the fixed effects on prompts or people that the model has not seen."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pluristats.display.shown import Displayed, Shown, mark
from pluristats.display.text import one_line
from pluristats.engine import native
from pluristats.engine.result import Array, Factor, Problem
from pluristats.errors import DroppedRowsWarning, UnsupportedError
from pluristats.formula import Design, build_design, refuse_offsets
from pluristats.lasso import LassoRule, choose_columns
from pluristats.lasso.folds import assign_folds, fold_units
from pluristats.lasso.select import candidate_columns
from pluristats.models.lmer import StudyLike, frame_and_groups
from pluristats.models.remarks import missing_rows

_ALL = "all columns"


@dataclass(frozen=True)
class CrossValidatedR2(Displayed):
    """Out-of-sample R² of a model's fixed effects.

    Parameters
    ----------
    estimate
        1 - Σ(y - Xβ̂₋)² / Σ(y - ȳ₋)² over all held-out rows, with β̂₋ and the mean ȳ₋ from the rows of the other folds.
        Negative where the model predicts worse than the mean.
    by_fold
        The same within each fold, shape (n_folds,).
    by
        What was held out whole.
    selection
        The rule, applied anew in every fold; "all columns" without one.
    shrunken
        Whether the Lasso's own coefficients predict, rather than an unpenalised refit.
    n_selected
        Columns that predict in each fold, without the intercept, shape (n_folds,).
    seed
        Of the folds.
    simulated
        Whether the study says of itself that it is simulated.
    """

    estimate: float
    by_fold: Array
    by: str
    selection: str
    shrunken: bool
    n_selected: Array
    seed: int
    simulated: bool = False

    def __repr__(self) -> str:
        folds = f"{len(self.by_fold)} folds of {one_line(self.by)}"
        simulated = mark(self.simulated)
        return f"<CrossValidatedR2: {self.estimate:.4f}, {folds}, {self.selection}, seed {self.seed}{simulated}>"

    def tidy(self) -> pd.DataFrame:
        """One row a fold: ``fold`` (from 1), ``r2``, ``n_selected``, ``simulated``."""
        folds = np.arange(1, len(self.by_fold) + 1)
        return pd.DataFrame(
            {"fold": folds, "r2": self.by_fold, "n_selected": self.n_selected, "simulated": self.simulated}
        )

    def _shown(self) -> Shown:
        how = "the Lasso's own coefficients predict" if self.shrunken else "unpenalised coefficients predict"
        chosen = f"Columns: {self.selection}, chosen anew in every fold" if self.selection != _ALL else "All columns"
        return Shown(
            f"Cross-validated R²: {self.estimate:.4f}",
            self.simulated,
            lines=(f"{self.by} were held out in {len(self.by_fold)} folds (seed {self.seed}). {chosen}; {how}.",),
            tables=(("Within each fold", self.tidy()[["fold", "r2", "n_selected"]]),),
            notes=("Below 0 where the model predicts worse than the mean.",),
        )


def cross_validated_r2(
    formula: str,
    data: StudyLike | pd.DataFrame,
    *,
    by: str = "prompts",
    rule: LassoRule | None = None,
    shrunken: bool = False,
    n_folds: int = 10,
    seed: int = 0,
) -> CrossValidatedR2:
    """R² of the population prediction Xβ̂ for held-out prompts (seeds whole) or annotators.

    Parameters
    ----------
    formula
        As for :func:`pluristats.lmer`; random intercepts weight the fit but do not predict.
    data
        A study or a table.
    by
        ``"prompts"``, ``"annotators"``, ``"rows"`` or a column.
    rule
        Selection to repeat in every fold, so that it cannot peek at the held-out rows; None uses all columns.
    shrunken
        With a rule: predict with the Lasso's own coefficients instead of the refit's.
    n_folds, seed
        Number of folds and the seed of their draw.

    Raises
    ------
    UnsupportedError
        Random slopes, an offset, or a rule with a formula that takes the intercept away.
    FitError
        Fewer units to hold out than folds, or a fold cannot be fitted.
    ValueError
        ``shrunken`` without a rule, or fewer than two folds.

    Warns
    -----
    DroppedRowsWarning
        A value is missing.

    Notes
    -----
    Selecting once on all rows and cross-validating only the refit is too optimistic (Hastie, Tibshirani & Friedman
    2009, section 7.10.2).
    """
    frame, groups, simulated = frame_and_groups(data, None)
    design = build_design(formula, frame, groups)
    refuse_offsets(design.parsed, "Cross-validated R²")
    if shrunken and rule is None:
        raise ValueError("shrunken=True needs a rule for the Lasso's penalty.")
    if any(not term.intercept_only for term in design.parsed.random):
        raise UnsupportedError("Cross-validated R² is computed for random intercepts only.")
    if design.n_dropped:
        warnings.warn(f"{missing_rows(design)}.", DroppedRowsWarning, stacklevel=2)
    rows = frame.iloc[design.rows]
    folds = assign_folds(fold_units(rows, by), n_folds, seed)
    errors, totals, selected = np.zeros(n_folds), np.zeros(n_folds), np.zeros(n_folds)
    for k in range(n_folds):
        test = folds == k
        predicted, selected[k] = _predict(design, rows, ~test, test, rule, shrunken)
        y = design.y[test]
        errors[k] = np.sum((y - predicted) ** 2)
        totals[k] = np.sum((y - design.y[~test].mean()) ** 2)
    return CrossValidatedR2(
        estimate=float(1.0 - errors.sum() / totals.sum()),
        by_fold=1.0 - errors / totals,
        by=by,
        selection=_ALL if rule is None else rule.describe(),
        shrunken=shrunken,
        n_selected=selected,
        seed=seed,
        simulated=simulated,
    )


def _predict(
    design: Design, rows: pd.DataFrame, train: np.ndarray, test: np.ndarray, rule: LassoRule | None, shrunken: bool
) -> tuple[Array, int]:
    """Xβ̂ of the test rows from the training rows, and how many columns it used."""
    columns = np.arange(len(design.x_names), dtype=np.intp)
    candidates = columns[:0] if rule is None else candidate_columns(design)
    if rule is not None and len(candidates):
        chosen = choose_columns(design.x[train][:, candidates], design.y[train], rows[train], rule)
        if shrunken:
            path, at = chosen.path, chosen.position
            return path.intercepts[at] + design.x[test][:, candidates] @ path.coefficients[:, at], int(path.df[at])
        columns = np.r_[0, candidates[chosen.support]]
    beta, kept = _fixed_effects(design, train, columns)
    return design.x[test][:, kept] @ beta, len([j for j in kept if design.x_names[j] != "(Intercept)"])


def _fixed_effects(design: Design, train: np.ndarray, used: np.ndarray) -> tuple[Array, np.ndarray]:
    """β̂ from the training rows, and the positions of its columns: those not determined by others."""
    problem = Problem(
        design.y[train],
        np.asfortranarray(design.x[train][:, used]),
        tuple(design.x_names[j] for j in used),
        tuple(_restrict(factor, train) for factor in design.factors),
    )
    fit = native.fit(problem, reml=False)
    return fit.beta, used[fit.kept]


def _restrict(factor: Factor, rows: np.ndarray) -> Factor:
    present, codes = np.unique(factor.codes[rows], return_inverse=True)
    return replace(factor, codes=codes.astype(np.intp), levels=tuple(factor.levels[i] for i in present))
