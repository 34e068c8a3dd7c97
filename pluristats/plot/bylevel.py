"""Figures whose horizontal or vertical order is the harm level: disagreement, ratings, Unsure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pluristats.plot.theme import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    VERMILION,
    count,
    level_text,
    need,
    new_axes,
    number,
    pair,
    style,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_MEASURES = (
    ("variance", "Mean variance within prompts", BLUE, "o"),
    ("entropy", "Mean entropy within prompts (bits)", VERMILION, "s"),
)
_MOST_TICKS = 15
# Height of the largest bar, in rows.
_ROW = 0.92


def levels(
    table: pd.DataFrame, *, middle: tuple[float, float] | None = (0.4, 0.8), ax: Sequence[Axes] | None = None
) -> Any:
    """Variance and entropy by harm level, with their intervals; two panels.

    Parameters
    ----------
    table
        One row a level, as ``by_harm_level(study).table``: ``harm_level``, ``prompts``, and ``variance``,
        ``variance_low``, ``variance_high``, ``entropy``, ``entropy_low``, ``entropy_high``. A level without an
        interval (too few prompts) has an open marker.
    middle
        Band of levels to shade; None for none.
    ax
        Two axes; those of a new figure when absent.

    Returns
    -------
    The two axes.
    """
    need(table, ("harm_level", "prompts", *_columns()), "levels")
    with style():
        axes = pair(ax, 8.4, 3.6)
        for panel, (measure, label, colour, marker) in zip(axes, _MEASURES, strict=True):
            if middle is not None:
                panel.axvspan(*_around(middle, table), color=ORANGE, alpha=0.15, linewidth=0)
            low, high = table[measure] - table[f"{measure}_low"], table[f"{measure}_high"] - table[measure]
            bounded = low.notna() & high.notna()
            panel.plot(
                table["harm_level"], table[measure], color=colour, marker=marker, markerfacecolor="white", linewidth=1
            )
            panel.errorbar(
                table.loc[bounded, "harm_level"],
                table.loc[bounded, measure],
                yerr=[low[bounded].clip(lower=0), high[bounded].clip(lower=0)],
                color=colour,
                marker=marker,
                linestyle="",
                elinewidth=1.4,
                capsize=3,
            )
            panel.set_ylabel(label)
            panel.set_ylim(bottom=0)
            _level_ticks(panel, table["harm_level"], table["prompts"], "prompts")
    return axes


def describe_levels(table: pd.DataFrame, *, middle: tuple[float, float] | None = (0.4, 0.8)) -> str:
    """Alternative text of :func:`levels`, from the same arguments."""
    need(table, ("harm_level", "prompts", *_columns()), "levels")
    shaded = f", levels {middle[0]:g} to {middle[1]:g} shaded" if middle is not None else ""
    text = [f"Two line charts over {count(len(table), 'harm level')} with bootstrap intervals{shaded}."]
    for measure, label, _, _ in _MEASURES:
        values = table[table[measure].notna()]
        if not len(values):
            text.append(f"{label}: no values.")
            continue
        order = np.argsort(values[measure].to_numpy(dtype=np.float64), kind="stable")
        least, most = values.iloc[order[0]], values.iloc[order[-1]]
        ends = f"from {number(values[measure].iloc[0])} at level {values['harm_level'].iloc[0]:g}"
        ends += f" to {number(values[measure].iloc[-1])} at level {values['harm_level'].iloc[-1]:g}"
        text.append(
            f"{label}: {ends}; lowest {number(least[measure])} at {least['harm_level']:g}, "
            f"highest {number(most[measure])} at {most['harm_level']:g}."
        )
    return " ".join(text)


def rating_distributions(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Histogram of the ratings of each harm level, one above the other, with the shares of the two end bins.

    Narrow bins show heaping: spikes at the ends and at round numbers are answers that many people give. The height of
    a bar is the square root of its share, or the spikes at the ends would flatten the rest; all rows have one scale.

    Parameters
    ----------
    table
        One row a level and bin, as ``rating_histogram``: ``harm_level``, ``low``, ``high``, ``share`` of the level's
        ratings. The bins of a level adjoin.
    ax
        Where to draw; a new figure when absent.
    """
    need(table, ("harm_level", "low", "high", "share"), "rating_distributions")
    harm = np.unique(table["harm_level"])
    least, most = float(table["low"].min()), float(table["high"].max())
    with style():
        ax = new_axes(7.2, 1.4 + 0.42 * len(harm)) if ax is None else ax
        highest = max(float(table["share"].max()), 1e-12)
        for row, level in enumerate(harm):
            part = table[table["harm_level"] == level].sort_values("low")
            height = np.sqrt(part["share"] / highest) * _ROW
            edges = np.append(part["low"], part["high"].iloc[-1])
            # One outline a level: a page would carry every bar of its own as a path.
            ax.stairs(row + height, edges, baseline=row, fill=True, color=BLUE, linewidth=0)
            ax.axhline(row, color=GREY, linewidth=0.6)
            bottom, top = _end_shares(part, least, most)
            margin = 0.01 * (most - least)
            for x, share, side in ((least - margin, bottom, "right"), (most + margin, top, "left")):
                ax.text(x, row + 0.3, f"{100 * share:.0f} %", ha=side, va="center", fontsize="small", color=BLUE)
        ax.grid(visible=False, axis="y")
        ax.set_yticks(np.arange(len(harm)) + 0.3, level_text(harm))
        ax.tick_params(axis="y", length=0, pad=44)  # room for the shares
        ax.set_ylim(-0.1, len(harm) + 0.1)
        ax.set_xlim(least, most)
        ax.set_xlabel("Rating; at both ends the share of the level's ratings in the end bin")
        ax.set_ylabel("Harm level")
        ax.spines[["left", "right", "top"]].set_visible(False)
    return ax


