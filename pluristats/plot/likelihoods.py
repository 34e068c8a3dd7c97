"""Likelihoods side by side: each term's z under each of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from pluristats.display.labels import display_label
from pluristats.plot.theme import GREY, INK, MARKERS, PALETTE, count, legend_below, need, new_axes, number, safe, style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

COLUMNS = ("term", "likelihood", "kind", "statistic", "significant")


def sensitivity(
    table: pd.DataFrame,
    top: int | None = None,
    *,
    labels: Mapping[str, str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """The statistic of each term under each likelihood, the largest of the first likelihood on top.

    Filled markers are significant, open ones are not. Each likelihood has a colour, a marker and a height within the
    term's row. Terms or likelihoods without a statistic are not drawn.

    Parameters
    ----------
    table
        One row a likelihood and term, as ``ps.likelihood_sensitivity(...).tidy()``: ``term``, ``likelihood``, ``kind``,
        ``statistic``, ``significant``.
    top
        Draw only the ``top`` terms whose statistic is furthest from 0 under any likelihood; the title says so.
    labels
        Readable names by column (``study.labels``).
    ax
        Where to draw; a new figure, as tall as the rows need, when absent.
    """
    fits, terms, total = _layout(table, top)
    with style():
        ax = new_axes(7.4, 1.6 + 0.27 * len(terms)) if ax is None else ax
        ax.axvline(0, color=INK, linewidth=1)
        place = {term: y for y, term in enumerate(terms)}
        for k, (name, part) in enumerate(fits.items()):
            drawn = part[part["term"].isin(place) & part["statistic"].notna()]
            y = drawn["term"].map(place).to_numpy(dtype=np.float64) + 0.7 * ((k + 0.5) / len(fits) - 0.5)
            colour, marker = PALETTE[k % len(PALETTE)], MARKERS[k % len(MARKERS)]
            sure = drawn["significant"].fillna(False).to_numpy(dtype=bool)
            ax.scatter(
                drawn["statistic"].to_numpy(dtype=np.float64),
                y,
                marker=marker,
                s=24,
                edgecolors=colour,
                facecolors=[colour if filled else "white" for filled in sure],
                linewidths=1.2,
                zorder=3,
            )
            ax.plot([], [], linestyle="", marker=marker, color=colour, label=safe(name))
        ax.set_yticks(range(len(terms)), [safe(display_label(term, labels)) for term in terms])
        ax.set_yticks(np.arange(len(terms) - 1) + 0.5, minor=True)
        ax.set_ylim(len(terms) - 0.4, -0.6)  # first row at the top
        ax.grid(visible=False, axis="y", which="major")
        ax.grid(axis="y", which="minor", linewidth=0.5)
        ax.set_xlabel("Estimate over its standard error\n(open marker: not significant)")
        if len(terms) < total:
            ax.set_title(f"The {len(terms):,} of {total:,} terms furthest from 0", fontweight="normal")
        ax.tick_params(axis="y", which="both", length=0)
        ax.spines[["left", "right", "top"]].set_visible(False)
        ax.spines["bottom"].set_color(GREY)
        legend_below(ax, 0.75)
    return ax


def describe_sensitivity(
    table: pd.DataFrame, top: int | None = None, *, labels: Mapping[str, str] | None = None
) -> str:
    """Alternative text of :func:`sensitivity`, from the same arguments."""
    fits, terms, total = _layout(table, top)
    which = count(total, "term") if len(terms) == total else f"the {len(terms):,} of {total:,} terms furthest from 0"
    text = [f"Dot plot of estimates over their standard errors for {which}, under {count(len(fits), 'fit')}."]
    first = next(iter(fits))
    for name, part in fits.items():
        drawn = part[part["term"].isin(terms) & part["statistic"].notna()].set_index("term")
        if drawn.empty:
            text.append(f"{name}: no values.")
            continue
        sure = int(drawn["significant"].fillna(False).sum())
        z = drawn["statistic"].to_numpy(dtype=np.float64)
        most = int(np.abs(z).argmax())
        furthest = f"{display_label(drawn.index[most], labels)} {number(float(z[most]))}"
        words = f"{name}: {sure:,} of {len(drawn):,} significant; furthest from 0 {furthest}"
        if name != first:
            before = fits[first].set_index("term").reindex(drawn.index)
            turned = int((np.sign(drawn["statistic"]) * np.sign(before["statistic"]) < 0).sum())
            words += f"; {count(turned, 'sign')} unlike {first}"
        text.append(f"{words}.")
    return " ".join(text)


def _layout(table: pd.DataFrame, top: int | None) -> tuple[dict[str, pd.DataFrame], list[str], int]:
    """Rows by fit in the table's order, the terms from the top, and how many there are in all."""
    need(table, COLUMNS, "sensitivity")
    if top is not None and top < 1:
        raise ValueError(f"top is how many terms to draw, at least 1, not {top}.")
    known = table[table["statistic"].notna()]
    need(known, COLUMNS, "sensitivity")
    keys = table["likelihood"].astype(str) + " (" + table["kind"].astype(str) + ")"
    fits = {name: table[keys == name] for name in dict.fromkeys(keys)}
    furthest = known.assign(size=known["statistic"].abs()).groupby("term", sort=False)["size"].max()
    kept = furthest.sort_values(ascending=False, kind="stable").index[:top]
    # By the first fit that has the term.
    first = known.drop_duplicates("term").set_index("term")["statistic"]
    return fits, list(first.loc[kept].sort_values(ascending=False, kind="stable").index), len(furthest)
