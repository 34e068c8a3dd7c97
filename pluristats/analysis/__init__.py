"""The paper's questions: rq (RQ1-RQ3), ladder (RQ4), ledger (published against ours), crossval, disagreement."""

from pluristats.analysis.crossval import CrossValidatedR2, cross_validated_r2
from pluristats.analysis.ladder import Ladder, bic_ladder
from pluristats.analysis.ledger import Ledger, reproduction_ledger
from pluristats.analysis.rq import Question, rq1, rq2, rq3

__all__ = [
    "CrossValidatedR2",
    "Ladder",
    "Ledger",
    "Question",
    "bic_ladder",
    "cross_validated_r2",
    "reproduction_ledger",
    "rq1",
    "rq2",
    "rq3",
]
