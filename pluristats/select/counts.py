"""Whole numbers of rows per category that come nearest to target shares: the rounding floor of an axis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pluristats.select.constraints import Checked
from pluristats.select.distance import Array, terms
from pluristats.select.pool import Pool, PoolAxis

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Room:
    """How many rows of each category of a one-column axis a selection may have, forced rows among them.

    Parameters
    ----------
    low, high
        Least and most, (K,).
    """

    low: Ints
    high: Ints


def room(pool: Pool, checked: Checked, axis: PoolAxis) -> Room:
    """Limits from the forced rows, the pool, the caps of seeds, and quotas on exactly these categories."""
    kinds = len(axis.target)
    category = axis.mass.indices
    forced = np.bincount(category[checked.forced], minlength=kinds)
    free, high = checked.free, forced.copy()
    for k in range(kinds):
        seeds = np.bincount(pool.seed[free[category[free] == k]], minlength=len(checked.cap))
        high[k] += np.minimum(seeds, checked.cap).sum()
    low = forced.copy()
    for members, least, most in zip(checked.members, checked.low, checked.high, strict=True):
        for k in range(kinds):
            if np.array_equal(members, category == k):
                low[k] = max(low[k], forced[k] + least)
                high[k] = min(high[k], forced[k] + most)
    return Room(low.astype(np.int64), high.astype(np.int64))


def nearest_counts(target: Array, size: int, limits: Room) -> Ints | None:
    """Counts c, Σ c = size and low ≤ c ≤ high, whose divergence Σ_k f_k(c_k / size) is least; None if there are none.

    Each f_k is convex, so that what one more row of a category changes only grows; giving rows one at a time to the
    category whose change is least is then optimal (Fox 1966).
    """
    counts = limits.low.copy()
    if counts.sum() > size or limits.high.sum() < size or (limits.low > limits.high).any():
        return None
    steps = changes(target, size)
    while counts.sum() < size:
        one_more = steps[np.arange(len(counts)), np.minimum(counts, size - 1)]
        change = np.where(counts < limits.high, one_more, np.inf)
        counts[int(np.argmin(change))] += 1
    return counts


def changes(target: Array, size: int) -> Array:
    """What the (c + 1)-th row of a category changes, (K, size): f_k((c + 1) / size) − f_k(c / size), growing in c."""
    parts = terms(np.arange(size + 1)[None, :] / size, target[:, None])
    return np.diff(parts, axis=1)
