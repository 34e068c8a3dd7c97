from __future__ import annotations

import csv
import io
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pluristats.display.frames import csv_text, html_table
from pluristats.display.numbers import decimals, number
from pluristats.display.text import escape, printable
from tests.markup import Page

any_text = st.text(alphabet=st.characters(exclude_categories=[]))  # lone surrogates too


def cells(html: str) -> list[str]:
    page = Page(html)
    assert page.faults == []
    return page.texts


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (1234567, 0, "1,234,567"),
        (np.int64(-5), 2, "−5"),
        (3.14159, 2, "3.14"),
        (-0.0, 1, "0.0"),
        (2.17e-15, 4, "2.2e−15"),
        (4.9e-5, 4, "4.9e−5"),
        (5e-5, 4, "0.0001"),
        (0.0, 4, "0.0000"),
        (-1337.94, 1, "−1,337.9"),
        (math.inf, 2, "∞"),
        (-math.inf, 2, "−∞"),
    ],
)
def test_number_as_people_read_it(value, digits, text):
    assert number(value, digits) == text


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 4))
def test_a_number_is_zero_in_text_only_if_it_is_zero(value, digits):
    text = number(value, digits).replace("−", "-").replace(",", "")
    assert (float(text) == 0) == (value == 0)


@pytest.mark.parametrize(
    ("values", "expected"),
    [([], 0), ([3.0, 41796.0], 0), ([0.5], 3), ([12.34], 1), ([1234.5], 0), ([0.00001234], 4), ([math.nan], 0)],
)
def test_decimals_give_the_median_three_digits(values, expected):
    assert decimals(values) == expected


def test_html_table_formats_by_column():
    frame = pd.DataFrame(
        {
            "term": ["a", "b", "c"],
            "estimate": [0.1234567, -0.2, np.nan],
            "n": [14725, 14285, 3],
            "used": [True, False, True],
            "r2": [0.27712, 0.02325, None],
        }
    )
    html = html_table(frame, "Title", formats={"r2": ".4f"})
    assert cells(html) == [
        *["Title", "term", "estimate", "n", "used", "r2"],
        *["a", "0.123", "14,725", "yes", "0.2771"],
        *["b", "−0.200", "14,285", "no", "0.0232"],
        *["c", "–", "3", "yes", "–"],
    ]
    page = Page(html)
    assert [th["scope"] for th in page.all("th")] == ["col"] * 5 + ["row"] * 3


def test_html_table_says_how_many_rows_it_leaves_out():
    html = html_table(pd.DataFrame({"x": np.arange(1234.0)}), "Long", max_rows=2)
    assert cells(html) == ["Long", "x", "0", "1", "2 of 1,234 rows; the file has them all"]


def test_html_table_cuts_a_text_that_no_page_could_hold():
    text = html_table(pd.DataFrame({"a": ["x" * 1_000_000], "n": [1]}), "c")
    assert f"{'x' * 2000}… (1,000,000 characters; the file has them all)" in text
    assert len(text) < 3000
    assert "x" * 2000 + "<" in html_table(pd.DataFrame({"a": ["x" * 2000], "n": [1]}), "c")


def test_html_table_without_rows():
    assert cells(html_table(pd.DataFrame({"a": [], "b": []}), "Empty")) == ["Empty", "a", "b", "no rows"]


def test_html_table_keeps_a_meaningful_index_and_two_header_rows():
    frame = pd.DataFrame({("m", "x"): [1], ("m", "y"): [2]}, index=pd.Index(["low"], name="level"))
    assert cells(html_table(frame, "T")) == ["T", "level", "m, x", "m, y", "low", "1", "2"]
    unnamed = pd.DataFrame({"x": [1]}, index=["low"])
    assert cells(html_table(unnamed, "T")) == ["T", "x", "low", "1"]


def test_formats_for_an_unknown_column_are_refused():
    with pytest.raises(KeyError, match="esitmate"):
        html_table(pd.DataFrame({"estimate": [1.0]}), "T", formats={"esitmate": ".2f"})


@given(any_text)
def test_escaped_text_is_inert_and_can_be_stored(text):
    page = Page(f'<p title="{escape(text)}">{escape(text)}</p>')
    assert [tag for tag, _ in page.elements] == ["p"]
    assert page.faults == []
    escape(text).encode("utf-8")
    if printable(text) == text:
        assert page.all("p")[0]["title"] == text
        assert page.text == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x00b", r"a\x00b"),
        ("a\x1b[31mb", r"a\x1b[31mb"),
        ("line\u2028end", r"line\u2028end"),
        ("lone \ud800 surrogate", r"lone \ud800 surrogate"),
        ("abc\u202edcba", r"abc\u202edcba"),
        ("tab\tand\nline", "tab\tand\nline"),
        ("日本語 é 👩‍🔬", "日本語 é 👩‍🔬"),
    ],
)
def test_printable_shows_what_hides(text, shown):
    assert printable(text) == shown


def read_csv(frame: pd.DataFrame) -> list[list[str]]:
    return list(csv.reader(io.StringIO(csv_text(frame), newline="")))


@pytest.mark.parametrize("hostile", ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1"])
def test_csv_text_that_a_spreadsheet_would_run_gets_an_apostrophe(hostile):
    rows = read_csv(pd.DataFrame({hostile: [hostile]}))
    assert rows == [["'" + printable(hostile)]] * 2


def test_csv_numbers_are_unrounded_and_not_taken_for_formulas():
    frame = pd.DataFrame({"x": [-0.1234567890123456, 1e-300], "n": [-3, 4], "mixed": [-1.5, "-1.5"]})
    assert read_csv(frame) == [
        ["x", "n", "mixed"],
        ["-0.1234567890123456", "-3", "-1.5"],
        ["1e-300", "4", "'-1.5"],
    ]


def test_every_kind_of_missing_is_empty_in_csv_and_a_dash_in_html():
    frame = pd.DataFrame(
        {
            "integer": pd.array([1, None], dtype="Int64"),
            "yes": pd.array([True, None], dtype="boolean"),
            "text": pd.array(["a", None], dtype="string"),
            "time": pd.to_datetime(["2026-01-31", None]),
            "category": pd.Categorical(["c", None]),
            "object": pd.Series([0.5, None], dtype=object),
        }
    )
    assert read_csv(frame)[1:] == [["1", "True", "a", "2026-01-31 00:00:00", "c", "0.5"], [""] * 6]
    assert cells(html_table(frame, "T"))[-6:] == ["–"] * 6
    assert cells(html_table(frame, "T"))[7:10] == ["1", "yes", "a"]


def test_csv_missing_values_are_empty_and_the_index_is_kept():
    frame = pd.DataFrame({"x": [1.0, np.nan], "s": ["a", None]}, index=pd.Index(["=r", "q"], name="row"))
    assert read_csv(frame) == [["row", "x", "s"], ["'=r", "1.0", "a"], ["q", "", ""]]


@given(st.lists(any_text, min_size=1, max_size=4))
def test_csv_is_always_encodable_and_keeps_its_shape(texts):
    as_objects = pd.Series(texts, dtype=object)  # pandas 3's own text cannot hold half a surrogate pair
    rows = read_csv(pd.DataFrame({"text": as_objects, "n": range(len(texts))}))
    csv_text(pd.DataFrame({"text": as_objects})).encode("utf-8")
    assert len(rows) == 1 + len(texts)
    assert all(not row[0].startswith(("=", "+", "-", "@", "\t", "\r")) for row in rows)
