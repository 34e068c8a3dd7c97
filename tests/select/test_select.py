from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import pluristats as ps
from pluristats.errors import ConstraintError, PoolError
from pluristats.select import load_target, simulate_pool
from tests.select.builders import by_scipy, feasible, small_pool, small_target

QUICK = {"moves": 20_000, "steps": 200}


@pytest.fixture(scope="module")
def pool() -> pd.DataFrame:
    return simulate_pool(n_seeds=150, seed=1)


@pytest.fixture(scope="module")
def found(pool: pd.DataFrame) -> ps.Selection:
    return ps.select_prompts(pool, size=40, seed=3, generations=5, **QUICK)


@pytest.mark.parametrize("mass", ["shares", "presence"])
def test_the_search_finds_the_best_of_all_selections_of_a_small_pool(mass: str) -> None:
    for seed in range(4):
        frame, target = small_pool(14, seed, seeds=7), small_target()
        best = min(by_scipy(frame, rows, target, mass=mass) for rows in feasible(frame, 5, 2, None))
        result = ps.select_prompts(frame, target, 5, masses=mass, generations=8, moves=2_000, steps=100, nearest=5)  # type: ignore[arg-type]
        assert result.distance == pytest.approx(best, abs=1e-9)
        assert result.bound is not None and result.bound.distance <= best + 1e-12


def test_distances_are_scipys(pool: pd.DataFrame, found: ps.Selection) -> None:
    target = load_target()
    assert found.distance == pytest.approx(by_scipy(pool, found.selected.tolist(), target), abs=1e-12)
    for axis in target.axes:
        alone = ps.select.Target("alone", (axis,))
        assert found.axes[axis.name] == pytest.approx(by_scipy(pool, found.selected.tolist(), alone), abs=1e-12)
    assert found.fitness == 1 / found.distance


@pytest.mark.slow
def test_every_method_beats_what_it_should(pool: pd.DataFrame, found: ps.Selection) -> None:
    def distance(method: str, **settings: object) -> float:
        return ps.select_prompts(pool, size=40, seed=3, method=method, bound=False, **settings).distance

    others = {
        "greedy": distance("greedy"),
        "genetic": distance("genetic", generations=300),
        "annealing": distance("annealing", generations=1, moves=200_000),
    }
    assert found.bound is not None
    assert found.bound.distance <= distance("memetic", generations=8) < min(others.values())
    assert max(others.values()) < distance("random", generations=1)


def test_threads_change_nothing_and_seeds_do(pool: pd.DataFrame, found: ps.Selection) -> None:
    again = ps.select_prompts(pool, size=40, seed=3, generations=5, n_jobs=3, **QUICK)
    np.testing.assert_array_equal(again.selected, found.selected)
    assert again.distance == found.distance
    assert again.trace["distance"].tolist() == found.trace["distance"].tolist()
    other = ps.select_prompts(pool, size=40, seed=4, generations=5, bound=False, **QUICK)
    assert set(other.selected) != set(found.selected)


def test_a_run_that_the_clock_ended_is_repeated_by_its_generations(pool: pd.DataFrame) -> None:
    cut = ps.select_prompts(pool, size=40, seed=5, seconds=0.5, patience=0, bound=False, **QUICK)
    assert cut.stopped == "seconds"
    again = ps.select_prompts(pool, size=40, seed=5, generations=cut.generations, patience=0, bound=False, **QUICK)
    assert again.stopped == "generations"
    np.testing.assert_array_equal(again.selected, cut.selected)


def test_why_it_stopped(pool: pd.DataFrame) -> None:
    assert ps.select_prompts(pool, size=40, gap=100.0, **QUICK).stopped == "bound"
    patient = ps.select_prompts(pool, size=40, patience=1, population=2, generations=500, bound=False, **QUICK)
    assert patient.stopped == "patience" and patient.generations < 500
    ended = patient.trace["distance"].tolist()
    assert ended[-1] == ended[-2]


