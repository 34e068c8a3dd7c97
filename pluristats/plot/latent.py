"""Ratings over a session: what depends on order, how people's criteria move, and whether what was planted is found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pluristats.plot.theme import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    PALETTE,
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

EFFECTS = ("statistic", "estimate", "null_mean", "null_sd", "null_low", "null_high", "z", "p_value", "n")
TRAJECTORIES = ("annotator", "trial", "shift", "sd", "conf_low", "conf_high")
RECOVERY = ("parameter", "true", "estimate", "conf_low", "conf_high")
# Panels of trajectories.
_MOST, _ACROSS = 12, 4


def order_effects(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """How far each statistic of an order lies from what permuted orders give, in their standard deviations.

    The grey bar is the middle 95 % of permuted orders, the diamond the ratings; filled where p < 0.05.

    Parameters
    ----------
    table
        `OrderEffects.tidy`.
    ax
        Where to draw; a new figure when absent.
    """
    need(table, EFFECTS, "order_effects")
    with style():
        ax = new_axes(7.4, 1.2 + 0.36 * len(table)) if ax is None else ax
        at = np.arange(len(table))
        scale = table["null_sd"].where(table["null_sd"] > 0, 1.0)
        low, high = (((table[name] - table["null_mean"]) / scale).to_numpy() for name in ("null_low", "null_high"))
        ax.barh(at, high - low, left=low, color="#d5d5d5", edgecolor=GREY, height=0.55, label="permuted orders, 95 %")
        z, clear = table["z"].to_numpy(dtype=float), (table["p_value"] < 0.05).to_numpy()
        for which, face, label in ((clear, BLUE, "ratings, p < 0.05"), (~clear, "white", "ratings, p ≥ 0.05")):
            if which.any():
                ax.plot(z[which], at[which], "D", color=BLUE, markerfacecolor=face, markersize=6, label=label)
        ax.axvline(0, color=INK, linewidth=0.8)
        names = [f"{safe(s)} ({number(float(e))})" for s, e in zip(table["statistic"], table["estimate"], strict=True)]
        ax.set_yticks(at, names)
        ax.set_ylim(len(table) - 0.4, -0.6)
        ax.grid(visible=False, axis="y")
        ax.set_xlabel("distance from permuted orders, in their standard deviations")
        ax.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3)
        if simulated(table):
            ax.annotate("SIMULATED ratings", (1, 0), xycoords="axes fraction", xytext=(-4, 4),
                        textcoords="offset points", ha="right", color=GREY, fontweight="bold")  # fmt: skip
    return ax


def describe_order_effects(table: pd.DataFrame) -> str:
    """Alternative text of :func:`order_effects`, from the same arguments."""
    need(table, EFFECTS, "order_effects")
    figures = (table[name].to_numpy(dtype=float) for name in ("estimate", "null_mean", "p_value"))
    rows = [
        f"{plain(name)} {number(estimate)} (permuted {number(middle)}, p {number(p)})"
        for name, estimate, middle, p in zip(table["statistic"], *figures, strict=True)
    ]
    clear = int((table["p_value"] < 0.05).sum())
    return (
        f"{_mark(table)}Dot plot of {count(len(table), 'statistic')} of the order of ratings against permuted orders; "
        f"{clear} lie outside at p < 0.05: {'; '.join(rows)}."
    )


def trajectories(
    table: pd.DataFrame, annotators: Sequence[Any] | None = None, *, ax: Sequence[Axes] | None = None
) -> Any:
    """Shifts of people's criteria over the session, one panel an annotator, with their 90 % bands.

    Parameters
    ----------
    table
        `RatingFit.trajectories`; a column ``true``, where there is one, is drawn as a dashed line.
    annotators
        Whom to show; by default the 12 whose shifts range farthest against their uncertainty, that one first.
    ax
        One a panel; a new figure when absent.

    Returns
    -------
    numpy.ndarray
        The axes, one a panel.
    """
    need(table, TRAJECTORIES, "trajectories")
    shown = _moved(table) if annotators is None else list(annotators)
    if missing := [a for a in shown if not table["annotator"].eq(a).any()]:
        raise ValueError(f"there is no annotator {missing[0]!r} in the table.")
    with style():
        axes = _panels(len(shown)) if ax is None else np.atleast_1d(np.asarray(ax, dtype=object)).ravel()
        if len(axes) != len(shown):
            raise ValueError(f"{len(shown)} annotators need as many axes, not {len(axes)}.")
        for panel, annotator in zip(axes, shown, strict=True):
            rows = table[table["annotator"].eq(annotator)].sort_values("trial")
            panel.fill_between(rows["trial"], rows["conf_low"], rows["conf_high"], color=BLUE, alpha=0.25, linewidth=0)
            panel.plot(rows["trial"], rows["shift"], color=BLUE, marker="", linewidth=1.6, label="estimated")
            if "true" in rows.columns:
                panel.plot(
                    rows["trial"], rows["true"], color=ORANGE, marker="", linestyle="--", linewidth=1.2, label="true"
                )
            panel.axhline(0, color=INK, linewidth=0.8)
            panel.set_title(_title(annotator))
            panel.set_xlabel("trial")
            panel.set_ylabel("shift")
        if "true" in table.columns:
            axes[0].legend(loc="best", fontsize="small")
        if simulated(table):
            axes[0].set_title(f"{_title(shown[0])}, SIMULATED")
    return axes


def describe_trajectories(table: pd.DataFrame, annotators: Sequence[Any] | None = None) -> str:
    """Alternative text of :func:`trajectories`, from the same arguments."""
    need(table, TRAJECTORIES, "trajectories")
    shown = _moved(table) if annotators is None else list(annotators)
    told = []
    for annotator in shown[:3]:
        rows = table[table["annotator"].eq(annotator)].sort_values("trial")
        last = rows.iloc[-1]
        told.append(
            f"{plain(annotator)} from {number(float(rows['shift'].min()))} to {number(float(rows['shift'].max()))}, at "
            f"the end {number(float(last['shift']))} ({number(float(last['conf_low']))} to "
            f"{number(float(last['conf_high']))})"
        )
    true = ", and true ones dashed" if "true" in table.columns else ""
    return (
        f"{_mark(table)}Line charts of the criterion's shift over trials with 90 % bands{true}, one panel for each of "
        f"{count(len(shown), 'annotator')} of {table['annotator'].nunique()}: {'; '.join(told)}"
        f"{'; …' if len(shown) > 3 else ''}. Shifts are in widths of the rating scale."
    )


def recovery(table: pd.DataFrame, *, ax: Sequence[Axes] | None = None) -> Any:
    """Estimated against true parameters, one panel a parameter, with intervals; on the line they agree.

    Parameters
    ----------
    table
        `Planted.recovery`.
    ax
        One a parameter; a new figure when absent.

    Returns
    -------
    numpy.ndarray
        The axes, one a parameter. Parameters whose true values are positive and span more than a factor of ten are on
        logarithmic axes.
    """
    need(table, RECOVERY, "recovery")
    names = list(dict.fromkeys(table["parameter"]))
    with style():
        axes = new_axes(2.9 * len(names), 3.1, len(names)) if ax is None else ax
        axes = np.atleast_1d(np.asarray(axes, dtype=object)).ravel()
        if len(axes) != len(names):
            raise ValueError(f"{len(names)} parameters need as many axes, not {len(axes)}.")
        for k, (panel, name) in enumerate(zip(axes, names, strict=True)):
            rows = table[table["parameter"].eq(name)]
            true, estimate = rows["true"].to_numpy(dtype=float), rows["estimate"].to_numpy(dtype=float)
            ends = np.abs(rows[["conf_low", "conf_high"]].to_numpy(dtype=float).T - estimate)
            panel.errorbar(true, estimate, ends, fmt="none", ecolor=GREY, elinewidth=0.6, alpha=0.6)
            panel.plot(true, estimate, "o", color=PALETTE[k % len(PALETTE)], markersize=3.5)
            if true.min() > 0 and true.max() > 10 * true.min():
                panel.set_xscale("log")
                panel.set_yscale("log")
            panel.axline((true.min(), true.min()), (true.max(), true.max()), color=INK, linewidth=0.9, linestyle="--")
            panel.set_title(f"{safe(name)}: r = {_correlation(true, estimate):.2f}")
            panel.set_xlabel("true")
            panel.set_ylabel("estimate" if k == 0 else "")
    return axes


def describe_recovery(table: pd.DataFrame) -> str:
    """Alternative text of :func:`recovery`, from the same arguments."""
    need(table, RECOVERY, "recovery")
    told = []
    for name in dict.fromkeys(table["parameter"]):
        rows = table[table["parameter"].eq(name)]
        inside = ((rows["true"] >= rows["conf_low"]) & (rows["true"] <= rows["conf_high"])).mean()
        r = _correlation(rows["true"].to_numpy(dtype=float), rows["estimate"].to_numpy(dtype=float))
        told.append(f"{plain(name)} r {r:.2f}, {number(100 * float(inside))} % of intervals hold the truth")
    n = len(table) // max(len(told), 1)
    return (
        f"Simulated ratings. Scatter plots of estimated against true parameters of {count(n, 'annotator')}: "
        f"{'; '.join(told)}."
    )


def _moved(table: pd.DataFrame) -> list[Any]:
    """Annotators with the widest range of shifts over their mean sd."""
    by = table.groupby("annotator", sort=False)
    span, sd = by["shift"].max() - by["shift"].min(), by["sd"].mean()
    ratio = (span / sd.where(sd > 0)).fillna(0.0)
    return list(ratio.sort_values(ascending=False, kind="stable").index[:_MOST])


def _panels(n: int) -> Any:
    """Axes of a new figure, four across."""
    import matplotlib.pyplot as plt

    across = min(n, _ACROSS)
    down = -(-n // across)
    figure, axes = plt.subplots(down, across, figsize=(2.6 * across, 1.9 * down), layout="constrained", squeeze=False)
    for spare in axes.ravel()[n:]:
        figure.delaxes(spare)
    return axes.ravel()[:n]


def _title(annotator: object) -> str:
    """Of a panel, short enough for its width."""
    name = safe(annotator)
    return f"annotator {name}" if len(name) <= 16 else f"annotator {name[:15].rstrip(chr(92))}…"


def _correlation(a: Any, b: Any) -> float:
    """Pearson's; NaN where one does not vary."""
    return float(np.corrcoef(a, b)[0, 1]) if np.ptp(a) > 0 and np.ptp(b) > 0 else float("nan")


def _mark(table: pd.DataFrame) -> str:
    return "Simulated ratings. " if simulated(table) else ""
