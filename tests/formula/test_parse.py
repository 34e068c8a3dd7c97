"""Formulas taken apart: what stands where, odd names, and messages that name the trouble."""

from __future__ import annotations

import keyword

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pluristats.errors import FormulaError
from pluristats.formula import parse_formula
from pluristats.formula.parse import mask_quoted, names_in, unmask


def pieces(text: str) -> list[str]:
    return [sign + piece for sign, piece in parse_formula(text).pieces]


def groups(text: str) -> list[tuple[str, ...]]:
    return [term.group for term in parse_formula(text).random]


def test_the_parts() -> None:
    parsed = parse_formula(" log(y) ~ a + b:c - d + (1 | g) + (1 + a || h)")
    assert parsed.response == "log(y)"
    assert parsed.pieces == (("+", "a"), ("+", "b:c"), ("-", "d"))
    plain, slopes = parsed.random
    assert (plain.coefficients, plain.group, plain.correlated, plain.intercept_only) == ("1", ("g",), True, True)
    assert (slopes.coefficients, slopes.group, slopes.correlated, slopes.intercept_only) == (
        "1 + a",
        ("h",),
        False,
        False,
    )
    assert [str(term) for term in parsed.random] == ["(1 | g)", "(1 + a || h)"]


@pytest.mark.parametrize(
    ("right", "expected"),
    [
        ("1", ["+1"]),
        ("0 + a", ["+0", "+a"]),
        ("a - 1", ["+a", "-1"]),
        ("-1 + a", ["-1", "+a"]),
        ("a - -b", ["+a", "+b"]),
        ("a + -b", ["+a", "-b"]),
        ("a - (b + c)", ["+a", "-(b + c)"]),
        ("(a + b)", ["+a", "+b"]),
        ("((a) + (b - c))", ["+a", "+b", "-c"]),
        ("(a + b):c", ["+(a + b):c"]),
        ("(a + b)*(c + d)", ["+(a + b)*(c + d)"]),
        ("f(a + b, c - 1)", ["+f(a + b, c - 1)"]),
        ("C(a, Treatment('x) + y'))", ["+C(a, Treatment('x) + y'))"]),
        ("`a + b` + c", ["+`a + b`", "+c"]),
        ("`a ~ (b|` + `1`", ["+`a ~ (b|`", "+`1`"]),
    ],
)
def test_sums(right: str, expected: list[str]) -> None:
    assert pieces(f"y ~ {right}") == expected


@pytest.mark.parametrize(
    ("bar", "expected"),
    [
        ("(1|g)", [("g",)]),
        ("(1|g:h)", [("g", "h")]),
        ("(1|g/h)", [("h", "g"), ("g",)]),
        ("(1|g/h/i)", [("i", "h", "g"), ("h", "g"), ("g",)]),
        ("(1|g) + (1|h)", [("g",), ("h",)]),
        ("(1|`my group`)", [("my group",)]),
        ("(1|`a:b`)", [("a:b",)]),
        ("(1|`a/b`:`c|d`)", [("a/b", "c|d")]),
        ("(1|`p)q(~`)", [("p)q(~",)]),
        ("(1|élève)", [("élève",)]),
        ("(1|评分者)", [("评分者",)]),
        ("(1|if)", [("if",)]),
        ("(1|.g)", [(".g",)]),
        ("(1|a.b_1)", [("a.b_1",)]),
    ],
)
def test_groupings(bar: str, expected: list[tuple[str, ...]]) -> None:
    assert groups(f"y ~ x + {bar}") == expected


def test_a_lone_intercept_has_no_correlations_to_take_away() -> None:
    (term,) = parse_formula("y ~ (1 || g)").random
    assert str(term) == "(1 | g)" and term.correlated


