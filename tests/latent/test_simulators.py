from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit

from pluristats.errors import LatentError
from pluristats.latent.record import Simulated
from pluristats.latent.simulators import MODELS, glm_hmm, hrl, rl4, weber
from pluristats.latent.simulators.tasks import Foraging, HazardReversal, RewardReversal
from tests.latent import scalar

NAMES = sorted(MODELS)


def calibrated(probability: np.ndarray, happened: np.ndarray) -> None:
    """Events with stated probabilities happen as often as stated: in all, and in ten bins of probability."""
    p, x = probability.ravel(), happened.ravel().astype(float)
    bins = np.minimum((p * 10).astype(int), 9)
    z = [
        (x[bins == b] - p[bins == b]).sum() / np.sqrt((p[bins == b] * (1 - p[bins == b])).sum())
        for b in range(10)
        if (p[bins == b] * (1 - p[bins == b])).sum() > 5
    ]
    assert len(z) >= 3
    assert stats.chi2.sf(np.sum(np.square(z)), len(z)) > 1e-3


def blocks(better: np.ndarray) -> list[list[int]]:
    """Lengths of stretches without a change of the better option, one list an agent, the last (cut) one left out."""
    return [np.diff(np.r_[0, np.flatnonzero(np.diff(row)) + 1]).tolist() for row in better]


@pytest.mark.parametrize("name", NAMES)
def test_shapes_names_and_seeds(name: str) -> None:
    model = MODELS[name]
    made, again, other = (model.simulate(n_agents=5, n_trials=12, seed=s) for s in (1, 1, 2))
    assert made.sequences.inputs.shape == (5, 12, len(model.input_names))
    assert made.sequences.inputs.dtype == np.float32
    assert made.continuous.shape == (5, 12, len(model.continuous_names))
    assert made.discrete.shape == (5, 12, len(model.discrete))
    assert made.n_states == tuple(model.discrete.values())
    assert made.parameters.shape == (5, len(model.parameters))
    assert made.sequences.mask.all()
    assert made.simulated
    np.testing.assert_array_equal(made.sequences.inputs, again.sequences.inputs)
    np.testing.assert_array_equal(made.parameters, again.parameters)
    assert (made.parameters != other.parameters).all()
    table = made.table()
    assert len(table) == 60
    assert table["simulated"].all()
    assert set(table) == {
        "agent", "trial", "simulated", *made.trials, *model.continuous_names, *model.discrete
    }  # fmt: skip
    for k, n_states in enumerate(made.n_states):
        assert set(np.unique(made.discrete[..., k])) <= set(range(n_states))


@pytest.mark.parametrize("name", NAMES)
def test_published_sizes_and_priors_within_bounds(name: str) -> None:
    model = MODELS[name]
    assert (model.n_agents, model.n_trials) == {
        "rl4": (9000, 500), "meta-rl": (9000, 720), "hrl": (9000, 720), "weber": (6000, 300), "glm-hmm": (9000, 720),
    }[name]  # fmt: skip
    drawn = model.draw(2000, np.random.default_rng(0))
    assert (drawn >= [p.low for p in model.parameters]).all()
    assert (drawn <= [p.high for p in model.parameters]).all()


def test_rl4_values_and_choices_are_the_scalar_models() -> None:
    made = MODELS["rl4"].simulate(n_agents=60, n_trials=200, seed=4)
    replays = [
        scalar.rl4(*row) for row in zip(made.parameters, made.trials["action"], made.trials["reward"], strict=True)
    ]
    np.testing.assert_allclose(made.continuous[..., 0], [chosen for _, chosen in replays], atol=1e-12)
    p = np.array([probability for probability, _ in replays])
    calibrated(np.where(made.trials["action"] == 1, p, 1 - p), made.trials["action"])


def test_rl4_with_rate_one_remembers_the_last_trial_only() -> None:
    made = MODELS["rl4"].simulate(np.tile([3.0, 1.0, 1.0, 0.2], (20, 1)), n_trials=50, seed=0)
    action, reward, q = made.trials["action"], made.trials["reward"], made.continuous[..., 0]
    same = action[:, 1:] == action[:, :-1]
    np.testing.assert_allclose(q[:, 1:], np.where(same, reward[:, :-1], 1 - reward[:, :-1]))


