"""``evaluate``: every method on every split of every setting, and what came of it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pluristats.engine.result import Array
from pluristats.errors import EvaluationError, LLMError, PluristatsError
from pluristats.evaluation import metrics
from pluristats.evaluation.data import Table
from pluristats.evaluation.forecast import Forecast
from pluristats.evaluation.judged import Judged, Skipped
from pluristats.evaluation.kernels import embedded
from pluristats.evaluation.methods import Method, resolve
from pluristats.evaluation.protocol import SETTINGS, Setting, Split, draw_splits
from pluristats.evaluation.result import Evaluation
from pluristats.models.parallel import in_blocks
from pluristats.study import Study

Refusals = Literal["skip", "midpoint"]


def evaluate(
    study: Study,
    methods: str | Method | Sequence[str | Method] = "statistical",
    *,
    settings: Sequence[Setting] = ("new-prompts", "new-seeds", "known-prompts", "oracle"),
    splits: int | Sequence[Split] = 20,
    n_test: int | None = None,
    seed: int = 0,
    refusals: Refusals = "skip",
    draws: int = 1000,
    n_jobs: int = 1,
    progress: bool = False,
) -> Evaluation:
    """How well methods predict each person's ratings of prompts that they have not seen that person rate.

    Per split a method is fitted once for all annotators, to what the setting lets it see, and predicts the hidden
    ratings on 0-1. Errors are averaged over an annotator's test prompts, then over annotators, then over splits.
    "Unsure" is missing and never scored.

    Parameters
    ----------
    study
        What people said.
    methods
        ``"statistical"`` (all that ask no language model), names of these, or :class:`Method` objects.
    settings
        Some of :data:`~pluristats.evaluation.protocol.SETTINGS`. They are not comparable with each other.
    splits
        How many to draw for each setting, or splits that were drawn (:func:`draw_splits`) and stored.
    n_test
        Test prompts; None is a third (50 of 150, as published).
    seed
        Of splits, of methods that draw, and of the intervals.
    refusals
        What becomes of a cell that a method refuses or whose answer cannot be read: it is left out of that method's
        scores (``"skip"``), or predicted as 0.5 (``"midpoint"``). It is counted in ``n_refused`` either way, and
        paired comparisons use the cells that both methods have.
    draws
        Bootstrap draws of annotators and prompts for the intervals.
    n_jobs
        Processes, -1 for every core; the numbers do not depend on it.
    progress
        Show how far it is, on standard error.

    Returns
    -------
    Evaluation
        Methods that cannot run here are in it with the reason, and so is a method in a setting where it could not be
        fitted on some split (a mean over the other splits would be of another question).

    Raises
    ------
    EvaluationError
        Unknown methods or settings, or a study that cannot be split so.
    LLMError
        An endpoint cannot be asked, or a budget is spent: that is the run's trouble, not a method's.
    """
    if refusals not in ("skip", "midpoint"):
        raise EvaluationError(f"refusals is 'skip' or 'midpoint', not {refusals!r}")
    chosen = resolve(methods)
    why = {method.name: method.unavailable() for method in chosen}
    able = [method for method in chosen if why[method.name] is None]
    drawn = _splits(study, settings, splits, seed, n_test)
    tasks = [_Task(split, method) for split in drawn for method in able if split.setting in method.settings]
    table = Table.of(study)
    if any(getattr(task.method, "embeds", False) for task in tasks):
        table = replace(table, prompts=replace(table.prompts, embeddings=embedded(table.prompts.texts)))
    work = partial(_work, table, seed, refusals)
    done = in_blocks(work, tasks, n_jobs=n_jobs, what="evaluate", progress=progress, block=1)
    skipped = [
        Skipped(method.name, setting, reason)
        for method in chosen
        if (reason := why[method.name]) is not None
        for setting in dict.fromkeys(split.setting for split in drawn)
        if setting in method.settings
    ]
    judged, failed = _gathered(tasks, done)
    return Evaluation(
        study=study.name,
        simulated=study.simulated,
        seed=seed,
        draws=draws,
        refusals=refusals,
        splits=drawn,
        table=table,
        judged=tuple(judged),
        skipped=(*skipped, *failed),
    )


@dataclass(frozen=True)
class _Task:
    split: Split
    method: Method


@dataclass(frozen=True, eq=False)
class _Cells:
    """What one method did on one split, shape (annotators, prompts), NaN outside the test."""

    point: Array
    crps: Array | None
    under: Array | None
    upto: Array | None
    refused: Array
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Failed:
    """Why a method has nothing on one split."""

    reason: str


def _splits(
    study: Study, settings: Sequence[Setting], splits: int | Sequence[Split], seed: int, n_test: int | None
) -> tuple[Split, ...]:
    if not isinstance(splits, int):
        return tuple(splits)
    if isinstance(settings, str) or not settings:
        raise EvaluationError(f"settings is a list of some of {', '.join(SETTINGS)}")
    return tuple(s for setting in settings for s in draw_splits(study, setting, splits, seed=seed, n_test=n_test))


def _work(table: Table, seed: int, refusals: Refusals, tasks: Sequence[_Task]) -> list[_Cells | _Failed]:
    from threadpoolctl import threadpool_limits

    # One thread of everything: processes are the parallel unit, and sums must not depend on how many cores there are.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return [_judge(table, task, seed, refusals) for task in tasks]


def _judge(table: Table, task: _Task, seed: int, refusals: Refusals) -> _Cells | _Failed:
    split, method = task.split, task.method
    hidden = table.hidden(split)
    at = np.flatnonzero(hidden.any(axis=0))
    own_seed = int(np.random.SeedSequence([seed, split.number]).generate_state(1)[0])
    try:
        forecast = method.fit(table.alignment(split, own_seed)).predict(table.prompts.take(at))
    except LLMError:
        raise
    except PluristatsError as error:
        return _Failed(str(error))
    if forecast.point.shape != (len(table.annotators), len(at)):
        raise EvaluationError(
            f"method {method.name!r} predicts the shape {forecast.point.shape}, not "
            f"{(len(table.annotators), len(at))} (annotators, prompts)"
        )
    return _scored(forecast, np.where(hidden, table.ratings, np.nan), at, refusals)


def _scored(forecast: Forecast, rating: Array, at: NDArray[np.intp], refusals: Refusals) -> _Cells:
    """Scores of a forecast of the prompts ``at``; ratings have NaN where there is nothing to predict."""
    shape = rating.shape
    y = rating[:, at]
    there = ~np.isnan(y)
    refused = np.zeros(y.shape, dtype=bool) if forecast.refused is None else forecast.refused & there
    point = np.where(refused, 0.5 if refusals == "midpoint" else np.nan, forecast.point)
    answered = np.where(refused, np.nan, y)

    def spread(values: Array) -> Array:
        out = np.full(shape, np.nan)
        out[:, at] = np.where(there, values, np.nan)
        return out

    crps = under = upto = None
    if forecast.quantiles is not None:
        crps = spread(metrics.crps(answered, forecast.quantiles))
        if refusals == "midpoint":
            crps[:, at] = np.where(refused, np.abs(y - 0.5), crps[:, at])
        below, upto_ = metrics.pit(answered, forecast.quantiles)
        under, upto = spread(below), spread(upto_)
    marks = np.zeros(shape, dtype=bool)
    marks[:, at] = refused
    return _Cells(spread(point), crps, under, upto, marks, forecast.notes)


def _gathered(tasks: Sequence[_Task], done: Sequence[_Cells | _Failed]) -> tuple[list[Judged], list[Skipped]]:
    """One record a method and setting, in the order of the tasks."""
    by: dict[tuple[str, str], list[tuple[_Task, _Cells | _Failed]]] = {}
    for task, one in zip(tasks, done, strict=True):
        by.setdefault((task.split.setting, task.method.name), []).append((task, one))
    judged, skipped = [], []
    for (setting, name), found in by.items():
        failed = [one for _, one in found if isinstance(one, _Failed)]
        if failed:
            where = f"on {len(failed)} of {len(found)} splits"
            skipped.append(Skipped(name, setting, f"{failed[0].reason.rstrip('.')} ({where})"))
            continue
        cells = [one for _, one in found if isinstance(one, _Cells)]
        notes = dict.fromkeys([found[0][0].method.note, *(note for cell in cells for note in cell.notes)])
        judged.append(
            Judged(
                method=name,
                setting=setting,
                note="; ".join(note for note in notes if note),
                splits=tuple(task.split.number for task, _ in found),
                point=np.stack([cell.point for cell in cells]),
                crps=_stacked([cell.crps for cell in cells]),
                under=_stacked([cell.under for cell in cells]),
                upto=_stacked([cell.upto for cell in cells]),
                refused=np.stack([cell.refused for cell in cells]),
            )
        )
    return judged, skipped


def _stacked(parts: Sequence[Array | None]) -> Array | None:
    there = [part for part in parts if part is not None]
    return np.stack(there) if len(there) == len(parts) else None
