"""Ratings in trial order: order ─ effects; simulators ─ likelihoods ─ estimate ─ compare, null, check ─ fit."""

from __future__ import annotations

from pluristats.latent.ratings.check import PredictiveCheck
from pluristats.latent.ratings.compare import Comparison
from pluristats.latent.ratings.effects import OrderEffects, order_effects
from pluristats.latent.ratings.estimate import Estimates, Trajectories, estimate, trajectories
from pluristats.latent.ratings.filters import infer_ratings
from pluristats.latent.ratings.fit import RatingFit, fit_ratings
from pluristats.latent.ratings.null import OrderNull
from pluristats.latent.ratings.order import RatingOrder, in_order
from pluristats.latent.ratings.plant import Planted, plant
from pluristats.latent.ratings.response import Ratings
from pluristats.latent.ratings.simulators import RATING_MODELS, STATIC

__all__ = [
    "RATING_MODELS",
    "STATIC",
    "Comparison",
    "Estimates",
    "OrderEffects",
    "OrderNull",
    "Planted",
    "PredictiveCheck",
    "RatingFit",
    "RatingOrder",
    "Ratings",
    "Trajectories",
    "estimate",
    "fit_ratings",
    "in_order",
    "infer_ratings",
    "order_effects",
    "plant",
    "trajectories",
]