@pytest.mark.parametrize("name", ["rl4", "weber", "hrl"])
def test_without_temperature_choices_are_uniform(name: str) -> None:
    model = MODELS[name]
    parameters = model.draw(100, np.random.default_rng(0))
    parameters[:, model.parameter_names.index("beta")] = 0.0
    made = model.simulate(parameters, n_trials=100, seed=1)
    counts = np.bincount((made.discrete[..., 0] if name == "hrl" else made.trials["action"]).ravel())
    assert stats.chisquare(counts).pvalue > 1e-3


def test_rl4_task_reverses_after_fifteen_to_twenty_rewards() -> None:
    made = MODELS["rl4"].simulate(n_agents=40, n_trials=400, seed=2)
    action, reward, better = (made.trials[k] for k in ("action", "reward", "better"))
    right = action == better
    assert reward[right].mean() == pytest.approx(0.8, abs=4 * np.sqrt(0.16 / right.sum()))
    assert reward[~right].mean() == pytest.approx(0.2, abs=4 * np.sqrt(0.16 / (~right).sum()))
    lengths = []
    for r, lasting in zip(reward, blocks(better), strict=True):
        for end in np.cumsum(lasting):
            begin = end - lasting[int(np.flatnonzero(np.cumsum(lasting) == end)[0])]
            lengths.append(r[begin:end].sum())
            assert r[end - 1] == 1
    assert stats.chisquare(np.bincount(lengths, minlength=21)[15:]).pvalue > 1e-3
    assert min(lengths) == 15
    assert max(lengths) == 20


def test_meta_rl_is_the_scalar_model_and_its_states_a_chain() -> None:
    model = MODELS["meta-rl"]
    parameters = model.draw(80, np.random.default_rng(3))
    parameters[:, -2:] = [0.06, 0.15]
    made = model.simulate(parameters, n_trials=300, seed=5)
    action, state = made.trials["action"], made.discrete[..., 0]
    replays = [scalar.meta_rl(*row) for row in zip(parameters, action, made.trials["reward"], strict=True)]
    np.testing.assert_allclose(made.continuous[..., 0], [chosen for _, chosen in replays], atol=1e-12)
    p = np.array([probability for probability, _ in replays])
    engaged = state == 1
    calibrated(np.where(action == 1, p, 1 - p)[engaged], action[engaged])
    n = (~engaged).sum()
    assert action[~engaged].sum() == pytest.approx(n / 2, abs=4 * np.sqrt(n / 4))
    before, after = state[:, :-1].ravel(), state[:, 1:].ravel()
    for was, rate in ((1, 0.06), (0, 0.15)):
        moved = after[before == was] != was
        assert moved.mean() == pytest.approx(rate, abs=4 * np.sqrt(rate / len(moved)))


def test_meta_rl_caps_the_learning_rate() -> None:
    # Without the cap α⁻ passes 1 here: v + α⁻₀ is near 2 after a surprise, and φ = 1 makes α⁻ that.
    theta = [0.95, 0.9, 5.0, 0.9, 0.0, 1e-6, 1.0, 0.05, 0.1]
    made = MODELS["meta-rl"].simulate(np.tile(theta, (20, 1)), n_trials=100, seed=0)
    rows = list(zip(made.trials["action"], made.trials["reward"], strict=True))
    np.testing.assert_allclose(made.continuous[..., 0], [scalar.meta_rl(theta, a, r)[1] for a, r in rows], atol=1e-12)
    free = np.array([scalar.meta_rl(theta, a, r, capped=False)[1] for a, r in rows])
    assert np.abs(made.continuous[..., 0] - free).max() > 0.1


def test_hrl_is_the_scalar_model() -> None:
    made = MODELS["hrl"].simulate(n_agents=60, n_trials=200, seed=6)
    cue = made.discrete[..., 0]
    replays = [scalar.hrl(*row) for row in zip(made.parameters, cue, made.trials["reward"], strict=True)]
    np.testing.assert_allclose(made.continuous[..., 0], [chosen for _, chosen in replays], atol=1e-12)
    p = np.array([probability for probability, _ in replays])
    for k in range(3):
        calibrated(p[..., k], cue == k)
    arrows = np.stack([made.trials[name] for name in hrl.ARROWS], axis=2)
    np.testing.assert_array_equal(made.trials["action"], np.take_along_axis(arrows, cue[..., None], axis=2)[..., 0])
    right = made.trials["action"] == np.take_along_axis(arrows, made.trials["better"][..., None], axis=2)[..., 0]
    assert made.trials["reward"][right].mean() == pytest.approx(0.9, abs=0.02)
    assert made.trials["reward"][~right].mean() == pytest.approx(0.1, abs=0.02)
    kinds, counts = np.unique(arrows.reshape(-1, 3), axis=0, return_counts=True)
    assert {tuple(k) for k in kinds.tolist()} == {tuple(k) for k in hrl.PATTERNS.tolist()}
    assert stats.chisquare(counts).pvalue > 1e-3


