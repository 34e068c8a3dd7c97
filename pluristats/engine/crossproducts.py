"""Cross-products of a mixed model: the only pass over the rows.

With y = Xβ + Σ_k Z_k b_k + ε, everything that fitting needs is in X'X, X'y, y'y, Z_k'X, Z_k'y and Z_k'Z_l. Z_k is
never formed: Z_k'Z_k is the diagonal of level counts and Z_k'Z_l the contingency table of two factors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from pluristats.engine.rank import independent_columns, well_conditioned
from pluristats.engine.result import Array, Factor, Problem

# Relative to the values as given: what is no larger than this is their rounding.
_ROUNDING = 100 * np.finfo(float).eps


@dataclass(frozen=True)
class Crossproducts:
    """Cross-products of X* and y*, in which no digits are lost to large means, scales or near-collinearity.

    X = X* back⁻¹ for the kept columns: they are centred where the intercept is among them (the model is then the same
    with another intercept), scaled, and made orthogonal where they are nearly collinear. y* is the residual of the
    ordinary regression of y on them, scaled: y = X offset + y_scale y*, which the mixed model fits with the same theta
    and other coefficients. Linearly dependent columns are left out.

    Parameters
    ----------
    n
        Rows.
    kept
        Positions of the p independent columns in ``Problem.x``.
    back
        From coefficients of X* to coefficients of the columns as given, shape (p, p).
    offset
        Coefficients of the ordinary regression, for the columns as given, shape (p,).
    y_scale
        Root mean square of the ordinary regression's residuals.
    xx, xy, yy
        X*'X* (p, p), X*'y* (p,), y*'y*; ``yy`` is 0 where the columns reproduce the response to rounding.
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
    back: Array
    offset: Array
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
        """Coefficients and covariance for the columns as given: offset + y_scale back β*, y_scale² back V* back'."""
        return self.offset + self.y_scale * (self.back @ beta), self.y_scale**2 * (self.back @ vcov @ self.back.T)


def crossproducts(problem: Problem, *, tol: float = 1e-7) -> Crossproducts:
    """Cross-products of a problem's standardised rows.

    Parameters
    ----------
    problem
        Arrays of finite numbers; factors in the order in which they will be eliminated (largest first).
    tol
        A column whose part orthogonal to the columns before it is shorter than ``tol`` times the column is left
        out, as R's ``qr`` (LINPACK dqrdc2) and so lme4 do; where there is an intercept, the column's length is taken
        about its mean, so that a large mean alone does not cost a column. What is no longer than the rounding of the
        values as given counts as nothing.
    """
    x, y = problem.x, problem.y
    n, p_all = x.shape
    ones = np.flatnonzero((x == 1.0).all(axis=0)) if p_all else np.empty(0, dtype=np.intp)
    centred = len(ones) > 0
    length = _rms(x)
    center = x.mean(axis=0) if centred else np.zeros(p_all)
    if centred:
        center[ones[0]] = 0.0
    x = x - center
    scale = _rms(x)
    scale[scale == 0.0] = 1.0
    x /= scale
    # The intercept goes first: nothing before it can make it look dependent.
    order = np.r_[ones[:1], np.setdiff1d(np.arange(p_all), ones[:1])].astype(np.intp)
    gram, rounding = _gram(x), np.maximum(tol, _ROUNDING * length / scale)
    kept = np.sort(order[independent_columns(x[:, order], gram[np.ix_(order, order)], tol=rounding[order])])
    if len(kept) < p_all:
        x, gram = np.asfortranarray(x[:, kept]), gram[np.ix_(kept, kept)]
    back = np.diag(1.0 / scale[kept])
    if centred:
        back[np.searchsorted(kept, ones[0])] -= center[kept] / scale[kept]
    if not well_conditioned(gram):
        # Normal equations would lose twice the digits that the collinearity costs.
        x, root = linalg.qr(x, mode="economic", check_finite=False)
        x *= np.sqrt(n)
        back = linalg.solve_triangular(root.T, back.T, lower=True, check_finite=False).T * np.sqrt(n)
        gram = _gram(x)
    y, offset = _ordinary_residual(x, gram, y - y.mean() if centred else y)
    offset = back @ offset
    if centred:
        offset[np.searchsorted(kept, ones[0])] += problem.y.mean()
    y_scale = float(_rms(y))
    reproduced = y_scale <= _ROUNDING * _rms(problem.y)
    y = np.zeros(n) if reproduced else y / y_scale
    indicators: list[sparse.csr_array] = [_indicator(f) for f in problem.factors]
    return Crossproducts(
        n=n,
        kept=kept,
        back=back,
        offset=offset,
        y_scale=y_scale,
        xx=gram,
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


def _rms(a: Array) -> Array:
    """Root mean square of each column."""
    return np.sqrt(np.einsum("i...,i...->...", a, a) / len(a))


def _gram(x: Array) -> Array:
    """X'X, both triangles."""
    if not x.shape[1]:
        return np.zeros((0, 0))
    lower = np.tril(linalg.blas.dsyrk(1.0, x.T, lower=1))
    return lower + np.tril(lower, -1).T


def _ordinary_residual(x: Array, gram: Array, y: Array) -> tuple[Array, Array]:
    """Residual of y on x and the coefficients; a second projection takes out what rounding left of the first."""
    beta = np.zeros(x.shape[1])
    if x.shape[1]:
        factor = linalg.cho_factor(gram, lower=True, check_finite=False)
        for _ in range(2):
            step = linalg.cho_solve(factor, x.T @ y, check_finite=False)
            beta, y = beta + step, y - x @ step
    return y, beta


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
