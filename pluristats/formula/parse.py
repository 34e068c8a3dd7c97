"""Split an lme4 formula into response, fixed part and random part."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pluristats.errors import FormulaError

_NAME = re.compile(r"`[^`]+`|[A-Za-z_.][\w.]*")


@dataclass(frozen=True)
class RandomTerm:
    """One ``(coefficients | group)`` of a formula.

    Parameters
    ----------
    coefficients
        Left of the bar, as written ("1", "1 + days", "0 + days").
    group
        Variables whose combination of levels is the grouping factor; ("a", "b") is the interaction ``a:b``.
    correlated
        False for a double bar.
    """

    coefficients: str
    group: tuple[str, ...]
    correlated: bool = True

    @property
    def intercept_only(self) -> bool:
        """Whether this is a plain random intercept."""
        return self.coefficients == "1"

    @property
    def name(self) -> str:
        """Name of the grouping factor, as lme4 writes it."""
        return ":".join(self.group)

    def __str__(self) -> str:
        return f"({self.coefficients} {'|' if self.correlated else '||'} {self.name})"


@dataclass(frozen=True)
class ParsedFormula:
    """A formula taken apart.

    Parameters
    ----------
    text
        As written.
    response
        Left of the tilde.
    added, removed
        Pieces of the fixed part with plus and minus before them, as written ("traits:actions", "1").
    random
        Random terms, nesting expanded: ``(1|a/b)`` is ``(1|b:a) + (1|a)``.
    """

    text: str
    response: str
    added: tuple[str, ...]
    removed: tuple[str, ...]
    random: tuple[RandomTerm, ...]


def parse_formula(text: str) -> ParsedFormula:
    """Take ``response ~ fixed + (coefficients | group) + …`` apart.

    Raises
    ------
    FormulaError
        No or several tildes, no response, unbalanced parentheses, a bar outside parentheses, a grouping that is
        not a name, ``a:b`` or ``a/b``.
    """
    if text.count("~") != 1:
        raise FormulaError(f"A formula has one ~ between response and terms, as in 'y ~ x + (1|g)'; got {text!r}.")
    response, right = (side.strip() for side in text.split("~"))
    if not response:
        raise FormulaError(f"The formula {text!r} names no response before the ~.")
    if not right:
        raise FormulaError(f"The formula {text!r} has no terms after the ~; write 1 for the intercept alone.")
    added: list[str] = []
    removed: list[str] = []
    random: list[RandomTerm] = []
    for sign, piece in _top_level_sum(right, text):
        inner = piece[1:-1] if piece.startswith("(") and piece.endswith(")") else ""
        if "|" in piece:
            if "|" not in inner or sign == "-":
                raise FormulaError(f"Write the random term {piece!r} in parentheses after a plus: + (1|group).")
            random.extend(_random_terms(inner, piece))
        else:
            (added if sign == "+" else removed).append(piece)
    names = [str(term) for term in random]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise FormulaError(f"Random term {sorted(twice)[0]} stands twice in the formula; leave one out.")
    return ParsedFormula(text, response, tuple(added), tuple(removed), tuple(random))


def names_in(expression: str) -> list[str]:
    """Names in an expression, back-quotes removed, in order, with repeats."""
    return [m.group().strip("`") for m in _NAME.finditer(expression)]


def _top_level_sum(right: str, text: str) -> list[tuple[str, str]]:
    """Pieces of a sum with their signs; plus and minus inside parentheses or back-quotes do not split."""
    pieces: list[tuple[str, str]] = []
    depth, sign, current, quoted = 0, "+", "", False
    for char in right:
        if char == "`":
            quoted = not quoted
        if not quoted:
            depth += (char in "([{") - (char in ")]}")
            if depth < 0:
                break
            if depth == 0 and char in "+-":
                if current.strip():
                    pieces.append((sign, current.strip()))
                    sign = char
                elif char == "-":
                    sign = "-" if sign == "+" else "+"
                current = ""
                continue
        current += char
    if depth != 0 or quoted:
        raise FormulaError(f"Parentheses or back-quotes do not close in {text!r}.")
    if not current.strip():
        raise FormulaError(f"The formula {text!r} ends in a sign without a term.")
    return [*pieces, (sign, current.strip())]


def _random_terms(inner: str, piece: str) -> list[RandomTerm]:
    """``1|a/b`` as its random terms."""
    left, _, group = inner.partition("|")
    correlated = not group.startswith("|")
    group = group.lstrip("|").strip()
    coefficients = re.sub(r"\s+", " ", left.strip())
    if not coefficients or "|" in group:
        raise FormulaError(f"The random term {piece!r} is not of the form (1|group).")
    slashed = [part.strip() for part in group.split("/")]
    paths = [tuple(name.strip() for name in part.split(":")) for part in slashed]
    if not all(_NAME.fullmatch(name) for path in paths for name in path):
        raise FormulaError(
            f"The grouping {group!r} in {piece!r} must be a column name, an interaction a:b or a nesting a/b."
        )
    paths = [tuple(name.strip("`") for name in path) for path in paths]
    nested = [tuple(n for path in reversed(paths[: i + 1]) for n in path) for i in range(len(paths))]
    return [RandomTerm(coefficients, path, correlated) for path in reversed(nested)]
