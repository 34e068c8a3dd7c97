"""Figures of an evaluation draw the tables' numbers, keep settings apart, and say what is simulated."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from pluristats import plot
from tests.plot.conftest import HOSTILE
from tests.plot.test_figures import legend, render

NAN = float("nan")
BARS = pd.DataFrame(
    [
        ("GPT k-shot", "new-prompts", 0.196, 0.254, "published", NAN, NAN, NAN, NAN),
        ("ours", "new-prompts", 0.18, NAN, "here", 0.17, 0.2, NAN, NAN),
        ("zero-shot", "new-prompts", NAN, 0.3, "simulated answers", NAN, NAN, 0.28, 0.33),
        ("ours", "known-prompts", 0.15, NAN, "here", 0.14, 0.16, NAN, NAN),
        ("nothing", "new-prompts", NAN, NAN, "here", NAN, NAN, NAN, NAN),
    ],
    columns=[
        *("method", "setting", "personalised", "aggregate", "source"),
        *("personalised_lo", "personalised_hi", "aggregate_lo", "aggregate_hi"),
    ],
)


def bars(ax: plt.Axes) -> list[tuple[float, float, bool]]:
    """Length, middle and whether hatched, from the top."""
    found = [(bar.get_width(), bar.get_y() + bar.get_height() / 2, bool(bar.get_hatch())) for bar in ax.patches]
    return sorted(((float(w), round(float(y), 2), h) for w, y, h in found), key=lambda bar: bar[1])


def test_bars_stand_beside_the_papers_in_its_setting_alone() -> None:
    ax = plot.mae_bars(BARS)
    assert bars(ax) == [(0.18, 0, False), (0.196, 0.8, True), (0.254, 1.2, True), (0.3, 2, False)]
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == ["ours", "GPT k-shot (published)", "zero-shot (SIMULATED answers)"]
    assert legend(ax) == ["personalised", "aggregate (A)", "published"]
    ends = sorted(tuple(map(float, s[:, 0])) for c in ax.containers if hasattr(c, "has_xerr") for s in
                  map(np.asarray, c.lines[2][0].get_segments()))  # fmt: skip
    assert ends == [(0.17, 0.2), (0.28, 0.33)]
    assert sorted(t.get_text() for t in ax.texts) == ["0.180", "0.196", "0.254 A", "0.300 A"]
    assert ax.get_title("left") == "" and "new-prompts" in ax.get_xlabel() and render(ax)
    other = plot.mae_bars(BARS, "known-prompts")
    assert bars(other) == [(0.15, 0, False)] and legend(other) == ["personalised"]
    assert "published" not in plot.describe_mae_bars(BARS, "known-prompts")
    with pytest.raises(ValueError, match=r"nothing in 'oracle'; there are new-prompts, known-prompts\."):
        plot.mae_bars(BARS, "oracle")


@pytest.mark.filterwarnings("ignore:Glyph .* missing from font")
def test_bars_in_words_and_without_intervals() -> None:
    told = plot.describe_mae_bars(BARS)
    assert told == (
        "Bar chart of the mean absolute error of 3 methods in the setting new-prompts, least first: ours personalised "
        "0.18; GPT k-shot (published) personalised 0.196 and aggregate 0.254; zero-shot (SIMULATED answers) aggregate "
        "0.3."
    )
    bare = BARS[["method", "setting", "personalised", "aggregate", "source"]].assign(source="simulated data")
    assert plot.mae_bars(bare).get_title("left") == "SIMULATED data"
    mixed = bare.assign(source=["published"] + ["simulated data"] * 4)
    assert plot.mae_bars(mixed).get_title("left") == "SIMULATED data, beside published rows"
    assert plot.describe_mae_bars(bare).startswith("Simulated data. ")
    with pytest.raises(ValueError, match="mae_bars needs the columns"):
        plot.mae_bars(BARS.drop(columns="source"))
    assert render(plot.mae_bars(BARS.assign(method=HOSTILE)))


def by_annotator(**more: object) -> pd.DataFrame:
    rows = {"annotator": list("abc") * 2, "method": ["m"] * 3 + ["n"] * 3, "mae": [0.3, 0.1, 0.2, 0.25, 0.15, NAN]}
    return pd.DataFrame({**rows, "setting": "new-prompts", **more})


@pytest.mark.filterwarnings("ignore:Glyph .* missing from font")
def test_annotators_are_ordered_by_the_first_method() -> None:
    ax = plot.mae_by_annotator(by_annotator())
    first, second = ax.lines
    assert first.get_ydata().tolist() == [0.1, 0.2, 0.3]
    assert second.get_ydata()[[0, 2]].tolist() == [0.15, 0.25] and np.isnan(second.get_ydata()[1])
    assert legend(ax) == ["m (mean 0.2)", "n (mean 0.2)"] and first.get_marker() != second.get_marker()
    told = plot.describe_mae_by_annotator(by_annotator(simulated=True))
    assert told == (
        "Simulated data. Dot plot of the error of 3 annotators: m from 0.1 to 0.3, mean 0.2; n from 0.15 to 0.25, mean "
        "0.2, less than m for 1 of 2 annotators."
    )
    assert plot.mae_by_annotator(by_annotator(simulated=True)).get_title("left") == "SIMULATED data"
    assert render(plot.mae_by_annotator(by_annotator(method=[HOSTILE] * 3 + ["n"] * 3)))


def test_settings_and_too_many_methods_are_refused() -> None:
    mixed = by_annotator(setting=["new-prompts"] * 3 + ["known-prompts"] * 3)
    with pytest.raises(ValueError, match="new-prompts and known-prompts are not comparable"):
        plot.mae_by_annotator(mixed)
    with pytest.raises(ValueError, match="new-prompts and known-prompts are not comparable"):
        plot.error_by_disagreement(mixed.rename(columns={"annotator": "prompt"}).assign(sd=0.1))
    many = pd.DataFrame({"method": list("abcdefg"), "setting": "oracle", "annotator": 1, "mae": 0.1})
    with pytest.raises(ValueError, match="6 methods apart, not 7"):
        plot.mae_by_annotator(many)
    with pytest.raises(ValueError, match="nobody has an error"):
        plot.mae_by_annotator(by_annotator(mae=NAN))


def test_error_stands_against_disagreement() -> None:
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"method": "m", "setting": "oracle", "prompt": range(12), "sd": rng.random(12)})
    table["mae"] = table["sd"] / 2 + 0.1 * rng.random(12)
    table.loc[3, "mae"] = NAN
    ax = plot.error_by_disagreement(table)
    known = table.dropna()
    np.testing.assert_allclose(ax.collections[0].get_offsets(), known[["sd", "mae"]])
    rho = spearmanr(known["sd"], known["mae"]).statistic
    assert legend(ax) == [f"m (rank correlation {rho:.3g})"]
    told = plot.describe_error_by_disagreement(table)
    ordered = known.sort_values("sd")["mae"].to_numpy()
    assert f"mean error {ordered[:4].mean():.3g} to {ordered[8:].mean():.3g} from the third" in told
    assert "m: 11 prompts" in told and render(ax)
    with pytest.raises(ValueError, match="has no rows"):
        plot.error_by_disagreement(table.assign(sd=NAN))


def test_a_curve_has_a_line_and_a_band_a_strategy() -> None:
    table = pd.DataFrame(
        {"strategy": ["active"] * 2 + ["random"] * 2, "k": [0, 10, 0, 10], "mae": [0.22, 0.175, 0.22, 0.181]}
    ).assign(mae_lo=lambda t: t["mae"] - 0.01, mae_hi=lambda t: t["mae"] + 0.01)
    ax = plot.mae_curve(table)
    assert [line.get_ydata().tolist() for line in ax.lines] == [[0.22, 0.175], [0.22, 0.181]]
    bands = [c.get_paths()[0].get_extents() for c in ax.collections]
    assert [(round(b.y0, 3), round(b.y1, 3)) for b in bands] == [(0.165, 0.23), (0.171, 0.23)]
    assert legend(ax) == ["active", "random"] and render(ax)
    assert plot.describe_mae_curve(table.assign(simulated=True)) == (
        "Simulated data. Line chart of error against questions asked: active from 0.22 after 0 to 0.175 after 10 "
        "questions; random from 0.22 after 0 to 0.181 after 10 questions."
    )
    with pytest.raises(ValueError, match="mae_curve needs the columns"):
        plot.mae_curve(table.drop(columns="mae_lo"))


def test_calibration_leaves_empty_bins_out() -> None:
    table = pd.DataFrame({"predicted": [0.1, NAN, 0.9], "rating": [0.2, NAN, 0.7], "n": [10, 0, 30]})
    ax = plot.calibration(table)
    np.testing.assert_allclose(ax.collections[0].get_offsets(), [[0.1, 0.2], [0.9, 0.7]])
    sizes = ax.collections[0].get_sizes()
    assert sizes[1] > sizes[0] and render(ax)
    told = plot.describe_calibration(table)
    assert "2 bins of predictions, 0.175 apart on average; farthest where 0.9 was predicted and 0.7 rated" in told
    with pytest.raises(ValueError, match="has no rows"):
        plot.calibration(table.assign(n=0))
