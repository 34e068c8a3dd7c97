from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import pluristats as ps
from tests.cli.command import InProcess


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ps.write_study(
        ps.simulate_study(n_annotators=8, n_prompts=24, seed=1), tmp_path_factory.mktemp("s") / "study"
    )


def test_statistical_methods_by_name(study: Path, tmp_path: Path, command: InProcess) -> None:
    words = ("evaluate", "--data", study, "--methods", "annotator-mean,prompt-mean,oracle-prompt-mean", "--splits", 2)
    told = command(*words, "--json", "--predictions", tmp_path / "p.csv").json()
    rows = pd.DataFrame(told["rows"])
    assert told["simulated"] and list(rows)[:5] == ["method", "setting", "mae", "mae_lo", "mae_hi"]
    assert {"n_annotators", "n_refused"} <= set(rows)
    assert set(zip(rows["method"], rows["setting"], strict=True)) == {
        *(("annotator-mean", s) for s in ("new-prompts", "new-seeds", "known-prompts")),
        ("prompt-mean", "known-prompts"),
        ("oracle-prompt-mean", "oracle"),
    }
    predictions = pd.read_csv(tmp_path / "p.csv")
    assert {"split", "annotator", "prompt", "method", "setting", "prediction"} <= set(predictions)
    assert predictions["prediction"].between(0, 1).all() and set(predictions["split"]) == {0, 1}
    shown = command(*words)
    assert shown.stdout.startswith("SIMULATED DATA") and "known-prompts and oracle have seen" in shown.stdout


def test_a_method_that_cannot_be_fitted_is_named_with_the_reason(study: Path, command: InProcess) -> None:
    words = ("evaluate", "--data", study, "--methods", "annotator-mean,mixed-blup", "--splits", 1)
    told = command(*words, "--json").json()
    assert [s["method"] for s in told["skipped"]] == ["mixed-blup"] * 3
    assert all(s["reason"].endswith("(on 1 of 1 splits)") for s in told["skipped"])
    shown = command(*words).stdout
    assert "skipped: mixed-blup in new-prompts: The fixed effects determine" in shown
    table = shown.split("skipped:")[0]
    assert "annotator-mean" in table and "mixed-blup" not in table


@pytest.mark.slow
def test_methods_that_ask_a_model_say_that_the_answers_are_made_up(
    study: Path, tmp_path: Path, command: InProcess
) -> None:
    words = ("evaluate", "--data", study, "--methods", "llm", "--simulated", "--store", tmp_path / "a.sqlite")
    told = command(*words, "--k", 3, "--json").json()
    rows = pd.DataFrame(told["rows"])
    assert len(rows) == 16 and rows["note"].str.contains("SIMULATED").all() and (rows["n_refused"] == 0).all()
    assert np.isfinite(rows["mae"].to_numpy(dtype=float)).all()
    again = command(*words, "--k", 3)
    assert "SIMULATED ANSWERS" in again.stdout and "from the store" in again.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--methods", "best"), "there is no method 'best'"),
        (("--methods", ","), "no method is given"),
        (("--methods", "zero-shot"), "say whom to ask"),
        (("--methods", "safetyanalyst", "--simulated"), "safetyanalyst needs --trees"),
        (("--methods", "annotator-mean", "--splits", "0"), "splits"),
        (("--methods", "annotator-mean", "--predictions", "there.csv"), "there.csv exists already"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    words: tuple[str, ...], says: str, study: Path, tmp_path: Path, command: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.csv").write_text("mine\n")
    done = command("evaluate", "--data", study, *words)
    assert done.status == 1 and says in done.stderr.splitlines()[-1] and done.stderr.count("error:") == 1
    assert (tmp_path / "there.csv").read_text() == "mine\n"