def test_a_term_is_written_so_that_it_can_be_read_again() -> None:
    (term,) = parse_formula("y ~ (0 + x | `my group`:h)").random
    assert str(term) == "(0 + x | `my group`:h)"
    assert parse_formula(f"y ~ {term}").random == (term,)
    assert term.name == "my group:h"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("y", "one ~"),
        ("y ~ x ~ z", "one ~"),
        (" ~ x", "names no response"),
        ("y ~ ", "no terms after the ~; write 1"),
        ("y ~ x +", "ends in a sign"),
        ("y ~ (x", "do not close"),
        ("y ~ x)", "do not close"),
        ("y ~ x) + (z", "do not close"),
        ("y ~ `x", "do not close"),
        ("y ~ 1|g", r"'1\|g' in parentheses after a plus"),
        ("y ~ x - (1|g)", r"'\(1\|g\)' in parentheses after a plus"),
        ("y ~ (x):(1|g)", r"in parentheses after a plus"),
        ("y ~ (1|)", "must be a column name"),
        ("y ~ (|g)", "not of the form"),
        ("y ~ (1|g|h)", "not of the form"),
        ("y ~ (1|||g)", "not of the form"),
        ("y ~ (1|g*h)", r"'g\*h' in '\(1\|g\*h\)' must be a column name, an interaction a:b or a nesting a/b"),
        ("y ~ (1|g + h)", "must be a column name"),
        ("y ~ (1|2)", "must be a column name"),
        ("y ~ (1|my group)", "must be a column name"),
        ("y ~ (1|g) + (1|g)", r"\(1 \| g\) stands twice"),
        ("y ~ (1|g) + (1||g)", "stands twice"),
        ("y ~ (1|g/h) + (1|g)", r"\(1 \| g\) stands twice"),
        ("y ~ (1|g:h) + (1|h:g)", "have the same groups"),
        ("y ~ (1|g:h) + (1|`g:h`)", "both called 'g:h'"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, message: str) -> None:
    with pytest.raises(FormulaError, match=message):
        parse_formula(text)


def test_slopes_may_share_a_group_with_an_intercept() -> None:
    assert groups("y ~ (1|g) + (0 + x|g)") == [("g",), ("g",)]


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("x", ["x"]),
        ("log(x + `my z`)", ["x", "my z"]),
        ("np.log(x)", ["np", "x"]),
        ("x.clip(0)", ["x"]),
        ("poly(x, degree=degree_2)", ["x", "degree_2"]),
        ("I(x == z)", ["x", "z"]),
        ("C(x, Treatment('low'))", ["x"]),
        ('C(x, Treatment("`low`"))', ["x"]),
        ("log (x)", ["x"]),
        ("été*x_1 + 2*x", ["été", "x_1", "x"]),
        ("`log`+1", ["log"]),
        ("1e3", []),
        ("a.b", ["a.b"]),
    ],
)
def test_names_of_columns_in_an_expression(expression: str, names: list[str]) -> None:
    assert names_in(expression) == names


odd_names = st.text(st.characters(exclude_characters="`", exclude_categories=("Cs",)), min_size=1, max_size=12)


@given(response=odd_names, column=odd_names, group=odd_names)
@settings(max_examples=300, deadline=500)
def test_any_name_without_a_back_quote_can_be_quoted(response: str, column: str, group: str) -> None:
    parsed = parse_formula(f"`{response}` ~ 0 + `{column}`:x + (1|`{group}`)")
    assert parsed.response == f"`{response}`"
    assert parsed.pieces == (("+", "0"), ("+", f"`{column}`:x"))
    assert parsed.random[0].group == (group,)


@given(name=st.from_regex(r"[^\W\d]\w{0,8}", fullmatch=True) | st.sampled_from(keyword.kwlist))
@settings(max_examples=200, deadline=500)
def test_plain_names_need_no_quotes(name: str) -> None:
    parsed = parse_formula(f"y ~ {name} + (1|{name})")
    assert parsed.pieces == (("+", name),)
    assert parsed.random[0].group == (name,)


@given(text=st.text("abq`'\"0x_ ", max_size=30))
@settings(max_examples=200, deadline=500)
def test_masks_come_off_again(text: str) -> None:
    masked, masks = mask_quoted(text)
    assert unmask(masked, masks) == text
