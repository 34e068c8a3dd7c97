from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
import pytest

import pluristats as ps

TRACE = pd.DataFrame(
    {
        "generation": [1, 2, 3],
        "distance": [0.2, 0.1, 0.012],
        "mean_distance": [0.3, 0.2, 0.1],
        "seconds": [1, 2, 4],
    }
)
ACHIEVED = pd.DataFrame(
    {
        "axis": ["harm", "harm", "action", "action"],
        "category": ["0.0", "0.5", "Privacy", "Hate_Toxicity"],
        "target": [0.5, 0.5, 0.25, 0.75],
        "achieved": [0.4, 0.6, 0.3, 0.7],
        "simulated": True,
    }
)


def test_the_trace_stands_above_its_bound() -> None:
    ax = ps.plot.selection_trace(TRACE, 0.01)
    mean, best, bound = ax.lines
    assert best.get_ydata().tolist() == [0.2, 0.1, 0.012] and mean.get_ydata().tolist() == [0.3, 0.2, 0.1]
    assert set(bound.get_ydata()) == {0.01} and ax.get_yscale() == "log" and ax.get_title("left") == ""
    assert [text.get_text() for text in ax.texts] == ["no selection is below 0.01"]
    plt.close(ax.figure)
    flat = ps.plot.selection_trace(TRACE.assign(distance=0.1, mean_distance=0.11, simulated=True))
    assert flat.get_yscale() == "linear" and len(flat.lines) == 2 and flat.get_title("left") == "SIMULATED pool"
    plt.close(flat.figure)
    told = ps.plot.describe_selection_trace(TRACE, 0.01)
    assert told == (
        "Line chart of the distance to the target over 3 generations: the best falls from 0.2 to 0.012 in 4 s. "
        "No selection is below 0.01: it is 1.20 times that."
    )


def test_achieved_shares_are_bars_and_wanted_ones_diamonds() -> None:
    ax = ps.plot.selection_achieved(ACHIEVED, "action")
    assert [bar.get_width() for bar in ax.patches] == [0.3, 0.7]
    assert ax.lines[0].get_xdata().tolist() == [0.25, 0.75]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["Privacy", "Hate and toxicity"]
    assert ax.get_title("right") == "SIMULATED pool"
    plt.close(ax.figure)
    told = ps.plot.describe_selection_achieved(ACHIEVED, "harm")
    assert told.startswith(
        "Simulated pool. Bar chart of achieved against wanted shares of 2 categories of the axis harm"
    )
    assert "0.0 40 % for 50 %" in told and "0.5 60 % for 50 %" in told
    with pytest.raises(ValueError, match="there is no axis 'effect'; there are harm, action"):
        ps.plot.selection_achieved(ACHIEVED, "effect")
    with pytest.raises(ValueError, match="selection_trace needs the columns"):
        ps.plot.selection_trace(TRACE.drop(columns="seconds"))
