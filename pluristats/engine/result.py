"""What every engine takes and gives: plain arrays in frozen records."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Factor:
    """A random term: the grouping factor of ``(1|name)`` or of random slopes ``(1 + x|name)``.

    Parameters
    ----------
    name
        As written in the formula; an interaction is ``a:b``.
    codes
        Level of each row, shape (n,), integers 0 … q-1; every level occurs.
    levels
        Labels of the q levels, in code order.
    z
        Columns that the term's c coefficients multiply, shape (n, c); None is a random intercept, one column of ones.
    terms
        Names of the c coefficients.
    """

    name: str
    codes: NDArray[np.intp]
    levels: tuple[object, ...]
    z: Array | None = None
    terms: tuple[str, ...] = ("(Intercept)",)

    @property
    def q(self) -> int:
        """Number of levels."""
        return len(self.levels)


@dataclass(frozen=True)
class Problem:
    """A linear mixed model, y = offset + Xβ + Σ_k Z_k b_k + ε with ε_i ~ N(0, σ²/weights_i), as arrays.

    Parameters
    ----------
    y
        Response, shape (n,).
    x
        Fixed-effect columns, shape (n, p), the intercept among them where the formula has one.
    x_names
        Names of the p columns.
    factors
        Random terms in the formula's order, K of them (0 is an ordinary regression).
    weights
        Positive, shape (n,), as ``lme4::lmer(weights=)``; None is one a row.
    offset
        Known part of the response, shape (n,); None is zero.
    """

    y: Array
    x: Array
    x_names: tuple[str, ...]
    factors: tuple[Factor, ...]
    weights: Array | None = None
    offset: Array | None = None


@dataclass(frozen=True)
class OptimizerRecord:
    """What the optimiser did: enough to judge a fit without rerunning it.

    Parameters
    ----------
    name
        Optimiser, with its library.
    status
        ``converged``, ``boundary`` (converged with a variance component at zero) or ``failed``.
    message
        In words.
    n_evaluations
        Evaluations of the objective.
    gradient_norm
        Largest absolute derivative of the profiled deviance in log(theta²) among the non-zero components at the end;
        of random slopes in the coordinates of :mod:`pluristats.engine.slopes.search`.
    hessian_min_eigenvalue
        Smallest eigenvalue of its Hessian in these coordinates among those components; positive at a proper optimum.
    tolerance
        What ``gradient_norm`` was required to reach.
    trace
        Rows of (theta_1 … theta_K, deviance), one an evaluation; empty where the engine does not tell.
    """

    name: str
    status: Literal["converged", "boundary", "failed"]
    message: str
    n_evaluations: int
    gradient_norm: float = float("nan")
    hessian_min_eigenvalue: float = float("nan")
    tolerance: float = float("nan")
    trace: tuple[tuple[float, ...], ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class RandomEffects:
    """Variance and conditional modes of one grouping factor's random effects.

    Parameters
    ----------
    factor
        Name of the grouping factor.
    terms
        Names of its c random coefficients; ``("(Intercept)",)`` for a random intercept.
    levels
        Labels of the q levels.
    covariance
        Covariance of the random coefficients in squared response units, shape (c, c).
    modes
        Conditional modes (BLUPs), shape (q, c).
    mode_sd
        Conditional standard deviations given theta and beta, shape (q, c), as ``lme4::ranef(condVar=TRUE)``; NaN
        where the engine does not give them.
    blocks
        How many coefficients each of the factor's terms has, in order; those of different terms (``||``) have no
        covariance by construction. Empty is one term.
    """

    factor: str
    terms: tuple[str, ...]
    levels: tuple[object, ...]
    covariance: Array
    modes: Array
    mode_sd: Array
    blocks: tuple[int, ...] = ()

    @property
    def parts(self) -> tuple[slice, ...]:
        """Where the coefficients of each of the factor's terms stand."""
        ends = np.cumsum(self.blocks or (len(self.terms),), dtype=int)
        return tuple(slice(int(e - c), int(e)) for e, c in zip(ends, self.blocks or (len(self.terms),), strict=True))


@dataclass(frozen=True)
class MonteCarlo:
    """What of an iterative fit is estimated by random probes, and how well.

    Parameters
    ----------
    seed, n_probes
        Of the probes: the same make the same numbers.
    loglik_error
        Standard error of ``EngineFit.loglik`` as an estimate of the log-likelihood.
    theta_error
        Standard errors of ``EngineFit.theta`` as estimates of the maximum, shape (K,); NaN for a component at zero.
    theta_share
        The largest of them as a share of the component's own standard error, its sampling error.
    mode_sd_error
        Root mean square of the relative standard errors of ``RandomEffects.mode_sd``.
    met
        Whether the errors are within their targets.
    loglik_by_probe
        The log-likelihood by each probe, shape (n_probes,), mean ``EngineFit.loglik``: fits with the same probes err
        alike, so that differences are known better than either.
    """

    seed: int
    n_probes: int
    loglik_error: float
    theta_error: Array
    theta_share: float
    mode_sd_error: float
    met: bool
    loglik_by_probe: Array = field(repr=False)


@dataclass(frozen=True)
class EngineFit:
    """A fitted linear mixed model, whichever engine fitted it.

    Parameters
    ----------
    engine
        ``native``, ``lme4`` or ``statsmodels``.
    reml
        Whether ``loglik`` and the estimates are restricted maximum likelihood.
    kept
        Positions of the fixed-effect columns that were not dropped as linearly dependent, shape (p_kept,).
    beta, vcov
        Coefficients of the kept columns, shape (p_kept,), and their covariance, shape (p_kept, p_kept).
    theta, theta_names
        Relative covariance parameters in lme4's order (grouping factors by descending number of levels, ties
        in formula order; within a factor the lower triangle of the relative Cholesky factor by columns).
    sigma
        Residual standard deviation.
    loglik
        Maximised (restricted) log-likelihood, as ``lme4::logLik``.
    random
        One entry a grouping factor, in theta's order.
    optimizer
        What the optimiser did.
    monte_carlo
        The error of what an iterative fit estimates by random probes; None where everything is exact.
    """

    engine: str
    reml: bool
    kept: NDArray[np.intp]
    beta: Array
    vcov: Array
    theta: Array
    theta_names: tuple[str, ...]
    sigma: float
    loglik: float
    random: tuple[RandomEffects, ...]
    optimizer: OptimizerRecord
    monte_carlo: MonteCarlo | None = None

    def __repr__(self) -> str:
        by = "REML" if self.reml else "ML"
        return f"<EngineFit by {self.engine}, {by}: {len(self.beta):,} coefficients, log-likelihood {self.loglik:.6g}>"
