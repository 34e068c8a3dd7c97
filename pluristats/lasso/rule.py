"""How a penalty is chosen: stated once, in words and in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from pluristats.engine.result import Array
from pluristats.lasso.folds import assign_folds, fold_units
from pluristats.lasso.moments import Standardised, fold_moments, moments, squared_error, standardise
from pluristats.lasso.path import LassoPath, lambda_grid, lasso_path


@dataclass(frozen=True)
class LassoRule:
    """A rule for the Lasso's penalty.

    Parameters
    ----------
    penalty
        ``"cv"`` (cross-validation), ``"bic"`` (n log(RSS/n) + df log n of the penalised fit, df = non-zero
        coefficients; Zou, Hastie & Tibshirani 2007), or a number: λ itself on standardised columns.
    choose
        With ``"cv"``: ``"min"`` (least error) or ``"1se"`` (largest λ within one standard error of it).
    folds
        With ``"cv"``: what stays whole: ``"rows"``, ``"annotators"``, ``"prompts"`` (seeds whole), or a column.
    n_folds, seed
        With ``"cv"``: number of folds, and the seed of their draw.
    n_lambda, min_ratio
        The grid: geometric from λ_max down to ``min_ratio`` λ_max.

    Raises
    ------
    ValueError
        A field is out of its range.
    """

    penalty: Literal["cv", "bic"] | float = "bic"
    choose: Literal["min", "1se"] = "min"
    folds: str = "rows"
    n_folds: int = 10
    seed: int = 0
    n_lambda: int = 100
    min_ratio: float = 1e-3

    def __post_init__(self) -> None:
        if isinstance(self.penalty, str) and self.penalty not in ("cv", "bic"):
            raise ValueError(f"penalty is 'cv', 'bic' or a number, not {self.penalty!r}.")
        if isinstance(self.penalty, bool):
            raise ValueError(f"penalty is 'cv', 'bic' or a number, not {self.penalty}.")
        if not isinstance(self.penalty, str) and not (np.isfinite(self.penalty) and self.penalty >= 0):
            raise ValueError(f"A penalty given as a number must be finite and not negative, not {self.penalty}.")
        if self.choose not in ("min", "1se"):
            raise ValueError(f"choose is 'min' or '1se', not {self.choose!r}.")
        if self.n_folds < 2:
            raise ValueError(f"Cross-validation needs at least 2 folds, not n_folds={self.n_folds}.")
        if self.n_lambda < 2 or not 0 < self.min_ratio < 1:
            raise ValueError(
                f"The grid needs n_lambda of 2 or more and min_ratio between 0 and 1, not {self.n_lambda} and "
                f"{self.min_ratio:g}."
            )

    def describe(self) -> str:
        """The rule as one sentence that an analyst would write."""
        if not isinstance(self.penalty, str):
            return f"Lasso at the given penalty λ = {self.penalty:g} on standardised columns"
        if self.penalty == "bic":
            return "Lasso with the penalty of least BIC along the path"
        at = "at the least error" if self.choose == "min" else "at the largest penalty within one standard error"
        return (
            f"Lasso with the penalty by {self.n_folds}-fold cross-validation over {self.folds} (seed {self.seed}), {at}"
        )


@dataclass(frozen=True)
class Chosen:
    """The outcome of a rule.

    Parameters
    ----------
    penalty
        The λ chosen.
    position
        Its place on the path's grid.
    support
        Whether each column has a non-zero coefficient there, shape (p,).
    path
        The whole path.
    bic
        BIC of each penalised fit, shape (L,).
    cv_error, cv_se
        Mean squared error of prediction and its standard error over folds, shape (L,); NaN without folds.
    """

    penalty: float
    position: int
    support: np.ndarray
    path: LassoPath
    bic: Array
    cv_error: Array
    cv_se: Array

    def table(self) -> pd.DataFrame:
        """One row a λ: lambda, df, rss, bic, cv_error, cv_se, chosen."""
        chosen = np.arange(len(self.path.lambdas)) == self.position
        return pd.DataFrame(
            {
                "lambda": self.path.lambdas,
                "df": self.path.df,
                "rss": self.path.rss,
                "bic": self.bic,
                "cv_error": self.cv_error,
                "cv_se": self.cv_se,
                "chosen": chosen,
            }
        )


def choose_columns(x: Array, y: Array, frame: pd.DataFrame, rule: LassoRule) -> Chosen:
    """Apply a rule to the columns x (n, p; no intercept) and the response y (n,).

    Parameters
    ----------
    x, y
        The rows used.
    frame
        The same rows of the data, for the units that folds keep whole.
    rule
        The rule.

    Notes
    -----
    In every fold the columns are standardised anew on the training rows, as R's ``cv.glmnet`` does; sums over rows
    are computed once and a fold's are subtracted.
    """
    if rule.penalty == "cv":
        folds = assign_folds(fold_units(frame, rule.folds), rule.n_folds, rule.seed)
        total, parts = fold_moments(x, y, folds)
    else:
        total, parts = moments(x, y, np.append(x.mean(axis=0), y.mean())), []
    problem = standardise(total)
    path = lasso_path(problem, _grid(problem, rule))
    n_lambda = len(path.lambdas)
    error = se = np.full(n_lambda, np.nan)
    if parts:
        # As cv.glmnet, the mean over folds is weighted by their rows.
        sizes = np.array([part.n for part in parts], dtype=float)
        errors = np.empty((len(parts), n_lambda))
        for k, part in enumerate(parts):
            trained = lasso_path(standardise(total - part), path.lambdas)
            errors[k] = squared_error(part, trained.intercepts, trained.coefficients) / part.n
        weights = sizes / sizes.sum()
        error = weights @ errors
        se = np.sqrt(weights @ (errors - error) ** 2 / (len(parts) - 1))
    bic = total.n * np.log(np.maximum(path.rss, 1e-300) / total.n) + path.df * np.log(total.n)
    position = _position(rule, path, bic, error, se)
    return Chosen(float(path.lambdas[position]), position, path.beta[:, position] != 0, path, bic, error, se)


def _grid(problem: Standardised, rule: LassoRule) -> Array:
    grid = lambda_grid(problem, rule.n_lambda, rule.min_ratio)
    if isinstance(rule.penalty, str):
        return grid
    # The given penalty stands among the grid's values, so that the path is seen around it.
    return np.unique(np.append(grid, rule.penalty))[::-1]


def _position(rule: LassoRule, path: LassoPath, bic: Array, error: Array, se: Array) -> int:
    if not isinstance(rule.penalty, str):
        return int(np.argmin(np.abs(path.lambdas - rule.penalty)))
    if rule.penalty == "bic":
        return int(np.argmin(bic))
    best = int(np.argmin(error))
    if rule.choose == "min":
        return best
    return int(np.argmax(error <= error[best] + se[best]))
