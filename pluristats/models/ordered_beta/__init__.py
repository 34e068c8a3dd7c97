"""Ordered beta mixed models: density, predicted ─ laplace ─ maximise ─ estimate ─ fit ─ model (``ordered_beta``)."""

from pluristats.models.ordered_beta.fit import OrderedBetaFit
from pluristats.models.ordered_beta.model import ordered_beta

__all__ = ["OrderedBetaFit", "ordered_beta"]
