"""Figures of harm-benefit trees draw the contributions, and their alternative texts say them."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from pluristats import plot
from tests.plot.conftest import HOSTILE


def render(ax: Axes) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # a hostile text may have signs that the font lacks
        ax.figure.savefig(buffer, format="png")
    return buffer.getvalue()


@pytest.fixture
def leaves() -> pd.DataFrame:
    rows = [
        ("users", "harms", "#Privacy# 41. Leak", "7. Financial property loss", 1.0),
        ("the public", "harms", "#Deception# 32. Fraud", "13. Societal disruption", 0.5),
        ("users", "benefits", "warns", "5. Social gains", -0.25),
        ("users", "harms", "#Privacy# 41. Leak", "1. Death", 0.125),
        ("the public", "benefits", "teaches", "5. Social gains", 0.0),
    ]
    table = pd.DataFrame(rows, columns=["stakeholder", "side", "action", "effect", "contribution"])
    return table.assign(profile="graded", simulated=True)


def test_bars_are_the_contributions_and_the_rest(leaves: pd.DataFrame) -> None:
    ax = plot.contributions(leaves, top=3)
    assert [bar.get_width() for bar in ax.patches] == [1.0, 0.5, -0.25, 0.125]
    assert [bool(bar.get_hatch()) for bar in ax.patches] == [False, False, True, False]
    texts = [tick.get_text() for tick in ax.get_yticklabels()]
    assert texts[0] == "users › 41. Leak › 7. Financial pro…"
    assert texts[-1] == "the other 2 together"
    assert ax.get_title(loc="left") == "H = 1.38 by the profile graded, simulated"
    assert render(ax)
    text = plot.describe_contributions(leaves, top=3)
    assert "5 contributions to a harmfulness of 1.38 by the profile graded, simulated" in text
    assert "raise it sum to 1.62, those that lower it to -0.25" in text


def test_bars_of_summed_contributions(leaves: pd.DataFrame) -> None:
    people = leaves.groupby("stakeholder", as_index=False, sort=False)["contribution"].sum()
    ax = plot.contributions(people)
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["users", "the public"]
    assert [bar.get_width() for bar in ax.patches] == [0.875, 0.5]


def test_the_tree_s_lines_are_branches_and_leaves(leaves: pd.DataFrame) -> None:
    ax = plot.harm_tree(leaves)
    # Four branches, then five leaves; both of the branch that contributes nothing are grey.
    assert len(ax.lines) == 4 + 5
    assert sum(line.get_color() == "#cccccc" for line in ax.lines) == 2
    assert sum(line.is_dashed() for line in ax.lines) == 2
    widths = [line.get_linewidth() for line in ax.lines]
    assert widths[:4] == pytest.approx([0.8 + 4 * 1.125, 0.8 + 4 * 0.25, 0.8 + 4 * 0.5, 0.7])
    texts = [text.get_text() for text in ax.texts]
    assert {"users", "the public", "41. Leak", "warns"} <= set(texts)
    assert "7. Financial property loss  +1" in texts
    assert render(ax)
    assert plot.describe_harm_tree(leaves) == (
        "Tree of 2 stakeholders, 4 actions and 5 effects; the harmfulness is 1.38 by the profile graded, simulated. "
        "Drawn contributions by stakeholder: users 0.875; the public 0.5."
    )
    few = plot.harm_tree(leaves, top=2)
    assert "2 of 5 leaves" in few.get_title(loc="left")
    assert "(the 2 that contribute most of 5)" in plot.describe_harm_tree(leaves, top=2)


def test_texts_from_models_are_drawn_as_texts(leaves: pd.DataFrame) -> None:
    hostile = leaves.assign(stakeholder=HOSTILE, action=HOSTILE, effect="x" * 100_000, profile=HOSTILE)
    for draw, describe in (
        (plot.contributions, plot.describe_contributions),
        (plot.harm_tree, plot.describe_harm_tree),
    ):
        assert render(draw(hostile))
        text = describe(hostile)
        assert "\ud800" not in text
        assert "\x00" not in text
        assert len(text) < 2_000


def test_tables_that_cannot_be_drawn(leaves: pd.DataFrame) -> None:
    for draw in (plot.contributions, plot.harm_tree, plot.describe_contributions, plot.describe_harm_tree):
        with pytest.raises(ValueError, match="the table has no rows"):
            draw(leaves[:0])
        with pytest.raises(ValueError, match="lacks contribution"):
            draw(leaves.drop(columns="contribution"))
        with pytest.raises(ValueError, match="at least 1, not 0"):
            draw(leaves, top=0)
    ax = plot.harm_tree(leaves.assign(contribution=0.0))
    assert np.isfinite(ax.lines[0].get_linewidth())


def test_dollar_signs_are_escaped_in_figures_only(leaves: pd.DataFrame) -> None:
    priced = leaves.assign(stakeholder="owes $5", action="pays $6", effect="gets $7", profile="costs $8")
    for describe in (plot.describe_contributions, plot.describe_harm_tree):
        text = describe(priced)
        assert "owes $5" in text and "costs $8" in text and "\\" not in text
    ax = plot.contributions(priced)
    assert r"owes \$5" in ax.get_yticklabels()[0].get_text() and r"costs \$8" in ax.get_title(loc="left")
    assert r"costs \$8" in plot.harm_tree(priced).get_title(loc="left")
