"""A network trained on a toy, once for all tests that only ask it."""

from __future__ import annotations

import pytest

from pluristats.latent.estimator import Estimator, Settings, train
from pluristats.latent.record import Simulated
from tests.latent.estimator.toys import TOY

QUICK = Settings(units=16, epochs=12, batch=32, rate=1e-2, threads=1, missing=0.3)


@pytest.fixture(scope="session")
def torch() -> None:
    pytest.importorskip("torch", reason="torch is not installed (pip install 'pluristats[latent]')")


@pytest.fixture(scope="session")
def quick(torch: None) -> Estimator:
    """Trained for a few seconds; good enough to ask, not to judge."""
    return train(TOY, n_agents=400, n_trials=40, seed=3, settings=QUICK, device="cpu")


@pytest.fixture(scope="session")
def agents() -> Simulated:
    return TOY.simulate(n_agents=60, n_trials=40, seed=77)
