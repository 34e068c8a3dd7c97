"""What a method says about ratings that it has not seen: a number, and where it can a distribution."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pluristats.engine.result import Array
from pluristats.errors import EvaluationError

LEVELS: Array = (np.arange(51) + 0.5) / 51
LEVELS.setflags(write=False)
"""Where distributions are kept: 51 quantiles, the middle one the median."""


@dataclass(frozen=True, eq=False)
class Forecast:
    """Predicted ratings.

    Parameters
    ----------
    point
        Shape (annotators, prompts), 0 to 1; NaN where ``refused``. For absolute error the median is best.
    quantiles
        Of the predicted distribution at :data:`LEVELS`, shape (annotators, prompts, 51), not decreasing; read as 51
        equally likely ratings. None for a method that gives a number only.
    refused
        Cells for which there is no answer, or none that could be read, shape (annotators, prompts); None is nowhere.
    notes
        What a reader must know about these predictions.

    Raises
    ------
    EvaluationError
        A prediction that is missing without being refused, or outside 0-1.
    """

    point: Array
    quantiles: Array | None = field(default=None, repr=False)
    refused: NDArray[np.bool_] | None = field(default=None, repr=False)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        refused = np.zeros(self.point.shape, dtype=bool) if self.refused is None else self.refused
        answered = self.point[~refused]
        if not (np.isfinite(answered).all() and (answered >= 0).all() and (answered <= 1).all()):
            raise EvaluationError("a prediction is missing or outside 0-1; mark what is not answered as refused")
        if self.quantiles is not None and self.quantiles.shape != (*self.point.shape, len(LEVELS)):
            raise EvaluationError(
                f"quantiles have the shape {self.quantiles.shape}, not {(*self.point.shape, len(LEVELS))}"
            )


def from_quantiles(quantiles: Array, notes: tuple[str, ...] = ()) -> Forecast:
    """A forecast whose number is the distribution's median."""
    return Forecast(quantiles[..., len(LEVELS) // 2], quantiles, notes=notes)
