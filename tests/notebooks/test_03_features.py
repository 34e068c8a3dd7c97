"""Notebook 03 by plain papermill on the embedded endpoint: features, trees, and what is said of them."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pandas as pd
import papermill
import pytest

from pluristats.features.taxonomy import ACTION_COLUMNS, EFFECT_COLUMNS
from tests.notebooks.running import execute


def run(folder: Path, **parameters: object) -> None:
    execute("03_features", folder, out=str(folder), **parameters)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_trial_on_the_embedded_endpoint_says_that_it_is_simulated(tmp_path: Path) -> None:
    run(tmp_path, seed=3)
    pool = pd.read_json(tmp_path / "pool.jsonl", lines=True)
    assert pool["simulated"].all() and len(pool) > 50
    actions, effects = pool[list(ACTION_COLUMNS)], pool[list(EFFECT_COLUMNS)]
    assert actions.sum(axis=1).to_numpy() == pytest.approx(1) and effects.sum(axis=1).to_numpy() == pytest.approx(1)
    assert actions.gt(0).sum(axis=1).max() <= 5 and effects.gt(0).sum(axis=1).max() <= 3
    assert pool.groupby("seed")[list(ACTION_COLUMNS)].nunique().to_numpy().max() == 1  # variants share their seed's
    # No prompt is missing without being listed.
    asked = pd.read_csv(tmp_path / "tables" / "status.csv").set_index("of").loc["values of prompts"].drop("simulated")
    left_out = pd.read_csv(tmp_path / "tables" / "left-out.csv")
    assert asked["ok"] < asked.sum() == len(pool) + len(left_out) and not set(pool["prompt"]) & set(left_out["prompt"])
    topics = [name for name in pool if name.startswith("value_topic_")]
    if importlib.util.find_spec("bertopic"):
        assert topics and pool[topics].ne(0).sum(axis=1).max() <= 5
        assert len(pd.read_csv(tmp_path / "tables" / "topics.csv")) == len(topics) + 1
    entries = json.loads((tmp_path / "manifest.json").read_text())["artifacts"]
    notes = [entry["text"] for entry in entries if entry["kind"] == "note"]
    assert any(text.startswith("SIMULATED") for text in notes)
    assert bool(topics) != any("Topics were not found" in text for text in notes)
    assert all("imulated" in entry["alt"] for entry in entries if entry["kind"] == "figure")
    branches = pd.read_csv(tmp_path / "figures" / "contributions.csv")
    scores = pd.read_csv(tmp_path / "tables" / "profiles.csv").set_index("profile")
    assert branches["contribution"].sum() == pytest.approx(scores.loc["graded", "harmfulness"])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_real_endpoint_needs_prompts_and_a_file_for_its_answers(tmp_path: Path) -> None:
    with pytest.raises(papermill.PapermillExecutionError, match="name the prompts, and the file that keeps"):
        run(tmp_path, base_url="http://127.0.0.1:9/v1", model="m")
