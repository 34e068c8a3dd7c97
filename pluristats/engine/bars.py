"""Random parts with slopes, ``(1 + x | g) + (1 | a/b)``, put into names that R cannot misread.

The text is taken apart and rebuilt from known pieces only, so that nothing a user writes is run as R code, and so
that columns may have any name (written in backticks where it is not a plain one).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pluristats.distinct import factorise
from pluristats.engine.result import Factor
from pluristats.errors import FitError, FormulaError, UnsupportedError

_TOKEN = re.compile(r"\s*(?:(`[^`]+`|[^\W\d][\w.]*)|(\d+|\|\||[-+*/:|()]))")


@dataclass(frozen=True)
class RandomPart:
    """A random part as text for R with the data it names.

    Parameters
    ----------
    text
        Bars over the neutral names ``pv0_, pv1_, …`` (variables) and ``pg0_, pg1_, …`` (grouping factors).
    variables
        Names of the variables, in order of their numbers.
    factors
        Grouping factors, in order of their numbers.
    """

    text: str
    variables: tuple[str, ...]
    factors: tuple[Factor, ...]

    def restore(self, name: str) -> str:
        """A name made by R with the neutral names in it replaced by the originals."""

        def original(match: re.Match[str]) -> str:
            number = int(match[2])
            return self.variables[number] if match[1] == "v" else self.factors[number].name

        return re.sub(r"p([vg])(\d+)_", original, name)


def intercepts(factors: tuple[Factor, ...]) -> RandomPart:
    """``(1|g)`` for every factor, in order."""
    return RandomPart(" + ".join(f"(1 | pg{i}_)" for i in range(len(factors))), (), factors)


def parse(random: str, frame: pd.DataFrame) -> RandomPart:
    """Read a random part over the columns of ``frame``.

    Parameters
    ----------
    random
        Bars joined by ``+``. Left of ``|`` or ``||``: columns, ``0``, ``1``, ``+``, ``-``, ``:``, ``*``; right: a
        column, an interaction ``a:b`` or a nesting ``a/b``, which is ``b:a`` and ``a`` as in lme4.
    frame
        Rows without missing values in the columns named.

    Raises
    ------
    FormulaError
        Text that is not a sum of bars, or a name that is not a column.
    UnsupportedError
        A function call or another operator.
    FitError
        A missing value in a column named.
    """
    tokens = _tokens(random)
    variables: dict[str, str] = {}
    groups: dict[str, str] = {}
    bars = []
    for left, bar, right in _split(tokens, random):
        effects = " ".join(_left(left, variables, random))
        for group in _groups(right, random):
            bars.append(f"({effects} {bar} {groups.setdefault(group, f'pg{len(groups)}_')})")
    used = [*variables, *(column for group in groups for column in group.split("\n"))]
    for column in used:
        if column not in frame.columns:
            raise FormulaError(f"The random part {random!r} names {column!r}, which is not a column of the data.")
        _refuse_missing(frame[column])
    factors = tuple(_factor(group.split("\n"), frame) for group in groups)
    return RandomPart(" + ".join(bars), tuple(variables), factors)


def _tokens(text: str) -> list[str]:
    tokens, position = [], 0
    text = text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise UnsupportedError(
                f"The random part {text!r} cannot be read at {text[position:].strip()[:12]!r}; write bars such as "
                "(1 + x | g) over columns of the data, names that are not plain in backticks."
            )
        tokens.append(match[1] or match[2])
        position = match.end()
    return tokens


def _split(tokens: list[str], text: str) -> Iterable[tuple[list[str], str, list[str]]]:
    """The (left, bar, right) of each parenthesis."""
    wrong = FormulaError(f"The random part {text!r} is not a sum of bars such as (1 + x | g) + (1 | h).")
    rest = tokens
    if not rest:
        raise wrong
    while rest:
        if rest[0] != "(" or ")" not in rest:
            raise wrong
        end = rest.index(")")
        inside, rest = rest[1:end], rest[end + 1 :]
        if "(" in inside:
            raise UnsupportedError(
                f"The random part {text!r} has a function call or nested parentheses; make the column first."
            )
        bars = [i for i, token in enumerate(inside) if token in ("|", "||")]
        if len(bars) != 1 or (rest and (rest[0] != "+" or len(rest) == 1)):
            raise wrong
        yield inside[: bars[0]], inside[bars[0]], inside[bars[0] + 1 :]
        rest = rest[1:]


def _is_name(token: str) -> bool:
    return token[0] == "`" or token[0].isalpha() or token[0] == "_"


def _left(tokens: list[str], variables: dict[str, str], text: str) -> list[str]:
    out = []
    for token in tokens:
        if _is_name(token):
            out.append(variables.setdefault(token.strip("`"), f"pv{len(variables)}_"))
        elif token in ("0", "1", "+", "-", ":", "*"):
            out.append(token)
        else:
            raise UnsupportedError(
                f"{token!r} is not supported left of the bar in {text!r}; use columns, +, :, *, 0, 1."
            )
    if not out:
        raise FormulaError(f"The random part {text!r} has nothing left of a bar; write (1 | g).")
    return out


def _groups(tokens: list[str], text: str) -> list[str]:
    """Grouping factors of one bar, each its columns joined by newlines (which no column name in a formula has)."""
    names, operators = [t.strip("`") for t in tokens[::2]], set(tokens[1::2])
    if not tokens or not all(map(_is_name, tokens[::2])) or len(tokens) % 2 == 0 or len(operators) > 1:
        raise UnsupportedError(f"Right of the bar in {text!r} must stand a column, a:b or a/b.")
    if operators == {"/"}:
        return ["\n".join(reversed(names[: k + 1])) for k in reversed(range(len(names)))]
    if operators <= {":"}:
        return ["\n".join(names)]
    raise UnsupportedError(f"{operators.pop()!r} is not supported right of the bar in {text!r}; use a:b or a/b.")


def _refuse_missing(column: pd.Series) -> None:
    missing = np.flatnonzero(column.isna())
    if len(missing):
        raise FitError(
            f"Column {column.name!r} of the random part has {len(missing)} missing value(s), the first in row "
            f"{column.index[missing[0]]}; remove or impute those rows first."
        )


def _factor(columns: list[str], frame: pd.DataFrame) -> Factor:
    """Codes and labels of one column, or of the combinations of several that occur."""
    codes, labels = _codes(frame[columns[0]])
    for column in columns[1:]:
        more, more_labels = _codes(frame[column])
        cells, codes = np.unique(codes * len(more_labels) + more, return_inverse=True)
        labels = [f"{labels[c // len(more_labels)]}:{more_labels[c % len(more_labels)]}" for c in cells]
    return Factor(":".join(columns), codes.astype(np.intp), tuple(labels))


def _codes(column: pd.Series) -> tuple[NDArray[np.intp], list[object]]:
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.cat.remove_unused_categories()
        return column.cat.codes.to_numpy().astype(np.intp), list(column.cat.categories)
    return factorise(column, sort=True)
