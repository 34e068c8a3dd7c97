from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pluristats.errors import ValuesError
from pluristats.values import COLUMNS, VRD, check_items, overall_valence, parse_item
from tests.values.tables import HOSTILE, items


def test_a_table_of_items_stays_as_it_is() -> None:
    table = items(("q1", "Value", "Health", 0.9), (2, "Duty", "Duty to help", 0.25))
    checked = check_items(table.set_index(pd.Index([7, 7])))
    assert list(checked.columns) == [*COLUMNS, "simulated"]
    assert checked["prompt"].tolist() == ["q1", 2]
    assert checked["relevance"].tolist() == [0.9, 0.25]
    assert checked["simulated"].tolist() == [False, False]
    assert checked.index.tolist() == [0, 1]
    pd.testing.assert_frame_equal(check_items(checked), checked)


def test_numbers_may_come_as_objects_and_other_columns_follow() -> None:
    table = items(("q", "Value", "a", 1)).astype(object).assign(explanation=None, simulated=np.True_, topic=[3])
    checked = check_items(table)
    assert list(checked.columns) == [*COLUMNS, "explanation", "simulated", "topic"]
    assert checked["relevance"].dtype == np.float64
    assert checked["simulated"].tolist() == [True]
    assert checked["topic"].tolist() == [3]


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_any_text_passes(text: str) -> None:
    given = pd.DataFrame({"prompt": [text], "vrd": ["Right"], "text": [text], "explanation": [text]}, dtype=object)
    checked = check_items(given.assign(relevance=0.5, supports=0.2, opposes=0.3, either=0.5))
    assert checked.loc[0, ["prompt", "text", "explanation"]].tolist() == [text] * 3


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("prompt", None, "row 'x', column prompt: None is no id of a prompt"),
        ("prompt", True, "column prompt: True is no id"),
        ("prompt", 1.5, "column prompt: 1.5 is no id"),
        ("vrd", "value", r"row 'x' \(prompt 'q'\), column vrd: 'value' is none of Value, Right, Duty; spell it so"),
        ("vrd", ["Value"], "column vrd: .'Value'. is none of"),
        ("text", " \n", r"column text: ' \\n' is no text; leave out items without one"),
        ("text", np.nan, "column text: nan is no text"),
        ("relevance", np.nan, "column relevance: nan is no probability; give a number from 0 to 1"),
        ("supports", 1.0001, "column supports: 1.0001 is no probability"),
        ("opposes", -1e-9, "column opposes: -1e-09 is no probability"),
        ("either", "0.5", "column either: '0.5' is no probability"),
        ("either", True, "column either: True is no probability"),
        ("either", pd.NA, "column either: <NA> is no probability"),
        ("explanation", 3, "column explanation: 3 is no text"),
        ("simulated", 1, "column simulated: 1 is neither True nor False"),
        ("simulated", None, "column simulated: None is neither True nor False"),
    ],
)
def test_what_is_no_item_is_refused_with_its_place(column: str, value: Any, message: str) -> None:
    table = items(("p", "Value", "a", 0.5), ("q", "Value", "b", 0.5), index=["w", "x"]).assign(
        explanation="", simulated=False
    )
    table = table.astype(object)
    table.at["x", column] = value
    with pytest.raises(ValuesError, match=message):
        check_items(table)


def test_columns_are_needed_once() -> None:
    table = items(("p", "Value", "a", 0.5))
    with pytest.raises(ValuesError, match=r"the table of items lacks text, either; it needs the columns prompt, vrd"):
        check_items(table.drop(columns=["either", "text"]))
    with pytest.raises(ValuesError, match="has column 'text' twice"):
        check_items(pd.concat([table, table["text"]], axis="columns"))


def test_no_items_are_a_table_too() -> None:
    empty = check_items(items())
    assert len(empty) == 0
    assert empty["relevance"].dtype == np.float64
    assert len(overall_valence(empty)) == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Value: Health", ("Value", "Health")),
        ("  Right: Right to be told: now ", ("Right", "Right to be told: now")),
        ("Duty:  x", ("Duty", "x")),
        ("Value:Health", None),
        ("Value: ", None),
        ("value: Health", None),
        ("Values: Health", None),
        ("Health", None),
        ("", None),
    ],
)
def test_items_as_models_write_them(text: str, expected: tuple[str, str] | None) -> None:
    assert parse_item(text) == expected


@given(st.sampled_from(VRD), st.text())
def test_what_is_written_is_read(vrd: str, text: str) -> None:
    assert parse_item(f"{vrd}: {text}") == ((vrd, text.strip()) if text.strip() else None)


def test_valence_of_a_prompt_by_hand() -> None:
    table = items(
        ("b", "Value", "x", 0.5, 1, 0, 0), ("a", "Value", "y", 1, 0, 1, 0), ("b", "Duty", "z", 1, 0.25, 0.25, 0.5)
    )
    found = overall_valence(table)
    assert found["prompt"].tolist() == ["b", "a"]
    assert found["items"].tolist() == [2, 1]
    # b: (0.5 + 0.25, 0.25, 0.5) / 1.5
    assert found[["supports", "opposes", "either"]].to_numpy() == pytest.approx(
        np.array([[0.5, 1 / 6, 1 / 3], [0, 1, 0]])
    )


def test_irrelevant_items_have_no_valence() -> None:
    found = overall_valence(items(("a", "Value", "x", 0, 1, 0, 0)).assign(simulated=True))
    assert found[["supports", "opposes", "either"]].isna().all(axis=None)
    assert found["simulated"].tolist() == [True]


unit = st.floats(0.001, 1)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.just("Value"), st.just("x"), unit, unit, unit, unit), min_size=1))
def test_valence_adds_up_to_one_and_doubled_items_do_not_matter(rows: list[tuple[Any, ...]]) -> None:
    once, twice = overall_valence(items(*rows)), overall_valence(items(*rows, *rows))
    shares = ["supports", "opposes", "either"]
    assert once[shares].sum(axis="columns").to_numpy() == pytest.approx(np.ones(len(once)))
    assert twice[shares].to_numpy() == pytest.approx(once[shares].to_numpy())
