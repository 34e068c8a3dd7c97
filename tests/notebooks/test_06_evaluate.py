"""Notebook 06 by plain papermill: on a study so small that a mixed model cannot be fitted, it still runs to its end."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import pluristats as ps
from tests.notebooks.running import execute


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_evaluation_of_a_small_simulated_study(tmp_path: Path) -> None:
    study = ps.simulate_study(n_annotators=8, n_prompts=24, seed=1)
    ps.write_study(study, tmp_path / "study")
    out = tmp_path / "out"
    execute("06_evaluate", tmp_path, data=str(tmp_path / "study"), out=str(out), splits=1)
    beside = pd.read_csv(out / "tables" / "beside.csv")
    assert set(beside["source"]) == {"published", "simulated data"}
    again = ps.evaluate(ps.load_study(tmp_path / "study"), ["annotator-mean"], splits=1).tidy()
    mine = beside.loc[beside["method"] == "annotator-mean", "personalised"]
    assert mine.tolist() == pytest.approx(again.loc[again["setting"] == "new-prompts", "mae"].tolist())
    skipped = pd.read_csv(out / "tables" / "skipped.csv")
    assert "mixed-blup" in set(skipped["method"]) and skipped["reason"].str.contains("of 1 splits").all()
    assert not (set(skipped["method"]) & set(beside["method"]))
    for setting in ("new-prompts", "new-seeds", "known-prompts", "oracle"):
        rows = pd.read_csv(out / "tables" / f"{setting}.csv")
        assert rows["simulated"].all() and np.isfinite(rows["mae"]).all() and rows["mae"].is_monotonic_increasing
        assert ("prompt-mean" in set(rows["method"])) == (setting == "known-prompts")
        assert all(name.startswith("oracle") == (setting == "oracle") for name in rows["method"])
    curve = pd.read_csv(out / "figures" / "questions.csv")
    assert curve["k"].max() <= 15 and set(curve["strategy"]) == {"active", "random"}
    entries = json.loads((out / "manifest.json").read_text())["artifacts"]
    notes = [entry.get("text", "") for entry in entries]
    assert any(note.startswith("SIMULATED") for note in notes) and any("NOT comparable" in note for note in notes)
    figures = [entry for entry in entries if entry["kind"] == "figure"]
    assert len(figures) == 8 and all(entry["alt"].startswith("Simulated data") for entry in figures)
