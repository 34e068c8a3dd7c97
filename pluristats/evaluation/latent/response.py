"""Between ratings and a latent Gaussian scale: annotators heap, each in their own way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from scipy.special import ndtr, ndtri

from pluristats.engine.result import Array
from pluristats.evaluation.forecast import LEVELS


@dataclass(frozen=True, eq=False)
class Latent:
    """Ratings on the latent scale.

    Parameters
    ----------
    z
        Shape (n, m), NaN where there is no rating.
    lower, upper
        The latent value lies between them; None where it is known exactly.
    """

    z: Array
    lower: Array | None = None
    upper: Array | None = None


class Response(Protocol):
    """How a latent Gaussian value becomes a rating."""

    def latent(self, ratings: Array) -> Latent:
        """Ratings on the latent scale."""

    def quantiles(self, mean: Array, sd: Array) -> Array:
        """Quantiles of the rating whose latent value is N(mean, sd²), at ``LEVELS``: shape (n, m, 51)."""


@dataclass(frozen=True, eq=False)
class Heaped:
    """An ordinal probit whose cutpoints are each annotator's own: rating = v_k when F_i(v_{k-1}) < Φ(z) ≤ F_i(v_k).

    F_i is the distribution of annotator i's ratings, with ``pooled`` more ratings taken from everybody's distribution
    (so that everybody has every value, and somebody without ratings has everybody's). Over the alignment z is then
    standard normal for everybody, and any median of z is a median of the rating.

    Parameters
    ----------
    values
        The distinct ratings, ascending, shape (v,).
    upto
        F_i(v_k), shape (n, v), the last column 1.
    """

    values: Array
    upto: Array = field(repr=False)

    @classmethod
    def of(cls, ratings: Array, pooled: float = 2.0) -> Heaped:
        """Cutpoints from ratings, shape (n, m) with NaN for none."""
        there = ~np.isnan(ratings)
        values, code = np.unique(ratings[there], return_inverse=True)
        counts = np.zeros((len(ratings), len(values)))
        np.add.at(counts, (np.nonzero(there)[0], code), 1.0)
        share = counts.sum(axis=0) / counts.sum()
        mass = (counts + pooled * share) / (counts.sum(axis=1, keepdims=True) + pooled)
        upto = np.cumsum(mass, axis=1)
        upto[:, -1] = 1.0
        return cls(values, np.minimum(upto, 1.0))

    @classmethod
    def alike(cls, ratings: Array, n: int) -> Heaped:
        """Everybody's cutpoints for each of n annotators: for people of whom nothing is known yet."""
        one = cls.of(ratings.reshape(1, -1), pooled=0.0)
        return cls(one.values, np.broadcast_to(one.upto, (n, len(one.values))))

    def latent(self, ratings: Array) -> Latent:
        """The interval's ends, and its middle in probability as a first guess of z.

        Values that no rating of ``of`` had are placed at the next higher one.
        """
        there = ~np.isnan(ratings)
        code = np.minimum(np.searchsorted(self.values, np.where(there, ratings, 0.0)), len(self.values) - 1)
        row = np.arange(len(ratings))[:, None]
        high = self.upto[row, code]
        low = np.where(code > 0, self.upto[row, np.maximum(code - 1, 0)], 0.0)
        z = np.where(there, ndtri((low + high) / 2), np.nan)
        return Latent(z, ndtri(low), ndtri(high))

    def at(self, z: Array) -> Array:
        """The rating of a latent value, v_k with F_i(v_{k-1}) < Φ(z) ≤ F_i(v_k); z has the annotators first."""
        last = len(self.values) - 1
        # A hair lower, so that rounding does not turn a cutpoint into the value above it.
        places = [np.searchsorted(f, u - 1e-12) for f, u in zip(self.upto, ndtr(z), strict=True)]
        return self.values[np.minimum(np.stack(places), last)]

    def quantiles(self, mean: Array, sd: Array) -> Array:
        """The rating at mean + sd Φ⁻¹(τ), shape (n, m, 51)."""
        return self.at(mean[..., None] + sd[..., None] * ndtri(LEVELS))


@dataclass(frozen=True, eq=False)
class Straight:
    """Ratings as they are, standardised; predictions beyond 0 and 1 are put there.

    Parameters
    ----------
    mean, sd
        Of all ratings.
    """

    mean: float
    sd: float

    @classmethod
    def of(cls, ratings: Array) -> Straight:
        """Mean and standard deviation of the ratings; a constant is only centred."""
        sd = float(np.nanstd(ratings))
        return cls(float(np.nanmean(ratings)), sd if sd > 0 else 1.0)

    def latent(self, ratings: Array) -> Latent:
        """(y - mean) / sd."""
        return Latent((ratings - self.mean) / self.sd)

    def quantiles(self, mean: Array, sd: Array) -> Array:
        """Of a normal distribution censored at 0 and 1, shape (n, m, 51)."""
        z = mean[..., None] + sd[..., None] * ndtri(LEVELS)
        return np.clip(self.mean + self.sd * z, 0.0, 1.0)


def truncated(mean: Array, sd: Array, lower: Array, upper: Array) -> tuple[Array, Array]:
    """Mean and variance of N(mean, sd²) between two bounds.

    Formula: with α, β the standardised bounds and Z = Φ(β) - Φ(α), E = mean + sd (φ(α) - φ(β))/Z, Var = sd² (1 +
    (αφ(α) - βφ(β))/Z - ((φ(α) - φ(β))/Z)²). Intervals above the mean are reflected, where Φ has more digits; where Z
    is below 1e-12 the mean is the bound that is next to it and the variance next to zero.
    """
    a, b = (lower - mean) / sd, (upper - mean) / sd
    above = a > 0
    a, b = np.where(above, -b, a), np.where(above, -a, b)
    z = np.maximum(ndtr(b) - ndtr(a), 1e-12)
    at_a, at_b = _density(a), _density(b)
    shift = (at_a - at_b) / z
    spread = (_times(a, at_a) - _times(b, at_b)) / z
    variance = np.clip(1.0 + spread - shift**2, 1e-4, 1.0) * sd**2
    found = mean + sd * np.where(above, -shift, shift)
    return np.minimum(np.maximum(found, lower), upper), variance


def _density(x: Array) -> Array:
    return np.exp(-0.5 * x**2) / np.sqrt(2 * np.pi)


def _times(x: Array, density: Array) -> Array:
    """The product x φ(x), 0 at ±∞."""
    return np.where(np.isfinite(x), x, 0.0) * density
