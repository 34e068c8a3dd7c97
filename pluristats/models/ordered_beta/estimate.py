"""Estimates of an ordered beta model from arrays: ratings on 0-1, columns, grouping factors."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from pluristats.engine.crossproducts import standardise
from pluristats.engine.native import theta_order
from pluristats.engine.result import Array, Factor, OptimizerRecord, RandomEffects
from pluristats.engine.threads import one_blas_thread
from pluristats.errors import FitError
from pluristats.models.ordered_beta.density import Ratings
from pluristats.models.ordered_beta.laplace import Rows
from pluristats.models.ordered_beta.maximise import Optimum, covariance, maximise


@dataclass(frozen=True, eq=False)
class Estimate:
    """A fitted ordered beta model, as arrays.

    Parameters
    ----------
    kept
        Positions of the columns that were not dropped as linearly dependent, shape (p,).
    beta, vcov
        Coefficients of these, on the logit scale, and their covariance with all other parameters estimated.
    shape, shape_vcov
        c₀, c₁ and φ, and their covariance, shapes (3,), (3, 3).
    random
        One entry a grouping factor, in lme4's order; on the logit scale.
    loglik
        Laplace's approximation of the log likelihood of ratings on 0-1.
    optimizer
        ``gradient_norm`` is the largest derivative of the log likelihood times the parameter's standard error,
        ``hessian_min_eigenvalue`` of its negative Hessian for orthogonal columns; the trace is of standard deviations
        and -2 log likelihood.
    """

    kept: NDArray[np.intp] = field(repr=False)
    beta: Array
    vcov: Array = field(repr=False)
    shape: Array
    shape_vcov: Array = field(repr=False)
    random: tuple[RandomEffects, ...] = field(repr=False)
    loglik: float
    optimizer: OptimizerRecord = field(repr=False)


def estimate(y: Array, x: Array, factors: tuple[Factor, ...]) -> Estimate:
    """Maximum likelihood.

    Parameters
    ----------
    y
        Ratings on 0-1, shape (n,).
    x
        Fixed columns, shape (n, p).
    factors
        Of random intercepts.

    Raises
    ------
    FitError
        No rating at an end, or none between: a cutpoint, or the precision, has no maximum.
    """
    ratings = _ratings(y)
    kept = standardise(x).kept
    ordered = tuple(factors[i] for i in theta_order([f.q for f in factors]))
    with one_blas_thread():
        # Orthogonal columns of length √n: a unit of every parameter is about one on the logit scale.
        q, r = np.linalg.qr(x[:, kept])
        length = np.sqrt(len(y))
        rows = Rows(ratings, q * length, ordered)
        optimum = maximise(rows)
        inverse, least = covariance(rows, optimum)
    return _as_given(rows, kept, np.linalg.inv(r / length), optimum, inverse, least)


def _ratings(y: Array) -> Ratings:
    """Refused where a parameter has no maximum."""
    ratings = Ratings.of(y)
    for there, where in ((ratings.zero, "least"), (ratings.one, "greatest")):
        if not there.any():
            raise FitError(
                f"No rating is at the {where} value of the scale, so that its cutpoint in the ordered beta model has "
                "no estimate; give the scale that people used in scale=, or fit a linear model by lmer."
            )
    if len(ratings.inside) < 2:
        raise FitError(
            f"{len(ratings.inside)} of {len(y)} ratings are between the ends of the scale, so that the precision of "
            "the ordered beta model has no estimate; a logistic regression is for ratings that are all at the ends."
        )
    return ratings


def _as_given(
    rows: Rows, kept: NDArray[np.intp], back: Array, optimum: Optimum, inverse: Array, least: float
) -> Estimate:
    """Estimates of the columns as given, ``back`` times those of the orthogonal ones."""
    point, p = optimum.point, rows.x.shape[1]
    gap, phi = np.exp(point.shape[1:])
    # Of (c₀, c₁, φ) in (c₀, log g, log φ).
    jacobian = np.array([[1.0, 0.0, 0.0], [1.0, gap, 0.0], [0.0, 0.0, phi]])
    spread = rows.per_level(point.sd)
    modes, errors = spread * optimum.at.u, spread * np.sqrt(np.diag(optimum.at.inverse))
    random = tuple(
        RandomEffects(
            f.name, ("(Intercept)",), f.levels, np.array([[sd**2]]), modes[part][:, None], errors[part][:, None]
        )
        for f, sd, part in zip(rows.factors, point.sd, rows.parts, strict=True)
    )
    per_error = np.abs(optimum.at.gradient) * np.sqrt(np.diag(inverse))
    record = replace(optimum.record, gradient_norm=float(per_error.max()), hessian_min_eigenvalue=least)
    if not least > 0 and record.status != "failed":
        record = replace(record, status="failed", message="the likelihood does not curve down in every direction")
    return Estimate(
        kept=kept,
        beta=back @ point.beta,
        vcov=back @ inverse[:p, :p] @ back.T,
        shape=np.array([point.shape[0], point.shape[0] + gap, phi]),
        shape_vcov=jacobian @ inverse[p : p + 3, p : p + 3] @ jacobian.T,
        random=random,
        loglik=optimum.at.value,
        optimizer=record,
    )
