from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pluristats.errors import LatentError
from pluristats.latent.priors import LogNormal
from pluristats.latent.ratings import RATING_MODELS, STATIC
from pluristats.latent.record import Model

DRIFT, SEQUENTIAL, LAPSE = RATING_MODELS


@pytest.mark.parametrize("model", (STATIC, *RATING_MODELS), ids=lambda m: m.name)
def test_the_contract_holds(model: Model) -> None:
    made = model.simulate(n_agents=30, n_trials=20, seed=4)
    again = model.simulate(n_agents=30, n_trials=20, seed=4)
    np.testing.assert_array_equal(made.trials["rating"], again.trials["rating"])
    np.testing.assert_array_equal(made.sequences.inputs, again.sequences.inputs)
    rating = made.trials["rating"]
    np.testing.assert_allclose(np.round(rating * 100), rating * 100, atol=1e-9)
    assert rating.min() == 0 and rating.max() == 1 and made.sequences.mask.all()
    np.testing.assert_allclose(made.sequences.inputs[..., 0], rating, atol=1e-7)
    np.testing.assert_array_equal(made.sequences.inputs[..., 1], rating == 0)
    assert made.continuous.shape[2] == len(model.continuous_names)
    assert made.discrete.shape[2] == len(model.discrete)
    table = made.table()
    assert len(table) == 600 and table["simulated"].all() and {*model.continuous_names, *model.discrete} <= {*table}


def test_shares_at_the_ends_are_the_normals() -> None:
    theta = np.tile([0.6, 0.3, 0.25], (200, 1))
    rating = STATIC.simulate(theta, n_trials=200, seed=1).trials["rating"]
    spread = np.hypot(0.3, 0.25)
    for share, expected in (
        ((rating == 0).mean(), stats.norm.cdf(0.005, 0.6, spread)),
        ((rating == 1).mean(), stats.norm.sf(0.995, 0.6, spread)),
        ((rating < 0.5).mean(), stats.norm.cdf(0.495, 0.6, spread)),
    ):
        assert share == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / 40_000))


def test_the_criterion_walks_from_zero_and_moves_ratings() -> None:
    made = DRIFT.simulate(np.tile([0.5, 0.1, 0.05, 0.02], (500, 1)), n_trials=30, seed=2)
    shift = made.continuous[:, :, 0]
    assert (shift[:, 0] == 0).all()
    steps = np.diff(shift, axis=1)
    assert steps.std() == pytest.approx(0.02, rel=0.03) and abs(steps.mean()) < 4 * 0.02 / np.sqrt(steps.size)
    assert shift[:, -1].std() == pytest.approx(0.02 * np.sqrt(29), rel=0.12)
    left = made.trials["rating"] - 0.5 - 0.1 * made.trials["effect"] - shift
    assert np.median(np.abs(left)) < 0.06


def test_the_previous_prompt_pulls() -> None:
    made = SEQUENTIAL.simulate(np.tile([0.5, 0.0, 0.01, 0.04], (50, 1)), n_trials=30, seed=2)
    effect, rating = made.trials["effect"], made.trials["rating"]
    np.testing.assert_allclose(made.continuous[:, 1:, 0], 0.04 * effect[:, :-1])
    assert (made.continuous[:, 0] == 0).all()
    slope = np.polyfit(effect[:, :-1].ravel(), rating[:, 1:].ravel(), 1)[0]
    assert slope == pytest.approx(0.04, abs=0.002)


def test_lapsing_is_a_chain_with_uniform_ratings() -> None:
    made = LAPSE.simulate(np.tile([0.5, 0.3, 0.01, 0.1, 0.3], (400, 1)), n_trials=100, seed=3)
    state, rating = made.discrete[:, :, 0], made.trials["rating"]
    before, after = state[:, :-1].ravel(), state[:, 1:].ravel()
    assert (after[before == 1] == 0).mean() == pytest.approx(0.1, abs=0.01)
    assert (after[before == 0] == 1).mean() == pytest.approx(0.3, abs=0.02)
    assert (state[:, 0] == 0).mean() == pytest.approx(0.1, abs=0.06)
    counts = np.bincount(np.round(rating[state == 0] * 100).astype(int), minlength=101)
    assert stats.chisquare(counts).pvalue > 1e-4
    expected = np.clip(0.5 + 0.3 * made.trials["effect"], 0, 1)
    assert np.abs(rating - expected)[state == 1].max() < 0.06


def test_tasks_may_be_given_with_missing_ratings_and_unequal_lengths() -> None:
    effects = np.array([[0.0, 1.0, -1.0], [0.5, 0.2, np.nan]])
    rated = np.array([[True, False, True], [True, True, True]])
    for model in (STATIC, *RATING_MODELS):
        made = model.simulate(n_agents=2, n_trials=3, seed=1, effects=effects, rated=rated)
        np.testing.assert_array_equal(made.sequences.mask, rated & np.isfinite(effects))
        np.testing.assert_array_equal(made.trials["effect"], effects)
        np.testing.assert_array_equal(np.isnan(made.continuous[..., :1]), np.isnan(effects)[..., None]) if (
            model.continuous_names
        ) else None
    assert LAPSE.simulate(n_agents=2, n_trials=3, effects=effects).discrete[1, 2, 0] == -1
    with pytest.raises(LatentError, match=r"effects needs the shape \(agents, trials\) = \(2, 4\)"):
        DRIFT.simulate(n_agents=2, n_trials=4, effects=effects)
    with pytest.raises(LatentError, match="noise multiplies"):
        DRIFT.simulate(n_agents=2, n_trials=4, noise=-1)


def test_noise_multiplies_sigma_only() -> None:
    theta = np.tile([0.5, 0.0, 0.04, 0.01], (100, 1))
    one, two = (DRIFT.simulate(theta, n_trials=50, seed=6, noise=k) for k in (1.0, 2.0))
    np.testing.assert_array_equal(one.continuous, two.continuous)
    residual = [m.trials["rating"] - 0.5 - m.continuous[:, :, 0] for m in (one, two)]
    assert residual[1].std() / residual[0].std() == pytest.approx(2, rel=0.03)


def test_the_log_normal_prior_is_scipys() -> None:
    prior, x = LogNormal(0.3, 0.5), np.array([0.01, 0.3, 2.0])
    np.testing.assert_allclose(prior.log_density(x), stats.lognorm.logpdf(x, 0.5, scale=0.3))
    assert prior.log_density(np.array([-1.0]))[0] == -np.inf
    assert stats.kstest(prior.draw(np.random.default_rng(0), 2000), stats.lognorm(0.5, scale=0.3).cdf).pvalue > 1e-3
    with pytest.raises(LatentError, match="median > 0"):
        LogNormal(0.0, 1.0)
