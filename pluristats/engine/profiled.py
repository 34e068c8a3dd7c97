"""The profiled deviance of a model with random intercepts, with gradient and Hessian in log(theta²).

Notation: Λ = diag(theta_k, repeated q_k times), C = Z'Z, C_M = Z'MZ with M = I - X(X'X)⁻¹X' (one projection,
after which no cost depends on p), Ω = I + ΛCΛ, Ω_M = I + ΛC_MΛ. The spherical modes at the estimated β are
u = Ω_M⁻¹ΛZ'My, the penalised residual sum of squares is r² = y'My - (ΛZ'My)'u (computed as
y'My - 2b'Z'My + b'C_M b + u'u with b = Λu, in which an error of u counts only squared), and

    ML:    d(theta) = log|Ω|            + n     (1 + log(2πr²/n))
    REML:  d(theta) = log|X'X| + log|Ω_M| + (n-p) (1 + log(2πr²/(n-p)))

(Bates, Mächler, Bolker & Walker 2015, eqs. 34 and 41, with |Ω||X'V⁻¹X| = |X'X||Ω_M|). With ρ_k = log theta_k²,
c = n or n-p, and W the inverse of Ω (ML) or Ω_M (REML),

    ∂d/∂ρ_k      = q_k - tr W_kk - c u_k'u_k / r²
    ∂²d/∂ρ_k∂ρ_l = -‖δ_kl I - W_kl‖²_F + c (2 u_k'(δ_kl I - Ω_M⁻¹)_kl u_l / r² - u_k'u_k u_l'u_l / r⁴) + δ_kl ∂d/∂ρ_k,

in which nothing is divided by theta: a component at zero only has a zero gradient.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from pluristats.engine.crossproducts import Crossproducts
from pluristats.engine.result import Array


@dataclass(frozen=True)
class Projected:
    """Cross-products after the fixed effects have been projected out.

    Parameters
    ----------
    n, p
        Rows and independent columns.
    slices
        Where each factor's q_k levels stand among all q.
    counts
        Diagonal of Z'Z, shape (q,).
    c
        Z'Z, shape (q, q).
    cm
        Z'MZ, shape (q, q).
    zmy
        Z'My*, shape (q,).
    ymy
        y*'My*.
    root
        Lower Cholesky factor of X*'X*, shape (p, p).
    xz
        R⁻¹X*'Z with R the root, shape (p, q).
    xy
        R⁻¹X*'y*, shape (p,).
    log_det_xx
        log|X'X| of the columns as given (not standardised).
    log_y_scale
        log of the response's scale.
    """

    n: int
    p: int
    slices: tuple[slice, ...]
    counts: Array
    c: Array
    cm: Array
    zmy: Array
    ymy: float
    root: Array
    xz: Array
    xy: Array
    log_det_xx: float
    log_y_scale: float

    def spread(self, theta: Array) -> Array:
        """Diagonal of Λ, shape (q,)."""
        return np.repeat(theta, [s.stop - s.start for s in self.slices])


@dataclass(frozen=True)
class Evaluation:
    """The profiled deviance at one theta.

    Parameters
    ----------
    theta
        Relative standard deviations, shape (K,).
    deviance
        -2 (restricted) log-likelihood, on lme4's scale.
    gradient, hessian
        In ρ = log theta², shapes (K,) and (K, K).
    u
        Spherical modes, shape (q,), of the standardised response.
    rss
        Penalised residual sum of squares r² of the standardised response.
    inverse_m
        Ω_M⁻¹, shape (q, q).
    inverse
        Ω⁻¹, shape (q, q); the same array as ``inverse_m`` where it was not needed (REML).
    """

    theta: Array
    deviance: float
    gradient: Array
    hessian: Array
    u: Array
    rss: float
    inverse_m: Array
    inverse: Array


def project(cp: Crossproducts) -> Projected:
    """Take the fixed effects out of the cross-products, once for all theta."""
    ends = np.cumsum(cp.q, dtype=int)
    slices = tuple(slice(int(e - q), int(e)) for e, q in zip(ends, cp.q, strict=True))
    q = int(ends[-1]) if len(ends) else 0
    c = np.zeros((q, q))
    counts = np.concatenate(cp.counts) if cp.counts else np.zeros(0)
    np.fill_diagonal(c, counts)
    for (k, j), block in cp.zz.items():
        dense = block if isinstance(block, np.ndarray) else block.toarray()
        c[slices[k], slices[j]] = dense
        c[slices[j], slices[k]] = dense.T
    zx = np.concatenate(cp.zx) if cp.zx else np.zeros((0, cp.p))
    zy = np.concatenate(cp.zy) if cp.zy else np.zeros(0)
    root = linalg.cholesky(cp.xx, lower=True, check_finite=False) if cp.p else np.zeros((0, 0))
    xz = linalg.solve_triangular(root, zx.T, lower=True, check_finite=False) if cp.p else np.zeros((0, q))
    xy = linalg.solve_triangular(root, cp.xy, lower=True, check_finite=False) if cp.p else np.zeros(0)
    return Projected(
        n=cp.n,
        p=cp.p,
        slices=slices,
        counts=counts,
        c=c,
        cm=c - xz.T @ xz,
        zmy=zy - xz.T @ xy,
        ymy=cp.yy - float(xy @ xy),
        root=root,
        xz=xz,
        xy=xy,
        log_det_xx=2.0 * float(np.log(np.diag(root)).sum() - np.linalg.slogdet(cp.back)[1]) if cp.p else 0.0,
        log_y_scale=float(np.log(cp.y_scale)),
    )


def evaluate(pr: Projected, theta: Array, *, reml: bool) -> Evaluation:
    """Profiled deviance, gradient and Hessian at ``theta`` (the module's formulas).

    Raises
    ------
    numpy.linalg.LinAlgError
        Where theta_k² times the largest group is beyond about 1e12, so that adding 1 to it leaves few digits.
    """
    lam = pr.spread(theta)
    if len(lam) and np.finfo(float).eps * float((lam**2 * pr.counts).max()) > 1e-3:
        raise np.linalg.LinAlgError("theta is too large for double precision")
    factor, log_det_m = _cholesky(pr.cm, lam)
    u = linalg.cho_solve((factor, True), lam * pr.zmy, check_finite=False) if len(lam) else np.zeros(0)
    b = lam * u
    rss = pr.ymy - 2.0 * float(b @ pr.zmy) + float(b @ (pr.cm @ b)) + float(u @ u)
    inverse_m = _inverse(factor)
    if reml:
        inverse, log_det, c = inverse_m, log_det_m + pr.log_det_xx, pr.n - pr.p
    else:
        factor, log_det = _cholesky(pr.c, lam)
        inverse, c = _inverse(factor), pr.n
    with np.errstate(divide="ignore", invalid="ignore"):  # r² = 0 is a perfect fit, refused by the caller
        deviance = log_det + c * (1.0 + np.log(2.0 * np.pi * rss / c) + 2.0 * pr.log_y_scale)
        gradient, hessian = _derivatives(pr.slices, u, rss, c, inverse, inverse_m)
    return Evaluation(theta, float(deviance), gradient, hessian, u, rss, inverse_m, inverse)


def slope_at_zero(pr: Projected, ev: Evaluation, k: int, *, reml: bool) -> float:
    """∂d/∂(theta_k²) where theta_k = 0: tr(Z_k'V⁻¹Z_k) - c‖Z_k'P y‖²/r² (REML: P in the trace too).

    A component at zero is at its optimum exactly if this is not negative.
    """
    lam, s = pr.spread(ev.theta), pr.slices[k]
    c_used = pr.cm if reml else pr.c
    half = lam[:, None] * c_used[:, s]
    trace = np.trace(c_used[s, s]) - float(np.einsum("ij,ij->", half, ev.inverse @ half))
    w = pr.zmy[s] - pr.cm[s] @ (lam * ev.u)
    return float(trace - (pr.n - pr.p if reml else pr.n) * (w @ w) / ev.rss)


def _cholesky(c: Array, lam: Array) -> tuple[Array, float]:
    """Lower Cholesky factor of I + ΛCΛ, with rubbish above the diagonal, and log|I + ΛCΛ|."""
    omega = lam[:, None] * c * lam
    omega.flat[:: len(lam) + 1] += 1.0
    if not len(lam):
        return omega, 0.0
    factor, info = linalg.lapack.dpotrf(omega, lower=1, overwrite_a=1)
    if info:
        raise np.linalg.LinAlgError("I + ΛZ'ZΛ is not positive definite")
    return factor, 2.0 * float(np.log(np.diag(factor)).sum())


def _inverse(factor: Array) -> Array:
    """(I + ΛCΛ)⁻¹ from its Cholesky factor."""
    if not len(factor):
        return factor
    lower = np.tril(linalg.lapack.dpotri(factor, lower=1)[0])
    return lower + np.tril(lower, -1).T


def _derivatives(
    slices: tuple[slice, ...], u: Array, rss: float, c: int, inverse: Array, inverse_m: Array
) -> tuple[Array, Array]:
    """Gradient and Hessian in ρ; see the module's formulas."""
    k_all = len(slices)
    uu = np.array([u[s] @ u[s] for s in slices])
    gradient, hessian = np.zeros(k_all), np.zeros((k_all, k_all))
    for k, s in enumerate(slices):
        q = s.stop - s.start
        trace = np.trace(inverse[s, s])
        gradient[k] = q - trace - c * uu[k] / rss
        for j, t in enumerate(slices[: k + 1]):
            norm = np.einsum("ij,ij->", inverse[s, t], inverse[s, t])
            cross = -u[s] @ inverse_m[s, t] @ u[t]
            if k == j:
                norm += q - 2.0 * trace
                cross += uu[k]
            hessian[k, j] = -norm + c * (2.0 * cross / rss - uu[k] * uu[j] / rss**2)
            hessian[j, k] = hessian[k, j]
        hessian[k, k] += gradient[k]
    return gradient, hessian
