"""Notebook 05b by plain papermill, alone, on a small simulated study: its tables are the library's."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import pluristats as ps
from pluristats.analysis.multiverse import QUICK
from tests.notebooks.running import execute


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_small_part_of_the_grid(tmp_path: Path) -> None:
    ps.write_study(ps.simulate_study(24, 40, seed=2), tmp_path / "study")
    execute("05b_multiverse", tmp_path, out=str(tmp_path), data=str(tmp_path / "study"))
    result = ps.multiverse(ps.load_study(tmp_path / "study"), choices=QUICK)
    rungs = pd.read_csv(tmp_path / "tables/rungs.csv")
    np.testing.assert_allclose(rungs["median"], result.rungs()["median"], rtol=1e-8)
    assert pd.read_csv(tmp_path / "tables/ranking.csv")["id"].tolist() == result.ranking()["id"].head(10).tolist()
    entries = json.loads((tmp_path / "manifest.json").read_text())["artifacts"]
    figures = [entry for entry in entries if entry["kind"] == "figure"]
    assert len(figures) == 7 and all(entry["alt"].strip() for entry in figures)
    notes = " ".join(str(entry) for entry in entries if entry["kind"] == "note")
    assert "Only a small part of the grid" in notes and f"{len(result.specifications)} specifications" in notes
    assert "The study is simulated" in notes
