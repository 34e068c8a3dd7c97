"""Build the arrays of a model: which rows are used, the response, the fixed columns, the grouping factors."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pluristats.distinct import factorise, half_pair
from pluristats.engine.result import Array, Factor
from pluristats.errors import FitError, FormulaError
from pluristats.formula.columns import (
    columns_inside,
    fixed_columns,
    number_column,
    plain_columns,
    rebuilt_columns,
    refuse_infinite,
    without_unused,
)
from pluristats.formula.expand import FixedTerm, expand_fixed
from pluristats.formula.given import Given, Values, given_values, refuse_values
from pluristats.formula.parse import ParsedFormula, RandomTerm, names_in, parse_formula
from pluristats.formula.random import RandomColumns, random_terms, with_columns


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A formula applied to a table, without the table's rows.

    Parameters
    ----------
    parsed
        The formula.
    terms
        Expanded fixed terms.
    n, n_data
        Rows used, and rows of the table.
    dropped
        (column, rows that miss it) for each column that cost rows; a row missing two columns counts for both.
    x_names
        Names of the p fixed columns.
    random
        What the coefficients of each of the engine's factors multiply, in the formula's order; one a coefficient of a
        double bar.
    spec
        formulaic's model specification where it built the columns, else None; needed to rebuild them for new data.
    subset_of
        Positions of these columns among those that the formula gives; None where all are there.
    weights_from, offset_from
        Where weights and an offset given beside the formula come from; None without.
    mean_weight
        Mean of the weights; 1 without.
    """

    parsed: ParsedFormula
    terms: tuple[FixedTerm, ...]
    n: int
    n_data: int
    dropped: tuple[tuple[str, int], ...]
    x_names: tuple[str, ...]
    random: tuple[RandomColumns, ...]
    spec: Any
    subset_of: NDArray[np.intp] | None = None
    weights_from: Given | None = None
    offset_from: Given | None = None
    mean_weight: float = 1.0

    @property
    def n_dropped(self) -> int:
        """Rows left out because something was missing."""
        return self.n_data - self.n

    def fixed_for(self, new: pd.DataFrame) -> Array:
        """The same fixed columns for other rows, shape (m, p), with this table's categories and transforms.

        Raises
        ------
        FormulaError
            A column that the fixed part needs is missing from ``new`` or has another type there.
        FitError
            A category that the fit has not seen, or a value that is not finite.
        """
        _require(new, plain_columns(self.terms), "the new data")
        inputs = self.fixed_inputs(new)
        _refuse_namesakes(new, inputs)
        columns = rebuilt_columns(self.terms, self.spec, new[inputs])
        return columns if self.subset_of is None else columns[:, self.subset_of]

    def random_for(self, new: pd.DataFrame) -> tuple[Array, ...]:
        """What the coefficients of each of ``random`` multiply in other rows, shapes (m, c); errors as fixed_for."""
        _require(new, [c for r in self.random for c in plain_columns(r.terms)], "the new data")
        _refuse_namesakes(new, self.random_inputs(new))
        return tuple(r.columns_for(new) for r in self.random)

    def random_inputs(self, new: pd.DataFrame) -> list[str]:
        """Columns of ``new`` that random slopes read."""
        return list(dict.fromkeys(name for r in self.random for name in r.inputs(new)))

    def fixed_inputs(self, new: pd.DataFrame) -> list[str]:
        """Columns of ``new`` that the fixed part reads."""
        plain = [c for c in plain_columns(self.terms) if c in new.columns]
        return list(dict.fromkeys([*plain, *columns_inside(self.terms, new)]))

    def offset_for(self, new: pd.DataFrame) -> Array | None:
        """The offset of other rows, shape (m,); None where the fit has none.

        Raises
        ------
        FormulaError
            A column that it needs is missing from ``new``, or it was given beside the table.
        FitError
            It is not finite somewhere.
        """
        parts = [] if self.offset_from is None else [self.offset_from.read(new)]
        _require(new, offset_columns(self.parsed, new), "the new data")
        parts += [number_column(text, new, "offset") for text in self.parsed.offsets]
        return np.sum(parts, axis=0) if parts else None

    def offset_inputs(self, new: pd.DataFrame) -> list[str]:
        """Columns of ``new`` that the offset reads."""
        given = [] if self.offset_from is None or self.offset_from.column is None else [self.offset_from.column]
        return [name for name in [*given, *offset_columns(self.parsed, new)] if name in new.columns]


