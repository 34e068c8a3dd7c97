"""How a trait's labels become numbers: one record per column, applied without exceptions or guesses."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pluristats.study.record import FrozenMap

Rule = Literal["labels", "only", "any", "number", "score"]


@dataclass(frozen=True)
class Coding:
    """How one annotator column becomes one frame column of the same name.

    Parameters
    ----------
    column
        Name of the column, in the file and in the frame.
    rule
        ``labels``: each label has its number. ``only``: 1 where the answer is ``one`` and nothing else, else 0.
        ``any``: 1 where ``one`` is among the answers, else 0 (cells may hold several labels, comma-separated).
        ``number``: the cell's number, z-scored. ``score``: the cell's number as it is.
    labels
        Known labels and their numbers; for ``only`` and ``any`` the numbers are not used.
    one
        The label that ``only`` and ``any`` look for.
    missing
        Labels that mean "no answer"; an empty cell always does.

    Notes
    -----
    Labels are compared without the spaces around them (some released labels begin with one); nothing else is
    normalised. A label that is not known is an error, never a missing value.
    """

    column: str
    rule: Rule
    labels: Mapping[str, float] = field(default_factory=lambda: FrozenMap[float]())
    one: str = ""
    missing: tuple[str, ...] = ()

    @property
    def numeric(self) -> bool:
        """Whether cells hold numbers, not labels."""
        return self.rule in ("number", "score")

    @property
    def zscored(self) -> bool:
        """Whether the frame's column is z-scored over annotators."""
        return self.rule != "score"

    def words(self) -> str:
        """Say the coding in words, for the codebook."""
        no_answer = f"; missing: {', '.join(self.missing)}" if self.missing else ""
        if self.rule == "only":
            return f"{self.one} only = 1, any other answer = 0{no_answer}"
        if self.rule == "any":
            return f"any {self.one} = 1, any other answer = 0{no_answer}"
        if self.numeric:
            return f"number in the cell{no_answer}"
        return ", ".join(f"{label} = {number:g}" for label, number in self.labels.items()) + no_answer

    def answers(self, cell: str) -> tuple[str, ...] | None:
        """Split a cell into its known labels; None where some part of it is not a known label."""
        text = cell.strip()
        if text in self.labels:
            return (text,)
        if self.rule not in ("only", "any"):
            return None
        # Some labels contain commas themselves, so the cell is matched against labels, not split at commas.
        known = "|".join(re.escape(label) for label in sorted(self.labels, key=len, reverse=True))
        if not re.fullmatch(rf"(?:{known})(?:\s*,\s*(?:{known}))*", text):
            return None
        return tuple(re.findall(known, text))

    def is_missing(self, cell: str) -> bool:
        """Whether the cell means "no answer"."""
        return not cell.strip() or cell.strip() in self.missing

    def knows(self, cell: str) -> bool:
        """Whether the cell of a label column can be coded or is a known missing answer."""
        return self.is_missing(cell) or self.answers(cell) is not None

    def code(self, cell: str) -> float:
        """Number of a label cell, NaN where missing; the cell must be known."""
        if self.is_missing(cell):
            return float("nan")
        answers = self.answers(cell) or ()
        if self.rule == "only":
            return float(answers == (self.one,))
        if self.rule == "any":
            return float(self.one in answers)
        return float(self.labels[answers[0]])


def code_column(coding: Coding, cells: Sequence[object]) -> NDArray[np.float64]:
    """Numbers of one annotator column, shape (annotators,), NaN where missing.

    Parameters
    ----------
    coding
        How to code.
    cells
        Labels as text, or numbers where ``coding.numeric``.
    """
    if coding.numeric:
        return np.asarray(cells, dtype=np.float64)
    return np.array([coding.code(str(cell)) for cell in cells], dtype=np.float64)


@dataclass(frozen=True)
class ZScore:
    """A z-scored column and what it was scored with.

    Parameters
    ----------
    values
        (x - mean) / sd, NaN where x is; all 0 where x is constant.
    mean, sd
        Of the values that are not missing, ddof 1; NaN where there are none.
    constant
        Whether x has fewer than two distinct values, so that sd is 0 and z-scores do not exist.
    """

    values: NDArray[np.float64]
    mean: float
    sd: float
    constant: bool


def zscore(x: NDArray[np.float64]) -> ZScore:
    """Z = (x - mean(x)) / sd(x) with ddof 1 over the values that are not missing.

    A constant column gives zeros (not NaN or infinity) and says so; an all-missing column stays missing.

    Parameters
    ----------
    x
        Values, shape (n,), NaN = missing.
    """
    known = x[~np.isnan(x)]
    if known.size == 0:
        return ZScore(x.copy(), float("nan"), float("nan"), True)
    mean = float(known.mean())
    if known.min() == known.max():
        # By value, not by sd == 0: rounding in the mean of 0.1, 0.1, 0.1 gives an sd of 1e-17.
        return ZScore(np.where(np.isnan(x), np.nan, 0.0), mean, 0.0, True)
    sd = float(known.std(ddof=1))
    return ZScore((x - mean) / sd, mean, sd, False)
