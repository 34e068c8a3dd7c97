"""Maximum likelihood of an ordered beta model: Newton's method, and what is known about the maximum."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pluristats.engine.result import Array, OptimizerRecord
from pluristats.errors import FitError
from pluristats.models.ordered_beta.density import first_guess
from pluristats.models.ordered_beta.laplace import Laplace, Point, Rows, laplace

NAME = "Newton, Laplace's approximation"
# Twice the likelihood that is still to gain at the end.
TOLERANCE = 1e-8
# Standard deviation, on the logit scale, below which a random intercept counts as zero.
ZERO = 1e-4
_STEPS = 100
# Logits, or logarithms of the precision, beyond which a parameter is on its way to infinity.
_FAR = 15.0
# Of central differences of exact gradients; a unit of every parameter is about one on the logit scale.
_WIDTH = 1e-4


@dataclass(frozen=True, eq=False)
class Optimum:
    """Where the likelihood is greatest.

    Parameters
    ----------
    point
        Parameters, standard deviations not negative.
    at
        The likelihood there.
    record
        What the optimiser did.
    """

    point: Point
    at: Laplace = field(repr=False)
    record: OptimizerRecord


def maximise(rows: Rows) -> Optimum:
    """Maximise :func:`laplace` in (β, c₀, log g, log φ, σ).

    The Hessian of a step is exact by differences in all parameters but β; in β it is that of the likelihood with the
    random effects at their mode, which leaves out how β moves log |H|. Steps are halved until they climb.

    Parameters
    ----------
    rows
        Columns of length √n that are orthogonal to each other, or nearly so.

    Raises
    ------
    FitError
        There is no mode at the start.
    """
    eta, shape = first_guess(rows.y)
    p = rows.x.shape[1]
    level = rows.x.T @ np.full(len(rows.x), eta) / len(rows.x)
    point = Point(level, shape, np.full(len(rows.factors), 0.5))
    now, evaluations = laplace(rows, point), 1
    trace = [(*point.sd.tolist(), -2 * now.value)]
    status, message = "failed", f"{_STEPS} steps were not enough, as where a column nearly separates the ends"
    for _ in range(_STEPS):
        step = _newton_step(_rough_hessian(rows, point, now), now.gradient)
        evaluations += 3 + len(rows.factors)
        decrement = float(now.gradient @ step)
        # Close to the maximum a full step squares the error; the likelihood is too flat to be compared there.
        last = decrement < TOLERANCE
        moved = _climb(rows, point, now, step, always=last)
        if moved is None:
            message = "no step climbs"
            break
        point, now, tried = moved
        evaluations += tried
        trace.append((*np.abs(point.sd).tolist(), -2 * now.value))
        if np.abs(point.theta[: p + 3]).max() > _FAR:
            message = "a parameter runs away: a column separates the ends, or the precision has no bound"
            break
        if last:
            status, message = "converged", "the likelihood has nothing left to gain"
            break
    signs = np.where(point.sd < 0, -1.0, 1.0)
    if (signs < 0).any():
        point = Point(point.beta, point.shape, np.abs(point.sd))
        now = laplace(rows, point, now.u * rows.per_level(signs))
    if status == "converged" and (point.sd < ZERO).any():
        status = "boundary"
    record = OptimizerRecord(NAME, status, message, evaluations, tolerance=TOLERANCE, trace=tuple(trace))  # type: ignore[arg-type]
    return Optimum(point, now, record)


def covariance(rows: Rows, optimum: Optimum) -> tuple[Array, float]:
    """Covariance of the estimates of theta: the inverse of the log likelihood's negative Hessian.

    A standard deviation at zero is taken as known. NaN where the Hessian is not negative definite.

    Returns
    -------
    tuple
        Shape (θ, θ), and the smallest eigenvalue of the negative Hessian.
    """
    theta, p = optimum.point.theta, len(optimum.point.beta)
    free = np.r_[np.ones(p + 3, dtype=bool), optimum.point.sd >= ZERO]
    at = np.flatnonzero(free)
    hessian = np.zeros((len(at), len(at)))
    for row, j in enumerate(at):
        step = _WIDTH * np.eye(len(theta))[j]
        up, down = (laplace(rows, Point.of(theta + s, p), optimum.at.u).gradient for s in (step, -step))
        hessian[row] = (up - down)[at] / (2 * _WIDTH)
    values, vectors = np.linalg.eigh(-(hessian + hessian.T) / 2)
    out = np.zeros((len(theta), len(theta)))
    out[np.ix_(at, at)] = (vectors / values) @ vectors.T if values[0] > 0 else np.nan
    return out, float(values[0])


def _rough_hessian(rows: Rows, point: Point, now: Laplace) -> Array:
    theta, p = point.theta, len(point.beta)
    out = np.zeros((len(theta), len(theta)))
    weighted = rows.x * now.weight[:, None]
    out[:p, :p] = -(rows.x.T @ weighted)
    if rows.q:
        sums = np.column_stack([rows.gathered(column) for column in weighted.T]) if p else np.zeros((rows.q, 0))
        sums = sums * rows.per_level(point.sd)[:, None]
        out[:p, :p] += sums.T @ now.inverse @ sums
    for j in range(p, len(theta)):
        step = _WIDTH * np.eye(len(theta))[j]
        column = (laplace(rows, Point.of(theta + step, p), now.u).gradient - now.gradient) / _WIDTH
        out[j], out[:, j] = column, column
    out[p:, p:] = (out[p:, p:] + out[p:, p:].T) / 2
    return out


def _newton_step(hessian: Array, gradient: Array) -> Array:
    """Uphill in every direction: curvatures count by their size."""
    values, vectors = np.linalg.eigh(-hessian)
    size = np.maximum(np.abs(values), 1e-8 * np.abs(values).max())
    return vectors @ ((vectors.T @ gradient) / size)


def _climb(rows: Rows, point: Point, now: Laplace, step: Array, *, always: bool) -> tuple[Point, Laplace, int] | None:
    """The first of the step and its halves that raises the likelihood, with the number of evaluations; None if none."""
    size = min(1.0, 3.0 / float(np.abs(step).max()))
    for tried in range(1, 31):
        at = Point.of(point.theta + size * step, len(point.beta))
        try:
            found = laplace(rows, at, now.u)
        except (FitError, np.linalg.LinAlgError, ValueError):  # so far out that nothing can be computed
            size /= 2
            continue
        if always or found.value > now.value:
            return at, found, tried
        size /= 2
    return None
