"""What came of one method in one setting: its predictions and scores, or why there are none."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pluristats.engine.result import Array


@dataclass(frozen=True, eq=False)
class Judged:
    """What a method predicted in a setting; arrays have the shape (splits, annotators, prompts), NaN where not tested.

    Parameters
    ----------
    method, setting, note
        What it is.
    splits
        Numbers of the splits, in the arrays' order.
    point
        Predictions that are scored, 0 to 1.
    crps
        Of each cell; None without a distribution.
    under, upto
        P(Y < y) and P(Y ≤ y) of each rating; None without a distribution.
    refused
        Cells with a rating and without an answer.
    """

    method: str
    setting: str
    note: str
    splits: tuple[int, ...]
    point: Array = field(repr=False)
    crps: Array | None = field(repr=False)
    under: Array | None = field(repr=False)
    upto: Array | None = field(repr=False)
    refused: NDArray[np.bool_] = field(repr=False)


@dataclass(frozen=True)
class Skipped:
    """A method that could not run or be fitted in a setting, and why."""

    method: str
    setting: str
    reason: str
