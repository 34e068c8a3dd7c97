"""Parameters as unbounded numbers of about unit spread, so that one step fits all in a search.

    Normal(m, s):     w = (x − m) / s
    LogNormal(m, s):  w = (log x − log m) / s
    Beta(a, b):       w = (logit x − ψ(a) + ψ(b)) / √(ψ'(a) + ψ'(b))

A prior's density here is that of w: density of x times |dx/dw|.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import digamma, expit, logit, polygamma

from pluristats.errors import LatentError
from pluristats.latent.priors import Beta, LogNormal, Normal
from pluristats.latent.record import Array, Model, Parameter

# A rating model's parameters are kept this far from where floating point ends.
_FURTHEST = 12.0


@dataclass(frozen=True)
class Coordinate:
    """One parameter: x = back(centre + scale · w)."""

    parameter: Parameter
    kind: str
    centre: float
    scale: float

    def to(self, x: Array) -> Array:
        """The parameter's values as w."""
        y = {"identity": lambda v: v, "log": np.log, "logit": logit}[self.kind](x)
        return (y - self.centre) / self.scale

    def back(self, w: Array) -> Array:
        """The parameter's values."""
        y = self.centre + self.scale * np.clip(w, -_FURTHEST, _FURTHEST)
        return {"identity": lambda v: v, "log": np.exp, "logit": expit}[self.kind](y)

    def slope(self, x: Array) -> Array:
        """The derivative dx/dw, at x."""
        return self.scale * {"identity": lambda v: np.ones_like(v), "log": lambda v: v, "logit": lambda v: v * (1 - v)}[
            self.kind
        ](x)

    def log_prior(self, x: Array) -> Array:
        """Log density of w, at x."""
        return self.parameter.prior.log_density(x) + np.log(self.slope(x))

    def prior_slope(self, x: Array) -> Array:
        """Derivative of :meth:`log_prior` in w, at x."""
        prior = self.parameter.prior
        if isinstance(prior, Beta):
            return self.scale * (prior.a * (1 - x) - prior.b * x)
        return -self.to(x)


@dataclass(frozen=True)
class Coordinates:
    """All P parameters of a model; arrays are (…, P)."""

    each: tuple[Coordinate, ...]

    @classmethod
    def of(cls, model: Model) -> Coordinates:
        """By the priors of a model's parameters."""
        return cls(tuple(_coordinate(p) for p in model.parameters))

    def to(self, theta: Array) -> Array:
        """Parameters as w."""
        return np.stack([c.to(theta[..., k]) for k, c in enumerate(self.each)], axis=-1)

    def back(self, w: Array) -> Array:
        """Parameters."""
        return np.stack([c.back(w[..., k]) for k, c in enumerate(self.each)], axis=-1)

    def slope(self, theta: Array) -> Array:
        """Derivatives dθ/dw."""
        return np.stack([c.slope(theta[..., k]) for k, c in enumerate(self.each)], axis=-1)

    def log_prior(self, theta: Array) -> Array:
        """Log prior density of w, shape (…)."""
        return np.sum([c.log_prior(theta[..., k]) for k, c in enumerate(self.each)], axis=0)

    def prior_slope(self, theta: Array) -> Array:
        """Its derivatives in w."""
        return np.stack([c.prior_slope(theta[..., k]) for k, c in enumerate(self.each)], axis=-1)


def _coordinate(parameter: Parameter) -> Coordinate:
    prior = parameter.prior
    if isinstance(prior, Normal):
        return Coordinate(parameter, "identity", prior.mean, prior.sd)
    if isinstance(prior, LogNormal):
        return Coordinate(parameter, "log", float(np.log(prior.median)), prior.sd)
    if isinstance(prior, Beta):
        centre = float(digamma(prior.a) - digamma(prior.b))
        return Coordinate(parameter, "logit", centre, float(np.sqrt(polygamma(1, prior.a) + polygamma(1, prior.b))))
    raise LatentError(f"Parameter {parameter.name!r} needs a normal, log-normal or beta prior, not {prior}.")
