"""Read any CSV file as a table for a model, without guessing."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from pluristats.errors import Problem, StudyError
from pluristats.study.tables import parse_csv, place, read_text, show

MISSING = frozenset({"", "NA", "NaN", "nan", "N/A", "null"})

# What R and spreadsheets call a number; Python's float() would also read 1_000.
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?(?:inf|Inf|INF)", re.ASCII)
# float64 holds whole numbers of up to 15 digits apart; longer ones are identifiers.
_IDENTIFIER = re.compile(r"[0-9]{16,}", re.ASCII)


def read_csv(path: str | Path) -> pd.DataFrame:
    """Columns of numbers as float64, all others as text; rows are labelled as a spreadsheet counts them.

    A cell that is empty or one of NA, NaN, nan, N/A, null is missing; spaces around a cell do not count. A column is
    numbers when every other cell is one, and text when half of them or more are not; a column that is mostly numbers
    with some text in it is refused, because it would silently become a category a value. A column with a whole number
    of 16 or more digits is text: such numbers are identifiers, and float64 would make one of several.

    Raises
    ------
    StudyError
        The file cannot be read, is not UTF-8, has ragged rows or repeated columns, or mixes numbers and text.
    """
    path = Path(path)
    problems: list[Problem] = []
    content = read_text(path, path.name, problems)
    table = parse_csv(content.text, path.name, problems) if content else None
    if table is None:
        raise StudyError(problems)
    if not len(table.frame):
        raise StudyError([Problem(place(path.name), "has a header but no rows; nothing can be fitted")])
    columns = {name: _convert(path.name, name, table.frame[name].tolist(), problems) for name in table.header}
    if problems:
        raise StudyError(problems)
    rows = pd.RangeIndex(2, len(table.frame) + 2, name="row")
    return pd.DataFrame({name: pd.Series(values, index=rows) for name, values in columns.items()}, index=rows)


def _convert(file: str, name: str, cells: list[str], problems: list[Problem]) -> np.ndarray:
    """One column as float64 or object."""
    texts = [cell.strip() for cell in cells]
    present = [text for text in texts if text not in MISSING]
    strange = [i for i, text in enumerate(texts) if text not in MISSING and not _NUMBER.fullmatch(text)]
    if not strange and not any(_IDENTIFIER.fullmatch(text) for text in present):
        return np.array([np.nan if text in MISSING else float(text) for text in texts])
    if strange and len(strange) < 0.5 * len(present):
        i = strange[0]
        what = f"{show(cells[i])} is not a number, unlike most of the column; mend it, or leave it empty if missing"
        problems.append(Problem(place(file, i + 2, name), what))
    return np.array([None if text in MISSING else text for text in texts], dtype=object)
