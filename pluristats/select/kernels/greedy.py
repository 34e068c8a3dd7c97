"""Greedy selection: rows one at a time, each the one after which the energy is least."""

from __future__ import annotations

import numpy as np

from pluristats.select.kernels.problem import Floats, Ints, Problem, add, energy, jit


@jit
def greedy(pb: Problem, counts: Ints) -> Ints:
    """Rows of the problem, ``counts`` of each level; fewer where seeds or quotas leave none.

    Quotas' upper limits are kept, lower limits are not looked at. Of equals the first in the problem's order.
    """
    chosen = np.empty(pb.size, np.int64)
    inside = np.zeros(len(pb.level), np.bool_)
    seeds, quotas, left = np.zeros(len(pb.cap), np.int64), np.zeros(len(pb.low), np.int64), counts.copy()
    sums, totals = pb.base.copy(), pb.base_total.copy()
    for step in range(pb.size):
        totals += pb.unit
        least, best = np.inf, -1
        for i in range(len(pb.level)):
            if inside[i] or left[pb.level[i]] == 0 or seeds[pb.seed[i]] >= pb.cap[pb.seed[i]]:
                continue
            full = False
            for z in range(len(quotas)):
                if (pb.member[i] >> np.uint64(z)) & np.uint64(1) and quotas[z] >= pb.high[z]:
                    full = True
            if full:
                continue
            add(pb, i, 1.0, sums, totals)
            e = energy(pb, sums, totals)
            take(pb, i, sums, totals)
            if e < least:
                least, best = e, i
        if best < 0:
            return chosen[:step]
        add(pb, best, 1.0, sums, totals)
        inside[best] = True
        seeds[pb.seed[best]] += 1
        left[pb.level[best]] -= 1
        for z in range(len(quotas)):
            quotas[z] += np.int64((pb.member[best] >> np.uint64(z)) & np.uint64(1))
        chosen[step] = best
    return chosen


@jit
def take(pb: Problem, i: int, sums: Floats, totals: Floats) -> None:
    """Take out the row that was added last; a category that was empty is empty again, without what rounding leaves."""
    for z in range(pb.start[i, 0], pb.start[i, -1]):
        k = pb.category[z]
        sums[k] -= pb.mass[z]
        if sums[k] < 1e-14:
            sums[k] = 0.0
    for r in range(len(pb.ratio_axis)):
        totals[pb.ratio_axis[r]] -= pb.total[i, r]
