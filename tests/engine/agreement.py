"""What it means for an engine to agree with a stored case of tests/reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pluristats.engine.result import EngineFit, Problem, RandomEffects


def assert_agrees(
    case: dict[str, Any], prob: Problem, fit: EngineFit, *, loglik: float = 1e-8, theta: float = 1e-4
) -> None:
    """The fit is the stored one: relative tolerances, fixed effects in standard errors, theta absolute."""
    assert fit.loglik == pytest.approx(case["loglik"], rel=loglik)
    names = [prob.x_names[i] for i in fit.kept]
    assert names == list(case["fixef"])
    se = np.array([case["se"][n] for n in names])
    assert np.abs((fit.beta - [case["fixef"][n] for n in names]) / se).max() < 1e-5
    np.testing.assert_allclose(np.sqrt(np.diag(fit.vcov)), se, rtol=max(theta, 1e-4))
    np.testing.assert_allclose(fit.vcov[0], case["vcov_row1"], rtol=1e-3, atol=1e-4 * se[0] ** 2)
    assert sorted(set(prob.x_names) - set(names)) == sorted(case["dropped"])
    assert list(fit.theta_names) == list(case["theta"])
    np.testing.assert_allclose(fit.theta, list(case["theta"].values()), atol=theta)
    assert fit.sigma == pytest.approx(case["sigma"], rel=1e-5)
    assert fit.optimizer.status == ("boundary" if case["singular"] else "converged")
    assert [r.factor for r in fit.random] == list(case["theta_groups"])
    for effects in fit.random:
        variance = case["varcorr"][effects.factor]
        assert effects.covariance[0, 0] == pytest.approx(variance, rel=1e-4, abs=1e-8 * case["varcorr"]["Residual"])
        assert_modes(effects, case)


def assert_modes(effects: RandomEffects, case: dict[str, Any]) -> None:
    """Conditional modes and their standard deviations at the levels stored."""
    position = {str(level): i for i, level in enumerate(effects.levels)}
    small = 1e-4 * case["sigma"]
    for level, value in case["ranef"][effects.factor].items():
        i = position[level]
        assert effects.modes[i, 0] == pytest.approx(value["mode"], rel=1e-4, abs=small)
        assert effects.mode_sd[i, 0] == pytest.approx(value["sd"], rel=1e-4, abs=small)
