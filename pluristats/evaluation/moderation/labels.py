"""Labels, classes and scores of a table of texts, read strictly: what a cell means is never guessed."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pluristats.engine.result import Array
from pluristats.errors import EvaluationError
from pluristats.study.tables import plain, show

YES, NO = frozenset({"1", "true", "True", "TRUE"}), frozenset({"0", "false", "False", "FALSE"})
"""What labels may be without being told: 1 or true is harmful, 0 or false is not."""


def key(value: Any) -> str:
    """A cell as text: 1, 1.0, "1" and "1.0" are the same, as are True and "True"; "" for an empty one."""
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return ""
    text = str(value).strip()
    number = None if isinstance(value, bool | np.bool_) or not text else _number(text)
    return text if number is None else repr(number).removesuffix(".0")


def read_labels(column: pd.Series, positive: Collection[Any], first: int = 0) -> tuple[NDArray[np.bool_], Array]:
    """Whether each row is labelled, and its label.

    Parameters
    ----------
    column
        Of the table.
    positive
        Values that mean harmful; none where labels are 0 and 1 or true and false.
    first
        What a person calls the first row.

    Returns
    -------
    known, label
        Shape (n,) each; label is 1, 0, or NaN where the cell is empty.

    Raises
    ------
    EvaluationError
        Nothing is labelled, or values must be told apart and are not.
    """
    keys = [key(value) for value in column]
    there = [k for k in keys if k]
    if not there:
        raise EvaluationError(f"column '{plain(column.name)}' has no label")
    wanted = {key(value) for value in positive}
    if not wanted:
        for row, k in enumerate(keys):
            if k and k not in YES | NO:
                raise EvaluationError(
                    f"row {row + first}, column '{plain(column.name)}': {show(k)} is not 0 or 1; say which values mean "
                    "harmful (positive=…, --positive)"
                )
        wanted = set(YES)
    elif not wanted & set(there):
        seen = ", ".join(show(k) for k in list(dict.fromkeys(there))[:8])
        where = f"column '{plain(column.name)}'"
        raise EvaluationError(f"no row of {where} has the label {show(min(wanted))}; its labels are {seen}")
    label = np.array([np.nan if not k else float(k in wanted) for k in keys])
    return ~np.isnan(label), label


def read_scores(column: pd.Series, positive: Collection[Any], negative: Collection[Any], first: int = 0) -> Array:
    """Scores, shape (n,): numbers as they are, classes as 1 and 0, NaN where the cell is empty (refused).

    What is given as positive or negative is so whatever it looks like: with positive 0, a column of nothing but 0 and 1
    is one of classes, of which 0 is harmful.

    Parameters
    ----------
    column
        Numbers (higher is more harmful), or classes.
    positive, negative
        What classes mean harmful, and what means not; 0, 1, true and false are known.
    first
        What a person calls the first row.

    Raises
    ------
    EvaluationError
        A cell that is no number and no known class, or an infinite number.
    """
    keys = [key(value) for value in column]
    numbers = [_number(k) for k in keys]
    harmful, harmless = {key(v) for v in positive}, {key(v) for v in negative}
    classes = "0" in harmful and set(keys) <= {"0", "1", ""}
    if not classes and all(number is not None for number in numbers):
        for row, number in enumerate(numbers):
            if number is not None and np.isinf(number):
                raise EvaluationError(f"row {row + first}, column '{plain(column.name)}': a score is a finite number")
        return np.array(numbers, dtype=np.float64)
    yes, no = harmful | (YES - harmless), harmless | (NO - harmful)
    strange = [row for row, k in enumerate(keys) if k and k not in yes | no]
    if strange:
        # Among numbers it is the word that is wrong.
        row = next((row for row in strange if numbers[row] is None), strange[0])
        raise EvaluationError(
            f"row {row + first}, column '{plain(column.name)}': {show(keys[row])} is no number and no class that is "
            "known; name it as positive or negative, or leave the cell of a refused answer empty"
        )
    return np.array([np.nan if not k else float(k in yes) for k in keys])


def _number(text: str) -> float | None:
    """NaN for an empty cell, None for what is no number."""
    if not text:
        return float("nan")
    try:
        number = float(text)
    except ValueError:
        return None
    return None if np.isnan(number) else number