def test_the_trace_falls_to_the_distance(found: ps.Selection) -> None:
    trace = found.trace
    assert trace["distance"].is_monotonic_decreasing and trace["seconds"].is_monotonic_increasing
    assert trace["generation"].tolist() == [1, 2, 3, 4, 5] and trace["individuals"].tolist() == [2, 4, 6, 8, 10]
    assert trace["distance"].iloc[-1] == pytest.approx(found.distance, abs=1e-12)
    assert (trace["mean_distance"] >= trace["distance"]).all() and trace["simulated"].all()


def test_tables(pool: pd.DataFrame, found: ps.Selection) -> None:
    tidy, glance = found.tidy(), found.glance().iloc[0]
    assert tidy.groupby("axis", sort=False).size().to_dict() == {"harm": 11, "action": 16, "effect": 7, "value": 39}
    for column in ("target", "achieved", "pool"):
        assert tidy.groupby("axis")[column].sum().to_numpy() == pytest.approx(np.ones(4))
    chosen = pool.iloc[found.selected]
    privacy = tidy[(tidy["axis"] == "action") & (tidy["category"] == "Privacy")].iloc[0]
    assert privacy["mass"] == pytest.approx(chosen["action_Privacy"].sum())
    assert privacy["rows"] == (chosen["action_Privacy"] > 0).sum()
    middle = tidy[(tidy["axis"] == "harm") & (tidy["category"] == "0.5")].iloc[0]
    assert middle["rows"] == middle["mass"] == (chosen["harm_level"] == 0.5).sum()
    pd.testing.assert_frame_equal(found.frame(), chosen)
    assert glance["gap"] == pytest.approx(found.distance / glance["bound"] - 1)
    assert glance["simulated"] and "SIMULATED" in repr(found)
    assert {"distance_harm", "distance_value", "stopped", "generations", "compile_seconds"} <= set(glance.index)


def test_json_is_plain(found: ps.Selection) -> None:
    content = json.loads(json.dumps(found.as_json(), allow_nan=False))
    assert content["selected"] == found.selected.tolist()
    assert set(content["axes"]) == {"harm", "action", "effect", "value"}
    assert content["bound"] <= content["distance"]
    assert ps.evaluate_selection(small_pool(9, 0), [1, 2], small_target()).as_json()["bound"] is None


def test_the_whole_pool_and_what_is_given() -> None:
    frame = small_pool(9, 0, seeds=9)
    whole = ps.select_prompts(frame, small_target(), 9, {"max_per_seed": None}, generations=1)
    assert whole.selected.tolist() == list(range(9))
    assert whole.bound is not None and whole.distance >= whole.bound.distance - 1e-9
    given = ps.select_prompts(frame, small_target(), 3, {"include": [0, 4, 5], "max_per_seed": None}, generations=1)
    assert given.selected.tolist() == [0, 4, 5]
    assert given.distance == pytest.approx(by_scipy(frame, [0, 4, 5], small_target()), abs=1e-12)


def test_files_and_tables_give_the_same(tmp_path: Path, pool: pd.DataFrame, found: ps.Selection) -> None:
    pool.to_parquet(tmp_path / "pool.parquet")
    again = ps.select_prompts(tmp_path / "pool.parquet", size=40, seed=3, generations=5, bound=False, **QUICK)
    np.testing.assert_array_equal(again.selected, found.selected)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"method": "magic"}, "method is one of memetic, genetic"),
        ({"population": 0}, "population is a whole number of at least 1"),
        ({"crossover_rate": 1.5}, "crossover_rate is a number from 0 to 1"),
        ({"seconds": 0}, "seconds is a number above 0"),
        ({"gap": float("nan")}, "gap is a number from 0"),
        ({"n_jobs": True}, "n_jobs is a whole number"),
        ({"seed": -1}, "seed is a whole number"),
        ({"seed": 1.0}, "seed is a whole number"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, object], says: str) -> None:
    with pytest.raises(ConstraintError, match=says):
        ps.select_prompts(small_pool(9, 0), small_target(), 3, **settings)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="populaton"):
        ps.select_prompts(small_pool(9, 0), small_target(), 3, populaton=3)