def describe_rating_distributions(table: pd.DataFrame) -> str:
    """Alternative text of :func:`rating_distributions`."""
    need(table, ("harm_level", "low", "high", "share"), "rating_distributions")
    text = [f"Histograms of the ratings, one row for each of {count(table['harm_level'].nunique(), 'harm level')}."]
    low, high = float(table["low"].min()), float(table["high"].max())
    for level, part in table.groupby("harm_level"):
        bottom, top = _end_shares(part, low, high)
        text.append(f"Level {level:g}: {100 * bottom:.0f} % in the lowest bin, {100 * top:.0f} % in the highest.")
    width = float((table["high"] - table["low"]).median())
    return " ".join([*text, f"A bin is {number(width)} wide."])


def missingness(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Share of "Unsure" answers by harm level, with its interval.

    Parameters
    ----------
    table
        One row a level, as ``unsure(study).by_level``: ``harm_level``, ``asked``, ``unsure``, ``rate``,
        ``conf_low``, ``conf_high``.
    ax
        Where to draw; a new figure when absent.
    """
    need(table, ("harm_level", "asked", "unsure", "rate", "conf_low", "conf_high"), "missingness")
    with style():
        ax = new_axes(7.0, 3.6) if ax is None else ax
        rate = 100 * table["rate"]
        ax.errorbar(
            table["harm_level"],
            rate,
            yerr=[(rate - 100 * table["conf_low"]).clip(lower=0), (100 * table["conf_high"] - rate).clip(lower=0)],
            color=BLUE,
            marker="o",
            linestyle="",
            elinewidth=1.4,
            capsize=3,
        )
        overall = 100 * table["unsure"].sum() / table["asked"].sum()
        ax.axhline(overall, color=INK, linestyle="--", linewidth=1, label=f"all levels: {overall:.3g} %")
        ax.set_ylabel('Answers that are "Unsure" (%)')
        ax.set_ylim(bottom=0)
        ax.legend(loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0.3)
        _level_ticks(ax, table["harm_level"], table["unsure"], '"Unsure" answers')
    return ax


def describe_missingness(table: pd.DataFrame) -> str:
    """Alternative text of :func:`missingness`."""
    need(table, ("harm_level", "asked", "unsure", "rate", "conf_low", "conf_high"), "missingness")
    unsure, asked = int(table["unsure"].sum()), int(table["asked"].sum())
    percent = 100 * table["rate"].to_numpy(dtype=np.float64)
    rates = ", ".join(
        f"{level}: {value:.2g} %" for level, value in zip(level_text(table["harm_level"]), percent, strict=True)
    )
    return (
        f"Points with intervals: share of Unsure answers at {count(len(table), 'harm level')}; over all levels "
        f"{unsure:,} of {asked:,} ({100 * unsure / asked:.3g} %), drawn as a dashed line. By level: {rates}."
    )


def _columns() -> list[str]:
    return [f"{measure}{end}" for measure, *_ in _MEASURES for end in ("", "_low", "_high")]


def _around(middle: tuple[float, float], table: pd.DataFrame) -> tuple[float, float]:
    """Band widened to half a step of the levels, so that it does not end in the middle of a point."""
    steps = np.diff(np.unique(table["harm_level"]))
    half = float(np.median(steps)) / 2 if steps.size else 0.05
    return middle[0] - half, middle[1] + half


def _level_ticks(ax: Axes, levels: pd.Series, counts: pd.Series, what: str) -> None:
    """Tick at each level with the count below it, where there are few enough to read."""
    if len(levels) <= _MOST_TICKS:
        ax.set_xticks(levels, [f"{level}\n{n:,}" for level, n in zip(level_text(levels), counts, strict=True)])
        ax.set_xlabel(f"Harm level (below: {what})")
    else:
        ax.set_xlabel("Harm level")


def _end_shares(part: pd.DataFrame, low: float, high: float) -> tuple[float, float]:
    """Shares in the lowest and highest bin of the scale."""
    return float(part.loc[part["low"] == low, "share"].sum()), float(part.loc[part["high"] == high, "share"].sum())
