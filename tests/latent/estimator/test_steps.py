from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pluristats.latent.estimator import Estimator, Settings
from pluristats.latent.estimator.steps import batches, hidden, length, longest_share
from pluristats.latent.record import Simulated


def test_lengths_are_log_uniform_between_their_ends() -> None:
    rng = np.random.default_rng(0)
    drawn = np.array([length(1000, 0.1, 0.5, rng) for _ in range(4000)])
    assert drawn.min() >= 100 and drawn.max() <= 500
    assert np.median(drawn) == pytest.approx(1000 * np.sqrt(0.1 * 0.5), rel=0.05)
    assert {length(7, 1.0, 1.0, rng) for _ in range(20)} == {7} and length(1, 0.01, 0.02, rng) == 1


def test_the_longest_grows_to_all_trials() -> None:
    shares = [longest_share(Settings(epochs=10, shortest=0.2), epoch) for epoch in range(10)]
    assert shares[2] == pytest.approx(0.6) and shares == sorted(shares) and shares[5:] == [1.0] * 5
    assert {longest_share(Settings(epochs=10, shortest=1.0), epoch) for epoch in range(10)} == {1.0}
    assert longest_share(Settings(epochs=1, shortest=0.2), 0) == 1.0


def test_half_of_the_agents_have_missing_trials() -> None:
    gone = hidden(np.ones((4000, 200), bool), 0.4, np.random.default_rng(1)).mean(axis=1)
    assert np.mean(gone == 0) == pytest.approx(0.5, abs=0.03) and gone[gone > 0].mean() == pytest.approx(0.2, abs=0.01)
    assert not hidden(np.ones((50, 20), bool), 0.0, np.random.default_rng(1)).any()


def test_an_epoch_has_every_agent_once_with_its_own_targets(quick: Estimator, agents: Simulated) -> None:
    settings = replace(quick.settings, batch=25, shortest=0.5, missing=0.5)
    found = list(batches(replace(quick, settings=settings), agents, 1.0, np.random.default_rng(2), "cpu"))
    assert [len(inputs) for inputs, *_ in found] == [25, 25, 10]
    seen = []
    for inputs, continuous, states, observed in found:
        n = inputs.shape[1]
        assert 12 <= n <= 24 and not observed.all()
        for row in range(len(inputs)):
            raw = inputs[row].numpy() * quick.scaling.input_sd + quick.scaling.input_mean
            agent = int(np.abs(agents.sequences.inputs[:, :n] - raw).sum(axis=(1, 2)).argmin())
            np.testing.assert_allclose(raw, agents.sequences.inputs[agent, :n], atol=1e-5)
            target = continuous[row].numpy() * quick.scaling.target_sd + quick.scaling.target_mean
            np.testing.assert_allclose(target, agents.continuous[agent, :n], atol=1e-5)
            np.testing.assert_array_equal(states[row].numpy(), agents.discrete[agent, :n])
            seen.append(agent)
    assert sorted(seen) == list(range(60))
