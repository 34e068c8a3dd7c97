"""Build the arrays of a model: which rows are used, the response, the fixed columns, the grouping factors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pluristats.engine.result import Array, Factor
from pluristats.errors import FitError, FormulaError
from pluristats.formula.expand import FixedTerm, expand_fixed
from pluristats.formula.parse import ParsedFormula, RandomTerm, names_in, parse_formula


@dataclass(frozen=True)
class Design:
    """A formula applied to a table.

    Parameters
    ----------
    parsed
        The formula.
    terms
        Expanded fixed terms.
    rows
        Positions of the rows used, shape (n,).
    n_data
        Rows of the table.
    dropped
        (column, rows that miss it) for each column that cost rows; a row missing two columns counts for both.
    y
        Response, shape (n,).
    x, x_names
        Fixed columns, shape (n, p), and their names.
    factors
        One a random term, in the formula's order.
    spec
        formulaic's model specification where it built the columns, else None; needed to rebuild them for new data.
    subset_of
        Positions of these columns among those that the formula gives; None where all are there.
    """

    parsed: ParsedFormula
    terms: tuple[FixedTerm, ...]
    rows: NDArray[np.intp]
    n_data: int
    dropped: tuple[tuple[str, int], ...]
    y: Array
    x: Array
    x_names: tuple[str, ...]
    factors: tuple[Factor, ...]
    spec: Any
    subset_of: NDArray[np.intp] | None = None

    @property
    def n_dropped(self) -> int:
        """Rows left out because something was missing."""
        return self.n_data - len(self.rows)

    def fixed_for(self, new: pd.DataFrame) -> Array:
        """The same fixed columns for other rows, shape (m, p), with this table's categories and transforms.

        Raises
        ------
        FormulaError
            A column that the fixed part needs is missing from ``new``.
        """
        needed = [c for term in self.terms for c, plain in zip(term.factors, term.lookup, strict=True) if plain]
        _require(new, needed, "the new data")
        columns = _columns(self.terms, new, self.spec)[0]
        return columns if self.subset_of is None else columns[:, self.subset_of]

    def subset(self, columns: NDArray[np.intp]) -> Design:
        """The same rows with some of the fixed columns."""
        whole = np.arange(len(self.x_names)) if self.subset_of is None else self.subset_of
        names = tuple(self.x_names[j] for j in columns)
        return replace(self, x=np.asfortranarray(self.x[:, columns]), x_names=names, subset_of=whole[columns])


def build_design(formula: str, data: pd.DataFrame, groups: Mapping[str, Sequence[str]] | None = None) -> Design:
    """Apply a formula to a table.

    Parameters
    ----------
    formula
        As in lme4; a key of ``groups`` stands for all its columns.
    data
        One row an observation. Rows with a missing value in any column used are left out and counted.
    groups
        Feature groups. A group whose name is also a column is refused.

    Raises
    ------
    FormulaError
        Unknown names, a response that is not numeric, a group named like a column.
    FitError
        Infinite values, or no rows left.
    """
    groups = groups or {}
    both = [name for name in groups if name in data.columns]
    if both:
        raise FormulaError(f"{both[0]!r} is both a feature group and a column; rename one.")
    parsed = parse_formula(formula)
    terms = expand_fixed(parsed, groups)
    used = _used_columns(parsed, terms, data)
    frame = data[used]
    missing = frame.isna()
    dropped = tuple((str(c), int(k)) for c, k in missing.sum().items() if k)
    rows = np.flatnonzero(~missing.any(axis=1).to_numpy())
    if not len(rows):
        worst = ", ".join(f"{c} (missing in {k} rows)" for c, k in dropped) or "the table is empty"
        raise FitError(f"No rows are left to fit: {worst}.")
    if len(rows) < len(frame):
        frame = frame.iloc[rows]
    _refuse_infinite(frame)
    y = _response(parsed.response, frame)
    x, names, spec = _columns(terms, frame, None)
    factors = tuple(grouping_factor(term, frame) for term in parsed.random)
    return Design(parsed, terms, rows, len(data), dropped, y, x, names, factors, spec)


def grouping_factor(term: RandomTerm, frame: pd.DataFrame) -> Factor:
    """Levels that occur in ``frame`` of a random term's grouping variable or interaction."""
    codes, levels = _factorise(frame[term.group[0]])
    for name in term.group[1:]:
        inner, labels = _factorise(frame[name])
        pairs, codes = np.unique(codes * len(labels) + inner, return_inverse=True)
        levels = [f"{levels[pair // len(labels)]}:{labels[pair % len(labels)]}" for pair in pairs]
    return Factor(term.name, codes.reshape(-1).astype(np.intp), tuple(levels))


