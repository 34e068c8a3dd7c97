"""Notebook 01 by plain papermill: on the embedded study, and on one that has no harm levels."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pandas as pd
import pytest

from pluristats.analysis import disagreement
from pluristats.study import simulate_study
from tests.notebooks.running import ROOT, execute

NOTEBOOK = ROOT / "notebooks" / "01_study.ipynb"


def run(folder: Path, **parameters: object) -> list[dict]:
    """Entries of the manifest that a run leaves in ``folder``."""
    execute("01_study", folder, out=str(folder), **parameters)
    return json.loads((folder / "manifest.json").read_text())["artifacts"]


def test_the_notebook_is_stored_clean_and_declares_its_parameters():
    notebook = nbformat.read(NOTEBOOK, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
    (declared,) = (cell.source for cell in code if "parameters" in cell.metadata.get("tags", []))
    assert declared == 'data = ""\nseed = 0\nout = ""'


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_on_the_embedded_study_it_keeps_the_librarys_numbers(tmp_path):
    entries = run(tmp_path, seed=4)
    study = simulate_study(seed=4)

    figures = [entry for entry in entries if entry["kind"] == "figure"]
    composition = ["composition-annotators", "composition-prompts"]
    names = [*composition, "disagreement", "distributions", "levels", "unsure-levels"]
    assert [entry["name"] for entry in figures] == names
    assert [entry["published"] for entry in figures] == [*composition, "disagreement", "levels", "levels", None]
    prompts = disagreement.prompt_statistics(study)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "figures/disagreement.csv"), prompts, check_dtype=False)
    levels = disagreement.by_harm_level(study, seed=4)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "tables/levels-claim.csv"), levels.claim, check_dtype=False)
    alpha = pd.read_csv(tmp_path / "tables/alpha.csv").set_index("metric")["alpha"]
    assert alpha["ordinal"] == pytest.approx(disagreement.krippendorff_alpha(study, "ordinal").value)

    warning = next(entry["text"] for entry in entries if entry["name"] == "warning")
    assert warning.startswith("These ratings are simulated")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_without_harm_levels_it_says_what_is_left_out(tmp_path):
    entries = run(tmp_path, data=str(ROOT / "tests" / "study" / "example"))
    names = [entry["name"] for entry in entries]
    assert "levels" not in names and "spearman" not in names and "disagreement" in names
    assert any("no harm levels" in entry.get("text", "") for entry in entries)
    assert not any("simulated" in entry.get("text", "") for entry in entries)
