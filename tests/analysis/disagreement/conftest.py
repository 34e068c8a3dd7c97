"""Studies with ratings of the test's choice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pluristats.study import Study, load_study, simulate_study

Make = Callable[..., Study]


@pytest.fixture(scope="session")
def simulated() -> Study:
    return simulate_study(n_annotators=20, n_prompts=30, seed=3)


@pytest.fixture(scope="session")
def release(release_path: Path) -> Study:
    return load_study(release_path)


@pytest.fixture(scope="session")
def make() -> Make:
    """A study of the given ratings, shape (annotators, prompts), NaN = Unsure."""
    bases: dict[tuple[int, int], Study] = {}

    def make(matrix: object, levels: object = None, trial: object = None) -> Study:
        ratings = np.asarray(matrix, dtype=float)
        shape = ratings.shape
        # The simulator makes no study below 4 × 4, so smaller ones are cut out of one.
        size = (max(shape[0], 4), max(shape[1], 4))
        if size not in bases:
            bases[size] = simulate_study(*size, seed=0, unsure=0.0)
        base = bases[size]
        annotators, prompts = base.annotators[: shape[0]], base.prompts[: shape[1]]
        if levels is not None:
            prompts = prompts.assign(harm_level=np.asarray(levels, dtype=float))
        table = pd.DataFrame(
            {
                "annotator": np.repeat(annotators["annotator"].to_numpy(), shape[1]),
                "prompt": np.tile(prompts["prompt"].to_numpy(), shape[0]),
                "rating": ratings.ravel(),
                "trial": np.tile(np.arange(shape[1], dtype=float), shape[0])
                if trial is None
                else np.asarray(trial, dtype=float).ravel(),
            }
        )
        return replace(base, annotators_=annotators, prompts_=prompts, ratings_=table)

    return make
