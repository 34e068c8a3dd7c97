"""What changed between two tables, cell by cell; the tables are CSV files of a run."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

Rows = list[dict[str, str]]


@dataclass(frozen=True)
class Tolerance:
    """When two numbers are the same: |a - b| ≤ atol + rtol max(|a|, |b|).

    Raises
    ------
    ValueError
        One is negative or no number.
    """

    rtol: float = 1e-9
    atol: float = 1e-12

    def __post_init__(self) -> None:
        for name in ("rtol", "atol"):
            if not (0 <= getattr(self, name) < math.inf):
                raise ValueError(f"{name} is a number from 0 on, not {getattr(self, name)!r}.")

    def same(self, a: float, b: float) -> bool:
        """Whether two numbers are; NaN is NaN, and infinities are themselves only."""
        if math.isnan(a) or math.isnan(b):
            return math.isnan(a) and math.isnan(b)
        if math.isinf(a) or math.isinf(b):
            return a == b
        return abs(a - b) <= self.atol + self.rtol * max(abs(a), abs(b))


@dataclass(frozen=True)
class CellChange:
    """A cell that differs, or a row or column that only one table has.

    Parameters
    ----------
    row
        What the row's key columns hold, or its number from 1; empty for a whole column.
    column
        Empty for a whole row.
    before, after
        As written; None where there is none.
    difference
        after - before of two numbers, else None.
    """

    row: str
    column: str
    before: str | None
    after: str | None
    difference: float | None = None


@dataclass(frozen=True)
class TableChange:
    """Two tables: how many cells were compared, by which columns rows were matched (none: by place), what differs."""

    compared: int
    keys: tuple[str, ...]
    changes: tuple[CellChange, ...]


def compare_tables(before: str, after: str, tolerance: Tolerance, ignore: Sequence[str] = ()) -> TableChange:
    """Compare two tables given as CSV.

    Rows are matched by the first column, where its numbers tell all rows of each table apart and most are in both
    (identifiers, levels); else by the fewest leading columns of text that tell them apart; else by their place. A cell
    that both tables have as a number differs by ``tolerance``, any other where its text does.

    Parameters
    ----------
    before, after
        CSV with a line of names; a name that comes twice is "name (2)" the second time, an empty one "(no name)".
    ignore
        Columns that are not compared.
    """
    names, old = _read(before)
    other_names, new = _read(after)
    shared = [name for name in names if name in set(other_names)]
    keys = _keys([name for name in shared if name not in ignore], old, new)
    found = [CellChange("", name, "", None) for name in names if name not in set(other_names) and name not in ignore]
    found += [CellChange("", name, None, "") for name in other_names if name not in set(names) and name not in ignore]
    rows, other_rows = _by_key(old, keys), _by_key(new, keys)
    compared = 0
    for key in dict.fromkeys([*rows, *other_rows]):
        row, label = key, ", ".join(key) or "(empty)"
        if row not in other_rows:
            found.append(CellChange(label, "", "", None))
        elif row not in rows:
            found.append(CellChange(label, "", None, ""))
        else:
            for name in shared:
                if name in keys or name in ignore:
                    continue
                compared += 1
                a, b = rows[row][name], other_rows[row][name]
                x, y = _number(a), _number(b)
                if x is not None and y is not None:
                    if not tolerance.same(x, y):
                        found.append(CellChange(label, name, a, b, y - x))
                elif a != b:
                    found.append(CellChange(label, name, a, b))
    return TableChange(compared, tuple(keys), tuple(found))


def _read(text: str) -> tuple[list[str], Rows]:
    """Names and rows; a short row has empty cells at its end."""
    longest = csv.field_size_limit(max(len(text), 131_072))  # a cell may be as long as the file
    try:
        lines = list(csv.reader(io.StringIO(text, newline="")))
    finally:
        csv.field_size_limit(longest)
    seen: Counter[str] = Counter()
    names = []
    for written in lines[0] if lines else []:
        name = written or "(no name)"
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return names, [dict(zip(names, [*line, *[""] * len(names)], strict=False)) for line in lines[1:]]


def _keys(names: Sequence[str], old: Rows, new: Rows) -> list[str]:
    """By which columns rows are matched, as :func:`compare_tables` says; none for their place."""
    if names:
        ids = [[row[names[0]] for row in rows] for rows in (old, new)]
        apart = all(len(set(each)) == len(each) for each in ids)
        if apart and 2 * len(set(ids[0]) & set(ids[1])) > max(map(len, ids)):
            return [names[0]]
    keys: list[str] = []
    for name in names:
        if all(_number(row[name]) is not None for row in (*old, *new)):
            continue
        keys.append(name)
        if all(len({tuple(row[key] for key in keys) for row in rows}) == len(rows) for rows in (old, new)):
            return keys
    return []


def _by_key(rows: Rows, keys: Sequence[str]) -> dict[tuple[str, ...], dict[str, str]]:
    if not keys:
        return {(f"row {number}",): row for number, row in enumerate(rows, start=1)}
    return {tuple(row[key] for key in keys): row for row in rows}


def _number(text: str) -> float | None:
    """A number; empty text is a missing one."""
    if not text:
        return math.nan
    try:
        return float(text)
    except ValueError:
        return None
