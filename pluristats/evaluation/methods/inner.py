"""Predictions for the alignment's own ratings, each by a fit that did not see it: what nested choices learn from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pluristats.distinct import factorise
from pluristats.engine.result import Array
from pluristats.errors import EvaluationError
from pluristats.evaluation.data import Alignment, Prompts
from pluristats.evaluation.methods.base import Method


@dataclass(frozen=True)
class Kind:
    """How predicted prompts relate to the alignment: ``"known"`` (in it), ``"new"``, or ``"new seeds"`` too."""

    name: str

    @classmethod
    def of(cls, alignment: Prompts, predicted: Prompts) -> Kind:
        """The kind of prompts that are all in the alignment, or all not."""
        if (alignment.find(predicted) >= 0).all():
            return cls("known")
        return cls("new" if np.isin(predicted.seeds, alignment.seeds).any() else "new seeds")


def out_of_fold(method: Method, alignment: Alignment, kind: Kind, folds: int = 5) -> Array:
    """Points predicted for the cells that the alignment shows, shape (annotators, prompts); NaN elsewhere.

    The alignment is divided as the test is from it: by cells of each annotator (``known``), by prompts (``new``) or by
    seeds. Where a fold cannot be predicted because a prompt has no other rating, its cells are NaN.

    Parameters
    ----------
    method
        Fitted ``folds`` times.
    alignment
        Of which a part is held out each time.
    kind
        What the predictions are for.
    folds
        Parts.

    Raises
    ------
    EvaluationError
        No cell can be predicted: every prompt has one rating only.
    """
    out = np.where(alignment.seen, _out_of_fold(method, alignment, kind, folds), np.nan)
    if np.isnan(out).all():
        raise EvaluationError(
            "no rating of the alignment can be predicted from the others, as where every prompt has one rating only; "
            "what is learned from such predictions cannot be"
        )
    return out


def _out_of_fold(method: Method, alignment: Alignment, kind: Kind, folds: int) -> Array:
    rng = np.random.default_rng([alignment.seed, 13])
    out = np.full(alignment.ratings.shape, np.nan)
    if kind.name == "known":
        fold = _by_cell(alignment.seen, folds, rng)
        for k in range(folds):
            rest = alignment.subset(hidden=fold == k)
            at = np.flatnonzero(rest.seen.any(axis=0))
            point = method.fit(rest).predict(alignment.prompts.take(at)).point
            out[:, at] = np.where((fold == k)[:, at], point, out[:, at])
        return out
    part = _by_prompt(alignment.prompts, kind, folds, rng)
    for k in range(folds):
        held, rest_at = np.flatnonzero(part == k), np.flatnonzero(part != k)
        if len(held) and len(rest_at) > 2:
            out[:, held] = method.fit(alignment.subset(prompts=rest_at)).predict(alignment.prompts.take(held)).point
    return out


def _by_cell(seen: NDArray[np.bool_], folds: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Fold of each cell, as even as can be within each annotator; -1 where there is no rating."""
    fold = np.full(seen.shape, -1, dtype=np.intp)
    for row, there in zip(fold, seen, strict=True):
        count = int(there.sum())
        row[there] = rng.permutation(np.arange(count) % folds)
    return fold


def _by_prompt(prompts: Prompts, kind: Kind, folds: int, rng: np.random.Generator) -> NDArray[np.intp]:
    units = factorise(prompts.seeds)[0] if kind.name == "new seeds" else np.arange(len(prompts))
    return rng.permutation(np.arange(units.max() + 1) % folds)[units]
