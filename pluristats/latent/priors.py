"""Distributions of parameters over agents: drawn from in simulations, added to the log likelihood in MAP fits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from scipy.special import betaln

from pluristats.errors import LatentError
from pluristats.latent.record import Array


@dataclass(frozen=True)
class Uniform:
    """Density 1 / (high − low) on [low, high]."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise LatentError(f"A uniform prior needs low < high, not {self.low} and {self.high}.")

    def draw(self, rng: Generator, n: int) -> Array:
        """Values of n agents."""
        return rng.uniform(self.low, self.high, n)

    def log_density(self, x: Array) -> Array:
        """Log density, -inf outside [low, high]."""
        inside = (x >= self.low) & (x <= self.high)
        return np.where(inside, -np.log(self.high - self.low), -np.inf)


@dataclass(frozen=True)
class Beta:
    """Density x^(a−1) (1 − x)^(b−1) / B(a, b) on [0, 1]."""

    a: float
    b: float

    def __post_init__(self) -> None:
        if not (self.a > 0 and self.b > 0):
            raise LatentError(f"A beta prior needs a > 0 and b > 0, not {self.a} and {self.b}.")

    def draw(self, rng: Generator, n: int) -> Array:
        """Values of n agents."""
        return rng.beta(self.a, self.b, n)

    def log_density(self, x: Array) -> Array:
        """Log density, -inf outside (0, 1) and at its ends."""
        x = np.asarray(x, dtype=np.float64)
        inside = (x > 0) & (x < 1)
        y = np.where(inside, x, 0.5)
        return np.where(
            inside, (self.a - 1) * np.log(y) + (self.b - 1) * np.log1p(-y) - betaln(self.a, self.b), -np.inf
        )


@dataclass(frozen=True)
class Normal:
    """Density exp(−(x − mean)² / 2 sd²) / (sd √(2π))."""

    mean: float
    sd: float

    def __post_init__(self) -> None:
        if not self.sd > 0:
            raise LatentError(f"A normal prior needs sd > 0, not {self.sd}.")

    def draw(self, rng: Generator, n: int) -> Array:
        """Values of n agents."""
        return rng.normal(self.mean, self.sd, n)

    def log_density(self, x: Array) -> Array:
        """Log density."""
        z = (np.asarray(x) - self.mean) / self.sd
        return -0.5 * z**2 - np.log(self.sd * np.sqrt(2 * np.pi))


@dataclass(frozen=True)
class LogNormal:
    """log x ~ N(log median, sd²)."""

    median: float
    sd: float

    def __post_init__(self) -> None:
        if not (self.median > 0 and self.sd > 0):
            raise LatentError(f"A log-normal prior needs median > 0 and sd > 0, not {self.median} and {self.sd}.")

    def draw(self, rng: Generator, n: int) -> Array:
        """Values of n agents."""
        return self.median * np.exp(rng.normal(0.0, self.sd, n))

    def log_density(self, x: Array) -> Array:
        """Log density, -inf for x ≤ 0."""
        x = np.asarray(x, dtype=np.float64)
        inside = x > 0
        log_x = np.log(np.where(inside, x, 1.0))
        z = (log_x - np.log(self.median)) / self.sd
        return np.where(inside, -0.5 * z**2 - log_x - np.log(self.sd * np.sqrt(2 * np.pi)), -np.inf)
