"""Notebook 07 by plain papermill: a small simulated study has an order in which nothing happens, and says so."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

import pluristats as ps
from pluristats.latent.ratings import order_effects
from tests.notebooks.running import execute


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_sessions_of_a_small_simulated_study(tmp_path: Path) -> None:
    study = ps.simulate_study(n_annotators=12, n_prompts=30, seed=1)
    ps.write_study(study, tmp_path / "study")
    out = tmp_path / "out"
    execute(
        "07_latent",
        tmp_path,
        data=str(tmp_path / "study"),
        out=str(out),
        permutations=50,
        draws=4,
        nulls=2,
        train_agents=0,
    )
    effects = pd.read_csv(out / "figures" / "order-effects.csv")
    again = order_effects(ps.load_study(tmp_path / "study"), permutations=50, seed=0).tidy()
    assert effects["estimate"].tolist() == pytest.approx(again["estimate"].tolist(), nan_ok=True)
    models = pd.read_csv(out / "tables" / "models.csv").set_index("model")
    assert models.loc["rating-static", "bic_gain"] == 0 and (models["bic_gain"].drop("rating-static") < 0).all()
    recovered = pd.read_csv(out / "figures" / "recovery.csv")
    assert recovered["true"].between(recovered["conf_low"], recovered["conf_high"]).mean() > 0.7
    network = pd.read_csv(out / "tables" / "network.csv").set_index("method")["balanced_accuracy"]
    assert network["always engaged"] == 0.5 < network["fitted likelihood"]
    entries = json.loads((out / "manifest.json").read_text())["artifacts"]
    notes = [entry.get("text", "") for entry in entries]
    assert any(note.startswith("SIMULATED") for note in notes) and any("train_agents is 0" in note for note in notes)
    assert all(pd.read_csv(table)["simulated"].all() for table in (out / "tables").glob("*.csv"))
