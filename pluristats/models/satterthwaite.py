"""Satterthwaite's degrees of freedom: how well the variance of an estimate is itself known."""

from __future__ import annotations

import numpy as np

from pluristats.engine.result import Array
from pluristats.models.equations import Equations


def satterthwaite_df(eq: Equations, contrasts: Array | None = None) -> Array:
    """Degrees of freedom of the t statistics of linear combinations c'β of the fixed effects.

    Formula: df = 2 (c'Vc)² / (g'A g), with V the covariance of β, g the gradient of c'Vc in the variance parameters and
    A their asymptotic covariance, twice the inverse Hessian of the (restricted) deviance. In (log theta_k², log σ²),
    with C = V/σ² and F of :mod:`pluristats.models.equations`, the gradient of log c'Vc is
    (‖F_1 c‖²/c'Cc, …, ‖F_K c‖²/c'Cc, 1): nothing is differentiated numerically.

    Parameters
    ----------
    eq
        Equations of a fit with random intercepts.
    contrasts
        One combination a row, shape (m, p); None is each coefficient by itself.

    Returns
    -------
    ndarray
        Shape (m,). NaN for a combination without variance (all zeros), and everywhere where the Hessian is not
        positive definite (the fit is not at a proper optimum).

    Notes
    -----
    A component at zero stays fixed at zero: it neither adds to g nor to A. With all at zero the degrees of freedom are
    n - p (n for maximum likelihood), those of an ordinary regression. For maximum likelihood V and A are those of that
    criterion, as in lmerTest. With more than 4,000 levels beyond the largest factor's the Hessian is the average
    information (Gilmour, Thompson & Cullis 1995), which differs from it by what vanishes with the number of levels.

    References
    ----------
    Fai & Cornelius (1996), J. Stat. Comput. Simul. 54; Kuznetsova, Brockhoff & Christensen (2017), lmerTest, J. Stat.
    Softw. 82(13).
    """
    # F and C of each combination; shapes (q, m) and (m,).
    images = eq.f if contrasts is None else eq.f @ contrasts.T
    v = eq.vcov / eq.sigma**2
    variances = np.diag(v) if contrasts is None else np.einsum("ij,jk,ik->i", contrasts, v, contrasts)
    with np.errstate(divide="ignore", invalid="ignore"):
        gradient = np.array(
            [np.einsum("ij,ij->j", images[s], images[s]) / variances for s in eq.pr.slices]
            + [np.where(variances > 0, 1.0, np.nan)]
        )
    gradient = gradient[np.r_[eq.free, True]]
    return 2.0 / np.einsum("ki,kl,li->i", gradient, eq.covariance, gradient)
