"""A table as people see it, before it is HTML or anything else: all cells are plain text, decided once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from pluristats.display.frames import Format

Align = Literal["left", "center", "right"]
MOST, LONGEST = 60, 200
"""Rows of a table, and characters of a cell, that a notebook shows unless it shall have all."""

Cell = tuple[str, ...]
"""Lines of a cell, one below the other (an estimate and its standard error); none where it is empty."""


@dataclass(frozen=True)
class Row:
    """A row: what heads it, and a cell for every column."""

    label: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Part:
    """Rows that belong together, below a title or none."""

    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Grid:
    """A table of text; :mod:`pluristats.display.render` makes each format of it, and escapes.

    Parameters
    ----------
    caption
        Above the table; empty for none.
    stub
        Heading of the column of labels.
    columns
        Heading of each other column, shape (k,).
    parts
        Their rows have k cells each.
    notes
        Below the table.
    above
        Headings over several columns: text (empty for none) and the number of columns, which add up to k; or ().
    align
        Of each column, shape (k,); () centres all.

    Raises
    ------
    ValueError
        For parts that do not fit together.
    """

    caption: str
    stub: str
    columns: tuple[Cell, ...]
    parts: tuple[Part, ...]
    notes: tuple[str, ...] = ()
    above: tuple[tuple[str, int], ...] = ()
    align: tuple[Align, ...] = ()

    def __post_init__(self) -> None:
        k = len(self.columns)
        for row in (row for part in self.parts for row in part.rows):
            if len(row.cells) != k:
                raise ValueError(f"row {row.label!r} has {len(row.cells)} cells, the table {k} columns.")
        if self.above and sum(count for _, count in self.above) != k:
            raise ValueError(f"the headings above span {sum(n for _, n in self.above)} columns of {k}.")
        if self.align and len(self.align) != k:
            raise ValueError(f"{len(self.align)} alignments for {k} columns.")

    @property
    def alignment(self) -> tuple[Align, ...]:
        """Of each column."""
        centred: Align = "center"
        return self.align or (centred,) * len(self.columns)

    @property
    def head(self) -> list[tuple[str, ...]]:
        """Lines of the heading, each with a text for the label's column and every other; at least one."""
        height = max((len(cell) for cell in self.columns), default=1) or 1
        lines = [tuple(_line(cell, i) for cell in self.columns) for i in range(height)]
        return [(self.stub if i == height - 1 else "", *line) for i, line in enumerate(lines)]


def lines(row: Row) -> list[tuple[str, ...]]:
    """A row's lines, each with a text for the label's column and every other; at least one."""
    height = max((len(cell) for cell in row.cells), default=1) or 1
    return [("" if i else row.label, *(_line(cell, i) for cell in row.cells)) for i in range(height)]


def _line(cell: Cell, i: int) -> str:
    return cell[i] if i < len(cell) else ""


def frame_grid(
    frame: pd.DataFrame,
    caption: str,
    *,
    notes: tuple[str, ...] = (),
    formats: Mapping[str, Format] | None = None,
    whole: bool = False,
) -> Grid:
    """Any table as a grid: its first column heads the rows, numbers as :func:`pluristats.display.html_table` has them.

    Unless ``whole``, rows beyond 60 are left out, which a note says, and texts are cut at 200 characters.
    """
    from pluristats.display.frames import flatten, shown_columns

    flat = flatten(frame)
    texts, numeric = shown_columns(flat, flat if whole else flat.head(MOST), formats or {})
    cut = texts if whole else [[_cut(text) for text in column] for column in texts]
    rows = tuple(Row(first, tuple((text,) for text in rest)) for first, *rest in zip(*cut, strict=True))
    names = [str(name) for name in flat.columns] or [""]
    if not len(flat):
        notes = (*notes, "There are no rows.")
    if len(flat) > MOST and not whole:
        notes = (*notes, f"{MOST} of {len(flat):,} rows.")
    return Grid(
        caption,
        names[0],
        tuple((name,) for name in names[1:]),
        (Part("", rows),),
        notes,
        align=tuple(
            "right" if num or _like_numbers(c) else "left" for num, c in zip(numeric[1:], texts[1:], strict=True)
        ),
    )


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _like_numbers(column: list[str]) -> bool:
    """Whether every text begins as a number does: numbers that somebody has formatted."""
    return all(text[:1] in set("0123456789-−–<") for text in column)