def _factorise(column: pd.Series) -> tuple[NDArray[np.intp], list[Any]]:
    """Codes and labels of the levels that occur, in sorted (or categorical) order."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes = column.cat.codes.to_numpy().astype(np.intp)
        present, codes = np.unique(codes, return_inverse=True)
        return codes.astype(np.intp), list(column.cat.categories[present])
    codes, labels = pd.factorize(column, sort=True)
    return codes.astype(np.intp), list(labels)


def _used_columns(parsed: ParsedFormula, terms: tuple[FixedTerm, ...], data: pd.DataFrame) -> list[str]:
    """Columns that the model reads, each once; every plain name must exist."""
    plain = [c for term in terms for c, lookup in zip(term.factors, term.lookup, strict=True) if lookup]
    grouping = [name for term in parsed.random for name in term.group]
    bars = [n for t in parsed.random if not t.intercept_only for n in names_in(t.coefficients)]
    _require(data, [*plain, *grouping, *bars], "the data")
    expressions = [parsed.response]
    expressions += [c for term in terms for c, lookup in zip(term.factors, term.lookup, strict=True) if not lookup]
    inside = [name for e in expressions for name in names_in(e) if name in data.columns]
    if not any(name in data.columns for name in names_in(parsed.response)):
        raise FormulaError(f"The response {parsed.response!r} names no column of the data.")
    return list(dict.fromkeys([*inside, *plain, *grouping, *bars]))


def _require(data: pd.DataFrame, names: Sequence[str], where: str) -> None:
    unknown = [name for name in dict.fromkeys(names) if name not in data.columns]
    if unknown:
        shown = ", ".join(map(str, data.columns[:12])) + (", …" if len(data.columns) > 12 else "")
        raise FormulaError(f"The formula names {unknown[0]!r}, which is not in {where} (columns: {shown}).")


def _refuse_infinite(frame: pd.DataFrame) -> None:
    for name in frame.select_dtypes("number"):
        infinite = np.isinf(frame[name].to_numpy(dtype=float))
        if infinite.any():
            row = frame.index[int(np.argmax(infinite))]
            raise FitError(f"Column {name!r} holds an infinite value in row {row!r}; mend or remove that row.")


def _response(response: str, frame: pd.DataFrame) -> Array:
    name = response.strip("`")
    if name in frame.columns:
        column = frame[name]
    else:
        from formulaic import model_matrix

        column = model_matrix(f"0 + {response}", frame, context={"np": np}).iloc[:, 0]
    if not pd.api.types.is_numeric_dtype(column):
        raise FormulaError(f"The response {response!r} is not numeric (its type is {column.dtype}).")
    return np.ascontiguousarray(column.to_numpy(dtype=float))


def _columns(terms: tuple[FixedTerm, ...], frame: pd.DataFrame, spec: Any) -> tuple[Array, tuple[str, ...], Any]:
    """Fixed columns: products of numeric columns directly, everything else by formulaic."""
    plain = all(all(term.lookup) for term in terms)
    if spec is None and plain and all(_is_number(frame[c]) for term in terms for c in term.factors):
        return _numeric_columns(terms, frame), tuple(term.name for term in terms), None
    from formulaic import Formula
    from formulaic.parser.types import Factor as FormulaicFactor
    from formulaic.parser.types import Term

    if spec is None:
        built = [Term([FormulaicFactor(c, eval_method=how) for c, how in _factor_pairs(term)]) for term in terms]
        matrix = Formula(built).get_model_matrix(frame, context={"np": np}, na_action="raise")
    else:
        matrix = spec.get_model_matrix(frame, context={"np": np})
    names = tuple("(Intercept)" if name == "Intercept" else str(name) for name in matrix.columns)
    return np.asfortranarray(matrix.to_numpy(dtype=float)), names, matrix.model_spec


def _factor_pairs(term: FixedTerm) -> list[tuple[str, str]]:
    pairs = [(c, "lookup" if plain else "python") for c, plain in zip(term.factors, term.lookup, strict=True)]
    return pairs or [("1", "literal")]


def _is_number(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def _numeric_columns(terms: tuple[FixedTerm, ...], frame: pd.DataFrame) -> Array:
    names = dict.fromkeys(c for term in terms for c in term.factors)
    values = {c: frame[c].to_numpy(dtype=float) for c in names}
    x = np.empty((len(frame), len(terms)), order="F")
    for j, term in enumerate(terms):
        if not term.factors:
            x[:, j] = 1.0
            continue
        x[:, j] = values[term.factors[0]]
        for c in term.factors[1:]:
            x[:, j] *= values[c]
    return x
