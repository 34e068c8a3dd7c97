"""Cells of tables of texts: identifiers and texts, or what is wrong with them."""

from __future__ import annotations

from numbers import Integral

from pluristats.errors import Problem
from pluristats.study.tables import show


def read_identifier(value: object, where: str, problems: list[Problem]) -> str:
    """A short printable name, whole numbers as text; "" after noting a problem.

    Parameters
    ----------
    value
        Of the cell.
    where
        File, row and column, for the message.
    problems
        Is added to.
    """
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    name = str(value) if whole else value
    if not isinstance(name, str) or not name.strip() or not name.isprintable() or len(name) > 200:
        problems.append(Problem(where, f"{show(value)} is no identifier: a short text without control characters"))
        return ""
    return name


def read_text_cell(value: object, where: str, problems: list[Problem]) -> str:
    """A text that is not empty, exactly as it is; "" after noting a problem (parameters as `read_identifier`)."""
    if not isinstance(value, str):
        problems.append(Problem(where, f"{show(value)} is not a text; a prompt is one"))
    elif not value.strip():
        problems.append(Problem(where, "the text is empty; take the row out or fill it in"))
    else:
        return value
    return ""
