"""The design of rows that come in chunks: what the whole data must say first, and then each chunk's arrays.

A first pass (:func:`survey`) finds the levels of grouping factors and categories, and counts the rows that miss a
value. From it :func:`recipe` knows every column that the formula gives, as a fit of a table would; after that the
arrays of a chunk (:func:`arrays`) are what :meth:`Recipe.fixed_for` gives for new rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from pluristats.engine.result import Factor, Problem
from pluristats.errors import FitError, FormulaError, UnsupportedError
from pluristats.formula.columns import columns_inside, fixed_columns, number_column, plain_columns, refuse_infinite
from pluristats.formula.design import Recipe, grouping_factor, no_rows, refuse_group_names, used_columns
from pluristats.formula.expand import FixedTerm, expand_fixed
from pluristats.formula.parse import ParsedFormula, parse_formula, refuse_offsets
from pluristats.formula.random import RandomColumns, random_terms
from pluristats.formula.rowwise import categorised, refuse_whole_column


@dataclass(frozen=True)
class Plan:
    """What a formula needs of each chunk.

    Parameters
    ----------
    parsed
        The formula.
    terms, random
        Expanded fixed and random terms.
    used
        Columns that it reads.
    fixed
        Those that the fixed part reads.
    categorised
        Columns inside ``C(…)``.
    """

    parsed: ParsedFormula
    terms: tuple[FixedTerm, ...]
    random: tuple[RandomColumns, ...]
    used: tuple[str, ...]
    fixed: tuple[str, ...]
    categorised: tuple[str, ...]

    @property
    def groups(self) -> tuple[tuple[str, ...], ...]:
        """Columns of each grouping factor."""
        return tuple(term.group for term in self.parsed.random)


def plan(formula: str, columns: Sequence[str], groups: Mapping[str, Sequence[str]]) -> Plan:
    """Read a formula for data with these columns.

    Raises
    ------
    FormulaError
        As :func:`pluristats.formula.design.build_design`.
    UnsupportedError
        An expression that may need all rows at once, such as ``center(x)``; an offset.
    """
    nothing = pd.DataFrame(columns=list(columns))
    refuse_group_names(groups, nothing)
    parsed = parse_formula(formula)
    refuse_offsets(parsed, "A fit of rows in chunks")
    terms = expand_fixed(parsed, groups)
    random = random_terms(parsed.random, groups)
    used = tuple(used_columns(parsed, terms, random, nothing))
    pairs = [pair for term in terms for pair in zip(term.factors, term.lookup, strict=True)]
    expressions = list(dict.fromkeys(expression for expression, plain in pairs if not plain))
    if parsed.response.strip("`") not in columns:
        expressions.append(parsed.response)
    for expression in expressions:
        refuse_whole_column(expression)
    inside = dict.fromkeys(name for e in expressions if (name := categorised(e)) is not None)
    fixed = dict.fromkeys([*plain_columns(terms), *columns_inside(terms, nothing)])
    return Plan(parsed, terms, random, used, tuple(fixed), tuple(inside))


@dataclass(frozen=True)
class Survey:
    """What one chunk, or all, say about the whole; surveys add up.

    Parameters
    ----------
    n, n_data
        Rows without a missing value, and all.
    missing
        Rows that miss each column.
    kinds
        ``number``, ``truth``, ``category`` or ``text`` of each column; empty without rows.
    categories
        Categories of each categorical column, in order.
    distinct
        For each grouping factor's columns, and each category column by itself, the combinations that occur.
    first
        The first row used.
    fingerprint
        Sum of hashes of the rows' labels and responses: the same for the same rows in whatever chunks.
    """

    n: int
    n_data: int
    missing: dict[str, int]
    kinds: dict[str, str]
    categories: dict[str, pd.Index]
    distinct: dict[tuple[str, ...], pd.DataFrame]
    first: pd.DataFrame | None
    fingerprint: int

    def __add__(self, other: Survey) -> Survey:
        if not (self.n and other.n):
            most, least = (self, other) if self.n else (other, self)
            missing = {c: self.missing[c] + other.missing[c] for c in self.missing}
            return Survey(**{**vars(most), "n_data": most.n_data + least.n_data, "missing": missing})
        for name, kind in self.kinds.items():
            if other.kinds[name] != kind:
                raise FormulaError(
                    f"Column {name!r} holds {kind} values in some chunks and {other.kinds[name]} in others; write it "
                    "with one type."
                )
        return Survey(
            n=self.n + other.n,
            n_data=self.n_data + other.n_data,
            missing={c: self.missing[c] + other.missing[c] for c in self.missing},
            kinds=self.kinds,
            categories={c: _united(self.categories[c], other.categories[c]) for c in self.categories},
            distinct={g: _either(self.distinct[g], other.distinct[g]) for g in self.distinct},
            first=self.first,
            fingerprint=(self.fingerprint + other.fingerprint) % 2**64,
        )


def survey(plan: Plan, chunk: pd.DataFrame) -> Survey:
    """What a chunk says; see :class:`Survey`.

    Raises
    ------
    FitError
        Infinite values.
    FormulaError
        A response that is not numeric.
    """
    missing = chunk.isna()
    frame = _usable(plan, chunk)
    n = len(frame)
    refuse_infinite(frame)
    kinds = {c: _kind(frame[c]) for c in plan.used} if n else {}
    levelled = [c for c in plan.fixed if kinds.get(c) in ("text", "category")]
    alone = [(c,) for c in dict.fromkeys([*levelled, *plan.categorised])]
    return Survey(
        n=n,
        n_data=len(chunk),
        missing={c: int(missing[c].sum()) for c in plan.used},
        kinds=kinds,
        categories={c: _objects(frame[c].cat.categories) for c, kind in kinds.items() if kind == "category"},
        distinct={g: _values(frame, g).drop_duplicates() for g in dict.fromkeys([*plan.groups, *alone])},
        first=frame.iloc[:1].copy() if n else None,
        fingerprint=_fingerprint(plan, frame) if n else 0,
    )


@dataclass(frozen=True)
class Levels:
    """Levels of a grouping factor by the values of its columns.

    Parameters
    ----------
    factor
        Name, levels, and the code of each combination in ``combinations``.
    combinations
        The combinations of values that occur, one a row.
    """

    factor: Factor
    combinations: pd.DataFrame

    @cached_property
    def _index(self) -> pd.Index:
        columns = self.combinations.columns
        if len(columns) == 1:
            return pd.Index(self.combinations[columns[0]])
        return pd.MultiIndex.from_frame(self.combinations)

    def of(self, frame: pd.DataFrame) -> Factor:
        """The factor of other rows: their codes among all levels."""
        values = _values(frame, tuple(self.combinations.columns))
        keys = pd.Index(values.iloc[:, 0]) if values.shape[1] == 1 else pd.MultiIndex.from_frame(values)
        place = self._index.get_indexer(keys)
        if (place < 0).any():
            raise FitError("The data changed while they were read; fit a copy that stays as it is.")
        return Factor(self.factor.name, self.factor.codes[place], self.factor.levels)


@dataclass(frozen=True, kw_only=True)
class ChunkedRecipe(Recipe):
    """A formula applied to rows that come in chunks.

    Parameters
    ----------
    plan
        What it reads.
    levels
        One a random term, in the formula's order.
    """

    plan: Plan
    levels: tuple[Levels, ...]


def recipe(plan: Plan, found: Survey | None) -> ChunkedRecipe:
    """Columns and levels of the whole data.

    Raises
    ------
    FormulaError, FitError
        As :func:`pluristats.formula.design.build_design`.
    UnsupportedError
        An expression that makes categories, other than ``C(column)``.
    """
    dropped = tuple((c, k) for c, k in found.missing.items() if k) if found else ()
    if found is None or found.first is None:
        raise no_rows(dropped)
    _, names, spec = fixed_columns(plan.terms, _example(plan, found, found.first))
    _refuse_unknown_categories(plan, spec)
    levels = []
    for term in plan.parsed.random:
        combinations = found.distinct[term.group]
        typed = combinations.assign(
            **{
                c: pd.Categorical(combinations[c], categories=found.categories[c])
                for c in term.group
                if c in found.categories
            }
        )
        levels.append(Levels(grouping_factor(term, typed), combinations))
    return ChunkedRecipe(
        parsed=plan.parsed,
        terms=plan.terms,
        n=found.n,
        n_data=found.n_data,
        dropped=dropped,
        x_names=names,
        random=plan.random,
        spec=spec,
        plan=plan,
        levels=tuple(levels),
    )


def arrays(recipe: ChunkedRecipe, chunk: pd.DataFrame) -> Problem | None:
    """A chunk's rows as arrays, its factors with the levels of the whole; None where every row misses something."""
    frame = _usable(recipe.plan, chunk)
    if not len(frame):
        return None
    y = number_column(recipe.parsed.response, frame)
    x = recipe.fixed_for(frame)
    return Problem(y, x, recipe.x_names, tuple(levels.of(frame) for levels in recipe.levels))


