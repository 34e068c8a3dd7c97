from __future__ import annotations

import math

import numpy as np
import pytest

from pluristats.errors import LatentError
from pluristats.latent.baselines import infer, log_likelihood
from pluristats.latent.simulators import MODELS
from tests.latent import scalar

RL4, META = MODELS["rl4"], MODELS["meta-rl"]


def with_gaps(name: str, n_agents: int, n_trials: int, seed: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """A simulation of which some trials are missing: an action, a reward, an agent's end."""
    made = MODELS[name].simulate(n_agents=n_agents, n_trials=n_trials, seed=seed)
    action, reward = made.trials["action"].copy(), made.trials["reward"].copy()
    action[0, 2] = -1
    reward[1, 0] = -1
    action[2, -2:] = reward[2, -2:] = -1
    return made.parameters, {"action": action, "reward": reward}


def test_rl4_is_the_product_of_the_scalar_probabilities() -> None:
    parameters, trials = with_gaps("rl4", 10, 40, 0)
    replays = [scalar.rl4(*row) for row in zip(parameters, trials["action"], trials["reward"], strict=True)]
    expected = [np.nansum(np.log(probability)) for probability, _ in replays]
    np.testing.assert_allclose(log_likelihood(RL4, parameters, trials), expected)
    found = infer(RL4, parameters, trials)
    np.testing.assert_allclose(found.continuous[..., 0], [chosen for _, chosen in replays], atol=1e-12)
    np.testing.assert_array_equal(np.isnan(found.continuous_sd[..., 0]), ~found.mask)
    assert not found.probabilities


def enumerated(theta: np.ndarray, action: np.ndarray, reward: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Log likelihood, P(z_t | all), P(z_t | up to t) by a sum over all 2^T paths of states."""
    lapse, recover = theta[-2:]
    moves = {(1, 0): lapse, (1, 1): 1 - lapse, (0, 1): recover, (0, 0): 1 - recover}
    probability, _ = scalar.meta_rl(theta, action, reward)

    def joint(path: tuple[int, ...]) -> float:
        p = lapse if path[0] == 0 else 1 - lapse
        for t, z in enumerate(path):
            p *= moves[path[t - 1], z] if t else 1.0
            if not math.isnan(probability[t]):
                p *= probability[t] if z == 1 else 0.5
        return p

    n = len(action)
    smoothed, filtered = np.zeros((n, 2)), np.zeros((n, 2))
    for path in scalar.paths(2, n):
        for t, z in enumerate(path):
            smoothed[t, z] += joint(path)
    for t in range(n):
        for path in scalar.paths(2, t + 1):
            filtered[t, path[-1]] += joint(path)
    return math.log(smoothed[0].sum()), smoothed / smoothed[0].sum(), filtered / filtered.sum(axis=1, keepdims=True)


def test_meta_rl_is_the_sum_over_paths_of_states() -> None:
    parameters, trials = with_gaps("meta-rl", 4, 7, 1)
    parameters[:, -2:] = [[0.3, 0.4], [0.05, 0.1], [0.5, 0.5], [0.9, 0.2]]
    smooth, forward = (infer(META, parameters, trials, smooth=s) for s in (True, False))
    for n in range(4):
        total, smoothed, filtered = enumerated(parameters[n], trials["action"][n], trials["reward"][n])
        assert smooth.log_likelihood[n] == pytest.approx(total)
        np.testing.assert_allclose(smooth.probabilities[0][n], smoothed, atol=1e-12)
        np.testing.assert_allclose(forward.probabilities[0][n], filtered, atol=1e-12)
    np.testing.assert_array_equal(smooth.states[..., 0] == -1, ~smooth.mask)
    replays = [scalar.meta_rl(*row)[1] for row in zip(parameters, trials["action"], trials["reward"], strict=True)]
    np.testing.assert_allclose(smooth.continuous[..., 0], replays, atol=1e-12)


def test_meta_rl_can_do_without_the_simulators_cap() -> None:
    theta = np.array([[0.95, 0.9, 5.0, 0.9, 0.0, 1e-6, 1.0, 1e-12, 0.1]])
    trials = {"action": np.array([[1, 1, 1, 1, 1, 1]]), "reward": np.array([[1, 0, 1, 0, 1, 1]])}
    for capped in (True, False):
        p, _ = scalar.meta_rl(theta[0], trials["action"][0], trials["reward"][0], capped=capped)
        # A lapse is all but impossible, so the likelihood is an engaged agent's.
        assert log_likelihood(META, theta, trials, capped=capped)[0] == pytest.approx(np.log(p).sum(), abs=1e-4)
    assert log_likelihood(META, theta, trials, capped=True) != log_likelihood(META, theta, trials, capped=False)


def test_extreme_parameters_give_finite_likelihoods() -> None:
    trials = {"action": np.array([[0, 1, 0, 1]]), "reward": np.array([[1, 0, 1, 0]])}
    assert np.isfinite(log_likelihood(RL4, np.array([[1e4, 1.0, 1.0, 0.0]]), trials)).all()
    assert np.isfinite(log_likelihood(META, np.array([[1, 1, 1e4, 1, 1, 1, 1, 1e-6, 1e-6]]), trials)).all()


@pytest.mark.parametrize(
    ("name", "parameters", "trials", "message"),
    [
        ("hrl", np.ones((1, 2)), {"action": [[1]], "reward": [[1]]}, "no likelihood in closed form.*filter_particles"),
        ("rl4", np.ones((1, 2)), {"action": [[1]], "reward": [[1]]}, r"shape \(1, 2\) do not fit 1 agents and 4"),
        ("rl4", np.ones((1, 4)), {"action": [[2]], "reward": [[1]]}, "'action' must .* hold 0, 1"),
        ("rl4", np.ones((1, 4)), {"action": [[1]], "reward": [[0.5]]}, "'reward' must .* hold 0, 1"),
        ("rl4", np.ones((1, 4)), {"action": [1], "reward": [1]}, "shape"),
    ],
)
def test_what_has_no_likelihood_is_refused(name: str, parameters: np.ndarray, trials: dict, message: str) -> None:
    with pytest.raises(LatentError, match=message):
        log_likelihood(MODELS[name], parameters, trials)
