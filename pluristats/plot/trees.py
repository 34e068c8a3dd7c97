"""Harm-benefit trees: what each branch adds to a score, as bars and as the tree itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pluristats.distinct import group_codes
from pluristats.plot.theme import (
    BLUE,
    GREY,
    INK,
    VERMILION,
    count,
    need,
    new_axes,
    number,
    plain,
    safe,
    simulated,
    style,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

# What a row may be of, in the order in which it is written.
_PARTS = ("stakeholder", "action", "action_category", "effect", "effect_category")
_LEAF = ("stakeholder", "side", "action", "effect", "contribution")
_PLACES = (0.0, 1.0, 2.0)


def contributions(table: pd.DataFrame, top: int = 15, *, ax: Axes | None = None) -> Axes:
    """What adds most to a tree's harmfulness and what lowers it, the largest first.

    Harms are plain bars to the right, benefits hatched bars to the left. What is not shown is summed in the last bar.

    Parameters
    ----------
    table
        As ``features.explain`` gives it, at any level: ``contribution`` and what the rows are of.
    top
        How many rows to draw.
    ax
        Where to draw; a new figure when absent.
    """
    texts, values = _bars(table, top)
    with style():
        ax = new_axes(7.4, 1.3 + 0.28 * len(texts)) if ax is None else ax
        for y, value in enumerate(values):
            rest = y == top
            colour = GREY if rest else VERMILION if value >= 0 else BLUE
            ax.barh(y, value, color=colour, hatch="" if value >= 0 else "///", edgecolor="white", height=0.72)
        ax.axvline(0, color=INK, linewidth=1)
        ax.set_yticks(range(len(texts)), [safe(text) for text in texts])
        ax.set_ylim(len(texts) - 0.4, -0.6)
        ax.set_xlabel("Contribution to the harmfulness H\n(hatched: benefits, which lower it)")
        ax.set_title(f"H = {number(float(table['contribution'].sum()))}{_whose(table, safe)}", fontweight="normal")
        ax.grid(axis="y", visible=False)
        ax.spines[["left", "right", "top"]].set_visible(False)
    return ax


def describe_contributions(table: pd.DataFrame, top: int = 15) -> str:
    """Alternative text of :func:`contributions`, from the same arguments."""
    texts, values = _bars(table, top)
    up, down = float(values[values > 0].sum()), float(values[values < 0].sum())
    shown = [f"{text} {number(value)}" for text, value in zip(texts[:5], values[:5], strict=True)]
    return (
        f"Bars of {count(len(table), 'contribution')} to a harmfulness of "
        f"{number(float(table['contribution'].sum()))}{_whose(table)}; the bars that raise it sum to {number(up)}, "
        f"those that lower it to {number(down)}. Largest: {'; '.join(shown)}."
    )


def harm_tree(table: pd.DataFrame, top: int = 20, *, ax: Axes | None = None) -> Axes:
    """The tree itself: stakeholders, their actions, and the effects, with lines as thick as what they contribute.

    Harms are solid lines, benefits dashed ones; a line that contributes nothing is thin and grey.

    Parameters
    ----------
    table
        Leaves, as ``features.explain(tree, profile)`` gives them.
    top
        Draw only the ``top`` leaves that contribute most; the title says so.
    ax
        Where to draw; a new figure, as tall as the leaves need, when absent.
    """
    leaves = _leaves(table, top)
    largest = float(np.abs(table["contribution"]).max()) or 1.0
    with style():
        ax = new_axes(10.0, 1.0 + 0.3 * len(leaves)) if ax is None else ax
        y = np.arange(len(leaves), dtype=np.float64)
        who, branch = _groups(leaves)
        at_branch, at_who = (np.bincount(g, y) / np.bincount(g) for g in (branch, who))
        for group, places, parents, column in (
            (branch, at_branch, at_who[who], 0),
            (np.arange(len(y)), y, at_branch[branch], 1),
        ):
            for g in range(int(group.max()) + 1):
                rows = np.flatnonzero(group == g)
                total = float(leaves["contribution"].iloc[rows].sum())
                harm = leaves["side"].iloc[rows[0]] == "harms"
                _line(ax, column, float(parents[rows[0]]), float(places[g]), total, largest, harm)
        for column, group, places, name in ((0, who, at_who, "stakeholder"), (1, branch, at_branch, "action")):
            for g, place in enumerate(places):
                _label(ax, _PLACES[column], float(place), str(leaves[name].iloc[int(np.argmax(group == g))]))
        for i, (effect, value) in enumerate(zip(leaves["effect"], leaves["contribution"], strict=True)):
            _label(ax, _PLACES[2], float(i), str(effect), f"  {value:+.3g}")
        ax.set_xlim(-0.35, 2.4)
        ax.set_ylim(len(leaves) - 0.3, -1.2)
        for place, heading in zip(_PLACES, ("stakeholders", "actions", "effects"), strict=True):
            ax.text(place, -0.9, heading, ha="center", va="center", color=GREY)
        which = f", {len(leaves):,} of {len(table):,} leaves" if len(leaves) < len(table) else ""
        h = number(float(table["contribution"].sum()))
        ax.set_title(f"H = {h}{_whose(table, safe)}{which} (dashed: benefits)", fontweight="normal")
        ax.set_axis_off()
    return ax


def describe_harm_tree(table: pd.DataFrame, top: int = 20) -> str:
    """Alternative text of :func:`harm_tree`, from the same arguments."""
    leaves = _leaves(table, top)
    who, branch = _groups(leaves)
    sums = np.bincount(who, leaves["contribution"])
    people = dict.fromkeys(leaves["stakeholder"])
    each = [f"{plain(name)} {number(float(value))}" for name, value in zip(people, sums, strict=True)]
    of = f" (the {len(leaves):,} that contribute most of {len(table):,})" if len(leaves) < len(table) else ""
    return (
        f"Tree of {count(len(people), 'stakeholder')}, {count(int(branch.max()) + 1, 'action')} and "
        f"{count(len(leaves), 'effect')}{of}; the harmfulness is {number(float(table['contribution'].sum()))}"
        f"{_whose(table)}. Drawn contributions by stakeholder: {'; '.join(each)}."
    )


def _bars(table: pd.DataFrame, top: int) -> tuple[list[str], np.ndarray]:
    """Texts and lengths of the bars, what is left out as the last."""
    parts = [name for name in _PARTS if name in table.columns]
    # A leaf carries its own words beside its categories.
    parts = [name for name in parts if not name.endswith("_category") or name.partition("_")[0] not in parts]
    need(table, ["contribution", *(parts or ["stakeholder"])], "contributions")
    _check_top(top)
    rows = table.iloc[np.argsort(-np.abs(table["contribution"].to_numpy(dtype=np.float64)), kind="stable")]
    shown = rows.iloc[:top]
    texts = [plain(" › ".join(_short(part, len(parts)) for part in row)) for row in shown[parts].to_numpy().tolist()]
    values = shown["contribution"].to_numpy(dtype=np.float64)
    if len(rows) > top:
        texts.append(f"the other {len(rows) - top:,} together")
        values = np.append(values, float(rows["contribution"].iloc[top:].sum()))
    return texts, values


def _short(text: object, parts: int) -> str:
    """A part of a label, so that every part is seen: what stands after the last # (the kind), cut to its share."""
    kind = " ".join(str(text).rpartition("#")[2].split()) or str(text)
    room = 60 // parts - 3
    return kind if len(kind) <= room or parts == 1 else kind[: room - 1] + "…"


