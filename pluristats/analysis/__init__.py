"""The paper's questions: rq (RQ1-RQ3), ladder (RQ4), ledger (published against ours), crossval, disagreement.

composition: who rated what. sensitivity: whether RQ1-RQ3 hold with other likelihoods. multiverse: the ladder under
other analytic choices.
"""

from pluristats.analysis.composition import annotator_composition, prompt_composition
from pluristats.analysis.crossval import CrossValidatedR2, cross_validated_r2
from pluristats.analysis.ladder import Ladder, bic_ladder, ladder_versions
from pluristats.analysis.ledger import Ledger, reproduction_ledger
from pluristats.analysis.rq import Question, rq1, rq2, rq3
from pluristats.analysis.sensitivity import Sensitivity, likelihood_sensitivity

__all__ = [
    "CrossValidatedR2",
    "Ladder",
    "Ledger",
    "Question",
    "Sensitivity",
    "annotator_composition",
    "bic_ladder",
    "cross_validated_r2",
    "ladder_versions",
    "likelihood_sensitivity",
    "prompt_composition",
    "reproduction_ledger",
    "rq1",
    "rq2",
    "rq3",
]
