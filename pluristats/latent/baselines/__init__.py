"""What networks are judged against: likelihoods, hidden Markov models and particle filters."""

from __future__ import annotations

from pluristats.latent.baselines.em import GlmHmmFit, fit_glm_hmm, infer_glm_hmm
from pluristats.latent.baselines.filters import ParticleFit, filter_particles, fit_particles
from pluristats.latent.baselines.fit import Fit, fit_parameters
from pluristats.latent.baselines.hmm import Smoothed, forward_backward
from pluristats.latent.baselines.inferred import Inferred
from pluristats.latent.baselines.likelihood import infer, log_likelihood
from pluristats.latent.baselines.particles import particle_filter
from pluristats.latent.baselines.published import filter_hrl_published

__all__ = [
    "Fit",
    "GlmHmmFit",
    "Inferred",
    "ParticleFit",
    "Smoothed",
    "filter_hrl_published",
    "filter_particles",
    "fit_glm_hmm",
    "fit_parameters",
    "fit_particles",
    "forward_backward",
    "infer",
    "infer_glm_hmm",
    "log_likelihood",
    "particle_filter",
]
