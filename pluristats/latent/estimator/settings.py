"""How a network is built and trained: every choice in one record, which is stored with the weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from math import isfinite
from typing import Literal

from pluristats.errors import LatentError


@dataclass(frozen=True)
class Settings:
    """Choices of a network and its training.

    Parameters
    ----------
    units
        Hidden units of the recurrent network in each direction; the dense layers have half and a quarter of them.
    dropout
        Shares that are dropped after the recurrent and the two dense layers.
    rate
        Learning rate of Adam; the highest one where it follows a schedule.
    schedule
        ``"one-cycle"`` rises to ``rate`` in the first tenth of the steps and falls to zero until the last;
        ``"constant"`` keeps it.
    batch
        Agents a step.
    epochs
        Passes through ``n_agents`` agents, at most.
    patience
        Epochs without a lower validation loss after which training ends. The best epoch's weights are kept.
    fresh
        Simulate new agents for every epoch, so that nothing can be learnt by heart; else the same ones again.
    weights
        Of a latent's loss by its name; 1 where it is not named.
    beta
        The Gaussian loss of a trial is multiplied by variance^beta (as a constant), which at 0 is the likelihood and
        at 1 weighs errors as squares do (Seitzer et al. 2022, beta-NLL).
    shortest
        A step sees its agents' first L trials, L log-uniform from this share of all to a share that grows from it
        until, after six tenths of the epochs, it is all: short steps are cheap, and agents of any length are learnt.
        1 is always all.
    missing
        In half of a step's agents trials are hidden with a probability from U(0, ``missing``); 0 hides none, and the
        network then has not seen what a missing trial looks like.
    held_out
        Share of the agents whose loss decides when to stop and on whom uncertainty is calibrated.
    threads
        Of torch, on a CPU; another number may change the last digits of a sum, and then what is learnt.

    Raises
    ------
    LatentError
        A setting that cannot be.
    """

    units: int = 64
    dropout: tuple[float, float, float] = (0.0, 0.0, 0.0)
    rate: float = 1e-2
    schedule: Literal["one-cycle", "constant"] = "one-cycle"
    batch: int = 64
    epochs: int = 40
    patience: int = 20
    fresh: bool = True
    weights: Mapping[str, float] = field(default_factory=dict)
    beta: float = 0.5
    shortest: float = 0.1
    missing: float = 0.1
    held_out: float = 0.1
    threads: int = 2

    def __post_init__(self) -> None:
        for name in ("units", "batch", "epochs", "patience", "threads"):
            self._want(name, isinstance(value := getattr(self, name), int) and value >= 1, "a whole number from 1")
        self._want("units", self.units >= 4, "at least 4, because a dense layer has a quarter of them")
        self._want("dropout", len(self.dropout) == 3 and all(0 <= d < 1 for d in self.dropout), "three shares below 1")
        self._want("rate", isfinite(self.rate) and self.rate > 0, "a number above 0")
        self._want("schedule", self.schedule in ("one-cycle", "constant"), "'one-cycle' or 'constant'")
        self._want("beta", 0 <= self.beta <= 1, "a number from 0 to 1")
        self._want("shortest", 0 < self.shortest <= 1, "a share above 0, at most 1")
        self._want("missing", 0 <= self.missing < 1, "a share below 1")
        self._want("held_out", 0 < self.held_out < 1, "a share between 0 and 1")
        positive = all(isfinite(w) and w > 0 for w in self.weights.values())
        self._want("weights", positive, "numbers above 0 by the latent's name")

    def _want(self, name: str, holds: bool, what: str) -> None:
        if not holds:
            raise LatentError(f"setting {name}={getattr(self, name)!r} cannot be; give {what}")

    def as_dict(self) -> dict[str, object]:
        """Values by name, as JSON can hold them."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return values | {"dropout": list(self.dropout), "weights": dict(self.weights)}

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> Settings:
        """What :meth:`as_dict` gave."""
        given = dict(values)
        given["dropout"] = tuple(given.get("dropout", ()))  # type: ignore[arg-type]
        return cls(**given)  # type: ignore[arg-type]


PUBLISHED = Settings(
    units=70,
    dropout=(0.2, 0.2, 0.1),
    rate=3e-4,
    schedule="constant",
    batch=128,
    epochs=600,
    patience=35,
    fresh=False,
    beta=1.0,
    shortest=1.0,
    missing=0.0,
)
"""Defaults of Pan et al. (2025), who minimise squared errors and so have no variances."""

PUBLISHED_TUNED = Settings(**{**PUBLISHED.as_dict(), "units": 193, "dropout": (0.07, 0.053, 0.014)})  # type: ignore[arg-type]
"""The configuration that their published code uses."""
