"""The bound is below every selection, by enumeration; and it is the optimum where that is known."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pluristats.errors import ConstraintError, PluristatsWarning
from pluristats.select import Axis, Constraints, Target, lower_bound, measure
from pluristats.select.bound import _least_ratio
from pluristats.select.constraints import check
from pluristats.select.counts import Room, nearest_counts
from pluristats.select.distance import divergence
from tests.select.builders import by_scipy, feasible, small_pool, small_target

pytestmark = pytest.mark.filterwarnings("ignore::pluristats.errors.OutOfReachWarning")


def bound_of(frame: pd.DataFrame, target: Target, size: int, **constraints: object):  # type: ignore[no-untyped-def]
    pool = measure(frame, target)
    return lower_bound(pool, check(pool, Constraints(**constraints), size))  # type: ignore[arg-type]


@settings(deadline=None, max_examples=12)
@given(
    st.integers(0, 10_000),
    st.integers(2, 4),
    st.sampled_from(["shares", "argmax", "presence"]),
    st.sampled_from([(1.0, 1.0, 1.0, 1.0), (0.2, 3.0, 1.0, 2.0)]),
    st.booleans(),
)
def test_no_selection_is_below_the_bound(
    seed: int, size: int, mass: str, weights: tuple[float, float, float, float], constrained: bool
) -> None:
    frame, target = small_pool(9, seed), small_target(weights=weights)
    quota = (0.1, 1, 2) if constrained else None
    given_constraints = {"quotas": {"harm_level": {0.1: (1, 2)}}} if constrained else {}
    try:
        found = bound_of(frame, target.with_(masses=mass), size, max_per_seed=2, **given_constraints)  # type: ignore[arg-type]
    except ConstraintError:
        assert not list(feasible(frame, size, 2, quota))
        return
    distances = [by_scipy(frame, rows, target, mass=mass) for rows in feasible(frame, size, 2, quota)]
    assert found.distance <= min(distances, default=1) + 1e-9
    for axis in target.axes:
        alone = Target("alone", (axis,))
        least = min((by_scipy(frame, rows, alone, mass=mass) for rows in feasible(frame, size, 2, quota)), default=1)
        assert np.sqrt(found.floors[axis.name]) <= least + 1e-6


@settings(deadline=None, max_examples=5)
@given(st.integers(0, 10_000))
def test_nor_below_the_bound_with_rows_that_must_be_in_and_must_not(seed: int) -> None:
    frame, target = small_pool(9, seed, seeds=9), small_target()
    found = bound_of(frame, target, 4, include=[3], exclude=[5], max_per_seed=None)
    distances = [by_scipy(frame, rows, target) for rows in feasible(frame, 4, 4, None) if 3 in rows and 5 not in rows]
    assert found.distance <= min(distances) + 1e-9


@settings(deadline=None)
@given(st.data())
def test_counts_are_the_best_of_all(data: st.DataObject) -> None:
    k, size = data.draw(st.integers(2, 4)), data.draw(st.integers(1, 7))
    q = np.array(data.draw(st.lists(st.floats(0.01, 1), min_size=k, max_size=k)))
    q = q / q.sum()
    low = np.array(data.draw(st.lists(st.integers(0, 2), min_size=k, max_size=k)))
    high = low + np.array(data.draw(st.lists(st.integers(0, 4), min_size=k, max_size=k)))
    every = [c for c in product(*(range(a, b + 1) for a, b in zip(low, high, strict=True))) if sum(c) == size]
    found = nearest_counts(q, size, Room(low, high))
    if not every:
        assert found is None
        return
    assert found is not None and tuple(found.tolist()) in every
    assert divergence(found, q) == pytest.approx(min(divergence(c, q) for c in every), abs=1e-12)


def test_the_papers_harm_levels_have_the_published_floor() -> None:
    q = np.array([1, 2, 5, 10, 20, 24, 20, 10, 5, 2, 1]) / 100
    counts = nearest_counts(q, 150, Room(np.zeros(11, int), np.full(11, 150)))
    assert counts is not None and counts.tolist() == [2, 3, 7, 15, 30, 36, 30, 15, 7, 3, 2]
    assert np.sqrt(divergence(counts, q)) == pytest.approx(0.0207, abs=5e-5)


def test_it_is_the_optimum_where_all_rows_are_alike_but_for_their_level() -> None:
    frame = pd.DataFrame({"seed": range(12), "harm_level": [0.0, 0.1, 0.2] * 4})
    frame = frame.assign(action_0=0.2, action_1=0.8, action_2=0.0, effect_a=0.5, effect_b=0.5, value_topic_0=-0.7)
    found = bound_of(frame, small_target(), 7)
    best = min(by_scipy(frame, rows, small_target()) for rows in feasible(frame, 7, 1, None))
    assert found.distance == pytest.approx(best, abs=1e-9)


def test_it_is_0_where_a_selection_meets_the_target() -> None:
    frame = pd.DataFrame({"seed": range(4), "action_a": [1.0, 0, 1, 0], "action_b": [0.0, 1, 0, 1]})
    target = Target("t", (Axis("action", prefix="action_"),))
    assert bound_of(frame, target, 2).distance == 0


def test_an_axis_out_of_reach_has_the_relaxations_optimum() -> None:
    # One row of 8 has category b; of 4 rows at most a quarter of the mass is b, and that is the best of all.
    frame = pd.DataFrame({"seed": range(8), "action_a": [0.0, *[1.0] * 7], "action_b": [1.0, *[0.0] * 7]})
    target = Target("t", (Axis("action", prefix="action_"),))
    found = bound_of(frame, target, 4)
    assert found.distance**2 == pytest.approx(divergence([3, 1], [0.5, 0.5]), rel=1e-6)
    assert found.joint == pytest.approx(found.separate, rel=1e-3)
    # Totals that differ: b's row has a valence of 0.2 and three of the others 0.1, so b gets at most 0.2 / (0.2 + 0.3).
    signed = Target("t", (Axis("value", prefix="value_", signed=True),))
    values = pd.DataFrame({"seed": range(8), "value_a": [0.0, *[-0.1] * 3, *[0.9] * 4], "value_b": [0.2, *[0.0] * 7]})
    assert bound_of(values, signed, 4).distance ** 2 == pytest.approx(divergence([0.3, 0.2], [0.5, 0.5]), rel=2e-3)


def test_one_w_for_all_axes_is_a_higher_bound_where_axes_conflict() -> None:
    # Every row with b has effect d: each axis alone can be uniform, not both.
    n = 30
    frame = pd.DataFrame({"seed": range(n), "action_a": [1.0, 0.0, 1.0] * 10, "effect_c": [1.0, 0.0, 1.0] * 10})
    frame = frame.assign(action_b=1 - frame["action_a"], effect_d=1 - frame["effect_c"])
    target = Target(
        "t",
        (
            Axis("action", prefix="action_", shares=(("a", 0.5), ("b", 0.5))),
            Axis("effect", prefix="effect_", shares=(("c", 0.9), ("d", 0.1))),
        ),
    )
    found = bound_of(frame, target, 10)
    best = min(
        (divergence([k, 10 - k], [0.5, 0.5]) + divergence([k, 10 - k], [0.9, 0.1])) / 2 for k in np.arange(0, 10, 0.001)
    )
    assert found.separate == pytest.approx(0, abs=1e-7)
    assert found.joint == pytest.approx(best, rel=1e-3)


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 5))
def test_the_least_ratio_is_the_least_over_all_selections(seed: int, left: int) -> None:
    rng = np.random.default_rng(seed)
    from itertools import combinations

    mass = np.where(rng.random((8, 3)) < 0.4, 0.0, rng.random((8, 3)))
    mass[0] = 0.3
    start, g = rng.random(3) * rng.integers(0, 2), rng.normal(size=3)
    p = _least_ratio(mass, mass.sum(axis=1), start, float(start.sum()), g, left)
    assert p.sum() == pytest.approx(1)
    every = [start + mass[list(rows)].sum(axis=0) for rows in combinations(range(8), left)]
    assert float(g @ p) == pytest.approx(min(float(g @ s) / s.sum() for s in every if s.sum() > 0), abs=1e-9)


def test_counts_that_quotas_make_impossible_are_refused() -> None:
    frame = small_pool(12, 0, seeds=12)
    pool = measure(frame, small_target())
    checked = check(pool, Constraints(quotas={"harm_level": {0.0: (0, 12)}}), 5)
    object.__setattr__(checked, "high", np.array([-9]))
    with pytest.raises(ConstraintError, match="harm_level; loosen one"):
        lower_bound(pool, checked)
    assert issubclass(PluristatsWarning, UserWarning)
