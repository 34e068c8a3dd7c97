r"""A lower bound on the combined distance of every selection that keeps the constraints.

Let W = {w : w_i = 1 for rows that must be in, 0 ≤ w_i ≤ 1 for the others, Σ w = size}. Every selection is a w in W, so
the least divergence over W is at most that of any selection. Seeds' caps and quotas are left out of W (which only makes
the bound lower), but harm levels' quotas and room count in their floor. Three kinds of axes:

**One column** (harm levels). Whole numbers of rows: the best counts exactly (`counts.nearest_counts`).

**Columns with equal totals** (shares). p = M'w / size is linear in w and JSD is convex in p: Frank-Wolfe's method. At any
p and for every p' of the set, f(p') ≥ f(p) + ∇f(p)'(p' − p) ≥ f(p) + min_s ∇f(p)'(s − p): value minus duality gap. The
minimum over W is reached by the ``size`` least of (M∇f)_i: a partial sort.

**Columns with differing totals** (valences). p = M'w / t'w with t_i = Σ_k M_ik. P = {M'w / t'w : w ∈ W, t'w > 0} is convex:
for w, v in W and 0 < λ < 1, u = (λ w / t'w + (1 − λ) v / t'v) / (λ / t'w + (1 − λ) / t'v) is a convex combination of w and
v, so in W, and M'u / t'u = λ M'w / t'w + (1 − λ) M'v / t'v. So the same method holds on P itself, p never mapped back to
a w. Its linear step min_w g'M'w / t'w is a ratio of linear functions: Dinkelbach's iteration λ ← g'M'w / t'w with w the
``size`` least of (Mg − λt)_i, which ends at the minimum, for there Σ_i (Mg − λt)_i w_i ≥ 0 for all w in W.

The **separate** bound is the weighted mean of the axes' least divergences. The **joint** bound takes one w for harm levels
and all axes with equal totals: F(p) + ψ(c), ψ the sum of the f_k between whole counts c taken as straight lines. ψ is
convex and equals the divergence at whole counts, so its minimum with F is at most any selection's value, and at least
floor + separate. Its linear step, min over w of ∇F'M'w + ψ(c(w)), gives rows in order of (M∇F)_i within a level, and each
next row to the level where (M∇F)_i plus the change of f is least (both grow within a level, so this is optimal). The
other axes' separate minima are added. The bound is the larger of the two.

Sources: Frank & Wolfe 1956; Jaggi 2013 (gap), Lacoste-Julien & Jaggi 2015 (pairwise and corrective steps); Dinkelbach 1967.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pluristats.errors import ConstraintError
from pluristats.select.constraints import Checked
from pluristats.select.counts import changes, nearest_counts, room
from pluristats.select.distance import Array, divergence, slope, terms
from pluristats.select.pool import Pool, PoolAxis
from pluristats.select.problem import EQUAL, levels

ITERATIONS = 200
# Taken off each relaxation for rounding.
ROUNDING = 1e-12
# A relaxation stops when its value is known within this, or this part of it.
CLOSE, CLOSE_SHARE = 1e-8, 1e-3
# p is at least this in derivatives: they are finite, and the inequality still holds but for 1e-290.
TINY = 1e-300

# Least g's over the vertices s of a convex set: s.
Vertex = Callable[[Array], Array]
Rows = NDArray[np.int64]
# Rows, the weight of each, and ψ: (p, ψ).
Point = Callable[[Rows, Array, float], Array]


@dataclass(frozen=True, eq=False)
class Bound:
    """A lower bound.

    Parameters
    ----------
    distance
        No selection's combined distance is below it.
    floors
        By axis, a divergence (bits) that no selection is below.
    separate, joint
        Mean divergences that no selection is below: from the floors, and with one w for axes of equal totals.
    counts
        Rows of each harm level at its floor; empty without an axis of one column.
    seconds
        That it took.
    """

    distance: float
    floors: dict[str, float]
    separate: float
    joint: float
    counts: tuple[int, ...]
    seconds: float


def lower_bound(pool: Pool, checked: Checked) -> Bound:
    """The bound of a pool, its target and constraints.

    Raises
    ------
    ConstraintError
        The counts that quotas, forced rows and seeds leave to harm levels cannot sum to the size.
    """
    import time

    begun = time.perf_counter()
    weights = np.array([axis.axis.weight for axis in pool.axes])
    weights = weights / weights.sum()
    floors = [_floor(pool, checked, axis) for axis in pool.axes]
    separate = float(weights @ floors)
    level = next((i for i, axis in enumerate(pool.axes) if axis.axis.column is not None), None)
    equal = [i for i, axis in enumerate(pool.axes) if axis.axis.column is None and _equal(axis)]
    joint = 0.0
    if equal:
        rest = float(sum(weights[i] * floors[i] for i in range(len(floors)) if i not in equal and i != level))
        joint = _joint(pool, checked, weights, level, equal, separate - rest) + rest
    counts = () if level is None else tuple(_counts(pool, checked, pool.axes[level]).tolist())
    return Bound(
        distance=math.sqrt(max(separate, joint, 0.0)),
        floors={axis.axis.name: value for axis, value in zip(pool.axes, floors, strict=True)},
        separate=separate,
        joint=joint,
        counts=counts,
        seconds=time.perf_counter() - begun,
    )


def _equal(axis: PoolAxis) -> bool:
    return bool(np.ptp(np.asarray(axis.mass.sum(axis=1))) <= EQUAL)


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
    mass, start = _free(axis, checked)
    totals = np.asarray(mass.sum(axis=1)).ravel()
    forced_total = float(start.sum())
    q, left = axis.target, checked.left

    def value(p: Array) -> float:
        return float(terms(p, q).sum())

    def derivative(p: Array) -> Array:
        return slope(np.maximum(p, TINY), q)

    def vertex(g: Array) -> Array:
        return _least_ratio(mass, totals, start, forced_total, g, left)

    centre = start + np.asarray(mass.sum(axis=0)).ravel() * (left / max(mass.shape[0], 1))
    if centre.sum() <= 0:
        return 1.0  # no row has any mass: every selection counts 1 here
    return _frank_wolfe(value, derivative, vertex, centre / centre.sum())


def _free(axis: PoolAxis, checked: Checked):  # type: ignore[no-untyped-def]
    """Masses of the free rows, and the sum of the forced rows'."""
    return axis.mass[checked.free], np.asarray(axis.mass[checked.forced].sum(axis=0)).ravel()


