"""Build fixed-effect columns and the response: numbers directly, everything else by formulaic."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import numpy as np
import pandas as pd

from pluristats.engine.result import Array
from pluristats.errors import FitError, FormulaError
from pluristats.formula.expand import FixedTerm
from pluristats.formula.parse import names_in

# What an object column may hold that would silently become one category a value.
_NO_CATEGORIES = frozenset(
    ("integer", "floating", "mixed-integer-float", "decimal", "complex", "datetime", "date", "timedelta")
)


def fixed_columns(terms: Sequence[FixedTerm], frame: pd.DataFrame) -> tuple[Array, tuple[str, ...], Any]:
    """Columns of the terms, their names, and formulaic's specification where it built them (else None).

    Products of numeric columns are formed directly; with any other column or an expression in the formula, formulaic
    builds all of them.

    Raises
    ------
    FormulaError
        A column of a type that is neither number nor category, an expression that cannot be evaluated, two columns
        with one name.
    FitError
        A column that is not finite somewhere.
    """
    plain, types = plain_columns(terms), dict(zip(frame.columns, frame.dtypes, strict=True))
    for name in plain:
        if not _is_number(types[name]) or types[name].kind == "c":
            _refuse_type(frame[name], name)
    if all(all(term.lookup) for term in terms) and all(_is_number(types[c]) for c in plain):
        names = tuple(term.name for term in terms)
        return _finite(_numeric_columns(terms, frame), names, frame.index), names, None
    from formulaic import Formula
    from formulaic.parser.types import Factor as FormulaicFactor
    from formulaic.parser.types import Term

    built = [Term([FormulaicFactor(c, eval_method=how) for c, how in _factor_pairs(term)]) for term in terms]
    matrix = _materialise(Formula(built), _widened(frame, plain, columns_inside(terms, frame)), "The fixed part")
    empty = [str(part.term) for part in matrix.model_spec.structure if not part.columns]
    if empty:
        raise FormulaError(
            f"The term {empty[0]!r} has one category only (or is a column called '1'); leave it out or rename it."
        )
    labels = [str(c) for part in matrix.model_spec.structure for c in part.columns]
    twice = [label for label in labels if labels.count(label) > 1]
    if twice:  # formulaic would keep only one of them
        raise FormulaError(f"Two fixed columns would both be called {twice[0]!r}; rename a column of the data.")
    first = terms[0].factors if terms else ("",)
    names = tuple("(Intercept)" if j == 0 and not first else str(name) for j, name in enumerate(matrix.columns))
    x = np.asfortranarray(matrix.to_numpy(dtype=float))
    return _finite(x, names, frame.index), names, matrix.model_spec


def rebuilt_columns(terms: Sequence[FixedTerm], spec: Any, new: pd.DataFrame) -> Array:
    """The columns of :func:`fixed_columns` for other rows without missing values, shape (m, p).

    Raises
    ------
    FormulaError
        A column that was a number in the fit and is none here.
    FitError
        A category that the fit has not seen, or a value that is not finite.
    """
    states = {} if spec is None else {str(f): state for f, state in spec.encoder_state.items()}
    for name in plain_columns(terms):
        kind, state = states.get(name, (None, {}))
        if kind is None or kind.value != "categorical":
            # Formulaic counts true and false as numbers, as it did in the fit.
            if not (_is_number(new[name].dtype) or (spec is not None and pd.api.types.is_bool_dtype(new[name]))):
                raise FormulaError(
                    f"Column {name!r} was a number in the fit and is {new[name].dtype} in the new data; convert it."
                )
        elif "categories" in state:
            unseen = ~new[name].isin(list(state["categories"])).to_numpy()
            if unseen.any():
                at = int(np.argmax(unseen))
                raise FitError(
                    f"Row {shown(new.index[at])} has {shown(new[name].iloc[at])} in column {name!r}, a category that "
                    "the fit has not seen; leave such rows out."
                )
    if spec is None:
        return _finite(_numeric_columns(terms, new), tuple(term.name for term in terms), new.index)
    # A copy: formulaic writes what it meets in these rows into the specification.
    new = _widened(new, plain_columns(terms), columns_inside(terms, new))
    matrix = _materialise(deepcopy(spec), new, "The fixed part")
    return _finite(matrix.to_numpy(dtype=float), tuple(map(str, matrix.columns)), new.index)


def number_column(text: str, frame: pd.DataFrame, what: str = "response") -> Array:
    """The response or an offset: a column, or a Python expression such as ``log(y)`` or ``a + b``, shape (n,).

    Raises
    ------
    FormulaError
        It is not numeric (true and false count as 1 and 0), or cannot be evaluated; an offset also where it is a
        transform that would be another one in new rows.
    FitError
        It is not finite somewhere.
    """
    name = text.strip("`")
    if name in frame.columns:
        column = frame[name]
    else:
        from formulaic import Formula
        from formulaic.parser.types import Factor as FormulaicFactor
        from formulaic.parser.types import Term

        whole = Formula([Term([FormulaicFactor(text, eval_method="python")])])
        inside = [name for name in names_in(text) if name in frame.columns]
        matrix = _materialise(whole, _widened(frame, (), inside), f"The {what}")
        if matrix.shape[1] != 1:
            raise FormulaError(f"The {what} {text!r} is {matrix.shape[1]} columns, not one number a row.")
        if what == "offset" and matrix.model_spec.transform_state:
            raise FormulaError(f"The offset {text!r} depends on all rows at once; make a column of it first.")
        column = matrix.iloc[:, 0]
    if not pd.api.types.is_numeric_dtype(column) or column.dtype.kind == "c":
        raise FormulaError(f"The {what} {text!r} is not numeric (its type is {column.dtype}).")
    values = np.array(column.to_numpy(dtype=float))
    return _finite(values[:, None], (text,), frame.index)[:, 0]


def plain_columns(terms: Sequence[FixedTerm]) -> list[str]:
    """Columns that the terms name outright, each once."""
    pairs = (pair for term in terms for pair in zip(term.factors, term.lookup, strict=True))
    return list(dict.fromkeys(c for c, plain in pairs if plain))


def columns_inside(terms: Sequence[FixedTerm], data: pd.DataFrame) -> list[str]:
    """Columns of ``data`` that the terms' expressions name, each once."""
    pairs = (pair for term in terms for pair in zip(term.factors, term.lookup, strict=True))
    inside = (name for c, plain in pairs if not plain for name in names_in(c))
    return list(dict.fromkeys(name for name in inside if name in data.columns))


