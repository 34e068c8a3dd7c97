"""Models that can be simulated, by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pluristats.latent.record import Model
from pluristats.latent.simulators import glm_hmm, hrl, meta_rl, rl4, weber

MODELS: Mapping[str, Model] = MappingProxyType({m.MODEL.name: m.MODEL for m in (rl4, meta_rl, hrl, weber, glm_hmm)})

__all__ = ["MODELS"]
