"""Conjugate gradients for many right-hand sides, and what their coefficients say of the matrix's spectrum.

The step lengths α_j and ratios β_j of conjugate gradients from x = 0 hold the Lanczos tridiagonal matrix T of A started
at the right-hand side b (Golub & Meurant 2010, Matrices, Moments and Quadrature, section 4.1):

    T_jj = 1/α_j + β_{j-1}/α_{j-1},   T_j,j+1 = √β_j / α_j,

so that with T = Σ t_j τ_j τ_j', b'f(A)b = ‖b‖² Σ_j τ_1j² f(t_j) for smooth f (Gauss quadrature) comes with the solution
A⁻¹b (Gardner, Pleiss, Bindel, Weinberger & Wilson 2018, arXiv 1809.11165).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import linalg

from pluristats.engine.result import Array

TOLERANCE = 1e-10
MAX_STEPS = 2000


class UnsolvedError(np.linalg.LinAlgError):
    """Conjugate gradients did not reach their tolerance; what the matrix's owner refuses or goes back from."""


@dataclass(frozen=True)
class Solved:
    """A⁻¹B for B of shape (s, m).

    Parameters
    ----------
    x
        The solutions, shape (s, m).
    squares
        ‖b‖² of each column, shape (m,).
    alpha, beta
        Step lengths and ratios, shape (steps, m).
    steps
        Steps that each column needed, shape (m,); what stands beyond them means nothing.
    """

    x: Array
    squares: Array
    alpha: Array
    beta: Array
    steps: np.ndarray

    @cached_property
    def spectra(self) -> tuple[tuple[Array, Array], ...]:
        """:meth:`spectrum` of every column."""
        return tuple(self.spectrum(column) for column in range(len(self.squares)))

    def quadrature(self, f: Callable[[Array], Array]) -> Array:
        """Of every column b'f(A)b, shape (m,)."""
        return np.array([weights @ f(nodes) for nodes, weights in self.spectra])

    def spectrum(self, column: int) -> tuple[Array, Array]:
        """Nodes t_j and weights ‖b‖²τ_1j² with b'f(A)b = Σ weight f(node), each of shape (steps of the column,)."""
        k = int(self.steps[column])
        if not k:
            return np.ones(1), np.zeros(1)
        alpha, beta = self.alpha[:k, column], self.beta[:k, column]
        diagonal = 1.0 / alpha
        diagonal[1:] += beta[:-1] / alpha[:-1]
        nodes, vectors = _eigen(diagonal, np.sqrt(beta[:-1]) / alpha[:-1])
        return nodes, self.squares[column] * vectors[0] ** 2


def conjugate_gradients(
    times: Callable[[Array], Array], right: Array, *, tol: float = TOLERANCE, max_steps: int = MAX_STEPS
) -> Solved:
    """Solve AX = B for a symmetric positive definite A by conjugate gradients (Hestenes & Stiefel 1952).

    Parameters
    ----------
    times
        A times a block of columns, shape (s, any).
    right
        B, shape (s, m); a column of zeros is its own solution.
    tol
        ‖b - Ax‖ ≤ tol ‖b‖ ends a column.
    max_steps
        Most multiplications with A.

    Raises
    ------
    UnsolvedError
        Where a column has not ended after ``max_steps``.
    """
    m = right.shape[1]
    squares = np.einsum("ij,ij->j", right, right)
    out, steps = np.zeros_like(right), np.zeros(m, dtype=int)
    alphas: list[Array] = []
    betas: list[Array] = []
    at = np.flatnonzero(squares > 0)  # columns still held
    x, r = np.zeros((len(right), len(at))), right[:, at].copy()
    direction, size = r.copy(), squares[at].copy()
    while len(at):
        if len(alphas) == max_steps:
            worst = float(np.sqrt((size / squares[at]).max()))
            raise UnsolvedError(f"conjugate gradients reached {worst:.1e} of {tol:.0e} in {max_steps} steps")
        image = times(direction)
        curvature = np.einsum("ij,ij->j", direction, image)
        alpha = np.divide(size, curvature, out=np.zeros_like(size), where=curvature > 0)
        x += alpha * direction
        image *= alpha
        r -= image
        new = np.einsum("ij,ij->j", r, r)
        beta = np.divide(new, size, out=np.zeros_like(size), where=size > 0)
        direction *= beta
        direction += r
        size = new
        alphas.append(_spread(alpha, at, m))
        betas.append(_spread(beta, at, m))
        done = size <= tol**2 * squares[at]
        steps[at[done & (steps[at] == 0)]] = len(alphas)
        # Copying what is left costs about a multiplication: ended columns go along until a quarter has ended.
        if done.all() or 4 * done.sum() >= len(done):
            out[:, at[done]] = x[:, done]
            keep = ~done
            x, r, direction, size, at = x[:, keep], r[:, keep], direction[:, keep], size[keep], at[keep]
    shape = (len(alphas), m)
    return Solved(out, squares, np.array(alphas).reshape(shape), np.array(betas).reshape(shape), steps)


def _spread(values: Array, at: np.ndarray, m: int) -> Array:
    """Values of some of m columns, zeros elsewhere."""
    out = np.zeros(m)
    out[at] = values
    return out


def _eigen(diagonal: Array, beside: Array) -> tuple[Array, Array]:
    """Eigenvalues and vectors of a tridiagonal matrix."""
    try:
        return linalg.eigh_tridiagonal(diagonal, beside, check_finite=False)
    except np.linalg.LinAlgError:  # the fast driver gives up on some tight clusters; QL iterations do not
        return linalg.eigh_tridiagonal(diagonal, beside, check_finite=False, lapack_driver="stev")
