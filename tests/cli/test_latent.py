from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.cli.command import InProcess

TRAIN = ("--agents", 40, "--trials", 30, "--units", 8, "--epochs", 1, "--threads", 1, "--device", "cpu")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch = pytest.importorskip("torch", reason="torch is not installed (pip install 'pluristats[latent]')")
    torch.set_num_threads(1)
    from pluristats.latent.estimator import Settings, save, train
    from pluristats.latent.simulators import MODELS

    settings = Settings(units=8, epochs=1, threads=1)
    found = train(MODELS["rl4"], n_agents=40, n_trials=30, settings=settings, device="cpu")
    return save(found, tmp_path_factory.mktemp("e") / "rl4")


def test_agents_are_made_up_and_say_so(tmp_path: Path, command: InProcess) -> None:
    out = tmp_path / "a.parquet"
    words = ("latent", "simulate", "rl4", "--agents", 3, "--trials", 7, "--seed", 4, "--out", out)
    told = command(*words, "--json").json()
    assert told["simulated"] and (told["agents"], told["trials"], told["latents"]) == (3, 7, ["chosen_q"])
    table = pd.read_parquet(out)
    assert len(table) == 21 and table["simulated"].all() and {"action", "reward", "chosen_q"} <= set(table)
    done = command(*words)
    assert done.status == 1 and "exists already" in done.stderr
    shown = command(*words, "--force")
    assert shown.status == 0 and shown.stdout.startswith("SIMULATED: 3 agents of 7 trials")
    pd.testing.assert_frame_equal(pd.read_parquet(out), table)


def test_noise_of_another_level(tmp_path: Path, command: InProcess) -> None:
    words = ("latent", "simulate", "rl4", "--agents", 3, "--trials", 7, "--noise", 2, "--out", tmp_path / "a.csv")
    assert command(*words, "--json").json()["settings"]["noise"] == 2


def test_train_then_infer(trained: Path, tmp_path: Path, command: InProcess) -> None:
    folder, seen, out = tmp_path / "e", tmp_path / "a.csv", tmp_path / "l.jsonl"
    done = command("latent", "train", "rl4", *TRAIN, "--seed", 2, "--out", folder, "--json")
    told = done.json()
    assert told["simulated"] and told["epochs"] == told["best_epoch"] == 1 and told["settings"]["units"] == 8
    assert "training: 36/36" in done.stderr and json.loads((folder / "estimator.json").read_text())["seed"] == 2
    command("latent", "simulate", "rl4", "--agents", 4, "--trials", 20, "--out", seen)
    told = command("latent", "infer", folder, seen, "--out", out, "--level", 0.5, "--json").json()
    assert told["simulated"] and (told["agents"], told["trials"], told["latents"]) == (4, 80, ["chosen_q"])
    table = pd.read_json(out, lines=True)
    assert len(table) == 80 and table["simulated"].all() and (table["conf_low"] < table["conf_high"]).all()
    shown = command("latent", "infer", folder, seen, "--out", out, "--force")
    assert shown.stdout.startswith("SIMULATED: this behaviour was made up") and "4 agents, 80 trials" in shown.stdout
    wider = pd.read_json(out, lines=True)
    assert (wider["conf_high"] > table["conf_high"]).all() and np.allclose(wider["estimate"], table["estimate"])


def test_real_behaviour_keeps_its_names_and_gaps(trained: Path, tmp_path: Path, command: InProcess) -> None:
    seen, out = tmp_path / "b.csv", tmp_path / "l.csv"
    rows = ["agent,trial,action,reward", *(f"mouse {a},{t},{t % 2},1" for a in "xy" for t in (1, 2, 4))]
    seen.write_text("\n".join(rows) + "\n")
    done = command("latent", "infer", trained, seen, "--out", out)
    table = pd.read_csv(out)
    assert table[["agent", "trial"]].to_numpy().tolist() == [[f"mouse {a}", t] for a in "xy" for t in (1, 2, 4)]
    assert not table["simulated"].any() and "SIMULATED" not in done.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("simulate", "rl5", "--out", "a.csv"), "there is no model 'rl5'; there are rl4"),
        (("simulate", "rl4", "--out", "a.txt"), "name one of these"),
        (("simulate", "rl4", "--out", "there.csv"), "there.csv exists already"),
        (("simulate", "rl4", "--agents", 0, "--out", "a.csv"), "--agents 0"),
        (("simulate", "rl4", "--seed", -1, "--out", "a.csv"), "--seed -1"),
        (("simulate", "rl4", "--agents", 2, "--noise", -1, "--out", "a.csv"), "noise"),
        (("train", "rl4", "--out", "there.csv"), "something else than an estimator"),
        (("train", "rl4", "--units", 1, "--out", "e"), "units=1"),
        (("train", "rl4", "--agents", 5, "--out", "e"), "hold out"),
        (("infer", "none", "there.csv", "--out", "a.csv"), "is no estimator"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_writes_nothing(
    words: tuple[object, ...], says: str, tmp_path: Path, command: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    if words[0] == "train":
        pytest.importorskip("torch", reason="torch is not installed (pip install 'pluristats[latent]')")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.csv").write_text("mine\n")
    done = command("latent", *words)
    assert done.status == 1 and says in done.stderr.splitlines()[-1] and done.stderr.count("error:") == 1
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"there.csv": "mine\n"} and not done.stdout


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (["agent,trial,action", "a,1,0"], "column 'reward' is missing"),
        (["agent,trial,action,reward", "a,1,2,0"], "row 2"),
        (["agent,trial,action,reward", "a,1,0,0", "a,1,0,0"], "stands twice"),
    ],
)
def test_a_table_that_is_no_behaviour_is_refused(
    rows: list[str], says: str, trained: Path, tmp_path: Path, command: InProcess
) -> None:
    (tmp_path / "b.csv").write_text("\n".join(rows) + "\n")
    done = command("latent", "infer", trained, tmp_path / "b.csv", "--out", tmp_path / "l.csv")
    assert done.status == 1 and says in done.stderr and not (tmp_path / "l.csv").exists()


def test_an_estimator_of_an_older_simulator_is_told(trained: Path, tmp_path: Path, command: InProcess) -> None:
    folder = tmp_path / "old"
    folder.mkdir()
    (folder / "weights.npz").write_bytes((trained / "weights.npz").read_bytes())
    config = json.loads((trained / "estimator.json").read_text())
    (folder / "estimator.json").write_text(json.dumps(config | {"version": 0}))
    (tmp_path / "b.csv").write_text("agent,trial,action,reward\na,1,0,1\n")
    done = command("latent", "infer", folder, tmp_path / "b.csv", "--out", tmp_path / "l.csv", "--json")
    assert "trained on version 0 of model 'rl4', which is at version 1" in done.json()["warnings"][0]
