from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from pluristats.errors import GenerateError, MissingAnswersWarning
from pluristats.extract import extract_trees, feature_table, prompts_of
from pluristats.features import load_profile, score
from pluristats.features.taxonomy import ACTION_COLUMNS, EFFECT_COLUMNS
from pluristats.texts.files import read_table
from tests.extract.test_trees import both
from tests.llm.endpoint import completion, error, http, serving

PROMPTS = pd.DataFrame(
    {
        "prompt": ["a1", "a2", "b1"],
        "text": ["A one", "A two", "B one"],
        "seed": ["a", "a", "b"],
        "seed_text": ["A", "A", "B"],
        "harm_level": [0.1, 0.9, 0.5],
        "topic": ["x", "y", "z"],
    }
)


def test_variants_of_a_seed_share_its_tree_and_those_without_one_are_listed(client, tmp_path: Path) -> None:
    def script(question: str, time: int) -> bytes:
        return error(400, "odd") if question.endswith("Text:\nB") else both(question, time)

    prompts = prompts_of(PROMPTS)
    with serving(script) as server, pytest.warns(MissingAnswersWarning):
        trees = extract_trees(prompts.units("seed"), client(server), progress=False)
        assert server.requests == 4
    pool = feature_table(prompts, trees, profile=load_profile("graded"))
    assert list(pool.table)[:5] == ["prompt", "seed", "harm_level", "text", "simulated"]
    assert list(pool.table)[5:] == [*ACTION_COLUMNS, *EFFECT_COLUMNS, "harmfulness"]
    assert pool.table["prompt"].tolist() == ["a1", "a2"] and pool.table["action_Privacy"].tolist() == [1, 1]
    tree = next(trees.trees())
    assert pool.table["harmfulness"].tolist() == [score([tree], load_profile("graded"))["harmfulness"].item()] * 2
    (left,) = pool.left_out.to_dict("records")
    assert left["prompt"] == "b1" and left["reason"].startswith("tree failed: status 400")
    back, _ = read_table(pool.write(tmp_path / "pool.parquet"))
    pd.testing.assert_frame_equal(back, pool.table, check_dtype=False)


def test_values_join_by_prompt_and_what_is_simulated_stays_so(client) -> None:
    prompts = prompts_of(PROMPTS)
    with serving(both) as server:
        trees = extract_trees(prompts.units("prompt"), {"harms": client(server)}, progress=False)
    values = pd.DataFrame({"prompt": ["b1", "a1"], "value_topic_0": [0.5, -0.25], "simulated": [True, False]})
    pool = feature_table(prompts, trees, values, by="prompt")
    assert pool.table["prompt"].tolist() == ["a1", "b1"] and pool.table["value_topic_0"].tolist() == [-0.25, 0.5]
    assert pool.table["simulated"].tolist() == [False, True] and pool.simulated
    assert pool.left_out.to_dict("records") == [{"prompt": "a2", "reason": "no answer about values"}]
    alone = feature_table(prompts, values=values)
    assert list(alone.table)[5:] == ["value_topic_0"]


def test_a_table_of_nothing_is_refused(client) -> None:
    prompts = prompts_of(PROMPTS)
    with pytest.raises(GenerateError, match="nothing to make features of"):
        feature_table(prompts)
    values = pd.DataFrame({"prompt": ["other"], "value_topic_0": [0.5]})
    with pytest.raises(GenerateError, match="no prompt has all its features; of the first: no answer about values"):
        feature_table(prompts, values=values)


def test_an_answer_without_any_known_category_has_a_row_of_zeros(client) -> None:
    with serving(http(200, completion("[]"))) as server:
        trees = extract_trees(prompts_of(PROMPTS).units("seed"), client(server), progress=False)
    with pytest.warns(UserWarning, match="2 rows have no known action; 2 rows have no known effect"):
        pool = feature_table(prompts_of(PROMPTS), trees)
    assert (pool.table[[*ACTION_COLUMNS, *EFFECT_COLUMNS]] == 0).all(axis=None) and len(pool.table) == 3
