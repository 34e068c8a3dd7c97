"""From a checked pool to the arrays that the compiled searches work on."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pluristats.select.constraints import Checked
from pluristats.select.pool import Pool

if TYPE_CHECKING:
    from pluristats.select.kernels.problem import Problem

# Rows' totals that differ by less are equal: shares that sum to 1 but for rounding.
EQUAL = 1e-9


@dataclass(frozen=True, eq=False)
class Arrays:
    """A problem and what its rows are.

    Parameters
    ----------
    problem
        For the kernels; its rows are the free ones, by level, in random order within.
    rows
        Number in the pool of each of them, (n,).
    forced, forced_levels
        Rows of the pool that are in any selection, and how many of each level they are.
    """

    problem: Problem
    rows: NDArray[np.int64]
    forced: NDArray[np.int64]
    forced_levels: NDArray[np.int64]

    def selected(self, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows of the pool, sorted, of the problem's chosen rows."""
        return np.sort(np.concatenate([self.rows[chosen], self.forced]))


def arrays(pool: Pool, checked: Checked, seed: int = 0) -> Arrays:
    """The arrays.

    Levels are the values of the first axis that is one column (harm levels); a pool without one has one level.

    Parameters
    ----------
    seed
        Of the order of rows within a level.
    """
    from scipy.sparse import csc_array, hstack

    from pluristats.select.kernels.problem import Problem

    free = np.random.default_rng(seed).permutation(checked.free)
    every_level = levels(pool)
    n_levels = int(every_level.max()) + 1
    level = every_level[free]
    order = np.argsort(level, kind="stable")
    free, level = free[order], level[order]
    masses = [axis.mass[free] for axis in pool.axes]
    totals = np.column_stack([np.asarray(m.sum(axis=1)).ravel() for m in masses])
    every = np.column_stack([np.asarray(axis.mass.sum(axis=1)).ravel() for axis in pool.axes])
    equal = np.ptp(every, axis=0) <= EQUAL
    ratio_axis = np.flatnonzero(~equal)
    # Blocks: equal axes together, then each ratio axis. Categories keep the target's order of axes.
    bounds = np.concatenate([[0], np.cumsum([len(axis.target) for axis in pool.axes])])
    kinds = int(bounds[-1])
    block_of = np.zeros(kinds, dtype=np.int64)
    for block, a in enumerate(ratio_axis, start=1):
        block_of[bounds[a] : bounds[a + 1]] = block
    whole = hstack(masses, format="csr")
    row, category, mass = _triplets(whole)
    order = np.lexsort((category, block_of[category], row))
    row, category, mass = row[order], category[order], mass[order]
    edges = np.arange(len(free))[:, None] * (len(ratio_axis) + 1) + np.arange(len(ratio_axis) + 2)
    start = np.searchsorted(row * (len(ratio_axis) + 1) + block_of[category], edges)
    by_level = csc_array((mass, (row, level[row] * kinds + category)), shape=(len(free), n_levels * kinds))
    by_level.sort_indices()
    member = np.zeros(len(free), dtype=np.uint64)
    for bit, flags in enumerate(checked.members):
        member |= flags[free].astype(np.uint64) << np.uint64(bit)
    base = np.concatenate([np.asarray(axis.mass[checked.forced].sum(axis=0)).ravel() for axis in pool.axes])
    weight = np.array([axis.axis.weight for axis in pool.axes])
    problem = Problem(
        start=start.astype(np.int32),
        category=category.astype(np.int32),
        mass=mass.astype(np.float64),
        total=np.ascontiguousarray(totals[:, ratio_axis]),
        by_category=by_level.indptr.astype(np.int64),
        category_row=by_level.indices.astype(np.int32),
        category_mass=by_level.data.astype(np.float64),
        target=np.concatenate([axis.target for axis in pool.axes]),
        axis=bounds.astype(np.int64),
        weight=weight / weight.sum(),
        ratio=np.where(equal, -1, np.cumsum(~equal) - 1).astype(np.int64),
        ratio_axis=ratio_axis.astype(np.int64),
        unit=np.where(equal, every.mean(axis=0), 0.0),
        level=level.astype(np.int32),
        first=np.searchsorted(level, np.arange(n_levels + 1)).astype(np.int64),
        seed=pool.seed[free].astype(np.int32),
        cap=checked.cap,
        member=member,
        low=checked.low,
        high=checked.high,
        base=base.astype(np.float64),
        base_total=np.array([base[a:b].sum() for a, b in pairwise(bounds)]),
        size=checked.left,
    )
    forced_levels = np.bincount(every_level[checked.forced], minlength=n_levels)
    return Arrays(problem, free, checked.forced, forced_levels.astype(np.int64))


def levels(pool: Pool) -> NDArray[np.int64]:
    """Level of every row of the pool: its category on the first axis that is one column; 0 where there is none."""
    for axis in pool.axes:
        if axis.axis.column is not None:
            return np.asarray(axis.mass.indices, dtype=np.int64)
    return np.zeros(len(pool), dtype=np.int64)


def _triplets(matrix: object) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    coo = matrix.tocoo()  # type: ignore[attr-defined]
    there = coo.data != 0
    return coo.coords[0][there].astype(np.int64), coo.coords[1][there].astype(np.int64), coo.data[there]
