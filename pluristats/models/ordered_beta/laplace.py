"""Likelihood of an ordered beta model with random intercepts, by Laplace's approximation, and its gradient.

With η = Xβ + Σ_k σ_k Z_k u_k, u ~ N(0, I), Λ = diag(σ of each effect) and W = -∂²ℓ/∂η²,

    log L(θ) ≈ Σ ℓ(y; η) - ½ u'u - ½ log |H|,  H = I + ΛZ'WZΛ,

at the u that maximises the first two terms; the same as glmmTMB computes. It is even in every σ_k, so that a standard
deviation of zero is an ordinary stationary point, and no logarithm runs away from it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from pluristats.engine.result import Array, Factor
from pluristats.errors import FitError
from pluristats.models.ordered_beta.density import Derivatives, Ratings, Shape, derivatives, log_density, slopes

_STEPS = 100
NO_MODE = "The random effects of the ordered beta model have no mode; scale the fixed columns, or drop some."


@dataclass(frozen=True, eq=False)
class Rows:
    """What is fitted.

    Parameters
    ----------
    y
        Ratings on 0-1, n of them.
    x
        Fixed columns, shape (n, p).
    factors
        Grouping factors of K random intercepts, with q levels in all; none is an ordinary regression.
    """

    y: Ratings
    x: Array = field(repr=False)
    factors: tuple[Factor, ...] = field(repr=False)

    @cached_property
    def parts(self) -> tuple[slice, ...]:
        """Where each factor's effects stand among all q."""
        ends = np.cumsum([0, *(f.q for f in self.factors)]).tolist()
        return tuple(slice(a, b) for a, b in pairwise(ends))

    @property
    def q(self) -> int:
        """Random effects in all."""
        return sum(f.q for f in self.factors)

    def spread(self, b: Array) -> Array:
        """Zb, shape (n,)."""
        out = np.zeros(len(self.x))
        for part, f in zip(self.parts, self.factors, strict=True):
            out += b[part][f.codes]
        return out

    def gathered(self, v: Array) -> Array:
        """Z'v, shape (q,)."""
        return np.concatenate([np.zeros(0), *(np.bincount(f.codes, v, f.q) for f in self.factors)])

    def crossed(self, w: Array) -> Array:
        """Z'WZ, shape (q, q)."""
        out = np.zeros((self.q, self.q))
        for i, (a, f) in enumerate(zip(self.parts, self.factors, strict=True)):
            out[a, a] = np.diag(np.bincount(f.codes, w, f.q))
            for b, g in zip(self.parts[:i], self.factors[:i], strict=True):
                block = np.bincount(f.codes * g.q + g.codes, w, f.q * g.q).reshape(f.q, g.q)
                out[a, b], out[b, a] = block, block.T
        return out

    def quadratic(self, m: Array) -> Array:
        """Diagonal of ZMZ' for a symmetric M, shape (n,)."""
        out = np.zeros(len(self.x))
        at = [part.start + f.codes for part, f in zip(self.parts, self.factors, strict=True)]
        for i, a in enumerate(at):
            out += m[a, a]
            for b in at[:i]:
                out += 2 * m[a, b]
        return out

    def per_level(self, values: Array) -> Array:
        """One number a factor, repeated for its levels, shape (q,)."""
        return np.repeat(values, [f.q for f in self.factors])


@dataclass(frozen=True, eq=False)
class Point:
    """Parameters: coefficients, shape (p,), the distribution's shape (c₀, log g, log φ), and σ, shape (K,)."""

    beta: Array
    shape: Array
    sd: Array

    @classmethod
    def of(cls, theta: Array, p: int) -> Point:
        """From one vector."""
        return cls(theta[:p], theta[p : p + 3], theta[p + 3 :])

    @property
    def theta(self) -> Array:
        """As one vector."""
        return np.concatenate([self.beta, self.shape, self.sd])