def test_weber_noise_is_in_proportion_to_the_update() -> None:
    alpha, zeta = 0.3, 0.4
    made = MODELS["weber"].simulate(np.tile([alpha, 1.0, zeta], (200, 1)), n_trials=60, seed=7)
    action, reward, q = made.trials["action"], made.trials["reward"], made.continuous[..., 0]
    # Where the same action follows, both values before and after an update are seen.
    same = (action[:, 1:] == action[:, :-1]) & (q[:, 1:] > 0) & (q[:, 1:] < 1)
    step = alpha * (reward[:, :-1] - q[:, :-1])
    noise = (np.diff(q) - step)[same] / (zeta * np.abs(step))[same]
    assert len(noise) > 3000
    assert stats.kstest(noise, "norm").pvalue > 1e-3


def test_weber_without_noise_is_rl4_with_one_rate() -> None:
    made = MODELS["weber"].simulate(np.tile([0.3, 4.0, 0.0], (30, 1)), n_trials=80, seed=8)
    rows = zip(made.trials["action"], made.trials["reward"], strict=True)
    expected = [scalar.rl4([4.0, 0.3, 0.3, 0.0], a, r) for a, r in rows]
    np.testing.assert_allclose(made.continuous[..., 0], [chosen for _, chosen in expected], atol=1e-12)


def test_weber_values_stay_within_zero_and_one_at_any_noise() -> None:
    made = MODELS["weber"].simulate(n_agents=100, n_trials=100, seed=9, noise=10.0)
    assert made.continuous.min() >= 0
    assert made.continuous.max() <= 1


def test_glm_hmm_states_are_the_chain_and_choices_its_logistic() -> None:
    made = MODELS["glm-hmm"].simulate(n_agents=150, n_trials=400, seed=10)
    state, action, reward, stimulus = made.discrete[..., 0], *(made.trials[k] for k in ("action", "reward", "stimulus"))
    values, vectors = np.linalg.eig(glm_hmm.TRANSITIONS.T)
    stationary = np.real(vectors[:, np.argmax(np.real(values))])
    shares = np.bincount(state[:, 200:].ravel()) / state[:, 200:].size
    np.testing.assert_allclose(shares, stationary / stationary.sum(), atol=0.04)
    for k in range(3):
        after = np.bincount(state[:, 1:][state[:, :-1] == k], minlength=3)
        np.testing.assert_allclose(after / after.sum(), glm_hmm.TRANSITIONS[k], atol=4 * np.sqrt(0.25 / after.sum()))
    eta = np.empty(action.shape)
    for n, weights in enumerate(made.parameters.reshape(-1, 3, 4)):
        previous, wsls = 0.0, 0.0
        for t in range(action.shape[1]):
            w = weights[state[n, t]]
            eta[n, t] = w[0] * stimulus[n, t] + 0.5 * w[1] + w[2] * previous + w[3] * wsls
            previous = 1.0 if action[n, t] == 1 else -1.0
            wsls = previous if reward[n, t] == 1 else -previous
    calibrated(expit(eta), action)
    np.testing.assert_array_equal(reward, (stimulus > 0) & (action == 1) | (stimulus < 0) & (action == 0))
    levels, counts = np.unique(stimulus, return_counts=True)
    np.testing.assert_array_equal(levels, glm_hmm.STIMULI)
    expected = np.array([15, 10, 10, 6, 6, 6, 6, 6, 10, 10, 15]) / 100 * stimulus.size
    assert stats.chisquare(counts, expected).pvalue > 1e-3


def test_glm_hmm_names_the_published_row_that_is_no_distribution() -> None:
    assert glm_hmm.PUBLISHED_TRANSITIONS[2].sum() == pytest.approx(1.01)
    np.testing.assert_allclose(glm_hmm.TRANSITIONS.sum(axis=1), 1)
    with pytest.raises(LatentError, match=r"sums to 1\.01"):
        MODELS["glm-hmm"].simulate(n_agents=2, n_trials=3, transitions=glm_hmm.PUBLISHED_TRANSITIONS)


