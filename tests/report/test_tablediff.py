from __future__ import annotations

import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pluristats.display.frames import csv_text
from pluristats.report.tablediff import CellChange, Tolerance, compare_tables

EXACT = Tolerance(0.0, 0.0)


def compared(before: dict, after: dict, tolerance: Tolerance = EXACT, ignore=()):
    return compare_tables(csv_text(pd.DataFrame(before)), csv_text(pd.DataFrame(after)), tolerance, ignore)


def test_rows_are_matched_by_name_not_by_place():
    found = compared(
        {"term": ["a", "b", "c"], "estimate": [1.0, 2.0, 3.0]},
        {"term": ["c", "a", "new"], "estimate": [3.0, 1.5, 9.0]},
    )
    assert found.keys == ("term",)
    assert found.compared == 2
    assert found.changes == (
        CellChange("a", "estimate", "1.0", "1.5", 0.5),
        CellChange("b", "", "", None),
        CellChange("new", "", None, ""),
    )


def test_as_many_text_columns_as_it_takes():
    before = {"n": [1, 1, 1], "model": ["null", "1", "1"], "spec": ["x", "x", "y"], "bic": [5.0, 6.0, 7.0]}
    found = compared(before, before | {"bic": [5.0, 6.0, 8.0]})
    assert found.keys == ("model", "spec")
    assert found.changes == (CellChange("1, y", "bic", "7.0", "8.0", 1.0),)
    assert found.compared == 6


def test_identifiers_match_rows_though_they_are_numbers():
    found = compared(
        {"annotator": [68, 5, 19], "rate": [0.3, 0.2, 0.1]}, {"annotator": [19, 68, 7], "rate": [0.5, 0.3, 0.1]}
    )
    assert found.keys == ("annotator",)
    assert found.changes == (
        CellChange("5", "", "", None),
        CellChange("19", "rate", "0.1", "0.5", 0.4),
        CellChange("7", "", None, ""),
    )


def test_rows_without_a_name_are_matched_by_place():
    found = compared({"x": [1, 2], "y": [1.0, 2.0]}, {"x": [1, 3], "y": [1.0, 2.0]})
    assert found.keys == ()
    assert found.changes == (CellChange("row 2", "x", "2", "3", 1.0),)
    twice = compared({"who": ["a", "a"], "y": [1.0, 2.0]}, {"who": ["a", "b"], "y": [1.0, 2.0]})
    assert twice.changes == (CellChange("row 2", "who", "a", "b"),)


def test_columns_that_one_table_has():
    found = compared({"term": ["a"], "old": [1.0]}, {"term": ["a"], "new": [1.0]})
    assert found.changes == (CellChange("", "old", "", None), CellChange("", "new", None, ""))
    assert found.compared == 0


def test_ignored_columns():
    before, after = {"term": ["a"], "seconds": [1.0]}, {"term": ["a"], "seconds": [2.0]}
    assert compared(before, after, ignore=["seconds"]).changes == ()
    assert len(compared(before, after).changes) == 1


def test_texts_and_missing_cells():
    nan = math.nan
    found = compared({"term": ["a", "b", "c"], "x": [nan, nan, 1.0]}, {"term": ["a", "b", "c"], "x": [nan, 2.0, nan]})
    assert [(c.row, c.before, c.after) for c in found.changes] == [("b", "", "2.0"), ("c", "1.0", "")]
    words = compared({"term": ["a"], "status": ["ok"]}, {"term": ["a"], "status": ["boundary"]})
    assert words.changes == (CellChange("a", "status", "ok", "boundary"),)


def test_odd_tables():
    assert compare_tables("", "", EXACT).changes == ()
    assert compare_tables("a,a\n1,2\n", "a,a\n1,3\n", EXACT).changes == (CellChange("1", "a (2)", "2", "3", 1.0),)
    assert compare_tables(",x\nk,1\n", ",x\nk,2\n", EXACT).changes == (CellChange("k", "x", "1", "2", 1.0),)
    long = f"t,x\n{'y' * 200_000},1\n"
    assert compare_tables(long, long, EXACT).changes == ()
    assert compare_tables("t,x\nk\n", "t,x\nk,1\n", EXACT).changes[0].before == ""


@pytest.mark.parametrize(
    ("a", "b", "rtol", "atol", "same"),
    [
        (1.0, 1.0 + 1e-10, 1e-9, 0.0, True),
        (1.0, 1.0 + 1e-8, 1e-9, 0.0, False),
        (0.0, 1e-13, 0.0, 1e-12, True),
        (0.0, 1e-13, 0.5, 0.0, False),
        (math.nan, math.nan, 0.0, 0.0, True),
        (math.nan, 1.0, 1.0, 1.0, False),
        (math.inf, math.inf, 0.0, 0.0, True),
        (math.inf, -math.inf, 1.0, 1.0, False),
        (1e308, math.inf, 1.0, 1.0, False),
        (-2.0, 2.0, 0.0, 4.0, True),
    ],
)
def test_tolerance(a, b, rtol, atol, same):
    assert Tolerance(rtol, atol).same(a, b) is same
    assert Tolerance(rtol, atol).same(b, a) is same


@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf])
def test_a_tolerance_is_a_number_from_zero_on(bad):
    with pytest.raises(ValueError, match="rtol is a number from 0 on"):
        Tolerance(bad, 0.0)


tables = st.dictionaries(
    st.text(max_size=5),
    st.one_of(
        st.lists(st.floats(), min_size=3, max_size=3),
        st.lists(st.text(st.characters(exclude_categories=[]), max_size=5), min_size=3, max_size=3),
    ),
    min_size=1,
    max_size=4,
)


@given(tables)
def test_a_table_equals_itself(table):
    frame = pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in table.items()})
    assert compare_tables(csv_text(frame), csv_text(frame), EXACT).changes == ()


@given(tables, tables)
def test_what_is_gone_one_way_has_come_the_other(a, b):
    first, second = (csv_text(pd.DataFrame({n: pd.Series(v, dtype=object) for n, v in t.items()})) for t in (a, b))
    there, back = compare_tables(first, second, EXACT), compare_tables(second, first, EXACT)
    assert {(c.row, c.column, c.before, c.after) for c in there.changes} == {
        (c.row, c.column, c.after, c.before) for c in back.changes
    }