def _leaves(table: pd.DataFrame, top: int) -> pd.DataFrame:
    """The leaves to draw, branches together, in the order of what contributes most."""
    need(table, _LEAF, "harm_tree")
    _check_top(top)
    order = np.argsort(-np.abs(table["contribution"].to_numpy(dtype=np.float64)), kind="stable")[:top]
    leaves = table.iloc[order].reset_index(drop=True)
    who, branch = _groups(leaves)
    return leaves.iloc[np.lexsort((np.arange(len(leaves)), branch, who))].reset_index(drop=True)


def _groups(leaves: pd.DataFrame) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Number of each leaf's stakeholder, and of its branch, from 0 in the order of the rows."""
    return group_codes(leaves["stakeholder"]), group_codes(*(leaves[name] for name in _LEAF[:3]))


def _check_top(top: int) -> None:
    if top < 1:
        raise ValueError(f"top is how many rows to draw, at least 1, not {top}.")


def _whose(table: pd.DataFrame, text: Callable[[object], str] = plain) -> str:
    """Profile, and whether a simulated model wrote the tree; ``text`` writes a name."""
    name = f" by the profile {text(table['profile'].iloc[0])}" if "profile" in table.columns else ""
    return name + (", simulated" if simulated(table) else "")


def _line(ax: Axes, column: int, start: float, end: float, value: float, largest: float, harm: bool) -> None:
    left, right = _PLACES[column] + 0.3, _PLACES[column + 1] - 0.3
    if not value:
        ax.plot([left, right], [start, end], color="#cccccc", linewidth=0.7, marker="")
        return
    width = 0.8 + 4 * min(abs(value) / largest, 1.5)
    # Dashes are in units of the width: short ones still show on a thick line.
    ax.plot(
        [left, right],
        [start, end],
        color=VERMILION if harm else BLUE,
        linestyle="-" if harm else (0, (1.5, 0.7)),
        linewidth=width,
        marker="",
        alpha=0.75,
        solid_capstyle="butt",
    )


def _label(ax: Axes, x: float, y: float, text: str, after: str = "") -> None:
    ax.text(x, y, safe(_short(text, 2)) + after, ha="center", va="center", fontsize=8)
