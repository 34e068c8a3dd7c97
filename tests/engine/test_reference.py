"""The native engine against values that lme4 computed (tests/reference/make_reference.R)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from pluristats.engine import native
from pluristats.engine.result import EngineFit, Problem, RandomEffects
from tests.reference.cases import problem, release_frame, small_frame, stored

SMALL = stored("small")
RELEASE = {name: case for name, case in stored("release").items() if case["data"] == "release"}


def kept_names(x_names: tuple[str, ...], fit: EngineFit) -> list[str]:
    return [x_names[i] for i in fit.kept]


def assert_agrees(case: dict[str, Any], prob: Problem, fit: EngineFit, *, loglik: float = 1e-8) -> None:
    """The fit is the stored one: tolerances relative, but fixed effects in standard errors, theta absolute."""
    assert fit.loglik == pytest.approx(case["loglik"], rel=loglik)
    names = kept_names(prob.x_names, fit)
    assert names == list(case["fixef"])
    se = np.array([case["se"][n] for n in names])
    assert np.abs((fit.beta - [case["fixef"][n] for n in names]) / se).max() < 1e-5
    np.testing.assert_allclose(np.sqrt(np.diag(fit.vcov)), se, rtol=1e-4)
    np.testing.assert_allclose(fit.vcov[0], case["vcov_row1"], rtol=1e-3, atol=1e-4 * se[0] ** 2)
    assert sorted(set(prob.x_names) - set(names)) == sorted(case["dropped"])
    assert list(fit.theta_names) == list(case["theta"])
    np.testing.assert_allclose(fit.theta, list(case["theta"].values()), atol=1e-4)
    assert fit.sigma == pytest.approx(case["sigma"], rel=1e-5)
    assert (fit.optimizer.status == "boundary") == case["singular"]
    assert [r.factor for r in fit.random] == list(case["theta_groups"])
    for effects in fit.random:
        variance = case["varcorr"][effects.factor]
        assert effects.covariance[0, 0] == pytest.approx(variance, rel=1e-4, abs=1e-8 * case["varcorr"]["Residual"])
        assert_modes(effects, case)


def assert_modes(effects: RandomEffects, case: dict[str, Any]) -> None:
    reference = case["ranef"][effects.factor]
    scale = case["sigma"]
    position = {str(level): i for i, level in enumerate(effects.levels)}
    for level, value in reference.items():
        i = position[level]
        assert effects.modes[i, 0] == pytest.approx(value["mode"], rel=1e-4, abs=1e-4 * scale)
        assert effects.mode_sd[i, 0] == pytest.approx(value["sd"], rel=1e-4, abs=1e-4 * scale)


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
def frame(release_path: Any) -> pd.DataFrame:
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