def test_glm_hmm_inputs_have_no_history_after_a_missing_trial() -> None:
    trials = {
        "stimulus": np.array([[0.5, -1.0, np.nan, 0.25]]),
        "action": np.array([[1, 1, -1, 0]]),
        "reward": np.array([[1, 0, -1, 0]]),
    }
    np.testing.assert_allclose(
        glm_hmm.design(trials)[0],
        [[0.5, 0.5, 0, 0], [-1, 0.5, 1, 1], [0, 0.5, 1, -1], [0.25, 0.5, 0, 0]],
    )
    inputs = MODELS["glm-hmm"].encode(trials)
    assert inputs.mask.tolist() == [[True, True, False, True]]
    expected = [[0.5, 0, 1, 0, 0, 0.5, 0, 0], [-1, 0, 1, 1, 1, -1, 1, 1], [0] * 8, [0.25, 1, 0, 0, 0, -0.25, 0, 0]]
    np.testing.assert_allclose(inputs.inputs[0], expected)


@pytest.mark.parametrize("name", ["rl4", "meta-rl", "weber"])
def test_inputs_of_two_armed_tasks_by_hand(name: str) -> None:
    trials = {"action": np.array([[1, 1, 0, -1, 0]]), "reward": np.array([[1, 0, 1, -1, 0]])}
    inputs = MODELS[name].encode(trials).inputs[0]
    by_hand = [[0, 1, 1, 1, 0, 0, 0], [0, 1, 0, -1, 1, 1, 1], [1, 0, 1, -1, -1, -1, 1], [0] * 7, [1, 0, 0, 1, 0, 0, 0]]
    np.testing.assert_array_equal(inputs, by_hand)


def test_inputs_of_cues_by_hand() -> None:
    columns = {"action": [[1, 0]], "reward": [[0, 1]], "arrow0": [[0, 1]], "arrow1": [[1, 0]], "arrow2": [[1, 0]]}
    inputs = MODELS["hrl"].encode({name: np.array(values) for name, values in columns.items()}).inputs[0]
    by_hand = [[0, 1, 0, -1, 1, 1, -1, 1, 1, 1, -1, -1], [1, 0, 1, 1, -1, -1, -1, 1, 1, -1, 1, 1]]
    np.testing.assert_array_equal(inputs, by_hand)


@pytest.mark.parametrize(
    ("name", "column", "factor"), [("rl4", 0, 0.5), ("hrl", 1, 0.5), ("weber", 2, 2.0), ("meta-rl", 7, 2.0)]
)
def test_noise_scales_one_parameter(name: str, column: int, factor: float) -> None:
    model = MODELS[name]
    parameters = model.draw(10, np.random.default_rng(0))
    scaled = parameters.copy()
    scaled[:, column] *= factor
    noisy, plain = (
        model.simulate(parameters, n_trials=40, seed=3, noise=2.0),
        model.simulate(scaled, n_trials=40, seed=3),
    )
    np.testing.assert_array_equal(noisy.trials["action"], plain.trials["action"])
    assert noisy.settings["noise"] == 2.0
    np.testing.assert_array_equal(noisy.parameters, parameters)


def test_glm_hmm_noise_divides_the_weights() -> None:
    model = MODELS["glm-hmm"]
    parameters = model.draw(10, np.random.default_rng(0))
    noisy, plain = model.simulate(parameters, n_trials=40, noise=2.0), model.simulate(parameters / 2, n_trials=40)
    np.testing.assert_array_equal(noisy.trials["action"], plain.trials["action"])


def test_foraging_blocks_last_twenty_to_thirtyfive_trials() -> None:
    rng = np.random.default_rng(0)
    task = Foraging.start(50, rng)
    seen = []
    for _ in range(300):
        seen.append(task.p.copy())
        task.reward(np.zeros(50, np.int64), rng)
    p = np.array(seen)
    assert set(np.unique(p)) == {0.1, 0.5, 0.9}
    # A block's end is seen when its level changes: two thirds of the time.
    changes = [np.flatnonzero(np.diff(p[:, n, s])) + 1 for n in range(50) for s in range(2)]
    gaps = np.concatenate([np.diff(np.r_[0, c]) for c in changes])
    assert gaps.min() == 20
    assert {*range(20, 36)} <= set(gaps.tolist())
    assert not set(gaps.tolist()) & {36, 37, 38, 39}


