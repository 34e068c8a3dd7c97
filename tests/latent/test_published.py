from __future__ import annotations

import numpy as np
import pytest

from pluristats.errors import LatentError
from pluristats.latent import metrics
from pluristats.latent.baselines import filter_hrl_published, filter_particles
from pluristats.latent.simulators import MODELS, hrl

MODEL = MODELS["hrl"]


def one_trial(side: int, arrows: list[int]) -> dict[str, np.ndarray]:
    trials = {"action": np.array([[side]]), "reward": np.array([[1]])}
    return trials | {name: np.array([[arrow]]) for name, arrow in zip(hrl.ARROWS, arrows, strict=True)}


@pytest.mark.parametrize(
    ("side", "arrows", "expected"),
    [(1, [0, 1, 0], [0, 1, 0]), (0, [0, 1, 0], [0.5, 0, 0.5]), (1, [0, 1, 1], [0, 0.5, 0.5])],
)
def test_the_first_trial_is_still_bayes_theorem(side: int, arrows: list[int], expected: list[float]) -> None:
    found = filter_hrl_published(np.array([[0.5, 3.0]]), one_trial(side, arrows), n_particles=20_000)
    np.testing.assert_allclose(found.probabilities[0][0, 0], expected, atol=0.01)
    assert found.continuous[0, 0, 0] == pytest.approx(1 / 3)


def test_later_its_cues_are_worse_than_the_posteriors() -> None:
    made = MODEL.simulate(n_agents=30, n_trials=200, seed=0)
    ours = filter_particles(MODEL, made.parameters, made.trials, n_particles=300)
    theirs = filter_hrl_published(made.parameters, made.trials, n_particles=300)
    accuracy = [metrics.balanced_accuracy(made.discrete[..., 0], x.states[..., 0]) for x in (ours, theirs)]
    errors = [metrics.mean_rmse(made.continuous[..., 0], x.continuous[..., 0]) for x in (ours, theirs)]
    assert accuracy[0] > accuracy[1]
    assert errors[0] < 0.9 * errors[1]


def test_a_missing_trial_teaches_nothing() -> None:
    made = MODEL.simulate(n_agents=2, n_trials=8, seed=1)
    trials = {k: np.pad(v, ((0, 0), (0, 3)), constant_values=-1) for k, v in made.trials.items()}
    plain, padded = (filter_hrl_published(made.parameters, t, n_particles=50) for t in (made.trials, trials))
    np.testing.assert_array_equal(plain.continuous, padded.continuous[:, :8])
    assert np.isnan(padded.continuous[:, 8:]).all()
    assert (padded.states[:, 8:] == -1).all()


def test_arrows_that_say_nothing_are_refused() -> None:
    with pytest.raises(LatentError, match="All arrows of trial 0 of agent 0 point to one side"):
        filter_hrl_published(np.array([[0.5, 3.0]]), one_trial(1, [1, 1, 1]))