def without_unused(frame: pd.DataFrame) -> pd.DataFrame:
    """The same rows, without the categories that none of them has.

    An unused category would be a column of zeros, and as the first one it would leave the others without a reference.
    """
    kinds = {c: frame[c] for c, dtype in frame.dtypes.items() if isinstance(dtype, pd.CategoricalDtype)}
    used = {c: column.cat.remove_unused_categories() for c, column in kinds.items()}
    changed = {c: column for c, column in used.items() if len(column.cat.categories) < len(kinds[c].cat.categories)}
    return frame.assign(**{str(c): column for c, column in changed.items()}) if changed else frame


def refuse_infinite(frame: pd.DataFrame) -> None:
    """Refuse infinite numbers by column and row."""
    plain = all(isinstance(dtype, np.dtype | pd.CategoricalDtype) for dtype in frame.dtypes)
    if plain and np.isfinite(frame.select_dtypes(include=[np.floating]).to_numpy().sum()):
        return  # one sum sees them all; integers have none
    for name in frame.columns:
        if _is_number(frame[name].dtype) and frame[name].dtype.kind != "c":
            infinite = np.isinf(frame[name].to_numpy(dtype=float, na_value=np.nan))
            if infinite.any():
                row = frame.index[int(np.argmax(infinite))]
                raise FitError(f"Column {name!r} holds an infinite value in row {shown(row)}; mend or remove that row.")


def shown(value: object) -> str:
    """A label or value as a person would write it: numpy's numbers without their type."""
    return repr(value.item() if isinstance(value, np.generic) else value)


def _widened(frame: pd.DataFrame, plain: Sequence[str], inside: Sequence[str]) -> pd.DataFrame:
    """Numbers such that products do not overflow or lose digits: as in the columns formed directly, double precision.

    Integers inside an expression stay integers, of 64 bits: there they may name categories.
    """
    wide: dict[str, str] = {}
    for name in dict.fromkeys([*plain, *inside]):
        dtype: Any = frame[name].dtype
        if not _is_number(dtype) or dtype.kind not in "iuf":
            continue
        as_integer = name in inside and dtype.kind != "f"
        if dtype != (np.int64 if as_integer else np.float64) and not (as_integer and dtype == np.uint64):
            wide[name] = "int64" if as_integer else "float64"
    return frame.astype(wide) if wide else frame


def _materialise(formula: Any, frame: pd.DataFrame, what: str) -> pd.DataFrame:
    """Matrix of formulaic; missing results are left to :func:`_finite`, other trouble is one sentence."""
    from formulaic.errors import DataMismatchWarning

    # formulaic reads object columns as text, and pandas' own text columns as numbers.
    texts = [c for c in frame if pd.api.types.is_string_dtype(frame[c].dtype) and frame[c].dtype != object]
    frame = frame.astype(dict.fromkeys(texts, object)) if texts else frame
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore", RuntimeWarning)  # log(-1): _finite names the row
            warnings.simplefilter("error", DataMismatchWarning)
            return formula.get_model_matrix(frame, context={"np": np}, na_action="ignore")
    except Exception as error:  # whatever a user's expression raises
        raise FormulaError(f"{what} cannot be evaluated: {str(error).splitlines()[0]}") from error


def _finite(x: Array, names: Sequence[str], index: pd.Index) -> Array:
    """``x`` where all is finite, else an error that names column and row."""
    good = np.isfinite(x)
    if not good.all():
        row, column = (int(i) for i in np.argwhere(~good)[0])
        raise FitError(f"{names[column]!r} is {x[row, column]} in row {shown(index[row])}; mend or remove that row.")
    return x


def _factor_pairs(term: FixedTerm) -> list[tuple[str, str]]:
    pairs = [(c, "lookup" if plain else "python") for c, plain in zip(term.factors, term.lookup, strict=True)]
    return pairs or [("1", "literal")]


def _is_number(dtype: Any) -> bool:
    return pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype)


def _refuse_type(column: pd.Series, name: str) -> None:
    """Refuse what is neither number nor category, and numbers stored as objects, which would become categories."""
    kind = column.dtype.kind
    held = pd.api.types.infer_dtype(column, skipna=True) if kind == "O" else ""
    if kind in "cmM" or held in _NO_CATEGORIES:
        shown = f"{column.dtype} ({held})" if held else str(column.dtype)
        raise FormulaError(f"Column {name!r} is {shown}, neither numbers nor categories; convert it first.")


def _numeric_columns(terms: Sequence[FixedTerm], frame: pd.DataFrame) -> Array:
    values = {c: frame[c].to_numpy(dtype=float) for c in plain_columns(terms)}
    x = np.empty((len(frame), len(terms)), order="F")
    for j, term in enumerate(terms):
        if not term.factors:
            x[:, j] = 1.0
            continue
        x[:, j] = values[term.factors[0]]
        for c in term.factors[1:]:
            x[:, j] *= values[c]
    return x
