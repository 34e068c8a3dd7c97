"""Values, rights and duties that bear on a prompt: one table, whichever model named them.

One row an item: how relevant it is to the prompt, and how it stands to what the prompt asks for. Every backend gives
this table; the filter and the features of topics take it.
"""

from __future__ import annotations

from numbers import Real
from typing import Any, NoReturn

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pluristats.distinct import factorise
from pluristats.errors import ValuesError

VRD = ("Value", "Right", "Duty")
"""What an item can be."""
VALENCE = ("supports", "opposes", "either")
PROBABILITIES = ("relevance", *VALENCE)
COLUMNS = ("prompt", "vrd", "text", *PROBABILITIES)
"""Columns that a table of items has; ``explanation`` and ``simulated`` may be there too."""


def parse_item(text: str) -> tuple[str, str] | None:
    """Kind and text of an item as models write it, ``"Value: Health"``; None for what has another form.

    The text is what follows the first ``": "``, without white space around it, and is not empty.
    """
    vrd, _, rest = text.strip().partition(": ")
    return (vrd, rest.strip()) if vrd in VRD and rest.strip() else None


def check_items(table: pd.DataFrame) -> pd.DataFrame:
    """The table, if it is one of items.

    Parameters
    ----------
    table
        Columns ``prompt`` (id: text or a whole number), ``vrd`` (Value, Right or Duty), ``text`` (any text that is not
        blank), ``relevance``, ``supports``, ``opposes``, ``either`` (probabilities; the last three need not add up to
        1). It may have ``explanation`` (text or missing), ``simulated`` (True or False) and others.

    Returns
    -------
    pandas.DataFrame
        The same rows numbered from 0; probabilities as float64, texts as objects, since pandas 3's own text cannot
        hold half a surrogate pair. ``simulated`` is False where the table does not say. Other columns follow as they
        are.

    Raises
    ------
    ValuesError
        For the first thing that does not fit, with its row and column.
    """
    _check_columns(table)
    checked: dict[str, Any] = {
        "prompt": _objects(table, "prompt", is_id, "is no id of a prompt; ids are text or whole numbers"),
        "vrd": _objects(table, "vrd", VRD.__contains__, f"is none of {', '.join(VRD)}; spell it so"),
        "text": _objects(table, "text", is_text, "is no text; leave out items without one"),
        **{name: _probabilities(table, name) for name in PROBABILITIES},
    }
    if "explanation" in table:
        checked["explanation"] = _objects(table, "explanation", _may_be_text, "is no text; leave it empty (None)")
    checked["simulated"] = (
        _objects(table, "simulated", _is_bool, "is neither True nor False; say which").astype(bool)
        if "simulated" in table
        else np.zeros(len(table), dtype=bool)
    )
    others = table.drop(columns=list(checked), errors="ignore").reset_index(drop=True)
    # With their types said: pandas 3 would make text of objects, which cannot hold half a surrogate pair.
    columns = {name: pd.Series(np.asarray(v), others.index, np.asarray(v).dtype) for name, v in checked.items()}
    return pd.concat([pd.DataFrame(columns, index=others.index), others], axis="columns")


def overall_valence(items: pd.DataFrame) -> pd.DataFrame:
    """How the values at stake stand to each prompt: Σ_i r_i · (s_i, o_i, e_i) / Σ_i r_i · (s_i + o_i + e_i).

    r, s, o and e are relevance, supports, opposes and either of the prompt's items. Source: Value Kaleidoscope
    (Sorensen et al., AAAI 2024), public code.

    Parameters
    ----------
    items
        Table of items.

    Returns
    -------
    pandas.DataFrame
        One row a prompt, in the order in which they come: ``prompt``, ``items`` (how many), ``supports``, ``opposes``,
        ``either`` (they add up to 1; missing where the sum below the line is 0), ``simulated`` (whether any item is).
    """
    table = check_items(items)
    prompt, ids = factorise(table["prompt"])
    weighted = [np.bincount(prompt, table["relevance"] * table[name], len(ids)) for name in VALENCE]
    total = np.sum(weighted, axis=0)
    shares = np.divide(weighted, total, out=np.full((len(VALENCE), len(ids)), np.nan), where=total > 0)
    return pd.DataFrame(
        {
            "prompt": pd.Series(ids, dtype=object),
            "items": np.bincount(prompt, minlength=len(ids)),
            **dict(zip(VALENCE, shares, strict=True)),
            "simulated": np.bincount(prompt, table["simulated"], len(ids)) > 0,
        }
    )


def show(value: object) -> str:
    """A value in a message: escaped, at most 60 characters."""
    text = repr(value[:61] if isinstance(value, str) else value)
    return text if len(text) <= 62 else f"{text[:60]}…"


def _check_columns(table: pd.DataFrame) -> None:
    lacking = [name for name in COLUMNS if name not in table]
    if lacking:
        raise ValuesError(
            f"the table of items lacks {', '.join(lacking)}; it needs the columns {', '.join(COLUMNS)}, one row an item"
        )
    if not table.columns.is_unique:
        twice = table.columns[table.columns.duplicated()][0]
        raise ValuesError(f"the table of items has column {twice!r} twice; rename one")


def _objects(table: pd.DataFrame, column: str, fits: Any, what: str) -> NDArray[Any]:
    """A column's values as objects, each of which fits."""
    values = table[column].astype(object).to_numpy()
    for row, value in enumerate(values):
        if not fits(value):
            _refuse(table, row, column, value, what)
    return values


def _probabilities(table: pd.DataFrame, column: str) -> NDArray[np.float64]:
    values: Any = table[column].to_numpy()
    if values.dtype.kind not in "fiu":  # objects, or True and False, which are no numbers here
        values = [v if isinstance(v, Real) and not _is_bool(v) else np.nan for v in values]
    numbers = np.array(values, dtype=np.float64)
    wrong = np.flatnonzero(~((numbers >= 0) & (numbers <= 1)))
    if len(wrong):
        what = "is no probability; give a number from 0 to 1, or leave the item out"
        _refuse(table, wrong[0], column, table[column].iloc[wrong[0]], what)
    return numbers


def _refuse(table: pd.DataFrame, row: int, column: str, value: object, what: str) -> NoReturn:
    prompt = "" if column == "prompt" else f" (prompt {show(table['prompt'].iloc[row])})"
    raise ValuesError(f"items, row {show(table.index[row])}{prompt}, column {column}: {show(value)} {what}")


def is_id(value: object) -> bool:
    """Whether a value can be the id of a prompt."""
    return isinstance(value, str | int | np.integer) and not isinstance(value, bool)


def is_text(value: object) -> bool:
    """Whether a value is text that is not blank."""
    return isinstance(value, str) and not value.isspace() and value != ""


def _may_be_text(value: object) -> bool:
    return isinstance(value, str) or value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value))


def _is_bool(value: object) -> bool:
    return isinstance(value, bool | np.bool_)
