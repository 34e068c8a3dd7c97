from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pluristats.errors import LatentError, LatentWarning
from pluristats.latent.estimator import Estimator, Latents, infer
from pluristats.latent.record import Sequences, Simulated


def numbers(found: Latents) -> list[np.ndarray]:
    return [found.mean, found.sd, *found.probabilities]


def same(a: Latents, b: Latents) -> None:
    for x, y in zip(numbers(a), numbers(b), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-4, atol=2e-6)


def picked(seen: Sequences, rows: np.ndarray) -> Sequences:
    return Sequences(seen.inputs[rows], seen.mask[rows], seen.input_names)


def test_order_and_number_of_agents_at_once_change_nothing(quick: Estimator, agents: Simulated) -> None:
    seen = agents.sequences
    found = infer(quick, seen)
    same(found, infer(quick, seen, batch=7))
    rows = np.random.default_rng(0).permutation(seen.n_agents)
    other = infer(quick, picked(seen, rows))
    same(replace(found, mean=found.mean[rows], sd=found.sd[rows], probabilities=(found.probabilities[0][rows],)), other)
    alone = infer(quick, picked(seen, np.array([3])))
    np.testing.assert_allclose(alone.mean[0], found.mean[3], rtol=1e-4, atol=2e-6)


def test_padding_changes_nothing(quick: Estimator, agents: Simulated) -> None:
    """Agents of unequal lengths beside each other, and each alone without padding."""
    lengths = np.random.default_rng(1).integers(5, 25, 60)
    seen = agents.sequences.hide(np.arange(24) >= lengths[:, None])
    found = infer(quick, seen)
    for agent in (0, 7, 31):
        n = lengths[agent]
        alone = infer(quick, Sequences(seen.inputs[[agent], :n], seen.mask[[agent], :n], seen.input_names))
        np.testing.assert_allclose(found.mean[agent, :n], alone.mean[0], rtol=1e-4, atol=2e-6)
        assert np.isnan(found.mean[agent, n:]).all() and np.isnan(found.probabilities[0][agent, n:]).all()
        assert (found.states[agent, n:] == -1).all()


def test_what_stands_at_missing_trials_changes_nothing(quick: Estimator, agents: Simulated) -> None:
    hidden = np.random.default_rng(2).random((60, 24)) < 0.3
    seen = agents.sequences.hide(hidden)
    dirty = Sequences(np.where(hidden[..., None], np.float32(np.nan), seen.inputs), seen.mask, seen.input_names)
    found = infer(quick, seen)
    for x, y in zip(numbers(found), numbers(infer(quick, dirty)), strict=True):
        np.testing.assert_array_equal(x, y)
    assert np.array_equal(np.isnan(found.mean[..., 0]), hidden) and np.array_equal(found.mask, ~hidden)


def test_missing_trials_make_it_less_sure(quick: Estimator, agents: Simulated) -> None:
    """Beside a trial that is there, with the ten around it gone, the walk is known less well."""
    hidden = np.zeros((60, 24), bool)
    hidden[:, 6:11] = hidden[:, 12:17] = True
    less = infer(quick, agents.sequences.hide(hidden))
    assert less.sd[:, 11].mean() > 1.1 * infer(quick, agents).sd[:, 11].mean()


def test_probabilities_are_some_and_states_the_most_probable(quick: Estimator, agents: Simulated) -> None:
    found = infer(quick, agents)
    (p,) = found.probabilities
    np.testing.assert_allclose(p.sum(axis=2), 1, atol=1e-12)
    np.testing.assert_array_equal(found.states[..., 0], p.argmax(axis=2))


def test_intervals_widen_with_their_level(quick: Estimator, agents: Simulated) -> None:
    found = infer(quick, agents)
    low, high = found.interval(0.9)
    np.testing.assert_allclose((low + high) / 2, found.mean, atol=1e-12)
    assert (high - low < found.interval(0.95)[1] - found.interval(0.95)[0]).all()
    np.testing.assert_allclose((high - low) / found.sd / 2, 1.645, atol=0.15)
    with pytest.raises(LatentError, match="is not calibrated"):
        found.interval(0.999)


def test_the_table_has_a_row_a_trial_and_latent_or_state(quick: Estimator, agents: Simulated) -> None:
    hidden = np.zeros((60, 24), bool)
    hidden[4, 11] = True
    found = infer(quick, agents.sequences.hide(hidden))
    table = found.tidy(0.8, [f"a{k}" for k in range(60)], first=1)
    n = 60 * 24 - 1
    assert list(table) == [
        *("agent", "trial", "latent", "estimate", "sd", "conf_low", "conf_high", "state", "probability", "simulated")
    ]
    assert table["latent"].value_counts().to_dict() == {"walk": n, "state": 2 * n}
    row = table.query("agent == 'a7' and trial == 3 and latent == 'walk'").iloc[0]
    assert row["estimate"] == found.mean[7, 2, 0] and row["sd"] == found.sd[7, 2, 0]
    assert (row["conf_low"], row["conf_high"]) == (found.interval(0.8)[0][7, 2, 0], found.interval(0.8)[1][7, 2, 0])
    row = table.query("agent == 'a7' and trial == 3 and state == 1").iloc[0]
    assert row["probability"] == found.probabilities[0][7, 2, 1] and np.isnan(row["estimate"])
    assert table.query("agent == 'a4' and trial == 12").empty and not table["simulated"].any()
    with pytest.raises(LatentError, match="1 names for 60 agents"):
        found.tidy(agents=["a"])


def test_simulated_behaviour_says_so(quick: Estimator, agents: Simulated) -> None:
    assert infer(quick, agents).tidy()["simulated"].all()
    assert infer(quick, agents.sequences, simulated=True).simulated and not infer(quick, agents.sequences).simulated


def test_no_agents_give_no_rows(quick: Estimator, agents: Simulated) -> None:
    assert infer(quick, picked(agents.sequences, np.array([], dtype=int))).tidy().empty


def test_other_inputs_are_refused(quick: Estimator, agents: Simulated) -> None:
    seen = agents.sequences
    with pytest.raises(LatentError, match="have the inputs e, y, but the estimator of 'toy' was trained on y, e"):
        infer(quick, Sequences(seen.inputs, seen.mask, ("e", "y")))
    broken = seen.inputs.copy()
    broken[2, 5, 1] = np.inf
    with pytest.raises(LatentError, match="agent 2, trial 5 is not a finite number"):
        infer(quick, Sequences(broken, seen.mask, seen.input_names))


def test_what_it_was_not_trained_for_is_told(quick: Estimator, agents: Simulated) -> None:
    long = agents.sequences
    with pytest.warns(LatentWarning, match="up to 24 trials, but the estimator was trained on 20"):
        infer(replace(quick, n_trials=20), long)
    hidden = np.zeros((60, 24), bool)
    hidden[4, 11:13] = hidden[5, 20:] = True
    blind = replace(quick, settings=replace(quick.settings, missing=0.0))
    with pytest.warns(LatentWarning, match="2 trials are missing between others"):
        infer(blind, long.hide(hidden))
