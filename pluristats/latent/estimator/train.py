"""Training: agents of a simulator in, a calibrated estimator out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from numpy.random import Generator, SeedSequence
from numpy.typing import NDArray

from pluristats.errors import LatentError
from pluristats.latent.estimator import loss, net
from pluristats.latent.estimator.agents import Agents, Simulator, seed_of
from pluristats.latent.estimator.calibrate import LEVELS, Calibration, calibrate
from pluristats.latent.estimator.estimator import Estimator, Record, Scaling
from pluristats.latent.estimator.infer import outputs
from pluristats.latent.estimator.settings import Settings
from pluristats.latent.estimator.steps import batches, longest_share
from pluristats.latent.record import Simulated
from pluristats.progress import Advance, counted

_PACKAGES = ("pluristats", "torch", "numpy", "scipy")
# Share of the steps in which a one-cycle schedule rises, and the longest gradient that is taken as it is.
_RISE = 0.1
_CLIP = 1.0


def train(
    model: Simulator,
    *,
    n_agents: int | None = None,
    n_trials: int | None = None,
    seed: int = 0,
    settings: Settings | None = None,
    simulation: Mapping[str, Any] | None = None,
    device: str | None = None,
    progress: bool = False,
) -> Estimator:
    """Train a network on a model's simulated agents.

    Parameters
    ----------
    model
        Whose agents they are.
    n_agents, n_trials
        Agents of an epoch together with those held out, and trials of each; the published size when None.
    seed
        Of agents, weights, the order of agents, lengths, hidden trials and dropout. The same seed, settings (among
        them ``threads``), torch and processor give the same numbers on a CPU; torch promises no more.
    settings
        Of network and training.
    simulation
        Settings of the simulator, such as ``{"noise": 2.0}``.
    device
        As torch names it; by default a GPU where torch has one, else the CPU.
    progress
        Show agents seen, rate, remaining time and the validation loss.

    Raises
    ------
    LatentError
        No torch, no such device, fewer than 2 agents to train or hold out, a weight of a latent that the model does
        not have, no trial, or a loss that is no number any more.
    """
    net.need_torch()
    chosen = settings or Settings()
    where = net.device_of(device)
    n_all = model.n_agents if n_agents is None else n_agents
    length = model.n_trials if n_trials is None else n_trials
    n_held = round(n_all * chosen.held_out)
    if n_held < 2 or n_all - n_held < 2 or length < 1:
        raise LatentError(
            f"{n_all} agents of {length} trials with held_out={chosen.held_out} leave {n_all - n_held} to train on and "
            f"{n_held} to hold out; give at least 2 of each, of 1 trial"
        )
    agents = Agents(model, n_all - n_held, length, seed, dict(simulation or {}))
    held_out, first = agents.drawn(n_held, 0), agents.epoch(0)
    unfit = Estimator(
        model=held_out.model,
        version=held_out.version,
        simulation=dict(held_out.settings),
        input_names=held_out.sequences.input_names,
        continuous_names=held_out.continuous_names,
        discrete=dict(zip(held_out.discrete_names, held_out.n_states, strict=True)),
        seed=seed,
        n_agents=n_all,
        n_trials=length,
        settings=chosen,
        scaling=Scaling.of(first),
        calibration=_none(len(held_out.continuous_names), len(held_out.discrete_names)),
        weights={},
        record=Record((), (), (), (), 0, "epochs", str(where)),
        packages=_versions(),
    )
    _check_weights(unfit)
    with net.seeded(seed_of(seed, 1, 0), chosen.threads if where.type == "cpu" else None):
        fitted = _fitted(unfit, agents, first, held_out, where, progress)
        return replace(fitted, calibration=_calibrated(fitted, held_out, where))


def _fitted(
    unfit: Estimator, agents: Agents, first: Simulated, held_out: Simulated, device: Any, progress: bool
) -> Estimator:
    """The estimator with the best epoch's weights, and its record."""
    settings = unfit.settings
    learner = _learner(unfit, agents.n, device)
    training: list[float] = []
    validation: list[float] = []
    seconds: list[float] = []
    rates: list[float] = []
    best, kept, stopped = 0, _weights(learner.network), "epochs"
    with counted("training", agents.n * settings.epochs, show=progress) as advance:
        for epoch in range(settings.epochs):
            begun = time.perf_counter()
            now = agents.epoch(epoch) if epoch and settings.fresh else first
            rng = np.random.default_rng(SeedSequence((unfit.seed, 2, epoch)))
            training.append(_epoch(learner, unfit, now, longest_share(settings, epoch), rng, advance))
            validation.append(_validation(learner.network, unfit, held_out, device))
            seconds.append(time.perf_counter() - begun)
            rates.append(float(learner.schedule.get_last_lr()[0]))
            if not np.isfinite(validation[-1]):
                raise LatentError(
                    f"the loss is no number after epoch {epoch + 1}; lower rate={settings.rate:g}, or look at the "
                    f"inputs and latents of model {unfit.model!r}"
                )
            advance(0, note=f"epoch {epoch + 1}/{settings.epochs}, validation {validation[-1]:.4f}")
            if epoch == 0 or validation[-1] < validation[best]:
                best, kept = epoch, _weights(learner.network)
            if epoch - best >= settings.patience:
                stopped = "patience"
                advance(0, fewer=agents.n * (settings.epochs - epoch - 1))
                break
    record = Record(tuple(training), tuple(validation), tuple(seconds), tuple(rates), best, stopped, str(device))
    return replace(unfit, weights=kept, record=record)


