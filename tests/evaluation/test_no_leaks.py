"""What a method must not see: hidden ratings cannot change what it predicts, setting by setting."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import pluristats as ps
from pluristats.evaluation.data import Table
from pluristats.evaluation.methods import statistical
from pluristats.evaluation.protocol import draw_splits

STUDY = ps.simulate_study(n_annotators=14, n_prompts=105, seed=3)
TABLE = Table.of(STUDY)
QUICK = (
    "annotator-mean",
    "annotator-median",
    "prompt-mean-and-offset",
    "mixed-blup",
    "hierarchical-ridge",
    "gp-heaped",
)
METHODS = {method.name: method for method in statistical() if method.name in QUICK}


def predicted(table: Table, split, name: str) -> np.ndarray:
    at = np.flatnonzero(table.hidden(split).any(axis=0))
    return METHODS[name].fit(table.alignment(split, 5)).predict(table.prompts.take(at)).point


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "setting"),
    [
        (name, s)
        for name, m in METHODS.items()
        for s in ("new-prompts", "new-seeds", "known-prompts")
        if s in m.settings
    ],
)
def test_hidden_ratings_change_no_prediction(name: str, setting: str) -> None:
    (split,) = draw_splits(STUDY, setting, 1, seed=2)
    hidden = TABLE.hidden(split)
    rng = np.random.default_rng(1)
    other = replace(TABLE, ratings=np.where(hidden, rng.random(hidden.shape), TABLE.ratings))
    np.testing.assert_array_equal(predicted(other, split, name), predicted(TABLE, split, name))
    # And what is shown does change it: the test could fail.
    shown = replace(TABLE, ratings=np.where(hidden, TABLE.ratings, 1 - TABLE.ratings))
    assert not np.allclose(predicted(shown, split, name), predicted(TABLE, split, name))


def test_settings_hide_what_they_say() -> None:
    for setting in ("new-prompts", "new-seeds", "known-prompts"):
        for split in draw_splits(STUDY, setting, 3, seed=1):
            hidden = TABLE.hidden(split)
            seen = TABLE.alignment(split)
            if setting == "known-prompts":
                assert len(seen.prompts) == len(TABLE.prompts)
                assert not (seen.seen & hidden).any() and hidden.sum(axis=1).min() >= 30
                assert (seen.seen.sum(axis=0) > 0).all()
                continue
            columns = np.flatnonzero(hidden.any(axis=0))
            assert hidden[:, columns].all() and len(columns) == 35
            assert not set(seen.prompts.labels) & {TABLE.prompts.labels[j] for j in columns}
            if setting == "new-seeds":
                assert not set(seen.prompts.seeds) & set(TABLE.prompts.seeds[columns])
