"""The ordered beta distribution of ratings: how likely they are, and derivatives of that.

With η the linear predictor, Λ the logistic function, μ = Λ(η) and cutpoints c₀ < c₁ = c₀ + g:

    P(y = 0) = Λ(c₀ - η),  P(y = 1) = Λ(η - c₁),
    0 < y < 1: density (Λ(η - c₀) - Λ(η - c₁)) Beta(y; μφ, (1 - μ)φ)

(Kubinec 2023, Political Analysis 31). Its shape is (c₀, log g, log φ), free numbers. What is predicted from it is in
:mod:`pluristats.models.ordered_beta.predicted`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, expit, log_expit, logit, psi

from pluristats.engine.result import Array

# Means of the beta density are held this far from 0 and 1, where its logarithm is not finite.
_EDGE = 1e-9


@dataclass(frozen=True, eq=False)
class Shape:
    """Cutpoints and precision: numbers, or one of each a row.

    Parameters
    ----------
    cut0
        c₀.
    log_gap
        log(c₁ - c₀).
    log_phi
        log φ.
    """

    cut0: Array
    log_gap: Array
    log_phi: Array

    @classmethod
    def of(cls, values: Array) -> Shape:
        """From three numbers, or an array with three rows."""
        return cls(*np.asarray(values, dtype=np.float64))

    @property
    def cut1(self) -> Array:
        """c₁."""
        return self.cut0 + np.exp(self.log_gap)

    @property
    def phi(self) -> Array:
        """Precision of the beta density."""
        return np.exp(self.log_phi)


@dataclass(frozen=True, eq=False)
class Ratings:
    """Ratings on 0-1 with what the density needs of them.

    Parameters
    ----------
    zero, one
        Which are at an end, shape (n,).
    inside
        Positions of the others, m of them.
    log, log_rest
        log y and log(1 - y) of the others, shape (m,).
    """

    zero: NDArray[np.bool_] = field(repr=False)
    one: NDArray[np.bool_] = field(repr=False)
    inside: NDArray[np.intp] = field(repr=False)
    log: Array = field(repr=False)
    log_rest: Array = field(repr=False)

    def __len__(self) -> int:
        return len(self.zero)

    @classmethod
    def of(cls, y: Array) -> Ratings:
        """From ratings, 0 to 1, shape (n,)."""
        zero, one = y <= 0, y >= 1
        inside = np.flatnonzero(~(zero | one))
        return cls(zero, one, inside, np.log(y[inside]), np.log1p(-y[inside]))


@dataclass(frozen=True, eq=False)
class Derivatives:
    """Of each row's log density ℓ.

    Parameters
    ----------
    first, second, third
        In η, shape (n,).
    shape
        ∂ℓ/∂s of s = c₀, log g, log φ, shape (3, n).
    shape_first, shape_second
        ∂²ℓ/∂s∂η and ∂³ℓ/∂s∂η², shape (3, n).
    """

    first: Array
    second: Array
    third: Array
    shape: Array
    shape_first: Array
    shape_second: Array


def log_density(y: Ratings, eta: Array, shape: Shape) -> Array:
    """Log probability of an end, log density between, shape (n,).

    Between, Λ(a) - Λ(b) with a = η - c₀, b = η - c₁ is Λ(a) Λ(-b) (1 - e^-g), whose logarithm loses no digits.
    """
    a, b = eta - shape.cut0, eta - shape.cut1
    out = np.where(y.one, log_expit(b), log_expit(np.where(y.zero, -a, a)))
    mu, phi = _inside(y, eta, shape)
    between = np.broadcast_to(log_expit(-b) + np.log(-np.expm1(-np.exp(shape.log_gap))), eta.shape)[y.inside]
    beta = (mu * phi - 1) * y.log + ((1 - mu) * phi - 1) * y.log_rest - betaln(mu * phi, (1 - mu) * phi)
    out[y.inside] += between + beta
    return out


def slopes(y: Ratings, eta: Array, shape: Shape) -> tuple[Array, Array]:
    """First and second derivative of :func:`log_density` in η, shape (n,) each."""
    (lower, lower_second, _), (upper, upper_second, _) = _ends(y, eta, shape)
    first, second = lower + upper, lower_second + upper_second
    mu, phi = _inside(y, eta, shape)
    v = mu * (1 - mu)
    slope, bend = _in_mean(y, mu, phi), -(phi**2) * (polygammas(mu * phi)[0] + polygammas((1 - mu) * phi)[0])
    first[y.inside] += slope * v
    second[y.inside] += bend * v**2 + slope * v * (1 - 2 * mu)
    return first, second


def derivatives(y: Ratings, eta: Array, shape: Shape) -> Derivatives:
    """All that the gradient of a marginal likelihood needs."""
    lower, upper = _ends(y, eta, shape)
    gap = np.exp(shape.log_gap)
    out = np.zeros((3, len(y)))
    by_shape = np.zeros((3, 3, len(y)))  # order of the derivative in η, parameter, row
    for order in range(3):
        out[order] = lower[order] + upper[order]
        # An argument is η minus a cutpoint: both cutpoints move with c₀, the upper one with g as well.
        if order < 2:
            by_shape[order + 1, 0] = -(lower[order + 1] + upper[order + 1])
            by_shape[order + 1, 1] = -gap * upper[order + 1]
    by_shape[0, 0], by_shape[0, 1] = -out[0], -gap * upper[0]
    by_shape[0, 1, y.inside] += np.broadcast_to(gap / np.expm1(gap), eta.shape)[y.inside]

    # The beta density in its mean, then in η by the chain rule with dμ/dη = v and dv/dη = v(1 - 2μ).
    mu, phi = _inside(y, eta, shape)
    at, rest, v, skew = mu * phi, (1 - mu) * phi, mu * (1 - mu), 1 - 2 * mu
    (tri, tetra), (tri_rest, tetra_rest) = polygammas(at), polygammas(rest)
    d1, d2, d3 = _in_mean(y, mu, phi), -(phi**2) * (tri + tri_rest), -(phi**3) * (tetra - tetra_rest)
    out[0, y.inside] += d1 * v
    out[1, y.inside] += d2 * v**2 + d1 * v * skew
    out[2, y.inside] += d3 * v**3 + 3 * d2 * v**2 * skew + d1 * v * (skew**2 - 2 * v)
    # And in log φ, which scales both parameters of the density.
    s1 = d1 + phi * (rest * tri_rest - at * tri)
    s2 = 2 * d2 - phi**2 * (at * tetra + rest * tetra_rest)
    by_shape[0, 2, y.inside] = phi * psi(phi) - at * psi(at) - rest * psi(rest) + at * y.log + rest * y.log_rest
    by_shape[1, 2, y.inside] = s1 * v
    by_shape[2, 2, y.inside] = s2 * v**2 + s1 * v * skew
    return Derivatives(out[0], out[1], out[2], by_shape[0], by_shape[1], by_shape[2])


def shape_curvature(y: Ratings, eta: Array, shape: Shape) -> Array:
    """∂²ℓ/∂s∂t of s, t = c₀, log g, log φ, shape (3, 3, n)."""
    (_, lower, _), (slope, upper, _) = _ends(y, eta, shape)
    gap = np.exp(shape.log_gap)
    out = np.zeros((3, 3, len(y)))
    out[0, 0] = lower + upper
    out[0, 1] = out[1, 0] = gap * upper
    out[1, 1] = gap**2 * upper - gap * slope
    between = gap / np.expm1(gap) * (1 - gap / -np.expm1(-gap))
    out[1, 1, y.inside] += np.broadcast_to(between, eta.shape)[y.inside]
    mu, phi = _inside(y, eta, shape)
    out[2, 2, y.inside] = _scaled(phi) - _scaled(mu * phi) - _scaled((1 - mu) * phi)
    out[2, 2, y.inside] += mu * phi * y.log + (1 - mu) * phi * y.log_rest
    return out


def first_guess(y: Ratings) -> tuple[float, Array]:
    """A predictor and a shape that give the ratings' shares at the ends, for an optimiser to start from."""
    low, high = ((k.sum() + 0.5) / (len(y) + 1) for k in (y.zero, y.one))
    middle = float(np.exp(y.log).mean()) if len(y.inside) else 0.5
    eta = float(logit(np.clip(middle, 0.05, 0.95)))
    cut0 = eta + float(logit(low))
    gap = max(eta - float(logit(high)) - cut0, 0.1)
    return eta, np.array([cut0, np.log(gap), np.log(3.0)])


