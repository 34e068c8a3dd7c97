from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pluristats.errors import ValueItemsWarning, ValuesError
from pluristats.values import VRD, Thresholds, filter_items
from pluristats.values.ngrams import Overlap, Rouge, common_subsequence
from tests.values.tables import HOSTILE, items

ALL = Thresholds(0.0)
pytestmark = pytest.mark.usefixtures("rouge")


def vectors(texts: Sequence[str]) -> np.ndarray:
    """The direction of a text: its letters counted."""
    counts = np.array([[1.0 + text.count(letter) for letter in "abcdeghlou"] for text in texts])
    return counts / np.linalg.norm(counts, axis=1, keepdims=True)


# ROUGE-L


words = st.lists(st.sampled_from(["care", "caring", "cares", "of", "others", "running", "runs", "é", "x1", "-", "Ab"]))
texts = st.one_of(words.map(" ".join), st.text(max_size=40), st.text("ab 'É\t-", max_size=30))


@settings(deadline=None)  # the first example loads a library
@given(texts, texts)
def test_rouge_is_that_of_rouge_score(target: str, prediction: str) -> None:
    from rouge_score.rouge_scorer import RougeScorer

    # A line break starts a new sentence there; statements are one sentence here.
    lines = [" ".join(text.split("\n")) for text in (target, prediction)]
    expected = RougeScorer(["rougeLsum"], use_stemmer=True).score(*lines)["rougeLsum"]
    found = Rouge().overlap(target, prediction)
    assert found == Overlap(expected.fmeasure, expected.precision, expected.recall)


@settings(deadline=None)
@given(texts)
def test_words_are_those_of_rouge_score(text: str) -> None:
    from rouge_score.tokenizers import DefaultTokenizer

    assert list(Rouge().words(text).words) == DefaultTokenizer(use_stemmer=True).tokenize(text)


@settings(deadline=None)
@given(st.lists(st.sampled_from("abc"), max_size=80), st.lists(st.sampled_from("abc"), max_size=80))
def test_longest_common_subsequence_by_the_table(one: list[str], other: list[str]) -> None:
    table = np.zeros((len(one) + 1, len(other) + 1), dtype=int)
    for i, a in enumerate(one):
        for j, b in enumerate(other):
            table[i + 1, j + 1] = table[i, j] + 1 if a == b else max(table[i, j + 1], table[i + 1, j])
    rouge = Rouge()
    assert common_subsequence(rouge.words(" ".join(one)), rouge.words(" ".join(other))) == table[-1, -1]


# The filter


def brute_force(table: pd.DataFrame, thresholds: Thresholds) -> tuple[list[int], dict[int, str]]:
    """Index of kept rows in order, and the reason for each other: pair by pair, as the method says it."""
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rougeLsum"], use_stemmer=True)
    kept, reasons = [], {}
    for prompt in table["prompt"].unique():
        own = table[table["prompt"] == prompt].sort_values("relevance", ascending=False, kind="stable")
        left = [i for i in own.index if own.relevance[i] >= thresholds.relevance[own.vrd[i]]]
        reasons |= dict.fromkeys(own.index.difference(left), "relevance")
        for stage in ("ngram", "embedding"):
            survivors: list[int] = []
            for i in left:
                for j in survivors:
                    if not thresholds.across_vrd and own.vrd[i] != own.vrd[j]:
                        continue
                    if stage == "ngram" and thresholds.ngram is not None:
                        bare = [re.sub("^(Right|Duty) to ", "", own.text[k]) for k in (i, j)]
                        s, most = scorer.score(*bare)["rougeLsum"], thresholds.ngram
                        alike = s.fmeasure > most["f1"] or s.precision > most["precision"] or s.recall > most["recall"]
                    elif stage == "embedding" and thresholds.embed is not None:
                        a, b = vectors([own.text[i], own.text[j]])
                        alike = min(a @ b, 1) > thresholds.embed[own.vrd[i]]
                    else:
                        alike = False
                    if alike:
                        reasons[i] = stage
                        break
                else:
                    survivors.append(i)
            left = survivors
        kept += left
    return kept, reasons


statements = st.sampled_from(
    ["care", "Right to care", "Duty to care for others", "caring for others", "Right to Duty to care",
     "health of others", "good health", "health", "being told the truth", "Right to be told the truth"]
)  # fmt: skip
rows = st.tuples(
    st.sampled_from(["p", "q"]), st.sampled_from(VRD), statements, st.integers(0, 20).map(lambda x: x / 20)
)
shares = st.sampled_from([0.0, 0.3, 0.5, 2 / 3, 0.8, 0.95, 1.0])