def _least_ratio(mass, totals: Array, start: Array, forced: float, g: Array, left: int) -> Array:  # type: ignore[no-untyped-def]
    """M'w / t'w where g'M'w / t'w is least: Dinkelbach's iteration."""
    of_row, constant = mass @ g, float(start @ g)
    ratio, best = np.inf, None
    for _ in range(60):
        at = 0.0 if best is None else ratio
        rows = _least(of_row - at * totals, left) if best is not None else _first(of_row, totals, left)
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
    return _least(each, left)


def _least(values: Array, k: int) -> Rows:
    """Places of the k least."""
    if k >= len(values):
        return np.arange(len(values))
    return np.argpartition(values, k - 1)[:k] if k else np.array([], dtype=np.int64)


def _joint(pool: Pool, checked: Checked, weights: Array, level: int | None, equal: list[int], enough: float) -> float:
    """Least F(p) + ψ(c): vectors are (p of each axis, ψ). Gives up where it is not above ``enough``."""
    axes = [pool.axes[i] for i in equal]
    parts = [_free(axis, checked) for axis in axes]
    units = [float(np.asarray(axis.mass.sum(axis=1)).ravel()[0]) * checked.size for axis in axes]
    w = np.concatenate([np.full(len(axis.target), weights[i]) for i, axis in zip(equal, axes, strict=True)])
    q = np.concatenate([axis.target for axis in axes])
    bounds = np.cumsum([0] + [len(axis.target) for axis in axes])
    order_of = _levels(pool, checked, weights, level)

    def value(x: Array) -> float:
        return float(w @ terms(x[:-1], q)) + float(x[-1])

    def derivative(x: Array) -> Array:
        return np.append(w * slope(np.maximum(x[:-1], TINY), q), 1.0)

    def point(rows: Rows, share: Array, psi: float) -> Array:
        sums = [
            (start + np.asarray(share @ mass[rows]).ravel()) / unit
            for (mass, start), unit in zip(parts, units, strict=True)
        ]
        return np.append(np.concatenate(sums), psi)

    def vertex(g: Array) -> Array:
        score = np.zeros(len(checked.free))
        for (mass, _), unit, a, b in zip(parts, units, bounds[:-1], bounds[1:], strict=True):
            score += mass @ (g[a:b] / unit)
        rows, psi = order_of(score)
        return point(rows, np.ones(len(rows)), psi)

    rows, psi = order_of(np.zeros(len(checked.free)))
    return _frank_wolfe(value, derivative, vertex, _centre(pool, checked, level, rows, point, psi), enough)


def _centre(pool: Pool, checked: Checked, level: int | None, rows: Rows, point: Point, psi: float) -> Array:
    """A point of the joint set with some of every category: the floor's counts spread evenly over each level's rows."""
    category = levels(pool)[checked.free] if level is not None else np.zeros(len(checked.free), dtype=np.int64)
    counts = np.bincount(category[rows])
    there = np.bincount(category, minlength=len(counts))[: len(counts)]
    share = np.where(there > 0, counts / np.maximum(there, 1), 0.0)
    return point(np.arange(len(category)), np.append(share, np.zeros(category.max(initial=0)))[category], psi)


