"""Where predictions err: by annotator, by disagreement, by the number of questions asked, by what was predicted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pluristats.plot.theme import (
    BLUE,
    GREY,
    MARKERS,
    PALETTE,
    count,
    legend_below,
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

CURVE = ("strategy", "k", "mae", "mae_lo", "mae_hi")
CALIBRATION = ("predicted", "rating", "n")
_MAE = "mean absolute error on 0–1"


def mae_by_annotator(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Error of each annotator under each method, annotators ordered by their error under the first method.

    Parameters
    ----------
    table
        Rows of `Evaluation.by_annotator` of one setting and at most six methods: ``method``, ``setting``,
        ``annotator``, ``mae``. A column ``simulated`` makes the figure say so.
    ax
        Where to draw; a new figure when absent.
    """
    methods, wide = _by_annotator(table)
    with style():
        ax = new_axes(7.4, 4.0) if ax is None else ax
        for k, name in enumerate(methods):
            ax.plot(
                np.arange(1, len(wide) + 1),
                wide[name],
                linestyle="",
                color=PALETTE[k],
                marker=MARKERS[k],
                markersize=4,
                alpha=0.8,
                label=f"{safe(name)} (mean {number(float(wide[name].mean()))})",
            )
        ax.set_xlabel(f"annotators, ordered by their error under {safe(methods[0])}")
        ax.set_ylabel(_MAE)
        ax.set_ylim(bottom=0)
        legend_below(ax, 0.6)
        _title(ax, table)
    return ax


def describe_mae_by_annotator(table: pd.DataFrame) -> str:
    """Alternative text of :func:`mae_by_annotator`, from the same arguments."""
    methods, wide = _by_annotator(table)
    told = []
    for name in methods:
        value = wide[name].dropna()
        words = f"{plain(name)} from {number(value.min())} to {number(value.max())}, mean {number(value.mean())}"
        if name != methods[0]:
            both = wide[[methods[0], name]].dropna()
            less = int((both[name] < both[methods[0]]).sum())
            words += f", less than {plain(methods[0])} for {less:,} of {count(len(both), 'annotator')}"
        told.append(words)
    return f"{_simulated(table)}Dot plot of the error of {count(len(wide), 'annotator')}: {'; '.join(told)}."


