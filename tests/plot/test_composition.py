from __future__ import annotations

import io

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from pluristats import plot
from tests.plot.conftest import HOSTILE


@pytest.fixture
def table() -> pd.DataFrame:
    rows = [("Age", "young", 3, 0.3), ("Age", "old $x$", 7, 0.7), ("Gender", "Woman", 10, 1.0)]
    return pd.DataFrame(rows, columns=["variable", "category", "count", "share"])


def test_a_bar_a_category_below_the_name_of_its_variable(table: pd.DataFrame) -> None:
    ax = plot.composition(table, labels={"Age": "Age in years"})
    assert [(bar.get_width(), round(bar.get_y() + bar.get_height() / 2, 9)) for bar in ax.patches] == [
        (0.3, 1),
        (0.7, 2),
        (1.0, 4),
    ]
    ticks = ax.get_yticklabels()
    assert [t.get_text() for t in ticks] == ["Age in years", "young", r"old \$x\$", "Gender", "Woman"]
    assert [t.get_fontweight() == "bold" for t in ticks] == [True, False, False, True, False]
    assert [text.get_text() for text in ax.texts] == ["3 (30 %)", "7 (70 %)", "10 (100 %)"]
    assert plot.composition(table.assign(simulated=True)).get_title(loc="left") == "SIMULATED data"
    given = plt.subplots()[1]
    assert plot.composition(table, ax=given) is given


def test_long_categories_that_begin_alike_are_told_apart(table: pd.DataFrame) -> None:
    first = "American Indian, Alaska Native, or other Indigenous culture"
    long = table.assign(category=[f"{first}, White", f"{first}, East Asian, White", "Woman"])
    ticks = [tick.get_text() for tick in plot.composition(long).get_yticklabels()]
    assert ticks[1] != ticks[2] and all(text.startswith("American Indian") for text in ticks[1:3])
    assert ticks[2].endswith(", East Asian, White") and max(map(len, ticks)) <= 58


def test_in_words(table: pd.DataFrame) -> None:
    text = plot.describe_composition(table, what="people")
    assert text == (
        "Bar chart of shares of people. Age: 2 categories, most often old $x$ (70 %); Gender: 1 category, "
        "most often Woman (100 %)."
    )
    assert plot.describe_composition(table.assign(simulated=True)).startswith("Simulated data. ")


@pytest.mark.filterwarnings("ignore:Glyph")
def test_hostile_text_and_refusals(table: pd.DataFrame) -> None:
    hostile = table.replace({"young": HOSTILE, "Age": HOSTILE})
    plot.composition(hostile, what=HOSTILE).figure.savefig(io.BytesIO(), format="svg")
    with pytest.raises(ValueError, match=r"plot\.composition needs the columns variable"):
        plot.composition(table.drop(columns="share"))
    with pytest.raises(ValueError, match="no rows"):
        plot.describe_composition(table[:0])


@pytest.mark.parametrize("share", [float("nan"), -0.1, 70.0, float("inf")])
def test_a_share_that_is_none_is_refused_in_words(table: pd.DataFrame, share: float) -> None:
    wrong = table.assign(share=[table["share"].iloc[0], share, 1.0])
    for function in (plot.composition, plot.describe_composition):
        with pytest.raises(
            ValueError, match=r"row 2 \(Age, old \$x\$\) has the share .*; a share is a number from 0 to 1"
        ):
            function(wrong)
    assert not plt.get_fignums()
