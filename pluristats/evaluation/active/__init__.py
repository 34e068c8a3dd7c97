"""Active personalisation: which prompts to ask a new annotator about, and how fast error drops with them."""

from pluristats.evaluation.active.curve import ActiveCurve, active_curve
from pluristats.evaluation.active.question import Belief, Criterion, Questioner, questioner

__all__ = ["ActiveCurve", "Belief", "Criterion", "Questioner", "active_curve", "questioner"]
