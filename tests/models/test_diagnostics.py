"""Diagnostics: scipy's moments and tests of the same residuals, and departures that must show."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import pluristats as ps
from pluristats.errors import PluristatsWarning
from pluristats.models import LmerFit
from pluristats.models.diagnostics import by_level, normal_quantiles, shape, spread
from tests.engine.dense import grouping


def test_summary_by_scipy(fit: LmerFit) -> None:
    summary = fit.diagnostics().summary.set_index("group")
    rows = fit.augment()
    assert summary.index.tolist() == ["Residual", "person", "item"] and summary.n.tolist() == [fit.nobs, 10, 8]
    for name, values in (("Residual", rows.resid), *((r.factor, r.modes[:, 0]) for r in fit.result.random)):
        assert summary.sd[name] == pytest.approx(np.std(values, ddof=1))
        assert summary.skewness[name] == pytest.approx(stats.skew(values))
        assert summary.excess_kurtosis[name] == pytest.approx(stats.kurtosis(values))
    residual = summary.loc["Residual"]
    assert residual.spread_fitted == pytest.approx(stats.spearmanr(rows.resid.abs(), rows.fitted).statistic)
    assert residual.share_low == residual.share_high == pytest.approx(1 / fit.nobs)
    assert residual.fitted_outside == ((rows.fitted < rows.y.min()) | (rows.fitted > rows.y.max())).mean()
    for name in ("person", "item"):
        parts = [g.to_numpy() for _, g in rows.groupby(name).resid]
        levene = stats.levene(*parts, center="median")
        assert summary.spread_f[name] == pytest.approx(levene.statistic)
        assert summary.spread_p[name] == pytest.approx(levene.pvalue)
        sds = [np.std(part, ddof=1) for part in parts]
        assert (summary.spread_low[name], summary.spread_high[name]) == pytest.approx((min(sds), max(sds)))
        assert (summary.spread_df1[name], summary.spread_df2[name]) == (len(parts) - 1, fit.nobs - len(parts))
    assert summary.loc["Residual", ["spread_f", "spread_p"]].isna().all()
    assert summary.loc[["person", "item"], ["share_low", "spread_fitted"]].isna().all(axis=None)


def test_groups_by_scipy(fit: LmerFit) -> None:
    groups = fit.diagnostics().groups
    rows = fit.augment()
    assert len(groups) == 18
    for row in groups.itertuples():
        part = rows[rows[row.group] == row.level]
        assert row.n == len(part)
        assert (row.mean, row.sd) == pytest.approx((part.resid.mean(), part.resid.std()))
        assert (row.skewness, row.excess_kurtosis) == pytest.approx(
            (stats.skew(part.resid), stats.kurtosis(part.resid))
        )


def test_qq_numbers(fit: LmerFit) -> None:
    qq = fit.diagnostics().qq
    ranef = fit.ranef().set_index(["group", "level"])
    for (group, part), sd in zip(qq.groupby("group", sort=False), fit.theta * fit.sigma, strict=True):
        assert part["sample"].is_monotonic_increasing
        theirs = stats.probplot(part["sample"], fit=False)
        # Another plotting position (Filliben's), nearly the same quantiles.
        np.testing.assert_allclose(part.theoretical, theirs[0], atol=0.06)
        for row in part.itertuples():
            mode = ranef.loc[(group, row.level)]
            assert row.sample == pytest.approx(mode.estimate / np.sqrt(sd**2 - mode.std_error**2))


def test_normal_quantiles_as_r() -> None:
    # qqnorm(1:4)$x and the ends of qqnorm(1:12)$x.
    np.testing.assert_allclose(
        normal_quantiles(4),
        [-1.0491313979639725, -0.29930691046566704, 0.29930691046566704, 1.0491313979639725],
        rtol=1e-12,
    )
    np.testing.assert_allclose(normal_quantiles(12)[[0, 11]], [-1.7316643961222451, 1.7316643961222451], rtol=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(3, 200), st.sampled_from([1e-6, 1.0, 1e6]), st.booleans())
def test_shape_does_not_depend_on_units(seed: int, n: int, scale: float, mirrored: bool) -> None:
    values = np.random.default_rng(seed).exponential(size=n)
    base, sign = shape(values), -1.0 if mirrored else 1.0
    moved = shape(sign * scale * values + 3 * scale)
    assert moved["sd"] == pytest.approx(scale * base["sd"])
    assert moved["skewness"] == pytest.approx(sign * base["skewness"], abs=1e-9)
    assert moved["excess_kurtosis"] == pytest.approx(base["excess_kurtosis"], abs=1e-9)
    if not mirrored:
        assert moved["qq_correlation"] == pytest.approx(base["qq_correlation"])
    assert 0 < base["qq_correlation"] <= 1


def test_departures_show() -> None:
    """Skewed people, one wild item, ratings heaped at both ends: each is seen where it is."""
    rng = np.random.default_rng(4)
    person, item = (a.ravel() for a in np.meshgrid(np.arange(80), np.arange(20), indexing="ij"))
    noise = rng.normal(size=person.size) * np.where(item == 7, 3.0, 1.0)
    y = 3 * rng.exponential(size=80)[person] + rng.normal(size=20)[item] + noise
    frame = pd.DataFrame({"person": person, "item": item, "y": y})
    found = ps.lmer("y ~ 1 + (1|person) + (1|item)", frame).diagnostics()
    summary = found.summary.set_index("group")
    assert summary.skewness["person"] > 1 and summary.qq_correlation["person"] < 0.95 < summary.qq_correlation["item"]
    assert summary.spread_p["item"] < 1e-10 < 0.01 < summary.spread_p["person"]
    items = found.groups[found.groups.group == "item"]
    assert items.loc[items.sd.idxmax(), "level"] == 7
    heaped = ps.lmer("y ~ 1 + (1|person) + (1|item)", frame.assign(y=frame.y.clip(1, 5))).diagnostics()
    residual = heaped.summary.iloc[0]
    assert residual.share_low == (y <= 1).mean() and residual.share_high == (y >= 5).mean()
    persons = heaped.groups[heaped.groups.group == "person"].set_index("level")
    np.testing.assert_allclose(persons.share_high, pd.Series(y >= 5).groupby(person).mean())


def test_too_few_rows_or_no_spread_are_nan() -> None:
    residuals = np.array([1.0, 2.0, 4.0, 8.0, 3.0, 3.0, 3.0])
    table = by_level(residuals, residuals, grouping("g", [0, 1, 1, 1, 2, 2, 2])).set_index("level")
    assert table.loc[[0, 2], ["sd", "skewness", "excess_kurtosis"]].isna().all(axis=None) and table["sd"].notna()[1]
    assert np.isnan(list(shape(np.full(5, 2.0)).values())).all()
    assert np.isnan(spread(np.ones(6), grouping("g", [0, 0, 0, 1, 1, 1]))["spread_p"])


def test_a_component_at_zero() -> None:
    rng = np.random.default_rng(0)
    g = np.repeat(np.arange(8), 5)
    y = rng.normal(size=40)
    y -= 0.9 * pd.Series(y).groupby(g).transform("mean").to_numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PluristatsWarning)
        found = ps.lmer("y ~ 1 + (1|g)", pd.DataFrame({"y": y, "g": g})).diagnostics()
    assert found.qq["sample"].isna().all()
    assert np.isnan(found.summary.skewness[1]) and found.summary.spread_f.notna()[1]
