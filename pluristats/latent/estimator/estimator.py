"""What training leaves: a network's weights with all that is needed to use, check and repeat it, without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pluristats.display.shown import Displayed, Shown
from pluristats.display.text import one_line
from pluristats.latent.estimator.calibrate import Array, Calibration
from pluristats.latent.estimator.net import Weights
from pluristats.latent.estimator.settings import Settings
from pluristats.latent.record import Simulated


@dataclass(frozen=True, eq=False)
class Scaling:
    """Means and standard deviations of the training set, by which a network sees inputs and targets.

    Parameters
    ----------
    input_mean, input_sd
        Of observed trials, shape (d,); the deviation of a constant column is 1.
    target_mean, target_sd
        Of continuous latents, shape (C,).
    """

    input_mean: Array
    input_sd: Array
    target_mean: Array
    target_sd: Array

    @classmethod
    def of(cls, simulated: Simulated) -> Scaling:
        """Of a training set."""
        there = simulated.sequences.mask
        return cls(
            *_moments(simulated.sequences.inputs[there].astype(np.float64)), *_moments(simulated.continuous[there])
        )

    def inputs(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Standardised inputs, (…, d)."""
        return ((values - self.input_mean) / self.input_sd).astype(np.float32)

    def targets(self, values: Array) -> NDArray[np.float32]:
        """Standardised targets (…, C), 0 where there is none."""
        return np.nan_to_num((values - self.target_mean) / self.target_sd).astype(np.float32)


@dataclass(frozen=True)
class Record:
    """How training went.

    Parameters
    ----------
    training, validation
        Loss of each epoch: of its steps as they were taken, and of the held-out agents after it (whole sequences, log
        likelihood, so that the two are not comparable).
    seconds
        Of each epoch, simulation and validation included.
    rates
        Learning rate at each epoch's end.
    best
        Epoch, from 0, whose weights are kept.
    stopped
        ``"patience"`` or ``"epochs"``.
    device
        As torch names it.
    """

    training: tuple[float, ...]
    validation: tuple[float, ...]
    seconds: tuple[float, ...]
    rates: tuple[float, ...]
    best: int
    stopped: str
    device: str


@dataclass(frozen=True, eq=False)
class Estimator(Displayed):
    """A trained network from behaviour to latents.

    Parameters
    ----------
    model, version
        The simulator that it was trained on.
    simulation
        Settings of the simulator, such as its noise.
    input_names, continuous_names, discrete
        What it reads and says; states of each discrete latent by name.
    seed, n_agents, n_trials
        Of the training: agents of an epoch and those held out, and trials of each.
    settings
        Of the network and its training.
    scaling, calibration
        What its numbers are divided and multiplied by.
    weights
        Of the layers by name, as ``net.shapes`` says.
    record
        How training went.
    packages
        Versions of the packages that it was trained with.
    """

    model: str
    version: int
    simulation: Mapping[str, object]
    input_names: tuple[str, ...]
    continuous_names: tuple[str, ...]
    discrete: Mapping[str, int]
    seed: int
    n_agents: int
    n_trials: int
    settings: Settings
    scaling: Scaling
    calibration: Calibration
    weights: Weights = field(repr=False)
    record: Record = field(repr=False)
    packages: Mapping[str, str] = field(repr=False)

    def __repr__(self) -> str:
        said = one_line(", ".join((*self.continuous_names, *self.discrete)))
        return f"<Estimator of {self.model!r} (version {self.version}): {said}, seed {self.seed}, of SIMULATED agents>"

    def _shown(self) -> Shown:
        import pandas as pd

        record = self.record
        rows = [
            ("reads", ", ".join(self.input_names)),
            ("says", ", ".join((*self.continuous_names, *self.discrete))),
            ("agents, trials", f"{self.n_agents:,}, {self.n_trials:,}"),
            ("seed", str(self.seed)),
            ("epochs", f"{len(record.training):,}, of which the {record.best + 1:,}th is kept"),
            ("stopped by", record.stopped),
            ("simulation", ", ".join(f"{name} {value}" for name, value in self.simulation.items()) or "as the model's"),
            ("packages", ", ".join(f"{name} {version}" for name, version in self.packages.items())),
        ]
        return Shown(
            f"Estimator of {self.model}, version {self.version}",
            tables=(("Trained on simulated agents", pd.DataFrame(rows, columns=["", "value"])),),
        )

    @property
    def n_states(self) -> tuple[int, ...]:
        """States of each discrete latent."""
        return tuple(self.discrete.values())

    @property
    def sizes(self) -> tuple[int, int, tuple[int, ...], int]:
        """Inputs, continuous latents, states of discrete ones and units: what `net.build` and `net.shapes` take."""
        return len(self.input_names), len(self.continuous_names), self.n_states, self.settings.units


def _moments(values: Array) -> tuple[Array, Array]:
    """Mean and standard deviation of each column, 1 where it is constant."""
    sd = values.std(axis=0)
    return values.mean(axis=0), np.where(sd > 1e-12, sd, 1.0)
