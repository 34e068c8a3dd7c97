"""Cross-validation folds that keep dependent rows together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pluristats.distinct import factorise
from pluristats.errors import FitError, FormulaError

# What people say -> the frame's column; "prompts" keeps variants of one seed in one fold.
UNITS = {"annotators": "annotator", "prompts": "seed"}

Sums = TypeVar("Sums")


@dataclass(frozen=True)
class Folds:
    """Rows dealt into cells, and which cells each fold tests and leaves out of its training.

    Parameters
    ----------
    cells
        Cell of each row, 0 … m-1, shape (n,).
    test, excluded
        Cells of each fold; the excluded ones include those tested.
    """

    cells: NDArray[np.intp]
    test: tuple[tuple[int, ...], ...]
    excluded: tuple[tuple[int, ...], ...]

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return int(self.cells.max()) + 1


def total(parts: Iterable[Sums]) -> Sums:
    """The sum of sums over rows."""
    return reduce(add, parts)  # type: ignore[arg-type]


def draw_folds(frame: pd.DataFrame, by: str, n_folds: int, seed: int, copies: NDArray[np.intp] | None = None) -> Folds:
    """Folds of a table's rows.

    Parameters
    ----------
    frame
        The rows used.
    by
        What stays whole, as in :func:`fold_units`; or ``"both"``: a checkerboard of √n_folds groups of annotators by as
        many of prompts, where a fold tests one cell and trains on rows that share neither annotators nor prompts with
        it.
    n_folds, seed
        Number of folds (of the checkerboard: the nearest square), and the seed of their draw.
    copies
        Which row each row is a copy of, shape (n,); with ``"rows"`` copies stay in one fold. None where all differ.
    """
    if by != "both":
        units = fold_units(frame, by) if by != "rows" or copies is None else np.unique(copies, return_inverse=True)[1]
        cells = assign_folds(units, n_folds, seed)
        each = tuple((k,) for k in range(n_folds))
        return Folds(cells, each, each)
    side = max(2, round(n_folds**0.5))
    people = assign_folds(fold_units(frame, "annotators"), side, seed)
    items = assign_folds(fold_units(frame, "prompts"), side, seed + 1)
    present, cells = np.unique(people * side + items, return_inverse=True)
    row, column = present // side, present % side
    excluded = tuple(
        tuple(np.flatnonzero((row == r) | (column == c)).tolist()) for r, c in zip(row, column, strict=True)
    )
    return Folds(cells.astype(np.intp), tuple((k,) for k in range(len(present))), excluded)


def fold_units(frame: pd.DataFrame, by: str) -> NDArray[np.intp]:
    """The unit of each row that must stay whole.

    Parameters
    ----------
    frame
        The rows used.
    by
        ``"rows"`` (each row on its own), ``"annotators"``, ``"prompts"`` (seeds whole: two variants of a seed share
        their features; a table without a column ``seed`` has no variants, so ``prompt`` counts), or a column's name.

    Returns
    -------
    ndarray
        Shape (n,), integers from 0 in the order of the labels, so that folds do not depend on the order of rows.

    Raises
    ------
    FormulaError
        The column is not there.
    FitError
        It has a missing value.
    """
    if by == "rows":
        return np.arange(len(frame), dtype=np.intp)
    column = UNITS.get(by, by)
    if column == "seed" and column not in frame.columns:
        column = "prompt"
    if column not in frame.columns:
        raise FormulaError(f"Folds by {by!r} need the column {column!r}, which the data lack; use 'rows' or a column.")
    codes = factorise(frame[column], sort=True)[0]
    if (codes < 0).any():
        row = frame.index[int(np.argmin(codes))]
        raise FitError(f"Folds by {by!r}: column {column!r} is empty in row {row!r}; fill it in or leave the row out.")
    return codes


def assign_folds(units: NDArray[np.intp], n_folds: int, seed: int) -> NDArray[np.intp]:
    """Fold 0 … n_folds-1 of each row; units are dealt out evenly in an order drawn with ``seed``.

    Raises
    ------
    ValueError
        Fewer than 2 folds.
    FitError
        Fewer units than folds.
    """
    labels = np.unique(units)
    if n_folds < 2:
        raise ValueError(f"Cross-validation needs at least 2 folds, not {n_folds}.")
    if len(labels) < n_folds:
        raise FitError(
            f"{n_folds} folds need as many units to keep whole, and these rows have {len(labels)}; ask for fewer folds."
        )
    order = np.random.default_rng(seed).permutation(len(labels))
    fold_of = np.empty(len(labels), dtype=np.intp)
    fold_of[order] = np.arange(len(labels)) % n_folds
    return fold_of[np.searchsorted(labels, units)]
