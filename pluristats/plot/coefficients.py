"""Coefficient forest: one row a term, estimate with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pluristats.display.labels import display_label, group_of
from pluristats.plot.theme import GREY, INK, MARKERS, PALETTE, count, need, new_axes, number, safe, style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

Groups = Mapping[str, Sequence[str]]

COLUMNS = ("term", "estimate", "conf_low", "conf_high")
INTERCEPT = "(Intercept)"


@dataclass(frozen=True)
class Row:
    """A row of the forest, from the top: a heading, or a term with its place in the table.

    Parameters
    ----------
    text
        What stands beside it.
    position
        Row of the table, None for a heading.
    group
        Number of the group, 0 for the first.
    """

    text: str
    position: int | None
    group: int


def forest(
    tidy: pd.DataFrame,
    groups: Groups | None = None,
    top: int | None = None,
    *,
    labels: Mapping[str, str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Coefficients with their intervals, largest first, by feature group.

    A filled marker means that the interval does not include 0, an open one that it does. The intercept is left out.

    Parameters
    ----------
    tidy
        One row a term, as ``fit.tidy()``: ``term``, ``estimate``, ``conf_low``, ``conf_high``.
    groups
        Columns by feature group (``study.groups``): terms are drawn group by group. None draws one list.
    top
        Draw only the ``top`` terms furthest from 0; the title says so.
    labels
        Readable names by column (``study.labels``).
    ax
        Where to draw; a new figure, as tall as the rows need, when absent.
    """
    table = _terms(tidy)
    rows = layout(tidy, groups, top, labels)
    with style():
        ax = new_axes(7.4, 1.1 + 0.235 * len(rows)) if ax is None else ax
        ax.axvline(0, color=INK, linewidth=1)
        estimate, low, high = (table[name].to_numpy(dtype=np.float64) for name in COLUMNS[1:])
        for y, row in enumerate(rows):
            if row.position is None:
                continue
            i, colour = row.position, PALETTE[row.group % len(PALETTE)]
            ax.errorbar(
                estimate[i],
                y,
                xerr=[[max(0.0, estimate[i] - low[i])], [max(0.0, high[i] - estimate[i])]],
                color=colour,
                marker=MARKERS[row.group % len(MARKERS)],
                markersize=5,
                markerfacecolor="white" if low[i] <= 0 <= high[i] else colour,
                elinewidth=1.4,
            )
        ax.set_yticks(range(len(rows)), [row.text for row in rows])
        for tick, row in zip(ax.get_yticklabels(), rows, strict=True):
            if row.position is None:
                tick.set_fontweight("bold")
        ax.set_ylim(len(rows) - 0.4, -0.6)  # first row at the top
        ax.grid(axis="y", linewidth=0.5)
        ax.set_xlabel("Estimate with interval\n(open marker: the interval includes 0)")
        shown = sum(row.position is not None for row in rows)
        if shown < len(table):
            ax.set_title(f"The {shown:,} of {len(table):,} terms furthest from 0", fontweight="normal")
        ax.tick_params(axis="y", length=0)
        ax.spines[["left", "right", "top"]].set_visible(False)
        ax.spines["bottom"].set_color(GREY)
    return ax


def describe_forest(
    tidy: pd.DataFrame,
    groups: Groups | None = None,
    top: int | None = None,
    *,
    labels: Mapping[str, str] | None = None,
) -> str:
    """Alternative text of :func:`forest`, from the same arguments."""
    table = _terms(tidy)
    rows = [row for row in layout(tidy, groups, top, labels) if row.position is not None]
    drawn = table.iloc[[row.position for row in rows if row.position is not None]]
    clear = ~((drawn["conf_low"] <= 0) & (drawn["conf_high"] >= 0))
    up, down = (int((clear & side).sum()) for side in (drawn["estimate"] > 0, drawn["estimate"] < 0))
    which = f"{count(len(drawn), 'coefficient')}"
    if len(drawn) < len(table):
        which = f"the {len(drawn):,} coefficients furthest from 0 of {len(table):,}"
    grouped = f", in the groups {', '.join(dict.fromkeys(_groups(drawn, groups)))}" if groups else ""
    text = [
        f"Forest plot of {which}{grouped}, with intervals, which exclude 0 for {int(clear.sum()):,}: {up:,} positive "
        f"and {down:,} negative."
    ]
    ordered = drawn.sort_values("estimate", ascending=False, kind="stable")
    for name, part in (("Largest", ordered[:3]), ("Smallest", ordered[::-1][: min(3, max(0, len(ordered) - 3))])):
        if len(part):
            each = [
                f"{_text(term, labels)} {number(value)}" for term, value in zip(part.term, part.estimate, strict=True)
            ]
            text.append(f"{name}: {'; '.join(each)}.")
    return " ".join(text)


def layout(
    tidy: pd.DataFrame, groups: Groups | None = None, top: int | None = None, labels: Mapping[str, str] | None = None
) -> list[Row]:
    """Rows of the forest from the top: groups in their order, within a group the largest estimate first.

    Parameters
    ----------
    tidy, groups, top, labels
        As in :func:`forest`; positions count the rows of ``tidy`` without the intercept.
    """
    table = _terms(tidy)
    if top is not None and top < 1:
        raise ValueError(f"top is how many terms to draw, at least 1, not {top}.")
    estimate = table["estimate"].to_numpy(dtype=np.float64)
    kept = np.sort(np.argsort(-np.abs(estimate), kind="stable")[:top])
    names = _groups(table, groups)
    order = [*(groups or {}), *names]  # groups of the study first, interactions and "other" as they come
    present = [name for name in dict.fromkeys(order) if any(names[i] == name for i in kept)]
    rows: list[Row] = []
    for number_of_group, name in enumerate(present):
        if groups:
            rows.append(Row(safe(name[:1].upper() + name[1:]), None, number_of_group))
        members = sorted((i for i in kept if names[i] == name), key=lambda i: -estimate[i])
        rows += [Row(safe(_text(table["term"].iloc[i], labels)), int(i), number_of_group) for i in members]
    return rows


def _terms(tidy: pd.DataFrame) -> pd.DataFrame:
    """Rows of the table but the intercept."""
    need(tidy, COLUMNS, "forest")
    table = tidy[tidy["term"].astype(str) != INTERCEPT].reset_index(drop=True)
    need(table, COLUMNS, "forest")
    return table


def _groups(table: pd.DataFrame, groups: Groups | None) -> list[str]:
    columns = {name: tuple(members) for name, members in (groups or {}).items()}
    return [group_of(term, columns) for term in table["term"]]


def _text(term: object, labels: Mapping[str, str] | None) -> str:
    return display_label(term, labels)
