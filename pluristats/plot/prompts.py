"""Disagreement against mean harm: one point a prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from pluristats.plot.theme import BLUE, GREEN, GREY, ORANGE, count, legend_below, need, new_axes, number, style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

Measure = Literal["sd", "variance", "entropy"]

_NAMES = {
    "sd": "standard deviation of the ratings",
    "variance": "variance of the ratings",
    "entropy": "entropy of the ratings (bits)",
}
_TOLERANCE = 1e-9


def disagreement(
    table: pd.DataFrame,
    *,
    measure: Measure = "sd",
    middle: tuple[float, float] = (0.4, 0.8),
    scale: tuple[float, float] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Disagreement about each prompt against its mean rating, by band of harm levels.

    Parameters
    ----------
    table
        One row a prompt, as ``prompt_statistics``: ``mean``, ``harm_level`` and the measure. A prompt whose measure
        is missing cannot be drawn; the legend counts those.
    measure
        ``"sd"``, ``"variance"`` or ``"entropy"``.
    middle
        Harm levels of the middle band, both included; those below and above are the other bands.
    scale
        Least and greatest possible rating. When given, the largest standard deviation (variance) that a mean allows,
        sqrt((mean - least)(greatest - mean)), is drawn as a dashed line: means near the ends force agreement.
    ax
        Where to draw; a new figure when absent.
    """
    need(table, ("mean", "harm_level", measure), "disagreement")
    with style():
        ax = new_axes(7.0, 4.4) if ax is None else ax
        drawn = table["mean"].notna() & table[measure].notna()
        for name, rows, colour, marker in _bands(table, middle):
            part = table[rows & drawn]
            if len(part):
                label = f"{name} ({count(len(part), 'prompt')})"
                ax.scatter(
                    part["mean"], part[measure], c=colour, marker=marker, s=26, alpha=0.8, linewidths=0, label=label
                )
        if scale is not None and measure != "entropy":
            low, high = scale
            mean = np.linspace(low, high, 201)
            limit = (mean - low) * (high - mean)
            bound = np.sqrt(limit) if measure == "sd" else limit
            ax.plot(
                mean, bound, color=GREY, linestyle="--", linewidth=1, marker="", label="largest that the scale allows"
            )
        if not drawn.all():
            ax.plot([], [], linestyle="", marker="", label=f"not drawn: {count(int((~drawn).sum()), 'prompt')}")
        ax.set_xlabel("Mean rating of the prompt")
        ax.set_ylabel(_NAMES[measure].capitalize())
        ax.set_ylim(bottom=0)
        legend_below(ax, 0.6)
    return ax


def describe_disagreement(
    table: pd.DataFrame,
    *,
    measure: Measure = "sd",
    middle: tuple[float, float] = (0.4, 0.8),
    scale: tuple[float, float] | None = None,
) -> str:
    """Alternative text of :func:`disagreement`, from the same arguments."""
    need(table, ("mean", "harm_level", measure), "disagreement")
    drawn = table[table["mean"].notna() & table[measure].notna()]
    if not len(drawn):
        return f"Scatter plot without points: no prompt has a {_NAMES[measure]}."
    mean, spread = drawn["mean"], drawn[measure]
    text = [
        f"Scatter plot of {count(len(drawn), 'prompt')}: {_NAMES[measure]} (vertical, {number(spread.min())} to "
        f"{number(spread.max())}) against mean rating (horizontal, {number(mean.min())} to {number(mean.max())})."
    ]
    low, high = scale if scale is not None else (mean.min(), mean.max())
    edges = np.linspace(low, high, 4)
    third = np.clip(np.searchsorted(edges, mean, side="right") - 1, 0, 2)
    names = ("lower", "middle", "upper")
    medians = [f"{name} {_median(spread[third == k])}" for k, name in enumerate(names) if (third == k).any()]
    text.append(f"Median by third of the range in which a prompt's mean lies: {'; '.join(medians)}.")
    by_band = [
        f"{name} {_median(drawn.loc[rows, measure])}" for name, rows, _, _ in _bands(drawn, middle) if rows.any()
    ]
    text.append(f"Median by harm level: {'; '.join(by_band)}.")
    if len(drawn) < len(table):
        text.append(f"{count(len(table) - len(drawn), 'prompt')} without a value not drawn.")
    return " ".join(text)


def _median(values: pd.Series) -> str:
    return f"{number(float(values.median()))} ({count(len(values), 'prompt')})"


def _bands(table: pd.DataFrame, middle: tuple[float, float]) -> list[tuple[str, pd.Series, str, str]]:
    """Name, rows, colour and marker of each band of harm levels."""
    low, high = middle
    level = table["harm_level"]
    inside = (level >= low - _TOLERANCE) & (level <= high + _TOLERANCE)
    return [
        (f"level below {low:g}", (level < low) & ~inside, BLUE, "o"),
        (f"level {low:g} to {high:g}", inside, ORANGE, "^"),
        (f"level above {high:g}", (level > high) & ~inside, GREEN, "s"),
        ("no harm level", level.isna(), GREY, "D"),
    ]
