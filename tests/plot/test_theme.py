from __future__ import annotations

import ast

import matplotlib
import matplotlib.pyplot as plt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pluristats.plot import MARKERS, PALETTE, safe, style
from pluristats.plot.theme import level_text, number, plain
from tests.conftest import ROOT


def test_style_ends_with_its_block():
    outside = dict(matplotlib.rcParams)
    with style():
        assert matplotlib.rcParams["axes.grid"]
        assert [entry["color"] for entry in matplotlib.rcParams["axes.prop_cycle"]] == list(PALETTE)
    assert dict(matplotlib.rcParams) == outside


def test_each_colour_has_its_marker():
    assert len(PALETTE) == len(set(PALETTE)) == len(MARKERS) == len(set(MARKERS))


def luminance(colour: str) -> float:
    """Relative luminance of WCAG 2."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_text_colours_contrast_with_white():
    from pluristats.plot.theme import BLUE, GREY, INK

    for colour in (BLUE, GREY, INK):
        assert 1.05 / (luminance(colour) + 0.05) >= 4.5  # WCAG AA


@given(st.text())
def test_any_text_can_be_drawn(text):
    """The text that matplotlib shows is the visible form of what was given, never mathematics."""
    from matplotlib.cbook import is_math_text

    shown = safe(text)
    assert is_math_text(shown) is False
    assert len(shown.replace("\\$", "$")) <= 60
    assert "\n" not in shown
    shown.encode("utf-8")


def test_safe_text_by_example():
    assert safe("cost_$5_to_$10") == r"cost_\$5_to_\$10"
    assert safe("a\x00b\u202ec\ud800") == r"a\x00b\u202ec\ud800"
    assert safe("x" * 61) == "x" * 59 + "…"


@pytest.mark.filterwarnings("ignore:Glyph .* missing from font")
@pytest.mark.parametrize("text", ["$\\frac{", "$a$ $", "\\$", "_^{}", "\ud800", "𝔘\x07"])
def test_matplotlib_draws_it(text):
    fig, ax = plt.subplots()
    ax.set_title(safe(text))
    fig.canvas.draw()
    assert ax.get_title() == safe(text)


@pytest.mark.parametrize(
    "value, text",
    [
        (0, "0"),
        (0.589200, "0.589"),
        (33.04, "33"),
        (41796.337, "41,796"),
        (-0.0154, "-0.0154"),
        (2.17e-15, "2.17e-15"),
        (float("nan"), "unknown"),
        (9.999, "10"),
        (100, "100"),
    ],
)
def test_numbers_in_sentences(value, text):
    assert number(value) == text


def test_levels_have_one_number_of_decimals():
    assert level_text([0.0, 0.3, 1.0]) == ["0.0", "0.3", "1.0"]
    assert level_text([0.25, 1]) == ["0.25", "1"]
    assert level_text([1, 2, 3]) == ["1", "2", "3"]


def test_a_description_has_no_escapes_for_matplotlib():
    """Every figure whose description repeats names: a dollar sign is one there, and escaped in the figure."""
    name = "pays $5 or $6"
    assert (plain(name), safe(name)) == (name, r"pays \$5 or \$6")
    assert plain("a\x00\n b" + "x" * 99) == r"a\x00 b" + "x" * 52 + "…"
    source = [path.read_text("utf-8") for path in sorted((ROOT / "pluristats/plot").glob("*.py"))]
    functions = [node for text in source for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
    describing = [node for node in functions if node.name.startswith("describe_")]
    assert len(describing) > 15
    called = {ast.unparse(call.func) for node in describing for call in ast.walk(node) if isinstance(call, ast.Call)}
    assert "plain" in called and "safe" not in called
