"""An ordered beta regression of every person, each shrunk to all: people differ in slopes, cutpoints and precision."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pluristats.engine.result import Array
from pluristats.models.ordered_beta.density import (
    Ratings,
    Shape,
    derivatives,
    first_guess,
    log_density,
    shape_curvature,
)

_ROUNDS = 8
_STEPS = 30
# Spread of people that the first round takes: of each coefficient, of c₀, log g and log φ.
_START = (1.0, 1.0, 0.5, 0.5)
# People are never taken for more alike than this.
_LEAST_SD = 0.02


@dataclass(frozen=True, eq=False)
class People:
    """Parameters of n people, m coefficients, c₀, log g, log φ.

    Parameters
    ----------
    values
        Of each, shape (n, m + 3).
    covariance
        Of each given what they rated, shape (n, m + 3, m + 3).
    mean, sd
        Of the normal distributions that people come from, shape (m + 3,).
    """

    values: Array = field(repr=False)
    covariance: Array = field(repr=False)
    mean: Array
    sd: Array


def fit_people(y: Array, x: Array, who: NDArray[np.intp], n: int) -> People:
    """Empirical Bayes with Laplace's approximation.

    Formula: a person's v_i = (β_i, c₀, log g, log φ) maximises Σ_j ℓ(y_ij; x_ij'β_i, shape_i) - ½ |(v_i - m)/s|² and
    has the covariance V_i, the inverse of its negative Hessian there; m = mean_i v_i and s² = mean_i ((v_i - m)² +
    diag V_i), in eight rounds of EM. Somebody without ratings is m; somebody who always gives the same rating is kept
    from infinity by the others.

    Parameters
    ----------
    y
        Ratings on 0-1, shape (rows,).
    x
        Columns, the first of them ones, shape (rows, m).
    who
        Person of each row, 0 … n - 1.
    n
        People.
    """
    m = x.shape[1]
    ratings = Ratings.of(y)
    eta, shape = first_guess(ratings)
    mean = np.r_[eta, np.zeros(m - 1), shape]
    sd = np.r_[np.full(m, _START[0]), _START[1:]]
    everybody = _Posterior(ratings, x, np.zeros(len(y), dtype=np.intp), mean, np.full(m + 3, 10.0))
    mean = _maximised(everybody, mean[None])[0][0]
    values, covariance = np.repeat(mean[None], n, axis=0), np.zeros((n, m + 3, m + 3))
    for _ in range(_ROUNDS):
        values, covariance = _maximised(_Posterior(ratings, x, who, mean, sd), values)
        mean = values.mean(axis=0)
        spread = (values - mean) ** 2 + np.einsum("ipp->ip", covariance)
        sd = np.maximum(np.sqrt(spread.mean(axis=0)), _LEAST_SD)
    return People(values, covariance, mean, sd)


@dataclass(frozen=True, eq=False)
class _Posterior:
    """Rows and the normal distribution that people come from."""

    ratings: Ratings
    x: Array
    who: NDArray[np.intp]
    mean: Array
    sd: Array

    def at(self, values: Array) -> tuple[Array, Shape]:
        """η and shape of each row."""
        own = values[self.who]
        m = self.x.shape[1]
        return np.einsum("rp,rp->r", own[:, :m], self.x), Shape.of(own[:, m:].T)

    def height(self, values: Array) -> Array:
        """Log posterior of each person, shape (n,)."""
        by_row = log_density(self.ratings, *self.at(values))
        prior = 0.5 * (((values - self.mean) / self.sd) ** 2).sum(axis=1)
        return np.bincount(self.who, by_row, len(values)) - prior

    def slopes(self, values: Array) -> tuple[Array, Array]:
        """Gradient, shape (n, m + 3), and negative Hessian, (n, m + 3, m + 3), of each person's."""
        eta, shape = self.at(values)
        d = derivatives(self.ratings, eta, shape)
        own = shape_curvature(self.ratings, eta, shape)
        x, (n, size) = self.x.T, values.shape
        m = len(x)
        first = np.concatenate([d.first * x, d.shape])
        second = np.zeros((size, size, len(eta)))
        second[:m, :m] = d.second * x[:, None] * x[None]
        second[:m, m:] = x[:, None] * d.shape_first[None]
        second[m:, m:] = own
        gradient = np.stack([np.bincount(self.who, row, n) for row in first], axis=1)
        curvature = np.zeros((n, size, size))
        for p in range(size):
            for q in range(p, size):
                curvature[:, p, q] = curvature[:, q, p] = -np.bincount(self.who, second[p, q], n)
        curvature[:, np.arange(size), np.arange(size)] += 1 / self.sd**2
        return gradient - (values - self.mean) / self.sd**2, curvature


def _maximised(posterior: _Posterior, values: Array) -> tuple[Array, Array]:
    """Newton's method of everybody at once, each with their own halved steps; the maxima and their covariances."""
    least = 0.1 / posterior.sd.max() ** 2
    now = posterior.height(values)
    for _ in range(_STEPS):
        gradient, curvature = posterior.slopes(values)
        eigen, vectors = np.linalg.eigh(curvature)
        eigen = np.maximum(np.abs(eigen), least)
        along = np.einsum("ipk,ip->ik", vectors, gradient) / eigen
        step = np.einsum("ipk,ik->ip", vectors, along)
        gain = np.einsum("ip,ip->i", gradient, step)
        if gain.max() < 1e-3:  # this step squares the error
            return values + step, np.einsum("ipk,ik,iqk->ipq", vectors, 1 / eigen, vectors)
        size = np.minimum(1.0, 2.0 / np.maximum(np.abs(step).max(axis=1), 1e-300))
        for _ in range(20):
            found = posterior.height(values + size[:, None] * step)
            worse = ~(found >= now - 1e-9 * np.abs(now))
            if not worse.any():
                break
            size = np.where(worse, size / 2, size)
        moved = np.where(worse, 0.0, size)
        values, now = values + moved[:, None] * step, np.where(worse, now, found)
        if not moved.any():
            break
    return values, np.einsum("ipk,ik,iqk->ipq", vectors, 1 / eigen, vectors)
