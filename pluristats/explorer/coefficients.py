"""The rows that are explored, and which of them a view keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pluristats.display.labels import display_label, group_of
from pluristats.engine.result import Array
from pluristats.models import LmerFit

Sort = Literal["model", "term", "group", "estimate", "size", "std_error", "width", "p_value"]
SORTS: tuple[Sort, ...] = ("model", "term", "group", "estimate", "size", "std_error", "width", "p_value")
Groups = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, eq=False)
class Coefficients:
    """One row a fixed effect.

    Parameters
    ----------
    terms, labels, groups
        Names as in the model, for readers, and feature groups; p each.
    estimate, std_error, low, high, p_value
        Shape (p,); NaN where the fit has none.
    """

    terms: tuple[str, ...]
    labels: tuple[str, ...]
    groups: tuple[str, ...]
    estimate: Array = field(repr=False)
    std_error: Array = field(repr=False)
    low: Array = field(repr=False)
    high: Array = field(repr=False)
    p_value: Array = field(repr=False)

    def table(self) -> pd.DataFrame:
        """The rows as :func:`pluristats.plot.forest` reads them."""
        # As objects: pandas 3's own text cannot hold half a surrogate pair, which a name from outside can.
        return pd.DataFrame(
            {
                "term": pd.Series(self.terms, dtype=object),
                "label": pd.Series(self.labels, dtype=object),
                "group": pd.Series(self.groups, dtype=object),
                "estimate": self.estimate,
                "std_error": self.std_error,
                "conf_low": self.low,
                "conf_high": self.high,
                "p_value": self.p_value,
            }
        )


@dataclass(frozen=True)
class View:
    """Which rows are seen, and in which order.

    Parameters
    ----------
    search
        Part of a term or its label; capitals do not count.
    groups
        Feature groups to show; None shows all.
    min_size
        Least |estimate|.
    excludes_zero
        Show only rows whose interval excludes 0.
    max_width
        Greatest high - low; None for any.
    sort
        ``"model"`` (its order), ``"term"`` (the label), ``"group"``, ``"estimate"``, ``"size"`` (|estimate|),
        ``"std_error"``, ``"width"`` or ``"p_value"``.
    descending
        Largest first.

    Raises
    ------
    ValueError
        A field that is out of its range.
    """

    search: str = ""
    groups: tuple[str, ...] | None = None
    min_size: float = 0.0
    excludes_zero: bool = False
    max_width: float | None = None
    sort: Sort = "model"
    descending: bool = False

    def __post_init__(self) -> None:
        if self.groups is not None:
            object.__setattr__(self, "groups", tuple(self.groups))
        if not self.min_size >= 0:
            raise ValueError(f"min_size is a size of at least 0, not {self.min_size!r}.")
        if self.max_width is not None and not self.max_width >= 0:
            raise ValueError(f"max_width is a width of at least 0 or None, not {self.max_width!r}.")
        if self.sort not in SORTS:
            raise ValueError(f"sort is one of {', '.join(SORTS)}, not {self.sort!r}.")

    def positions(self, rows: Coefficients) -> NDArray[np.intp]:
        """Positions of the rows that are seen, in their order; ties keep the model's order, NaN comes last."""
        needle = self.search.strip().casefold()
        kept = np.array(
            [
                needle in term.casefold() or needle in label.casefold()
                for term, label in zip(rows.terms, rows.labels, strict=True)
            ],
            dtype=bool,
        )
        if self.groups is not None:
            kept &= np.array([group in self.groups for group in rows.groups], dtype=bool)
        if self.min_size:
            kept &= np.abs(rows.estimate) >= self.min_size
        if self.excludes_zero:
            kept &= (rows.low > 0) | (rows.high < 0)
        if self.max_width is not None:
            kept &= rows.high - rows.low <= self.max_width
        found = np.flatnonzero(kept)
        if self.sort == "model":
            return found[::-1] if self.descending else found
        if self.sort in ("term", "group"):
            texts = rows.labels if self.sort == "term" else rows.groups
            # Reversed twice, so that ties keep their order when descending, too.
            order = sorted(found[::-1] if self.descending else found, key=lambda i: texts[i].casefold())
            return np.array(order[::-1] if self.descending else order, dtype=np.intp)
        key = {
            "estimate": rows.estimate,
            "size": np.abs(rows.estimate),
            "std_error": rows.std_error,
            "width": rows.high - rows.low,
            "p_value": rows.p_value,
        }[self.sort][found]
        return found[np.argsort(-key if self.descending else key, kind="stable")]


def coefficients(
    fit: LmerFit, groups: Groups | None = None, labels: Mapping[str, str] | None = None, conf_level: float = 0.95
) -> Coefficients:
    """Rows of a fit: :meth:`LmerFit.tidy`, with a label and a feature group each.

    Parameters
    ----------
    fit
        With random intercepts or slopes; or without a random part (:func:`pluristats.explorer.refit`), where p and
        interval are least squares', Student's t with n - p degrees of freedom.
    groups, labels
        Columns by feature group and readable names, as a study's. Without groups a row is a "main effect" or an
        "interaction".
    conf_level
        Coverage of the interval.
    """
    table = fit.tidy(conf_level=conf_level)
    return Coefficients(
        fit.terms,
        tuple(display_label(term, labels) for term in fit.terms),
        tuple(group_name(term, groups) for term in fit.terms),
        *(table[name].to_numpy(float) for name in ("estimate", "std_error", "conf_low", "conf_high", "p_value")),
    )


def group_name(term: str, groups: Groups | None) -> str:
    """Feature group of a term; without groups whether it is a main effect or an interaction."""
    if term == "(Intercept)":
        return "intercept"
    if groups is None:
        return "interactions" if ":" in term else "main effects"
    return group_of(term, groups)
