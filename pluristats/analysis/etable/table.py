"""``etable``: models side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Literal, Protocol

import pandas as pd

from pluristats.analysis.etable import cells, notes
from pluristats.analysis.etable.cells import Below, Entry, Style
from pluristats.analysis.etable.pick import Patterns, picked
from pluristats.analysis.etable.read import Model, read
from pluristats.display import render
from pluristats.display.frames import csv_text
from pluristats.display.grid import Cell, Grid, Part, Row
from pluristats.display.labels import display_label
from pluristats.models.multiplicity import Adjust

_PARTS = {"fixed": "", "random": "Standard deviations of random effects", "fit": "Fit"}
_STARS = (0.05, 0.01, 0.001)


class Labelled(Protocol):
    """What knows readable names of columns, as a study."""

    @property
    def labels(self) -> Mapping[str, str]:
        """By column."""


@dataclass(frozen=True, eq=False, repr=False)
class ETable:
    """Models side by side; :func:`etable` makes it.

    In a notebook it shows itself; ``print`` gives text.

    Parameters
    ----------
    grid
        Every cell as text.
    entries
        Every row with its numbers.
    columns
        Name of each model.
    """

    grid: Grid
    entries: tuple[Entry, ...] = field(repr=False)
    columns: tuple[str, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """What stands below the table."""
        return self.grid.notes

    def frame(self) -> pd.DataFrame:
        """The numbers, unrounded.

        Returns
        -------
        DataFrame
            A column a model; its index is ``part`` ("fixed", "random", "fit"), ``term`` and ``value`` ("estimate",
            "std_error", …; "value" of the fit's statistics). NaN where a model has it not. What is text (outcome,
            method) is not in it.
        """
        rows: dict[tuple[str, str, str], list[Any]] = {}
        for entry in self.entries:
            for name in dict.fromkeys(name for numbers in entry.numbers for name in numbers or ()):
                values = [None if numbers is None else numbers.get(name) for numbers in entry.numbers]
                if not any(isinstance(value, str) for value in values):
                    rows[entry.part, entry.term, name] = [float("nan") if v is None else float(v) for v in values]
        index = pd.MultiIndex.from_tuples(list(rows), names=["part", "term", "value"])
        return pd.DataFrame(list(rows.values()), index=index, columns=list(self.columns))

    def csv(self) -> str:
        """:meth:`frame` as CSV; text that a spreadsheet would run as a formula has an apostrophe before it."""
        return csv_text(self.frame())

    def html(self) -> str:
        """An accessible ``<table>``, its notes in the foot."""
        return render.html(self.grid)

    def markdown(self) -> str:
        """A pipe table and its notes as a list."""
        return render.markdown(self.grid)

    def latex(self) -> str:
        r"""A ``table`` environment for ``\usepackage{booktabs}``; other scripts than Latin need LuaLaTeX or XeLaTeX."""
        return render.latex(self.grid)

    def typst(self) -> str:
        """A ``figure`` with a ``table``."""
        return render.typst(self.grid)

    def text(self) -> str:
        """Plain text with aligned columns."""
        return render.text(self.grid)

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return self.html()

    def _repr_markdown_(self) -> str:
        return self.markdown()


def etable(
    fits: Any,
    *,
    names: Sequence[str] | None = None,
    headers: Sequence[str] | None = None,
    labels: Mapping[str, str] | Labelled | Literal[False] | None = None,
    keep: Patterns = None,
    drop: Patterns = None,
    order: Patterns = None,
    below: Below | None = "std_error",
    stars: bool | Sequence[float] = False,
    adjust: Adjust | None = None,
    conf_level: float = 0.95,
    digits: int = 3,
    random: bool = True,
    statistics: Sequence[str] | None = None,
    caption: str = "",
    note: str | Sequence[str] = (),
) -> ETable:
    """Models side by side: coefficients, standard deviations of random effects, and how they fit.

    Numbers are those of the fits' ``tidy()``, ``varcorr()`` and ``glance()``. Notes below say what a reader must know:
    simulated data, columns chosen by the rows that estimate them, different rows or likelihoods (whose statistics are
    marked by †), singular fits, coefficients that are not shown.

    Parameters
    ----------
    fits
        A fit, several, or a mapping of names to fits: :class:`~pluristats.LmerFit`,
        :class:`~pluristats.OrderedBetaFit`, selections by the Lasso (their unpenalised refits), questions
        (``ps.rq1(study)``; their refits, with their caveats), or anything whose ``tidy()`` has ``term`` and
        ``estimate``.
    names
        Of the models, below their numbers; a mapping's keys and a question's name otherwise.
    headers
        One a model, above the numbers; equal neighbours share one.
    labels
        Readable names by term, or a study, whose labels complete the usual ones
        (:func:`pluristats.display.display_label`); False shows terms as they are.
    keep, drop, order
        Terms, labels or regular expressions: which coefficients are shown, and which come first
        (:func:`pluristats.analysis.etable.pick.picked`). How many are not shown is said.
    below
        Under an estimate: its ``"std_error"``, ``"conf_int"``, ``"p_value"``, ``"statistic"``, or None for nothing.
    stars
        True for * p < 0.05, ** p < 0.01, *** p < 0.001, or the thresholds, the largest first.
    adjust
        ``"holm"`` or ``"bh"``: p-values and stars adjusted for the number of each model's coefficients, shown or not.
    conf_level
        Of intervals.
    digits
        Decimals of coefficients and standard deviations; a number that would read as zero is written as 2.2e−15.
    random
        Whether to show the random effects' standard deviations and correlations.
    statistics
        Names of ``glance()``'s columns, ``"groups"`` (levels of each grouping factor), ``"outcome"`` and ``"method"``;
        None for the usual ones, ``()`` for none.
    caption
        Above the table.
    note
        More notes.

    Returns
    -------
    ETable

    Raises
    ------
    FitError
        Something is no fitted model.
    ValueError
        No fits, names that are not as many or not different, a pattern that means no term, a statistic that no model
        has, or a setting out of its range.

    Examples
    --------
    >>> import pluristats as ps
    >>> study = ps.simulate_study(n_annotators=20, n_prompts=30, seed=1)
    >>> fit = ps.lmer("rating ~ harm_level + (1|annotator) + (1|prompt)", study, reml=False)
    >>> print(ps.etable({"harm": fit}, random=False, statistics=["nobs"]).grid.parts[1].rows[0].cells)
    (('588',),)
    """
    found, given = _listed(fits)
    levels = _STARS if stars is True else () if stars is False else tuple(stars)
    style = Style(digits, below, levels, adjusted=adjust is not None)
    models = [read(fit, conf_level=conf_level, adjust=adjust) for fit in found]
    titles = _titles(models, given if names is None else names)
    known = list(dict.fromkeys(term for model in models for term in model.terms["term"]))
    readable = _readable(known, labels)
    shown = picked(known, readable, keep=keep, drop=drop, order=order)

    warned = notes.likelihoods(models)
    entries = cells.coefficients(models, shown, readable, style)
    if random:
        entries += cells.components(models, _of_study(labels), digits)
    fit_entries = cells.statistics(models, statistics, digits, comparable=not warned)
    entries += fit_entries
    compared = any(entry.term in cells.OF_LIKELIHOOD for entry in fit_entries)
    empty = any(not cell for entry in entries if entry.part == "fixed" for cell in entry.cells)
    below_table = [
        *notes.simulated(models),
        *notes.inference(models),
        *(warned if compared else []),
        *notes.each(models),
        *notes.reading(models, style, conf_level, adjust),
        *notes.hidden(len(shown), len(known), empty),
        *([note] if isinstance(note, str) else note),
    ]
    marked = f"{notes.SIMULATED}. " if any(model.simulated for model in models) else ""
    grid = Grid(
        caption=f"{marked}{caption}".strip(),
        stub="",
        columns=tuple((f"({i})", title) if title else (f"({i})",) for i, title in enumerate(titles, start=1)),
        parts=tuple(_parts(entries)),
        notes=tuple(below_table),
        above=_above(headers, len(models)),
    )
    columns = tuple(title or f"({i})" for i, title in enumerate(titles, start=1))
    return ETable(grid, tuple(entries), columns)


def _listed(fits: Any) -> tuple[list[Any], list[str]]:
    """The fits, and their names (empty where none is given)."""
    if isinstance(fits, Mapping):
        found, names = list(fits.values()), [str(name) for name in fits]
    elif isinstance(fits, Iterable):
        found = list(fits)
        names = [""] * len(found)
    else:
        found, names = [fits], [""]
    if not found:
        raise ValueError("etable needs at least one fit.")
    return found, names


def _titles(models: Sequence[Model], names: Sequence[str]) -> list[str]:
    if len(names) != len(models):
        raise ValueError(f"names has {len(names)} for {len(models)} models.")
    titles = [str(name) or model.name for name, model in zip(names, models, strict=True)]
    if twice := [title for title, count in Counter(titles).items() if title and count > 1]:
        raise ValueError(f"two models are called {twice[0]!r}; give names= that differ.")
    return titles


def _readable(terms: Sequence[str], labels: Mapping[str, str] | Labelled | Literal[False] | None) -> dict[str, str]:
    """A label for every term; where two terms have the same one, each is followed by the term itself."""
    own = labels if isinstance(labels, Mapping) else {}
    of_study = _of_study(labels)
    found = {
        term: term if of_study is False else str(own[term]) if term in own else display_label(term, of_study)
        for term in terms
    }
    twice = {label for label, count in Counter(found.values()).items() if count > 1}
    return {term: f"{label} ({term})" if label in twice else label for term, label in found.items()}


def _of_study(
    labels: Mapping[str, str] | Labelled | Literal[False] | None,
) -> Mapping[str, str] | Literal[False] | None:
    if labels is None or labels is False or isinstance(labels, Mapping):
        return labels
    return labels.labels


def _parts(entries: Sequence[Entry]) -> Iterable[Part]:
    for part, of_part in groupby(entries, key=lambda entry: entry.part):
        rows: list[Row] = [Row(entry.label, entry.cells) for entry in of_part]
        yield Part(_PARTS[part], tuple(rows))


def _above(headers: Sequence[str] | None, k: int) -> tuple[tuple[str, int], ...]:
    if headers is None:
        return ()
    if isinstance(headers, str) or len(headers) != k:
        raise ValueError(f"headers is one text for each of the {k} models, not {headers!r}.")
    return tuple((text, len(list(equal))) for text, equal in groupby(map(str, headers)))


__all__ = ["Cell", "ETable", "etable"]
