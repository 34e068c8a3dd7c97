"""The Lasso path, solved by glmnet on a p-sized problem and then made exact."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from pluristats.engine.result import Array
from pluristats.engine.threads import one_blas_thread
from pluristats.errors import ConvergenceWarning
from pluristats.lasso.exact import polish
from pluristats.lasso.moments import Standardised

# Eigenvalues of the correlation matrix below this share of the largest are null directions.
_NULL = 1e-10
# A solution that violates its optimality conditions by more than this share of λ_max is not exact.
_EXACT = 1e-8


@dataclass(frozen=True)
class LassoPath:
    """Minimisers of (1/2n)‖y - Xβ‖² + λ‖β‖₁ over a decreasing grid of λ, X standardised, intercept unpenalised.

    Parameters
    ----------
    lambdas
        The grid, shape (L,).
    beta
        Standardised coefficients, shape (p, L).
    intercepts, coefficients
        For the columns as given, shapes (L,) and (p, L).
    rss
        Residual sums of squares, shape (L,).
    """

    lambdas: Array
    beta: Array
    intercepts: Array
    coefficients: Array
    rss: Array

    def __repr__(self) -> str:
        first, last = (f"{value:.4g}" for value in self.lambdas[[0, -1]]) if len(self.lambdas) else ("none", "none")
        return f"<LassoPath: {len(self.beta):,} columns, {len(self.lambdas):,} λ from {first} to {last}>"

    @property
    def df(self) -> Array:
        """Non-zero coefficients along the path: the Lasso's degrees of freedom (Zou, Hastie & Tibshirani 2007)."""
        return (self.beta != 0).sum(axis=0)


def lambda_grid(problem: Standardised, n_lambda: int = 100, min_ratio: float = 1e-3) -> Array:
    """Geometric grid from λ_max = max|X'y|/n, where all coefficients are zero, down to ``min_ratio`` λ_max."""
    largest = float(np.abs(problem.xy).max(initial=0.0))
    return np.geomspace(largest, min_ratio * largest, n_lambda) if largest > 0 else np.zeros(n_lambda)


def lasso_path(problem: Standardised, lambdas: Array, *, tol: float = 1e-7) -> LassoPath:
    """Solve the Lasso over a grid.

    Parameters
    ----------
    problem
        Standardised sums.
    lambdas
        Decreasing grid, shape (L,), in units of the response.
    tol
        glmnet's convergence threshold, relative to the null deviance.

    Warns
    -----
    ConvergenceWarning
        At some λ the optimality conditions are not met (:func:`kkt_violation`).

    Notes
    -----
    At its usual threshold glmnet stops where correlated columns still trade places: on the released prompt features
    its smallest λ keep more columns than the rank allows. So each of its solutions is where an exact search starts
    (:func:`~pluristats.lasso.exact.polish`), and what is selected does not depend on ``tol``.
    """
    with one_blas_thread():
        beta = _by_glmnet(problem, lambdas, tol)
        last = np.zeros(len(problem.xy))
        for j, penalty in enumerate(lambdas):
            exact = polish(problem.gram, problem.xy, float(penalty), beta[:, j], last)
            if exact is not None:
                beta[:, j] = last = exact
    intercepts, coefficients = problem.original(beta)
    fit = np.einsum("jl,jl->l", beta, problem.gram @ beta)
    rss = problem.n * (problem.yy - 2.0 * problem.xy @ beta + fit)
    path = LassoPath(np.asarray(lambdas, dtype=float), beta, intercepts, coefficients, rss)
    violation = kkt_violation(problem, path)
    if violation.max() > _EXACT:
        at = path.lambdas[int(np.argmax(violation))]
        warnings.warn(
            f"The Lasso at λ = {at:.4g} meets its optimality conditions only to {violation.max():.1g} of the largest "
            "penalty; columns that nearly determine each other may be exchanged for one another.",
            ConvergenceWarning,
            stacklevel=2,
        )
    return path


def _by_glmnet(problem: Standardised, lambdas: Array, tol: float) -> Array:
    """Coefficients (p, L) by glmnet.

    The Lasso sees the rows only through X'X and X'y. With R'R = X'X/n and R'z = X'y/n (from the eigenvectors of the
    correlation matrix, null directions left out), glmnet solves the same problem on rank(X) rows instead of n.
    """
    from glmnet import ElasticNet

    p = len(problem.xy)
    values, vectors = np.linalg.eigh(problem.gram)
    keep = values > _NULL * max(float(values[-1]), 1e-300)
    if not keep.any() or lambdas[0] <= 0:
        return np.zeros((p, len(lambdas)))
    half = np.sqrt(values[keep])
    root, z = (vectors[:, keep] * half).T, (vectors[:, keep].T @ problem.xy) / half
    rows = len(z)
    # glmnet divides by its own number of rows, and two rows are its least.
    pad = max(0, 2 - rows)
    x = np.vstack([root, np.zeros((pad, p))]) * np.sqrt(rows + pad)
    y = np.append(z, np.zeros(pad)) * np.sqrt(rows + pad)
    model = ElasticNet(
        alpha=1.0,
        lambda_path=lambdas,
        standardize=False,
        fit_intercept=False,
        n_splits=0,
        tol=tol,
        max_iter=10_000_000,
    )
    return np.asarray(model.fit(x, y).coef_path_, dtype=float).reshape(p, len(lambdas))


def kkt_violation(problem: Standardised, path: LassoPath) -> Array:
    """Largest violation of the optimality conditions at each λ, as a share of λ_max, shape (L,).

    Formula: with r = X'(y - Xβ)/n, optimality is r_j = λ sign(β_j) where β_j ≠ 0 and |r_j| ≤ λ where β_j = 0.
    """
    r = problem.xy[:, None] - problem.gram @ path.beta
    active = path.beta != 0
    violation = np.where(active, np.abs(r - path.lambdas * np.sign(path.beta)), np.abs(r) - path.lambdas)
    largest = max(float(np.abs(problem.xy).max(initial=0.0)), 1e-300)
    return np.maximum(violation, 0.0).max(axis=0) / largest
