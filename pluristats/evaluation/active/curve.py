"""How fast error drops with the number of questions: chosen ones against random ones, paired over annotators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pluristats.display.shown import Displayed, Shown
from pluristats.engine.result import Array
from pluristats.errors import EvaluationError
from pluristats.evaluation.active.question import Criterion, Questioner, questioner
from pluristats.evaluation.data import Table
from pluristats.evaluation.protocol import draw_splits
from pluristats.evaluation.resample import interval
from pluristats.models.parallel import in_blocks
from pluristats.study import Study


@dataclass(frozen=True, eq=False)
class ActiveCurve(Displayed):
    """Error against the number of questions.

    Parameters
    ----------
    questions
        Numbers of questions, shape (K,).
    active, random
        Mean absolute error of each annotator, over splits (and random orders), shape (K, annotators).
    criterion, seed, draws, simulated
        As given; bootstrap draws of annotators for the intervals.
    """

    questions: tuple[int, ...]
    active: Array = field(repr=False)
    random: Array = field(repr=False)
    criterion: str
    seed: int
    draws: int
    simulated: bool

    def _shown(self) -> Shown:
        how = f"Questions chosen by {self.criterion} against random ones, seed {self.seed}."
        tables = (("Error by the number of questions", self.tidy()),)
        return Shown(title="Active questions", simulated=self.simulated, lines=(how,), tables=tables)

    def tidy(self, *, conf_level: float = 0.95) -> pd.DataFrame:
        """One row a strategy (``active``, ``random``) and number of questions: strategy, k, mae, mae_lo, mae_hi."""
        weights = self._weights()
        rows = []
        for name, errors in (("active", self.active), ("random", self.random)):
            for k, row in zip(self.questions, errors, strict=True):
                rows.append([name, k, row.mean(), *interval(weights @ row, conf_level)])
        return pd.DataFrame(rows, columns=["strategy", "k", "mae", "mae_lo", "mae_hi"])

    def compare(self, active: int = 10, random: int = 15, *, conf_level: float = 0.95) -> pd.Series:
        """Error after so many active questions minus error after so many random ones, paired over annotators.

        Returns
        -------
        Series
            active, random (numbers of questions), mae_active, mae_random, difference, lo, hi.

        Raises
        ------
        EvaluationError
            The curve does not have that number.
        """
        for k in (active, random):
            if k not in self.questions:
                raise EvaluationError(f"the curve has no {k} questions, only {', '.join(map(str, self.questions))}")
        a, b = self.active[self.questions.index(active)], self.random[self.questions.index(random)]
        low, high = interval(self._weights() @ (a - b), conf_level)
        return pd.Series(
            {
                "active": active,
                "random": random,
                "mae_active": a.mean(),
                "mae_random": b.mean(),
                "difference": a.mean() - b.mean(),
                "lo": low,
                "hi": high,
            }
        )

    def _weights(self) -> Array:
        n = self.active.shape[1]
        rng = np.random.default_rng([self.seed, 17])
        return rng.multinomial(n, np.full(n, 1 / n), size=self.draws) / n


def active_curve(
    study: Study,
    questions: Sequence[int] = (0, 1, 2, 3, 5, 8, 10, 15, 20, 30, 50),
    *,
    criterion: Criterion = "rating-variance",
    splits: int = 5,
    orders: int = 5,
    folds: int = 10,
    n_test: int | None = None,
    seed: int = 0,
    draws: int = 1000,
    n_jobs: int = 1,
    progress: bool = False,
) -> ActiveCurve:
    """How fast error drops with questions that are chosen, and with questions at random.

    Annotators are divided into folds; those outside a fold are the people that the model knows. Each annotator of the
    fold is new: asked some of the alignment prompts one after the other, and scored on the test prompts of a
    ``known-prompts`` split. Both strategies predict with the same model. A prompt that the annotator answered "Unsure"
    is not asked.

    Parameters
    ----------
    study
        Who rated what.
    questions
        Numbers of questions, ascending; each below the number of alignment prompts of everybody.
    criterion
        See :class:`Questioner`.
    splits, n_test
        As in :func:`~pluristats.evaluation.protocol.draw_splits`.
    orders
        Random orders an annotator and split.
    folds
        Of annotators.
    seed, draws
        Of all random numbers, and bootstrap draws of annotators.
    n_jobs, progress
        Processes (the numbers do not depend on it), and whether to show how far it is.

    Raises
    ------
    EvaluationError
        Somebody answered fewer alignment prompts than are to be asked, or none of the test.
    """
    table = Table.of(study)
    asked = tuple(sorted(set(questions)))
    if not asked or asked[0] < 0:
        raise EvaluationError("questions is a list of numbers of questions, none negative")
    hidden = [table.hidden(s) for s in draw_splits(study, "known-prompts", splits, seed=seed, n_test=n_test)]
    n = len(table.annotators)
    fold = np.random.default_rng([seed, 19]).permutation(n) % min(folds, n)
    _refuse_few(table, hidden, asked[-1])
    work = partial(_folds, table, hidden, fold, asked, criterion, orders, seed)
    parts = in_blocks(work, list(range(fold.max() + 1)), n_jobs=n_jobs, what="questions", progress=progress, block=1)
    active, random = np.zeros((2, len(asked), n))
    for k, (chosen, drawn) in enumerate(parts):
        active[:, fold == k], random[:, fold == k] = chosen, drawn
    return ActiveCurve(asked, active, random, criterion, seed, draws, study.simulated)


def _refuse_few(table: Table, hidden: list[NDArray[np.bool_]], most: int) -> None:
    there = ~np.isnan(table.ratings)
    for mask in hidden:
        few = np.flatnonzero(((there & ~mask).sum(axis=1) < most) | ~(there & mask).any(axis=1))
        if len(few):
            raise EvaluationError(
                f"annotator {table.annotators.labels[few[0]]!r} has {int((there & ~mask)[few[0]].sum())} alignment and "
                f"{int((there & mask)[few[0]].sum())} test ratings, too few for {most} questions; ask fewer"
            )


def _folds(
    table: Table,
    hidden: list[NDArray[np.bool_]],
    fold: NDArray[np.intp],
    asked: tuple[int, ...],
    criterion: Criterion,
    orders: int,
    seed: int,
    which: Sequence[int],
) -> list[tuple[Array, Array]]:
    """Errors of the annotators of each fold, active and random, shape (K, people) each."""
    from threadpoolctl import threadpool_limits

    out = []
    with threadpool_limits(1):
        for k in which:
            asks = questioner(table.ratings[fold != k], table.prompts.labels, criterion)
            people = np.flatnonzero(fold == k)
            errors = np.zeros((2, len(asked), len(people)))
            for column, i in enumerate(people):
                for number, mask in enumerate(hidden):
                    rng = np.random.default_rng([seed, 23, int(i), number])
                    errors[:, :, column] += _one(asks, table.ratings[i], mask[i], asked, orders, rng) / len(hidden)
            out.append((errors[0], errors[1]))
    return out


def _one(
    asks: Questioner,
    rating: Array,
    hidden: NDArray[np.bool_],
    asked: tuple[int, ...],
    orders: int,
    rng: np.random.Generator,
) -> Array:
    """Errors of one annotator and split, active and averaged over random orders, shape (2, K)."""
    there = ~np.isnan(rating)
    test, pool = np.flatnonzero(there & hidden), np.flatnonzero(there & ~hidden)
    out = np.zeros((2, len(asked)))
    for order in [None, *(rng.permutation(pool) for _ in range(orders))]:
        belief, left = asks.prior, pool
        row, share = (0, 1.0) if order is None else (1, 1.0 / orders)
        for count in range(asked[-1] + 1):
            if count in asked:
                error = np.abs(asks.median(belief)[test] - rating[test]).mean()
                out[row, asked.index(count)] += share * error
            if count < asked[-1]:
                j = asks.best(belief, left) if order is None else int(order[count])
                belief, left = belief.after(j, asks.latent(rating[j])), left[left != j]
    return out
