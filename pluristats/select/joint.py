r"""A lower bound with one w for all axes at once (see `bound` for W).

Minimise F(p) + ψ(c) + v(S) over w in W:

- F, the weighted divergences of the axes with equal totals, convex in p = M'w / size.
- ψ(c), that of harm levels: Σ_k f_k(c_k) with straight lines between whole counts. It is convex, equals the divergence
  at whole counts, and so is at most any selection's.
- v(S) = weight · f(S / T), T = Σ_k S_k, of one axis with differing totals. It is not convex in w, but T f(S / T) is
  (the perspective of f). So the totals are cut into intervals [a, b], and where a ≤ T ≤ b, for every λ ≥ 0,

      v(S) ≥ weight · T f(S / T) / b ≥ weight · T f(S / T) / b + λ (a − T),

  which is convex; with λ < 0 the last term is λ (b − T). The bound of an interval is the least over W of this (with λ
  near weight · f / b it loses a part 1 − a / b of v only), and the bound is the least of all intervals'. They are
  halved, the lowest first, until that is close to a value that some w has.

Other axes with differing totals count by their separate floors. The linear step, min over w of g'w + ψ(c(w)), takes
a level's rows in order of g_i, and each next row from the level where g_i plus the change of f is least; both grow
within a level, so this is optimal.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pluristats.select.bound import SMALL, TINY, free_masses, least_places
from pluristats.select.constraints import Checked
from pluristats.select.counts import changes, room
from pluristats.select.distance import Array, curvature, slope, terms
from pluristats.select.frankwolfe import Least, least
from pluristats.select.pool import Pool, PoolAxis
from pluristats.select.problem import EQUAL

# Intervals that are solved at most, and how close to the least value that is known is close enough.
SOLVES, NEAR = 24, 0.01
# Totals below this part of the evenly spread rows' are not told apart: a w can have next to no mass there.
LEAST_TOTAL = 1 / 16

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class _Problem:
    """Vectors are (p of the axes with equal totals, S / scale of the ratio axis, ψ).

    Parameters
    ----------
    parts
        Masses of the free rows and sums of the forced ones, of each axis: equal ones, then the ratio axis if any.
    units
        What their sums are divided by.
    places
        Where each axis stands in a vector.
    weight, target
        Of every coordinate but the last.
    ratio
        Weight of the ratio axis; 0 without one.
    rows_for
        Rows with the least score + ψ, and ψ.
    """

    parts: tuple[tuple[Any, Array], ...]
    units: tuple[float, ...]
    places: tuple[int, ...]
    weight: Array
    target: Array
    ratio: float
    rows_for: Callable[[Array], tuple[Rows, float]]

    def point(self, rows: Rows, share: Array, psi: float) -> Array:
        """Vector of rows that are in with these shares."""
        sums = [
            (start + np.asarray(share @ mass[rows]).ravel()) / unit
            for (mass, start), unit in zip(self.parts, self.units, strict=True)
        ]
        return np.append(np.concatenate(sums), psi)

    def vertex(self, g: Array) -> Array:
        """Where g'x is least."""
        score = np.zeros(self.parts[0][0].shape[0])
        for (mass, _), unit, (a, b) in zip(self.parts, self.units, pairwise(self.places), strict=True):
            score += mass @ (g[a:b] / unit)
        rows, psi = self.rows_for(score)
        return self.point(rows, np.ones(len(rows)), psi)

    def of_ratio(self, x: Array) -> tuple[float, Array, Array]:
        """T / scale, p and q of the ratio axis."""
        s, q = x[self.places[-2] : -1], self.target[self.places[-2] :]
        total = max(float(s.sum()), TINY)
        return total, s / total, q

    def true(self, x: Array) -> float:
        """Value of the relaxation itself: it is no bound, but the bound cannot be above it."""
        if not self.ratio:
            return self.equal(x) + float(x[-1])
        _, p, q = self.of_ratio(x)
        return self.equal(x) + float(x[-1]) + self.ratio * float(terms(p, q).sum())

    def equal(self, x: Array) -> float:
        """F."""
        n = self.places[-2] if self.ratio else self.places[-1]
        return float(self.weight[:n] @ terms(x[:n], self.target[:n]))

    def solve(self, low: float, high: float, force: float, atoms: Array, enough: float) -> Least:
        """Least of F + ψ + ratio · T f(S / T) / high + force (low − T), or of (high − T) where force is negative."""
        n = self.places[-2] if self.ratio else self.places[-1]
        edge = low if force > 0 else high

        def value(x: Array) -> float:
            found = self.equal(x) + float(x[-1])
            if self.ratio:
                total, p, q = self.of_ratio(x)
                found += self.ratio * total * float(terms(p, q).sum()) / high + force * (edge - total)
            return found

        def derivative(x: Array) -> Array:
            g = np.ones(len(x))
            g[:n] = self.weight[:n] * slope(np.maximum(x[:n], TINY), self.target[:n])
            if self.ratio:
                _, p, q = self.of_ratio(x)
                each = slope(np.maximum(p, TINY), q)
                g[n:-1] = self.ratio * (each + float(terms(p, q).sum()) - float(each @ p)) / high - force
            return g

        def root(x: Array, atoms: Array) -> Array:
            bend = np.sqrt(self.weight[:n] * curvature(np.maximum(x[:n], SMALL), self.target[:n]))
            rows = bend[:, None] * atoms[:, :n].T
            if not self.ratio:
                return rows
            # Of T f(S / T): Σ f''(p_k) (z_k − p_k Σ z)² / T.
            total, p, q = self.of_ratio(x)
            z = atoms[:, n:-1].T
            bend = np.sqrt(self.ratio * curvature(np.maximum(p, SMALL), q) / (total * high))
            return np.vstack([rows, bend[:, None] * (z - p[:, None] * z.sum(axis=0))])

        return least(value, derivative, root, self.vertex, atoms, enough)


