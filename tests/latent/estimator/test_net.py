from __future__ import annotations

import builtins
from typing import Any

import numpy as np
import pytest

from pluristats.errors import LatentError
from pluristats.latent.estimator import net, train
from tests.latent.estimator.toys import TOY


@pytest.fixture
def network(torch: None) -> Any:
    with net.seeded(1, 1):
        return net.build(3, 2, (3,), 8).eval()


def asked(network: Any, inputs: np.ndarray, observed: np.ndarray) -> np.ndarray:
    import torch

    with torch.inference_mode():
        out = net.forward(network, torch.from_numpy(inputs.astype(np.float32)), torch.from_numpy(observed))
    return np.asarray(out.numpy())


def test_it_is_a_bidirectional_gru_with_dense_layers(network: Any) -> None:
    """Against torch's own bidirectional layer with the same weights."""
    import torch

    both = torch.nn.GRU(4, 8, batch_first=True, bidirectional=True)
    state = network["ahead"].state_dict() | {f"{k}_reverse": v for k, v in network["back"].state_dict().items()}
    both.load_state_dict(state)
    x = np.random.default_rng(0).normal(size=(5, 11, 3))
    with torch.inference_mode():
        seen = torch.from_numpy(np.concatenate([x, np.ones((5, 11, 1))], axis=2).astype(np.float32))
        hidden = network["dense1"](both(seen)[0]).relu()
        expected = network["heads"](network["dense2"](hidden).relu()).numpy()
    np.testing.assert_allclose(asked(network, x, np.ones((5, 11), bool)), expected, atol=1e-6)


def test_trials_beyond_the_end_change_nothing(network: Any) -> None:
    rng = np.random.default_rng(1)
    x, lengths = rng.normal(size=(6, 12, 3)), np.array([12, 1, 5, 9, 12, 3])
    observed = np.arange(12) < lengths[:, None]
    out = asked(network, np.where(observed[..., None], x, np.float32(7)), observed)
    for agent, length in enumerate(lengths):
        alone = asked(network, x[agent : agent + 1, :length], np.ones((1, length), bool))
        np.testing.assert_allclose(out[agent, :length], alone[0], atol=1e-6)


def test_what_stands_at_a_missing_trial_changes_nothing_but_that_it_is_missing_does(network: Any) -> None:
    rng = np.random.default_rng(2)
    x, observed = rng.normal(size=(4, 10, 3)), rng.random((4, 10)) > 0.3
    observed[:, -1] = True
    other = np.where(observed[..., None], x, rng.normal(0, 100, size=x.shape))
    np.testing.assert_array_equal(asked(network, x, observed)[observed], asked(network, other, observed)[observed])
    assert np.abs(asked(network, x, np.ones_like(observed)) - asked(network, x, observed))[observed].max() > 1e-3


def test_an_agent_without_a_trial_is_no_error(network: Any) -> None:
    observed = np.array([[True, True], [False, False]])
    assert np.isfinite(asked(network, np.ones((2, 2, 3)), observed)).all()


def test_shapes_are_those_of_the_layers(network: Any) -> None:
    assert {name: tuple(v.shape) for name, v in network.state_dict().items()} == net.shapes(3, 2, (3,), 8)


def test_torchs_random_numbers_and_threads_stay_as_they_were(torch: None) -> None:
    import torch as t

    t.manual_seed(5)
    expected, threads = t.rand(3), t.get_num_threads()
    t.manual_seed(5)
    with net.seeded(1, threads + 1):
        first = t.rand(3)
        assert t.get_num_threads() == threads + 1
    assert t.get_num_threads() == threads and t.equal(t.rand(3), expected)
    with net.seeded(1, None):
        assert t.equal(t.rand(3), first)


def test_a_device_that_is_not_there_is_one_sentence(torch: None) -> None:
    for name in ("quantum", "cuda:99"):
        with pytest.raises(LatentError, match=f"device '{name}' cannot be used .*name another"):
            net.device_of(name)


def test_without_torch_one_sentence_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.partition(".")[0] == "torch":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(LatentError, match=r"pip install 'pluristats\[latent\]'"):
        train(TOY)
