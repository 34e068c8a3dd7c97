"""``moderate``: labels and scores of a table, or asked of models, judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pluristats.engine.result import Array
from pluristats.errors import EvaluationError
from pluristats.evaluation.methods import Method
from pluristats.evaluation.moderation.ask import ask
from pluristats.evaluation.moderation.labels import key, read_labels, read_scores
from pluristats.evaluation.moderation.result import Moderation, Scored
from pluristats.study.tables import plain, show
from pluristats.texts import read_table

Refusals = Literal["skip", "harmful", "harmless"]


def moderate(
    table: pd.DataFrame | str | Path,
    scores: str | Sequence[str] = (),
    *,
    methods: Method | Sequence[Method] = (),
    label: str = "label",
    positive: Any = (),
    negative: Any = (),
    text: str = "text",
    names: str = "",
    threshold: float | Mapping[str, float] | None = None,
    refusals: Refusals = "skip",
    draws: int = 1000,
    seed: int = 0,
) -> Moderation:
    """How well scores, classes or models tell harmful texts from harmless ones.

    A text is flagged where its score ≥ threshold. Rows are drawn within each class for the intervals: a benchmark's
    share of harmful texts is its makers' choice, and precision, F1 and average precision hold for that share alone.

    Parameters
    ----------
    table
        One row a text, or a ``.csv``, ``.jsonl`` or ``.parquet`` file.
    scores
        Columns to judge: numbers (higher is more harmful) or classes. An empty cell is a refusal.
    methods
        Models to ask: ``ZeroShot``, ``WildGuard``, or ``SafetyAnalyst`` with a profile (``evaluation.asked``).
    label
        Column of the labels. Rows without one are left out, and counted.
    positive
        Value, or values, of labels and classes that mean harmful; not needed for 0 and 1, or true and false. Every
        other label means harmless.
    negative
        Values of classes that mean harmless and are no label (such as "no" where labels are "unharmful").
    text
        Column of the texts; only needed for ``methods``.
    names
        Column that names the rows, as SafetyAnalyst's trees do; their positions where empty.
    threshold
        One for all, or by column or method; 0.5 where none is given and scores lie in 0-1.
    refusals
        What becomes of a refusal, or of an answer that cannot be read: it is left out of that model's numbers
        (``"skip"``), or counts as the highest (``"harmful"``) or lowest (``"harmless"``) of all scores. It is counted
        in ``n_refused`` either way, and comparisons use the texts that count for both.
    draws, seed
        Of the bootstrap.

    Raises
    ------
    EvaluationError
        A column that is missing, a cell that cannot be read (with its row), or nothing to judge.
    """
    if refusals not in ("skip", "harmful", "harmless"):
        raise EvaluationError(f"refusals is 'skip', 'harmful' or 'harmless', not {refusals!r}")
    frame, first = (table, 0) if isinstance(table, pd.DataFrame) else read_table(Path(table))
    columns, models = _several(scores), _several(methods)
    called = [*columns, *(model.name for model in models)]
    twice = next((name for name in called if called.count(name) > 1), None)
    if twice is not None or not called:
        raise EvaluationError(
            f"{twice!r} is given twice" if called else "nothing to judge: give columns of scores, or models to ask"
        )
    yes, no = _several(positive), _several(negative)
    if stray := _nowhere(yes, frame, [label, *columns]):
        raise EvaluationError(f"no cell of the labels or classes is {show(stray)}, which is given as positive")
    known, labels = read_labels(_column(frame, label), yes, first)
    rows = np.flatnonzero(known)
    harmless = [*no, *({*map(key, frame[label])} - {*map(key, yes), ""} if yes else ())]
    found: list[tuple[str, Array, str]] = [
        (name, read_scores(_column(frame, name), yes, harmless, first)[rows], "") for name in columns
    ]
    if models:
        texts = _texts(_column(frame, text), rows, first)
        identity = (_column(frame, names).iloc[rows].tolist()) if names else rows.tolist()
        found += [(model.name, *ask(model, texts, identity)) for model in models]
    cuts = _thresholds(threshold, {name: score for name, score, _ in found})
    scored = [_scored(name, score, note, cuts[name], refusals) for name, score, note in found]
    made_up = "simulated" in frame and any(key(value) in ("1", "True", "true") for value in frame["simulated"])
    return Moderation(
        rows=rows,
        harmful=labels[rows] == 1,
        scored=tuple(scored),
        n_unlabelled=int((~known).sum()),
        refusals=refusals,
        seed=seed,
        draws=draws,
        simulated=made_up or any("SIMULATED" in one.note for one in scored),
    )


def _scored(name: str, score: Array, note: str, threshold: float, refusals: Refusals) -> Scored:
    refused = np.isnan(score)
    classes = 0 < threshold <= 1 and np.isin(score[~refused], (0.0, 1.0)).all()
    notes = (note, "classes: auc is (1 + recall - false_positive_rate) / 2" if classes else "")
    value = np.where(refused, {"skip": np.nan, "harmful": np.inf, "harmless": -np.inf}[refusals], score)
    return Scored(name, "; ".join(n for n in notes if n), value, value >= threshold, refused, threshold)


def _thresholds(given: float | Mapping[str, float] | None, scores: Mapping[str, Array]) -> dict[str, float]:
    if given is not None and not isinstance(given, Mapping):
        given = dict.fromkeys(scores, given)
    given = given or {}
    if unknown := [name for name in given if name not in scores]:
        raise EvaluationError(f"a threshold is given for {unknown[0]!r}, which is not judged; {', '.join(scores)} are")
    for name, score in scores.items():
        outside = score[(score < 0) | (score > 1)]
        if name not in given and len(outside):
            raise EvaluationError(f"{name!r} has scores outside 0-1, such as {outside[0]:g}; give its threshold")
    return {name: float(given.get(name, 0.5)) for name in scores}


def _texts(column: pd.Series, rows: NDArray[np.intp], first: int) -> list[str]:
    texts = column.iloc[rows].tolist()
    for row, value in zip(rows, texts, strict=True):
        if not isinstance(value, str) or not value.strip():
            where = f"row {row + first}, column '{plain(column.name)}'"
            raise EvaluationError(f"{where}: {show(value)} is no text to ask about; fill it in or take the row out")
    return texts


def _nowhere(values: Sequence[Any], frame: pd.DataFrame, columns: Sequence[str]) -> str | None:
    """The first of the values that no cell of the columns has."""
    there = {key(cell) for name in columns for cell in _column(frame, name)}
    return next((str(value) for value in values if key(value) not in there), None)


def _column(frame: pd.DataFrame, name: str) -> pd.Series:
    if name not in frame:
        there = ", ".join(plain(column) for column in list(frame.columns)[:12])
        raise EvaluationError(f"there is no column {show(name)}; there are {there}")
    return frame[name]


def _several(value: Any) -> list[Any]:
    one = isinstance(value, str) or not isinstance(value, Sequence | set | frozenset)
    return [value] if one else list(value)
