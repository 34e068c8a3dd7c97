"""Evaluation of predictors of individual judgements: protocol ─ methods ─ run ─ result; active; moderation."""

from pluristats.evaluation.moderation import Moderation, moderate
from pluristats.evaluation.protocol import SETTINGS, Split, draw_splits, read_splits, write_splits
from pluristats.evaluation.published import published
from pluristats.evaluation.result import Evaluation
from pluristats.evaluation.run import evaluate

__all__ = [
    "SETTINGS",
    "Evaluation",
    "Moderation",
    "Split",
    "draw_splits",
    "evaluate",
    "moderate",
    "published",
    "read_splits",
    "write_splits",
]
