"""What a sample is made of: one bar a category, variable by variable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from pluristats.display.labels import display_label
from pluristats.plot.theme import BLUE, INK, need, new_axes, number, plain, safe, simulated, style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

COLUMNS = ("variable", "category", "count", "share")


def composition(
    table: pd.DataFrame, *, what: str = "annotators", labels: Mapping[str, str] | None = None, ax: Axes | None = None
) -> Axes:
    """Share of each category as a bar with its count, under the name of its variable.

    Parameters
    ----------
    table
        One row a variable and category, as `analysis.composition.annotator_composition` gives it. A column
        ``simulated`` makes the figure say so.
    what
        What is counted, for the axis.
    labels
        Readable names of variables (``study.labels``).
    ax
        Where to draw; a new figure, as tall as the rows need, when absent.
    """
    _check(table)
    headings = list(dict.fromkeys(table["variable"].astype(str)))
    texts: list[str] = []
    bold: list[int] = []
    with style():
        ax = new_axes(7.4, 1.0 + 0.22 * (len(table) + len(headings))) if ax is None else ax
        for variable in headings:
            bold.append(len(texts))
            texts.append(safe(_name(variable, labels)))
            part = table[table["variable"].astype(str) == variable]
            at = range(len(texts), len(texts) + len(part))
            ax.barh(at, part["share"], color=BLUE, edgecolor=INK, linewidth=0.6, height=0.7)
            for y, share, n in zip(at, part["share"], part["count"], strict=True):
                text = f"{n:,} ({100 * share:.0f} %)"
                ax.annotate(text, (share, y), xytext=(4, 0), textcoords="offset points", va="center", fontsize="small")
            texts += [safe(_both_ends(category)) for category in part["category"]]
        ax.set_yticks(range(len(texts)), texts)
        for row in bold:
            ax.get_yticklabels()[row].set_fontweight("bold")
        ax.set_ylim(len(texts) - 0.4, -0.6)
        ax.set_xlim(0, 1.36 * float(table["share"].max()))
        ax.grid(visible=False, axis="y")
        ax.tick_params(axis="y", length=0)
        ax.set_xlabel(f"share of {safe(what)}")
        if simulated(table):
            ax.set_title("SIMULATED data")
    return ax


def describe_composition(
    table: pd.DataFrame, *, what: str = "annotators", labels: Mapping[str, str] | None = None
) -> str:
    """Alternative text of :func:`composition`, from the same arguments."""
    _check(table)
    told = []
    for variable, part in table.groupby(table["variable"].astype(str), sort=False):
        first = part.iloc[part["share"].argmax()]
        categories = "1 category" if len(part) == 1 else f"{len(part):,} categories"
        told.append(
            f"{plain(_name(str(variable), labels))}: {categories}, "
            f"most often {plain(_both_ends(first['category']))} ({number(100 * float(first['share']))} %)"
        )
    return f"{'Simulated data. ' if simulated(table) else ''}Bar chart of shares of {plain(what)}. {'; '.join(told)}."


def _check(table: pd.DataFrame) -> None:
    need(table, COLUMNS, "composition")
    shares = table["share"].to_numpy(dtype=np.float64, na_value=np.nan)
    bad = np.flatnonzero(~((shares >= 0) & (shares <= 1)))
    if len(bad):
        row = table.iloc[bad[0]]
        raise ValueError(
            f"plot.composition: row {bad[0] + 1} ({plain(row['variable'])}, {plain(row['category'])}) has the share "
            f"{shares[bad[0]]:g}; a share is a number from 0 to 1, so give one or leave the row out."
        )


def _name(variable: str, labels: Mapping[str, str] | None) -> str:
    text = display_label(variable, labels)
    return text[:1].upper() + text[1:]


def _both_ends(category: object) -> str:
    """At most 58 characters: of a list of answers the end tells as much as the beginning."""
    line = " ".join(str(category).split())
    return line if len(line) <= 58 else f"{line[:33]}…{line[-24:]}"
