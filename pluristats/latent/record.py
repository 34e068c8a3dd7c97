"""What flows in this package: behaviour of agents over trials, the latents behind it, and the models that link both.

N is the number of agents, T of trials (the longest agent's), C of continuous and D of discrete latents, P of
parameters, d of input columns. Agents with fewer trials are padded at their end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from pluristats.display.shown import Displayed, Shown
from pluristats.errors import LatentError

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
# Raw columns of a task by name, each (N, T): integers with -1, or floats with NaN, where a trial is missing.
Trials = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Sequences:
    """Behaviour as a network or a filter sees it.

    Parameters
    ----------
    inputs
        float32, shape (N, T, d); 0 beyond an agent's end and where a trial is missing.
    mask
        Shape (N, T): trials that exist and are not missing.
    input_names
        Names of the d columns.
    """

    inputs: NDArray[np.float32]
    mask: Mask
    input_names: tuple[str, ...]

    def __repr__(self) -> str:
        names = ", ".join(self.input_names)
        return f"<Sequences: {names} of {self.n_agents:,} agents over {self.n_trials:,} trials>"

    def __post_init__(self) -> None:
        if self.inputs.ndim != 3 or self.inputs.shape != (*self.mask.shape, len(self.input_names)):
            raise LatentError(
                f"Inputs of shape {self.inputs.shape} do not fit a mask of shape {self.mask.shape} and "
                f"{len(self.input_names)} names; give one column a name, (agents, trials, columns)."
            )

    @property
    def n_agents(self) -> int:
        """Agents."""
        return self.mask.shape[0]

    @property
    def n_trials(self) -> int:
        """Trials of the longest agent."""
        return self.mask.shape[1]

    def hide(self, where: Mask) -> Sequences:
        """The same behaviour with some trials (shape (N, T)) missing."""
        mask = self.mask & ~where
        return Sequences(np.where(mask[:, :, None], self.inputs, np.float32(0)), mask, self.input_names)


@dataclass(frozen=True, eq=False)
class Simulated(Displayed):
    """Behaviour that a model made up, with the latents and parameters behind it.

    Parameters
    ----------
    sequences
        The behaviour as inputs.
    continuous, continuous_names
        Shape (N, T, C), NaN beyond an agent's end, and the C names.
    discrete, discrete_names, n_states
        Shape (N, T, D), states 0, 1, …, -1 beyond an agent's end; the D names and numbers of states.
    parameters, parameter_names
        Shape (N, P), what each agent's trials were made with, and the P names.
    trials
        Raw columns by name, such as action and reward, each (N, T); -1 or NaN where there is none.
    model, version, seed
        Which simulator made them, from which seed.
    settings
        The simulator's other settings, in words or numbers; a noise that is not the model's own stands here.
    """

    sequences: Sequences
    continuous: Array
    continuous_names: tuple[str, ...]
    discrete: Ints
    discrete_names: tuple[str, ...]
    n_states: tuple[int, ...]
    parameters: Array
    parameter_names: tuple[str, ...]
    trials: Trials
    model: str
    version: int
    seed: int
    settings: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    simulated: bool = field(default=True, init=False)

    def __repr__(self) -> str:
        n, t = self.sequences.mask.shape
        return f"<Simulated by {self.model!r}: {n:,} agents over {t:,} trials, seed {self.seed}, SIMULATED>"

    def _shown(self) -> Shown:
        return Shown(
            f"Behaviour simulated by {self.model}, version {self.version}, seed {self.seed}",
            self.simulated,
            tables=(("Trials", self.table().drop(columns="simulated")),),
        )

    def table(self) -> pd.DataFrame:
        """One row a trial that exists: agent, trial, the raw columns, the latents, ``simulated`` (always True)."""
        import pandas as pd

        there = self.sequences.mask
        agent, trial = np.nonzero(there)
        columns: dict[str, Any] = {"agent": agent, "trial": trial}
        columns |= {name: values[there] for name, values in self.trials.items()}
        columns |= {name: self.continuous[there, k] for k, name in enumerate(self.continuous_names)}
        columns |= {name: self.discrete[there, k] for k, name in enumerate(self.discrete_names)}
        return pd.DataFrame(columns).assign(simulated=True)


class Prior(Protocol):
    """Distribution of a parameter over agents."""

    def draw(self, rng: Generator, n: int) -> Array:
        """Values of n agents, shape (n,)."""

    def log_density(self, x: Array) -> Array:
        """Log density at x, elementwise; -inf outside the support."""


@dataclass(frozen=True)
class Parameter:
    """A parameter of a model: its name, bounds for fits, distribution over agents, and what it does."""

    name: str
    low: float
    high: float
    prior: Prior
    meaning: str = ""


@dataclass(frozen=True, eq=False)
class Drawn:
    """What a simulator's loop gives: raw columns, continuous (N, T, C) and discrete (N, T, D) latents."""

    trials: Trials
    continuous: Array
    discrete: Ints


