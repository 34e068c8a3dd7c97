"""Expand the fixed part of a formula into terms, with feature groups standing for all their columns.

``actions`` is the sum of its columns; ``traits:actions`` all products of one of each; ``traits:traits`` each pair
of different columns once (none where there is one column). A column times itself is left out wherever groups
overlap: there are no squares.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

from pluristats.errors import FormulaError, UnsupportedError
from pluristats.formula.parse import ParsedFormula, mask_quoted, names_in, unmask

Groups = Mapping[str, Sequence[str]]

# A column's name that means nothing else to formulaic.
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class FixedTerm:
    """A product of factors.

    Parameters
    ----------
    factors
        Column names or expressions, e.g. ("Gender", "action_Child_Harm") or ("log(trial)",); () is the intercept.
    lookup
        For each factor whether it is a plain column name rather than an expression.
    """

    factors: tuple[str, ...]
    lookup: tuple[bool, ...]

    @property
    def name(self) -> str:
        """Name of the term's column where all factors are numeric."""
        return ":".join(self.factors) if self.factors else "(Intercept)"

    @property
    def key(self) -> frozenset[tuple[str, bool]]:
        """Identity: a:b and b:a are the same term, a column called ``log(x)`` and the logarithm of x are not."""
        return frozenset(zip(self.factors, self.lookup, strict=True))


INTERCEPT = FixedTerm((), ())


def expand_fixed(parsed: ParsedFormula, groups: Groups) -> tuple[FixedTerm, ...]:
    """Terms of the fixed part, intercept first, then by degree, each once.

    Pieces are taken in the order written, as R does: ``x - 1 + 1`` has an intercept.

    Raises
    ------
    FormulaError
        A term taken away that is not there, two terms with one name, a feature group without columns,
        a number for a term, or text that formulaic cannot read.
    UnsupportedError
        Powers and differences inside a term with a feature group, or a feature group inside a function.
    """
    terms = {INTERCEPT.key: INTERCEPT}
    for sign, piece in parsed.pieces:
        if piece in ("0", "1"):
            if (sign == "+") == (piece == "1"):
                terms.setdefault(INTERCEPT.key, INTERCEPT)
            else:
                terms.pop(INTERCEPT.key, None)
            continue
        for term in _parse_terms(piece, groups):
            if sign == "+":
                terms.setdefault(term.key, term)
            elif terms.pop(term.key, None) is None:
                raise FormulaError(f"The formula takes away {term.name!r}, which is not among its terms.")
    twice = [name for name, count in Counter(term.name for term in terms.values()).items() if count > 1]
    if twice:
        raise FormulaError(f"Two different terms would both be called {twice[0]!r}; rename a column.")
    return tuple(sorted(terms.values(), key=lambda term: len(term.factors)))


def _parse_terms(piece: str, groups: Groups) -> list[FixedTerm]:
    """Formulaic's terms of one piece, then groups replaced by their columns."""
    if _PLAIN_NAME.fullmatch(piece) and piece not in groups:
        return [FixedTerm((piece,), (True,))]  # what formulaic says too, sixty times sooner
    masked, masks = mask_quoted(piece)
    marked, group_of, column_of = _mark_groups(masked, masks, groups)
    if group_of and re.search(r"\*\*|\^|-", marked):
        raise UnsupportedError(
            f"Powers and differences inside a term with a feature group are not expanded in {piece!r}; "
            "write g + g:g for all pairs, and take columns away at the end: … - column."
        )
    expanded: list[FixedTerm] = []
    for term in _formulaic_terms(marked, piece):
        factors = [(f.expr, f.eval_method.value == "lookup") for f in term.factors if f.expr != "1"]
        _refuse_factors(term, group_of, masks, piece)
        times = Counter(group_of[expr] for expr, _ in factors if expr in group_of)
        empty = [g for g in times if not groups[g]]
        if empty:
            raise FormulaError(f"Feature group {empty[0]!r} has no columns; leave it out of the formula.")
        for choice in product(*(combinations(groups[g], k) for g, k in times.items())):
            columns = {g: iter(chosen) for g, chosen in zip(times, choice, strict=True)}
            flat = [
                (next(columns[group_of[e]]), True) if e in group_of else (column_of.get(e) or unmask(e, masks), plain)
                for e, plain in factors
            ]
            if len(set(flat)) == len(flat):
                expanded.append(FixedTerm(tuple(e for e, _ in flat), tuple(plain for _, plain in flat)))
    return expanded


def _mark_groups(masked: str, masks: dict[str, str], groups: Groups) -> tuple[str, dict[str, str], dict[str, str]]:
    """Replace every occurrence of a group by a mark of its own, so that ``g:g`` does not collapse to ``g``.

    Returns
    -------
    tuple
        The marked text, the group of each mark, and the column of each mask that stands for a back-quoted one.
    """
    marks: dict[str, str] = {}
    columns = {key: quoted[1:-1] for key, quoted in masks.items() if quoted.startswith("`")}
    prefix = "feature_group"
    while prefix in masked:
        prefix += "_"

    def mark(match: re.Match[str]) -> str:
        name = columns.get(match.group(1), match.group(1))
        if name not in groups or match.group(2):
            return match.group()
        key = f"{prefix}{len(marks)}x"
        marks[key] = name
        return key

    # A name before a parenthesis is a function, before an equals sign an option of one.
    return re.sub(r"(?<![\w.])(?!\d)([\w.]+)(\s*(?:\(|=(?!=)))?", mark, masked), marks, columns


def _refuse_factors(term: Any, group_of: dict[str, str], masks: dict[str, str], piece: str) -> None:
    """Refuse numbers that scale a term, strings, and feature groups inside a function."""
    for factor in term.factors:
        how = factor.eval_method.value
        if how == "literal" and factor.expr != "1":
            raise FormulaError(f"The number {factor.expr} in {piece!r} is not a column; make a scaled column first.")
        if masks.get(factor.expr, "`")[0] != "`":
            raise FormulaError(f"The text {masks[factor.expr]} in {piece!r} is not a column; back-quote odd names.")
        inside = [group_of[name] for name in names_in(factor.expr) if how == "python" and name in group_of]
        if inside:
            raise UnsupportedError(
                f"Feature group {inside[0]!r} stands inside a function in {piece!r}; transform its columns first."
            )


def _formulaic_terms(expression: str, original: str) -> list[Any]:
    from formulaic.errors import FormulaicError
    from formulaic.parser import DefaultFormulaParser

    try:
        return list(DefaultFormulaParser(include_intercept=False).get_terms(expression))
    except (FormulaicError, SyntaxError) as error:
        raise FormulaError(f"Cannot read the terms {original!r}: {str(error).splitlines()[0]}") from error
