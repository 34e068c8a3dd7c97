from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import jensenshannon

from pluristats.select import simulate_pool
from tests.cli.command import InProcess


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pool") / "pool.parquet"
    simulate_pool(n_seeds=60, seed=1).to_parquet(path)
    return path


def test_what_is_printed_is_what_was_selected(pool: Path, tmp_path: Path, command: InProcess) -> None:
    words = ("select", pool, "--size", 40, "--generations", 2, "--seed", 3)
    told = command(*words, "--json", "--out", tmp_path / "chosen.csv").json()
    again = command(*words, "--json", "--jobs", 2).json()
    assert told["selected"] == again["selected"] and told["distance"] == again["distance"]
    rows = pd.read_parquet(pool).iloc[told["selected"]]
    assert len(set(told["selected"])) == 40 and rows["seed"].value_counts().max() <= 2
    target = dict(zip([i / 10 for i in range(11)], [1, 2, 5, 10, 20, 24, 20, 10, 5, 2, 1], strict=True))
    harm = [(rows["harm_level"].round(1) == level).sum() for level in target]
    expected = {"harm": jensenshannon(harm, list(target.values()), base=2)}
    for axis, prefix in (("action", "action_"), ("effect", "effect_"), ("value", "value_topic_")):
        mass = rows.filter(regex=f"^{prefix}").abs().sum()
        expected[axis] = jensenshannon(mass, np.ones(len(mass)), base=2)
    assert told["axes"] == pytest.approx(expected)
    assert told["distance"] == pytest.approx(np.sqrt(np.mean(np.square(list(expected.values())))))
    assert 0 < told["bound"] <= told["distance"] and told["simulated"] and told["stopped"] == "generations"
    chosen = pd.read_csv(tmp_path / "chosen.csv")
    assert chosen["row"].tolist() == told["selected"]
    assert chosen["harm_level"].to_numpy() == pytest.approx(rows["harm_level"].to_numpy())


def test_constraints_and_masses_are_taken(pool: Path, command: InProcess) -> None:
    words = ("select", pool, "--size", 20, "--method", "greedy", "--json")
    told = command(
        *words, "--include", "5, 300", "--exclude", "0,1", "--max-per-seed", 1, "--quota", "harm_level=0.5:8-9"
    ).json()
    rows = pd.read_parquet(pool).iloc[told["selected"]]
    assert {5, 300} <= set(told["selected"]) and rows["seed"].is_unique
    assert 8 <= (rows["harm_level"] == 0.5).sum() <= 9
    weighted = command(*words, "--weights", "harm=2", "--masses", "presence").json()
    assert weighted["distance"] == pytest.approx(
        np.sqrt(sum(w * weighted["axes"][a] ** 2 for a, w in zip(weighted["axes"], (2, 1, 1, 1), strict=True)) / 5)
    )


def test_the_summary_is_for_people(pool: Path, command: InProcess) -> None:
    done = command("select", pool, "--size", 20, "--method", "random", "--generations", 1)
    assert done.status == 0, done.stderr
    assert done.stdout.startswith("SIMULATED: the pool is made up\n20 of 660 rows, distance ")
    assert "times the bound: no selection is below" in done.stdout and "rows from 0: " in done.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--size", 5000), "5,000"),
        (("--target", "nope"), "there is no target 'nope'"),
        (("--method", "best"), "method is one of memetic"),
        (("--include", "x"), "--include 'x': rows are numbers from 0"),
        (("--include", "99999"), "99999"),
        (("--weights", "harm"), "--weights 'harm': write AXIS=NUMBER"),
        (("--weights", "noise=1"), "has no axis 'noise'"),
        (("--masses", "most"), "most"),
        (("--quota", "harm_level:3"), "write COLUMN=VALUE:LEAST-MOST"),
        (("--quota", "harm_level=0.5:500-600"), "quota harm_level = 0.5"),
        (("--seconds", "0"), "seconds is a number above 0"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    words: tuple[str, ...], says: str, pool: Path, tmp_path: Path, command: InProcess
) -> None:
    out = tmp_path / "chosen.csv"
    done = command("select", pool, "--size", 20, "--out", out, *words)
    assert done.status == 1 and says in done.stderr.splitlines()[-1] and done.stderr.count("error:") == 1
    assert not out.exists()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda table: table.drop(columns="harm_level"), "harm_level"),
        (lambda table: table.assign(action_Privacy=np.nan), "action_Privacy"),
        (lambda table: table.assign(harm_level=0.55), "0.55"),
        (lambda table: table.head(0), "rows"),
    ],
)
def test_a_pool_that_cannot_be_used_is_named(spoil, says: str, pool: Path, tmp_path: Path, command: InProcess) -> None:
    spoil(pd.read_parquet(pool)).to_csv(tmp_path / "bad.csv", index=False)
    done = command("select", tmp_path / "bad.csv", "--size", 20)
    assert done.status == 1 and says in done.stderr.splitlines()[-1]
    missing = command("select", tmp_path / "nothing.parquet")
    assert missing.status == 1 and "nothing.parquet" in missing.stderr


def test_a_pool_can_be_simulated(tmp_path: Path, command: InProcess) -> None:
    done = command("data", "simulate-pool", tmp_path / "p.parquet", "--seeds", 30, "--seed", 4)
    assert done.status == 0 and done.stdout.startswith("SIMULATED: 330 candidates of 30 seeds")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "p.parquet"), simulate_pool(30, 4), check_dtype=False)
    again = command("data", "simulate-pool", tmp_path / "p.parquet", "--seeds", 0, "--seed", 4)
    assert again.status == 1 and "at least 1 seed" in again.stderr
