"""Select rows of a pool: the function that people call, and its siblings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pluristats.display.shown import Displayed, Shown
from pluristats.errors import ConstraintError
from pluristats.select.bound import Bound, lower_bound
from pluristats.select.constraints import Checked, Constraints, check
from pluristats.select.counts import nearest_counts, room
from pluristats.select.pool import Pool, measure, read_pool
from pluristats.select.problem import Arrays, arrays
from pluristats.select.result import Selection, selection_of, trace_table
from pluristats.select.search import search
from pluristats.select.settings import Settings
from pluristats.select.target import Mass, Target, load_target

Table = pd.DataFrame | str | Path


def select_prompts(
    pool: Table,
    target: Target | str | Path | None = None,
    size: int = 150,
    constraints: Constraints | Mapping[str, Any] | None = None,
    *,
    seed: int = 0,
    method: str = "memetic",
    weights: Mapping[str, float] | None = None,
    masses: Mapping[str, Mass] | Mass | None = None,
    bound: bool = True,
    **settings: Any,
) -> Selection:
    """Select rows whose distributions are near a target's: fitness = 1 / combined Jensen-Shannon distance.

    Parameters
    ----------
    pool
        One row a candidate, or the path of a .parquet or .csv file: ``seed``, ``harm_level``, ``action_*``,
        ``effect_*``, ``value_topic_*`` for the paper's target; other columns stay as they are.
    target
        A `Target`, a name or path for `load_target`; the paper's by default.
    size
        Rows to select, exactly.
    constraints
        `Constraints`, or a mapping of their parameters; at most 2 rows a seed by default.
    seed
        Of the random numbers. The same pool, arguments and seed give the same selection, whatever ``n_jobs`` is.
    method, settings
        Of `Settings`: ``population``, ``generations``, ``crossover_rate``, ``mutation_rate``, ``tournament``,
        ``patience``, ``gap``, ``seconds``, ``n_jobs``, ``progress``, ….
    weights, masses
        Of axes, as in `Target.with_`.
    bound
        Whether to compute the lower bound first (seconds of work for 60,000 rows), which also lets ``gap`` stop the
        search.

    Raises
    ------
    PoolError
        The table cannot be used.
    TargetError
        The target cannot.
    ConstraintError
        No selection keeps the constraints, or a setting is out of its range.
    """
    how = Settings(method=method, **settings)  # type: ignore[arg-type]
    seed = _seed(seed)
    problem = _prepare(pool, target, size, constraints, weights, masses)
    return _run(problem, how, seed, lower_bound(problem.pool, problem.checked) if bound else None)


def evaluate_selection(
    pool: Table,
    rows: Iterable[int],
    target: Target | str | Path | None = None,
    constraints: Constraints | Mapping[str, Any] | None = None,
    *,
    weights: Mapping[str, float] | None = None,
    masses: Mapping[str, Mass] | Mass | None = None,
    bound: bool = False,
) -> Selection:
    """Distances of a selection that somebody made, whether or not it keeps any constraints.

    Parameters
    ----------
    pool, target, weights, masses
        As in `select_prompts`; the pool need not have seeds.
    rows
        Numbers of the rows, from 0.
    constraints
        For the bound; none by default, not even on seeds.
    bound
        Whether to compute the bound for as many rows.

    Raises
    ------
    PluristatsError
        As `select_prompts`; a ConstraintError where a row is none of the pool or is given twice.
    """
    rows = list(rows)
    measured = measure(_table(pool), _target(target, weights, masses), need_seed=False)
    found = selection_of(measured, rows)
    if not bound:
        return found
    limits = _constraints({"max_per_seed": None} if constraints is None else constraints)
    return selection_of(measured, rows, bound=lower_bound(measured, check(measured, limits, len(rows))))


@dataclass(frozen=True, eq=False)
class Sensitivity(Displayed):
    """Selections of several seeds.

    Parameters
    ----------
    selections
        One a seed.
    """

    selections: tuple[Selection, ...] = field(repr=False)

    def _shown(self) -> Shown:
        return Shown(
            title=f"Selections of {len(self.selections)} seeds",
            simulated=self.selections[0].simulated,
            tables=(("All seeds", self.glance()), ("Each seed", self.tidy())),
        )

    def tidy(self) -> pd.DataFrame:
        """`Selection.glance` of each, one row a seed."""
        return pd.concat([selection.glance() for selection in self.selections], ignore_index=True)

    def overlaps(self) -> pd.DataFrame:
        """One row a pair of seeds: first, second, overlap = |A ∩ B| / |A ∪ B| of their rows (Jaccard)."""
        rows = []
        for a, b in combinations(self.selections, 2):
            both = len(np.intersect1d(a.selected, b.selected))
            rows.append((a.seed, b.seed, both / (len(a.selected) + len(b.selected) - both)))
        return pd.DataFrame(rows, columns=["first", "second", "overlap"])

    def frequency(self) -> pd.DataFrame:
        """Rows of the pool that any selection has: row, times (selections that have it), share; most often first."""
        row, times = np.unique(np.concatenate([s.selected for s in self.selections]), return_counts=True)
        order = np.lexsort((row, -times))
        table = pd.DataFrame({"row": row[order], "times": times[order]})
        return table.assign(share=table["times"] / len(self.selections))

    def glance(self) -> pd.DataFrame:
        """One row: seeds, distance_best, distance_median, distance_worst, overlap_mean, bound."""
        distances = np.array([s.distance for s in self.selections])
        first = self.selections[0].bound
        facts = {
            "seeds": len(self.selections),
            "distance_best": distances.min(),
            "distance_median": float(np.median(distances)),
            "distance_worst": distances.max(),
            "overlap_mean": self.overlaps()["overlap"].mean(),
            "bound": np.nan if first is None else first.distance,
            "simulated": self.selections[0].simulated,
        }
        return pd.DataFrame([facts])


def seed_sensitivity(
    pool: Table,
    target: Target | str | Path | None = None,
    size: int = 150,
    constraints: Constraints | Mapping[str, Any] | None = None,
    *,
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    method: str = "memetic",
    weights: Mapping[str, float] | None = None,
    masses: Mapping[str, Mass] | Mass | None = None,
    bound: bool = True,
    **settings: Any,
) -> Sensitivity:
    """Select with several seeds: how much the distance and the rows depend on chance.

    Parameters
    ----------
    seeds
        At least one, distinct; the others as in `select_prompts`, with which each selection agrees.
    """
    how = Settings(method=method, **settings)  # type: ignore[arg-type]
    numbers = [_seed(seed) for seed in seeds]
    if not numbers or len(set(numbers)) < len(numbers):
        raise ConstraintError(f"seeds is a list of at least one whole number, none twice, not {list(seeds)!r}.")
    problem = _prepare(pool, target, size, constraints, weights, masses)
    floor = lower_bound(problem.pool, problem.checked) if bound else None
    return Sensitivity(tuple(_run(problem, how, seed, floor) for seed in numbers))


@dataclass(frozen=True, eq=False)
class _Prepared:
    pool: Pool
    checked: Checked
    arrays: Arrays
    counts: tuple[int, ...]


def _prepare(
    pool: Table,
    target: Target | str | Path | None,
    size: int,
    constraints: Constraints | Mapping[str, Any] | None,
    weights: Mapping[str, float] | None,
    masses: Mapping[str, Mass] | Mass | None,
) -> _Prepared:
    limits = _constraints(constraints)
    measured = measure(_table(pool), _target(target, weights, masses), need_seed=limits.max_per_seed is not None)
    checked = check(measured, limits, size)
    level = next((axis for axis in measured.axes if axis.axis.column is not None), None)
    counts: tuple[int, ...] = ()
    if level is not None:
        found = nearest_counts(level.target, size, room(measured, checked, level))
        if found is None:
            raise ConstraintError(
                f"no selection of {size:,} rows keeps the quotas, included rows and max_per_seed on "
                f"{level.axis.column}; loosen one."
            )
        counts = tuple(found.tolist())
    return _Prepared(measured, checked, arrays(measured, checked), counts)


def _run(problem: _Prepared, settings: Settings, seed: int, bound: Bound | None) -> Selection:
    limit = None if bound is None else bound.distance
    found = search(problem.arrays, problem.counts, settings, seed, limit)
    return selection_of(
        problem.pool,
        problem.arrays.selected(found.chosen),
        bound=bound,
        method=settings.method,
        seed=seed,
        settings=asdict(settings),
        generations=found.generations,
        stopped=found.stopped,
        seconds=found.seconds,
        compile_seconds=found.compile_seconds,
        trace=trace_table(found.trace, problem.pool.simulated),
    )


def _table(pool: Table) -> pd.DataFrame:
    return pool if isinstance(pool, pd.DataFrame) else read_pool(pool)


def _target(
    target: Target | str | Path | None, weights: Mapping[str, float] | None, masses: Mapping[str, Mass] | Mass | None
) -> Target:
    found = target if isinstance(target, Target) else load_target("pluriharms" if target is None else target)
    return found.with_(weights=weights, masses=masses)


def _constraints(given: Constraints | Mapping[str, Any] | None) -> Constraints:
    if given is None:
        return Constraints()
    if isinstance(given, Constraints):
        return given
    known = list(Constraints.__dataclass_fields__)
    for name in given:
        if name not in known:
            raise ConstraintError(f"there is no constraint {name!r}; there are {', '.join(known)}.")
    return Constraints(**given)


def _seed(seed: object) -> int:
    if not isinstance(seed, Integral) or isinstance(seed, bool) or seed < 0:
        raise ConstraintError(f"seed is a whole number of at least 0, not {seed!r}.")
    return int(seed)
