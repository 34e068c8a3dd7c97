"""Check cells by pandera: all failures at once, each as a Problem with file, row, column, value and remedy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pluristats.errors import Problem
from pluristats.study.tables import Table, place, show

_NUMBER = r"\s*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\s*"
_NOT_FINITE = ("inf", "infinity", "nan")


@dataclass(frozen=True)
class Test:
    """One check of cells.

    Parameters
    ----------
    passes
        From a Series of text to a boolean Series.
    complaint
        What to say after the value where it fails, with the remedy.
    """

    passes: Callable[[pd.Series], pd.Series]
    complaint: str


def melt(table: Table, columns: Sequence[str]) -> pd.DataFrame:
    """Cells of some columns as ``row`` (spreadsheet's), ``column``, ``value`` (text), row by row."""
    values = table.frame[list(columns)].to_numpy(dtype=object)
    n, k = values.shape
    return pd.DataFrame(
        {
            "row": np.repeat(np.arange(2, n + 2), k),
            "column": np.tile(np.array(columns, dtype=object), n),
            "value": values.reshape(-1),
        }
    )


def check(file: str, cells: pd.DataFrame, tests: Sequence[Test], problems: list[Problem]) -> None:
    """Run tests on the ``value`` column of melted cells and add every failure to ``problems``, in file order."""
    if cells.empty:
        return
    import pandera.pandas as pa

    checks = [pa.Check(test.passes, error=test.complaint) for test in tests]
    schema = pa.DataFrameSchema({"value": pa.Column(object, checks)})
    try:
        schema.validate(cells.reset_index(drop=True)[["value"]].astype(object), lazy=True)
    except pa.errors.SchemaErrors as errors:
        failures = errors.failure_cases.sort_values("index", kind="stable")
        for position, complaint in zip(failures["index"], failures["check"], strict=True):
            row, column, value = cells.iloc[int(position)][["row", "column", "value"]]
            problems.append(Problem(place(file, int(row), str(column)), f"{show(value)} {complaint}"))


def numbers(values: pd.Series, missing: Sequence[str] = ("",)) -> NDArray[np.float64]:
    """Cells as numbers, NaN where the cell is one of ``missing`` or cannot be read (which :func:`check` reports)."""
    unique, codes = _unique(values)
    parsed = [
        float(text) if text.strip() not in missing and good else float("nan")
        for text, good in zip(unique, pd.Series(unique, dtype=object).str.fullmatch(_NUMBER), strict=True)
    ]
    return np.array(parsed, dtype=np.float64)[codes]


def number_tests(what: str, low: float, high: float, missing: Sequence[str], remedy: str) -> list[Test]:
    """Tests that cells hold finite numbers from low to high; ``missing`` lists cells that pass unread."""

    def readable(values: pd.Series) -> pd.Series:
        return values.str.fullmatch(_NUMBER).astype(bool) | values.str.strip().isin(missing)

    def finite(values: pd.Series) -> pd.Series:
        return ~(_spelled_infinite(values) | pd.Series(np.isinf(numbers(values, missing)), index=values.index))

    def inside(values: pd.Series) -> pd.Series:
        parsed = numbers(values, missing)
        bad = np.isfinite(parsed) & ((parsed < low) | (parsed > high))
        return pd.Series(~bad, index=values.index)

    def not_empty(values: pd.Series) -> pd.Series:
        return (values.str.strip() != "") | ("" in missing)

    def number_or_other_test(values: pd.Series) -> pd.Series:
        return readable(values) | _spelled_infinite(values) | (values.str.strip() == "")

    return [
        Test(not_empty, f"is empty; every {what} needs a number"),
        Test(number_or_other_test, f"is not a number; {remedy}"),
        Test(finite, f"is not a finite number; {remedy}"),
        Test(inside, f"is outside {low:g} to {high:g}; correct the {what} or its scale"),
    ]


def id_tests(what: str) -> list[Test]:
    """Tests that identifiers are there and occur once."""
    return [
        Test(lambda values: values.str.strip() != "", f"is empty; every {what} needs an identifier"),
        Test(
            lambda values: (values.str.strip() == "") | ~values.str.strip().duplicated(),
            f"is a duplicate {what}; keep one row each",
        ),
    ]


def label_test(knows: Callable[[str], bool], known: Sequence[str]) -> Test:
    """Test that cells are known labels; ``known`` is listed in the complaint."""

    def passes(values: pd.Series) -> pd.Series:
        unique, codes = _unique(values)
        good = np.array([knows(text) for text in unique], dtype=bool)
        return pd.Series(good[codes], index=values.index)

    listed = ", ".join(show(label) for label in known)
    return Test(passes, f"is an unknown category; use one of {listed}, or describe your own in a study.yaml")


def _spelled_infinite(values: pd.Series) -> pd.Series:
    return values.str.strip().str.lstrip("+-").str.lower().isin(_NOT_FINITE)


def _unique(values: pd.Series) -> tuple[list[str], NDArray[np.intp]]:
    codes, unique = pd.factorize(values.to_numpy(dtype=object))
    return [str(text) for text in unique], codes
