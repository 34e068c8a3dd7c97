"""The BIC ladder: what each rung gains, for several specifications side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pluristats.plot.theme import GREY, INK, MARKERS, PALETTE, legend_below, need, new_axes, safe, style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

COLUMNS = ("spec", "model", "delta_bic", "nobs", "same_rows")
REFERENCE = "published"
"""Name of the specification that is drawn as open markers."""


def ladder(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """ΔBIC of each rung as bars, one colour a specification; negative (to the left) is an improvement.

    A hatched bar compares models that were fitted to different rows, so that its ΔBIC mixes the model's gain with
    the rows that were left out. Beside each stands its ΔBIC and the model's number of rows.

    Parameters
    ----------
    table
        One row a specification and rung: ``spec``, ``model`` (a number is shown as "Model 1"), ``delta_bic`` (missing
        for the model that others are compared with; not drawn), ``nobs`` (missing where not known), ``same_rows``
        (whether both models of the comparison have the same rows). The specification ``"published"`` is drawn as
        open diamonds.
    ax
        Where to draw; a new figure when absent.
    """
    table = _rungs(table)
    models = list(dict.fromkeys(table["model"].astype(str)))
    specs = list(dict.fromkeys(table["spec"].astype(str)))
    with style():
        from matplotlib.patches import Patch

        ax = new_axes(7.6, 2.2 + len(models) * (0.2 + 0.19 * len(specs))) if ax is None else ax
        height = 0.84 / len(specs)
        handles: list[Artist] = []
        colour = 0
        for slot, spec in enumerate(specs):
            part = table[table["spec"].astype(str) == spec]
            y = np.array([models.index(str(m)) for m in part["model"]]) - 0.42 + height * (slot + 0.5)
            if spec == REFERENCE:
                handles.append(_markers(ax, part, y))
            else:
                handles.append(_bars(ax, part, y, 0.9 * height, colour))
                colour += 1
            handles[-1].set_label(f"{safe(spec)} (in the paper)" if spec == REFERENCE else safe(spec))
            _numbers(ax, part, y)
        if not table["same_rows"].to_numpy(dtype=bool).all():
            handles.append(Patch(facecolor="white", edgecolor=GREY, hatch="////", label=_DIFFERENT))
        ax.axvline(0, color=INK, linewidth=1)
        ax.set_yticks(range(len(models)), [safe(_model(model)) for model in models])
        ax.set_ylim(len(models) - 0.45, -0.55)  # first rung at the top
        ax.margins(x=0.26)  # room for the numbers
        ax.grid(visible=False, axis="y")
        ax.set_xlabel("ΔBIC against the rung's reference model (negative: better)")
        legend_below(ax, 0.6, 1, handles=handles)  # one column: names can be long
    return ax


_DIFFERENT = "hatched: the two models have different rows"


def describe_ladder(table: pd.DataFrame) -> str:
    """Alternative text of :func:`ladder`."""
    table = _rungs(table)
    text = ["Bar chart of the change in BIC at each rung (negative is better)."]
    for spec in dict.fromkeys(table["spec"].astype(str)):
        part = table[table["spec"].astype(str) == spec]
        steps = [
            f"{_model(model)} {delta:+,.0f}" + ("" if same else " (different rows)")
            for model, delta, same in zip(part["model"], part["delta_bic"], part["same_rows"], strict=True)
        ]
        text.append(f"{spec} ({'open markers' if spec == REFERENCE else 'bars'}): {'; '.join(steps)}.")
    return " ".join(text)


def _model(name: object) -> str:
    """Name of a rung for people: "Model 1" for one that is only called 1."""
    return f"Model {name}" if str(name).isdigit() else str(name)


def _rungs(table: pd.DataFrame) -> pd.DataFrame:
    """Rows with a ΔBIC."""
    need(table, COLUMNS, "ladder")
    rungs = table[table["delta_bic"].notna()].reset_index(drop=True)
    need(rungs, COLUMNS, "ladder")
    return rungs


def _bars(ax: Axes, part: pd.DataFrame, y: NDArray[np.float64], height: float, k: int) -> Line2D:
    """Bars of one specification, their markers (the channel beside colour), and what stands for both in the legend."""
    colour, marker = PALETTE[k % len(PALETTE)], MARKERS[k % len(MARKERS)]
    delta = part["delta_bic"].to_numpy(dtype=np.float64)
    same = part["same_rows"].to_numpy(dtype=bool)
    for rows, hatch in ((same, ""), (~same, "////")):
        face = "white" if hatch else colour
        ax.barh(y[rows], delta[rows], height=height, color=face, edgecolor=colour, hatch=hatch, linewidth=1)
    ax.plot(delta, y, linestyle="", marker=marker, color=colour, markeredgecolor=INK, markersize=5)
    return ax.plot([], [], marker=marker, color=colour, linewidth=6, markeredgecolor=INK)[0]


def _markers(ax: Axes, part: pd.DataFrame, y: NDArray[np.float64]) -> Line2D:
    """Open markers of the reference."""
    line = ax.plot(part["delta_bic"], y, linestyle="", marker="D", markersize=6.5, markeredgecolor=INK)[0]
    line.set(markerfacecolor="none", markeredgewidth=1.3)
    return line


def _numbers(ax: Axes, part: pd.DataFrame, y: NDArray[np.float64]) -> None:
    """ΔBIC and number of rows beside each bar."""
    for delta, at, n in zip(part["delta_bic"], y, part["nobs"], strict=True):
        ax.annotate(
            f"{delta:+,.0f}" + ("" if n != n else f"  n {int(n):,}"),
            (delta, at),
            xytext=(-7 if delta < 0 else 7, 0),
            textcoords="offset points",
            ha="right" if delta < 0 else "left",
            va="center",
            fontsize="x-small",
        )
