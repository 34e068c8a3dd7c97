"""The distribution that spreads and rates of change have over annotators."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from pluristats.errors import LatentError
from pluristats.latent.record import Array


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