def joint_bound(pool: Pool, checked: Checked, weights: Array, floors: Array) -> float:
    """Mean divergence that no selection is below.

    Parameters
    ----------
    pool, checked
        What is selected from, and what must be kept.
    weights
        Of the axes, summing to 1.
    floors
        Separate least divergences of the axes. Where the joint bound cannot be above their mean, less is returned.
    """
    level = next((i for i, axis in enumerate(pool.axes) if axis.axis.column is not None), None)
    columns = [i for i, axis in enumerate(pool.axes) if axis.axis.column is None]
    equal = [i for i in columns if np.ptp(_totals(pool.axes[i])) <= EQUAL]
    others = [i for i in columns if i not in equal]
    # The ratio axis with the largest floor is in; of others, and of further columns, the floors count.
    ratio = max(others, key=lambda i: weights[i] * floors[i]) if others else None
    inside = [*equal, *([] if ratio is None else [ratio])]
    if not inside or not checked.left:
        return 0.0
    rest = float(sum(weights[i] * floors[i] for i in range(len(floors)) if i not in inside and i != level))
    return _least(_problem(pool, checked, weights, level, equal, ratio), float(weights @ floors) - rest) + rest


def _least(problem: _Problem, enough: float) -> float:
    """The bound over all intervals of T, which is 1 at the centre."""
    everything = np.arange(problem.parts[0][0].shape[0])
    _, psi = problem.rows_for(np.zeros(len(everything)))
    atoms = _centre(problem, everything, psi)[None, :]
    if not problem.ratio:
        return problem.solve(1.0, 1.0, 0.0, atoms, enough).bound
    mass, start = problem.parts[-1]
    totals = np.asarray(mass.sum(axis=1)).ravel() / problem.units[-1]
    left = len(problem.rows_for(np.zeros(len(everything)))[0])
    base = float(start.sum()) / problem.units[-1]
    low, high = (base + s * float(np.sort(s * totals)[:left].sum()) for s in (1, -1))
    upper, solves = math.inf, 0
    # (bound, tie-break, low, high, atoms, force)
    heap: list[tuple[float, int, float, float, Array, float]] = [(-math.inf, 0, low, high, atoms, 0.0)]
    while True:
        bound, _, low, high, atoms, force = heapq.heappop(heap)
        if solves >= SOLVES or high <= LEAST_TOTAL or bound >= upper * (1 - NEAR) or upper <= enough * (1 + 1e-3):
            return bound
        middle = math.sqrt(max(low, LEAST_TOTAL**2 / high) * high)
        for a, b in ((low, high),) if not solves else ((low, middle), (middle, high)):
            found = problem.solve(a, b, force, atoms, enough)
            best = found.bound
            upper = min(upper, problem.true(found.x))
            total, p, q = problem.of_ratio(found.x)
            pull = problem.ratio * float(terms(p, q).sum()) / b
            if not a <= total <= b or force == 0.0:  # towards the interval, by what v loses when T grows
                again = problem.solve(a, b, pull * (1 if total <= b else -1), found.atoms, enough)
                best, found = (again.bound, again) if again.bound > best else (best, found)
                upper = min(upper, problem.true(again.x))
            solves += 1
            heapq.heappush(heap, (max(best, bound), solves, a, b, found.atoms, pull))


