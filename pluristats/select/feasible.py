"""Random selections that keep the constraints, where searches start."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pluristats.errors import ConstraintError
from pluristats.select.problem import Arrays

Ints = NDArray[np.int64]


def random_selection(arrays: Arrays, counts: Sequence[int], rng: np.random.Generator) -> Ints:
    """Rows of the problem drawn at random, ``counts`` of each level where that can be.

    Levels are filled one after the other, rarest first, passing over rows whose seed is full. Where that gets stuck, or
    quotas are asked for, an integer program with random costs gives the rows (`solved`).

    Parameters
    ----------
    counts
        Rows of each level, those that must be in among them; empty where no axis has levels.
    """
    pb = arrays.problem
    wanted = _of_free(arrays, counts)
    if len(pb.low):
        return solved(arrays, wanted, rng)
    left, chosen = pb.cap.copy(), []
    room = np.diff(pb.first) - wanted
    for level in np.argsort(room, kind="stable"):
        need = int(wanted[level])
        for i in pb.first[level] + rng.permutation(int(np.diff(pb.first)[level])):
            if not need:
                break
            if left[pb.seed[i]]:
                left[pb.seed[i]] -= 1
                chosen.append(int(i))
                need -= 1
        if need:
            return solved(arrays, wanted, rng)
    return np.array(chosen, dtype=np.int64)


def _of_free(arrays: Arrays, counts: Sequence[int]) -> Ints:
    """Counts by level of the problem's rows, without those that must be in."""
    if not len(counts):
        return np.array([arrays.problem.size], dtype=np.int64)
    return np.asarray(counts, dtype=np.int64)[: len(arrays.forced_levels)] - arrays.forced_levels


def solved(arrays: Arrays, wanted: Ints, rng: np.random.Generator) -> Ints:
    """Rows that keep seeds' caps and quotas, by an integer program; levels as wanted if that can be.

    Raises
    ------
    ConstraintError
        No selection keeps the constraints together: the program has no solution.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array, vstack

    pb = arrays.problem
    n = len(pb.level)
    ones = np.ones(n)

    def of(groups: NDArray[np.int32], number: int) -> csr_array:
        return csr_array((ones, (groups, np.arange(n))), shape=(number, n))

    whole = LinearConstraint(csr_array(ones[None, :]), pb.size, pb.size)
    limits = [whole, LinearConstraint(of(pb.seed, len(pb.cap)), -np.inf, pb.cap)]
    if len(pb.low):
        bits = [((pb.member >> np.uint64(z)) & np.uint64(1)).astype(np.float64) for z in range(len(pb.low))]
        limits.append(LinearConstraint(vstack([csr_array(bit[None, :]) for bit in bits]), pb.low, pb.high))
    level = LinearConstraint(of(pb.level, len(wanted)), wanted, wanted)
    for given in ([*limits, level], limits):
        found = milp(rng.random(n), integrality=ones, bounds=Bounds(0, 1), constraints=given)
        if found.x is not None:
            return np.flatnonzero(found.x > 0.5).astype(np.int64)
    raise ConstraintError(
        "no selection keeps include, exclude, max_per_seed and the quotas together, though each can be kept alone; "
        "loosen one of them."
    )