def _usable(plan: Plan, chunk: pd.DataFrame) -> pd.DataFrame:
    """Rows without a missing value, with numpy's types where pandas' nullable ones have nothing missing any more."""
    frame = chunk if tuple(chunk.columns) == plan.used else chunk[list(plan.used)]
    whole = np.flatnonzero(frame.notna().to_numpy().all(axis=1))
    frame = frame.iloc[whole] if len(whole) < len(frame) else frame
    plain: dict[Any, Any] = {}
    for name, dtype in frame.dtypes.items():
        if isinstance(dtype, pd.StringDtype):
            plain[name] = object
        elif isinstance(dtype, pd.api.extensions.ExtensionDtype) and not isinstance(dtype, pd.CategoricalDtype):
            kind = getattr(dtype, "numpy_dtype", np.dtype(object))
            plain[name] = kind if kind.kind in "iufb" else object
    return frame.astype(plain) if plain else frame


def _kind(column: pd.Series) -> str:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return "category"
    if pd.api.types.is_bool_dtype(column):
        return "truth"
    return "number" if pd.api.types.is_numeric_dtype(column) else "text"


def _values(frame: pd.DataFrame, group: tuple[str, ...]) -> pd.DataFrame:
    """Columns with categories replaced by what they stand for."""
    part = frame[list(group)]
    for name in group:
        if isinstance(part[name].dtype, pd.CategoricalDtype):
            labels = _objects(part[name].cat.categories)
            part = part.assign(**{name: labels.take(part[name].cat.codes.to_numpy())})
    return part


