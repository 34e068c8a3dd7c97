"""Profile intervals: lme4's, the likelihood of the rows minimised by another optimiser, and what must hold anyway."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg, optimize

import pluristats as ps
from pluristats.errors import FitError, PluristatsWarning
from pluristats.models import LmerFit
from pluristats.models.profile import deviance_of_sds
from tests.engine.dense import covariance
from tests.reference.cases import inference, small_frame

PROFILES = inference("profile")
WALD = inference("wald")
Z2 = 3.841458820694124
FORMULAS = {"dyestuff": "yield ~ 1 + (1|batch)", "sleepstudy": "reaction ~ days + (1|subject)"}


def lmer(formula: str, frame: pd.DataFrame, *, reml: bool = False) -> LmerFit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PluristatsWarning)
        return ps.lmer(formula, frame, reml=reml)


@pytest.mark.parametrize("name", PROFILES)
def test_as_lme4(name: str) -> None:
    case = PROFILES[name]
    fit = lmer(case["formula"], small_frame(case["data"]))
    random, fixed = fit.confint(), fit.confint("fixed")
    names = [f"sd_(Intercept)|{group}" for group in random.group[:-1]]
    ours = dict(
        zip([*names, "sigma", *fixed.term], [*random.to_dict("records"), *fixed.to_dict("records")], strict=True)
    )
    assert set(ours) == set(case["interval"])
    for parameter, (low, high) in case["interval"].items():
        assert ours[parameter]["conf_low"] == pytest.approx(low, rel=2e-4, abs=1e-4)  # lme4 interpolates by splines
        assert ours[parameter]["conf_high"] == pytest.approx(high, rel=2e-4)
    np.testing.assert_array_equal(random[["group", "term", "estimate"]], fit.tidy("ran_pars"))
    np.testing.assert_allclose(fixed.estimate, fit.fixef)


def dense_deviance(fit: LmerFit, sds: np.ndarray, x: np.ndarray | None = None, y: np.ndarray | None = None) -> float:
    """-2ℓ of the rows at absolute standard deviations, the fixed effects by generalised least squares."""
    order = [next(f for f in fit.problem.factors if f.name == r.factor) for r in fit.result.random]
    x, y = fit.problem.x if x is None else x, fit.problem.y if y is None else y
    root = linalg.cholesky(sds[-1] ** 2 * covariance(order, sds[:-1] / sds[-1]), lower=True)
    xs, ys = (linalg.solve_triangular(root, a, lower=True) for a in (x, y))
    rest = ys - xs @ np.linalg.lstsq(xs, ys, rcond=None)[0]
    value = 2 * np.log(np.diag(root)).sum() + rest @ rest
    if fit.reml:
        return value + np.linalg.slogdet(xs.T @ xs)[1] + (len(y) - x.shape[1]) * np.log(2 * np.pi)
    return value + len(y) * np.log(2 * np.pi)


def test_surface_and_its_derivatives(fit: LmerFit) -> None:
    eq = fit.equations
    scale = np.exp(eq.pr.log_y_scale)
    for sds in ([0.7, 1.1, 0.9], [2.0, 0.1, 1.3], [0.0, 0.5, 1.0]):
        at = np.array(sds)
        ev = deviance_of_sds(eq.pr, at / scale, reml=fit.reml)
        assert ev.deviance == pytest.approx(dense_deviance(fit, at), rel=1e-10)

        def moved(log_squares: np.ndarray, at: np.ndarray = at) -> tuple[float, np.ndarray]:
            there = deviance_of_sds(eq.pr, at / scale * np.exp(log_squares / 2), reml=fit.reml)
            return there.deviance, there.gradient

        h = 1e-4
        numeric = [(moved(h * e)[0] - moved(-h * e)[0]) / (2 * h) for e in np.eye(3)]
        np.testing.assert_allclose(ev.gradient, numeric, rtol=1e-5, atol=1e-5)
        second = [(moved(h * e)[1] - moved(-h * e)[1]) / (2 * h) for e in np.eye(3)]
        np.testing.assert_allclose(ev.hessian, second, rtol=1e-5, atol=1e-5)


def test_ends_by_the_rows(fit: LmerFit) -> None:
    """At each end, Nelder-Mead over the others finds the deviance exactly χ²_1's quantile above the fit's."""
    table = fit.confint()
    best = np.r_[fit.theta, 1] * fit.sigma
    assert (table.conf_low < table.estimate).all() and (table.estimate < table.conf_high).all()
    for j, row in enumerate(table.itertuples()):
        for end in (row.conf_low, row.conf_high):

            def others(logs: np.ndarray, j: int = j, end: float = end) -> float:
                return dense_deviance(fit, np.insert(np.exp(logs), j, end))

            options = {"xatol": 1e-7, "fatol": 1e-10, "maxiter": 4000}
            found = optimize.minimize(others, np.log(np.delete(best, j)), method="Nelder-Mead", options=options)
            assert found.fun - fit.deviance == pytest.approx(Z2, abs=1e-6)


def test_ends_of_fixed_effects_by_the_rows(table: pd.DataFrame) -> None:
    fit = ps.lmer("y ~ x + age + hard + (1|person) + (1|item)", table, reml=False)
    best = np.log(np.r_[fit.theta, 1] * fit.sigma)
    for j, row in enumerate(fit.confint("fixed").itertuples()):
        x = np.delete(fit.problem.x, j, axis=1)
        for end in (row.conf_low, row.conf_high):

            def others(
                logs: np.ndarray, x: np.ndarray = x, y: np.ndarray = fit.problem.y - end * fit.problem.x[:, j]
            ) -> float:
                return dense_deviance(fit, np.exp(logs), x, y)

            options = {"xatol": 1e-7, "fatol": 1e-10, "maxiter": 4000}
            found = optimize.minimize(others, best, method="Nelder-Mead", options=options)
            assert found.fun - fit.deviance == pytest.approx(Z2, abs=1e-6)


def test_by_either_route_through_the_fixed_effects(fit: LmerFit) -> None:
    """Whether Z'MZ is held or the fixed effects are downdated does not matter."""
    ml = ps.lmer(fit.formula, fit.augment()[["y", "person", "item"]].assign(**columns(fit)), reml=False)
    held = ml.equations.pr.cm is not None
    pr = ml.equations.pr
    other = None if held else pr.blocks.dense() - pr.xz.T @ pr.xz
    switched = replace(ml)
    switched.__dict__["equations"] = replace(ml.equations, pr=replace(pr, cm=other))
    for effects in ("fixed", "ran_pars"):
        pd.testing.assert_frame_equal(switched.confint(effects), ml.confint(effects), rtol=1e-7)


