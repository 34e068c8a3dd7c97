from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pluristats.errors import LatentError
from pluristats.latent.estimator import Estimator, Settings, infer, train
from pluristats.latent.metrics import balanced_accuracy, coverage
from pluristats.latent.record import Simulated
from tests.latent.estimator.toys import TOY, smoothed, state_probability

SMALL = Settings(units=8, epochs=3, batch=16, threads=1)


def small(**changes: Any) -> Estimator:
    how: dict[str, Any] = {"n_agents": 40, "n_trials": 12, "seed": 5, "device": "cpu", **changes}
    return train(TOY, settings=replace(SMALL, **how.pop("settings", {})), **how)


def same(a: Estimator, b: Estimator) -> bool:
    return all(np.array_equal(a.weights[name], b.weights[name]) for name in a.weights)


def against_the_best(estimator: Estimator, n_agents: int) -> tuple[float, float, float, float]:
    """RMSE over the smoother's, balanced accuracy less forward-backward's, coverage at 90 %, mean sd ratio."""
    test = TOY.simulate(n_agents=n_agents, n_trials=estimator.n_trials, seed=424242)
    walk, state = test.continuous[..., 0], test.discrete[..., 0]
    best, sd = (np.array(a) for a in zip(*(smoothed(y) for y in test.trials["y"]), strict=True))
    best_state = np.array([state_probability(e) for e in test.trials["e"]]) > 0.5
    found = infer(estimator, test, device="cpu")
    low, high = (ends[..., 0] for ends in found.interval(0.9))

    def rmse(x: Any) -> float:
        return float(np.sqrt(np.mean((x - walk) ** 2)))

    right = balanced_accuracy(state, found.states[..., 0]) - balanced_accuracy(state, best_state.astype(np.int64))
    return (
        rmse(found.mean[..., 0]) / rmse(best),
        right,
        coverage(walk, low, high),
        float((found.sd[..., 0] / sd).mean()),
    )


def test_a_few_seconds_of_training_come_near_the_best_possible_answers(quick: Estimator) -> None:
    ratio, right, covered, sd = against_the_best(quick, 300)
    assert 0.99 < ratio < 1.15 and -0.02 < right < 0.01
    assert 0.87 < covered < 0.93 and 0.95 < sd < 1.25


@pytest.mark.slow
@pytest.mark.usefixtures("torch")
def test_a_minute_of_training_all_but_reaches_them() -> None:
    settings = Settings(units=32, epochs=40, batch=32, rate=1e-2, threads=1)
    trained = train(TOY, n_agents=1200, n_trials=60, settings=settings, device="cpu")
    ratio, right, covered, sd = against_the_best(trained, 1000)
    assert 0.995 < ratio < 1.04 and -0.006 < right < 0.005
    assert 0.88 < covered < 0.92 and 0.97 < sd < 1.06


@pytest.mark.usefixtures("torch")
def test_the_seed_decides_everything() -> None:
    first = small()
    assert same(first, small()) and first.record.validation == small().record.validation
    np.testing.assert_array_equal(first.calibration.half_widths, small().calibration.half_widths)
    assert not same(first, small(seed=6))


@pytest.mark.usefixtures("torch")
def test_random_numbers_of_others_change_nothing() -> None:
    import torch

    first = small(settings={"dropout": (0.2, 0.2, 0.1)})
    torch.manual_seed(8)
    np.random.default_rng(1)
    assert same(first, small(settings={"dropout": (0.2, 0.2, 0.1)}))


@pytest.mark.usefixtures("torch")
@pytest.mark.parametrize(
    "setting", [{"dropout": (0.3, 0.0, 0.0)}, {"missing": 0.0}, {"shortest": 1.0}, {"beta": 0.0}, {"fresh": False}]
)
def test_each_setting_changes_what_is_learnt(setting: dict[str, Any]) -> None:
    assert not same(small(settings=setting), small())


@pytest.mark.usefixtures("torch")
def test_the_simulators_settings_reach_it() -> None:
    loud = small(simulation={"noise": 3.0})
    assert loud.simulation == {"noise": 3.0} and small().simulation == {"noise": 1.0}
    assert loud.scaling.input_sd[0] > 1.5 * small().scaling.input_sd[0]


