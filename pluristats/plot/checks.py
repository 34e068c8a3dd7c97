"""Residual checks: residuals against fitted values, and a normal quantile-quantile plot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pluristats.plot.theme import BLUE, INK, VERMILION, count, need, number, pair, style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_BINS = 20


def residuals(augmented: pd.DataFrame, *, ax: Sequence[Axes] | None = None) -> Any:
    """Residuals against fitted values with their mean in 20 equal groups, and a normal QQ plot; two panels.

    A flat line of means at 0 says that the model is not bent; points on the diagonal say that residuals are normal.
    Those of a fit with weights are times √weight.

    Parameters
    ----------
    augmented
        One row an observation, as ``fit.augment()``: ``fitted``, ``resid`` or, where there are weights,
        ``weighted_resid``.
    ax
        Two axes; those of a new figure when absent.

    Returns
    -------
    The two axes.
    """
    fitted, resid, weighted = _read(augmented)
    with style():
        left, right = pair(ax, 8.4, 3.8)
        # Thousands of points: as an image inside the SVG, or the report would carry each as a path.
        left.scatter(fitted, resid, s=5, color=BLUE, alpha=0.15, linewidths=0, rasterized=True)
        left.axhline(0, color=INK, linewidth=1)
        left.plot(*_trend(fitted, resid), color=VERMILION, marker="s", markersize=4, label="mean of 20 equal groups")
        left.set_xlabel("Fitted value")
        left.set_ylabel("√weight × residual" if weighted else "Residual")
        left.legend(loc="upper right")
        theory, sample = quantiles(resid)
        right.plot(theory[[0, -1]], theory[[0, -1]], color=INK, marker="", linewidth=1, label="normal distribution")
        kept = _apart(theory, sample)
        right.plot(theory[kept], sample[kept], linestyle="", marker="o", markersize=2.5, color=BLUE, label="residuals")
        right.set_xlabel("Quantile of the normal distribution")
        right.set_ylabel("Standardised residual")
        right.legend(loc="upper left")
    return left, right


def describe_residuals(augmented: pd.DataFrame) -> str:
    """Alternative text of :func:`residuals`."""
    fitted, resid, weighted = _read(augmented)
    _, means = _trend(fitted, resid)
    _, sample = quantiles(resid)
    tails = [number(float(np.quantile(sample, p))) for p in (0.025, 0.975)]
    return (
        f"Two panels for {count(len(resid), 'residual')}{' times √weight' if weighted else ''}. "
        f"Left: residuals ({number(resid.min())} to "
        f"{number(resid.max())}) against fitted values ({number(fitted.min())} to {number(fitted.max())}); their mean "
        f"in groups of similar fitted values runs from {number(means.min())} to {number(means.max())}. Right: normal "
        f"quantile plot; the middle 95 % of the standardised residuals lie between {tails[0]} and {tails[1]} "
        "(normal: -1.96 and 1.96)."
    )


def _read(augmented: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64], bool]:
    """Fitted values, residuals, and whether these are weighted."""
    weighted = "weighted_resid" in augmented
    names = ("fitted", "weighted_resid" if weighted else "resid")
    need(augmented, names, "residuals")
    fitted, resid = (augmented[name].to_numpy(dtype=np.float64) for name in names)
    return fitted, resid, weighted


def quantiles(resid: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Normal quantiles Φ⁻¹((i - ½)/n) and the sorted standardised residuals, each shape (n,).

    Parameters
    ----------
    resid
        Shape (n,). When they do not vary the standardised residuals are 0.
    """
    from scipy import stats

    n = resid.size
    sd = resid.std(ddof=1) if n > 1 else 0.0
    centred = np.sort(resid - resid.mean())
    return stats.norm.ppf((np.arange(1, n + 1) - 0.5) / n), centred / sd if sd > 0 else np.zeros(n)


def _apart(theory: NDArray[np.float64], sample: NDArray[np.float64]) -> NDArray[np.intp]:
    """Rows of quantiles to draw: all of up to 500, else the first in 250 equal parts of each axis and the ends.

    Both coordinates rise with the row, so what is left out lies between two neighbours that touch.
    """
    row = np.arange(theory.size)
    if theory.size <= 500:
        return row
    kept = [row[:50], row[-50:]]
    for axis in (theory, sample):
        part = np.floor((axis - axis[0]) / max(axis[-1] - axis[0], 1e-12) * 250)
        kept.append(np.unique(part, return_index=True)[1])
    return np.unique(np.concatenate(kept))


def _trend(fitted: NDArray[np.float64], resid: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean fitted value and mean residual in groups of equal size by fitted value."""
    order = np.argsort(fitted, kind="stable")
    groups = np.array_split(order, min(_BINS, order.size))
    return np.array([fitted[g].mean() for g in groups]), np.array([resid[g].mean() for g in groups])
