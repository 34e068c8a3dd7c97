r"""Which labels of a column are the same, for text of any kind.

The hash by which pandas compares text (``factorize``, ``groupby``, ``unique``, ``nunique``, ``Categorical``) takes text
that UTF-8 cannot write for equal where it is not. Such text holds half a surrogate pair (``"\ud800"``); JSON and Python
strings can hold it, so that names, prompts and models' answers do. Here all text is told apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd


def half_pair(label: object) -> bool:
    """Whether a label is text that holds half a surrogate pair."""
    if not isinstance(label, str) or label.isascii():
        return False
    try:
        label.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def factorise(values: pd.Series | NDArray[Any], *, sort: bool = False) -> tuple[NDArray[np.intp], list[Any]]:
    """Code of each value and the distinct labels, as ``pandas.factorize`` gives them.

    Parameters
    ----------
    values
        One dimension.
    sort
        Labels in their order, text after other values, instead of that of their first occurrence.

    Returns
    -------
    codes
        Shape (n,), from 0; -1 where a value is missing.
    labels
        As many as there are codes.
    """
    import pandas as pd

    codes, found = pd.factorize(values, sort=sort)  # type: ignore[call-overload]
    labels = found.tolist()
    if not any(map(half_pair, labels)):  # of those taken for equal the first stands among the labels
        return codes.astype(np.intp), labels
    # By a dictionary, which compares as Python does: slower, and only where it has to be.
    there = np.flatnonzero(~np.asarray(pd.isna(values)))
    given = np.asarray(values, dtype=object)[there].tolist()
    labels = list(dict.fromkeys(given))
    if sort:
        labels.sort(key=lambda label: (isinstance(label, str), label))
    place = {label: code for code, label in enumerate(labels)}
    codes = np.full(len(values), -1, dtype=np.intp)
    codes[there] = [place[label] for label in given]
    return codes, labels


def group_codes(*columns: pd.Series | NDArray[Any]) -> NDArray[np.intp]:
    """Number of each row's combination of values, in order of first occurrence, shape (n,).

    For ``groupby``; that a value is missing is a value of its own.
    """
    combined = np.zeros(len(columns[0]), dtype=np.intp)
    for column in columns:
        codes, labels = factorise(column)
        combined = factorise(combined * (len(labels) + 1) + codes + 1)[0]
    return combined
