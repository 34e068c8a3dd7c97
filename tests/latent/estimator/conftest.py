"""A network trained on a toy, once for all tests that only ask it."""

from __future__ import annotations

import pytest

from pluristats.latent.estimator import Estimator, Settings, train
from pluristats.latent.record import Simulated
from tests.latent.estimator.toys import TOY

QUICK = Settings(units=16, epochs=12, batch=16, rate=1e-2, threads=1, missing=0.2)


@pytest.fixture(scope="session")
def torch() -> None:
    module = pytest.importorskip("torch", reason="torch is not installed (pip install 'pluristats[latent]')")
    module.set_num_threads(1)  # the arrays are small, and threads that wait for each other cost more than they compute


@pytest.fixture(scope="session")
def quick(torch: None) -> Estimator:
    """Trained for a few seconds; good enough to ask, not to judge."""
    return train(TOY, n_agents=600, n_trials=24, seed=3, settings=QUICK, device="cpu")


@pytest.fixture(scope="session")
def agents() -> Simulated:
    return TOY.simulate(n_agents=60, n_trials=24, seed=77)
