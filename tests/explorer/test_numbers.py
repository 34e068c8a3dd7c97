"""The explorer's numbers against dense algebra, brute force and other fits."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st

import pluristats as ps
from pluristats.errors import FitError, UnsupportedError
from pluristats.explorer import (
    Coefficients,
    View,
    carriers,
    coefficients,
    interactions,
    partial_effect,
    refit,
    structures,
    weights_of,
)


def dense_weights(fit: ps.LmerFit, w: np.ndarray) -> np.ndarray:
    """V⁻¹X(X'V⁻¹X)⁻¹ by inverting V, shape (n, p)."""
    p, n = fit.problem, fit.nobs
    v = np.diag(fit.sigma**2 / w)
    for r in fit.result.random:
        codes = next(f for f in p.factors if f.name == r.factor).codes
        v += r.covariance[0, 0] * (codes[:, None] == codes[None, :])
    x = p.x[:, fit.result.kept]
    vx = np.linalg.solve(v, x)
    assert vx.shape[0] == n
    return vx @ np.linalg.inv(x.T @ vx)


def test_weights_are_those_of_generalised_least_squares(fit: ps.LmerFit) -> None:
    dense = dense_weights(fit, np.ones(fit.nobs))
    for j in range(len(fit.terms)):
        a = weights_of(fit.problem, fit.result, j)
        np.testing.assert_allclose(a, dense[:, j], atol=1e-7 * np.abs(dense[:, j]).max())
        assert a @ fit.problem.y == pytest.approx(fit.result.beta[j], abs=1e-8)


def test_weights_with_prior_weights(study: ps.Study) -> None:
    column = study.groups["actions"][0]
    frame = study.frame()
    w = np.random.default_rng(1).uniform(0.5, 3, len(frame))
    fit = ps.lmer(f"rating ~ {column} + (1|annotator)", frame, weights=pd.Series(w, index=frame.index))
    dense = dense_weights(fit, w)
    np.testing.assert_allclose(weights_of(fit.problem, fit.result, 1), dense[:, 1], atol=1e-7 * abs(dense[:, 1]).max())


def test_contributions_make_the_estimate_and_come_largest_first(fit: ps.LmerFit) -> None:
    for j, beta in enumerate(fit.result.beta):
        a = weights_of(fit.problem, fit.result, j)
        for factor in fit.problem.factors:
            found = carriers(fit.problem, a, factor.name, factor.codes, factor.levels)
            assert found.contribution.sum() == pytest.approx(beta, abs=1e-8)
            assert (np.diff(np.abs(found.contribution)) <= 1e-15).all()
            assert found.n_rows.sum() == fit.nobs
            assert (found.centre == 0) == (j == 0)
            level = found.levels[0]
            rows = np.asarray(factor.levels, dtype=object)[factor.codes] == level
            assert found.contribution[0] == pytest.approx((a * (fit.problem.y - found.centre))[rows].sum())


def test_random_slopes_have_no_carriers(study: ps.Study) -> None:
    column = study.groups["actions"][0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = ps.lmer(f"rating ~ {column} + (1 + {column}|annotator)", study)
    with pytest.raises(UnsupportedError, match="random slopes"):
        weights_of(fit.problem, fit.result, 0)


def test_refits_are_what_lmer_gives(fit: ps.LmerFit, study: ps.Study) -> None:
    fixed = fit.formula.partition(" + (1|")[0]
    assert structures(fit) == ("(1|annotator) + (1|prompt)", "(1|annotator)", "(1|prompt)", "none")
    for structure in structures(fit)[:-1]:
        for reml in (True, False):
            again = refit(fit, structure, reml=reml)
            fresh = ps.lmer(f"{fixed} + {structure}", study, reml=reml)
            np.testing.assert_allclose(again.tidy().iloc[:, 1:], fresh.tidy().iloc[:, 1:], rtol=1e-6)
            assert again.formula == f"{fixed} + {structure}" and again.simulated


def test_a_factor_that_the_fit_lacks_comes_from_the_study(fit: ps.LmerFit, study: ps.Study) -> None:
    fixed = fit.formula.partition(" + (1|")[0]
    alone = ps.lmer(f"{fixed} + (1|prompt)", study)
    assert "(1|annotator) + (1|prompt)" not in structures(alone)
    both = refit(alone, "(1|annotator) + (1|prompt)", frame=study.frame())
    np.testing.assert_allclose(both.tidy().iloc[:, 1:], fit.tidy().iloc[:, 1:], rtol=1e-5, atol=1e-8)
    with pytest.raises(FitError, match="not in this study"):
        refit(alone, "(1|annotator)", frame=study.frame().iloc[:10])
    with pytest.raises(UnsupportedError, match="structure is one of"):
        refit(alone, "(1|annotator)")


def test_no_random_part_is_least_squares(fit: ps.LmerFit) -> None:
    plain = refit(fit, "none")
    rows = coefficients(plain)
    ols = sm.OLS(fit.problem.y, fit.problem.x).fit()
    np.testing.assert_allclose(rows.estimate, ols.params, atol=1e-9)
    np.testing.assert_allclose(rows.std_error, ols.bse, rtol=1e-7)
    np.testing.assert_allclose(rows.p_value, ols.pvalues, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(np.c_[rows.low, rows.high], ols.conf_int(), rtol=1e-6, atol=1e-9)
    a = weights_of(plain.problem, plain.result, 2)
    assert a @ fit.problem.y == pytest.approx(ols.params[2])
    with pytest.raises(UnsupportedError, match="native"):
        refit(fit, "none", engine="statsmodels")


@pytest.mark.parametrize("with_frame", [True, False])
def test_partial_effects_are_population_predictions(fit: ps.LmerFit, study: ps.Study, with_frame: bool) -> None:
    ((moderator, feature),) = interactions(fit)
    found = partial_effect(fit, moderator, feature, study.frame() if with_frame else None)
    used = study.frame().loc[fit.index]
    assert (found.x[0], found.x[-1]) == pytest.approx((used[feature].min(), used[feature].max()))
    new = pd.DataFrame({name: [used[name].mean()] for name in study.groups["actions"] + study.groups["traits"]})
    new[moderator], new[feature] = found.values[-1], found.x[7]
    by_fit = fit.predict(new.assign(annotator="?", prompt="?"), random=False, interval="confidence").iloc[0]
    assert found.estimate[-1, 7] == pytest.approx(by_fit.estimate)
    assert (found.low[-1, 7], found.high[-1, 7]) == pytest.approx((by_fit.conf_low, by_fit.conf_high))
    plain = partial_effect(refit(fit, "none"), moderator, feature)
    x = np.array(
        [1, new.iloc[0][fit.terms[1]], new.iloc[0][fit.terms[2]], found.values[-1], found.values[-1] * found.x[7]]
    )
    x = x if fit.terms[4] == f"{moderator}:{feature}" else x * np.nan
    ols = sm.OLS(fit.problem.y, fit.problem.x).fit().get_prediction(x)
    assert plain.estimate[-1, 7] == pytest.approx(ols.predicted_mean[0])
    assert (plain.low[-1, 7], plain.high[-1, 7]) == pytest.approx(tuple(ols.conf_int()[0]))


def test_other_columns_of_a_partial_effect_may_be_categories_and_an_offset_counts(study: ps.Study) -> None:
    t, a = study.groups["traits"][0], study.groups["actions"][0]
    frame = study.frame().assign(kind=lambda rows: np.where(rows["annotator"].astype(int) % 3 > 0, "often", "rare"))
    frame["given"] = np.linspace(0, 1, len(frame))
    fit = ps.lmer(f"rating ~ {t} * {a} + kind + offset(given) + (1|annotator)", frame)
    found = partial_effect(fit, t, a, frame)
    new = pd.DataFrame({t: [found.values[0]], a: [found.x[3]], "kind": "often", "given": frame["given"].mean()})
    by_fit = fit.predict(new.assign(annotator="?"), random=False, interval="confidence").iloc[0]
    assert found.estimate[0, 3] == pytest.approx(by_fit.estimate)
    assert (found.low[0, 3], found.high[0, 3]) == pytest.approx((by_fit.conf_low, by_fit.conf_high))


def test_partial_effects_say_what_they_lack(study: ps.Study) -> None:
    t, a = study.groups["traits"][0], study.groups["actions"][0]
    fit = ps.lmer(f"rating ~ {t}:{a} + (1|prompt)", study)
    with pytest.raises(UnsupportedError, match="no main effect"):
        partial_effect(fit, t, a)
    assert np.isfinite(partial_effect(fit, t, a, study.frame()).estimate).all()


NUMBERS = st.lists(st.one_of(st.floats(-5, 5), st.just(float("nan"))), min_size=4, max_size=4)


@given(NUMBERS, st.sampled_from(["model", "term", "group", "estimate", "size", "p_value"]), st.booleans())
def test_order_is_a_stable_sort_with_missing_last(values: list[float], sort: str, descending: bool) -> None:
    v = np.array(values)
    rows = Coefficients(("b", "a", "d", "c"), ("B", "a", "D", "c"), ("y", "x", "y", "x"), v, v, v - 1, v + 1, v)
    got = View(sort=sort, descending=descending).positions(rows).tolist()  # type: ignore[arg-type]
    key = {"model": [0, 1, 2, 3], "term": [1, 0, 3, 2], "group": [1, 0, 1, 0]}.get(sort, values)
    key = [abs(x) for x in key] if sort == "size" else key
    sign = -1 if descending else 1
    assert got == sorted(range(4), key=lambda i: (np.isnan(key[i]), 0 if np.isnan(key[i]) else sign * key[i], i))


def test_filters(fit: ps.LmerFit, study: ps.Study) -> None:
    rows = coefficients(fit, study.groups, study.labels)
    table = rows.table()
    assert set(rows.groups) == {"intercept", "actions", "traits", "traits × actions"}
    keep = table[(table.estimate.abs() >= 0.1) & ((table.conf_low > 0) | (table.conf_high < 0))]
    assert View(min_size=0.1, excludes_zero=True).positions(rows).tolist() == keep.index.tolist()
    narrow = table.index[table.conf_high - table.conf_low <= 0.3].tolist()
    assert View(max_width=0.3).positions(rows).tolist() == narrow
    assert View(groups=("traits",)).positions(rows).tolist() == table.index[table.group == "traits"].tolist()
    assert View(search=rows.labels[2].upper()).positions(rows).tolist() == [2]
    for bad in ({"min_size": -1}, {"max_width": float("nan")}, {"sort": "colour"}):
        with pytest.raises(ValueError):
            View(**bad)  # type: ignore[arg-type]


def test_a_singular_fit_still_adds_up(fit: ps.LmerFit) -> None:
    zero = replace(fit.result.random[0], covariance=np.zeros((1, 1)))
    result = replace(fit.result, random=(zero, *fit.result.random[1:]))
    x, gone = fit.problem.x, replace(fit.problem, factors=fit.problem.factors)
    v = np.eye(fit.nobs) * fit.sigma**2
    for r in result.random[1:]:
        codes = next(f for f in gone.factors if f.name == r.factor).codes
        v += r.covariance[0, 0] * (codes[:, None] == codes[None, :])
    c = np.linalg.inv(x.T @ np.linalg.solve(v, x))
    a = weights_of(gone, replace(result, vcov=c), 1)
    np.testing.assert_allclose(x.T @ a, np.eye(x.shape[1])[1], atol=1e-7)
