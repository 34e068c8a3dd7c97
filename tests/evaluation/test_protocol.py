from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pluristats.errors import EvaluationError
from pluristats.evaluation import SETTINGS, Split, draw_splits, read_splits, write_splits
from pluristats.evaluation.data import Table
from pluristats.evaluation.protocol import _whole_seeds
from pluristats.study import Study


def test_new_prompts_hides_the_same_third_from_everybody(study: Study, table: Table) -> None:
    for split in draw_splits(study, "new-prompts", 4):
        hidden = table.hidden(split)
        assert (hidden == hidden[0]).all() and hidden[0].sum() == 8
    first, second = (table.hidden(s) for s in draw_splits(study, "new-prompts", 2))
    assert (first != second).any()


def test_known_prompts_hides_a_third_of_each_annotator_own(study: Study, table: Table) -> None:
    hidden = table.hidden(draw_splits(study, "known-prompts", 1)[0])
    assert (hidden.sum(axis=1) == 8).all()
    assert len(np.unique(hidden, axis=0)) == len(hidden)


def test_no_seed_is_on_both_sides(study: Study, table: Table) -> None:
    seeds = table.prompts.seeds
    assert len(np.unique(seeds)) < len(seeds)
    for split in draw_splits(study, "new-seeds", 20, n_test=9):
        test = table.hidden(split)[0]
        assert not set(seeds[test]) & set(seeds[~test])
        assert 8 <= test.sum() <= 9


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 4), min_size=3, max_size=12), st.integers(0, 2**32 - 1), st.data())
def test_whole_seeds_fill_the_test_as_far_as_they_fit(sizes: list[int], seed: int, data: st.DataObject) -> None:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    n_test = data.draw(st.integers(max(sizes), len(labels) - 1))
    picked = _whole_seeds(labels, n_test, np.random.default_rng(seed))
    taken = np.bincount(labels[picked], minlength=len(sizes))
    assert set(taken[taken > 0] - np.array(sizes)[taken > 0]) == {0}
    left = n_test - len(picked)
    assert left >= 0 and all(size > left for size, k in zip(sizes, taken, strict=True) if not k)


def test_a_split_depends_on_seed_and_number_only(study: Study) -> None:
    for setting in SETTINGS:
        assert draw_splits(study, setting, 5, seed=4)[2] == draw_splits(study, setting, 3, seed=4)[2]
        assert draw_splits(study, setting, 1, seed=4) != draw_splits(study, setting, 1, seed=5)
    ceiling, new = (draw_splits(study, setting, 2) for setting in ("oracle", "new-prompts"))
    assert [s.test for s in ceiling] == [s.test for s in new]


def test_splits_come_back_from_json(study: Study, tmp_path: Path) -> None:
    splits = tuple(s for setting in SETTINGS for s in draw_splits(study, setting, 2))
    path = write_splits(tmp_path / "splits.json", splits, study)
    assert read_splits(path, study) == splits
    other = replace(study, name="the same under another name")
    assert read_splits(path, other) == splits
    changed = replace(study, scale=(0.0, 101.0))
    with pytest.raises(EvaluationError, match="another study"):
        read_splits(path, changed)


@pytest.mark.parametrize("text", ["", "[]", '{"study": "x"}', json.dumps({"study": "x", "splits": [1]})])
def test_what_is_no_file_of_splits_is_refused(study: Study, tmp_path: Path, text: str) -> None:
    path = tmp_path / "s.json"
    path.write_text(text)
    with pytest.raises(EvaluationError, match=r"s\.json is not a file of splits"):
        read_splits(path, study)


def test_what_cannot_be_split_is_refused(study: Study) -> None:
    with pytest.raises(EvaluationError, match="23 of 24 prompts"):
        draw_splits(study, "new-prompts", 1, n_test=23)
    with pytest.raises(EvaluationError, match="no setting 'old'"):
        draw_splits(study, "old", 1)  # type: ignore[arg-type]
    with pytest.raises(EvaluationError, match="at least 1, not 0"):
        draw_splits(study, "oracle", 0)
    prompts = study.prompts
    one = replace(study, prompts_=prompts.assign(seed="s"))
    with pytest.raises(EvaluationError, match="1 seeds cannot be split"):
        draw_splits(one, "new-seeds", 1)


def test_a_split_of_other_people_is_refused(table: Table) -> None:
    with pytest.raises(EvaluationError, match="names 'nobody'"):
        table.hidden(Split("known-prompts", 0, 0, ("nobody",), ((table.prompts.labels[0],),)))


def test_alignment_holds_what_the_setting_lets_see_and_nothing_else(study: Study, table: Table) -> None:
    for setting in ("new-prompts", "new-seeds"):
        split = draw_splits(study, setting, 1)[0]
        seen, test = table.alignment(split), table.hidden(split)[0]
        assert seen.prompts.labels == tuple(np.array(table.prompts.labels)[~test])
        np.testing.assert_array_equal(seen.ratings, table.ratings[:, ~test])
        assert not set(seen.prompts.texts) & {t for t, k in zip(table.prompts.texts, test, strict=True) if k}
    split = draw_splits(study, "known-prompts", 1)[0]
    seen = table.alignment(split)
    assert np.isnan(seen.ratings[table.hidden(split)]).all()
    np.testing.assert_array_equal(seen.ratings[~table.hidden(split)], table.ratings[~table.hidden(split)])


def test_the_table_is_the_study_on_0_to_1(study: Study, table: Table) -> None:
    row = study.ratings.iloc[7]
    i, j = table.annotators.labels.index(row["annotator"]), table.prompts.labels.index(row["prompt"])
    assert table.ratings[i, j] == pytest.approx(row["rating"] / 100, nan_ok=True)
    assert np.isnan(table.ratings).sum() == study.ratings["rating"].isna().sum()
    frame = study.frame()
    of = frame[frame["annotator"] == row["annotator"]].iloc[0]
    np.testing.assert_allclose(table.annotators.traits[i], of[list(study.groups["traits"])].astype(float))
    people = pd.Series(table.annotators.labels)
    assert people.tolist() == study.annotators["annotator"].tolist()
