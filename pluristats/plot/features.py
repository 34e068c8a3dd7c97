"""Features of prompts: how often each occurs, ours beside another set's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pluristats.display.labels import display_label
from pluristats.plot.theme import BLUE, INK, ORANGE, count, need, new_axes, number, plain, safe, style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

COLUMNS = ("feature", "group", "present", "prompts", "simulated")


def feature_summary(
    table: pd.DataFrame, other: pd.DataFrame | None = None, other_name: str = "the study", *, ax: Axes | None = None
) -> Axes:
    """Share of prompts in which each feature occurs, as bars; another set's shares as diamonds.

    Parameters
    ----------
    table
        As `extract.feature_summary` gives it. If any row of it is simulated, the figure says so.
    other
        The same of other prompts; features that only one has are drawn for that one.
    other_name
        What the legend calls it.
    ax
        Where to draw; a new figure when absent.
    """
    rows = _rows(table, other)
    with style():
        ax = new_axes(7.4, 1.4 + 0.22 * len(rows)) if ax is None else ax
        at = range(len(rows))
        name = f"these prompts ({int(table['prompts'].max()):,}{', SIMULATED' if table['simulated'].any() else ''})"
        ax.barh(at, rows["present"], color=BLUE, edgecolor=INK, height=0.7, label=name)
        if other is not None:
            marked = f"{safe(other_name)} ({int(other['prompts'].max()):,}{_simulated(other)})"
            ax.plot(rows["other"], at, "D", color=ORANGE, markeredgecolor=INK, label=marked)
        ax.set_yticks(at, [safe(display_label(feature)) for feature in rows.index])
        ax.set_ylim(len(rows) - 0.4, -0.6)
        ax.set_xlim(0, 1)
        ax.grid(visible=False, axis="y")
        ax.set_xlabel("share of prompts in which the feature is not 0")
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return ax


def describe_feature_summary(
    table: pd.DataFrame, other: pd.DataFrame | None = None, other_name: str = "the study"
) -> str:
    """Alternative text of :func:`feature_summary`, from the same arguments."""
    rows = _rows(table, other)
    most = rows["present"].sort_values(ascending=False, kind="stable").dropna().head(5)
    shown = "; ".join(f"{plain(display_label(name))} {number(100 * share)} %" for name, share in most.items())
    beside = "" if other is None else f" Beside each the share in {plain(other_name)}{_simulated(other)}."
    simulated = "Simulated features. " if table["simulated"].any() else ""
    return (
        f"{simulated}Bar chart of how many of {int(table['prompts'].max()):,} prompts have each of "
        f"{count(len(table), 'feature')}; most often {shown}.{beside}"
    )


def _rows(table: pd.DataFrame, other: pd.DataFrame | None) -> pd.DataFrame:
    need(table, COLUMNS, "feature_summary")
    rows = table.set_index("feature")[["present"]]
    if other is None:
        return rows
    need(other, COLUMNS, "feature_summary")
    order = dict.fromkeys([*table["feature"], *other["feature"]])
    return rows.reindex(list(order)).assign(other=other.set_index("feature")["present"])


def _simulated(table: pd.DataFrame) -> str:
    return ", simulated" if table["simulated"].any() else ""
