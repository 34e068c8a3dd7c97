"""A selection: how the search came to its distance, and what it achieved against its target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from pluristats.display.labels import display_label
from pluristats.plot.theme import BLUE, GREY, INK, ORANGE, count, need, new_axes, number, plain, safe, simulated, style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

TRACE = ("generation", "distance", "mean_distance", "seconds")
ACHIEVED = ("axis", "category", "target", "achieved")


def selection_trace(table: pd.DataFrame, bound: float | None = None, *, ax: Axes | None = None) -> Axes:
    """The least and the mean distance of the individuals that are kept, by generation; the bound as a dashed line.

    Parameters
    ----------
    table
        `Selection.trace`: ``generation``, ``distance``, ``mean_distance``, ``seconds``.
    bound
        Distance that no selection is below; None draws none.
    ax
        Where to draw; a new figure when absent.
    """
    need(table, TRACE, "selection_trace")
    with style():
        ax = new_axes(7.0, 3.6) if ax is None else ax
        ax.plot(
            table["generation"],
            table["mean_distance"],
            color=ORANGE,
            marker="s",
            markersize=4,
            label="mean of those kept",
        )
        ax.plot(table["generation"], table["distance"], color=BLUE, marker="o", markersize=4, label="best")
        if bound is not None:
            ax.axhline(bound, color=INK, linestyle="--", linewidth=1)
            text = f"no selection is below {number(bound)}"
            ax.annotate(text, (1, bound), xycoords=("axes fraction", "data"), xytext=(-4, 4),
                        textcoords="offset points", ha="right", color=INK, fontsize="small")  # fmt: skip
        values = table[["distance", "mean_distance"]].to_numpy(dtype=float)
        if values.max() > 5 * values.min():
            ax.set_yscale("log")
        ax.locator_params(axis="x", integer=True)
        ax.set_xlabel("generation")
        ax.set_ylabel("Jensen-Shannon distance")
        ax.legend(loc="upper right")
        if simulated(table):
            ax.set_title("SIMULATED pool")
    return ax


def describe_selection_trace(table: pd.DataFrame, bound: float | None = None) -> str:
    """Alternative text of :func:`selection_trace`, from the same arguments."""
    need(table, TRACE, "selection_trace")
    first, last = table.iloc[0], table.iloc[-1]
    below = (
        ""
        if bound is None
        else f" No selection is below {number(bound)}: it is {last['distance'] / bound:.2f} times that."
    )
    return (
        f"{'Simulated pool. ' if simulated(table) else ''}Line chart of the distance to the target over "
        f"{count(int(last['generation']), 'generation')}: the best falls from {number(float(first['distance']))} to "
        f"{number(float(last['distance']))} in {number(float(last['seconds']))} s.{below}"
    )


def selection_achieved(
    table: pd.DataFrame, axis: str, labels: Mapping[str, str] | None = None, *, ax: Axes | None = None
) -> Axes:
    """Shares of one axis: achieved as bars, wanted as diamonds.

    Parameters
    ----------
    table
        `Selection.tidy`: ``axis``, ``category``, ``target``, ``achieved``.
    axis
        Which.
    labels
        Readable names of categories, as ``study.labels``.
    ax
        Where to draw; a new figure when absent.
    """
    rows = _rows(table, axis)
    with style():
        ax = new_axes(7.4, 1.3 + 0.24 * len(rows)) if ax is None else ax
        at = np.arange(len(rows))
        ax.barh(at, rows["achieved"], color=BLUE, edgecolor=INK, height=0.7, label="achieved")
        ax.plot(rows["target"], at, "D", color=ORANGE, markeredgecolor=INK, label="wanted")
        ax.set_yticks(at, [safe(_name(axis, value, labels)) for value in rows["category"]])
        ax.set_ylim(len(rows) - 0.4, -0.6)
        ax.set_xlim(0, 1.1 * float(rows[["achieved", "target"]].to_numpy().max()))
        ax.grid(visible=False, axis="y")
        ax.set_xlabel("share of the selection")
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
        if simulated(table):
            ax.set_title("SIMULATED pool", loc="right", color=GREY)
    return ax


def describe_selection_achieved(table: pd.DataFrame, axis: str, labels: Mapping[str, str] | None = None) -> str:
    """Alternative text of :func:`selection_achieved`, from the same arguments."""
    rows = _rows(table, axis)
    off = (rows["achieved"] - rows["target"]).abs().sort_values(ascending=False, kind="stable").head(3)
    worst = "; ".join(
        f"{plain(_name(axis, rows.loc[i, 'category'], labels))} {number(100 * rows.loc[i, 'achieved'])} % for "
        f"{number(100 * rows.loc[i, 'target'])} %"
        for i in off.index
    )
    return (
        f"{'Simulated pool. ' if simulated(table) else ''}Bar chart of achieved against wanted shares of "
        f"{len(rows)} categories of the axis {plain(axis)}; farthest off: {worst}."
    )


def _rows(table: pd.DataFrame, axis: str) -> pd.DataFrame:
    need(table, ACHIEVED, "selection_achieved")
    rows = table[table["axis"].eq(axis)].reset_index(drop=True)
    if not len(rows):
        raise ValueError(f"there is no axis {axis!r}; there are {', '.join(map(str, table['axis'].unique()))}.")
    return rows


def _name(axis: str, category: object, labels: Mapping[str, str] | None) -> str:
    """Readable name; categories of columns come without their prefix."""
    column = {"action": "action_", "effect": "effect_", "value": "value_topic_"}.get(axis, "") + str(category)
    return display_label(column, labels)
