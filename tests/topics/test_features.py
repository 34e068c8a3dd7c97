"""Signed topic features against a plain loop by the published rule, and against the structure of the release."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pluristats.errors import TopicError
from pluristats.topics import topic_features

# Few values, so that ties of relevance and of valence occur; ten decimals, as the release's scores.
SCORE = st.sampled_from([0.0, 0.25, 0.5, 0.1234567891, 0.9876543219, 1.0])
ITEM = st.tuples(st.sampled_from("abc"), st.sampled_from("uvwxyz"), SCORE, SCORE, SCORE)
TOPIC = st.fixed_dictionaries({text: st.integers(-1, 3) for text in "uvwxyz"})


def table(rows: list[tuple[str, str, float, float, float]], **more: object) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["prompt", "text", "relevance", "supports", "opposes"])
    return frame.assign(vrd="Value", either=0.0, **more)


def loop(
    rows: list[tuple[str, str, float, float, float]], topic_of_text: Mapping[str, int], n: int, keep: int
) -> dict[str, list[float]]:
    """The rule of the paper's pipeline, item by item."""
    out: dict[str, list[float]] = {}
    for prompt in dict.fromkeys(row[0] for row in rows):
        chosen: dict[int, float] = {}
        for _, text, _, supports, opposes in sorted((r for r in rows if r[0] == prompt), key=lambda r: -r[2]):
            topic = topic_of_text[text]
            if topic == -1:
                continue
            valenced, score = (topic, supports) if supports >= opposes else (topic + n, opposes)
            if valenced not in chosen and len(chosen) < keep:
                chosen[valenced] = score
        out[prompt] = [chosen.get(j, 0.0) - chosen.get(j + n, 0.0) for j in range(n)]
    return out


@settings(deadline=None)
@given(rows=st.lists(ITEM, max_size=25), topics=TOPIC, keep=st.integers(1, 6))
def test_equals_the_rule_item_by_item(
    rows: list[tuple[str, str, float, float, float]], topics: dict[str, int], keep: int
) -> None:
    found = topic_features(table(rows), topics, n_topics=4, keep=keep)
    expected = loop(rows, topics, 4, keep)
    assert found["prompt"].tolist() == list(expected)
    assert found.filter(like="value_topic_").to_numpy().tolist() == list(expected.values())


def structure(values: np.ndarray, scores: set[float] | None = None) -> tuple[int, int]:
    """What the rule implies of any feature table: (most valenced topics of a row, differences).

    A cell that is not 0 is one score, or a difference of two. Scores have ten decimals; a difference of two such
    doubles mostly is not the double nearest to ten decimals, and only then is counted as one.
    """
    difference = np.vectorize(lambda x: float(round(x, 10)) != x)(values)
    assert (np.abs(values) <= 1).all()
    if scores is not None:
        ordered = np.array(sorted(scores))
        for x in {abs(x) for x in values[values != 0].tolist()} - scores:
            assert (ordered[:, None] - ordered == x).any()
    return int(((values != 0).sum(axis=1) + difference.sum(axis=1)).max()), int(difference.sum())


def random_items(prompts: int, items: int, seed: int) -> tuple[pd.DataFrame, dict[str, int]]:
    rng = np.random.default_rng(seed)
    shares = np.round(rng.dirichlet([0.6, 0.4, 0.4], prompts * items), 10)
    frame = pd.DataFrame(
        {
            "prompt": np.repeat(np.arange(prompts), items),
            "text": [f"t{i}" for i in rng.integers(0, 3000, prompts * items)],
            "relevance": rng.random(prompts * items),
            "supports": shares[:, 0],
            "opposes": shares[:, 1],
        }
    )
    return frame, {f"t{i}": int(t) for i, t in enumerate(rng.integers(-1, 39, 3000))}


@pytest.mark.release
def test_released_columns_have_the_structure_that_the_rule_gives(release_path: Path) -> None:
    with (release_path / "prompts.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    frame, topics = random_items(2000, 8, seed=5)
    found = topic_features(frame, topics)
    names = [name for name in rows[0] if name.startswith("value_topic_")]
    assert [name for name in found if name != "prompt"] == names
    released = np.array([[float(row[name]) for name in names] for row in rows])
    assert structure(released) == (5, 13)
    # One more valenced topic, or one fewer, would show.
    assert structure(found[names].to_numpy())[0] == 5
    for keep in (4, 6):
        assert structure(topic_features(frame, topics, keep=keep)[names].to_numpy())[0] == keep


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32))
def test_structure_holds_on_any_items(seed: int) -> None:
    frame, topics = random_items(40, 9, seed)
    scores = {*frame["supports"], *frame["opposes"]}
    assert structure(topic_features(frame, topics).drop(columns="prompt").to_numpy(), scores)[0] <= 5


