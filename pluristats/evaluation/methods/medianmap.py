"""A map from another method's predictions to conditional medians, learned within the alignment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pluristats.engine.result import Array
from pluristats.evaluation.data import Alignment, Prompts
from pluristats.evaluation.forecast import Forecast
from pluristats.evaluation.methods.base import EVERY, Fitted, Method
from pluristats.evaluation.methods.inner import Kind, out_of_fold

_SHARES = (0.1, 0.25, 0.5, 0.75, 0.9)


@dataclass(frozen=True)
class MedianMap:
    """Gradient boosting with absolute error, on a base method's out-of-fold predictions and how each annotator rates.

    The base is fitted to parts of the alignment and predicts the rest; trees learn the median rating given that
    prediction, the annotator's mean, quantiles (10 to 90 %) and shares of 0 and 1. No test rating is in any of it. How
    the parts are drawn follows what is predicted (:class:`~pluristats.evaluation.methods.inner.Kind`).

    Parameters
    ----------
    base
        Whose predictions are mapped.
    folds
        Parts of the alignment.
    """

    base: Method
    folds: int = 5
    settings: tuple[str, ...] = EVERY
    note: str = "median map learned by cross-validation within the alignment"

    @property
    def name(self) -> str:
        """The base's, with ``-median``."""
        return f"{self.base.name}-median"

    def unavailable(self) -> str | None:
        """As the base."""
        return self.base.unavailable()

    def fit(self, alignment: Alignment) -> FittedMap:
        """Fit the base to everything; the map follows when it is known what is predicted."""
        return FittedMap(self, alignment, self.base.fit(alignment))


@dataclass(frozen=True, eq=False)
class FittedMap:
    """A fitted :class:`MedianMap`."""

    method: MedianMap
    alignment: Alignment
    base: Fitted

    def predict(self, prompts: Prompts) -> Forecast:
        """Learn the map for prompts of this kind, and apply it."""
        from sklearn.ensemble import HistGradientBoostingRegressor

        kind = Kind.of(self.alignment.prompts, prompts)
        inner = out_of_fold(self.method.base, self.alignment, kind, self.method.folds)
        habits = _habits(self.alignment.ratings)
        there = ~np.isnan(inner)
        trees = HistGradientBoostingRegressor(
            loss="absolute_error",
            max_iter=150,
            learning_rate=0.05,
            max_leaf_nodes=15,
            min_samples_leaf=50,
            early_stopping=False,
            random_state=self.alignment.seed % 2**32,
        )
        trees.fit(_inputs(inner, habits)[there.ravel()], self.alignment.ratings[there])
        point = self.base.predict(prompts).point
        found = trees.predict(_inputs(point, habits)).reshape(point.shape)
        return Forecast(np.clip(found, 0.0, 1.0))


def _habits(ratings: Array) -> Array:
    """How each annotator rates, shape (n, 8); those of all for somebody without ratings."""
    everything = ratings[~np.isnan(ratings)]
    rows = [row[~np.isnan(row)] for row in ratings]
    return np.array([_habit(row if len(row) else everything) for row in rows])


def _habit(y: Array) -> Array:
    return np.r_[y.mean(), np.quantile(y, _SHARES), (y == 0).mean(), (y == 1).mean()]


def _inputs(point: Array, habits: Array) -> Array:
    """One row a cell: the prediction, and the annotator's habits."""
    return np.column_stack([point.ravel(), np.repeat(habits, point.shape[1], axis=0)])
