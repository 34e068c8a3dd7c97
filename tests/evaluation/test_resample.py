from __future__ import annotations

import numpy as np
import pytest

from pluristats.evaluation.resample import Draws, draw, interval, resampled_means


def errors(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    e = rng.random((3, 5, 8))
    return np.where(rng.random(e.shape) < 0.4, np.nan, e)


def test_a_draw_of_everybody_once_is_the_plain_mean() -> None:
    e = errors()
    plain = np.mean([np.nanmean(np.nanmean(one, axis=1)) for one in e])
    assert resampled_means(e, Draws(np.ones((1, 5)), np.ones((1, 8))))[0] == pytest.approx(plain, abs=1e-12)


def test_a_draw_is_the_mean_of_the_duplicated_table() -> None:
    e = errors(1)
    people, prompts = np.array([2, 0, 1, 2, 0]), np.array([0, 3, 1, 0, 0, 2, 1, 1])
    built = np.repeat(np.repeat(e, people, axis=1), prompts, axis=2)
    plain = np.mean([np.nanmean(np.nanmean(one, axis=1)) for one in built])
    found = resampled_means(e, Draws(people[None].astype(float), prompts[None].astype(float)))
    assert found[0] == pytest.approx(plain, abs=1e-12)


def test_somebody_without_a_drawn_cell_is_not_in_the_mean() -> None:
    e = np.array([[[0.2, np.nan], [np.nan, 0.8]]])
    assert resampled_means(e, Draws(np.ones((1, 2)), np.array([[2.0, 0.0]])))[0] == pytest.approx(0.2)


def test_draws_are_of_the_seed_and_sum_to_the_sizes() -> None:
    a, b, other = draw(5, 8, 50, 1), draw(5, 8, 50, 1), draw(5, 8, 50, 2)
    np.testing.assert_array_equal(a.annotators, b.annotators)
    assert (a.prompts != other.prompts).any()
    assert (a.annotators.sum(axis=1) == 5).all() and (a.prompts.sum(axis=1) == 8).all()


def test_the_interval_covers_a_mean_over_people_and_prompts() -> None:
    # Errors with an effect of each person and each prompt, mean 0.5.
    inside = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        e = 0.5 + rng.normal(0, 0.1, 30)[:, None] + rng.normal(0, 0.1, 25)[None] + rng.normal(0, 0.1, (30, 25))
        low, high = interval(resampled_means(e[None], draw(30, 25, 400, seed)))
        inside += low <= 0.5 <= high
    assert 52 <= inside <= 60


def test_an_interval_of_nothing_is_nothing() -> None:
    assert np.isnan(interval(np.array([np.nan, np.nan]))).all()
    assert interval(np.arange(101.0), 0.9) == pytest.approx((5.0, 95.0))
