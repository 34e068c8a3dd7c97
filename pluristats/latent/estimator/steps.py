"""What a step of training sees: some agents, from their first trial to a random one, with some trials hidden."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from pluristats.latent.estimator.estimator import Estimator
from pluristats.latent.estimator.settings import Settings
from pluristats.latent.record import Simulated

# Share of the epochs over which steps grow to all trials.
GROWN = 0.6


def batches(
    estimator: Estimator, agents: Simulated, longest: float, rng: Generator, device: Any
) -> Iterator[tuple[Any, ...]]:
    """Tensors of each step's agents, a random beginning of them: inputs, continuous targets, states, observed."""
    import torch

    settings = estimator.settings
    order = rng.permutation(agents.sequences.n_agents)
    for start in range(0, len(order), settings.batch):
        rows = order[start : start + settings.batch]
        n_trials = length(agents.sequences.n_trials, settings.shortest, longest, rng)
        if not agents.sequences.mask[rows, :n_trials].any():
            n_trials = agents.sequences.n_trials
        there = agents.sequences.mask[rows, :n_trials]
        if not there.any():
            continue
        observed = there & ~hidden(there, settings.missing, rng)
        observed = observed if observed.any() else there
        arrays = (
            estimator.scaling.inputs(agents.sequences.inputs[rows, :n_trials]),
            estimator.scaling.targets(agents.continuous[rows, :n_trials]),
            agents.discrete[rows, :n_trials],
            observed,
        )
        yield tuple(torch.from_numpy(np.ascontiguousarray(a)).to(device) for a in arrays)


def longest_share(settings: Settings, epoch: int) -> float:
    """Share of the trials that an epoch's longest steps see: it grows from ``shortest`` until all are seen."""
    grown = min(1.0, (epoch + 1) / max(1.0, GROWN * settings.epochs))
    return settings.shortest + (1 - settings.shortest) * grown


def length(n_trials: int, shortest: float, longest: float, rng: Generator) -> int:
    """Trials of a step: log-uniform between two shares of all."""
    return min(n_trials, int(np.ceil(n_trials * np.exp(rng.uniform(np.log(shortest), np.log(longest))))))


def hidden(there: NDArray[np.bool_], most: float, rng: Generator) -> NDArray[np.bool_]:
    """Trials to hide: in half of the agents, each with a probability from U(0, most)."""
    share = rng.uniform(0, most, len(there)) * (rng.random(len(there)) < 0.5)
    return rng.random(there.shape) < share[:, None]
