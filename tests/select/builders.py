"""Small pools, and selections by enumeration to compare with."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.spatial.distance import jensenshannon

from pluristats.select import Axis, Target


def small_pool(n: int, seed: int, *, seeds: int = 4, levels: int = 3) -> pd.DataFrame:
    """A pool with shares of 3 actions that sum to 1, 2 effects, and valences of 3 topics, often 0."""
    rng = np.random.default_rng(seed)
    actions, effects = rng.dirichlet(np.full(3, 0.5), n), rng.dirichlet(np.full(2, 0.5), n)
    values = np.where(rng.random((n, 3)) < 0.5, np.round(rng.uniform(-1, 1, (n, 3)), 3), 0.0)
    values[0, 0] = 0.5  # some row has a value
    table = pd.DataFrame({"seed": rng.integers(0, seeds, n), "harm_level": rng.integers(0, levels, n) / 10})
    names = [*(f"action_{k}" for k in range(3)), "effect_a", "effect_b", *(f"value_topic_{k}" for k in range(3))]
    return pd.concat([table, pd.DataFrame(np.column_stack([actions, effects, values]), columns=names)], axis=1)


def small_target(levels: int = 3, *, weights: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0)) -> Target:
    """More of the first level than of others; of three actions too; the rest uniform."""
    shares = np.arange(levels, 0, -1) / np.arange(1, levels + 1).sum()
    harm = tuple((round(k / 10, 1), float(q)) for k, q in enumerate(shares))
    actions = (("0", 0.5), ("1", 0.3), ("2", 0.2))
    return Target(
        "small",
        (
            Axis("harm", column="harm_level", shares=harm, weight=weights[0]),
            Axis("action", prefix="action_", shares=actions, weight=weights[1]),
            Axis("effect", prefix="effect_", weight=weights[2]),
            Axis("value", prefix="value_topic_", signed=True, weight=weights[3]),
        ),
    )


def by_scipy(frame: pd.DataFrame, rows: list[int], target: Target, *, mass: str = "shares") -> float:
    """Combined distance of rows, from the table, by scipy's Jensen-Shannon distance."""
    total = weight = 0.0
    for axis in target.axes:
        if axis.column is not None:
            assert axis.shares is not None
            levels = np.array([level for level, _ in axis.shares], dtype=float)
            given = frame[axis.column].to_numpy()[rows]
            p = np.array([(np.abs(given - level) < 0.01).sum() for level in levels], float)
            q = np.array([share for _, share in axis.shares])
        else:
            x = np.abs(frame.filter(like=axis.prefix).to_numpy())[rows]
            if mass == "presence":
                x = (x > 0) * 1.0
            elif mass == "argmax":
                x = (x == x.max(axis=1, keepdims=True)) * (x > 0) * 1.0
            p = x.sum(axis=0)
            q = np.full(len(p), 1 / len(p)) if axis.shares is None else np.array([share for _, share in axis.shares])
        d = jensenshannon(p, q, base=2) if p.sum() > 0 else 1.0
        total += axis.weight * d**2
        weight += axis.weight
    return float(np.sqrt(total / weight))


def feasible(frame: pd.DataFrame, size: int, cap: int, quota: tuple[float, int, int] | None) -> Iterator[list[int]]:
    """Every selection of that size with at most ``cap`` rows a seed and, of one level, between two numbers of rows."""
    seeds, level = frame["seed"].to_numpy(), frame["harm_level"].to_numpy()
    for rows in map(list, combinations(range(len(frame)), size)):
        if np.bincount(seeds[rows]).max() > cap:
            continue
        if quota is not None and not quota[1] <= (np.abs(level[rows] - quota[0]) < 0.01).sum() <= quota[2]:
            continue
        yield rows
