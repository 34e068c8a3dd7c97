"""Each annotator's ordered beta distribution of ratings, given what another method predicts."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.special import betainc, logit

from pluristats.engine.result import Array
from pluristats.evaluation.data import Alignment, Prompts
from pluristats.evaluation.forecast import LEVELS, Forecast, from_quantiles
from pluristats.evaluation.methods.base import EVERY, Fitted, Method
from pluristats.evaluation.methods.factor import FactorProcess
from pluristats.evaluation.methods.inner import Kind, out_of_fold
from pluristats.models.ordered_beta.density import Shape, beta_mean
from pluristats.models.ordered_beta.people import People, fit_people
from pluristats.models.ordered_beta.predicted import end_probabilities

# Predictions of the base are taken no nearer to the ends than this before their logit is.
_EDGE = 0.02
# Where distribution functions are computed: close together near the ends, 0.024 apart in the middle.
_POINTS: Array = np.sin(np.linspace(0, np.pi / 2, 65)) ** 2


@dataclass(frozen=True)
class OrderedBeta:
    """An ordered beta regression of every annotator on a base method's out-of-fold predictions.

    η_ij = α_i + γ_i logit(p_ij) with p the base's prediction; cutpoints and precision are each annotator's own. These
    five numbers of a person are shrunk to everybody's (:func:`pluristats.models.ordered_beta.people.fit_people`). The
    base is fitted to parts of the alignment and predicts the rest, divided as the test is from it
    (:class:`~pluristats.evaluation.methods.inner.Kind`), so that the distributions are as wide as its errors. What is
    predicted is the median; quantiles are at the estimates.

    Parameters
    ----------
    base
        Whose predictions are used: a Gaussian process without texts and with half of its usual factors, which takes
        half of the time of the whole one. On the release the whole one makes the MAE smaller by 0.005 or less.
    folds
        Parts of the alignment.
    name, settings, note
        In tables; where it is judged.
    """

    base: Method = field(default_factory=lambda: FactorProcess("gp", heaped=False, texts="none", rank=3))
    folds: int = 3
    name: str = "ordered-beta"
    settings: tuple[str, ...] = EVERY
    note: str = "ordered beta of each annotator, learned by cross-validation within the alignment"

    def unavailable(self) -> str | None:
        """As the base."""
        return self.base.unavailable()

    def fit(self, alignment: Alignment) -> FittedOrderedBeta:
        """Fit the base to everything; the distributions follow when it is known what is predicted."""
        return FittedOrderedBeta(self, alignment, self.base.fit(alignment))


@dataclass(frozen=True, eq=False)
class FittedOrderedBeta:
    """A fitted :class:`OrderedBeta`."""

    method: OrderedBeta
    alignment: Alignment
    base: Fitted

    def predict(self, prompts: Prompts) -> Forecast:
        """Learn the distributions for prompts of this kind, and apply them."""
        people = self.people(Kind.of(self.alignment.prompts, prompts))
        return from_quantiles(_quantiles(people, _predictor(self.base.predict(prompts).point)))

    def people(self, kind: Kind) -> People:
        """Every annotator's α, γ, c₀, log g and log φ."""
        inner = out_of_fold(self.method.base, self.alignment, kind, self.method.folds)
        who, what = np.nonzero(~np.isnan(inner))
        x = np.column_stack([np.ones(len(who)), _predictor(inner[who, what])])
        return fit_people(self.alignment.ratings[who, what], x, who, len(self.alignment.annotators))


def _predictor(point: Array) -> Array:
    return logit(np.clip(point, _EDGE, 1 - _EDGE))


def _quantiles(people: People, x: Array) -> Array:
    """Quantiles at the forecast's levels for predictors of shape (annotators, prompts).

    The distribution function of the beta density is computed at points between 0 and 1 and turned around by straight
    lines: a fifth of the time of its inverse, and off by less than the distance of two points.
    """
    each = people.values[:, :, None]
    eta = each[:, 0] + each[:, 1] * x
    low, high = end_probabilities(eta, Shape.of(each[:, 2:].transpose(1, 0, 2)))
    mu, phi = beta_mean(eta)[..., None], np.exp(each[:, 4])[..., None]
    table = betainc(mu * phi, (1 - mu) * phi, _POINTS)
    share = (LEVELS - low[..., None]) / np.maximum(1 - low - high, 1e-300)[..., None]
    left = np.clip((table[..., None, :] < share[..., None]).sum(axis=-1) - 1, 0, len(_POINTS) - 2)
    start, end = (np.take_along_axis(table, at, axis=-1) for at in (left, left + 1))
    part = np.clip((share - start) / np.maximum(end - start, 1e-300), 0.0, 1.0)
    inside = _POINTS[left] + part * (_POINTS[left + 1] - _POINTS[left])
    return np.where(share <= 0, 0.0, np.where(share > 1, 1.0, inside))
