"""The stages of ``lasso_lmer``: what is prepared once, a path with its chosen penalty, and the whole procedure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pluristats.engine.result import Array, Factor
from pluristats.engine.threads import one_blas_thread
from pluristats.errors import FitError, FormulaError
from pluristats.lasso.folds import Folds, draw_folds, total
from pluristats.lasso.mixed.choose import Criteria, criteria, cross_validate
from pluristats.lasso.mixed.path import MixedPath, largest_penalty, mixed_path, model_lengths
from pluristats.lasso.mixed.rows import Rows
from pluristats.lasso.mixed.sums import MixedProblem, MixedSums, cell_sums, mixed_problem, mixed_sums
from pluristats.lasso.mixed.whitened import Columns, independent
from pluristats.lasso.rule import LassoRule, over_folds
from pluristats.models.information import constant_within

Standardize: TypeAlias = Literal["rows", "model"]


@dataclass(frozen=True)
class Prepared:
    """All that needs the rows.

    Parameters
    ----------
    cells
        Sums of the rows of each cell of ``folds``; of all rows where there are no folds.
    folds
        How cells make folds; None without cross-validation.
    problem
        The standardised sums of all rows.
    units
        Levels of the coarsest factor within which a column never varies, the intercept first, shape (p + 1,).
    theta
        Variance ratios to hold, shape (K,), or None.
    """

    cells: list[MixedSums]
    folds: Folds | None
    problem: MixedProblem
    units: Array
    theta: Array | None


@dataclass(frozen=True)
class Outcome:
    """A path and the place on it that a rule chose.

    Parameters
    ----------
    path, position, criteria
        The penalised fits, the chosen one, and the criteria of all.
    error, se
        Cross-validated error and its standard error, shape (L,).
    free
        Unpenalised columns among the p + 1, the intercept first.
    selected
        Whether each of the p columns is in the model at the chosen λ.
    """

    path: MixedPath
    position: int
    criteria: Criteria
    error: Array
    se: Array
    free: Columns
    selected: NDArray[np.bool_]


def prepare(rows: Rows, rule: LassoRule, theta: Array | None) -> Prepared:
    """Read the rows: sums of cells, and which columns vary within which groups."""
    x, y, factors = rows.problem.x, rows.problem.y, rows.problem.factors
    folds = None
    if rule.penalty == "cv":
        folds = draw_folds(rows.frame, rule.folds, rule.n_folds, rule.seed, rows.source)
    with one_blas_thread():
        cells = [mixed_sums(x, y, factors)] if folds is None else cell_sums(x, y, factors, folds.cells)
        problem = mixed_problem(total(cells))
    return Prepared(cells, folds, problem, _units(x, factors), theta)


def choose(
    prepared: Prepared,
    rule: LassoRule,
    free: Columns,
    scale: Array | None = None,
    *,
    n_jobs: int = 1,
    progress: bool = False,
) -> Outcome:
    """Follow the path and apply the rule.

    Parameters
    ----------
    prepared
        What the rows gave.
    rule
        The rule.
    free
        Unpenalised columns among the p + 1, the intercept among them. Those that others before them determine add
        nothing and stay at zero.
    scale
        Multiplies each column's penalty, shape (p + 1,); None is one for all.
    n_jobs, progress
        For the folds.
    """
    problem = prepared.problem
    weights = np.ones(problem.p + 1) if scale is None else scale.copy()
    weights[free] = np.inf
    free = independent(problem, free)
    weights[free] = 0.0
    lambdas = _grid(problem, rule, free, weights, prepared.theta)
    path = mixed_path(problem, lambdas, free, weights, theta=prepared.theta)
    scores = criteria(problem, path, free, prepared.units)
    error = se = np.full(len(lambdas), np.nan)
    if prepared.folds is not None:
        errors, sizes = cross_validate(
            prepared.cells,
            prepared.folds,
            lambdas,
            free,
            weights,
            theta=prepared.theta,
            n_jobs=n_jobs,
            progress=progress,
        )
        error, se = over_folds(errors, sizes)
    criterion = getattr(scores, rule.penalty) if rule.penalty in vars(scores) else scores.bic
    position = rule.position(lambdas, criterion, error, se)
    selected = path.beta[1:, position] != 0
    selected[free[1:] - 1] = True
    return Outcome(path, position, scores, error, se, free, selected)


@dataclass(frozen=True)
class Procedure:
    """All that :func:`pluristats.lasso_lmer` decides about rows, so that other rows can be given the same treatment.

    Parameters
    ----------
    rule
        How the penalty is chosen.
    forced
        Positions of the unpenalised columns among the p + 1, the intercept among them.
    adaptive, hierarchy
        As in :func:`pluristats.lasso_lmer`.
    theta
        Variance ratios to hold, shape (K,), or None.
    standardize
        As in :func:`pluristats.lasso_lmer`.
    """

    rule: LassoRule
    forced: Columns
    adaptive: bool = False
    hierarchy: bool = False
    theta: Array | None = None
    standardize: Standardize = "model"

    def run(self, rows: Rows, *, n_jobs: int = 1, progress: bool = False) -> Outcome:
        """The path of these rows and what is selected there."""
        prepared, free = prepare(rows, self.rule, self.theta), self.forced
        scale = None
        if self.standardize == "model":
            scale = model_lengths(prepared.problem, independent(prepared.problem, free), self.theta)
        outcome = choose(prepared, self.rule, free, scale, n_jobs=n_jobs, progress=progress)
        scale = adaptive_scale(outcome) if self.adaptive else scale
        if self.adaptive:
            outcome = choose(prepared, self.rule, free, scale, n_jobs=n_jobs, progress=progress)
        while self.hierarchy and len(missing := np.setdiff1d(missing_parts(rows.names, outcome.selected), free)):
            free = np.union1d(free, missing)
            outcome = choose(prepared, self.rule, free, scale, n_jobs=n_jobs, progress=progress)
        return outcome


def adaptive_scale(outcome: Outcome) -> Array:
    """1/|β_j| of the chosen standardised coefficients, infinite where there is none, shape (p + 1,)."""
    size = np.abs(outcome.path.beta[:, outcome.position])
    size[outcome.free] = 0.0
    if not size.any():  # the same path again, which chooses nothing again
        return np.ones_like(size)
    with np.errstate(divide="ignore"):
        return 1.0 / size


def forced_columns(
    names: Sequence[str], force: Sequence[str], groups: Mapping[str, Sequence[str]], formula: str
) -> Columns:
    """Positions of the intercept and the forced columns among the p + 1.

    Raises
    ------
    FormulaError
        A name that is neither a column of the formula nor a feature group with one in it.
    """
    position = {name: j for j, name in enumerate(names, start=1)}
    wanted = {0}
    for name in [force] if isinstance(force, str) else force:
        members = [position[m] for m in groups.get(name, (name,)) if m in position]
        if not members:
            raise FormulaError(f"force names {name!r}, which is no column of {formula!r}; name a column or a group.")
        wanted |= set(members)
    return np.array(sorted(wanted), dtype=np.intp)


def missing_parts(names: Sequence[str], selected: NDArray[np.bool_]) -> Columns:
    """Positions among the p + 1 of what a selected interaction lacks: main effects, and products of fewer columns."""
    position = {frozenset(name.split(":")): j for j, name in enumerate(names)}
    lacking = {
        1 + position[part]
        for whole, j in position.items()
        if selected[j]
        for size in range(1, len(whole))
        for part in map(frozenset, combinations(whole, size))
        if part in position and not selected[position[part]]
    }
    return np.array(sorted(lacking), dtype=np.intp)


def _units(x: Array, factors: tuple[Factor, ...]) -> Array:
    units = np.full(x.shape[1] + 1, float(len(x)))
    for f in factors:
        units = np.where(np.append(True, constant_within(x, f)), np.minimum(units, f.q), units)
    return units


def _grid(problem: MixedProblem, rule: LassoRule, free: Columns, weights: Array, theta: Array | None) -> Array:
    top = problem.y_scale * largest_penalty(problem, free, weights, theta)
    if not top > 0:
        raise FitError("No column to select from is related to the response beyond the unpenalised ones.")
    grid = np.geomspace(top, rule.min_ratio * top, rule.n_lambda)
    if isinstance(rule.penalty, str):
        return grid
    return np.unique(np.append(grid, rule.penalty))[::-1]
