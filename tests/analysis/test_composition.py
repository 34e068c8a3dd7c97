from __future__ import annotations

import pandas as pd
import pytest

import pluristats as ps
from pluristats.analysis import annotator_composition, prompt_composition


def test_annotators_are_counted_as_they_answered() -> None:
    study = ps.simulate_study(n_annotators=60, n_prompts=12, seed=4)
    table = annotator_composition(study)
    assert list(dict.fromkeys(table["variable"])) == [c.column for c in study.codings if not c.numeric]
    for variable, part in table.groupby("variable"):
        assert part["count"].sum() == 60 and part["share"].sum() == pytest.approx(1)
        answers = study.annotators[variable].astype(str).str.strip()
        assert dict(zip(part["category"], part["count"], strict=True)) == answers.value_counts().to_dict()


def test_ordered_answers_come_in_the_order_of_the_codebook() -> None:
    study = ps.simulate_study(n_annotators=60, n_prompts=12, seed=4)
    (coding,) = [c for c in study.codings if c.column == "Age"]
    ages = annotator_composition(study).query("variable == 'Age'")["category"]
    numbers = [coding.labels[age] for age in ages if age in coding.labels]
    assert numbers == sorted(numbers)


def test_prompts_by_level_and_seeds_by_their_prompts() -> None:
    study = ps.simulate_study(n_annotators=5, n_prompts=30, seed=4)
    table = prompt_composition(study).set_index("variable")
    levels = study.prompts["harm_level"].value_counts().sort_index()
    assert table.loc["harm_level", "count"].tolist() == levels.tolist()
    per_seed = pd.Series(study.prompts.groupby("seed").size().tolist()).value_counts().sort_index()
    assert table.loc[["prompts of a seed"], "count"].tolist() == per_seed.tolist()
    assert table.loc[["prompts of a seed"], "share"].sum() == pytest.approx(1)


@pytest.mark.release
def test_the_released_prompts_are_those_of_the_target(release_path) -> None:
    table = prompt_composition(ps.load_study(release_path))
    assert table.query("variable == 'harm_level'")["count"].tolist() == [2, 3, 7, 15, 30, 36, 30, 15, 7, 3, 2]
    assert table.query("variable == 'prompts of a seed'")["count"].tolist() == [104, 23]
