"""One small crossed table with everything in it, and fits of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import pluristats as ps
from pluristats.models import LmerFit
from tests.engine.conftest import lme4

__all__ = ["lme4"]


@pytest.fixture(scope="session")
def table() -> pd.DataFrame:
    """Ten people and eight items, every other cell twice; ``age`` belongs to people, ``hard`` to items."""
    rng = np.random.default_rng(21)
    cells = [(p, i) for p in range(10) for i in range(8) for _ in range(1 + (p + i) % 2)]
    frame = pd.DataFrame(cells, columns=["person", "item"])
    age, hard = rng.normal(size=10), rng.normal(size=8)
    frame["age"], frame["hard"] = age[frame["person"]], hard[frame["item"]]
    frame["x"] = rng.normal(size=len(frame))
    frame["mood"] = np.array(["calm", "cross", "sad"])[rng.integers(0, 3, len(frame))]
    frame["y"] = 3 + frame["x"] - frame["age"] + rng.normal(size=len(frame))
    frame["y"] += 1.5 * rng.normal(size=10)[frame["person"]] + 0.8 * rng.normal(size=8)[frame["item"]]
    frame["person"] = [f"P{p}" for p in frame["person"]]
    frame.index = pd.Index(range(100, 100 + len(frame)), name="row")
    return frame


@pytest.fixture(scope="session", params=["REML", "ML"])
def fit(request: pytest.FixtureRequest, table: pd.DataFrame) -> LmerFit:
    """Numbers only, two factors."""
    return ps.lmer("y ~ x + age + hard + (1|person) + (1|item)", table, reml=request.param == "REML")


@pytest.fixture(scope="session")
def mixed(table: pd.DataFrame) -> LmerFit:
    """Categories, a transformed column and an interaction factor."""
    return ps.lmer("y ~ mood*x + log(hard + 9) + (1|person) + (1|person:item)", table)
