"""Each figure draws the table's numbers, and its alternative text says them."""

from __future__ import annotations

import io

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.path import Path
from scipy import stats

from pluristats import plot
from pluristats.analysis import disagreement
from pluristats.study import load_study, simulate_study
from tests.plot.conftest import HOSTILE

NAN = float("nan")


def render(axes: object) -> bytes:
    """The figure as PNG: mathematics or missing fonts would fail here."""
    first = axes[0] if isinstance(axes, tuple | list | np.ndarray) else axes  # type: ignore[index]
    buffer = io.BytesIO()
    first.figure.savefig(buffer, format="png")
    return buffer.getvalue()


def legend(ax: plt.Axes) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def points(line: plt.Line2D) -> list[tuple[float, float]]:
    return [tuple(map(float, point)) for point in line.get_xydata()]


def intervals(container) -> list[np.ndarray]:
    """Ends of the error bars: (2, 2) arrays."""
    return [np.asarray(s) for s in container.lines[2][0].get_segments()]


# --- disagreement ---------------------------------------------------------------------------------------------------


def test_disagreement_draws_each_prompt_in_its_band(prompts):
    ax = plot.disagreement(prompts)
    bands = {c.get_label(): np.asarray(c.get_offsets()).tolist() for c in ax.collections}
    assert bands == {
        "level below 0.4 (1 prompt)": [[10.0, 12.0]],
        "level 0.4 to 0.8 (2 prompts)": [[45.0, 30.5], [55.0, 33.0]],
        "level above 0.8 (1 prompt)": [[90.0, 15.0]],
    }
    assert legend(ax)[-1] == "not drawn: 1 prompt"
    shapes = {c.get_paths()[0].vertices.shape for c in ax.collections}
    colours = {tuple(c.get_facecolor()[0]) for c in ax.collections}
    assert len(shapes) == 3 and len(colours) == 3
    assert render(ax)


def test_disagreement_shows_what_the_scale_allows(prompts):
    ax = plot.disagreement(prompts, measure="variance", scale=(0, 100))
    bound = {round(x, 3): y for x, y in points(ax.lines[0])}
    assert bound[50] == pytest.approx(2500) and bound[0] == pytest.approx(0)
    assert "Variance" in ax.get_ylabel()


def test_disagreement_in_words(prompts):
    text = plot.describe_disagreement(prompts, scale=(0, 100))
    assert "4 prompts" in text and "12 to 33" in text and "10 to 90" in text
    assert (
        "lower 12 (1 prompt); middle 31.8 (2 prompts); upper 15 (1 prompt)" in text
    )  # thirds of the scale: 10 | 45, 55 | 90
    assert "level 0.4 to 0.8 31.8 (2 prompts)" in text and "1 prompt without a value not drawn" in text


def test_disagreement_without_levels_or_values(prompts):
    unknown = prompts.assign(harm_level=NAN)
    ax = plot.disagreement(unknown)
    (points_,) = ax.collections
    assert len(points_.get_facecolor()) and points_.get_paths()[0].codes[-1] == Path.CLOSEPOLY  # filled, so visible
    assert legend(ax)[0] == "no harm level (4 prompts)"
    assert "no harm level 22.8 (4 prompts)" in plot.describe_disagreement(unknown)
    assert "no prompt has" in plot.describe_disagreement(prompts.assign(sd=NAN))


# --- by harm level --------------------------------------------------------------------------------------------------


def test_levels_draws_means_and_intervals_and_opens_markers_without(by_level):
    axes = plot.levels(by_level)
    for ax, measure in zip(axes, ("variance", "entropy"), strict=True):
        line = ax.lines[0]
        assert points(line) == list(zip(by_level["harm_level"], by_level[measure], strict=True))
        assert line.get_markerfacecolor() == "white"
        (container,) = ax.containers
        ends = [(s[0, 1], s[1, 1]) for s in intervals(container)]
        expected = by_level.loc[1:, [f"{measure}_low", f"{measure}_high"]].to_numpy()
        np.testing.assert_allclose(ends, expected)
        assert [t.get_text() for t in ax.get_xticklabels()] == ["0.0\n2", "0.5\n36", "1.0\n7"]
    assert render(axes)


