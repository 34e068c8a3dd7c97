"""Read a CSV or JSON file as text, strictly: every way in which it cannot be read becomes a Problem."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pluristats.errors import Problem

_LONGEST_VALUE = 60
_LONGEST_PATH = 1000


def show(value: object) -> str:
    """Value in quotes as it can be printed safely: control characters escaped, cut (a path late)."""
    text = str(value)
    longest = _LONGEST_PATH if isinstance(value, Path) else _LONGEST_VALUE
    return repr(text if len(text) <= longest else text[:longest] + "…")


def plain(name: object) -> str:
    """Name without quotes (file, column), control characters escaped, cut at 60 characters."""
    return show(name)[1:-1]


def place(file: str, row: int | None = None, column: str | None = None) -> str:
    """Say where, as a person would look it up; ``row`` counts as a spreadsheet does (the header is row 1)."""
    where = plain(file)
    if row is not None:
        where += f", row {row}"
    if column is not None:
        where += f", column {plain(column)}"
    return where


@dataclass(frozen=True)
class Table:
    """A CSV file as text.

    Parameters
    ----------
    file
        Name for messages.
    frame
        Cells as read, all text (object), one row a record: record i is the spreadsheet's row i + 2.
    """

    file: str
    frame: pd.DataFrame

    @property
    def header(self) -> tuple[str, ...]:
        """Column names."""
        return tuple(self.frame.columns)


@dataclass(frozen=True)
class FileText:
    """A decoded file.

    Parameters
    ----------
    text
        Content, without a byte order mark.
    sha256
        Of the bytes.
    """

    text: str
    sha256: str


def read_text(path: Path, file: str, problems: list[Problem]) -> FileText | None:
    """Read a UTF-8 file (with or without byte order mark); None, and a problem added, where that fails."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        problems.append(Problem(place(file), f"the file is missing from {show(path.parent)}; put it there"))
        return None
    except OSError as error:
        problems.append(
            Problem(place(file), f"cannot be read ({error.strerror}); check what it is and its permissions")
        )
        return None
    try:
        return FileText(data.decode("utf-8-sig"), hashlib.sha256(data).hexdigest())
    except UnicodeDecodeError as error:
        # utf-8-sig counts from after a byte order mark.
        position = error.start + (3 if data.startswith(b"\xef\xbb\xbf") else 0)
        row = data[:position].count(b"\n") + 1
        what = f"byte {position} (0x{data[position]:02x}, line {row}) is not UTF-8; save the file as UTF-8"
        problems.append(Problem(place(file), what))
        return None


def parse_csv(text: str, file: str, problems: list[Problem]) -> Table | None:
    """Parse comma-separated text; None, and problems added, where rows are ragged or quotes do not close."""
    before = len(problems)
    records: list[list[str]] = []
    try:
        for record in csv.reader(io.StringIO(text, newline=""), strict=True):
            records.append(record)
    except csv.Error as error:
        what = f"cannot be parsed as CSV ({plain(error)}); mend the quotes or export the file again"
        problems.append(Problem(place(file, len(records) + 1), what))
        return None
    while records and not records[-1]:  # empty lines at the end hold no data
        records.pop()
    if not records:
        problems.append(Problem(place(file), "the file is empty; it needs a header and rows"))
        return None
    header, rows = records[0], records[1:]
    for name, count in Counter(header).items():
        if count > 1:
            problems.append(Problem(place(file, 1, name), f"{count} columns have this name; keep one"))
    for number, record in enumerate(rows, start=2):
        if len(record) != len(header):
            what = f"has {len(record)} cells where the header has {len(header)}; a comma in a text needs quotes"
            problems.append(Problem(place(file, number), what))
    if len(problems) > before:
        return None
    return Table(file, pd.DataFrame(rows, columns=pd.Index(header, dtype=object), dtype=object))


def parse_topic_names(text: str, file: str, problems: list[Problem]) -> dict[str, str]:
    """Parse ``{"0": "name", …}``; empty, and a problem added, where it is something else."""
    try:
        names = json.loads(text)
    except (ValueError, RecursionError) as error:
        problems.append(Problem(place(file), f"is not readable JSON ({plain(error)}); restore the released file"))
        return {}
    if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
        problems.append(
            Problem(place(file), 'must be one object of names, {"0": "name", …}; restore the released file')
        )
        return {}
    return names
