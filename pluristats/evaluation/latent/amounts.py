"""How much of a factor each kernel explains: amounts of variance by maximum likelihood, with a weak prior."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

from pluristats.engine.result import Array

# Of log amounts, for factors of variance about 1: small unless the data say so.
CENTRE, SPREAD = -2.0, 1.5
_BOUNDS = (-12.0, 3.0)


def log_posterior(amounts: Array, kernels: Sequence[Array], y: Array, precision: Array) -> tuple[float, Array]:
    """Minus the log density of y and the log amounts, and its gradient.

    Formula: y ~ N(0, Σ_l exp(a_l) K_l + exp(a_last) I + diag(1/precision)), a_l ~ N(-2, 1.5²), without constants.

    Parameters
    ----------
    amounts
        Log variances of the kernels, and of what no kernel explains, shape (k + 1,).
    kernels
        k matrices, shape (m, m).
    y, precision
        Observations and how precisely each is known, shape (m,).
    """
    identity = np.eye(len(y))
    parts = [*kernels, identity]
    weights = np.exp(amounts)
    covariance = np.diag(1.0 / precision)
    for weight, part in zip(weights, parts, strict=True):
        covariance = covariance + weight * part
    factor = cho_factor(covariance, lower=True)
    inverse = cho_solve(factor, identity)
    a = inverse @ y
    off = (amounts - CENTRE) / SPREAD
    value = 0.5 * (y @ a) + np.log(np.diag(factor[0])).sum() + 0.5 * (off @ off)
    inner = inverse - np.outer(a, a)
    gradient = np.array([0.5 * weight * np.sum(inner * part) for weight, part in zip(weights, parts, strict=True)])
    return float(value), gradient + off / SPREAD


def most_likely(start: Array, kernels: Sequence[Array], y: Array, precision: Array, steps: int = 25) -> Array:
    """Log amounts at the maximum of :func:`log_posterior`, by L-BFGS from ``start``."""
    found = minimize(
        log_posterior,
        start,
        args=(kernels, y, precision),
        jac=True,
        method="L-BFGS-B",
        bounds=[_BOUNDS] * len(start),
        options={"maxiter": steps},
    )
    return np.asarray(found.x)
