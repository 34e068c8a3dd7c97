"""Any method aligned on mean ratings instead of a person's own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pluristats.evaluation.data import Alignment, Annotators, Prompts
from pluristats.evaluation.forecast import Forecast
from pluristats.evaluation.methods.base import Fitted, Method
from pluristats.evaluation.methods.ridge import row_means


@dataclass(frozen=True)
class Aggregate:
    """A method that sees one annotator, the mean of all, and predicts the same for everybody.

    It is scored against individuals, as the published "aggregate" rows are.

    Parameters
    ----------
    base
        The method.
    """

    base: Method

    @property
    def name(self) -> str:
        """The base's, with ``-aggregate``."""
        return f"{self.base.name}-aggregate"

    @property
    def settings(self) -> tuple[str, ...]:
        """As the base."""
        return self.base.settings

    @property
    def note(self) -> str:
        """The base's, and that it is the same for everybody."""
        return "; ".join(filter(None, [self.base.note, "aligned on mean ratings, the same for everybody"]))

    def unavailable(self) -> str | None:
        """As the base."""
        return self.base.unavailable()

    def fit(self, alignment: Alignment) -> FittedAggregate:
        """Fit the base to the prompts' means; prompts without a rating stay without."""
        seen = alignment.seen.any(axis=0)
        mean = np.where(seen, row_means(alignment.ratings.T), np.nan)
        people = alignment.annotators
        nobody = Annotators(("everybody",), np.full((1, len(people.names)), np.nan), people.names)
        one = Alignment(mean[None], alignment.prompts, nobody, alignment.seed)
        return FittedAggregate(self.base.fit(one), len(people))


@dataclass(frozen=True, eq=False)
class FittedAggregate:
    """A fitted :class:`Aggregate` of ``count`` people."""

    base: Fitted
    count: int

    def predict(self, prompts: Prompts) -> Forecast:
        """The base's forecast for the mean, repeated."""
        one, n = self.base.predict(prompts), self.count
        quantiles = None if one.quantiles is None else np.repeat(one.quantiles, n, axis=0)
        refused = None if one.refused is None else np.repeat(one.refused, n, axis=0)
        return Forecast(np.repeat(one.point, n, axis=0), quantiles, refused, one.notes)
