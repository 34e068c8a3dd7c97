"""Notebooks 04 and 05 by plain papermill, alone, on a small simulated study read from files."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pandas as pd
import pytest

import pluristats as ps
from tests.notebooks.running import ROOT, execute

NAMES = ("04_regressions", "05_ladder")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    ps.write_study(ps.simulate_study(40, 80, seed=2), folder / "study")
    return folder / "study"


def run(name: str, folder: Path, **parameters: object) -> dict[str, dict]:
    execute(name, folder, out=str(folder), **parameters)
    return {entry["name"]: entry for entry in json.loads((folder / "manifest.json").read_text())["artifacts"]}


@pytest.mark.parametrize("name", NAMES)
def test_stored_clean(name: str) -> None:
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    (declared,) = (cell.source for cell in code if "parameters" in cell.metadata.get("tags", []))
    more = '\nlikelihood_engine = "python"' if name == "04_regressions" else ""
    assert declared == 'data = ""\nseed = 0\nout = ""\npenalty = "bic"' + more


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_regressions(small: Path, tmp_path: Path) -> None:
    entries = run("04_regressions", tmp_path, data=str(small))
    study = ps.load_study(small)
    overview = pd.read_csv(tmp_path / "tables/overview.csv").set_index("question")
    question = ps.rq2(study, validate=False)
    assert overview.loc["RQ2", "r2_marginal"] == pytest.approx(question.fit.r2().marginal)
    terms = pd.read_csv(tmp_path / "tables/rq2-terms.csv")
    assert terms["term"].tolist() == question.tidy()["term"].tolist()
    assert {"rq1-paper", "rq1-crossed", "rq2-paper", "rq2-crossed", "rq3-paper", "rq3-likelihoods"} <= set(entries)
    likelihoods = pd.read_csv(tmp_path / "tables/rq2-likelihoods-overview.csv", keep_default_na=False)
    assert likelihoods["likelihood"].tolist() == ["gaussian", "gaussian", "ordinal", "fractional", "ordered-beta"]
    found = ps.likelihood_sensitivity(question, study, engine="python").glance()
    assert likelihoods["same_sign"].tolist()[1:] == [str(n) for n in found["same_sign"].tolist()[1:]]
    assert all(entry["alt"].strip() for entry in entries.values() if entry["kind"] == "figure")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_ladder(small: Path, tmp_path: Path) -> None:
    run("05_ladder", tmp_path, data=str(small), penalty="bic")
    study = ps.load_study(small)
    table = pd.read_csv(tmp_path / "tables/common-rows.csv")
    assert table["delta_bic"].to_numpy() == pytest.approx(
        ps.bic_ladder(study, "common-rows").table["delta_bic"].to_numpy(dtype=float), nan_ok=True
    )
    ledger = pd.read_csv(tmp_path / "tables/ledger.csv")
    assert set(ledger["verdict"]) <= {"not comparable: simulated", "not tried"}
