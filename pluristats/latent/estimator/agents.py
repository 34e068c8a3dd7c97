"""Where training's agents come from: a simulator, with a seed of its own for each epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.random import SeedSequence

from pluristats.errors import LatentError
from pluristats.latent.record import Simulated


class Simulator(Protocol):
    """What training asks of a model; `pluristats.latent.record.Model` has it."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def n_agents(self) -> int:
        """Published number of agents."""

    @property
    def n_trials(self) -> int:
        """Published number of trials."""

    def simulate(
        self, parameters: None = None, *, n_agents: int | None, n_trials: int | None, seed: int, **settings: Any
    ) -> Simulated:
        """Agents with parameters from the priors."""


@dataclass(frozen=True)
class Agents:
    """Where an epoch's agents come from.

    Parameters
    ----------
    model
        Whose agents they are.
    n, n_trials
        Agents of an epoch, and trials of each.
    seed
        Of the training.
    settings
        Of the simulator.
    """

    model: Simulator
    n: int
    n_trials: int
    seed: int
    settings: dict[str, Any]

    def drawn(self, n: int, stream: int) -> Simulated:
        """Agents of a stream of their own.

        Raises
        ------
        LatentError
            None of their trials is there, or an input or latent is no finite number or state.
        """
        found = self.model.simulate(
            n_agents=n, n_trials=self.n_trials, seed=seed_of(self.seed, 0, stream), **self.settings
        )
        there = found.sequences.mask
        if not there.any():
            raise LatentError(f"model {self.model.name!r} simulated no trial that is there; check its settings")
        usable = np.isfinite(found.sequences.inputs).all(axis=2) & np.isfinite(found.continuous).all(axis=2)
        wrong = there & ~(usable & (found.discrete >= 0).all(axis=2))
        if wrong.any():
            agent, trial = np.argwhere(wrong)[0]
            raise LatentError(
                f"model {self.model.name!r} simulated an input or latent that is no finite number or state (agent "
                f"{agent}, trial {trial}, seed {found.seed}); mend the simulator or its settings {self.settings}"
            )
        return found

    def epoch(self, epoch: int) -> Simulated:
        """Agents of an epoch, from 0; those held out are stream 0."""
        return self.drawn(self.n, 1 + epoch)


def seed_of(seed: int, purpose: int, index: int) -> int:
    """A seed of its own for each purpose (0 agents, 1 torch) and index."""
    return int(SeedSequence((seed, purpose, index)).generate_state(1, np.uint32)[0])
