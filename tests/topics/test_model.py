"""What a topic model says of fitted and new texts, worked out by hand on a circle."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pluristats.errors import TopicError
from pluristats.topics.names import clean_name, keyword_name
from tests.topics.models import by_hand

ANY = st.text(st.characters(exclude_categories=()), max_size=20)


def test_fitted_texts_have_their_topics_and_new_ones_those_of_their_neighbours() -> None:
    model = by_hand()
    texts = ["3 degrees", "44 again", "91 new", "12 new", "15 new", "nothing", " \n", "3 degrees", "92 degrees"]
    table = model.assign(texts)
    assert table["text"].tolist() == texts
    assert table["topic"].tolist() == [0, 1, -1, 0, -1, -1, -1, 0, -1]
    assert table["how"].tolist() == [
        "fitted", "nearest", "nearest", "nearest", "far", "far", "blank", "fitted", "fitted",
    ]  # fmt: skip
    assert table["name"].tolist()[:3] == ["warm, light", "cold", "no topic"]
    expected = [1, 1, 1, np.cos(np.radians(3)), np.cos(np.radians(6)), 0, np.nan, 1, 1]
    np.testing.assert_allclose(table["similarity"], expected, atol=1e-6)
    assert model.topic_of_text(texts) == dict(zip(texts, table["topic"], strict=True))
    assert len(model.assign([])) == 0


def test_a_fitted_text_keeps_its_topic_whatever_its_neighbours_have() -> None:
    model = by_hand("5 stray")
    assert model.assign(["5 stray", "5 other"])["topic"].tolist() == [-1, 0]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 120).map(lambda i: f"{i} new") | ANY, max_size=8))
def test_what_a_text_gets_does_not_depend_on_the_others(texts: list[str]) -> None:
    model = by_hand("\ud800 fitted")
    table = model.assign(texts)
    alone = [model.assign([text]).iloc[0] for text in texts]
    assert table["topic"].tolist() == [row["topic"] for row in alone]
    assert table["how"].tolist() == [row["how"] for row in alone]
    assert (table["how"] == "blank").tolist() == [not text.strip() for text in texts]


def test_topics_are_counted_as_given_and_as_different() -> None:
    model = by_hand(simulated=True)
    table = model.topics
    given_ = [sum(c for c, t in zip(model.counts, model.topic, strict=True) if t == topic) for topic in (-1, 0, 1)]
    assert table["topic"].tolist() == [-1, 0, 1]
    assert table["size"].tolist() == given_
    assert table["texts"].tolist() == [3, 10, 6]
    assert table["keywords"].tolist() == ["", "warm, warm light", "cold"]
    assert table["name_source"].tolist() == ["", "keywords", "keywords"]
    assert table["simulated"].all()
    assert "SIMULATED" in repr(model)


def test_samples_are_seeded_and_of_their_topic() -> None:
    model = by_hand()
    assert sorted(model.sample(0)) == [f"{i} degrees" for i in range(10)]
    assert model.sample(0, 4) == model.sample(0)[:4] == model.sample(0, 4, seed=42)
    assert {tuple(model.sample(0, seed=seed)) for seed in range(5)} != {tuple(model.sample(0))}
    assert sorted(model.sample(-1)) == ["90 degrees", "91 degrees", "92 degrees"]
    for topic in (2, -2, True, 0.5):
        with pytest.raises(TopicError, match="there is no topic"):
            model.sample(topic)  # type: ignore[arg-type]


def test_samples_are_equally_likely() -> None:
    model = by_hand()
    drawn = [model.sample(1, 2, seed=seed) for seed in range(3000)]
    counts = np.array([sum(f"{i} degrees" in two for two in drawn) for i in range(40, 46)])
    # Each of six is among two with probability 1/3; sd of the count is 25.8.
    assert np.abs(counts - 1000).max() < 4 * 25.8


def test_names_are_given_by_people_or_models_and_not_trusted() -> None:
    model = by_hand()
    named = model.with_names({1: "  Cold\x1b[0m\n and <b>dark</b>\u202e places "}, source="llm")
    assert named.names == ("warm, light", "Cold [0m and <b>dark</b> places")
    assert named.name_sources == ("keywords", "llm")
    assert (model.names[1], named.notes) == ("cold", ())
    assert named.assign(["44 new"])["name"].tolist() == ["Cold [0m and <b>dark</b> places"]
    short = named.with_names({0: "Warmth"})
    assert short.notes == ("names of topics 0 have fewer than three or more than six words",)
    assert short.digest() == model.digest() != replace(model, topic=-np.ones_like(model.topic)).digest()
    for names, message in (
        ({2: "x y z"}, "there is no topic 2; topics are from 0 to 1"),
        ({-1: "x y z"}, "there is no topic -1"),
        ({0: "\u200b \x00"}, "has nothing to read"),
        ({0: "word " * 40}, "has 199 characters; give it three to six words"),
        ({0: "x" * 10**6}, "has 1,000,000 characters"),
        ({0: None}, "a name of a topic is text, not None"),
    ):
        with pytest.raises(TopicError, match=message):
            model.with_names(names)  # type: ignore[arg-type]
    with pytest.raises(TopicError, match="given or llm, not 'robot'"):
        model.with_names({0: "a b c"}, source="robot")


@given(ANY.filter(lambda name: len(name) <= 20))
def test_a_clean_name_is_one_line_and_clean(name: str) -> None:
    try:
        cleaned = clean_name(name)
    except TopicError:
        return
    assert clean_name(cleaned) == cleaned
    assert len(cleaned.splitlines()) == 1
    cleaned.encode()


@pytest.mark.parametrize(
    ("keywords", "name"),
    [
        (["speech", "free speech", "open debate", "opinion"], "speech, open debate"),
        (["access courts", "access", "fair trial lawyer", "process"], "access courts, fair trial lawyer"),
        (["a b c d e", "f g", "h"], "a b c d e, h"),
        (["one", "one two"], "one"),
        ([], ""),
    ],
)
def test_names_by_keywords(keywords: list[str], name: str) -> None:
    assert keyword_name(keywords) == name


def test_a_new_text_without_the_embedder_is_refused() -> None:
    model = replace(by_hand(), embedder=None)
    assert model.assign(["3 degrees", " "])["topic"].tolist() == [0, -1]
    with pytest.raises(TopicError, match="text '3 new' is new, and the embedder 'circle' is not at hand"):
        model.assign(["3 degrees", "3 new"])
    with pytest.raises(TopicError, match="text 2 is nan"):
        model.assign(["3 degrees", float("nan")])  # type: ignore[list-item]
