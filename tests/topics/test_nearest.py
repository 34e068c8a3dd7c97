"""The rule for new texts against a loop over all fitted texts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pluristats.topics import nearest
from pluristats.topics.embed import unit
from pluristats.topics.nearest import measure, vote


def case(n: int, topics: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return unit(rng.normal(size=(n, 4))), rng.integers(-1, topics, n)


def loop(x: np.ndarray, fitted: np.ndarray, topic: np.ndarray, k: int) -> tuple[int, float]:
    cosines = sorted(((float(x @ row), int(t)) for row, t in zip(fitted, topic, strict=True)), reverse=True)[:k]
    votes: dict[int, list[float]] = {}
    for cosine, t in cosines:
        votes.setdefault(t, []).append(cosine)
    best = max(votes, key=lambda t: (len(votes[t]), sum(votes[t])))
    return best, cosines[0][0]


@settings(deadline=None, max_examples=40)
@given(n=st.integers(1, 60), topics=st.integers(0, 5), k=st.integers(1, 20), seed=st.integers(0, 2**20))
def test_equals_the_rule_text_by_text(n: int, topics: int, k: int, seed: int) -> None:
    fitted, topic = case(n, topics, seed)
    new = case(7, 1, seed + 1)[0]
    found = vote(new, fitted, topic, k)
    expected = [loop(x, fitted, topic, k) for x in new]
    assert found.topic.tolist() == [t for t, _ in expected]
    np.testing.assert_allclose(found.similarity, [s for _, s in expected], atol=1e-6)


def test_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted, topic = case(200, 4, 0)
    new = case(50, 1, 1)[0]
    whole = vote(new, fitted, topic, 15)
    monkeypatch.setattr(nearest, "_BLOCK", 600)
    parts = vote(new, fitted, topic, 15)
    np.testing.assert_array_equal(parts.topic, whole.topic)
    np.testing.assert_allclose(parts.similarity, whole.similarity, atol=1e-6)


def test_a_text_left_out_does_not_vote() -> None:
    fitted, topic = case(40, 3, 2)
    found = vote(fitted, fitted, topic, 5, without=np.arange(40))
    for i in range(40):
        others = np.arange(40) != i
        assert (found.topic[i], found.similarity[i]) == (
            pytest.approx(loop(fitted[i], fitted[others], topic[others], 5), abs=1e-6)
        )


def test_agreement_is_a_share_of_texts_left_out() -> None:
    # Two tight groups of 50, one text of the second with the first's topic, and one text far from all.
    angle = np.concatenate([np.linspace(0, 0.01, 50), np.linspace(1, 1.01, 50), [3.0]])
    vectors = unit(np.column_stack([np.cos(angle), np.sin(angle)]))
    topic = np.repeat([0, 1, -1], [50, 50, 1])
    topic[75] = 0
    far, agreement = measure(vectors, topic, 5, seed=0)
    assert np.cos(2.0) < far < 1
    # The stray text is outvoted; the far one has no topic by the rule as by the clustering.
    assert (agreement.texts, agreement.share, agreement.share_in_topics) == (101, 100 / 101, 99 / 100)
    assert np.isnan(measure(vectors, np.full(101, -1), 5, seed=0)[1].share_in_topics)


def test_a_sample_of_many_texts_is_seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted, topic = case(300, 3, 5)
    monkeypatch.setattr(nearest, "SAMPLE", 60)
    first = measure(fitted, topic, 7, seed=1)
    assert first == measure(fitted, topic, 7, seed=1) != measure(fitted, topic, 7, seed=2)
    assert first[1].texts == 60
