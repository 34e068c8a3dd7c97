"""Tables and identities of a fit, each recomputed by hand from the rows."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats
from scipy.special import gammaln

import pluristats as ps
from pluristats.errors import FitError, FormulaError
from pluristats.models import LmerFit
from pluristats.models.fit import same_rows
from tests.engine.dense import covariance, deviance

NAMES = ["(Intercept)", "x", "age", "hard"]


def test_fixed_effects_by_name(fit: LmerFit) -> None:
    assert list(fit.terms) == list(fit.fixef.index) == list(fit.vcov.index) == list(fit.vcov.columns) == NAMES
    np.testing.assert_array_equal(fit.fixef, fit.result.beta)
    np.testing.assert_array_equal(fit.vcov, fit.result.vcov)
    assert fit.theta_names == ("person.(Intercept)", "item.(Intercept)")
    assert isinstance(fit.theta, np.ndarray) and fit.theta.shape == (2,)


def test_tidy(fit: LmerFit) -> None:
    tidy = fit.tidy()
    columns = ["term", "estimate", "std_error", "statistic", "df", "p_value", "conf_low", "conf_high"]
    assert list(tidy) == list(fit.tidy(df="wald")) == columns
    assert tidy.term.tolist() == NAMES
    se = np.sqrt(np.diag(fit.vcov))
    np.testing.assert_allclose(tidy.std_error, se)
    np.testing.assert_allclose(tidy.statistic, fit.fixef / se)
    for row in tidy.itertuples():  # Student's t by its density, not by scipy's distribution functions
        tail = integrate.quad(student, abs(row.statistic), np.inf, args=(row.df,), epsabs=1e-13)[0]
        assert row.p_value == pytest.approx(2 * tail, rel=1e-6, abs=1e-12)
        half = (row.conf_high - row.estimate) / row.std_error
        assert integrate.quad(student, -half, half, args=(row.df,))[0] == pytest.approx(0.95, rel=1e-8)
    np.testing.assert_allclose((tidy.conf_high + tidy.conf_low) / 2, fit.fixef)
    pd.testing.assert_frame_equal(tidy, fit.tidy(df="satterthwaite"))


def student(t: float, df: float) -> float:
    """Density of Student's t."""
    return np.exp(gammaln((df + 1) / 2) - gammaln(df / 2)) / np.sqrt(df * np.pi) * (1 + t * t / df) ** (-(df + 1) / 2)


def test_tidy_by_wald(fit: LmerFit) -> None:
    tidy, se = fit.tidy(df="wald"), np.sqrt(np.diag(fit.vcov))
    assert np.isinf(tidy["df"]).all()
    np.testing.assert_allclose(tidy.p_value, stats.chi2.sf((fit.fixef / se) ** 2, 1), rtol=1e-9)
    np.testing.assert_allclose(tidy.conf_high - tidy.conf_low, 2 * 1.959963984540054 * se)
    np.testing.assert_allclose((tidy.conf_high + tidy.conf_low) / 2, fit.fixef)
    half = fit.tidy(conf_level=0.5, df="wald").conf_high - fit.fixef.to_numpy()
    np.testing.assert_allclose(half, 0.6744897501960817 * se)


def test_tidy_of_the_random_part(fit: LmerFit) -> None:
    tidy = fit.tidy("ran_pars")
    assert tidy.to_dict("list") == {
        "group": ["person", "item", "Residual"],
        "term": ["sd__(Intercept)", "sd__(Intercept)", "sd__Observation"],
        "estimate": [*(fit.sigma * fit.theta), fit.sigma],
    }
    pd.testing.assert_frame_equal(fit.tidy("ran_vals"), fit.ranef())


def test_varcorr(fit: LmerFit) -> None:
    table = fit.varcorr()
    assert list(table) == ["grp", "var1", "var2", "vcov", "sdcor"]
    assert table.grp.tolist() == ["person", "item", "Residual"]
    assert table.var1.tolist()[:2] == ["(Intercept)"] * 2 and table.var1.isna().tolist() == [False, False, True]
    assert table.var2.isna().all()
    np.testing.assert_allclose(table.vcov, np.r_[fit.theta, 1] ** 2 * fit.sigma**2)
    np.testing.assert_allclose(table.sdcor**2, table.vcov)


