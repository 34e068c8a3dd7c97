"""Tabu search over each chosen row's nearest candidates: the change by every exchange is held, the least is made.

A selection near its target improves only by exchanging a row for one that is much like it, so a place's candidates are
the L rows of its harm level with the least

    c(j) = Ḡ'(y − pΔt) + ½ (y − pΔt)' H (y − pΔt),   y = x_j − x_i,

Ḡ a gradient that lasts (near 0 where the target can be met): half of the first one, then the mean over the steps
since the lists were made, which they are every `RELIST` steps. All N·L changes of energy are kept: an exchange with
difference y* moves each by (y − pΔt)' H (y* − pΔt*), which needs the few categories of y* only, category by category
over all candidates. They are made anew from the exact derivatives every `RENEW` steps; the energy itself is always
exact.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pluristats.select.kernels.problem import (
    Floats,
    Ints,
    Problem,
    State,
    add,
    allowed,
    count,
    derive,
    energy,
    jit,
    new_state,
    resum,
)
from pluristats.select.kernels.rng import Stream, below, uniform

Singles = NDArray[np.float32]
# Steps between two times that changes are made anew, and that candidates are.
RENEW, RELIST = 50, 5_000


@jit
def tabu(pb: Problem, chosen: Ints, stream: Stream, steps: int, heat: float, tenure: int, nearest: int) -> float:
    """Search from a selection, in place, to the best that was met; its energy.

    Each step makes the exchange with the least ΔE + heat · (an exponential draw), whether it improves or not. A row
    that leaves may not come back for ``tenure`` to 2 ``tenure`` steps, unless that gives the best so far. Stops early
    where every candidate of every place is forbidden.

    Parameters
    ----------
    nearest
        L.
    """
    st = new_state(pb, chosen)
    now = energy(pb, st.sums, st.totals)
    best, lowest = chosen.copy(), now
    n, many, kinds, ratios = len(chosen), len(pb.level), len(pb.target), len(pb.ratio_axis)
    mean, counted = 0.5 * st.g, 1
    rows = np.empty((n, nearest), np.int64)
    y = np.zeros((kinds + 2 * ratios, n, nearest), np.float32)
    change = np.zeros((n, nearest), np.float32)
    dist = np.empty(np.max(pb.first[1:] - pb.first[:-1]))
    h, own = st.h, np.zeros((many, 1 + ratios))
    until = np.zeros(many, np.int64)
    for step in range(steps):
        if step % RENEW == 0:
            resum(pb, chosen, st.sums, st.totals)
            derive(pb, st)
            if step % RELIST == 0:
                h = st.h.copy()
                lists(pb, st, mean / counted, own)
                for place in range(n):
                    fill(pb, st, h, own, chosen[place], place, rows, y, dist)
                mean[:] = 0.0
                counted = 0
            mean += st.g
            counted += 1
            for place in range(n):
                anew(pb, st, y, change, place)
        least, at, slot = np.inf, -1, -1
        for place in range(n):
            for c in range(nearest):
                d = change[place, c]
                if d < least:
                    j = rows[place, c]
                    if not allowed(pb, st, chosen[place], j) or (until[j] > step and now + d >= lowest - 1e-12):
                        continue
                    key = d - heat * math.log(uniform(stream))
                    if key < least:
                        least, at, slot = key, place, c
        if at < 0:
            break
        i, j = chosen[at], rows[at, slot]
        add(pb, i, -1.0, st.sums, st.totals)
        add(pb, j, 1.0, st.sums, st.totals)
        now = energy(pb, st.sums, st.totals)
        count(pb, st, i, j)
        chosen[at] = j
        until[i] = step + tenure + below(stream, tenure + 1)
        moved(pb, st, i, j, y, change)
        fill(pb, st, h, own, j, at, rows, y, dist)
        derive(pb, st)
        anew(pb, st, y, change, at)
        if now < lowest - 1e-15:
            lowest = now
            best[:] = chosen
    chosen[:] = best
    resum(pb, best, st.sums, st.totals)
    return energy(pb, st.sums, st.totals)


@jit
def lists(pb: Problem, st: State, lasting: Floats, own: Floats) -> None:
    """What rows bring to c(j) by themselves: Ḡ'(x − pt) + ½ x'Hx, and Σ Hp x a ratio axis; into (n, 1 + R)."""
    own[:] = 0.0
    lasting_p = np.zeros(len(pb.ratio_axis))
    for r in range(len(lasting_p)):
        a = pb.ratio_axis[r]
        for k in range(pb.axis[a], pb.axis[a + 1]):
            lasting_p[r] += lasting[k] * st.sums[k] / max(st.totals[a], 1e-12)
    for j in range(len(own)):
        for z in range(pb.start[j, 0], pb.start[j, -1]):
            k, x = pb.category[z], pb.mass[z]
            own[j, 0] += x * (lasting[k] + 0.5 * st.h[k] * x)
        for r in range(len(lasting_p)):
            own[j, 0] -= lasting_p[r] * pb.total[j, r]
            for z in range(pb.start[j, r + 1], pb.start[j, r + 2]):
                own[j, 1 + r] += st.hp[pb.category[z]] * pb.mass[z]


@jit
def fill(
    pb: Problem, st: State, h: Floats, own: Floats, i: int, place: int, rows: Ints, y: Singles, dist: Floats
) -> None:
    """The candidates of a place that row i holds, and their differences: category by category, then Δt and Σ Hp y."""
    kinds, nearest = len(pb.target), rows.shape[1]
    lo, hi = pb.first[pb.level[i]], pb.first[pb.level[i] + 1]
    for j in range(lo, hi):
        dist[j - lo] = own[j, 0]
    base = pb.level[i] * kinds
    for z in range(pb.start[i, 0], pb.start[i, -1]):
        k = pb.category[z]
        coefficient = h[k] * pb.mass[z]
        for v in range(pb.by_category[base + k], pb.by_category[base + k + 1]):
            dist[pb.category_row[v] - lo] -= coefficient * pb.category_mass[v]
    for r in range(len(pb.ratio_axis)):
        hpp = st.hpp[pb.ratio_axis[r]]
        for j in range(lo, hi):
            t = pb.total[j, r] - pb.total[i, r]
            dist[j - lo] += t * (0.5 * t * hpp - own[j, 1 + r] + own[i, 1 + r])
    dist[i - lo] = np.inf
    smallest(dist, hi - lo, lo, rows[place])
    for k in range(len(y)):
        y[k, place, :] = 0.0
    for z in range(pb.start[i, 0], pb.start[i, -1]):
        y[pb.category[z], place, :] = -pb.mass[z]
    for c in range(nearest):
        j = rows[place, c]
        for z in range(pb.start[j, 0], pb.start[j, -1]):
            y[pb.category[z], place, c] += pb.mass[z]
        for r in range(len(pb.ratio_axis)):
            y[kinds + 2 * r, place, c] = pb.total[j, r] - pb.total[i, r]
            y[kinds + 2 * r + 1, place, c] = own[j, 1 + r] - own[i, 1 + r]


@jit
def smallest(values: Floats, n: int, offset: int, into: Ints) -> None:
    """Places of the least of the first n values, plus an offset, in no order; the first of equals. A heap of them."""
    m = len(into)
    heap = np.full(m, np.inf)
    into[:] = offset
    for v in range(n):
        x = values[v]
        if x < heap[0]:
            at = 0
            while True:
                child = 2 * at + 1
                if child >= m:
                    break
                if child + 1 < m and heap[child + 1] > heap[child]:
                    child += 1
                if heap[child] <= x:
                    break
                heap[at], into[at] = heap[child], into[child]
                at = child
            heap[at], into[at] = x, v + offset
    # Fewer rows than asked for: the last places hold the first row again, which is allowed or not like any other.


@jit
def anew(pb: Problem, st: State, y: Singles, change: Singles, place: int) -> None:
    """The changes of energy at a place, to second order at the present derivatives."""
    kinds = len(pb.target)
    for c in range(change.shape[1]):
        change[place, c] = 0.0
    for k in range(kinds):
        g, h = np.float32(st.g[k]), np.float32(0.5 * st.h[k])
        for c in range(change.shape[1]):
            change[place, c] += y[k, place, c] * (g + h * y[k, place, c])
    for r in range(len(pb.ratio_axis)):
        a = pb.ratio_axis[r]
        gp, hpp = np.float32(st.gp[a]), np.float32(0.5 * st.hpp[a])
        for c in range(change.shape[1]):
            t = y[kinds + 2 * r, place, c]
            change[place, c] += t * (t * hpp - gp - y[kinds + 2 * r + 1, place, c])


@jit
def moved(pb: Problem, st: State, i: int, j: int, y: Singles, change: Singles) -> None:
    """What the exchange of i for j does to all changes: (y − pΔt)' H (y* − pΔt*), category by category."""
    kinds, flat = len(pb.target), change.reshape(-1)
    star = np.zeros(kinds)
    for z in range(pb.start[i, 0], pb.start[i, -1]):
        star[pb.category[z]] -= pb.mass[z]
    for z in range(pb.start[j, 0], pb.start[j, -1]):
        star[pb.category[z]] += pb.mass[z]
    for k in range(kinds):
        if star[k] != 0.0:
            along(flat, y[k].reshape(-1), st.h[k] * star[k])
    for r in range(len(pb.ratio_axis)):
        a = pb.ratio_axis[r]
        t, hy = pb.total[j, r] - pb.total[i, r], 0.0
        for k in range(pb.axis[a], pb.axis[a + 1]):
            hy += st.hp[k] * star[k]
        along(flat, y[kinds + 2 * r + 1].reshape(-1), -t)
        along(flat, y[kinds + 2 * r].reshape(-1), t * st.hpp[a] - hy)


@jit
def along(values: Singles, direction: Singles, by: float) -> None:
    """Values + by · direction, in place."""
    factor = np.float32(by)
    for v in range(len(values)):
        values[v] += factor * direction[v]