def _levels(pool: Pool, checked: Checked, weights: Array, level: int | None):  # type: ignore[no-untyped-def]
    """A function from scores of free rows to the rows with the least score + ψ, and ψ."""
    if level is None:
        return lambda score: (_least(score, checked.left), 0.0)
    axis = pool.axes[level]
    limits, size, kinds = room(pool, checked, axis), checked.size, len(axis.target)
    category = np.asarray(axis.mass.indices)
    steps, at_zero = weights[level] * changes(axis.target, size), weights[level] * terms(np.zeros(kinds), axis.target)
    forced = np.bincount(category[checked.forced], minlength=kinds)
    of_level = [np.flatnonzero(category[checked.free] == k) for k in range(kinds)]

    def least(score: Array) -> tuple[Rows, float]:
        must: list[Rows] = []
        may_rows, may_cost, counts = [], [], np.zeros(kinds, dtype=np.int64)
        for k, rows in enumerate(of_level):
            high = int(min(limits.high[k] - forced[k], len(rows), checked.left))
            first = rows[_least(score[rows], high)]
            first = first[np.argsort(score[first], kind="stable")]
            low = int(limits.low[k] - forced[k])
            must.append(first[:low])
            may_rows.append(first[low:])
            may_cost.append(score[first[low:]] + steps[k, forced[k] + low : forced[k] + len(first)])
            counts[k] = limits.low[k]
        rows, cost = np.concatenate(may_rows), np.concatenate(may_cost)
        taken = rows[_least(cost, checked.left - sum(map(len, must)))]
        counts += np.bincount(category[checked.free[taken]], minlength=kinds)
        psi = float(at_zero.sum() + sum(steps[k, : counts[k]].sum() for k in range(kinds)))
        return np.concatenate([*must, taken]), psi

    return least


def _frank_wolfe(
    value: Callable[[Array], float], derivative: Vertex, vertex: Vertex, centre: Array, enough: float = 0.0
) -> float:
    """A number that a convex function is nowhere below on a set that is given by its linear minimiser.

    Fully corrective: the function is minimised over all vertices found so far after each new one; the largest of value + least linear change over all iterations. Stops early
    where the least value is found not to be above ``enough``.
    """
    atoms, share = centre[None, :], np.array([1.0])
    x, best = centre, -np.inf
    for _ in range(ITERATIONS):
        g = derivative(x)
        s, now = vertex(g), value(x)
        best = max(best, now + float(g @ (s - x)))
        if now - best <= max(CLOSE, CLOSE_SHARE * now) or now <= enough * (1 + CLOSE_SHARE) + CLOSE:
            break
        if not (atoms == s).all(axis=1).any():
            atoms, share = np.vstack([atoms, s]), np.append(share, 0.0)
        share = _corrected(value, derivative, atoms, share)
        keep = share > 1e-12
        atoms, share = atoms[keep], share[keep] / share[keep].sum()
        x = share @ atoms
    return max(best - ROUNDING, 0.0)


def _corrected(value: Callable[[Array], float], derivative: Vertex, atoms: Array, share: Array) -> Array:
    """Shares of the vertices found at which the function is least: sequential quadratic programming."""
    from scipy.optimize import minimize

    scale = 1 / max(value(share @ atoms), 1e-9)  # its tolerance is absolute
    found = minimize(
        lambda a: scale * value(a @ atoms),
        share,
        jac=lambda a: scale * (atoms @ derivative(a @ atoms)),
        method="SLSQP",
        bounds=[(0.0, 1.0)] * len(share),
        constraints={"type": "eq", "fun": lambda a: a.sum() - 1.0, "jac": lambda a: np.ones(len(a))},
        options={"maxiter": 100, "ftol": 1e-10},
    )
    better = np.clip(found.x, 0.0, None)
    better /= better.sum()
    return better if value(better @ atoms) < value(share @ atoms) else _step(derivative, atoms, share)


def _step(derivative: Vertex, atoms: Array, share: Array) -> Array:
    """A pairwise step: from the worst of the vertices in use to the best, as far as the function falls."""
    x = share @ atoms
    scores = atoms @ derivative(x)
    away, near = int(np.argmax(np.where(share > 0, scores, -np.inf))), int(np.argmin(scores))
    moved = _line(derivative, x, atoms[near] - atoms[away], float(share[away]))
    share = share.copy()
    share[away] -= moved
    share[near] += moved
    return share


def _line(derivative: Vertex, x: Array, direction: Array, most: float) -> float:
    """Step up to ``most`` at which a convex function is least along a direction: bisection of its derivative."""
    if float(derivative(x + most * direction) @ direction) <= 0:
        return most
    low, high = 0.0, most
    for _ in range(30):
        middle = (low + high) / 2
        if float(derivative(x + middle * direction) @ direction) > 0:
            high = middle
        else:
            low = middle
    return low
