"""Pools of candidates: a table read and checked, and its masses on a target's axes."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pluristats.display.shown import Displayed, Shown, mark
from pluristats.distinct import factorise
from pluristats.errors import OutOfReachWarning, PoolError, TargetError
from pluristats.select.target import Axis, Category, Target
from pluristats.study.tables import show

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Array = NDArray[np.float64]
# Levels and other numbers that name a category are the same when they differ by less: 0.1 + 0.2 is the level 0.3.
SAME = 1e-6


@dataclass(frozen=True, eq=False)
class PoolAxis:
    """A pool's masses on one axis.

    Parameters
    ----------
    axis
        Of the target.
    categories
        As a person would name them, K of them.
    mass
        Non-negative, sparse, (n, K).
    target
        Shares that sum to 1, (K,).
    """

    axis: Axis
    categories: tuple[Category, ...]
    mass: csr_array
    target: Array

    @property
    def empty(self) -> tuple[Category, ...]:
        """Categories that the target wants and no row has."""
        there = np.asarray(self.mass.sum(axis=0)).ravel()
        return tuple(c for c, total, q in zip(self.categories, there, self.target, strict=True) if q > 0 and total == 0)


@dataclass(frozen=True, eq=False)
class Pool(Displayed):
    """Candidates.

    Parameters
    ----------
    frame
        As given, with rows numbered from 0.
    target
        What its axes are measured for.
    axes
        Masses, in the target's order.
    seed
        Number of each row's seed, 0 …, (n,); rows without a column ``seed`` are their own.
    """

    frame: pd.DataFrame
    target: Target
    axes: tuple[PoolAxis, ...]
    seed: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.frame)

    def __repr__(self) -> str:
        simulated = mark(self.simulated)
        return f"<Pool: {len(self):,} rows of {len(np.unique(self.seed)):,} seeds, {self.target!r}{simulated}>"

    def _shown(self) -> Shown:
        rows = [(a.axis.name, len(a.categories), len(a.empty)) for a in self.axes]
        table = pd.DataFrame(rows, columns=["axis", "categories", "wanted, and no row has them"])
        title = f"Pool of {len(self):,} rows of {len(np.unique(self.seed)):,} seeds"
        return Shown(title, self.simulated, tables=((f"Axes of the target {self.target.name!r}", table),))

    @property
    def simulated(self) -> bool:
        """Whether any candidate is."""
        return "simulated" in self.frame and bool(self.frame["simulated"].astype(bool).any())

    @property
    def empty(self) -> dict[str, tuple[Category, ...]]:
        """By axis, categories that the target wants and no row has."""
        return {axis.axis.name: axis.empty for axis in self.axes if axis.empty}


def read_pool(path: str | Path) -> pd.DataFrame:
    """A pool's table from a Parquet or CSV file.

    Parameters
    ----------
    path
        Ends in .parquet or .csv (UTF-8, an empty cell is a missing number; texts stay as they are).

    Raises
    ------
    PoolError
        The file cannot be read; the message says why.
    """
    path = Path(path)
    if path.suffix.lower() not in (".parquet", ".csv"):
        raise PoolError(f"{path}: a pool is a .parquet or .csv file; export it as one.")
    try:
        if path.suffix.lower() == ".csv":
            return pd.read_csv(path, keep_default_na=False, na_values=[""], low_memory=False)
        return pd.read_parquet(path)
    except FileNotFoundError:
        raise PoolError(f"{path} is not there; give the path of a pool.") from None
    except ImportError:
        raise PoolError(f"{path}: Parquet needs pyarrow; pip install 'pluristats[arrow]'.") from None
    except Exception as error:  # of pandas and pyarrow, many kinds
        reason = (str(error) or type(error).__name__).splitlines()[0][:200]
        raise PoolError(f"{path} cannot be read ({reason}); export it again.") from None


def measure(frame: pd.DataFrame, target: Target, *, need_seed: bool = True) -> Pool:
    """Check a table against a target and take its masses.

    Parameters
    ----------
    frame
        One row a candidate: the target's columns (of the paper's: ``harm_level``, ``action_*``, ``effect_*``,
        ``value_topic_*``), ``seed`` where ``need_seed``, and any others.
    target
        What to measure.
    need_seed
        Whether a table without a column ``seed`` is refused.

    Raises
    ------
    PoolError
        A column is missing, or a cell is no number, not finite or below 0 where that cannot be; the message names
        column, row (from 0) and value.
    TargetError
        The target names a category that the pool has no column for.

    Warns
    -----
    OutOfReachWarning
        The target wants categories that no row has; a distance is defined, and the bound counts them in.
    """
    if not len(frame):
        raise PoolError("the pool has no rows; there is nothing to select from.")
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice):
        raise PoolError(f"the pool has two columns called {show(twice[0])}; keep one.")
    frame = frame.reset_index(drop=True)
    axes = tuple(_of_column(frame, a) if a.prefix is None else _of_columns(frame, a) for a in target.axes)
    pool = Pool(frame, target, axes, _seeds(frame, need_seed))
    if pool.empty:
        named = "; ".join(f"{axis}: {', '.join(map(str, empty))}" for axis, empty in pool.empty.items())
        text = f"no row of the pool has what the target wants of {named}; its distribution is out of reach"
        warnings.warn(text, OutOfReachWarning, stacklevel=3)
    return pool


def _seeds(frame: pd.DataFrame, need_seed: bool) -> NDArray[np.int64]:
    if "seed" not in frame:
        if need_seed:
            raise PoolError("the pool has no column seed; add it, or allow any number a seed (max_per_seed=None).")
        return np.arange(len(frame))
    missing = np.flatnonzero(frame["seed"].isna())
    if len(missing):
        raise PoolError(f"row {missing[0]} of the pool has no seed; give every row one, or leave the column out.")
    return factorise(frame["seed"])[0].astype(np.int64)


def _of_column(frame: pd.DataFrame, axis: Axis) -> PoolAxis:
    """One-hot masses of a column's values."""
    from scipy.sparse import csr_array

    assert axis.column is not None
    if axis.column not in frame:
        raise PoolError(f"the pool has no column {show(axis.column)}, which axis {axis.name!r} is about; add it.")
    values = frame[axis.column]
    if axis.shares is None:
        known: list[Any] = sorted(factorise(values)[1])
        target = np.full(len(known), 1 / max(len(known), 1))
    else:
        known, target = [c for c, _ in axis.shares], np.array([q for _, q in axis.shares])
    place = match(values, known, f"the pool's column {axis.column}")
    unknown = np.flatnonzero(place < 0)
    if len(unknown):
        raise PoolError(
            f"row {unknown[0]} of the pool has {show(values.iloc[unknown[0]])} in column {axis.column}, which is no "
            f"category of axis {axis.name!r} ({', '.join(map(str, known))}); mend it, or give it a share of 0."
        )
    n = len(frame)
    mass = csr_array((np.ones(n), place, np.arange(n + 1)), shape=(n, len(known)))
    return PoolAxis(axis, tuple(known), mass, target)


