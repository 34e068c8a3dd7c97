"""The study's modelling frame against the frame that R made from the same files by its own code."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import pluristats as ps
from pluristats.engine import native
from tests.engine.agreement import assert_agrees
from tests.reference.cases import HERE, problem, stored

R_FRAME = json.loads((HERE / "values" / "release_frame.json").read_text())["cases"]
TRAITS = {name: case for name, case in stored("release").items() if case["data"] == "release_complete"}

pytestmark = pytest.mark.release


@pytest.fixture(scope="module")
def frame(release_path: Path) -> pd.DataFrame:
    """The study's frame in R's row order: annotators as in their file, within them prompts as in theirs."""
    frame = ps.load_study(release_path).frame()
    order = [pd.read_csv(release_path / "annotations.csv")["Participant_ID"].astype(str).tolist()]
    order.append(pd.read_csv(release_path / "prompts.csv")["Question_Index"].astype(str).tolist())
    places = [
        frame[name].astype(str).map({label: i for i, label in enumerate(labels)})
        for name, labels in zip(("annotator", "prompt"), order, strict=True)
    ]
    return frame.iloc[np.lexsort((places[1], places[0]))].reset_index(drop=True)


def test_rows_and_feature_groups(frame: pd.DataFrame, release_path: Path) -> None:
    assert len(frame) == R_FRAME["nobs"] == 14_725
    assert frame[R_FRAME["traits"]].notna().all(axis=1).sum() == R_FRAME["complete"] == 14_285
    groups = ps.load_study(release_path).groups
    assert list(groups["traits"]) == R_FRAME["traits"]
    assert [*groups["actions"], *groups["effects"], *groups["values"]] == R_FRAME["features"]


@pytest.mark.parametrize("column", R_FRAME["columns"])
def test_column(column: str, frame: pd.DataFrame) -> None:
    made, values = R_FRAME["columns"][column], frame[column]
    position = np.arange(1, len(frame) + 1) / len(frame)
    assert values.isna().sum() == made["missing"]
    near = {"rel": 1e-9, "abs": 1e-8}
    assert values.mean() == pytest.approx(made["mean"], **near)
    assert values.std() == pytest.approx(made["sd"], **near)
    assert (values * position).sum() == pytest.approx(made["with_position"], **near)
    assert (values * frame["rating"]).sum() == pytest.approx(made["with_rating"], **near)
    assert values.iloc[0] == pytest.approx(made["first"], **near)
    assert values.iloc[-1] == pytest.approx(made["last"], **near)


@pytest.mark.parametrize("name", TRAITS)
def test_traits_models(name: str, frame: pd.DataFrame) -> None:
    """RQ2's model and its relatives on complete rows, from the study's frame to the estimates."""
    case = TRAITS[name]
    complete = frame.dropna(subset=R_FRAME["traits"])
    prob = problem(case, complete)
    assert_agrees(case, prob, native.fit(prob, reml=case["reml"]))
