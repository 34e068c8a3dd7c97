from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pluristats.errors import LatentError, StudyError
from pluristats.latent.simulators import MODELS
from pluristats.latent.tables import Domain, behaviour_of, read_behaviour

RL4 = MODELS["rl4"]


@pytest.mark.parametrize("name", sorted(MODELS))
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_simulation_is_read_back(name: str, ending: str, tmp_path: Path) -> None:
    model = MODELS[name]
    made = model.simulate(n_agents=4, n_trials=9, seed=0)
    path = tmp_path / f"behaviour.{ending}"
    table = made.table().sample(frac=1, random_state=0)
    table.to_csv(path, index=False) if ending == "csv" else table.to_parquet(path)
    found = read_behaviour(path, model)
    order = [int(a) for a in found.agents]
    for column in model.columns:
        np.testing.assert_array_equal(found.trials[column], made.trials[column][order])
        assert found.trials[column].dtype == made.trials[column].dtype
    np.testing.assert_array_equal(found.sequences(model).inputs, made.sequences.inputs[order])
    assert found.simulated
    assert found.source == path.name


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_order_of_rows_and_gaps(data: st.DataObject) -> None:
    lengths = data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=4))
    first = data.draw(st.integers(-3, 5))
    rows = [
        {"agent": f"a{n}", "trial": first + t, "action": (n + t) % 2, "reward": t % 2}
        for n, length in enumerate(lengths)
        for t in range(length)
    ]
    table = pd.DataFrame(rows)
    empty = data.draw(st.sets(st.integers(0, len(rows) - 1)))
    # Each agent keeps its first trial.
    gone = [i for i in empty if rows[i]["trial"] > first]
    by = data.draw(st.sampled_from(["dropped", "empty action", "empty reward"]))
    order = data.draw(st.permutations(range(len(rows))))
    shuffled = table.iloc[list(order)]
    if by == "dropped":
        shuffled = shuffled.drop(index=gone)
    else:
        shuffled.loc[gone, by.split()[1]] = np.nan
    found = behaviour_of(shuffled, RL4)
    mask = found.sequences(RL4).mask
    assert found.first == first
    for n, length in enumerate(lengths):
        row = found.agents.index(f"a{n}")
        for t in range(mask.shape[1]):
            there = t < length and not any(rows[i]["agent"] == f"a{n}" and rows[i]["trial"] == first + t for i in gone)
            assert mask[row, t] == there
            if there:
                assert found.trials["action"][row, t] == (n + t) % 2
                assert found.trials["reward"][row, t] == t % 2


def test_rows_say_where_a_trial_stands() -> None:
    table = pd.DataFrame({"agent": ["b", "a", "b"], "trial": [2, 1, 1], "action": [0, 1, 1], "reward": [1, 1, 0]})
    found = behaviour_of(table, RL4)
    assert found.agents == ("b", "a")
    assert found.rows.tolist() == [[2, 0], [1, -1]]
    assert found.trials["action"].tolist() == [[1, 0], [1, -1]]
    assert not found.simulated


GOOD = "agent,trial,action,reward\n7,1,0,1\n7,2,1,0\n8,1,1,1\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            GOOD.replace("action", "choice"),
            r"b\.csv: column 'action' is missing; .* reads agent, trial, action, reward",
        ),
        (GOOD.replace("7,2,1,0", "7,2,2,0"), r"b\.csv, row 3, column action: '2' is not 0 or 1; leave the cell empty"),
        (
            GOOD.replace("7,2,1,0", "7,2,-1,0"),
            r"row 3, column action: '-1' is not 0 or 1; .* where the trial is missing",
        ),
        (GOOD.replace("7,2,1,0", "7,2,1,0.5"), r"row 3, column reward: '0\.5' is not 0 or 1"),
        (GOOD.replace("7,2,1,0", "7,1,1,0"), r"row 2, column trial: .* stands twice for agent '7' \(also in row 3\)"),
        (GOOD.replace("7,2,1,0", "7,,1,0"), r"row 3, column trial: .* is not a whole number .*; number each agent's"),
        (GOOD.replace("7,2,1,0", "7,1.5,1,0"), r"row 3, column trial: '1\.5' is not a whole number"),
        (GOOD.replace("7,2,1,0", ",2,1,0"), r"row 3, column agent: .* is empty"),
        (GOOD.replace("7,2,1,0", "7,99999,1,0"), r"row 3, column trial: .* is 99999 trials after the first one"),
        (GOOD.replace("8,1,1,1", "8,1,1,"), r"b\.csv: agent '8' has no trial with all of action, reward; leave"),
        ("agent,trial,action,reward\n7,1,left,1\n7,2,right,0\n", r"row 2, column action: 'left' is not 0 or 1.*1 more"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "b.csv"
    path.write_text(text)
    with pytest.raises(LatentError, match=message):
        read_behaviour(path, RL4)


def test_files_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "b.csv"
    path.write_text("agent,trial,action,reward\n")
    with pytest.raises(StudyError, match="no rows"):
        read_behaviour(path, RL4)
    with pytest.raises(StudyError, match=r"absent\.csv"):
        read_behaviour(tmp_path / "absent.csv", RL4)
    with pytest.raises(LatentError, match=r"from \.csv or \.parquet"):
        read_behaviour(tmp_path / "b.xlsx", RL4)
    broken = tmp_path / "b.parquet"
    broken.write_bytes(b"no parquet")
    with pytest.raises(LatentError, match="cannot be read as Parquet"):
        read_behaviour(broken, RL4)


def test_truth_values_are_no_choices() -> None:
    table = pd.DataFrame({"agent": [1, 1], "trial": [0, 1], "action": [True, False], "reward": [0, 1]})
    with pytest.raises(LatentError, match="row 0, column action: 'True' is not 0 or 1"):
        behaviour_of(table, RL4)


def test_names_from_outside_cannot_break_a_message() -> None:
    table = pd.DataFrame({"agent": ["\x1b[31mred\n"], "trial": [0], "action": [5], "reward": [0]})
    with pytest.raises(LatentError) as caught:
        behaviour_of(table, RL4, name="\x1b[2J.csv")
    assert "\x1b" not in str(caught.value)
    table["action"] = [np.nan]
    with pytest.raises(LatentError) as caught:
        behaviour_of(table, RL4)
    assert "\x1b" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_other_models_bring_their_domains() -> None:
    table = pd.DataFrame({"agent": [1, 1], "trial": [0, 1], "action": [0, 1], "reward": [-2, 1]})
    found = behaviour_of(table, RL4, domains={"action": Domain(0, 1, True), "reward": Domain(-2, 2, True)})
    assert found.trials["reward"].tolist() == [[-2.0, 1.0]]
    with pytest.raises(LatentError, match="'-2' is not a whole number from -1 to 2"):
        behaviour_of(table, RL4, domains={"reward": Domain(-1, 2, True)})