@dataclass(frozen=True, eq=False)
class Model(Displayed):
    """A cognitive model with a task: who the agents are, what they do, and what of it is seen.

    Parameters
    ----------
    name, version
        The version grows whenever the same seed gives other numbers.
    description, source
        One sentence each.
    parameters
        P of them, in the order of the columns of a parameter array.
    n_agents, n_trials
        Published size of a training set.
    continuous_names
        Continuous latents.
    discrete
        States of each discrete latent by name.
    input_names
        Columns that :meth:`encode` makes.
    columns
        Raw columns that it reads.
    run
        ``run(parameters (N, P), n_trials, rng, **settings)``: one agent a row.
    encoder
        ``encoder(trials)``: (N, T, d) inputs of the raw columns; what it gives for missing trials is not used.
    defaults
        Settings of ``run`` with their values. ``noise`` multiplies the level of the model's noise: 1 is the model.
    """

    name: str
    version: int
    description: str
    source: str
    parameters: tuple[Parameter, ...]
    n_agents: int
    n_trials: int
    continuous_names: tuple[str, ...]
    discrete: Mapping[str, int]
    input_names: tuple[str, ...]
    columns: tuple[str, ...]
    run: Callable[..., Drawn] = field(repr=False)
    encoder: Callable[[Trials], NDArray[Any]] = field(repr=False)
    defaults: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({"noise": 1.0}))

    def __repr__(self) -> str:
        return f"<Model {self.name!r} (version {self.version}): {self.description}>"

    def _shown(self) -> Shown:
        import pandas as pd

        rows = [(p.name, p.low, p.high, str(p.prior), p.meaning) for p in self.parameters]
        return Shown(
            f"Model {self.name}, version {self.version}",
            lines=(
                self.description,
                f"Latents: {', '.join((*self.continuous_names, *self.discrete))}. Read: {', '.join(self.columns)}.",
            ),
            tables=(("Parameters", pd.DataFrame(rows, columns=["parameter", "low", "high", "prior", "meaning"])),),
            notes=(f"Source: {self.source}.",),
        )

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Names of the P parameters."""
        return tuple(p.name for p in self.parameters)

    def draw(self, n_agents: int, rng: Generator) -> Array:
        """Parameters of agents from the priors, shape (n_agents, P)."""
        return np.column_stack([p.prior.draw(rng, n_agents) for p in self.parameters])

    def simulate(
        self,
        parameters: Array | None = None,
        *,
        n_agents: int | None = None,
        n_trials: int | None = None,
        seed: int = 0,
        **settings: Any,
    ) -> Simulated:
        """Behaviour of agents.

        Parameters
        ----------
        parameters
            Shape (N, P); drawn from the priors when None.
        n_agents, n_trials
            The published size when None; ``n_agents`` is not given together with ``parameters``.
        seed
            The same seed and arguments give the same numbers.
        settings
            Of this model, see ``defaults``.

        Raises
        ------
        LatentError
            When the parameters do not fit the model, or a setting is not one of its own.
        """
        if unknown := sorted(set(settings) - set(self.defaults)):
            raise LatentError(f"Model {self.name!r} has no setting {unknown[0]!r}; it has {', '.join(self.defaults)}.")
        full = {**self.defaults, **settings}
        # Parameters have a stream of their own, so that other settings keep the same agents.
        of_agents, of_trials = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(2))
        if parameters is None:
            values = self.draw(self.n_agents if n_agents is None else n_agents, of_agents)
        else:
            values = self._checked(np.asarray(parameters, dtype=np.float64), n_agents)
        drawn = self.run(values, self.n_trials if n_trials is None else n_trials, of_trials, **full)
        return Simulated(
            self.encode(drawn.trials),
            drawn.continuous,
            self.continuous_names,
            drawn.discrete,
            tuple(self.discrete),
            tuple(self.discrete.values()),
            values,
            self.parameter_names,
            drawn.trials,
            self.name,
            self.version,
            seed,
            MappingProxyType(full),
        )

    def encode(self, trials: Trials) -> Sequences:
        """Inputs of raw columns, real or simulated.

        Parameters
        ----------
        trials
            The model's ``columns``, each (N, T). A trial with -1 or NaN in any of them is missing.
        """
        if absent := [name for name in self.columns if name not in trials]:
            raise LatentError(
                f"Model {self.name!r} reads the columns {', '.join(self.columns)}; {absent[0]!r} is missing."
            )
        read = {name: np.asarray(trials[name]) for name in self.columns}
        shapes = {name: values.shape for name, values in read.items()}
        if len(set(shapes.values())) != 1 or any(len(shape) != 2 for shape in shapes.values()):
            raise LatentError(f"Columns must share one shape (agents, trials), not {shapes}.")
        mask = np.logical_and.reduce([present(values) for values in read.values()])
        inputs = np.where(mask[:, :, None], self.encoder(read), 0).astype(np.float32)
        return Sequences(inputs, mask, self.input_names)

    def _checked(self, values: Array, n_agents: int | None) -> Array:
        if values.ndim != 2 or values.shape[1] != len(self.parameters):
            raise LatentError(
                f"Model {self.name!r} needs parameters of shape (agents, {len(self.parameters)}), columns "
                f"{', '.join(self.parameter_names)}, not {values.shape}."
            )
        if n_agents is not None and n_agents != len(values):
            raise LatentError(f"n_agents={n_agents}, but parameters of {len(values)} agents are given; leave one out.")
        if not np.isfinite(values).all():
            agent, column = np.argwhere(~np.isfinite(values))[0]
            raise LatentError(f"Parameter {self.parameter_names[column]!r} of agent {agent} is not a finite number.")
        return values


def most_probable(probabilities: tuple[Array, ...], mask: Mask) -> Ints:
    """Most probable state of each discrete latent, shape (N, T, D); -1 where a trial is missing."""
    most = [np.where(mask, p.argmax(axis=2), -1) for p in probabilities]
    return np.stack(most, axis=2) if most else np.empty((*mask.shape, 0), np.int64)


def fitting(model: Model, parameters: Array, n_agents: int) -> Array:
    """Parameters as floats, shape (n_agents, P).

    Raises
    ------
    LatentError
        They have another shape.
    """
    theta = np.ascontiguousarray(parameters, dtype=np.float64)
    if theta.shape != (n_agents, len(model.parameters)):
        raise LatentError(
            f"Parameters of shape {theta.shape} do not fit {n_agents} agents and {len(model.parameters)} parameters of "
            f"{model.name}."
        )
    return theta


def present(values: NDArray[Any]) -> Mask:
    """Where a raw column has a value: not NaN; for integers, not negative."""
    return ~np.isnan(values) if np.issubdtype(values.dtype, np.floating) else values >= 0