@dataclass(frozen=True, kw_only=True)
class Design(Recipe):
    """A formula applied to a table.

    Parameters
    ----------
    rows
        Positions of the rows used, shape (n,).
    y
        Response, shape (n,).
    x
        Fixed columns, shape (n, p).
    factors
        One a random term, in the order of ``random``.
    weights, offset
        Shape (n,), or None.
    """

    rows: NDArray[np.intp]
    y: Array
    x: Array
    factors: tuple[Factor, ...]
    weights: Array | None = None
    offset: Array | None = None

    def __repr__(self) -> str:
        size = f"{self.n:,} rows of {self.n_data:,}, {len(self.x_names):,} columns, {len(self.factors):,} factors"
        return f"<Design of {self.parsed.text!r}: {size}>"

    def subset(self, columns: NDArray[np.intp]) -> Design:
        """The same rows with some of the fixed columns."""
        whole = np.arange(len(self.x_names)) if self.subset_of is None else self.subset_of
        names = tuple(self.x_names[j] for j in columns)
        return replace(self, x=np.asfortranarray(self.x[:, columns]), x_names=names, subset_of=whole[columns])


def build_design(
    formula: str,
    data: pd.DataFrame,
    groups: Mapping[str, Sequence[str]] | None = None,
    *,
    weights: Values | None = None,
    offset: Values | None = None,
) -> Design:
    """Apply a formula to a table.

    Parameters
    ----------
    formula
        As in lme4; a key of ``groups`` stands for all its columns.
    data
        One row an observation. Rows with a missing value in any column used are left out and counted; categories that
        no row left has are none of the model's, as in lme4.
    groups
        Feature groups. A group whose name is also a column is refused.
    weights, offset
        A column's name, a Series matched by index, or values by position; the offset adds to those of the formula.

    Raises
    ------
    FormulaError
        Unknown names, a response that is not numeric, a group named like a column, a column that is neither numbers
        nor categories, several columns with one name, weights or an offset that do not match the table.
    FitError
        Infinite values, given or made by an expression, weights that are not positive, or no rows left.
    """
    groups = groups or {}
    refuse_group_names(groups, data)
    parsed = parse_formula(formula)
    terms = expand_fixed(parsed, groups)
    random = random_terms(parsed.random, groups)
    used = used_columns(parsed, terms, random, data)
    beside = [given_values("weights", weights, data), given_values("offset", offset, data)]
    frame = data[used]
    missing = frame.isna()
    for given in beside:
        if given is not None:
            missing[given.label] = np.isnan(given.values) | missing.get(given.label, False)
    dropped = tuple((str(c), int(k)) for c, k in missing.sum().items() if k)
    rows = np.flatnonzero(~missing.any(axis=1).to_numpy())
    if not len(rows):
        raise no_rows(dropped)
    if len(rows) < len(frame):
        frame = frame.iloc[rows]
    frame = without_unused(frame)
    refuse_infinite(frame)
    for given in beside:
        if given is not None:
            refuse_values(given.kind, given.values[rows], frame.index)
    w, o = (None if given is None else given.values[rows] for given in beside)
    offsets = [*(() if o is None else (o,)), *(number_column(text, frame, "offset") for text in parsed.offsets)]
    y = number_column(parsed.response, frame)
    x, names, spec = fixed_columns(terms, frame)
    built = [with_columns(r, grouping_factor(r.term, frame), frame) for r in random]
    return Design(
        parsed=parsed,
        terms=terms,
        n=len(rows),
        n_data=len(data),
        dropped=dropped,
        x_names=names,
        random=tuple(r for r, _ in built),
        spec=spec,
        rows=rows,
        y=y,
        x=x,
        factors=tuple(f for _, f in built),
        weights_from=None if beside[0] is None else beside[0].source,
        offset_from=None if beside[1] is None else beside[1].source,
        mean_weight=1.0 if w is None else float(w.mean()),
        weights=w,
        offset=np.sum(offsets, axis=0) if offsets else None,
    )


def refuse_group_names(groups: Mapping[str, Sequence[str]], data: pd.DataFrame) -> None:
    """Refuse a feature group that is called like a column."""
    both = [name for name in groups if name in data.columns]
    if both:
        raise FormulaError(f"{both[0]!r} is both a feature group and a column; rename one.")