def test_somebody_elses_selection() -> None:
    frame = small_pool(11, 2)
    given = ps.evaluate_selection(frame.drop(columns="seed"), [5, 1, 8], small_target(), bound=True)
    assert given.selected.tolist() == [1, 5, 8]
    assert given.distance == pytest.approx(by_scipy(frame, [1, 5, 8], small_target()), abs=1e-12)
    assert given.bound is not None and given.bound.distance <= given.distance
    for rows, says in (([], "at least one row"), ([1, 1], "row 1 is selected twice"), ([11], "row 11 is none of")):
        with pytest.raises(ConstraintError, match=says):
            ps.evaluate_selection(frame, rows, small_target())


def test_sensitivity_to_the_seed(pool: pd.DataFrame, found: ps.Selection) -> None:
    several = ps.seed_sensitivity(pool, size=40, seeds=[3, 4], generations=5, bound=False, **QUICK)
    np.testing.assert_array_equal(several.selections[0].selected, found.selected)
    a, b = (set(s.selected) for s in several.selections)
    assert several.overlaps()["overlap"].tolist() == [len(a & b) / len(a | b)]
    assert several.tidy()["seed"].tolist() == [3, 4]
    often = several.frequency()
    assert set(often.loc[often["times"] == 2, "row"]) == a & b and set(often["row"]) == a | b
    facts = several.glance().iloc[0]
    assert facts["distance_best"] == min(s.distance for s in several.selections) and facts["seeds"] == 2
    with pytest.raises(ConstraintError, match="none twice"):
        ps.seed_sensitivity(pool, size=40, seeds=[1, 1])


def test_diversity_of_texts() -> None:
    frame = small_pool(6, 0, seeds=2).assign(
        seed=[1, 1, 2, 3, 4, 5], text=["How to open a lock", "how to  open a LOCK", "abcdef", "xyz", "abcdeg", "q"]
    )
    facts = ps.evaluate_selection(frame, range(6), small_target()).diversity(similar=0.6)
    assert (facts.rows, facts.seeds, facts.most_per_seed) == (6, 5, 2)
    pairs = facts.near_duplicates
    assert pairs[["first", "second"]].to_numpy().tolist() == [[0, 1], [2, 4]]
    assert pairs["similarity"].tolist() == [1.0, pytest.approx(3 / 5)] and pairs["same_seed"].tolist() == [True, False]
    assert facts.mean_similarity == pytest.approx((1 + 3 / 5) / 15)
    assert facts.glance()["near_duplicates"].item() == 2
    none = ps.evaluate_selection(frame.drop(columns="text"), [0, 2], small_target()).diversity()
    assert np.isnan(none.mean_similarity) and none.seeds == 2
    with pytest.raises(PoolError, match="row 2 of the pool has no text"):
        ps.evaluate_selection(frame.assign(text=[*"ab", None, *"cde"]), [0, 2], small_target()).diversity()
    with pytest.raises(PoolError, match="similar is a number"):
        ps.evaluate_selection(frame, [0, 2], small_target()).diversity(similar=0)


@pytest.mark.release
def test_the_released_prompts_distances(release_path: Path) -> None:
    frame = pd.read_csv(release_path / "prompts.csv").rename(columns={"Harm_Level": "harm_level"})
    found = ps.evaluate_selection(frame, range(150))
    published = {"harm": 0.0207, "action": 0.188, "effect": 0.261, "value": 0.240}
    rounded = {name: round(value, 3) for name, value in found.axes.items()}
    assert rounded == {name: round(value, 3) for name, value in published.items()}
    assert found.axes["harm"] == pytest.approx(0.0207, abs=5e-5)
    assert found.distance == pytest.approx(0.2008, abs=5e-5)
    assert found.distance == pytest.approx(by_scipy(frame, list(range(150)), load_target()), abs=1e-12)
