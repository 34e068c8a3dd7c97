"""Which figures a search over penalties would hit: the instrument behind the ledger's third verdict."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pluristats.engine.result import Array
from pluristats.engine.threads import one_blas_thread
from pluristats.lasso.moments import Standardised, moments, standardise
from pluristats.lasso.path import lambda_grid, lasso_path


@dataclass(frozen=True)
class PathBics:
    """BICs of the least-squares refits along one Lasso path.

    Parameters
    ----------
    penalty
        Largest λ at which each distinct support appears, shape (S,).
    n_selected
        Columns in each support, shape (S,).
    bic
        -2 ℓ + (rank + 1) log n of the refit, shape (S,).
    """

    penalty: Array
    n_selected: Array
    bic: Array

    def hits(self, target: float, within: float = 0.5) -> NDArray[np.intp]:
        """Positions whose BIC is within rounding of ``target``."""
        return np.flatnonzero(np.abs(self.bic - target) <= within)

    def chance(self, low: float, high: float, within: float = 0.5) -> float:
        """Share of equally spaced targets between two values that some support hits: luck's baseline."""
        targets = np.linspace(low, high, 2001)
        return float(np.mean([len(self.hits(t, within)) > 0 for t in targets]))


def path_bics(x: Array, y: Array, *, n_lambda: int = 200) -> PathBics:
    """Refit every distinct support of the Lasso path of x (n, p; no intercept) and y (n,) by least squares."""
    problem = standardise(moments(x, y, np.append(x.mean(axis=0), y.mean())))
    path = lasso_path(problem, lambda_grid(problem, n_lambda))
    seen: set[bytes] = set()
    rows: list[tuple[float, int, float]] = []
    with one_blas_thread():
        for j, penalty in enumerate(path.lambdas):
            support = path.beta[:, j] != 0
            if support.tobytes() not in seen:
                seen.add(support.tobytes())
                rows.append((float(penalty), int(support.sum()), _refit_bic(problem, np.flatnonzero(support))))
    penalty_, selected, bic = (np.array(column) for column in zip(*rows, strict=True))
    return PathBics(penalty_, selected, bic)


def _refit_bic(problem: Standardised, support: np.ndarray) -> float:
    """BIC of least squares on some columns, from the correlation matrix alone (near null directions count as none)."""
    gram, xy = problem.gram[np.ix_(support, support)], problem.xy[support]
    values, vectors = np.linalg.eigh(gram) if len(support) else (np.zeros(0), np.zeros((0, 0)))
    keep = values > 1e-10 * max(float(values[-1]) if len(values) else 0.0, 1e-300)
    explained = float(np.sum((vectors[:, keep].T @ xy) ** 2 / values[keep]))
    n, rss = problem.n, problem.n * (problem.yy - explained)
    return n * (np.log(2 * np.pi * rss / n) + 1.0) + (int(keep.sum()) + 1) * float(np.log(n))
