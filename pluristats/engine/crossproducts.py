"""Cross-products of a mixed model: the only pass over the rows.

With y = Xβ + Σ_k Z_k b_k + ε, everything that fitting needs is in X'X, X'y, y'y, Z_k'X, Z_k'y and Z_k'Z_l. Z_k is
never formed: Z_k'Z_k is the diagonal of level counts and Z_k'Z_l the contingency table of two factors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from pluristats.engine.rank import independent_columns
from pluristats.engine.result import Array, Factor, Problem


@dataclass(frozen=True)
class Crossproducts:
    """Cross-products of the standardised columns x* = (x - center) / scale and y* = (y - y_center) / y_scale.

    Columns are centred only where the intercept is among them (the model is then the same with another
    intercept), so that large means cost no digits. Linearly dependent columns are left out.

    Parameters
    ----------
    n
        Rows.
    kept
        Positions of the p independent columns in ``Problem.x``.
    center, scale
        Of the kept columns, shape (p,).
    intercept
        Position of the column of ones among the kept columns, -1 where there is none.
    y_center, y_scale
        Of the response.
    xx, xy, yy
        X*'X* (p, p), X*'y* (p,), y*'y*.
    zx, zy
        Z_k'X* (q_k, p) and Z_k'y* (q_k,), one a factor.
    counts
        Diagonals of Z_k'Z_k, (q_k,), one a factor.
    zz
        ``zz[k, j]`` for k < j is Z_k'Z_j, (q_k, q_j): an array, or a CSR array where at most a tenth of the
        cells are occupied.
    """

    n: int
    kept: NDArray[np.intp]
    center: Array
    scale: Array
    intercept: int
    y_center: float
    y_scale: float
    xx: Array
    xy: Array
    yy: float
    zx: tuple[Array, ...]
    zy: tuple[Array, ...]
    counts: tuple[Array, ...]
    zz: dict[tuple[int, int], Array | sparse.csr_array]

    @property
    def p(self) -> int:
        """Independent fixed-effect columns."""
        return len(self.kept)

    @property
    def q(self) -> tuple[int, ...]:
        """Levels of each factor."""
        return tuple(len(c) for c in self.counts)

    def unstandardise(self, beta: Array, vcov: Array) -> tuple[Array, Array]:
        """Coefficients and covariance for the columns as given, from those for the standardised ones.

        Formula: β_j = y_scale β*_j / scale_j; the intercept takes back Σ_j center_j β_j and y_center.
        """
        back = np.diag(self.y_scale / self.scale)
        if self.intercept >= 0:
            back[self.intercept] -= self.y_scale * self.center / self.scale
        original = back @ beta
        if self.intercept >= 0:
            original[self.intercept] += self.y_center
        return original, back @ vcov @ back.T


def crossproducts(problem: Problem, *, tol: float = 1e-7) -> Crossproducts:
    """Cross-products of a problem's standardised rows.

    Parameters
    ----------
    problem
        Arrays of finite numbers; factors in the order in which they will be eliminated (largest first).
    tol
        A column whose part orthogonal to the columns before it is shorter than ``tol`` times the column is left
        out, as R's ``qr`` (LINPACK dqrdc2) and so lme4 do.
    """
    x, y = problem.x, problem.y
    n, p_all = x.shape
    ones = np.flatnonzero((x == 1.0).all(axis=0)) if p_all else np.empty(0, dtype=np.intp)
    centred = len(ones) > 0
    center = x.mean(axis=0) if centred else np.zeros(p_all)
    if centred:
        center[ones[0]] = 0.0
    x = x - center
    scale = np.sqrt(np.einsum("ij,ij->j", x, x) / n)
    scale[scale == 0.0] = 1.0
    x /= scale
    y_center = float(y.mean()) if centred else 0.0
    y = y - y_center
    y_scale = float(np.sqrt(y @ y / n)) or 1.0
    y = y / y_scale
    # The intercept goes first: nothing before it can make it look dependent.
    order = np.r_[ones[:1], np.setdiff1d(np.arange(p_all), ones[:1])].astype(np.intp)
    gram = linalg.blas.dsyrk(1.0, x.T, lower=1) if p_all else np.zeros((0, 0))
    gram = np.tril(gram) + np.tril(gram, -1).T
    kept = np.sort(order[independent_columns(x[:, order], gram[np.ix_(order, order)], tol=tol)])
    if len(kept) < p_all:
        x = np.ascontiguousarray(x[:, kept])
    indicators: list[sparse.csr_array] = [_indicator(f) for f in problem.factors]
    return Crossproducts(
        n=n,
        kept=kept,
        center=center[kept],
        scale=scale[kept],
        intercept=int(np.searchsorted(kept, ones[0])) if centred else -1,
        y_center=y_center,
        y_scale=y_scale,
        xx=gram[np.ix_(kept, kept)],
        xy=x.T @ y,
        yy=float(y @ y),
        zx=tuple(z @ x for z in indicators),
        zy=tuple(np.bincount(f.codes, weights=y, minlength=f.q).astype(float) for f in problem.factors),
        counts=tuple(np.bincount(f.codes, minlength=f.q).astype(float) for f in problem.factors),
        zz={
            (k, j): contingency(problem.factors[k], problem.factors[j])
            for k in range(len(indicators))
            for j in range(k + 1, len(indicators))
        },
    )


def _indicator(factor: Factor) -> sparse.csr_array:
    """Z', shape (q, n)."""
    n = len(factor.codes)
    rows = np.argsort(factor.codes, kind="stable")
    starts = np.r_[0, np.cumsum(np.bincount(factor.codes, minlength=factor.q))]
    return sparse.csr_array((np.ones(n), rows, starts), shape=(factor.q, n))


def contingency(a: Factor, b: Factor) -> Array | sparse.csr_array:
    """Z_a'Z_b: how many rows have each pair of levels, shape (q_a, q_b)."""
    n = len(a.codes)
    if a.q * b.q <= 10 * n:
        cells = np.bincount(a.codes * b.q + b.codes, minlength=a.q * b.q)
        return cells.reshape(a.q, b.q).astype(float)
    return sparse.coo_array((np.ones(n), (a.codes, b.codes)), shape=(a.q, b.q)).tocsr()
