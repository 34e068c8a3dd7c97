"""Standard errors of predictions: linear-predictor algebra on the rows, emmeans, and coverage in simulations."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import pluristats as ps
from pluristats.errors import DroppedRowsWarning, FitError, SingularFitWarning
from pluristats.models import LmerFit, predict_error
from tests.engine.dense import covariance
from tests.reference.cases import inference, small_frame


def by_the_rows(fit: LmerFit, x: np.ndarray, levels: list[object]) -> tuple[float, float]:
    """Prediction and its error variance: the predictor a'y of x'β + Σ b has Var(a'y) - 2 Cov(a'y, b) + Var(b)."""
    factors = {f.name: f for f in fit.problem.factors}
    order = [factors[r.factor] for r in fit.result.random]
    v = covariance(order, fit.theta)
    # Covariance of the rows with Σ b of these levels; an unseen level shares it with no row.
    shared = sum(
        t**2 * np.array([f.levels[c] == level for c in f.codes], dtype=float)
        for t, f, level in zip(fit.theta, order, levels, strict=True)
    )
    vi = np.linalg.inv(v)
    columns = fit.problem.x
    information = columns.T @ vi @ columns
    gls = np.linalg.solve(information, columns.T @ vi)
    a = gls.T @ (x - columns.T @ vi @ shared) + vi @ shared
    variance = a @ v @ a - 2 * a @ shared + (fit.theta**2).sum()
    return float(a @ fit.problem.y), fit.sigma**2 * float(variance)


def test_conditional_predictions(fit: LmerFit, table: pd.DataFrame) -> None:
    new = table.iloc[[0, 7, 30, 31, 60]].astype({"item": object}).copy()
    new["x"] = [0.0, 3.0, -2.0, 0.5, 1.0]
    new.iloc[2, new.columns.get_loc("person")] = "stranger"
    new.iloc[3, new.columns.get_loc("item")] = None
    new.iloc[4, [new.columns.get_loc("person"), new.columns.get_loc("item")]] = "nobody"
    got = fit.predict(new, se=True, new_levels="population")
    assert list(got) == ["estimate", "std_error", "df"] and got.index.equals(new.index) and np.isinf(got["df"]).all()
    np.testing.assert_array_equal(got.estimate, fit.predict(new, new_levels="population"))
    for (_, row), ours in zip(new.iterrows(), got.itertuples(), strict=True):
        x = np.array([1.0, row.x, row.age, row.hard])
        estimate, variance = by_the_rows(fit, x, [row.person, row["item"]])
        assert ours.estimate == pytest.approx(estimate, rel=1e-6)
        assert ours.std_error == pytest.approx(np.sqrt(variance), rel=1e-8)
    known = fit.predict(new, se=True, new_levels="nan")
    assert known.isna()["std_error"].tolist() == known.isna()["estimate"].tolist() == [False, False, True, True, True]
    pd.testing.assert_frame_equal(known.iloc[:2], got.iloc[:2])


def test_the_rows_of_the_fit(fit: LmerFit, table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    got = fit.predict(se=True)
    assert got.index.equals(table.index)
    np.testing.assert_allclose(got.estimate, fit.fitted, rtol=1e-10)
    pd.testing.assert_frame_equal(got, fit.predict(table, se=True), rtol=1e-9)
    # A level seen more often is known better than the population, and never worse than by its variance.
    assert (got.std_error < np.sqrt(fit.varcorr().vcov[:2].sum())).all()
    monkeypatch.setattr(predict_error, "_CELLS", 40)  # two columns at a time
    pd.testing.assert_frame_equal(fit.predict(se=True), got, rtol=1e-12)
    assert fit.predict(table.iloc[:0], interval="prediction").shape == (0, 5)


def test_population_means_as_emmeans() -> None:
    expected = pd.DataFrame(inference("prediction"))
    fit = ps.lmer("y ~ x + w + (1|person) + (1|item)", small_frame("unbalanced"))
    got = fit.predict(expected[["x", "w"]], random=False, interval="confidence")
    for ours, theirs in (
        ("estimate", "emmean"),
        ("std_error", "SE"),
        ("df", "df"),
        ("conf_low", "lower.CL"),
        ("conf_high", "upper.CL"),
    ):
        np.testing.assert_allclose(got[ours], expected[theirs], rtol=1e-5)


def test_population_mean_at_a_coefficient_is_its_row(fit: LmerFit) -> None:
    at_zero = pd.DataFrame({"x": [0.0], "age": [0.0], "hard": [0.0]})
    got = fit.predict(at_zero, random=False, interval="confidence", conf_level=0.8)
    row = fit.tidy(conf_level=0.8).iloc[0]
    for name in ("estimate", "std_error", "df", "conf_low", "conf_high"):
        assert got[name][0] == pytest.approx(row[name], rel=1e-10)


def test_prediction_intervals_by_hand(fit: LmerFit, table: pd.DataFrame) -> None:
    for random in (True, False):
        got = fit.predict(table, random=random, interval="prediction")
        assert list(got) == ["estimate", "std_error", "df", "pred_low", "pred_high"]
        added = fit.sigma**2 + (0.0 if random else fit.varcorr().vcov[:2].sum())
        half = 1.959963984540054 * np.sqrt(got.std_error**2 + added)
        np.testing.assert_allclose(got.pred_high - got.estimate, half)
        np.testing.assert_allclose(got.estimate - got.pred_low, half)
    stranger = table.assign(person="stranger", item="news")
    conditional = fit.predict(stranger, new_levels="population", interval="prediction")
    pd.testing.assert_frame_equal(
        conditional[["estimate", "pred_low", "pred_high"]],
        fit.predict(table, random=False, interval="prediction")[["estimate", "pred_low", "pred_high"]],
    )


def test_coverage() -> None:
    """Of ratings left out, for people and items of the fit, 90 % lie in their 90 % intervals."""
    rng = np.random.default_rng(5)
    person, item = (a.ravel() for a in np.meshgrid(np.arange(40), np.arange(30), indexing="ij"))
    frame = pd.DataFrame({"person": person, "item": item, "x": rng.normal(size=person.size)})
    frame["y"] = frame.x + rng.normal(size=40)[person] + rng.normal(size=30)[item] + 1.5 * rng.normal(size=len(frame))
    out = rng.random(len(frame)) < 0.6
    fit = ps.lmer("y ~ x + (1|person) + (1|item)", frame[~out])
    got = fit.predict(frame[out], interval="prediction", conf_level=0.9)
    share = frame.y[out].between(got.pred_low, got.pred_high).mean()
    assert abs(share - 0.9) < 4 * np.sqrt(0.09 / out.sum())


def test_a_component_at_zero_is_as_if_left_out() -> None:
    frame = small_frame("singular_two")
    with pytest.warns(SingularFitWarning):
        both = ps.lmer("y ~ x + (1|person) + (1|item)", frame)
    one = ps.lmer("y ~ x + (1|person)", frame)
    np.testing.assert_allclose(both.predict(se=True), one.predict(se=True), rtol=1e-5)


def test_no_fixed_effects(table: pd.DataFrame) -> None:
    """x'β is nothing; what is left is the conditional standard deviation of the modes."""
    fit = ps.lmer("y ~ 0 + (1|person)", table)
    got = fit.predict(pd.DataFrame({"person": [f"P{p}" for p in range(10)]}), se=True)
    np.testing.assert_allclose(got.estimate, fit.ranef().estimate, rtol=1e-12)
    np.testing.assert_allclose(got.std_error, fit.ranef().std_error, rtol=1e-9)


def test_missing_values_and_refusals(fit: LmerFit, table: pd.DataFrame) -> None:
    new = table.iloc[:3].copy()
    new.iloc[1, new.columns.get_loc("x")] = np.nan
    for random in (True, False):
        with pytest.warns(DroppedRowsWarning, match="1 of 3 rows miss a fixed value"):
            got = fit.predict(new, random=random, interval="confidence")
        assert got.drop(columns="df").isna().all(axis=1).tolist() == [False, True, False]
    with pytest.raises(ValueError, match="'confidence', 'prediction' or None, not 'both'"):
        fit.predict(table, interval="both")  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="share between 0 and 1"):
        fit.predict(table, interval="confidence", conf_level=95)
    with pytest.raises(FitError, match="'stranger' of 'person'"):
        fit.predict(table.assign(person="stranger"), se=True)