def no_rows(dropped: tuple[tuple[str, int], ...]) -> FitError:
    """The error for data of which nothing is left."""
    worst = ", ".join(f"{c} (missing in {k} rows)" for c, k in dropped) or "the table is empty"
    return FitError(f"No rows are left to fit: {worst}.")


def offset_columns(parsed: ParsedFormula, data: pd.DataFrame) -> list[str]:
    """Columns that the formula's offsets read; a plain name counts even where ``data`` lacks it."""
    plain = [text.strip("`") for text in parsed.offsets if re.fullmatch(r"`[^`]+`|[^\W\d]\w*", text)]
    inside = [name for text in parsed.offsets for name in names_in(text) if name in data.columns]
    return list(dict.fromkeys([*plain, *inside]))


def grouping_factor(term: RandomTerm, frame: pd.DataFrame) -> Factor:
    """Levels that occur in ``frame`` of a random term's grouping variable or interaction.

    Raises
    ------
    FormulaError
        Two combinations of an interaction that would have one label ("x:y" and "z", "x" and "y:z").
    """
    codes, levels = _factorise(frame[term.group[0]])
    if len(term.group) > 1:
        levels = [level_label(level) for level in levels]
    for name in term.group[1:]:
        inner, labels = _factorise(frame[name])
        pairs, codes = np.unique(codes * len(labels) + inner, return_inverse=True)
        levels = [f"{levels[pair // len(labels)]}:{level_label(labels[pair % len(labels)])}" for pair in pairs]
        if len(set(levels)) < len(levels):
            twice = next(level for level, count in Counter(levels).items() if count > 1)
            raise FormulaError(
                f"Two combinations of {term.name} would both be called {twice!r}; make one column of them instead."
            )
    return Factor(term.name, codes.reshape(-1).astype(np.intp), tuple(levels))


def level_label(level: Any) -> str:
    """A level as text; 2.0 is "2", so that a column of whole numbers with gaps keeps its labels."""
    return str(int(level)) if isinstance(level, float) and level.is_integer() else str(level)


def _factorise(column: pd.Series) -> tuple[NDArray[np.intp], list[Any]]:
    """Codes and labels of the levels that occur, in sorted (or categorical) order.

    Raises
    ------
    FormulaError
        A label has half a surrogate pair, which is no text: to pandas many such labels are one.
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        present, codes = np.unique(column.cat.codes.to_numpy().astype(np.intp), return_inverse=True)
        labels = list(column.cat.categories[present])
    else:
        codes, labels = factorise(column, sort=True)
    for label in labels:
        if half_pair(label):
            raise FormulaError(
                f"Column {column.name!r} has the label {label!r}, which holds half a surrogate pair and is no text; "
                "write the column's labels anew."
            )
    return codes.astype(np.intp), labels


def used_columns(
    parsed: ParsedFormula, terms: tuple[FixedTerm, ...], random: Sequence[RandomColumns], data: pd.DataFrame
) -> list[str]:
    """Columns that the model reads, each once; every plain name must exist."""
    plain = plain_columns(terms)
    grouping = [name for term in parsed.random for name in term.group]
    offsets = offset_columns(parsed, data)
    _require(data, [*plain, *grouping, *(n for r in random for n in plain_columns(r.terms)), *offsets], "the data")
    bars = [name for r in random for name in r.inputs(data)]
    response = parsed.response.strip("`")
    inside = [response] if response in data.columns else [n for n in names_in(response) if n in data.columns]
    if not inside:
        raise FormulaError(f"The response {parsed.response!r} names no column of the data.")
    used = list(dict.fromkeys([*inside, *columns_inside(terms, data), *plain, *grouping, *bars, *offsets]))
    _refuse_namesakes(data, used)
    return used


def _refuse_namesakes(data: pd.DataFrame, names: Sequence[str]) -> None:
    twice = [] if data.columns.is_unique else [name for name in names if isinstance(data[name], pd.DataFrame)]
    if twice:
        raise FormulaError(f"The data have several columns called {twice[0]!r}; rename all but one.")


def _require(data: pd.DataFrame, names: Sequence[str], where: str) -> None:
    unknown = [name for name in dict.fromkeys(names) if name not in data.columns]
    if unknown:
        shown = ", ".join(map(str, data.columns[:12])) + (", …" if len(data.columns) > 12 else "")
        raise FormulaError(f"The formula names {unknown[0]!r}, which is not in {where} (columns: {shown}).")
