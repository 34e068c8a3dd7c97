"""Terms: feature groups, products, what is taken away, and what has no expansion."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pluristats.errors import FormulaError, UnsupportedError
from pluristats.formula import parse_formula
from pluristats.formula.expand import expand_fixed

GROUPS = {"g": ("a", "b", "c"), "h": ("d", "e"), "one": ("f",), "over": ("b", "d"), "my group": ("x y", "z")}


def names(right: str, groups: dict[str, tuple[str, ...]] = GROUPS) -> list[str]:
    return [term.name for term in expand_fixed(parse_formula(f"y ~ {right}"), groups)]


@pytest.mark.parametrize(
    ("right", "expected"),
    [
        ("g", "1 a b c"),
        ("0 + g", "a b c"),
        ("g - 1", "a b c"),
        ("g - b", "1 a c"),
        ("g - h + h", None),
        ("g + h - (a + e)", "1 b c d"),
        ("g:h", "1 a:d a:e b:d b:e c:d c:e"),
        ("h:g", "1 d:a d:b d:c e:a e:b e:c"),
        ("g:g", "1 a:b a:c b:c"),
        ("g:g:g", "1 a:b:c"),
        ("h:h:h", "1"),
        ("one:one", "1"),
        ("g*g", "1 a b c a:b a:c b:c"),
        ("g*h", "1 a b c d e a:d a:e b:d b:e c:d c:e"),
        ("h:h:one", "1 d:e:f"),
        ("g:g:h", "1 a:b:d a:b:e a:c:d a:c:e b:c:d b:c:e"),
        ("g/h", "1 a b c a:d a:e b:d b:e c:d c:e"),
        ("x*h", "1 x d e x:d x:e"),
        ("g + g:g + b:a", "1 a b c a:b a:c b:c"),
        ("g:over", "1 a:b a:d b:d c:b c:d"),
        ("b:g", "1 b:a b:c"),
        ("(g + x)", "1 a b c x"),
        ("`my group`:x", "1 x y:x z:x"),
        ("`g`", "1 a b c"),
        ("gg + g_ + g1", "1 gg g_ g1"),
        ("p*q", "1 p q p:q"),
        ("p/q", "1 p p:q"),
        ("(p + q)**2", "1 p q p:q"),
        ("g + (p + q)**2", "1 a b c p q p:q"),
        ("p:p", "1 p"),
        ("log(p) + log(p)", "1 log(p)"),
        ("0 + p + 1", "1 p"),
        ("p - 1 + 1", "1 p"),
        ("(0 + p)", "p"),
        ("p - 0", "1 p"),
        ("p - p + p", "1 p"),
        ("x:y:z + w", "1 w x:y:z"),
        ("feature_group0x + quoted0x + g", "1 feature_group0x quoted0x a b c"),
    ],
)
def test_terms(right: str, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(FormulaError, match="takes away 'd', which is not among its terms"):
            names(right)
        return
    if "my group" in right:
        assert names(right) == ["(Intercept)", "x y:x", "z:x"]
        return
    assert names(right) == [name.replace("1", "(Intercept)") if name == "1" else name for name in expected.split()]


def test_expressions_are_told_from_columns() -> None:
    (_, log), (_, plain) = (expand_fixed(parse_formula(f"y ~ {t}"), {}) for t in ("log(x)", "`log(x)`"))
    assert (log.factors, log.lookup) == (("log(x)",), (False,))
    assert (plain.factors, plain.lookup) == (("log(x)",), (True,))


@pytest.mark.parametrize(
    ("right", "error", "message"),
    [
        ("x - z", FormulaError, "takes away 'z'"),
        ("x - 1 - (1 + x + x:z)", FormulaError, "takes away"),
        ("g**2", UnsupportedError, r"'g\*\*2'; write g \+ g:g"),
        ("g^2", UnsupportedError, "Powers"),
        ("(g - a):x", UnsupportedError, "differences"),
        ("log(g)", UnsupportedError, "'g' stands inside a function in 'log\\(g\\)'"),
        ("x:np.abs(g)", UnsupportedError, "inside a function"),
        ("none", FormulaError, "'none' has no columns"),
        ("x:none", FormulaError, "'none' has no columns"),
        ("2*x", FormulaError, "Cannot read the terms"),
        ("x:2", FormulaError, "number 2 in 'x:2' is not a column"),
        ("5", FormulaError, "Cannot read|number 5"),
        ("x y", FormulaError, "Cannot read the terms 'x y'"),
        ("x %% y", FormulaError, "Cannot read"),
        ("x*", FormulaError, "Cannot read"),
        ("'x'", FormulaError, "text 'x' in .* is not a column; back-quote"),
        ("a:b + `a:b`", FormulaError, "both be called 'a:b'"),
        ("log(x) + `log(x)`", FormulaError, r"both be called 'log\(x\)'"),
        ("`(Intercept)`", FormulaError, r"both be called '\(Intercept\)'"),
    ],
)
def test_what_cannot_be_expanded_is_named(right: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        names(right, {**GROUPS, "none": ()})
    assert "\n" not in str(caught.value)


@given(
    first=st.lists(st.sampled_from("abcdefgh"), unique=True, min_size=1, max_size=6),
    second=st.lists(st.sampled_from("abcdefgh"), unique=True, min_size=1, max_size=6),
)
@settings(max_examples=100, deadline=2000)
def test_products_of_overlapping_groups_are_the_pairs_once(first: list[str], second: list[str]) -> None:
    groups = {"G1": tuple(first), "G2": tuple(second)}
    pairs = {frozenset((u, v)) for u in first for v in second if u != v}
    got = names("0 + G1:G2", groups)
    assert {frozenset(name.split(":")) for name in got} == pairs and len(got) == len(pairs)
    squared = names("0 + G1:G1", groups)
    assert squared == [f"{u}:{v}" for u, v in combinations(first, 2)]
