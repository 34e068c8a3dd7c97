"""Models that score texts: the methods of the evaluation that learn nothing from ratings."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from pluristats.engine.result import Array
from pluristats.errors import EvaluationError
from pluristats.evaluation.asked import SafetyAnalyst, WildGuard, ZeroShot
from pluristats.evaluation.data import Alignment, Annotators, Prompts
from pluristats.evaluation.methods import Method


def ask(method: Method, texts: Sequence[str], labels: Sequence[Hashable]) -> tuple[Array, str]:
    """Scores of texts on 0 to 1, NaN where refused, and the note of the method.

    Parameters
    ----------
    method
        ``ZeroShot``, ``WildGuard``, or ``SafetyAnalyst`` with a profile (others are fitted to people's ratings).
    texts
        Length n.
    labels
        What SafetyAnalyst's trees are named by, length n.

    Returns
    -------
    score, note
        Shape (n,), and what a reader must know.

    Raises
    ------
    EvaluationError
        The method learns from ratings.
    """
    learns = isinstance(method, SafetyAnalyst) and method.profile is None
    if learns or not isinstance(method, ZeroShot | WildGuard | SafetyAnalyst):
        raise EvaluationError(
            f"{getattr(method, 'name', method)!r} learns from people's ratings, which labelled texts do not have; give "
            "ZeroShot, WildGuard, SafetyAnalyst with a profile, or scores as a column"
        )
    n = len(texts)
    prompts = Prompts(tuple(labels), tuple(texts), np.full(n, np.nan), np.arange(n), {}, {})
    nobody = Annotators(("nobody",), np.empty((1, 0)), ())
    empty = Alignment(np.empty((1, 0)), prompts.take(np.arange(0)), nobody)
    found = method.fit(empty).predict(prompts)
    score = found.point[0] if found.refused is None else np.where(found.refused[0], np.nan, found.point[0])
    # "aggregate" says that everybody is predicted alike, which is a matter of ratings.
    notes = [note for note in (method.note, *found.notes) if note and note != "aggregate"]
    return score, "; ".join(notes)
