"""Studies that the questions, the ladder and the ledger are asked about."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pluristats.study import Study, load_study, simulate_study
from pluristats.study.record import FrozenMap


@pytest.fixture(scope="session")
def release(release_path: Path) -> Study:
    return load_study(release_path)


@pytest.fixture(scope="session")
def embedded() -> Study:
    """What a user has without any data, made small: all columns."""
    return simulate_study(n_annotators=30, n_prompts=36, seed=0)


@pytest.fixture(scope="session")
def simulated(embedded: Study) -> Study:
    """The same with some of the columns, and everybody answered: all models use the same rows."""
    codings = tuple(c for c in embedded.codings if c.column in ("Age", "Gender", "Education", "Factor_1"))
    features = {"actions": embedded.features["actions"][:6], "effects": embedded.features["effects"][:4]}
    study = replace(embedded, codings=codings, features=FrozenMap(features))
    annotators = study.annotators
    for coding in study.codings:
        if not coding.numeric:
            answered = annotators[coding.column].map(lambda cell, c=coding: not c.is_missing(str(cell)))
            annotators.loc[~answered, coding.column] = annotators.loc[answered, coding.column].iloc[0]
    whole = replace(study, annotators_=annotators)
    assert not whole.frame()[list(whole.groups["traits"])].isna().any(axis=None)
    return whole


@pytest.fixture(scope="session")
def with_gap(simulated: Study) -> Study:
    """The same with one person's answer to one trait missing."""
    annotators = simulated.annotators
    annotators.loc[3, "Factor_1"] = np.nan
    return replace(simulated, annotators_=annotators)


@pytest.fixture(scope="session")
def without_traits(simulated: Study) -> Study:
    return replace(simulated, codings=())


@pytest.fixture(scope="session")
def without_features(simulated: Study) -> Study:
    return replace(simulated, features=FrozenMap({}))