def test_by_hand() -> None:
    topics = {"privacy": 0, "secrecy": 0, "health": 1, "odd": -1}
    rows = [
        ("q", "health", 0.2, 0.5, 0.5),  # as much for as against: supportive
        ("q", "odd", 1.0, 1.0, 0.0),  # of no topic
        ("q", "privacy", 0.9, 0.1, 0.75),
        ("q", "secrecy", 0.8, 0.0, 0.8),  # the same valenced topic again
        ("q", "secrecy", 0.7, 0.25, 0.0),  # the other valence of the same topic
    ]
    found = topic_features(table(rows), topics, n_topics=2, prompts=["none", "q"])
    assert found.to_dict("list") == {"prompt": ["none", "q"], "value_topic_0": [0.0, -0.5], "value_topic_1": [0.0, 0.5]}
    two = topic_features(table(rows), topics, n_topics=2, keep=2)
    assert two.iloc[0, 1:].tolist() == [-0.5, 0.0]


def test_rows_of_equal_relevance_keep_their_order() -> None:
    rows = [("q", "a", 0.5, 0.9, 0.0), ("q", "b", 0.5, 0.8, 0.0)]
    assert topic_features(table(rows), {"a": 0, "b": 0}, 1).iloc[0, 1] == 0.9
    assert topic_features(table(rows[::-1]), {"a": 0, "b": 0}, 1).iloc[0, 1] == 0.8


def test_prompts_are_named_as_they_were() -> None:
    rows = [(7, "a", 0.5, 0.9, 0.0), (3, "a", 0.5, 0.8, 0.0)]
    assert topic_features(table(rows), {"a": 0}, 1)["prompt"].dtype == np.int64  # type: ignore[arg-type]
    found = topic_features(table(rows), {"a": 0}, 1, prompts=[3, "\ud800", 7])  # type: ignore[arg-type]
    assert found.to_numpy().tolist() == [[3, 0.8], ["\ud800", 0.0], [7, 0.9]]


def test_what_is_simulated_says_so_and_nothing_else_is_read() -> None:
    rows = [("q", "a", 0.5, 0.9, 0.0)]
    assert topic_features(table(rows, simulated=True), {"a": 0}, 1)["simulated"].tolist() == [True]
    assert "simulated" not in topic_features(table(rows), {"a": 0}, 1)
    assert len(topic_features(table([]), {}, 3)) == 0
    assert topic_features(table([]), {}, 1, prompts=[4]).to_numpy().tolist() == [[4, 0.0]]


@pytest.mark.parametrize(
    ("row", "topics", "settings", "message"),
    [
        (("q", "a", 1.5, 0.0, 0.0), {"a": 0}, {}, "row 1 of the table of items has relevance 1.5, which is no"),
        (("q", "a", 0.5, float("nan"), 0.0), {"a": 0}, {}, "has supports nan"),
        (("q", "a", 0.5, 0.0, "=1"), {"a": 0}, {}, "has opposes '=1'"),
        (("q", "b", 0.5, 0.0, 0.0), {"a": 0}, {}, "text 'b' has no topic"),
        (("q", "a", 0.5, 0.0, 0.0), {"a": 39}, {}, "topic 39; topics are from -1 .none. to 38"),
        (("q", "a", 0.5, 0.0, 0.0), {"a": 0.0}, {}, "topic 0.0"),
        ((None, "a", 0.5, 0.0, 0.0), {"a": 0}, {}, "row 1 .* names no prompt"),
        (("q", None, 0.5, 0.0, 0.0), {"a": 0}, {}, "row 1 .* has no text"),
        (("q", "a", 0.5, 0.0, 0.0), {"a": 0}, {"prompts": ["p"]}, "prompt 'q' has items but is not in prompts"),
        (("q", "a", 0.5, 0.0, 0.0), {"a": 0}, {"prompts": ["q", "q"]}, "prompts holds 'q' twice"),
        (("q", "a", 0.5, 0.0, 0.0), {"a": 0}, {"keep": 0}, "keep is a whole number from 1, not 0"),
        (("q", "a", 0.5, 0.0, 0.0), {"a": 0}, {"n_topics": True}, "n_topics is a whole number"),
    ],
)
def test_what_cannot_be_used_is_refused(
    row: tuple[object, ...], topics: dict[str, int], settings: dict[str, object], message: str
) -> None:
    with pytest.raises(TopicError, match=message):
        topic_features(table([row]), topics, **settings)  # type: ignore[list-item, arg-type]
    with pytest.raises(TopicError, match="no column 'opposes'"):
        topic_features(table([]).drop(columns="opposes"), {})


def test_texts_with_half_a_surrogate_pair_are_told_apart() -> None:
    frame = table([("p", "a", 0.9, 0.75, 0.0), ("p", "b", 0.8, 0.25, 0.0)])
    frame["text"] = pd.Series(["a\ud800", "b\ud800"], dtype=object)
    found = topic_features(frame, {"a\ud800": 0, "b\ud800": 1}, n_topics=2)
    whole = topic_features(
        table([("p", "a", 0.9, 0.75, 0.0), ("p", "b", 0.8, 0.25, 0.0)]), {"a": 0, "b": 1}, n_topics=2
    )
    pd.testing.assert_frame_equal(found, whole)
    assert (found.drop(columns="prompt").to_numpy() > 0).sum() == 2
