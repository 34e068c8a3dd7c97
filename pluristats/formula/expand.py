"""Expand the fixed part of a formula into terms, with feature groups standing for all their columns.

``actions`` is the sum of its columns; ``traits:actions`` all products of one of each; ``traits:traits`` each pair
of different columns once, without squares.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

from pluristats.errors import FormulaError, UnsupportedError
from pluristats.formula.parse import ParsedFormula

Groups = Mapping[str, Sequence[str]]


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


def expand_fixed(parsed: ParsedFormula, groups: Groups) -> tuple[FixedTerm, ...]:
    """Terms of the fixed part, intercept first, then by degree, each once.

    Raises
    ------
    FormulaError
        A term taken away that is not there, or formulaic cannot read the formula.
    UnsupportedError
        Powers of feature groups.
    """
    # a:b and b:a are the same term, so the set of its factors is a term's identity.
    terms: dict[frozenset[str], FixedTerm] = {}
    for term in _parse_terms(" + ".join(["1", *_not_intercept(parsed)]), groups):
        terms.setdefault(frozenset(term.factors), term)
    for piece in parsed.removed:
        gone = [FixedTerm((), ())] if piece == "1" else _parse_terms(f"0 + {piece}", groups)
        for term in gone:
            if terms.pop(frozenset(term.factors), None) is None:
                raise FormulaError(f"The formula takes away {term.name!r}, which is not among its terms.")
    if "0" in parsed.added:
        terms.pop(frozenset(), None)
    return tuple(sorted(terms.values(), key=lambda term: len(term.factors)))


def _not_intercept(parsed: ParsedFormula) -> list[str]:
    return [piece for piece in parsed.added if piece not in ("0", "1")]


def _parse_terms(expression: str, groups: Groups) -> list[FixedTerm]:
    """Formulaic's terms, then groups replaced by their columns."""
    marked, marks = _mark_groups(expression, groups)
    if marks and re.search(r"\*\*|\^|-", re.sub(r"`[^`]*`", "", expression)):
        raise UnsupportedError(
            f"Powers and differences inside a term with a feature group are not expanded in {expression!r}; "
            "write g + g:g for all pairs, and take columns away at the end: … - column."
        )
    expanded: list[FixedTerm] = []
    for term in _formulaic_terms(marked, expression):
        factors = [(f.expr, f.eval_method.value == "lookup") for f in term.factors if f.eval_method.value != "literal"]
        times = Counter(marks[expr] for expr, _ in factors if expr in marks)
        for choice in product(*(combinations(groups[g], k) for g, k in times.items())):
            columns = {g: iter(chosen) for g, chosen in zip(times, choice, strict=True)}
            flat = [(next(columns[marks[e]]), True) if e in marks else (e, plain) for e, plain in factors]
            expanded.append(FixedTerm(tuple(e for e, _ in flat), tuple(plain for _, plain in flat)))
    return expanded


def _mark_groups(expression: str, groups: Groups) -> tuple[str, dict[str, str]]:
    """Replace every occurrence of a group by a mark of its own, so that ``g:g`` does not collapse to ``g``."""
    marks: dict[str, str] = {}

    def mark(match: re.Match[str]) -> str:
        name = match.group(1) or match.group(2)
        if name not in groups or match.group(3):
            return match.group()
        key = f"pluristats_group_{len(marks)}"
        marks[key] = name
        return key

    # A back-quoted name, or a name; a name before a parenthesis is a function.
    return re.sub(r"`([^`]+)`|(?<![\w.])([A-Za-z_][\w.]*)(\s*\()?", mark, expression), marks


def _formulaic_terms(expression: str, original: str) -> list[Any]:
    from formulaic.errors import FormulaicError
    from formulaic.parser import DefaultFormulaParser

    try:
        return list(DefaultFormulaParser().get_terms(expression))
    except (FormulaicError, SyntaxError) as error:
        raise FormulaError(f"Cannot read the terms {original!r}: {str(error).splitlines()[0]}") from error