def _objects(labels: pd.Index) -> pd.Index:
    """Text as Python's, whoever holds it."""
    return labels.astype(object) if isinstance(labels.dtype, pd.StringDtype) else labels


def _united(a: pd.Index, b: pd.Index) -> pd.Index:
    """Categories in the order in which they are met."""
    return a if a.equals(b) else a.append(b[~b.isin(a)])


def _either(a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([a, b], ignore_index=True).drop_duplicates(ignore_index=True)


def _fingerprint(plan: Plan, frame: pd.DataFrame) -> int:
    y = pd.Series(number_column(plan.parsed.response, frame), index=frame.index)
    return int(pd.util.hash_pandas_object(y, index=True).to_numpy().sum())


def _example(plan: Plan, found: Survey, first: pd.DataFrame) -> pd.DataFrame:
    """A table with the first row's numbers and every category that occurs: from it the formula's columns are named."""
    labels: dict[str, Any] = {}
    for name in plan.fixed:
        if (name,) in found.distinct:
            there = found.distinct[name,][name]
            order = found.categories.get(name)
            labels[name] = there.to_numpy() if order is None else order[order.isin(there)]
    m = max((len(values) for values in labels.values()), default=1)
    columns: dict[str, Any] = {}
    for name in first.columns:
        values = labels.get(name, first[name].to_numpy())
        cycle = values[np.arange(m) % len(values)]
        columns[name] = pd.Categorical(cycle, categories=values) if name in found.categories else cycle
    return pd.DataFrame(columns)


def _refuse_unknown_categories(plan: Plan, spec: Any) -> None:
    if spec is None:
        return
    plain = set(plain_columns(plan.terms))
    for factor, (kind, _) in spec.encoder_state.items():
        name = str(factor)
        if kind.value == "categorical" and name not in plain and categorised(name) is None:
            raise UnsupportedError(
                f"The expression {name!r} makes categories, of which a chunk may have only some; write it into the "
                "data as a column first, or fit a table in memory."
            )
