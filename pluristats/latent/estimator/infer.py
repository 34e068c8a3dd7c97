"""Inference: behaviour and an estimator in, latents with their uncertainty out."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from pluristats.errors import LatentError, LatentWarning
from pluristats.latent.estimator import net
from pluristats.latent.estimator.estimator import Estimator
from pluristats.latent.estimator.latents import Latents
from pluristats.latent.record import Sequences, Simulated

Outputs = tuple[NDArray[np.float32], NDArray[np.float32], tuple[NDArray[np.float32], ...]]


def infer(
    estimator: Estimator,
    behaviour: Sequences | Simulated,
    *,
    simulated: bool = False,
    device: str | None = None,
    batch: int = 512,
    threads: int = 1,
) -> Latents:
    """Latents of agents.

    Parameters
    ----------
    estimator
        Trained.
    behaviour
        Real or simulated; a `Simulated` says by itself that it is made up.
    simulated
        Whether sequences that do not say so are made up.
    device
        As torch names it; by default a GPU where torch has one, else the CPU.
    batch
        Agents at once. Another number, or other agents beside one, changes its numbers by no more than 32-bit rounding.
    threads
        Of torch, on a CPU. Steps of a few hundred agents are small, and threads that share a core with other work wait
        for each other far longer than they compute.

    Raises
    ------
    LatentError
        No torch, no such device, other inputs than the estimator was trained on, or inputs that are no numbers.

    Warns
    -----
    LatentWarning
        Agents have more trials than the estimator was trained on, or missing ones and it has not seen any.
    """
    seen = behaviour.sequences if isinstance(behaviour, Simulated) else behaviour
    _check(estimator, seen)
    where = net.device_of(device)
    with net.seeded(0, threads if where.type == "cpu" else None):
        network = net.loaded(estimator.weights, estimator.sizes, where)
        mean, log_variance, logits = outputs(network, estimator, seen, where, batch)
    scaling, calibration = estimator.scaling, estimator.calibration
    there = seen.mask[:, :, None]
    sd = np.exp(0.5 * log_variance.astype(np.float64)) * calibration.scale * scaling.target_sd
    return Latents(
        mean=np.where(there, mean.astype(np.float64) * scaling.target_sd + scaling.target_mean, np.nan),
        sd=np.where(there, sd, np.nan),
        continuous_names=estimator.continuous_names,
        half_widths=calibration.half_widths,
        probabilities=tuple(
            np.where(there, softmax(logit.astype(np.float64) / temperature, axis=2), np.nan)
            for logit, temperature in zip(logits, calibration.temperature, strict=True)
        ),
        discrete_names=tuple(estimator.discrete),
        mask=seen.mask,
        model=estimator.model,
        version=estimator.version,
        simulated=simulated or isinstance(behaviour, Simulated),
    )


def outputs(network: Any, estimator: Estimator, seen: Sequences, device: Any, batch: int = 512) -> Outputs:
    """What the heads say, in standardised units and not calibrated: means, log variances (N, T, C), logits."""
    import torch

    found = []
    network.eval()
    with torch.inference_mode():
        for start in range(0, seen.n_agents, batch):
            rows = slice(start, start + batch)
            inputs = torch.from_numpy(estimator.scaling.inputs(seen.inputs[rows])).to(device)
            observed = torch.from_numpy(np.ascontiguousarray(seen.mask[rows])).to(device)
            found.append(net.forward(network, inputs, observed).cpu())
        _, n_continuous, n_states, _ = estimator.sizes
        width = 2 * n_continuous + sum(n_states)
        out = torch.cat(found) if found else torch.zeros((*seen.mask.shape, width))
        mean, log_variance, logits = net.split(out, n_continuous, n_states)
        return mean.numpy(), log_variance.numpy(), tuple(logit.numpy() for logit in logits)


def _check(estimator: Estimator, seen: Sequences) -> None:
    if seen.input_names != estimator.input_names:
        raise LatentError(
            f"these sequences have the inputs {', '.join(seen.input_names)}, but the estimator of "
            f"{estimator.model!r} was trained on {', '.join(estimator.input_names)}; encode them with that model"
        )
    wrong = ~np.isfinite(seen.inputs).all(axis=2) & seen.mask
    if wrong.any():
        agent, trial = np.argwhere(wrong)[0]
        raise LatentError(f"an input of agent {agent}, trial {trial} is not a finite number; mark the trial as missing")
    if seen.n_trials > estimator.n_trials:
        warnings.warn(
            f"agents have up to {seen.n_trials} trials, but the estimator was trained on {estimator.n_trials}; its "
            "uncertainty is not calibrated for later ones",
            LatentWarning,
            stacklevel=3,
        )
    ends = seen.n_trials - np.argmax(seen.mask[:, ::-1], axis=1)
    gaps = int((np.where(seen.mask.any(axis=1), ends, 0) - seen.mask.sum(axis=1)).sum())
    if gaps and estimator.settings.missing == 0:
        warnings.warn(
            f"{gaps} trials are missing between others, but the estimator was trained without missing trials; train "
            "it with missing above 0",
            LatentWarning,
            stacklevel=3,
        )