def test_hazard_reversal_waits_and_then_changes_at_its_rate() -> None:
    rng = np.random.default_rng(1)
    task = HazardReversal.start(200, rng, k=3, p=1.0, hazard=0.05, least=10)
    better = []
    for _ in range(400):
        better.append(task.better.copy())
        assert (task.reward(np.ones(200, bool), rng) == 1).all()
    first = [row[0] for row in blocks(np.array(better).T)]
    later = [x for row in blocks(np.array(better).T) for x in row[1:]]
    # The count begins at 0 in the first block and at 1 afterwards.
    assert min(first) >= 12
    assert min(later) == 11
    assert np.mean(np.array(later) - 10) == pytest.approx(20, rel=0.1)
    moves = np.diff(np.array(better), axis=0) % 3
    assert stats.chisquare(np.bincount(moves[moves > 0])[1:]).pvalue > 1e-3


def test_reward_reversal_counts_from_the_last_reversal() -> None:
    rng = np.random.default_rng(0)
    task = RewardReversal.start(1, rng, p=1.0, least=3, spread=0)
    flips = []
    for _ in range(9):
        before = task.better.copy()
        task.reward(task.better, rng)
        flips.append(bool(task.better[0] != before[0]))
    assert flips == [False, False, True] * 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"noise": 0.0}, "noise is a positive factor"),
        ({"noise": "two"}, "noise is a positive factor"),
        ({"temperature": 1.0}, "no setting 'temperature'; it has noise"),
        ({"parameters": np.ones((3, 2))}, r"shape \(agents, 4\), columns beta, alpha_plus, alpha_minus, stick"),
        ({"parameters": np.array([[1, 0.5, np.nan, 0.1]])}, "'alpha_minus' of agent 0 is not a finite number"),
        ({"parameters": np.ones((3, 4)), "n_agents": 2}, "parameters of 3 agents are given"),
    ],
)
def test_what_cannot_be_simulated_is_refused(arguments: dict, message: str) -> None:
    with pytest.raises(LatentError, match=message):
        MODELS["rl4"].simulate(n_trials=3, **arguments)


def test_encoding_marks_what_is_missing() -> None:
    model = MODELS["rl4"]
    trials = {"action": np.array([[0, 1, -1], [1, -1, -1]]), "reward": np.array([[1, np.nan, 1], [0, 1, 1]])}
    made = model.encode(trials)
    assert made.mask.tolist() == [[True, False, False], [True, False, False]]
    seen = made.inputs[..., :3]
    np.testing.assert_array_equal(seen, [[[1, 0, 1], [0, 0, 0], [0, 0, 0]], [[0, 1, 0], [0, 0, 0], [0, 0, 0]]])
    assert not made.inputs[~made.mask].any()
    hidden = made.hide(np.array([[True, False, False], [False, False, False]]))
    assert hidden.mask.tolist() == [[False, False, False], [True, False, False]]
    assert not hidden.inputs[0].any()
    with pytest.raises(LatentError, match="'reward' is missing"):
        model.encode({"action": trials["action"]})
    with pytest.raises(LatentError, match="share one shape"):
        model.encode({"action": trials["action"], "reward": trials["reward"][:, :2]})


def test_weber_update_is_the_same_for_agents_and_for_particles() -> None:
    q = np.random.default_rng(0).random((2, 3, 5))
    action, reward = np.array([[0], [1], [1]]), np.array([[1], [0], [1]])
    new = weber.update(q, action, reward, np.full((3, 1), 0.5), np.zeros((3, 1)), np.random.default_rng(0))
    for n in range(3):
        for a in range(2):
            target = reward[n, 0] if a == action[n, 0] else 1 - reward[n, 0]
            np.testing.assert_allclose(new[a, n], (q[a, n] + target) / 2)


def test_published_map_priors_are_named_as_the_parameters() -> None:
    assert set(rl4.PUBLISHED_PRIORS) < set(MODELS["rl4"].parameter_names)


def test_a_table_leaves_out_what_is_missing() -> None:
    made = MODELS["rl4"].simulate(n_agents=2, n_trials=4, seed=0)
    cut = made.sequences.hide(np.array([[False, False, False, True], [True, False, False, False]]))
    values = {f: getattr(made, f) for f in Simulated.__dataclass_fields__ if f not in ("sequences", "simulated")}
    table = Simulated(sequences=cut, **values).table()
    assert list(zip(table["agent"], table["trial"], strict=True)) == [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (1, 3)]
