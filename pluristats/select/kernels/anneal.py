"""Simulated annealing by exchanges of one row, in runs of neighbouring candidates."""

from __future__ import annotations

import math

import numpy as np

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

# Candidates that are tried for one place before another place is drawn; exchanges between sums made anew.
RUN = 64
RESUM = 1_000


@jit
def anneal(pb: Problem, chosen: Ints, stream: Stream, moves: int, hot: float, cold: float, any_level: float) -> float:
    """Anneal a selection in place, to the best that was met; its energy.

    The temperature falls geometrically from ``hot`` to ``cold`` (in units of energy) over ``moves`` candidates. A place
    is drawn, then up to `RUN` candidates of its harm level (with probability ``any_level`` of all) from a random one on
    are offered for it, until one is taken: ΔE ≤ −temperature · log u, u uniform. Rows of a level are in random order.
    """
    st = new_state(pb, chosen)
    now = energy(pb, st.sums, st.totals)
    best, lowest = chosen.copy(), now
    sums, totals = st.sums.copy(), st.totals.copy()
    slope, bend, at = np.zeros(len(pb.target)), np.zeros(len(pb.target)), np.zeros(len(pb.ratio_axis))
    done, taken, fall = 0, 0, math.log(cold / hot)
    while done < moves:
        heat = hot * math.exp(fall * done / moves)
        place = below(stream, len(chosen))
        i = chosen[place]
        lo, hi = pb.first[pb.level[i]], pb.first[pb.level[i] + 1]
        if uniform(stream) < any_level:
            lo, hi = 0, len(pb.level)
        out = leaving(pb, st, i, slope, bend, at)
        j = lo + below(stream, hi - lo)
        for _ in range(min(RUN, hi - lo)):
            done += 1
            j = j + 1 if j + 1 < hi else lo
            change = out + entering(pb, st, i, j, slope, bend, at)
            if change > 40.0 * heat:
                continue
            limit = -heat * math.log(uniform(stream))
            if change > limit or not allowed(pb, st, i, j):
                continue
            sums[:], totals[:] = st.sums, st.totals
            add(pb, i, -1.0, sums, totals)
            add(pb, j, 1.0, sums, totals)
            then = energy(pb, sums, totals)
            if then - now > limit:
                continue
            now = then
            st.sums[:], st.totals[:] = sums, totals
            count(pb, st, i, j)
            chosen[place] = j
            taken += 1
            if taken % RESUM == 0:
                resum(pb, chosen, st.sums, st.totals)
            derive(pb, st)
            if now < lowest:
                lowest = now
                best[:] = chosen
            break
    chosen[:] = best
    return lowest


@jit
def leaving(pb: Problem, st: State, i: int, slope: Floats, bend: Floats, at: Floats) -> float:
    """Part of the change of energy that does not depend on the row that comes for i; fills the coefficients for it."""
    slope[:] = st.g
    bend[:] = st.h
    bend *= 0.5
    out = 0.0
    for z in range(pb.start[i, 0], pb.start[i, -1]):
        k, x = pb.category[z], pb.mass[z]
        slope[k] -= st.h[k] * x
        out += x * (bend[k] * x - st.g[k])
    for r in range(len(at)):
        at[r] = 0.0
        for z in range(pb.start[i, r + 1], pb.start[i, r + 2]):
            at[r] += st.hp[pb.category[z]] * pb.mass[z]
    return out


@jit
def entering(pb: Problem, st: State, i: int, j: int, slope: Floats, bend: Floats, at: Floats) -> float:
    """The rest of it, for row j."""
    change = 0.0
    z, end = pb.start[j, 0], pb.start[j, 1]
    while z < end:
        k, x = pb.category[z], pb.mass[z]
        change += x * (slope[k] + bend[k] * x)
        z += 1
    for r in range(len(at)):
        hy = -at[r]
        end = pb.start[j, r + 2]
        while z < end:
            k, x = pb.category[z], pb.mass[z]
            change += x * (slope[k] + bend[k] * x)
            hy += st.hp[k] * x
            z += 1
        t, a = pb.total[j, r] - pb.total[i, r], pb.ratio_axis[r]
        change += t * (0.5 * t * st.hpp[a] - st.gp[a] - hy)
    return change