def test_levels_in_words(by_level):
    text = plot.describe_levels(by_level)
    assert "3 harm levels" in text and "levels 0.4 to 0.8 shaded" in text
    assert "lowest 390 at 0, highest 890 at 0.5" in text
    assert "from 1.86 at level 0 to 2.28 at level 1" in text
    assert "no values" in plot.describe_levels(by_level.assign(variance=NAN))


def test_levels_takes_a_pair_of_axes(by_level):
    _, axes = plt.subplots(1, 2)
    assert plot.levels(by_level, middle=None, ax=axes) is axes
    with pytest.raises(ValueError, match="two panels"):
        plot.levels(by_level, ax=axes[0])


def test_many_levels_have_no_counts_below(by_level):
    many = pd.concat([by_level.iloc[[1]].assign(harm_level=level) for level in np.linspace(0, 1, 30)])
    assert plot.levels(many)[0].get_xlabel() == "Harm level"


def test_rating_distributions_draws_roots_of_shares():
    table = pd.DataFrame(
        {
            "harm_level": [0.2, 0.2, 0.6, 0.6],
            "low": [0.0, 50.0, 0.0, 50.0],
            "high": [50.0, 100.0, 50.0, 100.0],
            "n": [9, 1, 5, 5],
            "share": [0.9, 0.1, 0.5, 0.5],
        }
    )
    ax = plot.rating_distributions(table)
    outlines = [outline.get_data() for outline in ax.patches]
    assert [(list(o.edges), o.baseline) for o in outlines] == [([0, 50, 100], 0), ([0, 50, 100], 1)]
    heights = np.concatenate([o.values - o.baseline for o in outlines])
    np.testing.assert_allclose((heights / heights[0]) ** 2 * 0.9, table["share"])
    assert heights.max() < 1  # rows do not overlap
    assert [text.get_text() for text in ax.texts] == ["90 %", "10 %", "50 %", "50 %"]
    assert render(ax)
    text = plot.describe_rating_distributions(table)
    assert "2 harm levels" in text and "Level 0.2: 90 % in the lowest bin, 10 % in the highest" in text
    assert "A bin is 50 wide" in text


def test_missingness_draws_percent_and_overall_rate():
    table = pd.DataFrame(
        {
            "harm_level": [0.1, 0.5],
            "asked": [100, 300],
            "unsure": [0, 8],
            "rate": [0.0, 8 / 300],
            "conf_low": [0.0, 0.013],
            "conf_high": [0.037, 0.052],
        }
    )
    ax = plot.missingness(table)
    (container,) = ax.containers
    assert points(container.lines[0]) == [(0.1, 0.0), (0.5, pytest.approx(8 / 3))]
    np.testing.assert_allclose([(s[0, 1], s[1, 1]) for s in intervals(container)], [(0, 3.7), (1.3, 5.2)])
    assert legend(ax) == ["all levels: 2 %"]
    assert render(ax)
    text = plot.describe_missingness(table)
    assert "8 of 400 (2 %)" in text and "0.5: 2.7 %" in text


# --- forest ---------------------------------------------------------------------------------------------------------

GROUPS = {"actions": ("action_Child_Harm", "action_Privacy"), "traits": ("Gender",), "demographics": ("Gender",)}


def drawn_terms(ax: plt.Axes) -> dict[str, tuple[float, float, float, bool]]:
    """Label -> estimate, low, high, filled."""
    labels = [tick.get_text() for tick in ax.get_yticklabels()]
    found = {}
    for container in ax.containers:
        line = container.lines[0]
        ((x, y),) = points(line)
        ((start, end),) = ((s[0, 0], s[1, 0]) for s in intervals(container))
        filled = line.get_markerfacecolor() != "white"
        found[labels[round(y)]] = (x, pytest.approx(start), pytest.approx(end), filled)
    return found


def test_forest_draws_estimates_and_intervals_by_group(tidy):
    ax = plot.forest(tidy, GROUPS)
    assert [tick.get_text() for tick in ax.get_yticklabels()] == [
        "Actions",
        "Child harm",
        "Privacy",
        "Traits",
        "Gender",
        "Traits × actions",
        "Gender × Child harm",
        "Other",
        "Odd",
    ]
    assert drawn_terms(ax) == {
        "Child harm": (0.2, 0.1, 0.3, True),
        "Privacy": (-0.3, -0.4, -0.2, True),
        "Gender": (0.05, -0.1, 0.2, False),
        "Gender × Child harm": (0.034, 0.01, 0.06, True),
        "Odd": (-0.01, -0.02, -0.005, True),
    }
    colours = {container.lines[0].get_color() for container in ax.containers}
    markers = {container.lines[0].get_marker() for container in ax.containers}
    assert len(colours) == len(markers) == 4
    assert ax.yaxis_inverted()
    assert render(ax)


