r"""A lower bound on the combined distance of every selection that keeps the constraints.

Let W = {w : w_i = 1 for rows that must be in, 0 ≤ w_i ≤ 1 for the others, Σ w = size}. Every selection is a w in W, so
the least divergence over W is at most that of any selection. Seeds' caps and quotas are left out of W (which only makes
the bound lower), but harm levels' quotas and room count in their floor. Three kinds of axes:

**One column** (harm levels). Whole numbers of rows: the best counts exactly (`counts.nearest_counts`).

**Columns with equal totals** (shares). p = M'w / size is linear in w and the divergence f is convex in p: Frank-Wolfe's
method, the value minus its duality gap (`frankwolfe`). A linear function is least at the ``size`` least of (Mg)_i: a
partial sort.

**Columns with differing totals** (valences). p = M'w / t'w with t_i = Σ_k M_ik. P = {M'w / t'w : w ∈ W, t'w > 0} is
convex: for w, v in W and 0 < λ < 1 let μ = λ / t'w, ν = (1 − λ) / t'v; then u = (μw + νv) / (μ + ν) lies between w and
v, so in W, and M'u / t'u = (μM'w + νM'v) / (μt'w + νt'v) = λ M'w / t'w + (1 − λ) M'v / t'v. So the same method holds on
P itself, p never mapped back to a w. Its linear step min_w g'M'w / t'w is a ratio of linear functions: Dinkelbach's
iteration λ ← g'M'w / t'w, w the ``size`` least of (Mg − λt)_i. It ends at the minimum, for there (Mg − λt)'w ≥ 0 for
all w in W. Source: Dinkelbach 1967.

The **separate** bound is the weighted mean of the axes' least divergences. The **joint** bound (`joint`) takes one w
for all axes at once. The bound is the larger of the two.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pluristats.display.shown import Displayed, Shown, mark
from pluristats.errors import ConstraintError
from pluristats.select.constraints import Checked
from pluristats.select.counts import nearest_counts, room
from pluristats.select.distance import Array, curvature, divergence, slope, terms
from pluristats.select.frankwolfe import least
from pluristats.select.pool import Pool, PoolAxis

# p is at least this in derivatives: they are finite, and the inequality still holds but for 1e-290.
TINY = 1e-300
# And at least this in second derivatives, which are only for speed.
SMALL = 1e-12

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Bound(Displayed):
    """A lower bound.

    Parameters
    ----------
    distance
        No selection's combined distance is below it.
    floors
        By axis, a divergence (bits) that no selection is below.
    separate, joint
        Mean divergences that no selection is below: from the floors, and with one w for all axes.
    counts
        Rows of each harm level at its floor; empty without an axis of one column.
    seconds
        That it took.
    simulated
        Whether any row of the pool is.
    """

    distance: float
    floors: dict[str, float]
    separate: float
    joint: float
    counts: tuple[int, ...]
    seconds: float
    simulated: bool = False

    def __repr__(self) -> str:
        simulated = mark(self.simulated)
        return f"<Bound: distance {self.distance:.5f}, separate {self.separate:.5f}, joint {self.joint:.5f}{simulated}>"

    def _shown(self) -> Shown:
        import pandas as pd

        table = pd.DataFrame(list(self.floors.items()), columns=["axis", "divergence"])
        return Shown(
            f"No selection's distance is below {self.distance:.5f}",
            self.simulated,
            lines=(f"Mean divergence: at least {self.separate:.5f} by axis, {self.joint:.5f} with all axes at once.",),
            tables=(("Least divergence by axis (bits)", table),),
        )


def lower_bound(pool: Pool, checked: Checked) -> Bound:
    """The bound of a pool, its target and constraints.

    Raises
    ------
    ConstraintError
        The counts that quotas, forced rows and seeds leave to harm levels cannot sum to the size.
    """
    import time

    from pluristats.select.joint import joint_bound

    begun = time.perf_counter()
    weights = np.array([axis.axis.weight for axis in pool.axes])
    weights = weights / weights.sum()
    floors = np.array([_floor(pool, checked, axis) for axis in pool.axes])
    separate = float(weights @ floors)
    level = next((i for i, axis in enumerate(pool.axes) if axis.axis.column is not None), None)
    joint = joint_bound(pool, checked, weights, floors)
    counts = () if level is None else tuple(_counts(pool, checked, pool.axes[level]).tolist())
    return Bound(
        distance=math.sqrt(max(separate, joint, 0.0)),
        floors={axis.axis.name: value for axis, value in zip(pool.axes, floors, strict=True)},
        separate=separate,
        joint=joint,
        counts=counts,
        seconds=time.perf_counter() - begun,
        simulated=pool.simulated,
    )


def _counts(pool: Pool, checked: Checked, axis: PoolAxis) -> Rows:
    counts = nearest_counts(axis.target, checked.size, room(pool, checked, axis))
    if counts is None:
        raise ConstraintError(
            f"no selection of {checked.size:,} rows keeps the quotas, included rows and max_per_seed on "
            f"{axis.axis.column}; loosen one."
        )
    return counts


def _floor(pool: Pool, checked: Checked, axis: PoolAxis) -> float:
    if axis.axis.column is not None:
        return divergence(_counts(pool, checked, axis), axis.target)
    mass, start = free_masses(axis, checked)
    totals = np.asarray(mass.sum(axis=1)).ravel()
    forced_total = float(start.sum())
    q, left = axis.target, checked.left

    def value(p: Array) -> float:
        return float(terms(p, q).sum())

    def derivative(p: Array) -> Array:
        return slope(np.maximum(p, TINY), q)

    def root(p: Array, atoms: Array) -> Array:
        return np.sqrt(curvature(np.maximum(p, SMALL), q))[:, None] * atoms.T

    def vertex(g: Array) -> Array:
        return _least_ratio(mass, totals, start, forced_total, g, left)

    centre = start + np.asarray(mass.sum(axis=0)).ravel() * (left / max(mass.shape[0], 1))
    if centre.sum() <= 0:
        return 1.0  # no row has any mass: every selection counts 1 here
    return max(least(value, derivative, root, vertex, (centre / centre.sum())[None, :]).bound, 0.0)


def free_masses(axis: PoolAxis, checked: Checked) -> tuple[Any, Array]:
    """Masses of the free rows, and the sum of the forced rows'."""
    return axis.mass[checked.free], np.asarray(axis.mass[checked.forced].sum(axis=0)).ravel()


