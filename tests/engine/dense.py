"""The marginal likelihood written out: N(Xβ, σ²(I + Σ_k theta_k² Z_k Z_k')), with no cross-products, no shortcuts."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
from scipy import linalg

from pluristats.engine.result import Array, Factor, Problem


def grouping(name: str, codes: Sequence[int] | np.ndarray) -> Factor:
    """A factor of integer labels."""
    levels, codes = np.unique(np.asarray(codes), return_inverse=True)
    return Factor(name, codes.astype(np.intp), tuple(levels.tolist()))


def model(y: Array, x: Array, *codes: Sequence[int] | np.ndarray) -> Problem:
    """A problem with columns x0, x1, … and factors f0, f1, …."""
    factors = tuple(grouping(f"f{k}", c) for k, c in enumerate(codes))
    return Problem(np.asarray(y, float), np.asarray(x, float), tuple(f"x{j}" for j in range(x.shape[1])), factors)


def covariance(factors: Sequence[Factor], theta: Sequence[float]) -> Array:
    """V = I + Σ_k theta_k² Z_k Z_k', shape (n, n)."""
    n = len(factors[0].codes)
    same = [f.codes[:, None] == f.codes[None, :] for f in factors]
    return np.eye(n) + sum(t**2 * s for t, s in zip(theta, same, strict=True))


def deviance(y: Array, x: Array, factors: Sequence[Factor], theta: Sequence[float], *, reml: bool) -> float:
    """-2 (restricted) log-likelihood, profiled over β and σ² by generalised least squares on the rows."""
    v = covariance(factors, theta)
    root = linalg.cholesky(v, lower=True)
    xs, ys = (linalg.solve_triangular(root, a, lower=True) for a in (x, y))
    rest = ys - xs @ np.linalg.lstsq(xs, ys, rcond=None)[0]
    n, p = x.shape
    c = n - p if reml else n
    out = 2 * np.log(np.diag(root)).sum() + c * (1 + np.log(2 * np.pi * (rest @ rest) / c))
    return float(out + (np.linalg.slogdet(xs.T @ xs)[1] if reml else 0.0))


def exact_deviance(y: Array, x: Array, factors: Sequence[Factor], theta: Sequence[float], *, reml: bool) -> float:
    """The same in rational arithmetic: right to the last digit, whatever the scales; slow beyond some thirty rows."""
    n, p = x.shape
    t2 = [Fraction(float(t)) ** 2 for t in theta]
    v = [
        [
            sum((t for t, f in zip(t2, factors, strict=True) if f.codes[i] == f.codes[j]), Fraction(i == j))
            for j in range(n)
        ]
        for i in range(n)
    ]
    right = [[Fraction(float(a)) for a in (*x[i], y[i])] for i in range(n)]
    det_v, solved = _eliminate(v, right)
    both = [[sum(right[i][a] * solved[i][b] for i in range(n)) for b in range(p + 1)] for a in range(p + 1)]
    det_x, beta = _eliminate([row[:p] for row in both[:p]], [[row[p]] for row in both[:p]])
    rss = both[p][p] - sum(both[p][a] * beta[a][0] for a in range(p))
    c = n - p if reml else n
    with localcontext() as context:
        context.prec = 60
        log = {
            name: (Decimal(f.numerator) / Decimal(f.denominator)).ln()
            for name, f in (("v", det_v), ("x", det_x), ("rss", rss / c))
        }
        two_pi = Decimal("6.283185307179586476925286766559005768394338798750211641949889")
        out = log["v"] + c * (1 + two_pi.ln() + log["rss"]) + (log["x"] if reml else 0)
    return float(out)


def _eliminate(a: list[list[Fraction]], b: list[list[Fraction]]) -> tuple[Fraction, list[list[Fraction]]]:
    """Determinant of a positive definite matrix and the solution of a·s = b, by Gauss-Jordan."""
    a, b, det = [list(row) for row in a], [list(row) for row in b], Fraction(1)
    for k in range(len(a)):
        det *= a[k][k]
        for i in range(len(a)):
            ratio = a[i][k] / a[k][k]
            if i != k and ratio:
                a[i] = [u - ratio * w for u, w in zip(a[i], a[k], strict=True)]
                b[i] = [u - ratio * w for u, w in zip(b[i], b[k], strict=True)]
    return det, [[u / a[k][k] for u in b[k]] for k in range(len(a))]
