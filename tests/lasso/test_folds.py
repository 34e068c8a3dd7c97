"""Folds keep units whole, are balanced, and depend on the seed and the labels only."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pluristats.errors import FitError, FormulaError
from pluristats.lasso.folds import assign_folds, fold_units
from pluristats.study import simulate_study


@given(units=st.lists(st.integers(0, 30), min_size=12, max_size=80), seed=st.integers(0, 100), n=st.integers(2, 5))
def test_units_stay_whole_and_folds_are_balanced(units: list[int], seed: int, n: int) -> None:
    labels = np.array([*units, *range(40, 45)])
    folds = assign_folds(labels, n, seed)
    fold_of = {unit: set(folds[labels == unit].tolist()) for unit in labels.tolist()}
    assert all(len(found) == 1 for found in fold_of.values())
    per_fold = np.bincount([found.pop() for found in fold_of.values()], minlength=n)
    assert len(per_fold) == n
    assert per_fold.max() - per_fold.min() <= 1
    assert np.array_equal(folds, assign_folds(labels, n, seed))


def test_another_seed_deals_other_folds() -> None:
    labels = np.arange(100)
    assert not np.array_equal(assign_folds(labels, 10, 0), assign_folds(labels, 10, 1))


def test_order_of_rows_and_unused_categories_change_nothing() -> None:
    rng = np.random.default_rng(0)
    people = rng.choice(["d", "a", "c", "b", "e"], size=60)
    order = rng.permutation(60)
    text = pd.DataFrame({"annotator": people})
    category = pd.DataFrame({"annotator": pd.Categorical(people, categories=[*"zabcde"])})
    for frame in (text, category):
        folds = assign_folds(fold_units(frame, "annotators"), 3, 4)
        shuffled = assign_folds(fold_units(frame.iloc[order], "annotators"), 3, 4)
        np.testing.assert_array_equal(folds[order], shuffled)
    np.testing.assert_array_equal(fold_units(text, "annotator"), fold_units(category, "annotator"))


def test_prompts_means_seeds_so_that_variants_stay_together() -> None:
    frame = simulate_study(n_annotators=10, n_prompts=40, seed=1).frame()
    assert frame["seed"].nunique() < frame["prompt"].nunique()
    folds = assign_folds(fold_units(frame, "prompts"), 5, 0)
    assert (frame.assign(fold=folds).groupby("seed", observed=True)["fold"].nunique() == 1).all()
    without = frame.drop(columns="seed")
    assert len(np.unique(fold_units(without, "prompts"))) == frame["prompt"].nunique()
    assert len(np.unique(fold_units(frame, "rows"))) == len(frame)


def test_what_cannot_be_kept_whole_is_refused() -> None:
    frame = pd.DataFrame({"annotator": ["a", None, "b"], "x": [1.0, 2.0, 3.0]}, index=pd.RangeIndex(2, 5))
    with pytest.raises(FormulaError, match="need the column 'prompt', which the data lack"):
        fold_units(frame, "prompts")
    with pytest.raises(FormulaError, match="'school'"):
        fold_units(frame, "school")
    with pytest.raises(FitError, match="column 'annotator' is empty in row 3"):
        fold_units(frame, "annotators")
    with pytest.raises(FitError, match="4 folds need as many units to keep whole, and these rows have 3"):
        assign_folds(np.array([0, 1, 2, 2]), 4, 0)
    with pytest.raises(ValueError, match="at least 2 folds, not 1"):
        assign_folds(np.arange(4), 1, 0)
