"""The paper's questions: rq (RQ1-RQ3), ladder (RQ4), ledger (published against ours), crossval, disagreement."""

from pluristats.analysis.crossval import CrossValidatedR2, ceilings, cross_validated_r2
from pluristats.analysis.ladder import Ladder, bic_ladder
from pluristats.analysis.rq import Question, rq1, rq2, rq3

__all__ = [
    "CrossValidatedR2",
    "Ladder",
    "Question",
    "bic_ladder",
    "ceilings",
    "cross_validated_r2",
    "rq1",
    "rq2",
    "rq3",
]
