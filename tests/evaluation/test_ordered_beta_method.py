"""``ordered-beta``: calibrated on ratings of that kind, nothing hidden seen, and people who rate in odd ways."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import pluristats as ps
from pluristats.evaluation import metrics
from pluristats.evaluation.data import Table
from pluristats.evaluation.forecast import LEVELS
from pluristats.evaluation.methods import HierarchicalRidge, OrderedBeta, resolve, statistical
from pluristats.evaluation.methods.orderedbeta import _quantiles
from pluristats.evaluation.protocol import draw_splits
from pluristats.models.ordered_beta.density import Shape
from pluristats.models.ordered_beta.people import People, fit_people
from pluristats.models.ordered_beta.predicted import quantile
from pluristats.study import Study
from pluristats.study.record import FrozenMap

SETTINGS = ("new-prompts", "known-prompts")
QUICK = OrderedBeta(HierarchicalRidge())


def drawn(rng: np.random.Generator, eta: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """Ratings on 0-1 from ordered beta distributions: c₀, log g, log φ in the rows of ``shape``."""
    low, gap, phi = shape[0], np.exp(shape[1]), np.exp(shape[2])
    u, mu = rng.random(eta.shape), special.expit(eta)
    inside = np.clip(rng.beta(mu * phi, (1 - mu) * phi), 1e-4, 1 - 1e-4)
    return np.where(u < special.expit(low - eta), 0.0, np.where(u > special.expit(low + gap - eta), 1.0, inside))


@pytest.fixture(scope="module")
def rated() -> Study:
    """40 people rate 90 prompts from the model: what features do differs, and so do cutpoints and precision."""
    whole = ps.simulate_study(n_annotators=40, n_prompts=90, seed=8)
    made = replace(whole, features=FrozenMap({"actions": whole.features["actions"][:8]}))
    rng = np.random.default_rng(8)
    prompts = made.prompts
    x = stats.zscore(prompts[list(made.features["actions"][:3])].to_numpy(float), axis=0)
    level = x @ [0.9, -0.6, 0.5] + 0.4 * rng.normal(size=90) + 0.8 * stats.zscore(prompts["harm_level"].to_numpy(float))
    eta = rng.normal(0, 0.6, 40)[:, None] + level + 0.3 * rng.normal(size=(40, 3)) @ x.T
    shape = np.array([-1.5, 1.0, 1.2])[:, None] + np.array([0.8, 0.3, 0.5])[:, None] * rng.normal(size=(3, 40))
    y = pd.DataFrame(
        100 * drawn(rng, eta, shape[:, :, None]), index=made.annotators["annotator"], columns=prompts["prompt"]
    )
    ratings = made.ratings
    there = ratings["rating"].notna()  # missing ones stay missing
    cells = [y.loc[i, j] for i, j in zip(ratings["annotator"], ratings["prompt"], strict=True)]
    return replace(made, ratings_=ratings.assign(rating=np.where(there, cells, np.nan)))


# ---- the people ----


def test_people_are_found() -> None:
    """Means and spreads of 150 people with 80 ratings each; everybody's own numbers within their errors."""
    rng = np.random.default_rng(2)
    mean, sd = np.array([0.2, 0.9, -1.5, 1.0, 1.3]), np.array([0.4, 0.2, 0.7, 0.3, 0.4])
    truth = mean + sd * rng.normal(size=(150, 5))
    who = np.repeat(np.arange(150), 80)
    x = np.column_stack([np.ones(len(who)), rng.normal(size=len(who))])
    y = drawn(rng, (truth[who, :2] * x).sum(axis=1), truth[who, 2:].T)
    found = fit_people(y, x, who, 150)
    np.testing.assert_allclose(found.mean, mean, atol=4 * (sd / np.sqrt(150)).max())
    np.testing.assert_allclose(found.sd, sd, rtol=0.35)
    z = (found.values - truth) / np.sqrt(np.einsum("ipp->ip", found.covariance))
    assert np.sqrt((z**2).mean(axis=0)) == pytest.approx(np.ones(5), abs=0.2)


def test_a_person_is_the_maximum_of_their_posterior() -> None:
    """By scipy, at the mean and spread that were found (and of the round before the last, which differs little)."""
    from scipy.optimize import minimize

    from pluristats.models.ordered_beta.density import Ratings, log_density

    rng = np.random.default_rng(4)
    who = np.repeat(np.arange(20), 60)
    x = np.column_stack([np.ones(len(who)), rng.normal(size=len(who))])
    own = np.array([0.1, 0.8, -1.4, 1.0, 1.1]) + 0.4 * rng.normal(size=(20, 5))
    y = drawn(rng, (own[who, :2] * x).sum(axis=1), own[who, 2:].T)
    found = fit_people(y, x, who, 20)
    rows = who == 7

    def minus(v: np.ndarray) -> float:
        inside = log_density(Ratings.of(y[rows]), x[rows] @ v[:2], Shape.of(v[2:])).sum()
        return float(0.5 * (((v - found.mean) / found.sd) ** 2).sum() - inside)

    best = minimize(minus, found.mean, method="BFGS", options={"gtol": 1e-5})
    np.testing.assert_allclose(found.values[7], best.x, atol=0.03)


