from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_softmax
from scipy.stats import norm

from pluristats.latent.estimator.loss import joint


def drawn(torch: object) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(0)
    m, s, y = (rng.normal(size=(3, 4, 2)) for _ in range(3))
    return m, s, y, rng.normal(size=(3, 4, 3)), rng.integers(0, 3, (3, 4, 1)), rng.random((3, 4)) > 0.4


def given(parts: tuple[np.ndarray, ...], weights: tuple[tuple[float, ...], tuple[float, ...]], beta: float) -> float:
    import torch

    m, s, y, logit, state, there = (torch.from_numpy(a) for a in parts)
    return float(joint((m, s, (logit,)), (y, state), there, weights, beta))


@pytest.mark.usefixtures("torch")
def test_it_is_the_weighted_log_loss_of_the_trials_that_are_there() -> None:
    m, s, y, logit, state, there = parts = drawn(None)
    gaussian = -(norm.logpdf(y, m, np.exp(s / 2)) + 0.5 * np.log(2 * np.pi))[there].mean(axis=0)
    chosen = np.take_along_axis(log_softmax(logit, axis=2), state, axis=2)[there]
    expected = 0.7 * gaussian[0] + 2 * gaussian[1] - 0.2 * chosen.mean()
    assert given(parts, ((0.7, 2.0), (0.2,)), 0.0) == pytest.approx(expected, rel=1e-12)


@pytest.mark.usefixtures("torch")
def test_trials_that_are_not_there_count_for_nothing() -> None:
    parts = drawn(None)
    there = parts[-1]
    changed = tuple(np.where(there[..., None], a, 2).astype(a.dtype) for a in parts[:-1])
    assert given(parts, ((1, 1), (1,)), 0.5) == given((*changed, there), ((1, 1), (1,)), 0.5)


@pytest.mark.usefixtures("torch")
def test_beta_one_has_the_gradient_of_squares_for_the_mean() -> None:
    import torch

    m, s, y, *_ = (torch.from_numpy(a) for a in drawn(None))
    m.requires_grad_()
    there = torch.ones(3, 4, dtype=torch.bool)
    joint((m, s, ()), (y, torch.empty(3, 4, 0)), there, ((1.0, 1.0), ()), 1.0).backward()
    np.testing.assert_allclose(m.grad.numpy(), ((m - y) / 12).detach().numpy(), rtol=1e-10)