@st.composite
def thresholds_(draw: Any) -> Thresholds:
    def each(names: Sequence[str]) -> dict[str, float]:
        return {name: draw(shares) for name in names}

    ngram = draw(st.none() | shares) if draw(st.booleans()) else each(Overlap._fields)
    # No cosine of these texts is one of these numbers, so that rounding decides nothing.
    embed = draw(st.none() | st.sampled_from([0.012, 0.707, 0.876, 0.963, 1.0]))
    if embed is not None and draw(st.booleans()):
        embed = {"Value": embed, "Right": 0.8123, "Duty": 0.9123}
    return Thresholds({name: draw(shares) / 2 for name in VRD}, ngram, embed, draw(st.booleans()))


@settings(deadline=None, max_examples=150)
@given(st.lists(rows, max_size=14), thresholds_())
def test_it_drops_what_comparing_pair_by_pair_drops(given_rows: list[tuple[Any, ...]], thresholds: Thresholds) -> None:
    table = items(*given_rows).assign(place=range(len(given_rows)))
    found = filter_items(table, thresholds, vectors)
    kept, reasons = brute_force(table, thresholds)
    assert found.items["place"].tolist() == kept
    assert dict(zip(found.dropped["place"], found.dropped["reason"], strict=True)) == reasons
    counts = found.counts().set_index("fate")["items"]
    assert counts.sum() == len(table)
    assert counts["kept"] == len(kept)
    if found.thresholds.embed is None:
        again = filter_items(found.items, thresholds)
        assert again.items.equals(found.items)  # what was kept once is kept again


def test_why_an_item_went_and_because_of_which() -> None:
    table = items(
        ("q", "Value", "Care for others", 0.4),
        ("q", "Value", "Good health", 0.9),
        ("q", "Value", "caring for other", 0.3),
        ("q", "Duty", "Duty to keep good health", 0.8),
        ("q", "Value", "Healthy food", 0.1),
        ("p", "Value", "Good health", 0.2),
    ).assign(simulated=True)
    # "keep good health" has the kept item's 2 words, which are 2 of its own 3: precision 1, recall ⅔, F1 0.8.
    found = filter_items(table, Thresholds(0.2, {"f1": 0.9, "precision": 1, "recall": 0.6}, None, across_vrd=True))
    assert found.items["text"].tolist() == ["Good health", "Care for others", "Good health"]
    assert found.items["prompt"].tolist() == ["q", "q", "p"]
    told = ["text", "reason", "measure", "value", "threshold", "like_vrd", "like_text"]
    assert found.dropped[told].values.tolist() == [
        ["Duty to keep good health", "ngram", "recall", 2 / 3, 0.6, "Value", "Good health"],
        ["caring for other", "ngram", "f1", 1.0, 0.9, "Value", "Care for others"],
        ["Healthy food", "relevance", "relevance", 0.1, 0.2, None, None],
    ]
    assert repr(found) == "<Filtered: 3 items kept, 3 dropped, SIMULATED>"
    own_kind = filter_items(table, replace(found.thresholds, across_vrd=False))
    assert own_kind.dropped["text"].tolist() == ["caring for other", "Healthy food"]
    precise = filter_items(table, Thresholds(0.2, {"f1": 1, "precision": 0.9, "recall": 1}, None, across_vrd=True))
    assert precise.dropped.loc[0, ["measure", "value"]].tolist() == ["precision", 1.0]


def test_only_more_than_a_threshold_is_too_much() -> None:
    same = items(("q", "Value", "care", 0.5), ("q", "Value", "care", 0.5))
    assert len(filter_items(same, Thresholds(0.5, 1.0)).items) == 2
    assert len(filter_items(same, Thresholds(0.5, 0.99)).items) == 1
    assert len(filter_items(same, Thresholds(0.5001)).items) == 0
    assert len(filter_items(same, ALL).items) == 2


def test_the_same_direction_is_no_more_than_one() -> None:
    table = items(*(("q", "Value", text, 0.5) for text in ("care", "health", "health", "hhee")))
    assert len(filter_items(table, Thresholds(0.0, None, 1.0), vectors).items) == 4
    assert len(filter_items(table, Thresholds(0.0, None, 0.9999), vectors).items) == 3


def test_an_item_gone_by_ngrams_drops_no_other() -> None:
    # b is like a, and c is like b only.
    table = items(
        ("q", "Value", "one two three", 0.9),
        ("q", "Value", "two three four", 0.8),
        ("q", "Value", "three four five", 0.7),
    )
    found = filter_items(table, Thresholds(0.0, 0.5))
    assert found.items["text"].tolist() == ["one two three", "three four five"]


def test_embeddings_are_asked_once_for_what_is_compared() -> None:
    asked: list[list[str]] = []

    def embed(texts: Sequence[str]) -> np.ndarray:
        asked.append(list(texts))
        return vectors(texts)

    table = items(
        ("p", "Value", "alone", 0.9), ("q", "Value", "b", 0.9), ("q", "Value", "a", 0.95), ("q", "Duty", "b", 1),
        ("r", "Value", "a", 0.5), ("r", "Value", "b", 0.4), ("r", "Value", "irrelevant", 0.1),
    )  # fmt: skip
    filter_items(table, Thresholds(0.2, None, 1.0), embed)
    assert asked == [["a", "b"]]
    filter_items(items(("p", "Value", "alone", 0.9)), Thresholds(0.2, None, 1.0), embed)
    assert len(asked) == 1