def test_quantiles_by_table_are_the_exact_ones() -> None:
    rng = np.random.default_rng(3)
    values = np.array([0.0, 0.8, -1.5, 1.2, 1.0]) + rng.normal(size=(12, 5)) * [0.4, 0.2, 1.2, 0.5, 0.5]
    x = rng.normal(0, 1.5, (12, 7))
    each = values[:, :, None, None]
    exact = quantile(LEVELS, each[:, 0] + each[:, 1] * x[:, :, None], Shape.of(each[:, 2:].transpose(1, 0, 2, 3)))
    found = _quantiles(People(values, np.zeros((12, 5, 5)), values[0], values[0]), x)
    np.testing.assert_allclose(found, exact, atol=3e-3)
    assert (np.diff(found, axis=2) >= 0).all()
    np.testing.assert_array_equal(found == 0, exact == 0)
    np.testing.assert_array_equal(found == 1, exact == 1)


# ---- the method ----


@pytest.mark.slow
@pytest.mark.parametrize("setting", SETTINGS)
def test_it_is_calibrated_and_better_than_means(rated: Study, setting: str) -> None:
    found = ps.evaluate(rated, ["ordered-beta", "mixed-blup"], settings=[setting], splits=3, draws=200)
    tidy = found.tidy().set_index("method")
    assert tidy.loc["ordered-beta", "mae"] < tidy.loc["mixed-blup", "mae"] - 0.005
    # A number's CRPS is its absolute error.
    assert tidy.loc["ordered-beta", "crps"] < 0.8 * tidy.loc["mixed-blup", "mae"]
    (judged,) = (each for each in found.judged if each.method == "ordered-beta")
    levels = np.array([0.1, 0.25, 0.5, 0.75, 0.9])
    np.testing.assert_allclose(metrics.pit_below(judged.under, judged.upto, levels), levels, atol=0.04)


@pytest.mark.parametrize("setting", ("new-prompts", "new-seeds", "known-prompts"))
def test_hidden_ratings_change_no_prediction(rated: Study, setting: str) -> None:
    table = Table.of(rated)
    (split,) = draw_splits(rated, setting, 1, seed=2)
    hidden = table.hidden(split)
    at = np.flatnonzero(hidden.any(axis=0))

    def predicted(ratings: np.ndarray) -> np.ndarray:
        seen = replace(table, ratings=ratings)
        return QUICK.fit(seen.alignment(split, 5)).predict(table.prompts.take(at)).quantiles

    rng = np.random.default_rng(1)
    before = predicted(table.ratings)
    np.testing.assert_array_equal(predicted(np.where(hidden, rng.random(hidden.shape), table.ratings)), before)
    assert not np.allclose(predicted(np.where(hidden, table.ratings, 1 - table.ratings)), before)


@pytest.mark.parametrize("base", [OrderedBeta(), QUICK], ids=["default", "ridge"])
@pytest.mark.filterwarnings("error")
def test_odd_annotators_and_columns(study: Study, base: OrderedBeta) -> None:
    """Always 0, always 100, always 40, only the ends, two ratings, none; a feature that does not vary."""
    table = Table.of(study)
    ratings = table.ratings.copy()
    ratings[0], ratings[1], ratings[2] = 0.0, 1.0, 0.4
    ratings[3] = np.where(np.arange(24) % 2, 0.0, 1.0)
    ratings[4, 2:], ratings[5] = np.nan, np.nan
    features = dict(table.prompts.features)
    features["actions"] = np.where(np.arange(features["actions"].shape[1]) == 0, 0.5, features["actions"])
    prompts = replace(table.prompts, features=features)
    odd = replace(table, ratings=ratings, prompts=prompts)
    for setting in SETTINGS:
        split = next(iter(draw_splits(study, setting, 1, seed=3, n_test=8)))
        at = np.flatnonzero(odd.hidden(split).any(axis=0))
        found = base.fit(odd.alignment(split, 1)).predict(prompts.take(at))
        q = found.quantiles
        assert np.isfinite(q).all() and (q >= 0).all() and (q <= 1).all() and (np.diff(q, axis=2) >= -1e-12).all()
        np.testing.assert_array_equal(found.point, q[..., len(LEVELS) // 2])
        assert (found.point[0] == 0).all() and (found.point[1] == 1).all()
        np.testing.assert_allclose(found.point[2], 0.4, atol=0.2)
        # Who uses the ends only is predicted to: more mass there than for anybody with ratings between.
        ends = ((q == 0) | (q == 1)).mean(axis=(1, 2))
        assert ends[3] > 0.5 and ends[3] > ends[6:].max()


def test_nobody_uses_an_end(study: Study) -> None:
    """Then nearly no mass is predicted there."""
    table = Table.of(study)
    inner = replace(table, ratings=np.clip(table.ratings, 0.05, 0.95))
    (split,) = draw_splits(study, "new-prompts", 1, seed=3, n_test=8)
    at = np.flatnonzero(inner.hidden(split).any(axis=0))
    q = QUICK.fit(inner.alignment(split, 1)).predict(inner.prompts.take(at)).quantiles
    assert ((q == 0) | (q == 1)).mean() < 0.05


def test_the_seed_draws_the_parts(study: Study) -> None:
    table = Table.of(study)
    (split,) = draw_splits(study, "new-prompts", 1, seed=3, n_test=8)
    at = np.flatnonzero(table.hidden(split).any(axis=0))

    def predicted(seed: int) -> np.ndarray:
        return QUICK.fit(table.alignment(split, seed)).predict(table.prompts.take(at)).point

    np.testing.assert_array_equal(predicted(5), predicted(5))
    assert not np.array_equal(predicted(5), predicted(6))


def test_it_is_in_the_table() -> None:
    (method,) = resolve("ordered-beta")
    assert method == OrderedBeta() and method.settings == ("new-prompts", "new-seeds", "known-prompts")
    assert [m.name for m in statistical()].count("ordered-beta") == 1
    assert method.unavailable() is None
