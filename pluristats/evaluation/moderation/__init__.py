"""Binary moderation: labelled texts, and how well scores, classes or models tell the harmful ones."""

from pluristats.evaluation.moderation.binary import METRICS
from pluristats.evaluation.moderation.result import Moderation, Scored
from pluristats.evaluation.moderation.run import moderate

__all__ = ["METRICS", "Moderation", "Scored", "moderate"]
