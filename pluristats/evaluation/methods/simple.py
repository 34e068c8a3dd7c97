"""Predictions that need no model: chance, constants, an annotator's own level, a prompt's mean; and the ceilings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pluristats.engine.result import Array
from pluristats.errors import EvaluationError
from pluristats.evaluation.data import Alignment, Prompts
from pluristats.evaluation.forecast import LEVELS, Forecast
from pluristats.evaluation.methods.base import EVERY


@dataclass(frozen=True, eq=False)
class _Function:
    """A fitted method that is a function of the prompts."""

    of: Callable[[Prompts], Forecast]

    def predict(self, prompts: Prompts) -> Forecast:
        return self.of(prompts)


class _Always:
    """Settings and availability of methods that run everywhere."""

    settings: tuple[str, ...] = EVERY
    note: str = ""

    def unavailable(self) -> str | None:
        """It runs everywhere."""
        return None


@dataclass(frozen=True)
class UniformRandom(_Always):
    """A number drawn uniformly from 0-1 for every cell; its distribution is the uniform one."""

    name: str = "uniform-random"

    def fit(self, alignment: Alignment) -> _Function:
        """What is predicted follows from the ratings at once."""
        rng = np.random.default_rng([alignment.seed, 11])
        n = len(alignment.annotators)

        def of(prompts: Prompts) -> Forecast:
            shape = (n, len(prompts))
            return Forecast(rng.random(shape), np.broadcast_to(LEVELS, (*shape, len(LEVELS))))

        return _Function(of)


@dataclass(frozen=True)
class Constant(_Always):
    """The same number for every cell.

    Parameters
    ----------
    value
        0 to 1.
    """

    value: float = 0.5

    @property
    def name(self) -> str:
        """In tables."""
        return f"constant-{self.value:g}"

    def fit(self, alignment: Alignment) -> _Function:
        """What is predicted follows from the ratings at once."""
        n = len(alignment.annotators)
        return _Function(lambda prompts: Forecast(np.full((n, len(prompts)), self.value)))


@dataclass(frozen=True)
class AnnotatorMean(_Always):
    """The mean of the annotator's own alignment ratings; the mean of all where there is none."""

    name: str = "annotator-mean"

    def fit(self, alignment: Alignment) -> _Function:
        """What is predicted follows from the ratings at once."""
        own = _or(alignment.ratings, np.nanmean)
        return _Function(lambda prompts: Forecast(np.repeat(own[:, None], len(prompts), axis=1)))


@dataclass(frozen=True)
class AnnotatorMedian(_Always):
    """The median of the annotator's own alignment ratings; its distribution is that of those ratings."""

    name: str = "annotator-median"

    def fit(self, alignment: Alignment) -> _Function:
        """What is predicted follows from the ratings at once."""
        own = np.array([np.quantile(y, LEVELS, method="inverted_cdf") for y in _ratings(alignment.ratings)])
        middle = np.array([np.median(y) for y in _ratings(alignment.ratings)])

        def of(prompts: Prompts) -> Forecast:
            quantiles = np.repeat(own[:, None], len(prompts), axis=1)
            return Forecast(np.repeat(middle[:, None], len(prompts), axis=1), quantiles)

        return _Function(of)


@dataclass(frozen=True)
class PromptMean(_Always):
    """The mean of other people's ratings of the prompt, plus the annotator's mean deviation where ``offset``.

    Formula: ȳ_j (+ mean_k (y_ik - ȳ_k)), clipped to 0-1.

    Parameters
    ----------
    offset
        Whether to add how much higher than others the annotator rates.
    """

    offset: bool = False

    settings: tuple[str, ...] = ("known-prompts",)

    @property
    def name(self) -> str:
        """In tables."""
        return "prompt-mean-and-offset" if self.offset else "prompt-mean"

    def fit(self, alignment: Alignment) -> _Function:
        """What is predicted follows from the ratings at once."""
        y = alignment.ratings
        mean = _or(y.T, np.nanmean)
        shift = np.array([d.mean() if len(d) else 0.0 for d in _rows(y - mean)]) if self.offset else np.zeros(len(y))
        found = np.clip(mean + shift[:, None], 0.0, 1.0)
        return _Function(lambda prompts: Forecast(found[:, _known(alignment.prompts, prompts)]))


@dataclass(frozen=True)
class Oracle(_Always):
    """The mean of *all other* people's ratings of the prompt (and the annotator's own offset over all prompts).

    Nobody has these ratings of a new prompt: a ceiling for predictions that are the same for everybody, or the same
    but for a shift. The annotator's own rating of the prompt is in neither number.

    Parameters
    ----------
    offset
        Whether to add the mean of y_ik - ȳ_(-i)k over the other prompts k.
    """

    offset: bool = False

    settings: tuple[str, ...] = ("oracle",)
    note: str = "a ceiling: uses other people's ratings of the test prompts"

    @property
    def name(self) -> str:
        """In tables."""
        return "oracle-prompt-mean-and-offset" if self.offset else "oracle-prompt-mean"

    def fit(self, alignment: Alignment) -> _Function:
        """What is predicted follows from the ratings at once."""
        found = np.clip(without_own(alignment.ratings, self.offset), 0.0, 1.0)
        return _Function(lambda prompts: Forecast(found[:, _known(alignment.prompts, prompts)]))


def without_own(y: Array, offset: bool) -> Array:
    """Mean of the others' ratings of each cell's prompt, and the offset without the cell, shape of ``y``."""
    there = ~np.isnan(y)
    filled = np.where(there, y, 0.0)
    others = there.sum(axis=0) - there
    overall = filled.sum() / max(there.sum(), 1)
    mean = np.divide(filled.sum(axis=0) - filled, others, out=np.full(y.shape, overall), where=others > 0)
    if not offset:
        return mean
    deviation = np.where(there, y - mean, 0.0)
    rest = there.sum(axis=1, keepdims=True) - there
    total = deviation.sum(axis=1, keepdims=True) - deviation
    return mean + np.divide(total, rest, out=np.zeros(y.shape), where=rest > 0)


def _known(alignment: Prompts, prompts: Prompts) -> np.ndarray:
    at = alignment.find(prompts)
    if (at < 0).any():
        raise EvaluationError(
            f"prompt {prompts.labels[int(np.argmin(at))]!r} has no ratings in the alignment; a prompt's mean needs some"
        )
    return at


def _rows(y: Array) -> list[Array]:
    return [row[~np.isnan(row)] for row in y]


def _ratings(y: Array) -> list[Array]:
    """Each row's ratings; all ratings for a row without any."""
    everything = y[~np.isnan(y)]
    return [row if len(row) else everything for row in _rows(y)]


def _or(y: Array, statistic: Callable[[Array], float]) -> Array:
    return np.array([statistic(row) for row in _ratings(y)])
