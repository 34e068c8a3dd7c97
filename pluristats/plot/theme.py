"""What all figures share: style, colours with a second channel, safe text, axes, and checks of their tables."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, YELLOW = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
    "#F0E442",
)
PALETTE = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY)
"""Colours that colour-blind readers tell apart (Okabe & Ito 2008), without the yellow that paper swallows."""
MARKERS = ("o", "s", "^", "D", "v", "P")
"""Second channel: the marker that goes with each colour of :data:`PALETTE`."""
INK, GREY = "#222222", "#767676"

_LONGEST = 60


@contextmanager
def style() -> Iterator[None]:
    """Seaborn's white grid in this library's colours and sizes, for the figures made inside ``with style():``.

    Nothing is changed outside. Sizes are for a figure shown at 96 pixels an inch or printed as it is.
    """
    import matplotlib as mpl
    import seaborn as sns
    from cycler import cycler

    settings = {
        **sns.axes_style("whitegrid"),
        **sns.plotting_context("paper", font_scale=1.15),
        "axes.prop_cycle": cycler(color=PALETTE, marker=MARKERS),
        "axes.edgecolor": GREY,
        "axes.labelcolor": INK,
        "axes.titlelocation": "left",
        "axes.titlesize": "medium",
        "axes.titleweight": "bold",
        "grid.color": "#e3e3e3",
        "hatch.linewidth": 0.8,
        "legend.frameon": True,
        "legend.framealpha": 0.9,
        "legend.edgecolor": "#cccccc",
        "text.color": INK,
        "xtick.color": INK,
        "ytick.color": INK,
    }
    with mpl.rc_context(settings):
        yield


def new_axes(width: float, height: float, columns: int = 1) -> Any:
    """Axes of a new figure of that size in inches; an array of them when there are several columns."""
    import matplotlib.pyplot as plt

    return plt.subplots(1, columns, figsize=(width, height), layout="constrained")[1]


def pair(ax: Sequence[Axes] | None, width: float, height: float) -> Any:
    """Two axes: the given ones, or those of a new figure.

    Raises
    ------
    ValueError
        Something other than two axes is given.
    """
    if ax is None:
        return new_axes(width, height, 2)
    if not hasattr(ax, "__len__") or len(ax) != 2:
        raise ValueError("this figure has two panels: give ax a pair of axes, or leave it out.")
    return ax


def legend_below(ax: Axes, gap: float, columns: int = 2, **settings: Any) -> None:
    """Legend below the axes, ``gap`` inches under them (room for ticks and label), whatever their size."""
    from matplotlib.transforms import ScaledTranslation

    shift = ScaledTranslation(0, -gap, ax.figure.dpi_scale_trans)
    ax.legend(
        loc="upper left",
        bbox_to_anchor=(0, 0),
        bbox_transform=ax.transAxes + shift,
        ncols=columns,
        borderaxespad=0,
        **settings,
    )


def level_text(levels: Iterable[float]) -> list[str]:
    """Levels as text with one number of decimals: 0.0, 0.1, … 1.0; shorter or longer where they are not tenths."""
    values = [float(level) for level in levels]
    if any(value != round(value) for value in values) and all(round(value, 1) == value for value in values):
        return [f"{value:.1f}" for value in values]
    return [f"{value:g}" for value in values]


def need(table: pd.DataFrame, columns: Sequence[str], figure: str) -> None:
    """Refuse a table that lacks columns or rows.

    Raises
    ------
    ValueError
        The message names the figure and what is missing.
    """
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise ValueError(f"plot.{figure} needs the columns {', '.join(columns)}; the table lacks {', '.join(missing)}.")
    if not len(table):
        raise ValueError(f"plot.{figure}: the table has no rows, so there is nothing to draw.")


def simulated(table: pd.DataFrame) -> bool:
    """Whether a table says of any row that it is."""
    return "simulated" in table.columns and bool(table["simulated"].any())


def plain(text: object) -> str:
    """Text as a description has it: one line, at most 60 characters, as in the figure.

    Control characters, lone surrogates and characters that reorder text become their escapes.
    """
    line = " ".join(str(text).split())[: _LONGEST + 1]  # a text of a million characters is cut before it is read
    visible = "".join(
        c.encode("unicode_escape").decode() if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn") else c
        for c in line
    )
    return visible if len(visible) <= _LONGEST else visible[: _LONGEST - 1] + "…"


def safe(text: object) -> str:
    r"""Text as matplotlib can draw it: that of :func:`plain` with ``$`` escaped, so that nothing is mathematics."""
    return plain(text).replace("$", r"\$")


def number(value: float) -> str:
    """Number for a sentence: three significant digits, thousands separated; "unknown" where it is missing."""
    if value != value:
        return "unknown"
    if value == 0 or 1e-4 <= abs(value) < 1e15:
        digits = f"{value:,.{max(0, 2 - _exponent(value))}f}"
        return digits.rstrip("0").rstrip(".") if "." in digits else digits
    return f"{value:.2e}"


def _exponent(value: float) -> int:
    return int(f"{value:.2e}".split("e")[1]) if value else 0


def count(n: int, noun: str) -> str:
    """Count with its noun, "1 prompt" or "1,200 prompts"."""
    return f"{n:,} {noun}" + ("" if n == 1 else "s")
