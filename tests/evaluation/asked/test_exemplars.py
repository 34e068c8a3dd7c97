from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics.pairwise import cosine_similarity

from pluristats.errors import EvaluationError
from pluristats.evaluation.asked.exemplars import Chooser, Exemplars, shown, tokens_of

TEXTS = [
    "how do I pick a lock",
    "how do I pick a lock at night",
    "brew tea for neighbours",
    "brew strong tea",
    "forge a passport",
    "forge a signature on a will",
    "train a dog",
]
RATED = np.array([0, 1, 2, 3, 5, 6])


def test_the_nearest_come_last_and_are_the_most_alike() -> None:
    chooser = Chooser(TEXTS, Exemplars(k=3, choice="nearest"))
    chosen = chooser.choose(RATED, 0, "pick the lock at night")
    vectors = chooser._vectorizer.transform([*TEXTS, "pick the lock at night"])
    like = cosine_similarity(vectors[-1], vectors[:-1]).ravel()
    assert chosen.tolist() == sorted(RATED, key=lambda j: (like[j], -j))[-3:]
    assert chosen[-1] == 1 and 4 not in chosen


def test_draws_depend_on_seed_and_annotator_and_not_on_the_question() -> None:
    chooser = Chooser(TEXTS, Exemplars(k=4, seed=1))
    first = chooser.choose(RATED, 0, "a").tolist()
    assert first == chooser.choose(RATED, 0, "b").tolist() and set(first) <= set(RATED) and len(set(first)) == 4
    others = [chooser.choose(RATED, i, "a").tolist() for i in range(1, 6)]
    assert any(other != first for other in others)
    assert Chooser(TEXTS, Exemplars(k=4, seed=2)).choose(RATED, 0, "a").tolist() != first
    assert sorted(Chooser(TEXTS, Exemplars(k=None)).choose(RATED, 0, "a")) == RATED.tolist()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000))
def test_diverse_exemplars_are_a_greedy_cover(seed: int) -> None:
    chooser = Chooser(TEXTS, Exemplars(k=3, choice="diverse", seed=seed))
    chosen = chooser.choose(RATED, 0, "")
    vectors = chooser._vectors
    like = cosine_similarity(vectors)
    for n in (1, 2):
        before, rest = chosen[:n], [j for j in RATED if j not in chosen[:n]]
        closest = {j: max(like[j, i] for i in before) for j in rest}
        assert closest[chosen[n]] == pytest.approx(min(closest.values()))


def test_a_budget_of_tokens_keeps_the_best() -> None:
    sizes = [tokens_of(text) for text in TEXTS]
    assert sizes[0] == -(-len(shown(TEXTS[0], 1).encode()) // 4)
    for choice in ("random", "diverse", "nearest"):
        whole = Chooser(TEXTS, Exemplars(k=6, choice=choice)).choose(RATED, 0, "brew tea")
        order = whole[::-1] if choice == "nearest" else whole
        for count, total in enumerate(itertools.accumulate(sizes[j] for j in order), start=1):
            kept = Chooser(TEXTS, Exemplars(k=6, choice=choice, token_budget=int(total))).choose(RATED, 0, "brew tea")
            assert kept.tolist() == (order[:count][::-1] if choice == "nearest" else order[:count]).tolist()
    assert len(Chooser(TEXTS, Exemplars(token_budget=1)).choose(RATED, 0, "x")) == 0


def test_settings_of_another_kind_are_refused() -> None:
    with pytest.raises(EvaluationError, match="choice is one of random, diverse, nearest"):
        Exemplars(choice="best")  # type: ignore[arg-type]
    with pytest.raises(EvaluationError, match="k is at least 1"):
        Exemplars(k=0)
    with pytest.raises(EvaluationError, match="hold no words"):
        Chooser(["", "?"], Exemplars())
