"""Small studies to evaluate on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pluristats.evaluation.data import Table
from pluristats.study import Study, load_study, simulate_study
from pluristats.study.record import FrozenMap


@pytest.fixture(scope="session")
def release(release_path: Path) -> Study:
    return load_study(release_path)


@pytest.fixture(scope="session")
def study() -> Study:
    """Twelve people, 24 prompts, some of the columns."""
    made = simulate_study(n_annotators=12, n_prompts=24, seed=3)
    codings = tuple(c for c in made.codings if c.column in ("Age", "Factor_1"))
    features = {"actions": made.features["actions"][:4], "effects": made.features["effects"][:3]}
    return replace(made, codings=codings, features=FrozenMap(features))


@pytest.fixture(scope="session")
def table(study: Study) -> Table:
    return Table.of(study)
