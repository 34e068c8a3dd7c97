"""Prompt features and traits as z-scored columns, with the constants of the alignment."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from pluristats.engine.result import Array
from pluristats.evaluation.data import Alignment, Prompts

_HARM = "harm_level"


@dataclass(frozen=True, eq=False)
class Columns:
    """z = (x - mean) / sd of harm level and all prompt features, over the alignment's prompts.

    Parameters
    ----------
    names
        Columns; those that do not vary over the alignment, or miss a value, are left out.
    groups
        Feature groups with what is left of them; harm level is in none.
    mean, sd
        Of each column, shape (p,).
    """

    names: tuple[str, ...]
    groups: dict[str, tuple[str, ...]]
    mean: Array = field(repr=False)
    sd: Array = field(repr=False)

    @classmethod
    def of(cls, prompts: Prompts) -> Columns:
        """Constants from these prompts."""
        table = _raw(prompts)
        x = table.to_numpy()
        varies = np.isfinite(x).all(axis=0) & (np.ptp(x, axis=0) > 1e-9)
        names = tuple(table.columns[varies])
        groups = {g: tuple(n for n in columns if n in names) for g, columns in prompts.names.items()}
        x = x[:, varies]
        return cls(names, {g: kept for g, kept in groups.items() if kept}, x.mean(axis=0), x.std(axis=0, ddof=1))

    @property
    def terms(self) -> list[str]:
        """Of a formula: harm level if it varies, and the groups."""
        return [name for name in self.names if name == _HARM] + list(self.groups)

    def matrix(self, prompts: Prompts) -> Array:
        """Shape (len(prompts), p)."""
        return (_raw(prompts)[list(self.names)].to_numpy() - self.mean) / self.sd


def long(alignment: Alignment, columns: Columns) -> pd.DataFrame:
    """One row a rating that is seen: rating, annotator, prompt, the columns, and traits (0, the mean, if missing)."""
    i, j = np.nonzero(alignment.seen)
    return _rows(alignment, alignment.prompts, columns, i, j).assign(rating=alignment.ratings[i, j])


def grid(alignment: Alignment, prompts: Prompts, columns: Columns) -> pd.DataFrame:
    """One row an annotator and prompt, prompts within annotators: what is predicted."""
    i, j = (a.ravel() for a in np.indices((len(alignment.annotators), len(prompts))))
    return _rows(alignment, prompts, columns, i, j)


def _rows(alignment: Alignment, prompts: Prompts, columns: Columns, i: np.ndarray, j: np.ndarray) -> pd.DataFrame:
    people = alignment.annotators
    labels = {
        "annotator": pd.Categorical(np.array([str(label) for label in people.labels], dtype=object)[i]),
        "prompt": pd.Categorical(np.array([str(label) for label in prompts.labels], dtype=object)[j]),
    }
    x = pd.DataFrame(columns.matrix(prompts)[j], columns=list(columns.names))
    t = pd.DataFrame(np.nan_to_num(people.traits)[i], columns=list(people.names))
    return pd.concat([pd.DataFrame(labels), x, t], axis=1)


def _raw(prompts: Prompts) -> pd.DataFrame:
    parts = [prompts.harm_level[:, None], *prompts.features.values()]
    names = [_HARM, *(name for columns in prompts.names.values() for name in columns)]
    return pd.DataFrame(np.hstack(parts), columns=names)
