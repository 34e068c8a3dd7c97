"""Errors of methods in one setting, beside the paper's."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from pluristats.plot.theme import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    count,
    legend_below,
    need,
    new_axes,
    number,
    plain,
    safe,
    style,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

BARS = ("method", "setting", "personalised", "aggregate", "source")


def mae_bars(table: pd.DataFrame, setting: str = "new-prompts", *, ax: Axes | None = None) -> Axes:
    """Mean absolute error of each method in one setting, personalised and aggregate, the least on top.

    Settings are not comparable, so a figure has one; the paper's rows (hatched) stand in ``new-prompts`` alone. An A
    after the number says aggregate, for whom the colours are one.

    Parameters
    ----------
    table
        `Evaluation.published`: ``method``, ``setting``, ``personalised``, ``aggregate``, ``source``; intervals are
        drawn where there are ``personalised_lo`` … ``aggregate_hi``.
    setting
        Which.
    ax
        Where to draw; a new figure when absent.
    """
    rows = _bar_rows(table, setting)
    with style():
        from matplotlib.patches import Patch

        ax = new_axes(7.6, 1.8 + 0.3 * len(rows)) if ax is None else ax
        kinds = [kind for kind in ("personalised", "aggregate") if rows[kind].notna().any()]
        for kind in kinds:
            colour, both = (BLUE if kind == "personalised" else ORANGE), rows[["personalised", "aggregate"]].notna()
            shift = np.where(both.all(axis=1), -0.2 if kind == "personalised" else 0.2, 0.0)
            for theirs in (False, True):
                at = (rows[kind].notna() & rows["source"].eq("published").eq(theirs)).to_numpy()
                if not at.any():
                    continue
                part, y = rows[at], (np.arange(len(rows), dtype=np.float64) + shift)[at]
                height = np.where(shift[at] == 0, 0.72, 0.36)
                face, edge, hatch = ("white", colour, "////") if theirs else (colour, INK, "")
                ax.barh(y, part[kind], height=height, facecolor=face, edgecolor=edge, hatch=hatch)
                _ends(ax, part, kind, y)
        named = {"personalised": (BLUE, "personalised"), "aggregate": (ORANGE, "aggregate (A)")}
        handles = [Patch(facecolor=named[k][0], edgecolor=INK, label=named[k][1]) for k in kinds]
        if rows["source"].eq("published").any():
            handles.append(Patch(facecolor="white", edgecolor=GREY, hatch="////", label="published"))
        ax.set_yticks(range(len(rows)), [safe(_bar_name(row)) for row in rows.to_dict("records")])
        ax.set_ylim(len(rows) - 0.4, -0.6)
        ax.set_xlim(0, 1.16 * float(np.nanmax(_reach(rows))))
        ax.grid(visible=False, axis="y")
        ax.set_xlabel(f"mean absolute error on 0–1 ({safe(setting)})")
        legend_below(ax, 0.6, 2, handles=handles)
        if rows["source"].eq("simulated data").any():
            ax.set_title(f"SIMULATED data{', beside published rows' if rows['source'].eq('published').any() else ''}")
    return ax


def describe_mae_bars(table: pd.DataFrame, setting: str = "new-prompts") -> str:
    """Alternative text of :func:`mae_bars`, from the same arguments."""
    rows = _bar_rows(table, setting)
    told = []
    for row in rows.to_dict("records"):
        kinds = [f"{kind} {number(row[kind])}" for kind in ("personalised", "aggregate") if row[kind] == row[kind]]
        told.append(f"{plain(_bar_name(row))} {' and '.join(kinds)}")
    simulated = "Simulated data. " if rows["source"].eq("simulated data").any() else ""
    return (
        f"{simulated}Bar chart of the mean absolute error of {count(len(rows), 'method')} in the setting "
        f"{plain(setting)}, least first: {'; '.join(told)}."
    )


def _bar_rows(table: pd.DataFrame, setting: str) -> pd.DataFrame:
    """Rows of the setting with a number, the least first."""
    need(table, BARS, "mae_bars")
    rows = table[table["setting"].eq(setting) & table[["personalised", "aggregate"]].notna().any(axis=1)]
    if not len(rows):
        there = ", ".join(dict.fromkeys(table["setting"].astype(str)))
        raise ValueError(f"plot.mae_bars: nothing in {setting!r}; there are {there}.")
    least = rows[["personalised", "aggregate"]].min(axis=1)
    return rows.iloc[np.argsort(least.to_numpy(dtype=np.float64), kind="stable")].reset_index(drop=True)


def _bar_name(row: Mapping[Hashable, object]) -> str:
    marks = {"published": " (published)", "simulated answers": " (SIMULATED answers)"}
    return f"{row['method']}{marks.get(str(row['source']), '')}"


def _reach(rows: pd.DataFrame) -> NDArray[np.float64]:
    names = [n for n in ("personalised", "aggregate", "personalised_hi", "aggregate_hi") if n in rows]
    return rows[names].to_numpy(dtype=np.float64)


def _ends(ax: Axes, part: pd.DataFrame, kind: str, y: NDArray[np.float64]) -> None:
    """The interval of each bar, where there is one, and its number to the right of both."""
    value = part[kind].to_numpy(dtype=np.float64)
    right = value
    if {f"{kind}_lo", f"{kind}_hi"} <= set(part):
        low, high = (part[f"{kind}_{end}"].to_numpy(dtype=np.float64) for end in ("lo", "hi"))
        known = ~np.isnan(low)
        if known.any():
            ax.errorbar(
                value[known],
                y[known],
                xerr=np.abs(np.stack([value - low, high - value])[:, known]),
                fmt="none",
                ecolor=INK,
                elinewidth=1,
                capsize=2,
            )
        right = np.where(known, high, value)
    for x, end, at in zip(value, right, y, strict=True):
        text = f"{x:.3f}{' A' if kind == 'aggregate' else ''}"
        ax.annotate(text, (end, at), xytext=(4, 0), textcoords="offset points", va="center", fontsize="x-small")