def test_forest_without_groups_is_sorted_and_top_says_how_many(tidy):
    ax = plot.forest(tidy, top=3)
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["Child harm", "Gender", "Privacy"]
    assert ax.get_title(loc="left") == "The 3 of 5 terms furthest from 0"
    with pytest.raises(ValueError, match="at least 1"):
        plot.forest(tidy, top=0)


def test_forest_in_words(tidy):
    text = plot.describe_forest(tidy, GROUPS)
    assert "5 coefficients" in text and "actions, traits, traits × actions, other" in text
    assert "exclude 0 for 4: 2 positive and 2 negative" in text
    assert "Largest: Child harm 0.2; Gender 0.05; Gender × Child harm 0.034." in text
    assert "Smallest: Privacy -0.3; Odd -0.01." in text
    assert "the 3 coefficients furthest from 0 of 5" in plot.describe_forest(tidy, top=3)


@pytest.mark.filterwarnings("ignore:Glyph .* missing from font")
def test_hostile_names_are_drawn_as_text(tidy, rungs):
    bad = tidy.assign(term=[HOSTILE + str(i) for i in range(len(tidy))])
    assert render(plot.forest(bad, {HOSTILE: (HOSTILE + "1",)}, labels={HOSTILE + "1": HOSTILE}))
    assert plot.describe_forest(bad, {HOSTILE: ()})
    assert render(plot.ladder(rungs.assign(spec=rungs["spec"] + HOSTILE, model=rungs["model"] + "$" + HOSTILE)))


def test_terms_of_the_same_label_keep_their_rows(tidy):
    twins = tidy.assign(term=["(Intercept)", "a_b", "a b", "A b", "A_b", "a__b"])
    ax = plot.forest(twins)
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["A b"] * 5
    assert sorted(points(c.lines[0])[0][0] for c in ax.containers) == [-0.3, -0.01, 0.034, 0.05, 0.2]


# --- ladder ---------------------------------------------------------------------------------------------------------


def test_ladder_draws_bars_hatched_where_rows_differ(rungs):
    ax = plot.ladder(rungs)
    bars = {(round(bar.get_width(), 1), bar.get_hatch()) for bar in ax.patches}
    assert bars == {(-1357.4, "////"), (-600.0, None), (-217.0, None), (31.5, None)} or bars == {
        (-1357.4, "////"),
        (-600.0, ""),
        (-217.0, ""),
        (31.5, ""),
    }
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["Model 1", "Model 2"]
    assert legend(ax) == [
        "published procedure",
        "common rows",
        "published (in the paper)",
        "hatched: the two models have different rows",
    ]
    reference = next(line for line in ax.lines if line.get_marker() == "D")
    assert [x for x, _ in points(reference)] == [-1338.0, -526.0]
    assert reference.get_markerfacecolor() == "none"
    # Every bar and marker stands nearest to the tick of its model.
    for bar in ax.patches:
        model = 0 if bar.get_width() in (-1357.4, -217.0) else 1
        assert round(bar.get_y() + bar.get_height() / 2) == model
    assert {text.get_text() for text in ax.texts} == {
        "-1,357  n 14,285",
        "-600  n 14,285",
        "-217  n 14,285",
        "+32  n 14,285",
        "-1,338",
        "-526",
    }
    assert render(ax)


def test_ladder_on_the_same_rows_has_no_hatching(rungs):
    ax = plot.ladder(rungs[rungs["spec"] == "common rows"])
    assert not [bar for bar in ax.patches if bar.get_hatch()]
    assert legend(ax) == ["common rows"]


def test_rungs_that_are_numbers_are_called_models(rungs):
    numbered = rungs.assign(model=rungs["model"].str.removeprefix("Model "))
    assert [tick.get_text() for tick in plot.ladder(numbered).get_yticklabels()] == ["Model 1", "Model 2"]
    assert plot.describe_ladder(numbered) == plot.describe_ladder(rungs)


