"""The L1-penalised mixed model along a grid of penalties (Schelldorfer, Bühlmann & van de Geer 2011).

At each λ three conditions hold together, for standardised columns, V = I + Σ_k theta_k² Z_k Z_k', r = y - Xβ:

    β      minimises r'V⁻¹r/2n + λ Σ_j w_j|β_j|,                       (the Lasso at theta)
    theta  minimises log|V| + n log r'V⁻¹r over theta >= 0, given β,   (maximum likelihood at β)
    σ²     = r'V⁻¹r/n,

which are the stationary points of -2ℓ(β, theta, σ²) + 2nλ/σ² Σ_j w_j|β_j| at its own σ² (their eq. 2.3 with the penalty
nλ/σ²). With theta = 0 this is glmnet's Lasso; with λ = 0 it is maximum likelihood. The problem is not convex: columns
that are constant within a group compete with its variance, and at some λ both explaining and leaving it to the variance
can be optimal. The path follows one optimum from λ_max down and moves to another where that one ends.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pluristats.engine import native
from pluristats.engine.blocked import eliminate
from pluristats.engine.newton import NEAR_ZERO, newton_direction
from pluristats.engine.profiled import Evaluation, Projected, evaluate, slope_at_zero
from pluristats.engine.result import Array
from pluristats.engine.threads import one_blas_thread
from pluristats.errors import FitError
from pluristats.lasso.mixed.sums import MixedProblem
from pluristats.lasso.mixed.whitened import Columns, VarianceStep, Whitened, solve_lasso, violations

# The coefficients are optimal to this share of λ_max, the variances to native.TOLERANCE.
_OPTIMAL = 1e-9
# Rounds of coefficients and variances at one penalty; the first are Newton's, the others alternate.
_ROUNDS, _NEWTON = 100, 12
# What a Newton step in the variances alone may still gain of the deviance at the end.
_GAIN = 1e-9
# Longest Newton step in log theta².
_LONGEST = 1.0


@dataclass(frozen=True)
class MixedPath:
    """Penalised fits along a decreasing grid of λ.

    Parameters
    ----------
    lambdas
        The grid, shape (L,), for standardised columns and the response in its own units.
    beta
        Standardised coefficients of a standardised response, intercept first, shape (p + 1, L).
    intercepts, coefficients
        For the columns as given, shapes (L,) and (p, L).
    theta
        Relative standard deviations, shape (K, L).
    sigma
        Residual standard deviation, shape (L,).
    loglik
        Log-likelihood at the penalised estimates, shape (L,).
    kkt
        Largest violation of the Lasso's optimality conditions, as a share of λ_max, shape (L,).
    score
        Largest derivative of -2ℓ in log theta² among the non-zero components, shape (L,).
    rounds
        Rounds of coefficients and variances, shape (L,).
    converged
        Whether coefficients and variances both met their tolerance, shape (L,).
    """

    lambdas: Array
    beta: Array = field(repr=False)
    intercepts: Array = field(repr=False)
    coefficients: Array = field(repr=False)
    theta: Array = field(repr=False)
    sigma: Array = field(repr=False)
    loglik: Array = field(repr=False)
    kkt: Array = field(repr=False)
    score: Array = field(repr=False)
    rounds: Array = field(repr=False)
    converged: NDArray[np.bool_] = field(repr=False)

    def __repr__(self) -> str:
        first, last = (f"{value:.4g}" for value in self.lambdas[[0, -1]]) if len(self.lambdas) else ("none", "none")
        converged = f"{int(self.converged.sum()):,} converged"
        return f"<MixedPath: {len(self.lambdas):,} λ from {first} to {last}, {converged}>"


@dataclass(frozen=True)
class _Point:
    """The solution at one λ."""

    beta: Array
    slope: Array
    at: Evaluation
    rounds: int
    converged: bool


def largest_penalty(problem: MixedProblem, free: Columns, weights: Array, theta: Array | None = None) -> float:
    """λ_max: the least λ at which every penalised coefficient is zero, for a response of standard deviation 1."""
    return _top(_start(problem, VarianceStep.of(problem, free), theta), weights)


def model_lengths(problem: MixedProblem, free: Columns, theta: Array | None = None) -> Array:
    """Root of x_j'V⁻¹x_j/n of each column at λ_max's variances, the unpenalised columns projected out, shape (p + 1,).

    1 for the unpenalised ones, and for those that they determine.
    """
    at = _start(problem, VarianceStep.of(problem, free), theta).at
    others = np.setdiff1d(np.arange(problem.p + 1), free)
    out = np.ones(problem.p + 1)
    out[others] = Whitened.at(problem, at.theta, free).near(others).length
    return out


def mixed_path(
    problem: MixedProblem, lambdas: Array, free: Columns, weights: Array, *, theta: Array | None = None
) -> MixedPath:
    """Follow the penalised fit along a grid, each from its neighbour (see the module's formulas).

    Parameters
    ----------
    problem
        Standardised sums.
    lambdas
        Decreasing grid, shape (L,), in units of the response.
    free
        Positions of the unpenalised columns among the p + 1, the intercept (0) among them; independent.
    weights
        w_j of each column, shape (p + 1,): 0 at the unpenalised ones, infinite for a column that may not enter.
    theta
        Variance ratios to hold, shape (K,); None estimates them at every λ.

    Raises
    ------
    FitError
        At some λ no exact solution is found.
    """
    step = VarianceStep.of(problem, free)
    with one_blas_thread():
        return _walk(problem, step, np.asarray(lambdas, dtype=float) / problem.y_scale, weights, theta)


def _walk(problem: MixedProblem, step: VarianceStep, lambdas: Array, weights: Array, held: Array | None) -> MixedPath:
    point = _start(problem, step, held)
    top = _top(point, weights)
    points: list[_Point] = []
    last = top
    allowed = np.isfinite(weights)
    for penalty in lambdas:
        # The strong rule (Tibshirani et al. 2012), with a margin: which columns may enter by the next λ.
        bar = np.where(allowed, (3.0 * penalty - 2.0 * last) * np.where(allowed, weights, 0.0), np.inf)
        likely = np.flatnonzero(np.abs(point.slope) >= bar)
        theta = point.at.theta if held is not None else _extrapolated(points, point)
        each = _penalties(penalty, weights)
        point = _solve(problem, step, each, point.beta, theta, likely, _OPTIMAL * top, settle=held is None)
        points.append(point)
        last = penalty
    return _path(problem, lambdas, weights, top, points)


def _start(problem: MixedProblem, step: VarianceStep, held: Array | None) -> _Point:
    """The fit with all penalised coefficients at zero."""
    pr = step.given(np.zeros(problem.p + 1))
    at = native.optimise(pr, reml=False).at if held is None else evaluate(pr, np.asarray(held, dtype=float), reml=False)
    white = Whitened.at(problem, at.theta, step.free)
    beta = white.unpenalised()
    return _Point(beta, white.slope(beta), at, 0, True)


def _top(start: _Point, weights: Array) -> float:
    """The least λ at which no penalised column has a slope beyond its penalty."""
    positive = weights > 0
    return float((np.abs(start.slope[positive]) / weights[positive]).max(initial=0.0))


def _solve(
    problem: MixedProblem,
    step: VarianceStep,
    penalty: Array,
    beta: Array,
    theta: Array,
    likely: Columns,
    tol: float,
    *,
    settle: bool,
) -> _Point:
    """Coefficients and variances together at one λ.

    Given theta the Lasso is exact; the derivative of -2ℓ in log theta² there is driven to zero by Newton's method,
    whose matrix has in it how the coefficients answer to theta while the same ones are zero. Where that does not help,
    coefficients and variances are optimised in turn, of which each step lowers the objective. ``settle=False`` holds
    theta.
    """
    rounds, near = 0, None
    while True:
        rounds += 1
        white = Whitened.at(problem, theta, step.free)
        solved = solve_lasso(white, penalty, beta, likely, tol=tol, near=near)
        if solved is None:
            raise FitError(
                "The Lasso found no exact solution at one of its penalties: some columns nearly determine each other; "
                "leave one of them out, or stop at a larger penalty."
            )
        beta, near = solved.beta, solved.near
        pr = step.given(beta)
        ev = evaluate(pr, theta, reml=False)
        settled = not settle or _settled(pr, ev)
        if settled or rounds == _ROUNDS:
            return _Point(beta, solved.slope, ev, rounds, settled)
        falling = (ev.theta > 0) & (ev.gradient > 0) & (ev.theta**2 < NEAR_ZERO * pr.small)
        move = None
        if rounds <= _NEWTON and not falling.any():
            move = _newton_move(ev.hessian + white.score_change(ev.u, ev.rss, solved), ev)
        theta = native.optimise(pr, reml=False, start=theta).at.theta if move is None else theta * np.exp(0.5 * move)


def _newton_move(curvature: Array, ev: Evaluation) -> Array | None:
    """Step in log theta² of the components that are not zero; None where it leads to no minimum, or far or nowhere."""
    free = ev.theta > 0
    among = curvature[np.ix_(free, free)]
    if not free.any() or not np.linalg.eigvalsh(among + among.T)[0] > 0:
        return None
    move = np.zeros(len(ev.theta))
    move[free] = -np.linalg.solve(among, ev.gradient[free])
    longest = np.abs(move).max()
    return move if 0.0 < longest < _LONGEST else None


def _settled(pr: Projected, ev: Evaluation) -> bool:
    """Whether theta is a maximum of the likelihood at these coefficients."""
    free = ev.theta > 0
    _, curvature, gain = newton_direction(ev, free)
    # Towards zero the derivative in log theta² vanishes of itself; what a step would gain does not.
    if gain > _GAIN or np.abs(ev.gradient[free]).max(initial=0.0) > native.TOLERANCE * max(1.0, curvature):
        return False
    return all(slope_at_zero(pr, ev, int(k), reml=False) > -native.TOLERANCE for k in np.flatnonzero(~free))


def _penalties(penalty: float, weights: Array) -> Array:
    """λ w_j; a column that may not enter keeps an infinite penalty at λ = 0."""
    return np.where(np.isfinite(weights), penalty * np.where(np.isfinite(weights), weights, 0.0), np.inf)


def _extrapolated(points: list[_Point], point: _Point) -> Array:
    """Extrapolate theta to the next λ of a geometric grid by its last two values."""
    last = point.at.theta
    if len(points) < 2 or not ((last > 0).all() and (points[-2].at.theta > 0).all()):
        return last
    return last * np.clip(last / points[-2].at.theta, 0.5, 2.0)


def _path(problem: MixedProblem, lambdas: Array, weights: Array, top: float, points: list[_Point]) -> MixedPath:
    beta = np.array([pt.beta for pt in points]).T
    intercepts, coefficients = problem.original(beta)
    off = [violations(pt.slope, pt.beta, _penalties(lam, weights)) for pt, lam in zip(points, lambdas, strict=True)]
    return MixedPath(
        lambdas=lambdas * problem.y_scale,
        beta=beta,
        intercepts=intercepts,
        coefficients=coefficients,
        theta=np.array([pt.at.theta for pt in points]).T,
        sigma=np.array([problem.y_scale * np.sqrt(pt.at.rss / problem.n) for pt in points]),
        loglik=np.array([-0.5 * pt.at.deviance for pt in points]),
        kkt=np.max(off, axis=1) / (top if top > 0 else 1.0),
        score=np.array([np.abs(pt.at.gradient[pt.at.theta > 0]).max(initial=0.0) for pt in points]),
        rounds=np.array([pt.rounds for pt in points]),
        converged=np.array([pt.converged for pt in points]),
    )


def random_modes(problem: MixedProblem, path: MixedPath) -> Array:
    """Conditional modes b = ΛΩ⁻¹ΛZ'(y - Xβ) in the response's units along the path, shape (q, L)."""
    sizes = [len(c) for c in problem.counts]
    modes = np.empty((len(problem.zy), len(path.lambdas)))
    for j, theta in enumerate(path.theta.T):
        lam = np.repeat(theta, sizes)
        residual = problem.zy - problem.zx @ path.beta[:, j]
        modes[:, j] = problem.y_scale * lam * eliminate(problem.blocks, theta).solve(lam * residual)
    return modes
