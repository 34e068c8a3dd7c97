"""Random parts as text: what is read, what is refused, and what R is given."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pluristats.engine.bars import intercepts, parse
from pluristats.engine.result import Factor
from pluristats.errors import FitError, FormulaError, UnsupportedError

FRAME = pd.DataFrame(
    {
        "days": [0.0, 1.0, 0.0, 1.0],
        "a": ["x", "x", "y", "y"],
        "b": [10, 2, 10, 2],
        "my col": [1.0, 2.0, 3.0, 4.0],
        "gap": [1.0, np.nan, 3.0, 4.0],
    }
)


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("(1|a)", "(1 | pg0_)"),
        ("(1 + days | a) + (1|b)", "(1 + pv0_ | pg0_) + (1 | pg1_)"),
        ("(days || a)", "(pv0_ || pg0_)"),
        ("(0 + days*`my col` | a)", "(0 + pv0_ * pv1_ | pg0_)"),
        ("(1|a/b)", "(1 | pg0_) + (1 | pg1_)"),
        ("(1|a) + (0 + days|a)", "(1 | pg0_) + (0 + pv0_ | pg0_)"),
        ("(1|a:b)", "(1 | pg0_)"),
    ],
)
def test_text_for_r(text: str, given: str) -> None:
    assert parse(text, FRAME).text == given


def test_nesting_is_the_interaction_then_the_outer_factor() -> None:
    inner, outer = parse("(1|a/b)", FRAME).factors
    assert (inner.name, outer.name) == ("b:a", "a")
    assert inner.levels == ("2:x", "2:y", "10:x", "10:y")
    assert inner.codes.tolist() == [2, 0, 3, 1]
    assert outer.codes.tolist() == [0, 0, 1, 1]


def test_interaction_keeps_only_pairs_that_occur() -> None:
    factor = parse("(1|a:b)", FRAME.iloc[:3]).factors[0]
    assert factor.levels == ("x:2", "x:10", "y:10")
    assert factor.codes.tolist() == [1, 0, 2]


def test_categorical_levels_keep_their_order_without_unused_ones() -> None:
    frame = pd.DataFrame({"g": pd.Categorical(["lo", "hi", "lo"], categories=["lo", "mid", "hi"])})
    factor = parse("(1|g)", frame).factors[0]
    assert factor.levels == ("lo", "hi")
    assert factor.codes.tolist() == [0, 1, 0]


def test_names_are_restored() -> None:
    part = parse("(1 + days | a) + (1 | `my col`)", FRAME)
    assert part.restore("pg0_.pv0_.(Intercept)") == "a.days.(Intercept)"
    assert part.restore("pg1_.(Intercept)") == "my col.(Intercept)"


def test_plain_intercepts_keep_the_factors() -> None:
    factor = Factor("g", np.array([0, 1, 0]), ("u", "v"))
    assert intercepts((factor,)).text == "(1 | pg0_)"
    assert intercepts((factor,)).factors == (factor,)


@pytest.mark.parametrize(
    "text",
    ["(1 + system('true') | a)", "(1 | a); q()", '("x" | a)', "(poly(days) | a)", "(1 | a %in% b)", "(1 + 2 | a)"],
)
def test_nothing_but_columns_and_operators_reaches_r(text: str) -> None:
    with pytest.raises(UnsupportedError):
        parse(text, FRAME)


@pytest.mark.parametrize(
    "text", ["", "1 | a", "(1 | a) (1 | b)", "(1 | a) +", "(1 a)", "(1 | a | b)", "( | a)", "(1 | a"]
)
def test_text_that_is_not_bars(text: str) -> None:
    with pytest.raises(FormulaError):
        parse(text, FRAME)


@pytest.mark.parametrize("right", ["a + b", "a/b:days", "a b", "1", "a/", ""])
def test_groupings_that_are_not_supported(right: str) -> None:
    with pytest.raises(FormulaError, match="ight of the bar"):
        parse(f"(1 | {right})", FRAME)


def test_unknown_column_is_named() -> None:
    with pytest.raises(FormulaError, match="'nights'"):
        parse("(1 + nights | a)", FRAME)


def test_missing_value_is_located() -> None:
    with pytest.raises(FitError, match=r"'gap'.*1 missing.*row 1"):
        parse("(1 + gap | a)", FRAME)
