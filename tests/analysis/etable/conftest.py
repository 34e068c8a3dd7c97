"""Real fits of every kind, small."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import pluristats as ps
from pluristats.analysis import Question
from pluristats.errors import PluristatsWarning
from pluristats.lasso import LassoLmer, LassoSelection
from pluristats.models import LmerFit
from pluristats.models.ordered_beta import OrderedBetaFit
from pluristats.study import Study


@pytest.fixture(scope="session")
def table() -> pd.DataFrame:
    """Twelve people and ten items; not simulated as far as the fits know."""
    rng = np.random.default_rng(5)
    frame = pd.DataFrame([(p, i) for p in range(12) for i in range(10)], columns=["person", "item"])
    frame["x"], frame["z"] = rng.normal(size=120), rng.normal(size=120)
    age = rng.normal(size=12)
    frame["age"] = age[frame["person"]]
    slope = 0.5 + rng.normal(size=12)
    frame["y"] = 2 + slope[frame["person"]] * frame["x"] + rng.normal(size=12)[frame["person"]] + rng.normal(size=120)
    frame["y"] += 0.7 * rng.normal(size=10)[frame["item"]]
    frame["person"], frame["item"] = "P" + frame["person"].astype(str), "I" + frame["item"].astype(str)
    frame["gap"] = frame["z"].where(frame.index % 10 != 0)
    return frame


@pytest.fixture(scope="session")
def small(table: pd.DataFrame) -> LmerFit:
    return ps.lmer("y ~ x + age + (1|person) + (1|item)", table, reml=False)


@pytest.fixture(scope="session")
def large(table: pd.DataFrame) -> LmerFit:
    return ps.lmer("y ~ x + age + x:age + z + (1 + x|person) + (1|item)", table, reml=False)


@pytest.fixture(scope="session")
def on_fewer_rows(table: pd.DataFrame) -> LmerFit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PluristatsWarning)
        return ps.lmer("y ~ x + gap + (1|person) + (1|item)", table, reml=False)


@pytest.fixture(scope="session")
def singular(table: pd.DataFrame) -> LmerFit:
    """The item's variance in the residual of a smaller model is zero."""
    flat = table.assign(y=table["x"] + np.tile([1.0, -1.0], 60))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PluristatsWarning)
        fit = ps.lmer("y ~ x + (1|person)", flat, reml=False)
    assert fit.singular
    return fit


@pytest.fixture(scope="session")
def bounded(simulated: Study) -> OrderedBetaFit:
    return ps.ordered_beta("rating_raw ~ Age + (1|annotator) + (1|prompt)", simulated)


@pytest.fixture(scope="session")
def gaussian(simulated: Study) -> LmerFit:
    return ps.lmer("rating_raw ~ Age + (1|annotator) + (1|prompt)", simulated, reml=False)


@pytest.fixture(scope="session")
def question(simulated: Study) -> Question:
    return ps.rq1(simulated, validate=False)


@pytest.fixture(scope="session")
def least_squares(simulated: Study) -> LassoSelection:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PluristatsWarning)
        return ps.lasso_select("rating ~ actions", simulated)


@pytest.fixture(scope="session")
def penalised(simulated: Study) -> LassoLmer:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PluristatsWarning)
        return ps.lasso_lmer("rating ~ actions + (1|annotator) + (1|prompt)", simulated, penalty=0.05)
