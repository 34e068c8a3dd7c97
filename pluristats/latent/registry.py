"""Every model that can be simulated, by name: classic tasks and ratings."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pluristats.latent.ratings import RATING_MODELS
from pluristats.latent.record import Model
from pluristats.latent.simulators import MODELS as TASKS

MODELS: Mapping[str, Model] = MappingProxyType({**TASKS, **{model.name: model for model in RATING_MODELS}})
