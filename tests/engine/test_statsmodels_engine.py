"""statsmodels' MixedLM behind the common interface, against lme4's stored values."""

from __future__ import annotations

import numpy as np
import pytest

from pluristats.engine import mixedlm_statsmodels as engine
from pluristats.engine.result import Factor, Problem
from pluristats.errors import FitError, UnsupportedError
from tests.engine.agreement import assert_agrees
from tests.reference.cases import problem, small_frame, stored

SMALL = stored("small")


@pytest.mark.parametrize("name", SMALL)
def test_agrees_with_lme4(name: str) -> None:
    case = SMALL[name]
    prob = problem(case, small_frame(case["data"]))
    fit = engine.fit(prob, reml=case["reml"])
    assert fit.engine == "statsmodels"
    assert_agrees(case, prob, fit)


@pytest.mark.parametrize("name", ["penicillin_reml", "singular_two_ml"])
def test_trace_rows_are_theta_and_deviance(name: str) -> None:
    case = SMALL[name]
    fit = engine.fit(problem(case, small_frame(case["data"])), reml=case["reml"])
    assert len(fit.optimizer.trace) == fit.optimizer.n_evaluations > 10
    rows = np.array(fit.optimizer.trace)
    assert rows.shape[1] == len(fit.theta) + 1
    assert rows[:, -1].min() == pytest.approx(case["criterion"], rel=1e-8)
    closest = rows[np.argmin(rows[:, -1]), :-1]
    np.testing.assert_allclose(closest, fit.theta, atol=1e-3)


def test_its_own_random_effects_are_ours() -> None:
    """MixedLM's ``random_effects`` (which this engine recomputes) at the same optimum."""
    import statsmodels.api as sm

    case = SMALL["sleepstudy_reml"]
    prob = problem(case, small_frame("sleepstudy"))
    fit = engine.fit(prob, reml=True)
    theirs = sm.MixedLM(prob.y, prob.x, groups=prob.factors[0].codes).fit(reml=True, method="bfgs", gtol=1e-8)
    modes = np.array([theirs.random_effects[k].iloc[0] for k in range(prob.factors[0].q)])
    np.testing.assert_allclose(fit.random[0].modes[:, 0], modes, atol=1e-3)
    np.testing.assert_allclose(fit.beta, theirs.fe_params, rtol=1e-8)
    assert fit.sigma**2 == pytest.approx(theirs.scale, rel=1e-5)


def tiny(x: np.ndarray, factors: tuple[Factor, ...]) -> Problem:
    y = np.array([1.0, 2.0, 4.0, 3.0, 6.0, 5.0])
    return Problem(y, x, tuple(f"c{j}" for j in range(x.shape[1])), factors)


PAIRS = Factor("g", np.repeat(np.arange(3), 2), ("a", "b", "c"))


def test_refuses_a_model_without_factors_by_name() -> None:
    with pytest.raises(UnsupportedError, match='engine="native"'):
        engine.fit(tiny(np.ones((6, 1)), ()))


def test_refuses_a_model_without_fixed_effects_by_name() -> None:
    with pytest.raises(UnsupportedError, match="add the intercept"):
        engine.fit(tiny(np.ones((6, 0)), (PAIRS,)))


def test_refuses_what_no_engine_fits() -> None:
    x = np.ones((6, 1))
    x[2, 0] = np.nan
    with pytest.raises(FitError, match="c0"):
        engine.fit(tiny(x, (PAIRS,)))
