from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pluristats.errors import LatentError
from pluristats.latent.ratings import Planted, RatingOrder, effects, order_effects
from pluristats.latent.ratings.effects import LAGS, centred, statistics, trends
from pluristats.latent.record import Array


def an_order(residual: Array, effect: Array | None = None) -> RatingOrder:
    n, t = residual.shape
    effect = np.zeros((n, t)) if effect is None else effect
    place = np.where(np.isnan(effect), -1, np.arange(t))
    rating = np.where(np.isnan(residual), np.nan, 0.5)
    return RatingOrder(tuple(range(n)), tuple(range(t)), place, place * 1.0, rating, effect, residual, 0.2, "", True)


def noise(seed: int, n: int = 6, t: int = 40) -> tuple[Array, Array]:
    """Residuals, some missing, and effects of agents of unequal length."""
    rng = np.random.default_rng(seed)
    residual, effect = rng.normal(size=(n, t)), rng.normal(size=(n, t))
    residual[rng.random((n, t)) < 0.1] = np.nan
    residual[0, 25:] = effect[0, 25:] = np.nan
    return residual, effect


def test_statistics_are_those_of_loops_and_regressions() -> None:
    residual, effect = noise(1)
    e = centred(residual)
    shown = ~np.isnan(effect)
    found = statistics(e, effect, shown)
    variance = np.nanmean(e**2)
    for k, lag in enumerate(LAGS):
        pairs = [row[t] * row[t + lag] for row in e for t in range(e.shape[1] - lag)]
        assert found[k] == pytest.approx(np.nanmean(pairs) / variance)
    rows = [
        (e[i, t], effect[i, t - 1], e[i, t - 1])
        for i in range(len(e))
        for t in range(1, e.shape[1])
        if np.isfinite([e[i, t], e[i, t - 1]]).all()
    ]
    y, x, before = np.array(rows).T
    sd = np.sqrt(variance)
    expected = np.linalg.lstsq(np.column_stack([x, before / sd]), y / sd, rcond=None)[0]
    np.testing.assert_allclose(found[5:7], expected)
    slopes = []
    for row, here in zip(e, shown, strict=True):
        t = np.flatnonzero(~np.isnan(row))
        slopes.append(np.polyfit(t / (here.sum() - 1), row[t], 1)[0])
    np.testing.assert_allclose(trends(e, shown), slopes)
    assert found[7] == pytest.approx(np.mean(slopes)) and found[8] == pytest.approx(np.std(slopes, ddof=1))


def test_many_orders_at_once_are_each_alone() -> None:
    several = [noise(seed) for seed in range(3)]
    residual, effect = np.stack([r for r, _ in several]), np.stack([x for _, x in several])
    together = statistics(residual, effect, ~np.isnan(effect))
    alone = [statistics(r, x, ~np.isnan(x)) for r, x in several]
    np.testing.assert_allclose(together, alone)


def test_permuted_trials_keep_their_residual_and_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    residual, effect = noise(2)
    shown = ~np.isnan(effect)
    ((r, x, s),) = effects._permuted(residual, effect, shown, 5, np.random.default_rng(0))
    assert r.shape == (5, *residual.shape) and not np.array_equal(r[0], r[1], equal_nan=True)
    for b in range(5):
        for i in range(len(residual)):
            before = sorted(zip(effect[i, shown[i]], residual[i, shown[i]], strict=True), key=lambda p: p[0])
            after = sorted(zip(x[b, i, s[b, i]], r[b, i, s[b, i]], strict=True), key=lambda p: p[0])
            np.testing.assert_array_equal(before, after)
    whole = order_effects(an_order(residual, effect), 60, seed=3)
    monkeypatch.setattr(effects, "_BLOCK", 7)
    np.testing.assert_array_equal(whole.null, order_effects(an_order(residual, effect), 60, seed=3).null)
    assert not np.array_equal(whole.null, order_effects(an_order(residual, effect), 60, seed=4).null)


def test_p_counts_permuted_orders_that_are_as_far_from_the_middle() -> None:
    found = order_effects(an_order(*noise(3)), 99, seed=1)
    table = found.tidy()
    for k, row in enumerate(table.itertuples()):
        everything = [found.estimates[k], *found.null[:, k]]
        far = [abs(s - np.mean(everything)) for s in everything]
        assert row.p_value == pytest.approx(sum(d >= far[0] - 1e-12 for d in far) / 100)
        assert row.z == pytest.approx((row.estimate - found.null[:, k].mean()) / found.null[:, k].std(ddof=1))
    assert table["n"].tolist()[-2:] == [6, 6] and table["simulated"].all()


def test_p_values_are_uniform_when_order_does_not_matter() -> None:
    p = np.array([order_effects(an_order(*noise(seed, 5, 45)), 99, seed).tidy()["p_value"] for seed in range(200)])
    for k in range(p.shape[1]):
        # Of 200 uniform values the Kolmogorov distance is below 0.138 with probability 0.999; p has steps of 0.01.
        assert stats.kstest(p[:, k], "uniform").statistic < 0.15
    assert 0.03 < (p <= 0.05).mean() < 0.07


def test_planted_changes_are_found(drifting: Planted) -> None:
    table = order_effects(drifting.study, 199).tidy().set_index("statistic")
    for name in ("autocorrelation 1", "autocorrelation 5", "carry-over", "spread of trends"):
        assert table.loc[name, "p_value"] == 1 / 200
    residual, effect = noise(4, 30, 80)
    pulled = residual + 0.3 * np.hstack([np.zeros((30, 1)), np.nan_to_num(effect[:, :-1])])
    found = order_effects(an_order(pulled, effect), 199).tidy().set_index("statistic")
    assert found.loc["assimilation", "estimate"] == pytest.approx(0.3, abs=0.06)
    assert found.loc["assimilation", "p_value"] == 1 / 200
    rising = residual + np.linspace(0, 1, 80)
    assert order_effects(an_order(rising, effect), 199).tidy().set_index("statistic").loc["trend", "p_value"] == 1 / 200


def test_bad_settings_and_short_orders() -> None:
    order = an_order(*noise(5))
    with pytest.raises(LatentError, match="permutations is a number"):
        order_effects(order, 1)
    with pytest.raises(LatentError, match="A lag is a number of trials"):
        order_effects(order, 9, lags=(0,))
    with np.errstate(all="raise"):
        short = order_effects(an_order(np.array([[0.1, -0.2, 0.3]])), 9, lags=(1, 5)).tidy().set_index("statistic")
    assert short.loc["autocorrelation 5", ["estimate", "p_value"]].isna().all() and short["n"].tolist()[:2] == [2, 0]
    assert np.isnan(short.loc["spread of trends", "estimate"])