def test_ladder_in_words(rungs):
    text = plot.describe_ladder(rungs)
    assert "published procedure (bars): Model 1 -1,357 (different rows); Model 2 -600." in text
    assert "published (open markers): Model 1 -1,338 (different rows); Model 2 -526." in text


# --- residuals ------------------------------------------------------------------------------------------------------


def test_residuals_draws_points_group_means_and_quantiles():
    rng = np.random.default_rng(4)
    augmented = pd.DataFrame({"fitted": rng.normal(size=200), "resid": rng.normal(size=200) * 3})
    left, right = plot.residuals(augmented)
    np.testing.assert_array_equal(left.collections[0].get_offsets(), augmented[["fitted", "resid"]])
    trend = left.lines[-1].get_xydata()
    in_order = augmented.sort_values("fitted")
    np.testing.assert_allclose(trend[0], in_order.iloc[:10].mean())
    np.testing.assert_allclose(trend[-1], in_order.iloc[-10:].mean())
    assert len(trend) == 20
    theory, sample = right.lines[1].get_xydata().T
    np.testing.assert_allclose(theory, stats.norm.ppf((np.arange(1, 201) - 0.5) / 200))
    np.testing.assert_allclose(sample, np.sort(stats.zscore(augmented["resid"], ddof=1)))
    assert render((left, right))
    text = plot.describe_residuals(augmented)
    assert "200 residuals" in text
    low, high = np.quantile(sample, [0.025, 0.975])
    assert f"between {low:.2f} and {high:.2f}" in text


def test_many_quantiles_are_thinned_to_what_can_be_told_apart():
    resid = np.random.default_rng(5).normal(size=20_000)
    _, right = plot.residuals(pd.DataFrame({"fitted": resid, "resid": resid}))
    theory, sample = right.lines[1].get_xydata().T
    assert len(theory) < 600
    everything = np.sort(stats.zscore(resid, ddof=1))
    np.testing.assert_array_equal(sample[:40], everything[:40])  # every point of the tails, where they lie apart
    np.testing.assert_array_equal(sample[-40:], everything[-40:])
    assert np.diff(theory[40:-40]).max() < 0.08 > np.diff(sample[40:-40]).max()  # on axes that are 8 long


def test_residuals_that_do_not_vary():
    flat = pd.DataFrame({"fitted": [1.0, 2.0, 3.0], "resid": [0.0, 0.0, 0.0]})
    assert render(plot.residuals(flat))
    assert "between 0 and 0" in plot.describe_residuals(flat)


# --- all ------------------------------------------------------------------------------------------------------------

NAMES = ("disagreement", "levels", "rating_distributions", "missingness", "forest", "ladder", "residuals")


@pytest.mark.parametrize("name", NAMES)
def test_a_table_that_lacks_columns_or_rows_is_refused(name):
    for function in (getattr(plot, name), getattr(plot, f"describe_{name}")):
        with pytest.raises(ValueError, match=rf"plot\.{name} needs the columns .*; the table lacks"):
            function(pd.DataFrame({"nonsense": [1]}))


def test_an_empty_table_is_refused(tidy, rungs):
    with pytest.raises(ValueError, match=r"plot\.forest: the table has no rows"):
        plot.forest(tidy[:1])  # the intercept alone
    with pytest.raises(ValueError, match=r"plot\.ladder: the table has no rows"):
        plot.ladder(rungs[:1])


def test_given_axes_are_drawn_on(prompts, tidy, rungs):
    for function, table in ((plot.disagreement, prompts), (plot.forest, tidy), (plot.ladder, rungs)):
        _, ax = plt.subplots()
        assert function(table, ax=ax) is ax


@pytest.mark.parametrize("data", ["simulated", pytest.param("release", marks=pytest.mark.release)])
def test_figures_of_a_whole_study(data, request):
    study = simulate_study(20, 40) if data == "simulated" else load_study(request.getfixturevalue("release_path"))
    prompts = disagreement.prompt_statistics(study)
    tables = {
        "disagreement": prompts,
        "levels": disagreement.by_harm_level(study, permutations=99, resamples=99).table,
        "rating_distributions": disagreement.rating_histogram(study),
        "missingness": disagreement.unsure(study).by_level,
    }
    for name, table in tables.items():
        assert render(getattr(plot, name)(table)).startswith(b"\x89PNG")
        text = getattr(plot, f"describe_{name}")(table)
        assert "nan" not in text.casefold() and "unknown" not in text
