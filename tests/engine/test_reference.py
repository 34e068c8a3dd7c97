"""The native engine against values that lme4 computed (tests/reference/make_reference.R)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pluristats.engine import native
from tests.engine.agreement import assert_agrees
from tests.reference.cases import problem, release_frame, small_frame, stored

SMALL = stored("small")
RELEASE = {name: case for name, case in stored("release").items() if case["data"] == "release"}


@pytest.mark.parametrize("name", SMALL)
def test_small(name: str) -> None:
    case = SMALL[name]
    prob = problem(case, small_frame(case["data"]))
    assert_agrees(case, prob, native.fit(prob, reml=case["reml"]))


@pytest.mark.parametrize("name", SMALL)
def test_objective_at_fixed_theta(name: str) -> None:
    case = SMALL[name]
    prob = problem(case, small_frame(case["data"]))
    for point in case["objective"]:
        value = native.deviance(prob, np.array(point["theta"]), reml=case["reml"])
        assert value == pytest.approx(point["value"], rel=1e-9), point["theta"]


def test_theta_order_among_equally_large_factors_is_lme4s() -> None:
    # b has 11 levels, a and c have 6: lme4 sorts by rev(order(levels)), which turns ties round.
    assert list(SMALL["three_ml"]["theta"]) == ["b.(Intercept)", "c.(Intercept)", "a.(Intercept)"]


@pytest.fixture(scope="session")
def frame(release_path: Path) -> pd.DataFrame:
    return release_frame(release_path)


@pytest.mark.release
@pytest.mark.parametrize("name", RELEASE)
def test_release(name: str, frame: pd.DataFrame) -> None:
    case = RELEASE[name]
    prob = problem(case, frame)
    assert_agrees(case, prob, native.fit(prob, reml=case["reml"]))


@pytest.mark.release
@pytest.mark.parametrize("name", RELEASE)
def test_release_objective(name: str, frame: pd.DataFrame) -> None:
    case = RELEASE[name]
    prob = problem(case, frame)
    for point in case["objective"]:
        value = native.deviance(prob, np.array(point["theta"]), reml=case["reml"])
        assert value == pytest.approx(point["value"], rel=1e-9), point["theta"]


def test_published_anchors() -> None:
    """The stored values contain the figures known before this project, so the script made the right models."""
    assert RELEASE["null_crossed_ml"]["loglik"] == pytest.approx(-15555.2994, abs=5e-5)
    crossed = RELEASE["features_crossed_ml"]
    assert crossed["loglik"] == pytest.approx(-15474.93192, abs=5e-6)
    assert crossed["theta"]["annotator.(Intercept)"] == pytest.approx(0.546076, abs=5e-6)
    assert crossed["theta"]["prompt.(Intercept)"] == pytest.approx(0.552300, abs=5e-6)
    assert RELEASE["features_annotator_ml"]["bic"] == pytest.approx(34945.60, abs=5e-3)
    assert RELEASE["features_annotator_ml"]["r2"]["marginal"] == pytest.approx(0.2771, abs=1e-4)