def test_glance_and_criteria(fit: LmerFit, table: pd.DataFrame) -> None:
    glance = fit.glance()
    assert len(glance) == 1
    row = glance.iloc[0]
    n = len(table)
    assert (row.nobs, row.df) == (fit.nobs, fit.df) == (n, 4 + 2 + 1)
    assert row.loglik == fit.loglik and row.deviance == fit.deviance == -2 * fit.loglik
    assert row.aic == fit.aic == pytest.approx(-2 * fit.loglik + 14)
    assert row.bic == fit.bic == pytest.approx(-2 * fit.loglik + 7 * np.log(n))
    # By hand: intercept and hard are constant within items (8), age within persons (10); x varies within both.
    by_hand = 2 * np.log(8) + np.log(10) + np.log(n) + (np.log(10) + np.log(8)) + np.log(n)
    assert row.bic_hybrid == fit.bic_hybrid == pytest.approx(-2 * fit.loglik + by_hand)
    assert (row.sigma, row.reml, row.engine, row.singular, row.status) == (
        fit.sigma,
        fit.reml,
        "native",
        False,
        "converged",
    )
    assert (row.r2_marginal, row.r2_conditional) == (fit.r2().marginal, fit.r2().conditional)


def test_likelihood_is_that_of_the_rows(fit: LmerFit, table: pd.DataFrame) -> None:
    expected = deviance(fit.problem.y, fit.problem.x, fit.problem.factors, fit.theta, reml=fit.reml)
    assert fit.deviance == pytest.approx(expected, rel=1e-10)


def test_augment(fit: LmerFit, table: pd.DataFrame) -> None:
    augmented = fit.augment()
    assert list(augmented) == ["y", "person", "item", "fixed", "fitted", "resid"]
    assert augmented.index.equals(table.index)
    for name in ("y", "person", "item"):
        assert augmented[name].tolist() == table[name].tolist()
    np.testing.assert_allclose(augmented.fitted + augmented.resid, table.y, rtol=1e-12)
    by_hand = fit.fixef["(Intercept)"] + table[["x", "age", "hard"]] @ fit.fixef[1:].to_numpy()
    np.testing.assert_allclose(augmented.fixed, by_hand, rtol=1e-10)
    effects = fit.ranef().set_index(["group", "level"]).estimate
    random = [effects["person", p] + effects["item", i] for p, i in zip(table.person, table.item, strict=True)]
    np.testing.assert_allclose(augmented.fitted - augmented.fixed, random, rtol=1e-9)


def test_ranef_is_the_conditional_expectation(fit: LmerFit, table: pd.DataFrame) -> None:
    ranef = fit.ranef()
    assert list(ranef) == ["group", "level", "term", "estimate", "std_error"]
    assert ranef.group.tolist() == ["person"] * 10 + ["item"] * 8
    assert ranef.level.tolist() == [*(f"P{p}" for p in range(10)), *range(8)]
    factors = {f.name: f for f in fit.problem.factors}
    v = covariance([factors["person"], factors["item"]], fit.theta)
    weighted = np.linalg.solve(v, table.y - fit.problem.x @ fit.fixef.to_numpy())
    z = (table.person.to_numpy()[:, None] == ranef.level[:10].to_numpy()).astype(float)
    np.testing.assert_allclose(ranef.estimate[:10], fit.theta[0] ** 2 * z.T @ weighted, rtol=1e-7)
    assert (ranef.std_error > 0).all()


def test_r2_and_icc_by_hand(fit: LmerFit) -> None:
    explained = fit.augment().fixed.var()
    random, residual = fit.varcorr().vcov[:2], fit.sigma**2
    total = explained + random.sum() + residual
    assert fit.r2().marginal == pytest.approx(explained / total, rel=1e-12)
    assert fit.r2().conditional == pytest.approx(1 - residual / total, rel=1e-12)
    assert fit.icc().to_dict() == pytest.approx(
        dict(zip(["person", "item"], random / (random.sum() + residual), strict=True)), rel=1e-12
    )


def test_no_fixed_effects_explain_nothing(table: pd.DataFrame) -> None:
    null = ps.lmer("y ~ 1 + (1|person)", table)
    assert null.r2().marginal == pytest.approx(0, abs=1e-30)
    assert null.r2().conditional == pytest.approx(null.icc()["person"])
    nothing = ps.lmer("y ~ 0 + (1|person)", table)
    assert (nothing.terms, nothing.df, nothing.r2().marginal) == ((), 2, 0.0)
    assert nothing.tidy().empty and nothing.vcov.shape == (0, 0)
    assert nothing.summary() and nothing._repr_html_()


