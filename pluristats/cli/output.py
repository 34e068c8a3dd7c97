"""What commands print: JSON alone on stdout, tables for people, warnings and errors on stderr."""

from __future__ import annotations

import json
import math
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd

from pluristats.errors import PluristatsWarning


def print_json(value: Any) -> None:
    """Print strict JSON: NaN and infinities become null, numpy values become numbers."""
    print(json.dumps(plain(value), allow_nan=False, ensure_ascii=False))


def plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, pd.DataFrame):
        return [plain(row) for row in value.to_dict("records")]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return value
    return None if value is pd.NA else value


@contextmanager
def warnings_on_stderr() -> Iterator[list[str]]:
    """Print warnings as one line each on stderr, also before an error, and collect ours."""
    told: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", PluristatsWarning)
        try:
            yield told
        finally:
            for warning in caught:
                ours = issubclass(warning.category, PluristatsWarning)
                if ours:
                    told.append(str(warning.message))
                kind = "" if ours else f"{warning.category.__name__}: "
                print(f"warning: {printable(f'{kind}{warning.message}', keep='')}", file=sys.stderr)


def printable(text: str, keep: str = "\n") -> str:
    """Text with control characters escaped, so that a name in the data cannot steer the terminal."""
    return "".join(c if c in keep or c.isprintable() else repr(c)[1:-1] for c in text)


def print_table(table: pd.DataFrame) -> None:
    """A table for the terminal: as wide as it needs, no row labels, nothing where a value is missing."""
    print(printable(table.astype(object).map(cell).to_string(index=False)))


def cell(value: Any) -> str:
    """Numbers with four digits after the point, below 0.1 with three significant ones (a penalty, a p-value)."""
    if value is None or value is pd.NA or value != value:
        return ""
    if isinstance(value, float):
        return f"{value:,.4f}" if abs(value) >= 0.1 or value == 0 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
