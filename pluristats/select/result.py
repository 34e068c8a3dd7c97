"""What was selected, how near the target it is, and how near it can be."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pluristats.display.shown import Displayed, Shown, mark
from pluristats.display.text import one_line
from pluristats.errors import ConstraintError
from pluristats.select.bound import Bound
from pluristats.select.distance import combine, divergence
from pluristats.select.pool import Pool

if TYPE_CHECKING:
    from pluristats.select.diversity import Diversity

TRACE = ["generation", "individuals", "distance", "mean_distance", "seconds"]


@dataclass(frozen=True, eq=False)
class Selection(Displayed):
    """A selection of rows of a pool.

    Parameters
    ----------
    pool
        What was selected from, as measured.
    selected
        Rows of the pool from 0, sorted.
    distance
        Combined distance to the target, computed from the rows.
    axes
        Distance by axis.
    bound
        Below which no selection's distance is; None where it was not asked for.
    method, seed, settings
        How it was found; empty for a selection that somebody gives.
    generations, stopped
        How many were made, and why no more: ``generations``, ``patience``, ``bound`` or ``seconds``. The same call with
        ``generations`` set to this number gives the same selection without a limit of seconds.
    seconds, compile_seconds
        Of the search, and of compiling (once a machine) or loading the compiled code before it.
    trace
        One row a look at the search: generation, individuals, distance (best so far), mean_distance (of the
        population), seconds.
    """

    pool: Pool = field(repr=False)
    selected: NDArray[np.int64] = field(repr=False)
    distance: float
    axes: dict[str, float]
    bound: Bound | None = None
    method: str = ""
    seed: int | None = None
    settings: dict[str, Any] = field(default_factory=dict, repr=False)
    generations: int = 0
    stopped: str = ""
    seconds: float = 0.0
    compile_seconds: float = 0.0
    trace: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=TRACE), repr=False)

    def __repr__(self) -> str:
        axes = one_line(", ".join(f"{name} {value:.4f}" for name, value in self.axes.items()))
        near = "" if self.bound is None else f", bound {self.bound.distance:.5f}"
        simulated = mark(self.simulated)
        rows = f"{len(self.selected):,} of {len(self.pool):,}"
        return f"<Selection: {rows}, distance {self.distance:.5f} ({axes}){near}{simulated}>"

    def _shown(self) -> Shown:
        near = "" if self.bound is None else f"; no selection is nearer than {self.bound.distance:.5f}"
        rows = [("all, combined", self.distance), *self.axes.items()]
        return Shown(
            title=f"Selection of {len(self.selected):,} of {len(self.pool):,} rows",
            simulated=self.simulated,
            lines=(f"Distance to the target {self.pool.target.name!r}: {self.distance:.5f}{near}.",),
            tables=(("Distance by axis", pd.DataFrame(rows, columns=["axis", "distance"])),),
        )

    @property
    def simulated(self) -> bool:
        """Whether any row of the pool is."""
        return self.pool.simulated

    @property
    def gap(self) -> float:
        """The distance over the bound, less 1: no selection is nearer by more. NaN without a bound above 0."""
        if self.bound is None or self.bound.distance <= 0:
            return math.nan
        return self.distance / self.bound.distance - 1

    @property
    def fitness(self) -> float:
        """1 / distance; infinite at distance 0."""
        return math.inf if self.distance == 0 else 1 / self.distance

    def tidy(self) -> pd.DataFrame:
        """One row an axis and category.

        Columns: ``axis``, ``category`` (text), ``target`` and ``achieved`` (shares), ``mass`` (of the selection; rows
        of a harm level), ``rows`` (selected rows that have some), ``pool`` (the whole pool's share), ``simulated``.
        """
        parts = []
        for axis in self.pool.axes:
            chosen = axis.mass[self.selected]
            mass, whole = (np.asarray(m.sum(axis=0)).ravel() for m in (chosen, axis.mass))
            parts.append(
                pd.DataFrame(
                    {
                        "axis": axis.axis.name,
                        "category": [str(c) for c in axis.categories],
                        "target": axis.target,
                        "achieved": mass / mass.sum() if mass.sum() > 0 else np.nan,
                        "mass": mass,
                        "rows": np.asarray((chosen > 0).sum(axis=0)).ravel().astype(np.int64),
                        "pool": whole / whole.sum(),
                        "simulated": self.simulated,
                    }
                )
            )
        return pd.concat(parts, ignore_index=True)

    def glance(self) -> pd.DataFrame:
        """One row: size, pool, target, distance, distance_<axis>, bound, gap, fitness, and how it was found."""
        row: dict[str, Any] = {
            "size": len(self.selected),
            "pool": len(self.pool),
            "target": self.pool.target.name,
            "distance": self.distance,
            **{f"distance_{name}": value for name, value in self.axes.items()},
            "bound": math.nan if self.bound is None else self.bound.distance,
            "gap": self.gap,
            "fitness": self.fitness,
            "method": self.method,
            "seed": self.seed,
            "generations": self.generations,
            "stopped": self.stopped,
            "seconds": self.seconds,
            "compile_seconds": self.compile_seconds,
            "bound_seconds": math.nan if self.bound is None else self.bound.seconds,
            "simulated": self.simulated,
        }
        return pd.DataFrame([row])

    def frame(self) -> pd.DataFrame:
        """The selected rows of the pool; their index is their number there."""
        return self.pool.frame.iloc[self.selected]

    def diversity(self, text: str = "text", *, similar: float = 0.9) -> Diversity:
        """`diversity.diversity` of the selected rows."""
        from pluristats.select.diversity import diversity

        return diversity(self.frame(), text=text, similar=similar)

    def as_json(self) -> dict[str, Any]:
        """What a program needs, in plain types: selected, distance, axes, bound, gap, seconds and how it was found."""
        bound = None if self.bound is None else self.bound.distance
        return {
            "selected": self.selected.tolist(),
            "distance": self.distance,
            "axes": dict(self.axes),
            "bound": bound,
            "gap": None if math.isnan(self.gap) else self.gap,
            "seconds": self.seconds,
            "compile_seconds": self.compile_seconds,
            "method": self.method,
            "seed": self.seed,
            "generations": self.generations,
            "stopped": self.stopped,
            "target": self.pool.target.name,
            "simulated": self.simulated,
        }


def selection_of(pool: Pool, rows: Iterable[int], **found: Any) -> Selection:
    """A `Selection` of rows of a measured pool, everything computed from the rows.

    Raises
    ------
    ConstraintError
        There are no rows, a row is given twice, or is none of the pool.
    """
    given = list(rows)
    selected = np.array(sorted(int(row) for row in given), dtype=np.int64)
    if not len(selected):
        raise ConstraintError("a selection has at least one row.")
    if len(np.unique(selected)) < len(selected):
        raise ConstraintError(f"row {selected[:-1][np.diff(selected) == 0][0]} is selected twice.")
    if selected[0] < 0 or selected[-1] >= len(pool):
        wrong = selected[0] if selected[0] < 0 else selected[-1]
        raise ConstraintError(f"row {wrong} is none of the pool, whose rows are 0 to {len(pool) - 1:,}.")
    divergences, weights = [], []
    for axis in pool.axes:
        divergences.append(divergence(np.asarray(axis.mass[selected].sum(axis=0)).ravel(), axis.target))
        weights.append(axis.axis.weight)
    axes = {axis.axis.name: math.sqrt(d) for axis, d in zip(pool.axes, divergences, strict=True)}
    return Selection(pool, selected, combine(divergences, weights), axes, **found)


def trace_table(trace: Sequence[tuple[int, int, float, float, float]], simulated: bool) -> pd.DataFrame:
    """The trace as a table, with ``simulated``."""
    return pd.DataFrame(list(trace), columns=TRACE).assign(simulated=simulated)
