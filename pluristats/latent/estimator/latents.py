"""What an estimator says of agents' latents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pluristats.display.shown import Displayed, Shown, mark
from pluristats.display.text import one_line
from pluristats.errors import LatentError
from pluristats.latent.estimator.calibrate import Array, half_width
from pluristats.latent.record import Ints, Mask, most_probable

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Latents(Displayed):
    """Latents of N agents over T trials.

    Parameters
    ----------
    mean, sd, continuous_names
        Of C continuous latents, shape (N, T, C), NaN where a trial is missing.
    half_widths
        Of their intervals in standard deviations, as `Calibration` has them.
    probabilities, discrete_names
        Of the states of each discrete latent, shape (N, T, states) each, NaN where a trial is missing.
    mask
        Shape (N, T): trials that are there.
    model, version
        Simulator that the estimator was trained on.
    simulated
        Whether the behaviour is made up.
    """

    mean: Array
    sd: Array
    continuous_names: tuple[str, ...]
    half_widths: Array = field(repr=False)
    probabilities: tuple[Array, ...]
    discrete_names: tuple[str, ...]
    mask: Mask
    model: str
    version: int
    simulated: bool

    def __repr__(self) -> str:
        n, t = self.mask.shape
        names = one_line(", ".join((*self.continuous_names, *self.discrete_names)))
        simulated = mark(self.simulated)
        return f"<Latents of {self.model!r}: {names} of {n:,} agents over {t:,} trials{simulated}>"

    def _shown(self) -> Shown:
        return Shown(
            f"Latents of {self.model}, version {self.version}",
            self.simulated,
            lines=(repr(self),),
            tables=(("Of each trial, 90% intervals", self.tidy()),),
        )

    @property
    def states(self) -> Ints:
        """Most probable states, shape (N, T, D); -1 where a trial is missing."""
        return most_probable(self.probabilities, self.mask)

    def interval(self, level: float = 0.9) -> tuple[Array, Array]:
        """Ends of intervals, mean ∓ h(level) · sd, shape (N, T, C) each.

        h is calibrated on simulated agents: that share of their trials was covered. A latent with bounds may have
        an interval that passes them.

        Raises
        ------
        LatentError
            A level outside 0.01 to 0.99.
        """
        width = half_width(self.half_widths, level) * self.sd
        return self.mean - width, self.mean + width

    def tidy(self, level: float = 0.9, agents: Sequence[object] | None = None, first: int = 0) -> pd.DataFrame:
        """One row a trial that is there and continuous latent, or state of a discrete one.

        Columns: agent, trial, latent, estimate, sd, conf_low, conf_high, state, probability, simulated. The
        first four numbers are missing for discrete latents, state and probability for continuous ones.

        Parameters
        ----------
        level
            Of conf_low and conf_high.
        agents
            Names of the N agents; 0, 1, … when None.
        first
            Number of the first trial.
        """
        import pandas as pd

        if agents is not None and len(agents) != len(self.mask):
            raise LatentError(f"{len(agents)} names for {len(self.mask)} agents; give one name an agent")
        agent, trial = np.nonzero(self.mask)
        named = agent if agents is None else pd.Series(list(agents)).to_numpy()[agent]
        low, high = self.interval(level)
        there = {"agent": named, "trial": trial + first}
        parts = []
        for k, name in enumerate(self.continuous_names):
            values = {"estimate": self.mean, "sd": self.sd, "conf_low": low, "conf_high": high}
            parts.append(pd.DataFrame(there | {"latent": name} | {c: v[self.mask, k] for c, v in values.items()}))
        for name, probability in zip(self.discrete_names, self.probabilities, strict=True):
            for state in range(probability.shape[2]):
                found = {"latent": name, "state": state, "probability": probability[self.mask, state]}
                parts.append(pd.DataFrame(there | found))
        table = pd.concat(parts, ignore_index=True).reindex(columns=COLUMNS)
        return table.astype({"state": "Int64"}).assign(simulated=self.simulated)


COLUMNS = ["agent", "trial", "latent", "estimate", "sd", "conf_low", "conf_high", "state", "probability"]
"""Of :meth:`Latents.tidy`, before ``simulated``."""
