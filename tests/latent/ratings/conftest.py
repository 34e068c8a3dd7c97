"""A small simulated study, and one with drift in it."""

from __future__ import annotations

import numpy as np
import pytest

from pluristats.latent.ratings import Planted, RatingFit, fit_ratings, plant
from pluristats.study import Study, simulate_study


@pytest.fixture(scope="session")
def study() -> Study:
    return simulate_study(n_annotators=24, n_prompts=60, seed=5)


@pytest.fixture(scope="session")
def drifting(study: Study) -> Planted:
    """Half the annotators drift, half do not."""
    n = 24
    tau = np.where(np.arange(n) % 2 == 0, 0.05, 1e-5)
    theta = np.column_stack([np.linspace(0.4, 0.6, n), np.full(n, 0.3), np.full(n, 0.2), tau])
    return plant(study, "rating-drift", theta, seed=1)


@pytest.fixture(scope="session")
def fit(drifting: Planted) -> RatingFit:
    return fit_ratings(drifting.study)