@pytest.mark.usefixtures("torch")
def test_no_agent_is_seen_twice_but_where_that_is_asked_for() -> None:
    seeds: list[tuple[int, int]] = []

    class Watched:
        name, n_agents, n_trials = TOY.name, TOY.n_agents, TOY.n_trials

        def simulate(self, parameters: None = None, **how: Any) -> Simulated:
            seeds.append((how["n_agents"], how["seed"]))
            return TOY.simulate(**how)

    for fresh, expected in ((True, 4), (False, 2)):
        seeds.clear()
        train(Watched(), n_agents=40, n_trials=12, settings=replace(SMALL, fresh=fresh), device="cpu")
        assert len(seeds) == len(set(seeds)) == expected
        assert [n for n, _ in seeds] == [4] + [36] * (expected - 1)


@pytest.mark.usefixtures("torch")
def test_training_ends_after_patience_and_the_best_epoch_is_kept() -> None:
    wild = {"rate": 3.0, "schedule": "constant", "epochs": 30, "patience": 2, "shortest": 1.0}
    found = small(settings=wild)
    losses = found.record.validation
    assert found.record.stopped == "patience" and found.record.best == int(np.argmin(losses))
    assert len(losses) == found.record.best + 3
    until = small(settings={**wild, "epochs": found.record.best + 1})
    assert same(found, until) and until.record.stopped == "epochs"


@pytest.mark.usefixtures("torch")
def test_the_record_tells_every_epoch_and_the_schedule() -> None:
    record = small(settings={"epochs": 10}).record
    assert {len(record.training), len(record.validation), len(record.seconds), len(record.rates)} == {10}
    assert record.rates[0] == pytest.approx(SMALL.rate) and record.rates[-1] < 0.01 * SMALL.rate
    assert list(record.rates) == sorted(record.rates, reverse=True) and record.device == "cpu"
    assert small(settings={"schedule": "constant"}).record.rates == (SMALL.rate,) * 3


@pytest.mark.usefixtures("torch")
def test_targets_of_any_unit_are_learnt_alike() -> None:
    """The walk times 1000 plus 5: the same network, since targets are standardised by the training set."""

    def run(*args: Any, **kwargs: Any) -> Any:
        drawn = TOY.run(*args, **kwargs)
        return replace(drawn, continuous=1000 * drawn.continuous + 5)

    other = train(replace(TOY, run=run), n_agents=40, n_trials=12, seed=5, settings=SMALL, device="cpu")
    test = TOY.simulate(n_agents=5, n_trials=12, seed=1)
    a, b = infer(small(), test, device="cpu"), infer(other, test, device="cpu")
    np.testing.assert_allclose(b.mean, 1000 * a.mean + 5, rtol=1e-3, atol=1)
    np.testing.assert_allclose(b.sd, 1000 * a.sd, rtol=1e-3)


@pytest.mark.usefixtures("torch")
def test_progress_says_how_far_and_how_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr("sys.stderr", screen)
    small(progress=True)
    assert "training: 108/108" in screen.getvalue() and "/s" in screen.getvalue()
    assert "epoch 3/3, validation" in screen.getvalue()


@pytest.mark.usefixtures("torch")
@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"n_agents": 10}, "leave 9 to train on and 1 to hold out"),
        ({"n_trials": 0}, "of 0 trials"),
        ({"settings": {"weights": {"wolk": 2.0}}}, "'wolk', but the latents of model 'toy' are walk, state"),
        ({"simulation": {"volume": 1}}, "no setting 'volume'"),
        ({"device": "quantum"}, "device 'quantum' cannot be used"),
    ],
)
def test_what_cannot_be_trained_is_one_sentence(how: dict[str, Any], says: str) -> None:
    with pytest.raises(LatentError) as error:
        small(**how)
    assert says in str(error.value)


@pytest.mark.usefixtures("torch")
@pytest.mark.parametrize("broken", ["input", "latent", "state"])
def test_agents_that_cannot_be_learnt_from_are_refused(broken: str) -> None:
    def run(*args: Any, **kwargs: Any) -> Any:
        drawn = TOY.run(*args, **kwargs)
        if broken == "input":
            drawn.trials["y"][1, 2] = np.inf
        elif broken == "latent":
            drawn.continuous[1, 2] = np.nan
        else:
            drawn.discrete[1, 2] = -1
        return drawn

    with pytest.raises(LatentError, match=r"no finite number or state \(agent 1, trial 2, seed \d+\)"):
        train(replace(TOY, run=run), n_agents=40, n_trials=12, settings=SMALL, device="cpu")


@pytest.mark.usefixtures("torch")
def test_a_loss_that_is_no_number_ends_it() -> None:
    """A rate at which weights overflow 32 bits."""
    with pytest.raises(LatentError, match="lower rate=1e"):
        small(settings={"rate": 1e36, "schedule": "constant"})
