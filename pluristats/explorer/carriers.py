"""Which prompts and annotators carry a coefficient.

An estimate is a linear functional of the response at the variances found. With V = σ²(W⁻¹ + ZΛΛ'Z') and C =
(X'V⁻¹X)⁻¹,

    β̂_j = a_j'(y - offset),     a_j = V⁻¹ X C e_j,     X'a_j = e_j,

so that the rows of a level contribute Σ_i a_ij (y_i - offset_i - c), and all levels of a factor together make β̂_j
exactly. c is the mean of y - offset where a_j'1 = 0 (every term of a model with an intercept but the intercept itself),
else 0.
A contribution is a share of the estimate, not what the estimate would lose without the level: then the variances would
be others, too (:meth:`LmerFit.influence` refits for that).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu

from pluristats.engine.result import Array, EngineFit, Problem
from pluristats.errors import UnsupportedError


@dataclass(frozen=True, eq=False)
class Carriers:
    """What each level of a factor contributes to one estimate.

    Parameters
    ----------
    factor
        Such as ``"prompt"``.
    levels
        Labels, the largest contribution (in absolute value) first.
    contribution
        In that order, shape (L,); their sum is the estimate.
    n_rows
        Rows of each level, shape (L,).
    centre
        What was taken from every response.
    """

    factor: str
    levels: tuple[object, ...]
    contribution: Array = field(repr=False)
    n_rows: NDArray[np.intp] = field(repr=False)
    centre: float


def weights_of(problem: Problem, result: EngineFit, position: int) -> Array:
    """a_j of the formula above, shape (n,).

    V⁻¹ = (W - WZΛ(I + ΛZ'WZΛ)⁻¹ΛZ'W)/σ² (Woodbury), by one sparse factorisation of the levels.

    Parameters
    ----------
    problem, result
        Rows and estimates of a fit.
    position
        Place j among the estimated terms.

    Raises
    ------
    UnsupportedError
        The fit has random slopes.
    """
    if any(r.terms != ("(Intercept)",) for r in result.random):
        raise UnsupportedError("Contributions are computed for random intercepts only; this fit has random slopes.")
    n = len(problem.y)
    w = np.ones(n) if problem.weights is None else np.asarray(problem.weights, dtype=float)
    x = problem.x[:, result.kept] @ result.vcov[:, position]
    if not result.random:
        return w * x / result.sigma**2
    by_name = {factor.name: factor for factor in problem.factors}
    parts = []
    for r in result.random:
        codes = by_name[r.factor].codes
        scale = np.full(n, np.sqrt(r.covariance[0, 0]) / result.sigma)
        parts.append(sparse.csc_matrix((scale, (np.arange(n), codes)), shape=(n, len(r.levels))))
    zl = sparse.hstack(parts, format="csc")
    weighted = zl.multiply(w[:, None]).tocsc()
    omega = (sparse.identity(zl.shape[1], format="csc") + zl.T @ weighted).tocsc()
    return (w * x - weighted @ splu(omega).solve(weighted.T @ x)) / result.sigma**2


def carriers(
    problem: Problem,
    a: Array,
    factor: str,
    codes: NDArray[np.intp],
    levels: tuple[object, ...],
    top: int | None = None,
) -> Carriers:
    """Contributions by the levels of a factor, largest first.

    Parameters
    ----------
    problem
        The rows.
    a
        Their weights in the estimate (:func:`weights_of`).
    factor, codes, levels
        Name, level of each row, and labels.
    top
        Keep only so many; the sum is then no longer the estimate.
    """
    y = problem.y if problem.offset is None else problem.y - problem.offset
    centred = abs(a.sum()) <= 1e-8 * np.abs(a).sum()
    centre = float(y.mean()) if centred else 0.0
    total = np.bincount(codes, weights=a * (y - centre), minlength=len(levels)).astype(np.float64)
    n_rows = np.bincount(codes, minlength=len(levels)).astype(np.intp)
    order = np.argsort(-np.abs(total), kind="stable")[:top]
    return Carriers(factor, tuple(levels[i] for i in order), total[order], n_rows[order], centre)
