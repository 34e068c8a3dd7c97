"""Small frozen records: a read-only mapping, where a study came from, and the truth behind a simulated one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from pluristats.display.shown import Displayed, Shown

Value = TypeVar("Value")


class FrozenMap(Mapping[str, Value], Generic[Value]):
    """A read-only mapping that, unlike ``types.MappingProxyType``, can be pickled to worker processes.

    Parameters
    ----------
    items
        What to hold; copied, in its order.
    """

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, Value] | None = None):
        self._items = dict(items or {})

    def __getitem__(self, key: str) -> Value:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return repr(self._items)

    def _ipython_key_completions_(self) -> list[str]:
        """Names that Tab offers after ``study.groups["``; IPython knows the keys of a dict only."""
        return list(self)


@dataclass(frozen=True)
class Source:
    """Where a study came from.

    Parameters
    ----------
    path
        Folder or file that was read; None for a study simulated in memory.
    kind
        ``release`` (the PluriHarms file format), ``yaml`` (described by a ``study.yaml``) or ``simulated``
        (made in memory).
    files
        sha256 of every file read, by name.
    simulated
        Whether the ratings are simulated; stays True for a simulated study that was written and read back.
    seed
        Seed of the simulation, None for data.
    """

    path: str | None
    kind: Literal["release", "yaml", "simulated"]
    files: Mapping[str, str] = field(default_factory=lambda: FrozenMap[str]())
    simulated: bool = False
    seed: int | None = None


@dataclass(frozen=True)
class Truth(Displayed):
    """What generated a simulated study, on the latent scale (before the scale's ends and the raters' rounding).

    latent_ij = intercept + Σ fixed·z + Σ interactions·z·z + annotator_i + prompt_j + residual_ij, and the unrounded
    rating is 50 + ``points`` · latent_ij points.

    Parameters
    ----------
    intercept
        Latent mean.
    fixed
        Coefficient by frame column name, for z-scored columns (factors: for one unit as released; ``harm_level``:
        for the z-scored level). Columns that are not named have coefficient 0.
    interactions
        Coefficient of ``trait:action`` products.
    variances
        Latent variances of ``annotator`` and ``prompt`` intercepts and of the ``residual``.
    points
        Rating points per latent unit.
    annotator_intercepts, prompt_intercepts
        The drawn intercepts, in the order of ``study.annotators`` and ``study.prompts``.
    parameters
        The simulator's arguments, enough to run it again.
    """

    intercept: float
    fixed: Mapping[str, float]
    interactions: Mapping[str, float]
    variances: Mapping[str, float]
    points: float
    annotator_intercepts: tuple[float, ...] = field(repr=False)
    prompt_intercepts: tuple[float, ...] = field(repr=False)
    parameters: Mapping[str, float]

    def __repr__(self) -> str:
        effects = len(self.fixed) + len(self.interactions)
        return f"<Truth: intercept {self.intercept:g}, {effects:,} effects that are not 0, SIMULATED>"

    def _shown(self) -> Shown:
        import pandas as pd

        effects = {"(Intercept)": self.intercept, **self.fixed, **self.interactions}
        tables = (
            ("Coefficients of z-scored columns; others are 0", effects),
            ("Latent variances", self.variances),
            ("The simulator's arguments", self.parameters),
        )
        return Shown(
            "What generated the study",
            simulated=True,
            lines=(f"On the latent scale, of which a unit is {self.points:g} rating points.",),
            tables=tuple((text, pd.DataFrame(list(of.items()), columns=["what", "value"])) for text, of in tables),
        )