@dataclass(frozen=True)
class _Learner:
    """What changes while it learns."""

    network: Any
    optimiser: Any
    schedule: Any
    device: Any


def _learner(unfit: Estimator, n_agents: int, device: Any) -> _Learner:
    import torch

    settings = unfit.settings
    network = net.build(*unfit.sizes).to(device)
    optimiser = torch.optim.Adam(network.parameters(), lr=settings.rate)
    steps = -(-n_agents // settings.batch) * settings.epochs
    return _Learner(network, optimiser, torch.optim.lr_scheduler.LambdaLR(optimiser, _rates(settings, steps)), device)


def _epoch(
    learner: _Learner, estimator: Estimator, agents: Simulated, longest: float, rng: Generator, advance: Advance
) -> float:
    """One pass through the agents; mean loss of its steps."""
    from torch.nn.utils import clip_grad_norm_

    settings, network = estimator.settings, learner.network
    weights = _loss_weights(estimator)
    losses = []
    network.train()
    for inputs, continuous, states, observed in batches(estimator, agents, longest, rng, learner.device):
        out = net.forward(network, inputs, observed, settings.dropout)
        parts = net.split(out, len(estimator.continuous_names), estimator.n_states)
        value = loss.joint(parts, (continuous, states), observed, weights, settings.beta)
        learner.optimiser.zero_grad()
        value.backward()
        clip_grad_norm_(network.parameters(), _CLIP)
        learner.optimiser.step()
        learner.schedule.step()
        losses.append(float(value.detach()))
        advance(len(inputs))
    return float(np.mean(losses))


def _validation(network: Any, estimator: Estimator, held_out: Simulated, device: Any) -> float:
    """Weighted log loss of the held-out agents, as they are."""
    import torch

    seen = held_out.sequences
    mean, log_variance, logits = outputs(network, estimator, seen, device)
    parts = torch.from_numpy(mean), torch.from_numpy(log_variance), tuple(torch.from_numpy(a) for a in logits)
    targets = torch.from_numpy(estimator.scaling.targets(held_out.continuous)), torch.from_numpy(held_out.discrete)
    return float(loss.joint(parts, targets, torch.from_numpy(seen.mask), _loss_weights(estimator), beta=0.0))


def _calibrated(estimator: Estimator, held_out: Simulated, device: Any) -> Calibration:
    there = held_out.sequences.mask
    mean, log_variance, logits = outputs(
        net.loaded(estimator.weights, estimator.sizes, device), estimator, held_out.sequences, device
    )
    return calibrate(
        mean[there].astype(np.float64),
        np.exp(0.5 * log_variance[there].astype(np.float64)),
        (held_out.continuous[there] - estimator.scaling.target_mean) / estimator.scaling.target_sd,
        tuple(logit[there].astype(np.float64) for logit in logits),
        held_out.discrete[there],
    )


def _none(n_continuous: int, n_discrete: int) -> Calibration:
    return Calibration(np.ones(n_continuous), np.zeros((n_continuous, len(LEVELS))), np.ones(n_discrete))


def _rates(settings: Settings, steps: int) -> Any:
    """Factor of the learning rate at a step."""
    rise = max(1, round(_RISE * steps))

    def one_cycle(step: int) -> float:
        if step < rise:
            return 0.04 + 0.96 * (1 - np.cos(np.pi * step / rise)) / 2
        return float(max(1e-4, (1 + np.cos(np.pi * (step - rise) / max(1, steps - rise))) / 2))

    return one_cycle if settings.schedule == "one-cycle" else (lambda step: 1.0)


def _loss_weights(estimator: Estimator) -> tuple[tuple[float, ...], tuple[float, ...]]:
    given = estimator.settings.weights
    names = estimator.continuous_names, tuple(estimator.discrete)
    return tuple(given.get(name, 1.0) for name in names[0]), tuple(given.get(name, 1.0) for name in names[1])


def _check_weights(estimator: Estimator) -> None:
    known = (*estimator.continuous_names, *estimator.discrete)
    if unknown := [name for name in estimator.settings.weights if name not in known]:
        raise LatentError(
            f"setting weights names {unknown[0]!r}, but the latents of model {estimator.model!r} are {', '.join(known)}"
        )


def _weights(network: Any) -> dict[str, NDArray[np.float32]]:
    return {name: value.detach().cpu().numpy().copy() for name, value in network.state_dict().items()}


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
