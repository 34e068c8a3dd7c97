"""Evaluation of predictors of individual judgements: protocol ─ methods ─ run ─ result; active questions."""

from pluristats.evaluation.protocol import SETTINGS, Split, draw_splits, read_splits, write_splits
from pluristats.evaluation.published import published
from pluristats.evaluation.result import Evaluation
from pluristats.evaluation.run import evaluate

__all__ = [
    "SETTINGS",
    "Evaluation",
    "Split",
    "draw_splits",
    "evaluate",
    "published",
    "read_splits",
    "write_splits",
]
