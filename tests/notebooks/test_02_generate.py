"""Notebook 02 by plain papermill: on the embedded endpoint, and refused without a store for a real one."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import papermill
import pytest

from pluristats.generate import LEVELS, check_variants, example_seeds
from pluristats.texts.files import read_table
from tests.notebooks.running import execute


def run(folder: Path, **parameters: object) -> None:
    execute("02_generate", folder, out=str(folder), **parameters)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_trial_on_the_embedded_endpoint_says_that_it_is_simulated(tmp_path: Path) -> None:
    run(tmp_path, seed=3)
    table, _ = read_table(tmp_path / "variants.jsonl")
    assert list(zip(table["seed"], table["level"], strict=True)) == [
        (seed, level) for seed in example_seeds().table["seed"] for level in LEVELS
    ]
    assert table["simulated"].all()
    refused = int(table["status"].eq("refused").sum())
    assert 0 < refused < len(table) / 4

    counts = pd.read_csv(tmp_path / "figures" / "checks.csv").set_index("check")
    expected = check_variants(table).counts().set_index("check")
    assert counts["flagged"].to_dict() == expected["flagged"].to_dict()
    assert counts.loc["no_answer", "flagged"] == refused and counts["simulated"].all()
    assert pd.read_csv(tmp_path / "tables" / "status.csv")["variants"].sum() == 66
    entries = json.loads((tmp_path / "manifest.json").read_text())["artifacts"]
    assert next(entry["text"] for entry in entries if entry["name"] == "warning").startswith("SIMULATED")
    assert all("imulated" in entry["alt"] for entry in entries if entry["kind"] == "figure")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_real_endpoint_needs_a_file_for_its_answers(tmp_path: Path) -> None:
    with pytest.raises(papermill.PapermillExecutionError, match="name the file that keeps the answers"):
        run(tmp_path, base_url="http://127.0.0.1:9/v1", model="m")
