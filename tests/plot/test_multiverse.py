"""The specification curve draws the table's numbers in order, marks the options below them, and says both."""

from __future__ import annotations

import io

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from pluristats import plot
from tests.plot.conftest import HOSTILE


@pytest.fixture
def table() -> pd.DataFrame:
    rows = [
        ("a", "own", "bic", "", "1", -30.0, -30.0, False, False, -25.0),
        ("b", "own", "cv", "rows", "1", 10.0, 10.0, False, False, -25.0),
        ("c", "common", "bic", "", "1", -5.0, -5.0, True, True, -25.0),
        ("d", "common", "cv", "rows", "1", np.nan, np.nan, True, True, -25.0),
        ("a", "own", "bic", "", "2", 3.0, -27.0, True, False, np.nan),
        ("c", "common", "bic", "", "2", 1.0, -4.0, True, True, np.nan),
    ]
    columns = ["id", "rows", "penalty", "folds", "model", "delta_step", "delta_null", "same_rows", "same_rows_null"]
    return pd.DataFrame(rows, columns=[*columns, "published"])


def marks(ax: plt.Axes) -> list[list[tuple[float, float]]]:
    return [[tuple(map(float, xy)) for xy in c.get_offsets()] for c in ax.collections]


def ticks(ax: plt.Axes) -> list[list[tuple[float, float]]]:
    """Middle of every tick of the broken lines that are the strip's options."""
    lines = [line.get_xydata().reshape(-1, 3, 2)[:, :2] for line in ax.lines if line.get_linewidth() == 0.6]
    return [[tuple(map(float, xy)) for xy in line.mean(axis=1).round(9)] for line in lines]


def test_the_curve_is_sorted_and_the_strip_names_the_options(table: pd.DataFrame) -> None:
    curve, strip = plot.specification_curve(table, "1")
    same, different = marks(curve)
    assert same == [(1.0, -5.0)] and different == [(0.0, -30.0), (2.0, 10.0)]
    labels = [text.get_text() for text in strip.get_yticklabels()]
    assert labels == ["rows: own", "rows: common", "penalty: bic", "penalty: cv"]
    assert ticks(strip) == [[(0, 0), (2, 0)], [(1, 1)], [(0, 2), (1, 2)], [(2, 3)]]
    (published,) = (line for line in curve.lines if line.get_linestyle() == "--")
    assert published.get_ydata()[0] == -25.0
    faces = [c.get_facecolor() for c in curve.collections]
    assert len(faces[0]) and not len(faces[1])  # filled and open
    buffer = io.BytesIO()
    curve.figure.savefig(buffer, format="png")
    assert buffer.getvalue()


def test_the_other_reading_and_a_model_without_a_published_figure(table: pd.DataFrame) -> None:
    curve, _ = plot.specification_curve(table, "2", reading="null")
    same, different = marks(curve)
    assert same == [(1.0, -4.0)] and different == [(0.0, -27.0)]
    assert not [line for line in curve.lines if line.get_linestyle() == "--"]
    assert "published" not in plot.describe_specification_curve(table, "2", reading="null")


def test_in_words(table: pd.DataFrame) -> None:
    text = plot.describe_specification_curve(table, "1")
    assert "under 3 specifications, sorted, from -30 to +10 (median -5)" in text
    assert "2 of them compare models on different rows" in text
    assert "published -25 is a dashed line with 1 specifications below it" in text
    assert "Medians by rows: own -10, common -5." in text
    assert "Medians by penalty: bic -18, cv +10." in text


def test_hostile_names_given_axes_and_refusals(table: pd.DataFrame) -> None:
    axes = plt.subplots(2, 1)[1]
    curve, _ = plot.specification_curve(table.replace({"bic": HOSTILE}), "1", ax=axes)
    assert curve is axes[0]
    curve.figure.savefig(io.BytesIO(), format="png")
    with pytest.raises(ValueError, match="needs the columns id, model"):
        plot.specification_curve(table.drop(columns="published"), "1")
    with pytest.raises(ValueError, match="no ΔBIC of model '7'"):
        plot.specification_curve(table, "7")
    with pytest.raises(ValueError, match="reading is 'step' or 'null'"):
        plot.specification_curve(table, "1", reading="other")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="two panels"):
        plot.specification_curve(table, "1", ax=axes[0])  # type: ignore[arg-type]