@pytest.mark.parametrize("theta", [[1.0, 1.0], [0.0, 0.5], [0, 0], (2.0, 0.0)])
def test_objective_anywhere(fit: LmerFit, theta: list[float]) -> None:
    expected = deviance(fit.problem.y, fit.problem.x, fit.problem.factors, theta, reml=fit.reml)
    assert fit.objective(theta) == pytest.approx(expected, rel=1e-10)
    assert fit.objective(theta) >= fit.objective(fit.theta) == pytest.approx(fit.deviance, rel=1e-12)


@pytest.mark.parametrize(
    ("theta", "error", "message"),
    [
        ([1.0], ValueError, r"2 values \(person\.\(Intercept\), item\.\(Intercept\)\), not 1"),
        ([[1.0, 1.0]], ValueError, "has 2 values"),
        ([1.0, -0.1], ValueError, "finite and not negative"),
        ([1.0, np.nan], ValueError, "finite and not negative"),
        ([np.inf, 1.0], ValueError, "finite and not negative"),
        ([1e9, 1.0], FitError, "too large"),
    ],
)
def test_objective_refuses(fit: LmerFit, theta: list[float], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        fit.objective(theta)


def test_arguments_are_checked(fit: LmerFit) -> None:
    with pytest.raises(ValueError, match="'fixed', 'ran_pars' or 'ran_vals', not 'random'"):
        fit.tidy("random")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'satterthwaite' or 'wald', not 'kr'"):
        fit.tidy(df="kr")  # type: ignore[arg-type]
    for level in (95, 0, 1, -0.5, np.nan):
        with pytest.raises(ValueError, match="share between 0 and 1"):
            fit.tidy(conf_level=level)


def test_a_fit_cannot_be_changed(fit: LmerFit) -> None:
    with pytest.raises(FrozenInstanceError):
        fit.formula = "y ~ 1"  # type: ignore[misc]
    for array in (fit.theta, fit.result.beta, fit.result.vcov, fit.fitted, fit.result.random[0].modes):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
    with pytest.raises(FrozenInstanceError):
        fit.r2().marginal = 1.0  # type: ignore[misc]
    before = fit.tidy(), fit.ranef(), fit.augment(), fit.predict().sum()
    for table in (fit.tidy(), fit.ranef(), fit.augment(), fit.vcov, fit.fixef, fit.varcorr()):
        table.iloc[0] = table.iloc[-1]
    fit.predict()[:] = 0
    after = fit.tidy(), fit.ranef(), fit.augment(), fit.predict().sum()
    for a, b in zip(before[:3], after[:3], strict=True):
        pd.testing.assert_frame_equal(a, b)
    assert before[3] == after[3]


def test_fits_are_hashable_and_equal_only_to_themselves(fit: LmerFit) -> None:
    assert fit == fit and len({fit, fit}) == 1


def test_same_rows(fit: LmerFit, table: pd.DataFrame) -> None:
    assert same_rows(fit, ps.lmer("y ~ 1 + (1|item)", table))
    assert not same_rows(fit, ps.lmer("y ~ 1 + (1|item)", table.iloc[1:]))
    assert not same_rows(fit, ps.lmer("x ~ 1 + (1|person)", table.assign(x=table.y + 1)))


def test_augment_keeps_the_response_as_named_and_refuses_namesakes(table: pd.DataFrame) -> None:
    odd = ps.lmer("`my y` ~ x + (1|person)", table.rename(columns={"y": "my y"}))
    assert list(odd.augment())[:2] == ["my y", "person"]
    logged = ps.lmer("log(y + 20) ~ x + (1|person)", table)
    np.testing.assert_allclose(logged.augment()["log(y + 20)"], np.log(table.y + 20))
    clash = ps.lmer("resid ~ x + (1|person)", table.rename(columns={"y": "resid"}))
    with pytest.raises(FormulaError, match="called 'resid'"):
        clash.augment()


@pytest.mark.parametrize(
    "levels", [[(1, "a"), (2, "b")], [True, False], [1.5, 2.5], ["a", "b"], pd.interval_range(0, 2)]
)
def test_augment_has_levels_of_any_type(table: pd.DataFrame, levels: list[object]) -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2, len(table))
    labels = pd.Series([levels[c] for c in codes], index=table.index)
    made = ps.lmer("y2 ~ x + (1|label)", table.assign(label=labels, y2=table.y + 5 * codes))
    assert made.augment().label.tolist() == labels.tolist()
    np.testing.assert_allclose(made.predict(table.assign(label=labels)), made.fitted, rtol=1e-12)
