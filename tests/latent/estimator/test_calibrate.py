from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from pluristats.errors import LatentError
from pluristats.latent.estimator.calibrate import LEVELS, calibrate, half_width

RNG = np.random.default_rng(4)
NO_STATES = np.empty((40_000, 0), np.int64)


def test_normal_errors_have_normal_intervals_and_their_scale_is_found() -> None:
    sd = RNG.uniform(0.5, 2, (40_000, 2))
    y = 1 + RNG.normal(size=sd.shape) * sd * [0.5, 3]
    found = calibrate(np.ones_like(y), sd, y, (), NO_STATES)
    np.testing.assert_allclose(found.scale, [0.5, 3], rtol=0.02)
    np.testing.assert_allclose(half_width(found.half_widths, 0.9), norm.ppf(0.95), rtol=0.03)
    np.testing.assert_allclose(found.half_widths[0], norm.ppf((1 + LEVELS) / 2), atol=0.05)


def test_intervals_cover_what_they_say_whatever_the_errors() -> None:
    y = RNG.standard_t(3, size=(40_000, 1)) ** 3
    found = calibrate(np.zeros_like(y), np.ones_like(y), y, (), NO_STATES)
    for level in (0.01, 0.5, 0.9, 0.95, 0.99):
        width = half_width(found.half_widths, level)[0] * found.scale[0]
        assert np.mean(np.abs(y) <= width) == pytest.approx(level, abs=1e-4)


def test_a_temperature_undoes_the_one_that_was_put_on() -> None:
    logits = RNG.normal(0, 2, (40_000, 3))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    states = (RNG.random((40_000, 1)) > p.cumsum(axis=1)).sum(axis=1)[:, None]
    nothing = np.empty((40_000, 0))
    found = calibrate(nothing, nothing, nothing, (logits, 2.5 * logits), np.hstack([states, states]))
    np.testing.assert_allclose(found.temperature, [1, 2.5], rtol=0.03)
    assert found.scale.shape == (0,) and found.half_widths.shape == (0, len(LEVELS))


def test_exact_estimates_have_no_width() -> None:
    y = np.ones((5, 1))
    found = calibrate(y, y, y, (), NO_STATES[:5])
    assert found.scale == 1 and (found.half_widths == 0).all()


@pytest.mark.parametrize("level", [0.0, 0.995, 1.0, -1.0, float("nan")])
def test_levels_that_nothing_was_held_for_are_refused(level: float) -> None:
    with pytest.raises(LatentError, match="give one from 0"):
        half_width(np.zeros((1, len(LEVELS))), level)
