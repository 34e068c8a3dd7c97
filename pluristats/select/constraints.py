"""What a selection must keep, checked against a pool before anything is searched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pluristats.errors import ConstraintError
from pluristats.select.pool import Pool, match
from pluristats.study.tables import show

Rows = NDArray[np.int64]
Flags = NDArray[np.bool_]
Range = int | tuple[int, int]
# Quotas are bits of one number a row.
MOST_QUOTAS = 63


@dataclass(frozen=True)
class Constraints:
    """What a selection must keep. Its size is exact and no row is chosen twice, whatever these are.

    Parameters
    ----------
    max_per_seed
        Rows of one seed, at most; None for any number.
    include, exclude
        Rows that must be in, and that must not: their numbers from 0, or values of ``id_column``.
    id_column
        Column that names rows for ``include`` and ``exclude``.
    quotas
        By column and value, how many rows: a number, or (least, most). ``{"harm_level": {0.5: (30, 40)}}``.

    Raises
    ------
    ConstraintError
        Something here is not of this kind.
    """

    max_per_seed: int | None = 2
    include: Sequence[Any] = ()
    exclude: Sequence[Any] = ()
    id_column: str | None = None
    quotas: Mapping[str, Mapping[Any, Range]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.max_per_seed is not None and not _count(self.max_per_seed, least=1):
            raise ConstraintError(f"max_per_seed is a whole number of at least 1, or None, not {self.max_per_seed!r}.")
        for name in ("include", "exclude"):
            rows = getattr(self, name)
            if isinstance(rows, str) or not hasattr(rows, "__iter__"):
                raise ConstraintError(f"{name} is a list of rows, not {rows!r}.")
            object.__setattr__(self, name, tuple(rows))
        if not isinstance(self.quotas, Mapping):
            raise ConstraintError(f"quotas is a mapping from columns to quotas, not {self.quotas!r}.")
        ranges = {column: _ranges(column, quotas) for column, quotas in self.quotas.items()}
        object.__setattr__(self, "quotas", ranges)


@dataclass(frozen=True, eq=False)
class Checked:
    """Constraints on one pool.

    Parameters
    ----------
    size
        Rows to choose.
    free
        Rows that may be chosen, sorted, without those that must be.
    forced
        Rows that must be in, sorted.
    cap
        How many more rows each seed may have beside the forced ones, (seeds,).
    members
        For each quota, which rows count, (Q, n).
    low, high
        How many rows beside the forced ones each quota takes, (Q,) each.
    names
        Of the quotas, such as ``harm_level = 0.5``.
    """

    size: int
    free: Rows
    forced: Rows
    cap: Rows
    members: Flags
    low: Rows
    high: Rows
    names: tuple[str, ...]

    @property
    def left(self) -> int:
        """Rows to choose beside the forced ones."""
        return self.size - len(self.forced)


def check(pool: Pool, constraints: Constraints, size: int) -> Checked:
    """Constraints as arrays; contradictions that can be seen without a search are refused.

    Raises
    ------
    ConstraintError
        The pool is smaller than the size, a row or column does not exist, or no selection can keep them together; the
        message says which.
    """
    n = len(pool)
    if not _count(size, least=1):
        raise ConstraintError(f"size is a whole number of at least 1, not {size!r}.")
    if size > n:
        raise ConstraintError(f"the pool has {n:,} rows, fewer than the {size:,} to select; ask for fewer.")
    forced, banned = (_rows(pool, constraints, name) for name in ("include", "exclude"))
    both = np.intersect1d(forced, banned)
    if len(both):
        raise ConstraintError(f"row {both[0]} is in include and in exclude; take it out of one.")
    if len(forced) > size:
        raise ConstraintError(f"include has {len(forced):,} rows, more than the {size:,} to select.")
    allowed = np.ones(n, dtype=bool)
    allowed[banned] = False
    if allowed.sum() < size:
        raise ConstraintError(f"exclude leaves {allowed.sum():,} rows, fewer than the {size:,} to select.")
    cap = _cap(pool, constraints, forced, size)
    names, members, low, high = _quotas(pool, constraints)
    _refuse(pool, size, names, members, low, high, allowed, forced, cap)
    used = members[:, forced].sum(axis=1)
    allowed[forced] = False
    allowed &= cap[pool.seed] > 0
    return Checked(size, np.flatnonzero(allowed), forced, cap, members, np.maximum(low - used, 0), high - used, names)


def keeps(rows: Rows, pool: Pool, checked: Checked) -> str | None:
    """What a selection of rows breaks, as a clause; None when it keeps everything."""
    chosen = np.zeros(len(pool), dtype=bool)
    chosen[rows] = True
    if len(rows) != checked.size or chosen.sum() != checked.size:
        return f"it has {chosen.sum()} distinct rows of {len(rows)}, not {checked.size}"
    if not chosen[checked.forced].all():
        return "a row that must be in is missing"
    rest = np.setdiff1d(rows, checked.forced)
    if not np.isin(rest, checked.free).all():
        return "a row is in that must not be"
    if (np.bincount(pool.seed[rest], minlength=len(checked.cap)) > checked.cap).any():
        return "a seed has too many rows"
    counts = checked.members[:, rest].sum(axis=1)
    for name, count, low, high in zip(checked.names, counts, checked.low, checked.high, strict=True):
        if not low <= count <= high:
            return f"quota {name} is not kept"
    return None


def _rows(pool: Pool, constraints: Constraints, name: str) -> Rows:
    given = getattr(constraints, name)
    if not given:
        return np.array([], dtype=np.int64)
    if constraints.id_column is None:
        for row in given:
            if not _count(row, least=0) or row >= len(pool):
                raise ConstraintError(f"{name}: {row!r} is no row of the pool, whose rows are 0 to {len(pool) - 1:,}.")
        rows = [int(row) for row in given]
    else:
        if constraints.id_column not in pool.frame:
            raise ConstraintError(f"the pool has no column {show(constraints.id_column)} to find rows of {name} by.")
        place: dict[Any, int] = {}
        ids = pool.frame[constraints.id_column].tolist()
        for row, value in enumerate(ids):
            place[value] = -1 if value in place else row
        for value in given:
            if place.get(value, -1) < 0:
                many = "more than one row" if value in place else "no row"
                raise ConstraintError(f"{name}: {many} of the pool has {show(value)} in {constraints.id_column}.")
        rows = [place[value] for value in given]
    if len(set(rows)) < len(rows):
        twice = next(row for row in rows if rows.count(row) > 1)
        raise ConstraintError(f"{name} has row {twice} twice; keep one.")
    return np.array(sorted(rows), dtype=np.int64)


def _cap(pool: Pool, constraints: Constraints, forced: Rows, size: int) -> Rows:
    seeds = int(pool.seed.max()) + 1
    most = size if constraints.max_per_seed is None else int(constraints.max_per_seed)
    cap = most - np.bincount(pool.seed[forced], minlength=seeds)
    if (cap < 0).any():
        seed = pool.frame["seed"].iloc[int(np.argmax(pool.seed == np.argmin(cap)))]
        raise ConstraintError(f"include has more rows of seed {show(seed)} than max_per_seed allows ({most}).")
    return cap.astype(np.int64)


def _quotas(pool: Pool, constraints: Constraints) -> tuple[tuple[str, ...], Flags, Rows, Rows]:
    names: list[str] = []
    members, low, high = [], [], []
    for column, quotas in constraints.quotas.items():
        if column not in pool.frame:
            raise ConstraintError(
                f"the pool has no column {show(column)} for a quota; its name may be spelt differently."
            )
        values = pool.frame[column]
        numeric = pd.api.types.is_numeric_dtype(values)
        known = [float(v) if numeric and isinstance(v, Real) else v for v in quotas]
        place = match(values, known, f"the pool's column {column}")
        for i, (value, given) in enumerate(quotas.items()):
            least, most = cast(tuple[int, int], given)  # whole numbers have become pairs
            names.append(f"{column} = {value}")
            members.append(place == i)
            low.append(least)
            high.append(most)
    if len(names) > MOST_QUOTAS:
        raise ConstraintError(f"there are {len(names)} quotas; there may be {MOST_QUOTAS}.")
    flags = np.array(members, dtype=bool).reshape(len(names), len(pool))
    return tuple(names), flags, np.array(low, dtype=np.int64), np.array(high, dtype=np.int64)


def _refuse(
    pool: Pool,
    size: int,
    names: Sequence[str],
    members: Flags,
    low: Rows,
    high: Rows,
    allowed: Flags,
    forced: Rows,
    cap: Rows,
) -> None:
    """Refuse what one constraint, or one together with another, makes impossible."""
    room = _room(pool.seed, allowed, forced, cap)
    if room < size:
        raise ConstraintError(
            f"max_per_seed and exclude leave room for {room:,} rows, fewer than the {size:,} to select."
        )
    for name, member, least, most in zip(names, members, low, high, strict=True):
        used = int(member[forced].sum())
        there, others = (_room(pool.seed, allowed & rows, forced, cap) for rows in (member, ~member))
        if used > most:
            raise ConstraintError(f"include has {used} rows with {name}, and its quota is at most {most}.")
        if there < least:
            raise ConstraintError(
                f"quota {name}: at least {least} rows are asked for, and {there} can be chosen (of {member.sum():,} in "
                "the pool, after exclude and max_per_seed)."
            )
        if size - others > most:
            raise ConstraintError(
                f"quota {name}: at most {most} rows are asked for, but only {others:,} rows without it can be chosen, "
                f"so at least {size - others} of the {size:,} have it."
            )
        if least > size:
            raise ConstraintError(
                f"quota {name}: at least {least} rows are asked for, more than the {size:,} to select."
            )
    for column in dict.fromkeys(name.split(" = ")[0] for name in names):
        mine = [i for i, name in enumerate(names) if name.split(" = ")[0] == column]
        if low[mine].sum() > size:
            raise ConstraintError(
                f"the quotas of {column} ask for at least {low[mine].sum()} rows, more than {size:,}."
            )
        if np.any(members[mine], axis=0)[allowed].all() and high[mine].sum() < size:
            raise ConstraintError(f"the quotas of {column} allow {high[mine].sum()} rows, fewer than {size:,}.")


def _room(seed: Rows, allowed: Flags, forced: Rows, cap: Rows) -> int:
    """How many rows of these can be chosen under the caps of seeds, the forced ones among them."""
    must = np.zeros(len(seed), dtype=bool)
    must[forced] = True
    free = np.bincount(seed[allowed & ~must], minlength=len(cap))
    return int(np.minimum(free, cap).sum() + (allowed & must).sum())


def _ranges(column: Any, quotas: Any) -> dict[Any, tuple[int, int]]:
    if not isinstance(quotas, Mapping) or not quotas:
        raise ConstraintError(f"the quota of {column!r} is a mapping from values to numbers, not {quotas!r}.")
    found = {}
    for value, given in quotas.items():
        pair: Any = (given, given) if _count(given, least=0) else given
        good = isinstance(pair, tuple | list) and len(pair) == 2 and all(_count(v, least=0) for v in pair)
        if not good or pair[0] > pair[1]:
            raise ConstraintError(f"the quota of {column} = {value} is a number or (least, most), not {given!r}.")
        found[value] = (int(pair[0]), int(pair[1]))
    return found


def _count(value: object, *, least: int) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least