def _centre(problem: _Problem, everything: Rows, psi: float) -> Array:
    """A point with some of every category, from which derivatives are finite; it counts ψ for the whole set's best."""
    rows, _ = problem.rows_for(np.zeros(len(everything)))
    share = problem.rows_for.spread(rows)  # type: ignore[attr-defined]
    return problem.point(everything, share, psi)


def _totals(axis: PoolAxis) -> Array:
    return np.asarray(axis.mass.sum(axis=1)).ravel()


def _problem(
    pool: Pool, checked: Checked, weights: Array, level: int | None, equal: list[int], ratio: int | None
) -> _Problem:
    inside = [*equal, *([] if ratio is None else [ratio])]
    axes = [pool.axes[i] for i in inside]
    units = [float(_totals(axis)[0]) * checked.size for axis in axes]
    rows_for = _Levels(pool, checked, 0.0 if level is None else float(weights[level]), level)
    if ratio is not None:
        mass, start = free_masses(axes[-1], checked)
        rows, _ = rows_for(np.zeros(mass.shape[0]))
        units[-1] = float(start.sum() + rows_for.spread(rows) @ np.asarray(mass.sum(axis=1)).ravel()) or 1.0
    return _Problem(
        parts=tuple(free_masses(axis, checked) for axis in axes),
        units=tuple(units),
        places=tuple(np.cumsum([0] + [len(axis.target) for axis in axes]).tolist()),
        weight=np.concatenate([np.full(len(a.target), weights[i]) for i, a in zip(inside, axes, strict=True)]),
        target=np.concatenate([axis.target for axis in axes]),
        ratio=0.0 if ratio is None else float(weights[ratio]),
        rows_for=rows_for,
    )


class _Levels:
    """Called with scores of the free rows: the rows with the least score + ψ, and ψ."""

    def __init__(self, pool: Pool, checked: Checked, weight: float, level: int | None):
        self._left, n = checked.left, len(checked.free)
        if level is None:
            self._kinds, self._level = 1, np.zeros(n, dtype=np.int64)
            self._low, self._high = np.zeros(1, dtype=np.int64), np.array([self._left])
            self._steps, self._forced, self._zero = np.zeros((1, checked.size)), np.zeros(1, dtype=np.int64), 0.0
        else:
            axis = pool.axes[level]
            limits = room(pool, checked, axis)
            self._kinds = len(axis.target)
            self._level = np.asarray(axis.mass.indices, dtype=np.int64)[checked.free]
            self._forced = np.bincount(axis.mass.indices[checked.forced], minlength=self._kinds)
            self._low, self._high = limits.low - self._forced, limits.high - self._forced
            self._steps = weight * changes(axis.target, checked.size)
            self._zero = weight * float(terms(np.zeros(self._kinds), axis.target).sum())
        self._rows = [np.flatnonzero(self._level == k) for k in range(self._kinds)]

    def __call__(self, score: Array) -> tuple[Rows, float]:
        must, may, cost = [], [], []
        for k, rows in enumerate(self._rows):
            most = int(min(self._high[k], len(rows), self._left))
            first = rows[least_places(score[rows], most)]
            first = first[np.argsort(score[first], kind="stable")]
            low, forced = int(self._low[k]), int(self._forced[k])
            must.append(first[:low])
            may.append(first[low:])
            cost.append(score[first[low:]] + self._steps[k, forced + low : forced + len(first)])
        taken = np.concatenate(may)[least_places(np.concatenate(cost), self._left - int(self._low.sum()))]
        rows = np.concatenate([*must, taken])
        counts = np.bincount(self._level[rows], minlength=self._kinds) + self._forced
        return rows, self._zero + float(sum(self._steps[k, : counts[k]].sum() for k in range(self._kinds)))

    def spread(self, rows: Rows) -> Array:
        """Shares of all free rows that give levels as much as these rows, evenly: a w in W with the same ψ."""
        there = np.bincount(self._level, minlength=self._kinds)
        counts = np.bincount(self._level[rows], minlength=self._kinds)
        return (counts / np.maximum(there, 1))[self._level]
