"""Which columns of a design are linearly independent, in R's sense."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from pluristats.engine.result import Array

# Below this squared residual share, the Gram matrix (whose squares cost half the digits) is not trusted alone.
SUSPICIOUS = 1e-8


def independent_columns(x: Array, gram: Array, *, tol: float | Array = 1e-7) -> NDArray[np.intp]:
    """Positions of the columns that are not linear combinations of the columns kept before them.

    Formula: column j is kept if ‖x_j - P x_j‖ > tol_j ‖x_j‖, with P the projection on the kept columns before it.

    Parameters
    ----------
    x
        Columns of about unit scale, shape (n, p).
    gram
        X'X, shape (p, p).
    tol
        Relative length below which a column counts as dependent, one for all or one a column; R's ``qr`` uses 1e-7.

    Notes
    -----
    The Gram matrix decides clear cases. Where it leaves less than 1e-8 of a column's squared length, the residual
    is computed from the rows, projecting twice ("twice is enough", Giraud et al. 2005).
    """
    p = gram.shape[0]
    norms = np.sqrt(np.diag(gram))
    tol = np.broadcast_to(np.asarray(tol, dtype=float), (p,))
    if (tol**2 <= SUSPICIOUS).all() and well_conditioned(gram):
        return np.arange(p)
    root = np.zeros((p, p))  # lower Cholesky factor of the kept columns' Gram matrix, grown a row at a time
    kept: list[int] = []
    for j in range(p):
        m = len(kept)
        row = linalg.solve_triangular(root[:m, :m], gram[kept, j], lower=True, check_finite=False) if m else []
        residual_sq = gram[j, j] - np.dot(row, row)
        if norms[j] == 0.0:
            continue
        if residual_sq <= SUSPICIOUS * gram[j, j]:
            residual_sq = _residual(x, kept, root[:m, :m], j) ** 2
        if residual_sq <= (tol[j] * norms[j]) ** 2:
            continue
        root[m, :m] = row
        root[m, m] = np.sqrt(residual_sq)
        kept.append(j)
    return np.array(kept, dtype=np.intp)


def well_conditioned(gram: Array) -> bool:
    """Whether every column has more than 1e-8 of its squared length orthogonal to the columns before it."""
    if not len(gram):
        return True
    try:
        factor = linalg.cholesky(gram, lower=True, check_finite=False)
    except linalg.LinAlgError:
        return False
    return bool((np.diag(factor) ** 2 > SUSPICIOUS * np.diag(gram)).all())


def _residual(x: Array, kept: list[int], root: Array, j: int) -> float:
    """Length of column j's part orthogonal to the kept columns, from the rows."""
    basis, rest = x[:, kept], x[:, j].copy()
    for _ in range(2):
        rest -= basis @ linalg.cho_solve((root, True), basis.T @ rest, check_finite=False)
    return float(np.linalg.norm(rest))
