from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from pluristats.errors import LatentError
from pluristats.latent.baselines import forward_backward
from tests.latent import scalar

RNG = np.random.default_rng(0)
INITIAL = RNG.dirichlet(np.ones(3), 2)
MATRIX = RNG.dirichlet(np.ones(3), (2, 3))
EMISSION = RNG.random((2, 6, 3))
EMISSION[0, 3] = 1.0


def test_forward_backward_is_the_sum_over_paths() -> None:
    found = forward_backward(INITIAL, MATRIX, np.log(EMISSION))
    for n in range(2):
        weights, smoothed, pairs = [], np.zeros((6, 3)), np.zeros((3, 3))
        filtered = np.zeros((6, 3))
        for path in scalar.paths(3, 6):
            steps = [MATRIX[n, a, b] for a, b in pairwise(path)]
            p = INITIAL[n, path[0]] * np.prod(steps) * np.prod([EMISSION[n, t, z] for t, z in enumerate(path)])
            weights.append(p)
            for t, z in enumerate(path):
                smoothed[t, z] += p
            for a, b in pairwise(path):
                pairs[a, b] += p
        for t in range(6):
            for path in scalar.paths(3, t + 1):
                steps = [MATRIX[n, a, b] for a, b in pairwise(path)]
                seen = np.prod([EMISSION[n, s, z] for s, z in enumerate(path)])
                filtered[t, path[-1]] += INITIAL[n, path[0]] * np.prod(steps) * seen
        assert found.log_likelihood[n] == pytest.approx(np.log(sum(weights)))
        np.testing.assert_allclose(found.smoothed[n], smoothed / sum(weights))
        np.testing.assert_allclose(found.pairs[n], pairs / sum(weights))
        np.testing.assert_allclose(found.filtered[n], filtered / filtered.sum(axis=1, keepdims=True))


def test_one_trial_is_bayes_theorem() -> None:
    found = forward_backward(np.array([0.2, 0.8]), np.eye(2), np.log([[[0.5, 0.25]]]))
    np.testing.assert_allclose(found.smoothed[0, 0], [1 / 3, 2 / 3])
    np.testing.assert_allclose(found.pairs, np.zeros((1, 2, 2)))


def test_tiny_emissions_do_not_underflow() -> None:
    log_emission = np.full((1, 2000, 2), -500.0)
    found = forward_backward(np.array([0.5, 0.5]), np.full((2, 2), 0.5), log_emission)
    assert found.log_likelihood[0] == pytest.approx(-1e6)
    np.testing.assert_allclose(found.smoothed, 0.5)


def test_an_impossible_trial_is_named() -> None:
    with pytest.raises(LatentError, match="Trial 1 of agent 0 is impossible"), np.errstate(divide="ignore"):
        forward_backward(np.array([1.0, 0.0]), np.eye(2), np.log([[[1.0, 1.0], [0.0, 1.0]]]))