def error_by_disagreement(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Error of each prompt against how far people are apart on it, one point a method and prompt.

    Parameters
    ----------
    table
        Rows of `Evaluation.by_prompt` of one setting and at most six methods: ``method``, ``setting``, ``prompt``,
        ``mae``, ``sd``. A column ``simulated`` makes the figure say so.
    ax
        Where to draw; a new figure when absent.
    """
    parts = _by_spread(table)
    with style():
        ax = new_axes(7.0, 4.2) if ax is None else ax
        for k, (name, part) in enumerate(parts.items()):
            label = f"{safe(name)} (rank correlation {number(_rank_correlation(part))})"
            ax.scatter(
                part["sd"], part["mae"], color=PALETTE[k], marker=MARKERS[k], s=20, alpha=0.7, linewidths=0, label=label
            )
        ax.set_xlabel("standard deviation of the prompt's ratings on 0–1")
        ax.set_ylabel(_MAE)
        ax.set_ylim(bottom=0)
        legend_below(ax, 0.6, 1)
        _title(ax, table)
    return ax


def describe_error_by_disagreement(table: pd.DataFrame) -> str:
    """Alternative text of :func:`error_by_disagreement`, from the same arguments."""
    parts = _by_spread(table)
    told = []
    for name, part in parts.items():
        third = np.argsort(np.argsort(part["sd"], kind="stable"), kind="stable") * 3 // len(part)
        means = " to ".join(number(float(part["mae"][third == k].mean())) for k in (0, 2) if (third == k).any())
        told.append(
            f"{plain(name)}: {count(len(part), 'prompt')}, rank correlation {number(_rank_correlation(part))}, mean "
            f"error {means} from the third with least to that with most disagreement"
        )
    return f"{_simulated(table)}Scatter plot of error against disagreement. {'; '.join(told)}."


def mae_curve(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Error against the number of questions asked of a new annotator, chosen and at random, with interval bands.

    Parameters
    ----------
    table
        `ActiveCurve.tidy`: ``strategy``, ``k``, ``mae``, ``mae_lo``, ``mae_hi``. A column ``simulated`` makes the
        figure say so.
    ax
        Where to draw; a new figure when absent.
    """
    need(table, CURVE, "mae_curve")
    with style():
        ax = new_axes(7.0, 4.0) if ax is None else ax
        for i, (name, part) in enumerate(table.groupby("strategy", sort=False)):
            colour, marker = PALETTE[i % len(PALETTE)], MARKERS[i % len(MARKERS)]
            ax.fill_between(part["k"], part["mae_lo"], part["mae_hi"], color=colour, alpha=0.15, linewidth=0)
            ax.plot(part["k"], part["mae"], color=colour, marker=marker, markersize=4, label=safe(name))
        ax.set_xlabel("questions asked of a new annotator")
        ax.set_ylabel(_MAE)
        ax.locator_params(axis="x", integer=True)
        ax.legend(loc="upper right", title="questions")
        _title(ax, table)
    return ax


def describe_mae_curve(table: pd.DataFrame) -> str:
    """Alternative text of :func:`mae_curve`, from the same arguments."""
    need(table, CURVE, "mae_curve")
    told = []
    for name, part in table.groupby("strategy", sort=False):
        first, last = part.iloc[0], part.iloc[-1]
        told.append(
            f"{plain(name)} from {number(first['mae'])} after {int(first['k']):,} to {number(last['mae'])} after "
            f"{count(int(last['k']), 'question')}"
        )
    return f"{_simulated(table)}Line chart of error against questions asked: {'; '.join(told)}."


def calibration(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Mean rating against mean prediction in bins of the prediction; on the dashed line they are equal.

    Parameters
    ----------
    table
        `Evaluation.calibration`: ``predicted``, ``rating``, ``n`` (the area of the point). A column ``simulated``
        makes the figure say so.
    ax
        Where to draw; a new figure when absent.
    """
    rows = _filled(table)
    with style():
        ax = new_axes(4.6, 4.4) if ax is None else ax
        ax.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1, marker="")
        ax.plot(rows["predicted"], rows["rating"], color=BLUE, linewidth=1, marker="")
        ax.scatter(rows["predicted"], rows["rating"], s=10 + 150 * rows["n"] / rows["n"].max(), color=BLUE, marker="o")
        ax.set(xlim=(0, 1), ylim=(0, 1), xlabel="mean prediction", ylabel="mean rating")
        _title(ax, table)
    return ax


def describe_calibration(table: pd.DataFrame) -> str:
    """Alternative text of :func:`calibration`, from the same arguments."""
    rows = _filled(table)
    off = (rows["rating"] - rows["predicted"]).abs()
    mean = float((off * rows["n"]).sum() / rows["n"].sum())
    worst = rows.iloc[int(off.to_numpy().argmax())]
    return (
        f"{_simulated(table)}Mean rating against mean prediction in {count(len(rows), 'bin')} of predictions, "
        f"{number(mean)} apart on average; farthest where {number(worst['predicted'])} was predicted and "
        f"{number(worst['rating'])} rated."
    )


def _filled(table: pd.DataFrame) -> pd.DataFrame:
    need(table, CALIBRATION, "calibration")
    rows = table[table["n"] > 0]
    need(rows, CALIBRATION, "calibration")
    return rows


def _by_annotator(table: pd.DataFrame) -> tuple[list[str], pd.DataFrame]:
    """Methods in order, and their errors by annotator, ordered by the first method's."""
    need(table, ("method", "setting", "annotator", "mae"), "mae_by_annotator")
    methods = _methods(table, "mae_by_annotator")
    wide = table.pivot(index="annotator", columns="method", values="mae")[methods].astype(float)
    wide = wide[wide.notna().any(axis=1)].sort_values(methods[0], kind="stable")
    if not len(wide):
        raise ValueError("plot.mae_by_annotator: nobody has an error, so there is nothing to draw.")
    return methods, wide


def _by_spread(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    need(table, ("method", "setting", "prompt", "mae", "sd"), "error_by_disagreement")
    known = table[table["mae"].notna() & table["sd"].notna()]
    need(known, ("method", "mae", "sd"), "error_by_disagreement")
    return {name: known[known["method"].eq(name)] for name in _methods(known, "error_by_disagreement")}


def _methods(table: pd.DataFrame, figure: str) -> list[str]:
    settings, methods = _texts(table, "setting"), _texts(table, "method")
    if len(settings) > 1:
        raise ValueError(f"plot.{figure}: {' and '.join(settings)} are not comparable; give the rows of one setting.")
    if len(methods) > len(PALETTE):
        raise ValueError(f"plot.{figure} tells {len(PALETTE)} methods apart, not {len(methods)}; give fewer.")
    return methods


def _texts(table: pd.DataFrame, column: str) -> list[str]:
    return list(dict.fromkeys(table[column].astype(str)))


def _rank_correlation(part: pd.DataFrame) -> float:
    """Spearman's, NaN for fewer than three prompts."""
    return float(part["sd"].rank().corr(part["mae"].rank())) if len(part) > 2 else float("nan")


def _title(ax: Axes, table: pd.DataFrame) -> None:
    if simulated(table):
        ax.set_title("SIMULATED data")


def _simulated(table: pd.DataFrame) -> str:
    return "Simulated data. " if simulated(table) else ""
