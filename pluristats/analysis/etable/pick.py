"""Which terms stand in a table, and in which order."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

Patterns = str | Sequence[str] | None


def picked(
    terms: Sequence[str], labels: Mapping[str, str], *, keep: Patterns, drop: Patterns, order: Patterns
) -> list[str]:
    """Terms that are shown.

    A pattern that is a term's name or label means that term; any other is a regular expression that is searched for in
    both. ``keep`` leaves those that one of its patterns means, ``drop`` takes them away, ``order`` puts them first, in
    the order of its patterns; the rest keep theirs.

    Parameters
    ----------
    terms
        In their first order.
    labels
        What people read, by term.

    Raises
    ------
    ValueError
        A pattern means no term, or is no regular expression.
    """
    shown = list(terms)
    if keep is not None:
        kept = {term for pattern in _patterns(keep) for term in _meant(pattern, terms, labels, "keep")}
        shown = [term for term in shown if term in kept]
    if drop is not None:
        gone = {term for pattern in _patterns(drop) for term in _meant(pattern, terms, labels, "drop")}
        shown = [term for term in shown if term not in gone]
    if order is not None:
        first = [term for pattern in _patterns(order) for term in _meant(pattern, terms, labels, "order")]
        shown = [term for term in dict.fromkeys([*first, *shown]) if term in set(shown)]
    return shown


def _patterns(given: str | Sequence[str]) -> Sequence[str]:
    return [given] if isinstance(given, str) else given


def _meant(pattern: str, terms: Sequence[str], labels: Mapping[str, str], argument: str) -> list[str]:
    exact = [term for term in terms if pattern in (term, labels[term])]
    if exact:
        return exact
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{argument}={pattern!r} is neither a term nor a regular expression ({error}).") from None
    found = [term for term in terms if expression.search(term) or expression.search(labels[term])]
    if not found:
        known = ", ".join(terms[:12]) + (", …" if len(terms) > 12 else "")
        raise ValueError(f"{argument}={pattern!r} means no term of these models; they have {known}.")
    return found