def _least_ratio(mass: Any, totals: Array, start: Array, forced: float, g: Array, left: int) -> Array:
    """M'w / t'w where g'M'w / t'w is least: Dinkelbach's iteration."""
    of_row, constant = mass @ g, float(start @ g)
    ratio, best = np.inf, None
    for _ in range(60):
        at = 0.0 if best is None else ratio
        rows = least_places(of_row - at * totals, left) if best is not None else _first(of_row, totals, left)
        total = totals[rows].sum() + forced
        if total <= 0:
            break
        new = (of_row[rows].sum() + constant) / total
        if not new < ratio - 1e-15 * (1 + abs(new)):
            break
        ratio, best = new, rows
    assert best is not None
    p = start + np.asarray(mass[best].sum(axis=0)).ravel()
    return p / p.sum()


def _first(of_row: Array, totals: Array, left: int) -> Rows:
    """Rows to start from: least g'M_i / t_i, rows without mass last."""
    each = np.where(totals > 0, of_row / np.where(totals > 0, totals, 1.0), np.inf)
    return least_places(each, left)


def least_places(values: Array, k: int) -> Rows:
    """Places of the k least."""
    if k >= len(values):
        return np.arange(len(values))
    return np.argpartition(values, k - 1)[:k] if k else np.array([], dtype=np.int64)
