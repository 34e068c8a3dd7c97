"""What the compiled searches work on: arrays of one pool, target and set of constraints; and a selection's state.

Mass of category k of axis a in a selection: S_k = Σ_i x_ik (i the chosen rows, ``base`` those that must be in it),
total T_a = Σ_{k in a} S_k, share p_k = S_k / T_a. Energy is the weighted mean of the axes' divergences, in bits,
Σ_a w_a JSD(p_a, q_a). For a row put in the place of another, y = x_j − x_i, to second order

    ΔE ≈ Σ_a [ Σ_k G_k (y_k − p_k Δt_a) + ½ Σ_k H_k (y_k − p_k Δt_a)² ],
    G_k = w_a f'(p_k) / T_a,   H_k = w_a f''(p_k) / T_a²,
    f'(p) = ½ log₂(2p / (p + q)),   f''(p) = q / (2 ln 2 · p (p + q)),

Δt_a the difference of the rows' totals, which is 0 on axes where every row has the same. It is sparse: only the two
rows' non-zeros and, where totals differ, a few sums are needed. It screens candidates; what passes is evaluated
exactly.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

jit = numba.njit(cache=True, nogil=True, error_model="numpy")
LN2 = math.log(2.0)
# Where a category has less than this share of its target, f' and f'' are those there: at 0 both are infinite.
LEAST = 1 / 16

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Problem(NamedTuple):
    """Rows that may be chosen (n), sorted by harm level; categories of all axes in one row (K); axes (A).

    Parameters
    ----------
    start
        Where a row's non-zeros begin: (n, B + 1), B blocks: first those of the axes with equal totals, then one a
        ratio axis (whose rows' totals differ); block b of row i is ``start[i, b]`` to ``start[i, b + 1]``.
    category, mass
        Non-zeros: category and x.
    total
        Rows' totals on the ratio axes, (n, R).
    by_category, category_row, category_mass
        The same non-zeros by level and category: those of level l, category k begin at ``by_category[l * K + k]``.
    target
        q, (K,).
    axis
        Where an axis' categories begin, (A + 1,).
    weight
        w_a, summing to 1.
    ratio
        Which ratio axis an axis is, −1 for one with equal totals; (A,).
    ratio_axis
        Which axis a ratio axis is, (R,).
    unit
        Total of every row on axes with equal totals, (A,).
    level, first
        Level of each row (n,), and where a level's rows begin.
    seed, cap
        Seed of each row (n,), and how many of each may be chosen.
    member, low, high
        Quotas of a row as bits (n,), and how many rows each quota takes, (Q,) each.
    base, base_total
        S and T of the rows that must be in, (K,) and (A,).
    size
        Rows to choose, without those that must be in.
    """

    start: NDArray[np.int32]
    category: NDArray[np.int32]
    mass: Floats
    total: Floats
    by_category: Ints
    category_row: NDArray[np.int32]
    category_mass: Floats
    target: Floats
    axis: Ints
    weight: Floats
    ratio: Ints
    ratio_axis: Ints
    unit: Floats
    level: NDArray[np.int32]
    first: Ints
    seed: NDArray[np.int32]
    cap: Ints
    member: NDArray[np.uint64]
    low: Ints
    high: Ints
    base: Floats
    base_total: Floats
    size: int


class State(NamedTuple):
    """A selection as sums, and the derivatives there (see the module)."""

    sums: Floats
    totals: Floats
    g: Floats
    h: Floats
    hp: Floats
    gp: Floats
    hpp: Floats
    inside: NDArray[np.bool_]
    seeds: Ints
    quotas: Ints


@jit
def new_state(pb: Problem, chosen: Ints) -> State:
    """State of a selection, with derivatives."""
    k, a = len(pb.target), len(pb.weight)
    inside = np.zeros(len(pb.level), np.bool_)
    seeds = np.zeros(len(pb.cap), np.int64)
    quotas = np.zeros(len(pb.low), np.int64)
    for i in chosen:
        inside[i] = True
        seeds[pb.seed[i]] += 1
        for z in range(len(quotas)):
            quotas[z] += np.int64((pb.member[i] >> np.uint64(z)) & np.uint64(1))
    st = State(
        np.zeros(k), np.zeros(a), np.zeros(k), np.zeros(k), np.zeros(k), np.zeros(a), np.zeros(a), inside, seeds, quotas
    )
    resum(pb, chosen, st.sums, st.totals)
    derive(pb, st)
    return st


@jit
def resum(pb: Problem, chosen: Ints, sums: Floats, totals: Floats) -> None:
    """S and T from the rows."""
    sums[:] = pb.base
    for a in range(len(totals)):
        totals[a] = pb.base_total[a] + len(chosen) * pb.unit[a]
    for i in chosen:
        add(pb, i, 1.0, sums, totals)


@jit
def add(pb: Problem, i: int, sign: float, sums: Floats, totals: Floats) -> None:
    """Add a row to S and T (sign 1) or take it out (−1); equal totals stay, since rows are only exchanged."""
    for z in range(pb.start[i, 0], pb.start[i, -1]):
        sums[pb.category[z]] += sign * pb.mass[z]
    for r in range(len(pb.ratio_axis)):
        totals[pb.ratio_axis[r]] += sign * pb.total[i, r]


@jit
def energy(pb: Problem, sums: Floats, totals: Floats) -> float:
    """Weighted mean of the axes' divergences in bits; an axis on which nothing has mass counts 1, the largest."""
    e = 0.0
    for a in range(len(pb.weight)):
        t, s = totals[a], 0.0
        if t <= 1e-12:
            e += 2.0 * LN2 * pb.weight[a]
            continue
        for k in range(pb.axis[a], pb.axis[a + 1]):
            q = pb.target[k]
            p = sums[k] / t
            if p > 1e-15:
                s += p * math.log(2.0 * p / (p + q))
                if q > 0.0:
                    s += q * math.log(2.0 * q / (p + q))
            else:  # also what rounding leaves of 0
                s += q * LN2
        e += pb.weight[a] * s
    return 0.5 * e / LN2


@jit
def derive(pb: Problem, st: State) -> None:
    """G, H and their sums with p, at S and T."""
    for a in range(len(pb.weight)):
        t = max(st.totals[a], 1e-12)
        c = 0.5 * pb.weight[a] / LN2
        gp = hpp = 0.0
        for k in range(pb.axis[a], pb.axis[a + 1]):
            q = pb.target[k]
            p = max(st.sums[k], 0.0) / t
            if q > 0.0:
                at = max(p, LEAST * q)
                st.g[k] = c * math.log(2.0 * at / (at + q)) / t
                st.h[k] = c * q / (at * (at + q)) / (t * t)
            else:
                st.g[k] = c * LN2 / t
                st.h[k] = 0.0
            st.hp[k] = st.h[k] * p
            gp += st.g[k] * p
            hpp += st.hp[k] * p
        st.gp[a], st.hpp[a] = gp, hpp


@jit
def allowed(pb: Problem, st: State, i: int, j: int) -> bool:
    """Whether row j may take the place of row i: not chosen yet, its seed not full, every quota kept."""
    if st.inside[j]:
        return False
    if pb.seed[i] != pb.seed[j] and st.seeds[pb.seed[j]] >= pb.cap[pb.seed[j]]:
        return False
    changed = pb.member[i] ^ pb.member[j]
    if changed:
        for z in range(len(pb.low)):
            if (changed >> np.uint64(z)) & np.uint64(1):
                enters = (pb.member[j] >> np.uint64(z)) & np.uint64(1)
                if enters and st.quotas[z] >= pb.high[z]:
                    return False
                if not enters and st.quotas[z] <= pb.low[z]:
                    return False
    return True


@jit
def count(pb: Problem, st: State, i: int, j: int) -> None:
    """Note in the counts of rows, seeds and quotas that j has taken the place of i."""
    st.inside[i], st.inside[j] = False, True
    st.seeds[pb.seed[i]] -= 1
    st.seeds[pb.seed[j]] += 1
    changed = pb.member[i] ^ pb.member[j]
    if changed:
        for z in range(len(pb.low)):
            bit = np.uint64(1) << np.uint64(z)
            if changed & bit:
                st.quotas[z] += 1 if pb.member[j] & bit else -1


@jit
def energy_of(pb: Problem, chosen: Ints) -> float:
    """Energy from the rows."""
    sums, totals = np.empty(len(pb.target)), np.empty(len(pb.weight))
    resum(pb, chosen, sums, totals)
    return energy(pb, sums, totals)