def match(values: pd.Series, known: Sequence[Any], what: str) -> NDArray[np.int64]:
    """Place of each value among the known ones, −1 where it is none; numbers within 1e-6 are the same."""
    if known and all(isinstance(c, int | float) and not isinstance(c, bool) for c in known):
        numbers = _numbers(values, what)
        order = np.argsort(known)
        steps = np.asarray(known, dtype=np.float64)[order]
        at = np.clip(np.searchsorted(steps, numbers - SAME), 0, len(steps) - 1)
        return np.where(np.abs(steps[at] - numbers) <= SAME, order[at], -1)
    place = {str(c): i for i, c in enumerate(known)}
    return np.array([place.get(str(v), -1) for v in values], dtype=np.int64)


def _of_columns(frame: pd.DataFrame, axis: Axis) -> PoolAxis:
    """Masses of the columns with a prefix."""
    from scipy.sparse import csr_array

    assert axis.prefix is not None
    columns = [name for name in frame.columns if isinstance(name, str) and name.startswith(axis.prefix)]
    if not columns:
        raise PoolError(f"the pool has no column that begins with {show(axis.prefix)}, which axis {axis.name!r} is of.")
    x = np.column_stack([_numbers(frame[name], f"the pool's column {name}") for name in columns])
    if not axis.signed and (x < 0).any():
        row, column = np.argwhere(x < 0)[0]
        raise PoolError(
            f"row {row} of the pool has {x[row, column]:g} in column {columns[column]}; shares are at least 0."
        )
    x = np.abs(x)
    if axis.mass == "argmax":
        first = np.zeros_like(x)
        first[np.arange(len(x)), x.argmax(axis=1)] = 1.0
        x = np.where(x.max(axis=1, keepdims=True) > 0, first, 0.0)
    elif axis.mass == "presence":
        x = (x > 0).astype(np.float64)
    if not x.any():
        raise PoolError(
            f"no row of the pool has anything but 0 in the columns {axis.prefix}*; axis {axis.name!r} needs it."
        )
    return PoolAxis(axis, tuple(c.removeprefix(axis.prefix) for c in columns), csr_array(x), _wanted(axis, columns))


def _wanted(axis: Axis, columns: list[str]) -> Array:
    if axis.shares is None:
        return np.full(len(columns), 1 / len(columns))
    assert axis.prefix is not None
    target = np.zeros(len(columns))
    seen: set[str] = set()
    for category, share in axis.shares:
        name = next((c for c in (f"{axis.prefix}{category}", str(category)) if c in columns), None)
        if name is None:
            raise TargetError(
                f"axis {axis.name!r} names category {show(category)}, and the pool has no column "
                f"{show(f'{axis.prefix}{category}')}; its columns are {', '.join(columns[:8])}, …"
            )
        if name in seen:
            raise TargetError(f"axis {axis.name!r} names column {show(name)} twice; keep one.")
        seen.add(name)
        target[columns.index(name)] = share
    return target


def _numbers(values: pd.Series, what: str) -> Array:
    """Finite numbers, or an error that names the row."""
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    bad = np.flatnonzero(~np.isfinite(numbers))
    if len(bad):
        raise PoolError(f"row {bad[0]} of {what} is {show(values.iloc[bad[0]])}; it must be a finite number.")
    return numbers
