"""Tables as safe text: HTML for people, CSV for programs. Every cell is untrusted."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from pluristats.display.numbers import MISSING, decimals, number
from pluristats.display.text import escape, printable

if TYPE_CHECKING:
    import pandas as pd

LONGEST = 2000
"""Characters of a cell that a page shows; the CSV has them all."""

Format = str | Callable[[Any], str]

_FORMULA_START = ("=", "+", "-", "@", "\t", "\r")


def csv_text(frame: pd.DataFrame) -> str:
    """CSV of a table, numbers unrounded, text safe to open in a spreadsheet.

    Text that begins with ``= + - @`` or a tab or carriage return gets a leading apostrophe, as a spreadsheet would
    run it as a formula; numbers stay numbers. Column names are treated alike. A meaningful index becomes columns.

    Parameters
    ----------
    frame
        Any table; one without rows gives the header line alone.
    """
    flat = flatten(frame)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([_csv_cell(name) for name in flat.columns])
    # Column by column, as a row of a frame would turn its integers into floats.
    columns = [[_csv_cell(value) for value in flat.iloc[:, i]] for i in range(flat.shape[1])]
    writer.writerows(zip(*columns, strict=True))
    return text.getvalue()


def _csv_cell(value: Any) -> str:
    if _missing(value):
        return ""
    if isinstance(value, Integral) and not isinstance(value, bool):
        return str(int(value))
    if isinstance(value, Real) and not isinstance(value, bool):
        return repr(float(value))
    text = str(value)
    return printable("'" + text if text.startswith(_FORMULA_START) else text)


def flatten(frame: pd.DataFrame) -> pd.DataFrame:
    """Table with its index as ordinary columns (unless it is a plain 0, 1, 2 ...) and one header row."""
    import pandas as pd

    flat = frame.copy()
    if isinstance(flat.columns, pd.MultiIndex):
        flat.columns = [", ".join(str(part) for part in parts if str(part)) for parts in flat.columns]
    if isinstance(flat.index, pd.RangeIndex) and flat.index.name is None:
        return flat.reset_index(drop=True)
    several = flat.index.nlevels > 1
    flat.index.names = [
        (f"level {level}" if several else "") if name is None else name for level, name in enumerate(flat.index.names)
    ]
    return flat.reset_index()


def html_table(
    frame: pd.DataFrame,
    caption: str,
    formats: Mapping[str, Format] | None = None,
    max_rows: int = 200,
) -> str:
    """``<table>`` of a table, every text escaped, numbers at a sensible precision.

    Integers get thousands separators. In a column of other numbers all have the same decimals, as many as give the
    median magnitude three significant digits, at most 4; a number that this would show as zero is written like
    2.2e-15. Missing is an en dash, yes/no stand for true/false. The first column, when it is text, heads its rows. A
    text of more than 2,000 characters is cut, which it says.

    Parameters
    ----------
    frame
        Any table.
    caption
        Plain text, shown above.
    formats
        Column name to a format specification (".2f") or a function from value to text; overrides the above. Not
        asked about missing values.
    max_rows
        Rows beyond this are left out, and a last row says how many.

    Raises
    ------
    KeyError
        When ``formats`` names a column that is not there.
    """
    flat = flatten(frame)
    formats = dict(formats or {})
    if unknown := set(formats) - set(flat.columns):
        raise KeyError(f"formats names columns that the table does not have: {sorted(map(str, unknown))}")
    shown = flat.head(max_rows)
    columns, numeric = shown_columns(flat, shown, formats)

    parts = ["<table>", f"<caption>{escape(caption)}</caption>", "<thead><tr>"]
    for name, num in zip(flat.columns, numeric, strict=True):
        parts.append(f'<th scope="col"{_num(num)}>{escape(name)}</th>')
    parts.append("</tr></thead><tbody>")
    for row in zip(*columns, strict=True):
        parts.append("<tr>")
        for i, (text, num) in enumerate(zip(row, numeric, strict=True)):
            heads = i == 0 and not num and len(numeric) > 1
            cell = escape(_cut(text))
            parts.append(f'<th scope="row">{cell}</th>' if heads else f"<td{_num(num)}>{cell}</td>")
        parts.append("</tr>")
    if len(flat) == 0:
        parts.append(f'<tr><td colspan="{max(1, len(numeric))}">no rows</td></tr>')
    if len(flat) > max_rows:
        note = f"{max_rows:,} of {len(flat):,} rows; the file has them all"
        parts.append(f'<tr><td colspan="{len(numeric)}">{note}</td></tr>')
    parts.append("</tbody></table>")
    return "".join(parts)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text):,} characters; the file has them all)"


def shown_columns(
    flat: pd.DataFrame, shown: pd.DataFrame, formats: Mapping[str, Format]
) -> tuple[list[list[str]], list[bool]]:
    """Texts of the shown rows of each column, at the precision that suits all rows, and whether it is of numbers."""
    columns = [_column(flat.iloc[:, i], shown.iloc[:, i], formats.get(n)) for i, n in enumerate(flat.columns)]
    return columns, [_is_numeric(flat.iloc[:, i]) for i in range(flat.shape[1])]


def _num(numeric: bool) -> str:
    return ' class="num"' if numeric else ""


def _is_numeric(column: pd.Series) -> bool:
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    if is_bool_dtype(column.dtype):
        return False
    if is_numeric_dtype(column.dtype):
        return True
    present = [v for v in column if not _missing(v)]
    return bool(present) and all(isinstance(v, Real) and not isinstance(v, bool) for v in present)


def _missing(value: Any) -> bool:
    import pandas as pd

    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, Real) and math.isnan(value))


def _column(whole: pd.Series, shown: pd.Series, wanted: Format | None) -> list[str]:
    """Texts of the shown cells of one column, at the precision that suits the whole of it."""
    if wanted is None and _is_numeric(whole):
        digits = decimals([float(v) for v in whole if not _missing(v)])
        return [MISSING if _missing(v) else number(v, digits) for v in shown]
    if wanted is None:
        return [MISSING if _missing(v) else _text(v) for v in shown]
    apply = wanted if callable(wanted) else lambda value: format(value, str(wanted)).replace("-", "−")
    return [MISSING if _missing(v) else apply(v) for v in shown]


def _text(value: Any) -> str:
    if type(value).__name__ in ("bool", "bool_"):  # numpy's name for its own differs between versions
        return "yes" if value else "no"
    if isinstance(value, Real):
        return number(value, decimals([float(value)]))
    return str(value)
