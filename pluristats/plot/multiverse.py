"""The specification curve: one rung's ΔBIC under every specification, sorted, with the choices that gave it below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from pluristats.plot.theme import BLUE, GREY, INK, PALETTE, VERMILION, legend_below, need, pair, safe, style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

COLUMNS = ("id", "model", "delta_step", "delta_null", "same_rows", "same_rows_null", "published")
Reading = Literal["step", "null"]
_SAYS = {"step": "the model before", "null": "the null"}


def specification_curve(
    table: pd.DataFrame, model: str, *, reading: Reading = "step", ax: Sequence[Axes] | None = None
) -> tuple[Axes, Axes]:
    """ΔBIC of one model under every specification, from least to greatest, and a strip of the options of each.

    Open circles compare models that were fitted to different rows. The published figure is a line.

    Parameters
    ----------
    table
        :meth:`Multiverse.table() <pluristats.analysis.multiverse.Multiverse.table>`: one row a specification and model;
        the columns between ``id`` and ``model`` are the choices, an empty text where one does not apply.
    model
        Such as ``"1"``.
    reading
        ``"step"``: against the model before; ``"null"``: against the null.
    ax
        Two axes, for the curve and the strip; a new figure when absent.

    Returns
    -------
    tuple of Axes
        Curve and strip.

    Raises
    ------
    ValueError
        The table lacks a column, or has no ΔBIC of this model.
    """
    part, options = _sorted(table, model, reading)
    delta, same = _values(part, reading)
    with style():
        curve, strip = _panels(len(options)) if ax is None else pair(ax, 0, 0)
        at = np.arange(len(part))
        size = float(np.clip(2000 / len(part), 3, 30))
        many = len(part) > 300
        for rows, face, label in ((same, BLUE, "both models on the same rows"), (~same, "none", "on different rows")):
            if rows.any():
                curve.scatter(
                    at[rows], delta[rows], s=size, marker="o", facecolors=face, edgecolors=BLUE, linewidths=0.7,
                    label=label, rasterized=many,
                )  # fmt: skip
        published = float(part["published"].iloc[0])
        if published == published:
            curve.axhline(
                published, color=VERMILION, linestyle="--", linewidth=1.4, label=f"published {published:+,.0f}"
            )
        curve.axhline(0, color=INK, linewidth=0.8)
        curve.set_ylabel(f"ΔBIC against\n{_SAYS[reading]}")
        curve.set_title(f"Model {safe(model)}: {len(part):,} specifications")
        for row, (choice, option) in enumerate(options):
            here = np.flatnonzero(part[choice].to_numpy() == option)
            colour = PALETTE[_nth(options, choice) % 2]  # neighbouring choices differ
            # One broken line an option: a page would carry every tick of its own as a path.
            x, y = np.repeat(here, 3).astype(np.float64), np.tile([row - 0.36, row + 0.36, np.nan], len(here))
            strip.plot(x, y, color=colour, marker="", linewidth=0.6, rasterized=many)
        strip.set_yticks(range(len(options)), [safe(f"{choice}: {option}") for choice, option in options])
        strip.tick_params(axis="y", labelsize="x-small")
        strip.set_ylim(len(options) - 0.4, -0.6)
        strip.grid(visible=False)
        for row in range(1, len(options)):
            if options[row][0] != options[row - 1][0]:
                strip.axhline(row - 0.5, color=GREY, linewidth=0.5)
        for axes in (curve, strip):
            axes.set_xlim(-0.02 * len(part) - 0.5, 1.02 * len(part) - 0.5)
        curve.tick_params(labelbottom=False)
        strip.set_xlabel("specifications by ΔBIC (least first)")
        legend_below(strip, 0.5, 3, handles=curve.get_legend_handles_labels()[0])
    return curve, strip


def describe_specification_curve(table: pd.DataFrame, model: str, *, reading: Reading = "step") -> str:
    """Alternative text of :func:`specification_curve`."""
    part, options = _sorted(table, model, reading)
    delta, same = _values(part, reading)
    published = float(part["published"].iloc[0])
    text = [
        f"Specification curve of Model {model}: the change in BIC against {_SAYS[reading]} under {len(part):,} "
        f"specifications, sorted, from {delta[0]:+,.0f} to {delta[-1]:+,.0f} (median {np.median(delta):+,.0f}).",
    ]
    if not same.all():
        text.append(f"{int((~same).sum()):,} of them compare models on different rows (open circles).")
    if published == published:
        below = int(np.sum(delta < published))
        text.append(f"The published {published:+,.0f} is a dashed line with {below:,} specifications below it.")
    for choice in dict.fromkeys(choice for choice, _ in options):
        of = {option: delta[part[choice].to_numpy() == option] for c, option in options if c == choice}
        medians = [f"{option} {np.median(values):+,.0f}" for option, values in of.items() if len(values)]
        text.append(f"Medians by {choice}: {', '.join(medians)}.")
    return " ".join(text)


def _sorted(table: pd.DataFrame, model: str, reading: Reading) -> tuple[pd.DataFrame, list[tuple[str, str]]]:
    """Rows of a model with a ΔBIC, least first, and the (choice, option) pairs that differ among them."""
    need(table, COLUMNS, "specification_curve")
    if reading not in _SAYS:
        raise ValueError(f"plot.specification_curve: reading is 'step' or 'null', not {reading!r}.")
    part = table[(table["model"].astype(str) == str(model)) & table[f"delta_{reading}"].notna()]
    if not len(part):
        raise ValueError(f"plot.specification_curve: the table has no ΔBIC of model {model!r}, so nothing to draw.")
    part = part.sort_values([f"delta_{reading}", "id"], kind="stable", ignore_index=True)
    names = list(table.columns)
    choices = names[names.index("id") + 1 : names.index("model")]
    options = [(choice, str(option)) for choice in choices for option in dict.fromkeys(table[choice]) if option != ""]
    several = [choice for choice, _ in options]
    return part, [pair for pair in options if several.count(pair[0]) > 1]


def _values(part: pd.DataFrame, reading: Reading) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    same = part["same_rows" if reading == "step" else "same_rows_null"].to_numpy(dtype=bool)
    return part[f"delta_{reading}"].to_numpy(dtype=np.float64), same


def _nth(options: list[tuple[str, str]], choice: str) -> int:
    return list(dict.fromkeys(name for name, _ in options)).index(choice)


def _panels(rows: int) -> tuple[Axes, Axes]:
    """Curve above strip."""
    import matplotlib.pyplot as plt

    below = 0.6 + 0.16 * max(rows, 1)
    size = (7.6, 3.2 + below)
    axes = plt.subplots(2, 1, figsize=size, height_ratios=[2.8, below], layout="constrained")[1]
    return axes[0], axes[1]