def beta_mean(eta: Array) -> Array:
    """μ = Λ(η), away from 0 and 1."""
    return np.clip(expit(eta), _EDGE, 1 - _EDGE)


def polygammas(x: Array) -> tuple[Array, Array]:
    """ψ′ and ψ″ of positive numbers: ten steps of the recurrence, then the asymptotic series; relative error 1e-13.

    A tenth of the time of ``scipy.special.polygamma``, which a fit would spend most of its time in (Abramowitz & Stegun
    1964, 6.4.6 and 6.4.11-13).
    """
    tri, tetra = np.zeros_like(x), np.zeros_like(x)
    for k in range(10):
        r = 1 / (x + k)
        square = r * r
        tri += square
        tetra -= 2 * square * r
    r = 1 / (x + 10)
    s = r * r
    tri += r * (1 + r / 2 + s * (1 / 6 + s * (-1 / 30 + s * (1 / 42 + s * (-1 / 30 + s * 5 / 66)))))
    tetra -= s * (1 + r + s * (1 / 2 + s * (-1 / 6 + s * (1 / 6 + s * (-3 / 10 + s * 5 / 6)))))
    return tri, tetra


def _inside(y: Ratings, eta: Array, shape: Shape) -> tuple[Array, Array]:
    """μ and φ of the rows between the ends, shape (m,) each."""
    return beta_mean(eta[y.inside]), np.broadcast_to(shape.phi, eta.shape)[y.inside]


def _ends(y: Ratings, eta: Array, shape: Shape) -> tuple[tuple[Array, Array, Array], tuple[Array, Array, Array]]:
    """Three derivatives in η of what the lower cutpoint adds to ℓ, and of what the upper one adds.

    The lower one adds log Λ(c₀ - η) at 0, nothing at 1 and log Λ(η - c₀) between; the upper one is its mirror image.
    """
    at, over = expit(eta - shape.cut0), expit(eta - shape.cut1)
    v, w = np.where(y.one, 0.0, at * (1 - at)), np.where(y.zero, 0.0, over * (1 - over))
    lower = np.where(y.one, 0.0, ~y.zero - at)
    upper = np.where(y.zero, 0.0, y.one - over)
    return (lower, -v, -v * (1 - 2 * at)), (upper, -w, -w * (1 - 2 * over))


def _scaled(x: Array) -> Array:
    """Derivative of x ψ(x) in log x."""
    return x * psi(x) + x**2 * polygammas(x)[0]


def _in_mean(y: Ratings, mu: Array, phi: Array) -> Array:
    """Derivative of the beta density's logarithm in μ."""
    return phi * (y.log - y.log_rest - psi(mu * phi) + psi((1 - mu) * phi))