def columns(fit: LmerFit) -> dict[str, np.ndarray]:
    return dict(zip(fit.terms[1:], fit.problem.x[:, 1:].T, strict=True))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), scale=st.sampled_from([1e-4, 1.0, 1e5]), reml=st.booleans())
def test_intervals_nest_and_scale(seed: int, scale: float, reml: bool) -> None:
    rng = np.random.default_rng(seed)
    g, h = rng.integers(0, 6, 60), rng.integers(0, 5, 60)
    y = rng.normal(size=6)[g] + 0.5 * rng.normal(size=5)[h] + rng.normal(size=60)
    frame = pd.DataFrame({"g": g, "h": h, "y": y})
    fit = lmer("y ~ 1 + (1|g) + (1|h)", frame, reml=reml)
    wide, narrow = fit.confint(conf_level=0.99), fit.confint(conf_level=0.5)
    assert (wide.conf_low <= narrow.conf_low).all() and (narrow.conf_low <= narrow.estimate).all()
    assert (wide.conf_high > narrow.conf_high).all() and (narrow.conf_high > narrow.estimate).all()
    other = lmer("y ~ 1 + (1|g) + (1|h)", frame.assign(y=scale * (y + 3)), reml=reml).confint(conf_level=0.5)
    # Where a profile only touches 0 the ends are as uncertain as the root of the fit's tolerance.
    for end in ("conf_low", "conf_high"):
        np.testing.assert_allclose(other[end] / scale, narrow[end], rtol=1e-4, atol=2e-3)


@pytest.mark.parametrize("name", WALD)
def test_wald_as_nlme(name: str) -> None:
    data, criterion = name.split("_")
    table = lmer(FORMULAS[data], small_frame(data), reml=criterion == "reml").confint(method="wald")
    for row, expected in zip(table.itertuples(), WALD[name].values(), strict=True):
        np.testing.assert_allclose([row.conf_low, row.estimate, row.conf_high], expected, rtol=2e-5)


def test_wald_of_two_components(fit: LmerFit) -> None:
    """The log scale by numerical derivatives of the likelihood of the rows."""
    logs = np.log(np.r_[fit.theta, 1] * fit.sigma)
    h = 2e-3

    def value(step: np.ndarray) -> float:
        return dense_deviance(fit, np.exp(logs + step))

    unit = h * np.eye(3)
    hessian = [[value(a + b) - value(a - b) - value(b - a) + value(-a - b) for a in unit] for b in unit]
    se = np.sqrt(np.diag(2 * np.linalg.inv(np.array(hessian) / (4 * h * h))))
    table = fit.confint(method="wald", conf_level=0.9)
    np.testing.assert_allclose(np.log(table.conf_high / table.estimate), 1.6448536269514722 * se, rtol=1e-4)
    np.testing.assert_allclose(np.log(table.conf_low / table.estimate), -1.6448536269514722 * se, rtol=1e-4)
    pd.testing.assert_frame_equal(
        fit.confint("fixed", method="wald"), fit.tidy()[["term", "estimate", "conf_low", "conf_high"]]
    )


def test_a_component_at_zero() -> None:
    fit = lmer("yield ~ 1 + (1|batch)", small_frame("dyestuff2"), reml=True)
    profile, wald = fit.confint().iloc[0], fit.confint(method="wald").iloc[0]
    assert (profile.estimate, profile.conf_low) == (0.0, 0.0) and profile.conf_high > 0
    assert np.isnan([wald.conf_low, wald.conf_high]).all()


def test_refusals(fit: LmerFit) -> None:
    if fit.reml:
        with pytest.raises(FitError, match=r"no fixed effects to profile; refit with reml=False"):
            fit.confint("fixed")
    with pytest.raises(ValueError, match="'ran_pars' or 'fixed', not 'all'"):
        fit.confint("all")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'profile' or 'wald', not 'boot'"):
        fit.confint(method="boot")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="share between 0 and 1"):
        fit.confint(conf_level=95)
    away = replace(fit, result=replace(fit.result, theta=fit.theta * 3))
    with pytest.raises(FitError, match="the likelihood is higher than the fit's"):
        away.confint()