@dataclass(frozen=True, eq=False)
class Laplace:
    """The approximate log likelihood at a point.

    Parameters
    ----------
    value, gradient
        In theta = (β, shape, σ).
    u
        The mode, shape (q,).
    inverse
        H⁻¹, shape (q, q).
    weight
        Diagonal of W, shape (n,).
    """

    value: float
    gradient: Array = field(repr=False)
    u: Array = field(repr=False)
    inverse: Array = field(repr=False)
    weight: Array = field(repr=False)


def laplace(rows: Rows, point: Point, start: Array | None = None) -> Laplace:
    """Evaluate it.

    Parameters
    ----------
    rows, point
        The model.
    start
        u to begin the search of the mode with; zeros otherwise.

    Raises
    ------
    FitError
        There is no mode.
    """
    shape, spread = Shape.of(point.shape), rows.per_level(point.sd)
    fixed = rows.x @ point.beta
    u = _mode(rows, fixed, shape, spread, np.zeros(rows.q) if start is None else start)
    eta = fixed + rows.spread(spread * u)
    d = derivatives(rows.y, eta, shape)
    crossed = rows.crossed(-d.second)
    factor = cho_factor(_curvature(crossed, spread), lower=True)
    inverse = cho_solve(factor, np.eye(rows.q))
    half_log = float(np.log(np.diag(factor[0])).sum())
    value = float(log_density(rows.y, eta, shape).sum() - 0.5 * (u @ u)) - half_log
    return Laplace(value, _gradient(rows, spread, u, d, crossed, inverse), u, inverse, -d.second)


def _gradient(rows: Rows, spread: Array, u: Array, d: Derivatives, crossed: Array, inverse: Array) -> Array:
    """Derivatives in theta, those of the mode with the parameters included.

    The mode solves ΛZ'ℓ' = u, so that it moves by H⁻¹ times what a parameter adds to the left side; ``bend`` is what a
    row's η adds to -½ log |H|.
    """
    leverage = rows.quadratic(spread[:, None] * inverse * spread)
    bend = 0.5 * d.third * leverage
    pull = inverse @ (spread * rows.gathered(bend))
    along = rows.spread(spread * pull)
    in_eta = d.first + bend + d.second * along
    beta = in_eta @ rows.x
    shape = d.shape.sum(axis=1) + 0.5 * d.shape_second @ leverage + d.shape_first @ along
    # σ_k moves η by Z_k u_k, the mode's equations also by Z_k'ℓ', and H itself.
    by_level = rows.gathered(in_eta) * u + pull * rows.gathered(d.first)
    by_level -= np.einsum("ab,ba->a", inverse * spread, crossed)
    return np.concatenate([beta, shape, [by_level[part].sum() for part in rows.parts]])


def _curvature(crossed: Array, spread: Array) -> Array:
    return spread[:, None] * crossed * spread + np.eye(len(spread))


def _mode(rows: Rows, fixed: Array, shape: Shape, spread: Array, u: Array) -> Array:
    """Newton's method with halved steps; where H is not positive, negative weights of rows are left out."""
    if not rows.q:
        return u

    def height(at: Array) -> float:
        return float(log_density(rows.y, fixed + rows.spread(spread * at), shape).sum() - 0.5 * (at @ at))

    now: float | None = None
    for _ in range(_STEPS):
        first, second = slopes(rows.y, fixed + rows.spread(spread * u), shape)
        uphill = spread * rows.gathered(first) - u
        try:
            factor = cho_factor(_curvature(rows.crossed(-second), spread), lower=True)
        except np.linalg.LinAlgError:
            factor = cho_factor(_curvature(rows.crossed(np.maximum(-second, 0.0)), spread), lower=True)
        step = cho_solve(factor, uphill)
        gain = uphill @ step
        # Newton's error is squared by this step: it ends where the likelihood's gradient is exact to rounding.
        if gain < 1e-10:
            return u + step
        if gain < 1e-2:  # so close that a full step climbs
            u, now = u + step, None
            continue
        now = height(u) if now is None else now
        size, found = 1.0, height(u + step)
        while not found > now - 1e-9 * abs(now) and size > 1e-6:
            size /= 2
            found = height(u + size * step)
        u, now = u + size * step, found
    raise FitError(NO_MODE)