def test_the_later_items_kind_has_the_say_across_kinds() -> None:
    table = items(("q", "Value", "good", 0.9), ("q", "Right", "good", 0.8), ("q", "Duty", "good", 0.7))
    most = Thresholds(0.0, None, {"Value": -1, "Right": 1, "Duty": 0.5}, across_vrd=True)
    found = filter_items(table, most, lambda texts: vectors(texts).astype(np.float32) * np.float32(1 - 1e-6))
    assert found.items["vrd"].tolist() == ["Value", "Right"]
    assert found.dropped["threshold"].tolist() == [0.5]


@pytest.mark.parametrize(
    ("embed", "message"),
    [
        (None, r"there is no embedder; give embed=sentence_embedder\(…\)"),
        (lambda texts: vectors(texts)[:1], r"gave float64 of shape \(1, 10\) for 2 texts"),
        (lambda texts: np.zeros((2, 3), dtype=int), r"gave int64 of shape \(2, 3\)"),
        (lambda texts: vectors(texts) * 2, r"a row of length 2 \(row 0\); rows have length 1"),
        (lambda texts: vectors(texts) * np.array([[1], [np.nan]]), r"a row of length nan \(row 1\)"),
    ],
)
def test_an_embedder_that_does_not_fit_is_refused(embed: Any, message: str) -> None:
    table = items(("q", "Value", "a", 0.5), ("q", "Value", "b", 0.5))
    with pytest.raises(ValuesError, match=message):
        filter_items(table, Thresholds(0.0, None, 0.5), embed)


def test_items_without_latin_words_are_counted_not_compared() -> None:
    table = items(("q", "Value", "健康", 0.5), ("q", "Value", "健康", 0.4), ("q", "Value", "health", 0.3))
    with pytest.warns(ValueItemsWarning, match="2 of 3 items hold no Latin letter or digit"):
        found = filter_items(table, Thresholds(0.0, 0.5))
    assert (len(found.items), found.wordless) == (3, 2)


def test_hostile_texts_pass() -> None:
    texts = [*HOSTILE.values(), *HOSTILE.values()]
    found = filter_items(items(*(("q", "Value", text, 0.5) for text in texts)), Thresholds(0.0, 0.9))
    assert found.items["text"].tolist() == list(HOSTILE.values())
    assert found.dropped["like_text"].tolist() == list(HOSTILE.values())


def test_no_items_and_nothing_dropped() -> None:
    empty = filter_items(items(), Thresholds(0.5, 0.5, 0.5), vectors)
    assert (len(empty.items), len(empty.dropped), empty.simulated) == (0, 0, False)
    assert empty.counts()["share"].tolist() == [0, 0, 0, 0]
    whole = filter_items(items(("q", "Value", "a", 0.5)), ALL)
    assert list(whole.dropped.columns) == list(empty.dropped.columns)
    assert whole.dropped["value"].dtype == np.float64


@pytest.mark.parametrize(
    ("given_thresholds", "message"),
    [
        ({"relevance": {"Value": 0.5}}, "threshold relevance is one number or one for each of Value, Right, Duty, not"),
        ({"relevance": 1.5}, "threshold relevance of Value is a number from 0 to 1, not 1.5"),
        ({"relevance": None}, "threshold relevance of Value is a number from 0 to 1, not None"),
        ({"relevance": 0.5, "ngram": {"f1": 1, "precision": 1, "recal": 1}}, "for each of f1, precision, recall"),
        ({"relevance": 0.5, "ngram": float("nan")}, "threshold ngram of f1 is a number from 0 to 1, not nan"),
        (
            {"relevance": 0.5, "embed": {"Value": 1, "Right": 1, "Duty": "1"}},
            "threshold embed of Duty is a number from -1",
        ),
        ({"relevance": 0.5, "across_vrd": 1}, "across_vrd is True or False, not 1"),
    ],
)
def test_thresholds_that_are_none(given_thresholds: Any, message: str) -> None:
    with pytest.raises(ValuesError, match=message):
        Thresholds(**given_thresholds)


def test_one_threshold_stands_for_the_same_everywhere() -> None:
    short = Thresholds(0.5, 0.6, 0.7)
    assert short == Thresholds(
        dict.fromkeys(VRD, 0.5), {"fmeasure": 0.6, "precision": 0.6, "recall": 0.6}, dict.fromkeys(VRD, 0.7), False
    )
    assert replace(short, embed=None) == Thresholds(0.5, 0.6)
