from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import pluristats as ps
from tests.plot.conftest import HOSTILE

EFFECTS = pd.DataFrame(
    {
        "statistic": ["autocorrelation 1", "trend"],
        "estimate": [0.06, 0.01],
        "null_mean": [-0.01, 0.0],
        "null_sd": [0.01, 0.02],
        "null_low": [-0.03, -0.04],
        "null_high": [0.01, 0.04],
        "z": [7.0, 0.5],
        "p_value": [0.002, 0.6],
        "n": [1000, 100],
        "simulated": False,
    }
)
PATHS = pd.DataFrame(
    {
        "annotator": np.repeat(np.arange(14), 5),
        "trial": np.tile(np.arange(5), 14),
        # Annotator i moves i hundredths a trial.
        "shift": np.outer(np.arange(14), np.arange(5)).ravel() / 100,
        "sd": 0.1,
    }
)
PATHS = PATHS.assign(conf_low=PATHS["shift"] - 0.16, conf_high=PATHS["shift"] + 0.16, simulated=True)
FOUND = pd.DataFrame(
    {
        "parameter": ["level"] * 3 + ["tau"] * 3,
        "true": [0.4, 0.5, 0.6, 0.001, 0.01, 0.1],
        "estimate": [0.41, 0.5, 0.59, 0.002, 0.01, 0.08],
        "conf_low": [0.405, 0.45, 0.5, 0.0005, 0.005, 0.05],
        "conf_high": [0.5, 0.55, 0.65, 0.004, 0.02, 0.2],
        "simulated": True,
    }
)


def test_effects_stand_at_their_distance_from_permuted_orders() -> None:
    ax = ps.plot.order_effects(EFFECTS)
    clear, unclear = ax.lines[:2]
    assert (clear.get_xdata().tolist(), clear.get_ydata().tolist()) == ([7.0], [0])
    assert (unclear.get_xdata().tolist(), unclear.get_markerfacecolor()) == ([0.5], "white")
    bars = [(bar.get_x(), bar.get_width()) for bar in ax.patches]
    np.testing.assert_allclose(bars, [(-2, 4), (-2, 4)])
    assert [t.get_text() for t in ax.get_yticklabels()] == ["autocorrelation 1 (0.06)", "trend (0.01)"]
    told = ps.plot.describe_order_effects(EFFECTS)
    assert told == (
        "Dot plot of 2 statistics of the order of ratings against permuted orders; 1 lie outside at p < 0.05: "
        "autocorrelation 1 0.06 (permuted -0.01, p 0.002); trend 0.01 (permuted 0, p 0.6)."
    )
    marked = ps.plot.order_effects(EFFECTS.assign(simulated=True))
    assert [t.get_text() for t in marked.texts] == ["SIMULATED ratings"]
    with pytest.raises(ValueError, match="order_effects needs the columns"):
        ps.plot.order_effects(EFFECTS.drop(columns="z"))


def test_those_who_move_most_are_shown_with_their_bands() -> None:
    axes = ps.plot.trajectories(PATHS)
    assert [ax.get_title("left") for ax in axes] == ["annotator 13, SIMULATED"] + [
        f"annotator {i}" for i in range(12, 1, -1)
    ]
    np.testing.assert_allclose(axes[1].lines[0].get_ydata(), np.arange(5) * 0.12)
    band = axes[1].collections[0].get_paths()[0].vertices[:, 1]
    assert band.min() == pytest.approx(-0.16) and band.max() == pytest.approx(0.64)
    told = ps.plot.describe_trajectories(PATHS)
    assert told.startswith("Simulated ratings. Line charts") and "12 annotators of 14" in told
    assert "13 from 0 to 0.52, at the end 0.52 (0.36 to 0.68)" in told and told.endswith("the rating scale.")
    chosen = ps.plot.trajectories(PATHS.assign(true=PATHS["shift"] + 1), [3, 1])
    assert len(chosen) == 2 and chosen[0].lines[1].get_ydata().tolist() == pytest.approx([1, 1.03, 1.06, 1.09, 1.12])
    with pytest.raises(ValueError, match="there is no annotator 99"):
        ps.plot.trajectories(PATHS, [99])
    with pytest.raises(ValueError, match="2 annotators need as many axes, not 1"):
        ps.plot.trajectories(PATHS, [3, 1], ax=[plt.subplots()[1]])


@pytest.mark.filterwarnings("ignore:Glyph")
def test_hostile_names_are_drawn() -> None:
    table = PATHS.assign(annotator=PATHS["annotator"].astype(str) + HOSTILE)
    axes = ps.plot.trajectories(table, [f"3{HOSTILE}"])
    axes[0].figure.canvas.draw()
    ps.plot.order_effects(EFFECTS.assign(statistic=HOSTILE)).figure.canvas.draw()
    assert "\x00" not in ps.plot.describe_trajectories(table)


def test_parameters_are_recovered_on_the_line() -> None:
    level, tau = ps.plot.recovery(FOUND)
    np.testing.assert_array_equal(level.lines[0].get_xdata(), [0.4, 0.5, 0.6])
    np.testing.assert_array_equal(level.lines[0].get_ydata(), [0.41, 0.5, 0.59])
    assert (level.get_xscale(), tau.get_xscale(), tau.get_yscale()) == ("linear", "log", "log")
    assert level.get_title("left").startswith("level: r = 1.00")
    told = ps.plot.describe_recovery(FOUND)
    assert "of 3 annotators: level r 1.00, 66.7 % of intervals hold the truth; tau r 1.00, 100 %" in told
    with pytest.raises(ValueError, match="2 parameters need as many axes"):
        ps.plot.recovery(FOUND, ax=[plt.subplots()[1]])
    flat = ps.plot.recovery(FOUND.assign(true=0.5))
    assert flat[0].get_title("left") == "level: r = nan"
