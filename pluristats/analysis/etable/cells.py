"""What stands where: the one place that decides a table's cells, as numbers and as text."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Literal, get_args

import pandas as pd

from pluristats.analysis.etable.read import NUMBERS, Model
from pluristats.display.grid import Cell
from pluristats.display.labels import display_label
from pluristats.display.numbers import number
from pluristats.models.display import p_text

Below = Literal["std_error", "conf_int", "p_value", "statistic"]
NOT_COMPARABLE = " †"

# Name in the models' statistics: label and decimals (None: as the table's). Their order is the default table's.
STATISTICS: Mapping[str, tuple[str, int | None]] = {
    "outcome": ("Outcome", None),
    "method": ("Fitted by", None),
    "nobs": ("Rows", 0),
    "groups": ("Levels of", 0),
    "loglik": ("Log-likelihood", 2),
    "aic": ("AIC", 1),
    "bic": ("BIC", 1),
    "r2": ("R²", None),
    "r2_marginal": ("R² marginal", None),
    "r2_conditional": ("R² conditional", None),
    "r2_cv_selected": ("R² cross-validated, selection in it", None),
    "cut_low": ("Lower cutpoint", None),
    "cut_high": ("Upper cutpoint", None),
    "phi": ("Precision φ", None),
}
_OTHERS = {
    "bic_hybrid": ("Hybrid BIC", 1),
    "deviance": ("Deviance", 2),
    "df": ("Parameters", 0),
    "sigma": ("Residual standard deviation", None),
    "ceiling": ("Ceiling of R²", None),
}
OF_LIKELIHOOD = ("loglik", "aic", "bic", "bic_hybrid", "deviance")


@dataclass(frozen=True)
class Style:
    """How numbers become text.

    Parameters
    ----------
    digits
        Decimals.
    below
        What stands under an estimate; None for nothing.
    stars
        Thresholds of p, falling: as many stars as are not below p; () for none.
    adjusted
        Whether p is the adjusted one.
    """

    digits: int
    below: Below | None
    stars: tuple[float, ...]
    adjusted: bool

    def __post_init__(self) -> None:
        if not isinstance(self.digits, Integral) or not 0 <= self.digits <= 15:
            raise ValueError(f"digits is a whole number from 0 to 15, not {self.digits!r}.")
        if self.below is not None and self.below not in get_args(Below):
            raise ValueError(f"below is one of {', '.join(get_args(Below))} or None, not {self.below!r}.")
        if any(not 0 < p < 1 for p in self.stars) or list(self.stars) != sorted(set(self.stars), reverse=True):
            raise ValueError(f"stars are thresholds between 0 and 1, the largest first, not {list(self.stars)}.")

    @property
    def p(self) -> str:
        """Name of the p-value in use."""
        return "p_adjusted" if self.adjusted else "p_value"


@dataclass(frozen=True)
class Entry:
    """One row: a coefficient, a component or a statistic of every model.

    Parameters
    ----------
    part, term
        ``"fixed"``, ``"random"`` or ``"fit"``, and its name there.
    label
        What people read.
    numbers
        By name, one mapping a model; None where a model has no such row.
    cells
        The same as text.
    """

    part: str
    term: str
    label: str
    numbers: tuple[Mapping[str, Any] | None, ...]
    cells: tuple[Cell, ...]


def coefficients(models: Sequence[Model], terms: Sequence[str], labels: Mapping[str, str], style: Style) -> list[Entry]:
    """One entry a term; empty where a model has it not."""
    by_term = [dict(zip(model.terms["term"], model.terms.to_dict("records"), strict=True)) for model in models]
    entries = []
    for term in terms:
        rows = [_numbers(table[term]) if term in table else None for table in by_term]
        cells = tuple(() if row is None else _estimate(row, style) for row in rows)
        entries.append(Entry("fixed", term, labels[term], tuple(rows), cells))
    return entries


def _numbers(row: Mapping[Hashable, Any]) -> dict[str, float]:
    return {name: float(row[name]) for name in NUMBERS if name in row}


def _estimate(row: Mapping[str, float], style: Style) -> Cell:
    p = row.get(style.p, math.nan)
    top = _number(row["estimate"], style.digits) + "*" * sum(p < threshold for threshold in style.stars)
    low, high = (_number(row.get(f"conf_{end}", math.nan), style.digits) for end in ("low", "high"))
    match style.below:
        case None:
            return (top,)
        case "conf_int":
            return top, f"[{low}, {high}]"
        case "p_value":
            return top, f"({p_text(p)})"
        case name:
            return top, f"({_number(row.get(name, math.nan), style.digits)})"


def components(models: Sequence[Model], label: Mapping[str, str] | Literal[False] | None, digits: int) -> list[Entry]:
    """One entry a standard deviation or correlation, in the order of first appearance, the residual last."""

    def read(name: str) -> str:
        return name if label is False else display_label(name, label)

    found = [_components(model.components) for model in models]
    keys = dict.fromkeys(key for one in found for key in one)
    entries = []
    for group, first, second in sorted(keys, key=lambda key: key[0] == "Residual"):
        of = read(first) if not second else f"correlation of {read(first)} and {read(second)}"
        rows = [one.get((group, first, second)) for one in found]
        entries.append(
            Entry(
                "random",
                f"{group}: {first}" + (f", {second}" if second else "") if first else group,
                f"{read(group)}: {of}" if first else read(group),
                tuple(None if value is None else {"estimate": value} for value in rows),
                tuple(() if value is None else (_number(value, digits),) for value in rows),
            )
        )
    return entries


def _components(table: pd.DataFrame | None) -> dict[tuple[str, str, str], float]:
    if table is None:
        return {}
    names = [tuple("" if pd.isna(x) else str(x) for x in row) for row in table[["grp", "var1", "var2"]].to_numpy()]
    return {(n[0], n[1], n[2]): float(sd) for n, sd in zip(names, table["sdcor"], strict=True)}


def statistics(models: Sequence[Model], wanted: Sequence[str] | None, digits: int, *, comparable: bool) -> list[Entry]:
    """One entry a statistic that any model has; ``groups`` is one a grouping factor.

    Those of the likelihood are marked by † unless they are ``comparable``.

    Raises
    ------
    ValueError
        No model has a statistic that is asked for.
    """
    known = dict.fromkeys(name for model in models for name in model.statistics)
    entries = []
    for name in STATISTICS if wanted is None else wanted:
        names = [each for each in known if each.startswith("groups:")] if name == "groups" else [name]
        names = [each for each in names if each in known]
        if wanted is not None and not names:
            raise ValueError(f"no model has the statistic {name!r}; they have {', '.join(known)}.")
        for each in names:
            values = [model.statistics.get(each) for model in models]
            title, decimals = STATISTICS.get(name) or _OTHERS.get(name) or (each, None)
            title = f"{title} {display_label(each.partition(':')[2])}" if name == "groups" else title
            marked = NOT_COMPARABLE if name in OF_LIKELIHOOD and not comparable else ""
            entries.append(
                Entry(
                    "fit",
                    each,
                    title + marked,
                    tuple(None if value is None else {"value": value} for value in values),
                    tuple(_statistic(value, digits if decimals is None else decimals) for value in values),
                )
            )
    return entries


def _statistic(value: Any, digits: int) -> Cell:
    if value is None:
        return ()
    if type(value).__name__ in ("bool", "bool_"):  # numpy's name for its own differs between versions
        return ("yes" if value else "no",)
    return (_number(value, digits),) if isinstance(value, Real) else (str(value),)


def _number(value: Any, digits: int) -> str:
    return "NaN" if isinstance(value, Real) and math.isnan(value) else number(value, digits)
