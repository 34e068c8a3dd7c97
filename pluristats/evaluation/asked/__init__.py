"""Methods that ask language models: their ratings, with examples or a profile, and safety models as raters."""

from pluristats.evaluation.asked.base import Asking
from pluristats.evaluation.asked.exemplars import Exemplars
from pluristats.evaluation.asked.guards import SafetyAnalyst, WildGuard
from pluristats.evaluation.asked.rate import KShot, ValueProfile, ZeroShot

__all__ = ["Asking", "Exemplars", "KShot", "SafetyAnalyst", "ValueProfile", "WildGuard", "ZeroShot", "untaught"]


def untaught(whom: Asking) -> dict[str, ZeroShot | WildGuard]:
    """By name, the methods that ask a model and learn from nobody's ratings."""
    methods = (
        ZeroShot(whom),
        ZeroShot(whom, reading="mean", name="zero-shot-mean"),
        WildGuard(whom, probability=False),
        WildGuard(whom),
    )
    return {method.name: method for method in methods}
