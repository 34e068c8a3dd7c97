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
    """Print our warnings as one line each on stderr, and collect them."""
    told: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", PluristatsWarning)
        yield told
    for warning in caught:
        if issubclass(warning.category, PluristatsWarning):
            told.append(str(warning.message))
            print(f"warning: {warning.message}", file=sys.stderr)


def print_table(table: pd.DataFrame) -> None:
    """A table for the terminal: as wide as it needs, numbers to four digits after the point, no row labels."""
    print(table.to_string(index=False, na_rep="", float_format=lambda v: f"{v:,.4f}"))
