"""Notebook 03b by plain papermill: a selection from a simulated pool, its bound, and the study's own distance."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.notebooks.running import execute


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_selection_from_a_simulated_pool(tmp_path: Path) -> None:
    execute("03b_select", tmp_path, out=str(tmp_path), simulated_seeds=60, size=40, generations=2, seeds=2)
    reached = pd.read_csv(tmp_path / "tables" / "reached.csv").set_index("axis")
    assert list(reached.index) == ["harm", "action", "effect", "value", "all together"]
    assert (reached["distance"] >= reached["bound"] - 1e-12).all() and reached["simulated"].all()
    four = reached["distance"].iloc[:4]
    assert reached.loc["all together", "distance"] == pytest.approx((four**2).mean() ** 0.5)
    methods = pd.read_csv(tmp_path / "tables" / "methods.csv").set_index("method")
    assert methods.loc["memetic", "distance"] <= methods.loc["greedy", "distance"] < methods.loc["random", "distance"]
    chosen = pd.read_json(tmp_path / "selected.jsonl", lines=True)
    assert len(chosen) == 40 and chosen["row"].is_unique and chosen["seed"].value_counts().max() <= 2
    entries = json.loads((tmp_path / "manifest.json").read_text())["artifacts"]
    assert any(entry.get("text", "").startswith("SIMULATED") for entry in entries)
    assert all("imulated" in entry["alt"] for entry in entries if entry["kind"] == "figure")
