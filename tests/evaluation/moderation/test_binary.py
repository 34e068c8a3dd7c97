"""Metrics of two classes against scikit-learn, statsmodels and brute force."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk
from statsmodels.stats.proportion import proportion_confint

from pluristats.evaluation.moderation.binary import METRICS, drawn, statistics, wilson, wilson_f1


def expected(harmful: np.ndarray, score: np.ndarray, flagged: np.ndarray, weight: np.ndarray) -> list[float]:
    settings = {"sample_weight": weight}
    tn, fp, _, _ = sk.confusion_matrix(harmful, flagged, labels=[False, True], **settings).ravel()
    return [
        sk.precision_score(harmful, flagged, zero_division=np.nan, **settings),
        sk.recall_score(harmful, flagged, **settings),
        sk.f1_score(harmful, flagged, **settings),
        fp / (fp + tn),
        sk.roc_auc_score(harmful, score, **settings),
        sk.average_precision_score(harmful, score, **settings),
    ]


def rows(seed: int, n: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """Labels of both classes, and scores with many ties."""
    rng = np.random.default_rng(seed)
    harmful = np.r_[True, False, rng.random(n - 2) < 0.4]
    return harmful, np.round(rng.random(n) + 0.3 * harmful, 1)


@pytest.mark.parametrize("seed", range(6))
def test_metrics_are_scikit_learns(seed: int) -> None:
    harmful, score = rows(seed)
    flagged = score >= 0.7
    weights = np.vstack([np.ones(len(score)), np.random.default_rng(seed).integers(1, 4, (3, len(score)))])
    found = statistics(harmful, score, flagged, weights)
    for row, weight in zip(found, weights, strict=True):
        assert row == pytest.approx(expected(harmful, score, flagged, weight), nan_ok=True)


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 5), st.integers(0, 3)), min_size=1, max_size=25),
    st.integers(0, 2**32 - 1),
)
def test_a_weight_is_a_repetition_and_order_does_not_matter(cells: list[tuple[bool, int, int]], seed: int) -> None:
    harmful, score, weight = (np.array(column) for column in zip(*cells, strict=True))
    score = score / 5
    once = statistics(harmful, score, score >= 0.5, weight[None].astype(float))[0]
    at = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(cells)), weight))
    if not len(at):
        assert np.isnan(once).all()
        return
    again = statistics(harmful[at], score[at], (score >= 0.5)[at], np.ones((1, len(at))))[0]
    np.testing.assert_allclose(once, again)
    auc = once[METRICS.index("auc")]
    pairs = [(a > b) + (a == b) / 2 for a, b in product(score[at][harmful[at]], score[at][~harmful[at]])]
    assert np.isnan(auc) if not pairs else auc == pytest.approx(np.mean(pairs))


def test_without_one_class_there_is_no_auc() -> None:
    for label in (True, False):
        found = statistics(np.full(3, label), np.array([0.1, 0.5, 0.5]), np.array([0, 1, 1]) == 1, np.ones((1, 3)))[0]
        assert np.isnan(found[METRICS.index("auc")])
    assert statistics(np.array([], bool), np.array([]), np.array([], bool), np.ones((1, 0))).shape == (1, 6)


@given(st.integers(1, 400), st.integers(0, 400))
def test_wilsons_interval_is_statsmodels(n: int, k: int) -> None:
    k = min(k, n)
    assert wilson(k, n, 0.9) == pytest.approx(proportion_confint(k, n, 0.1, method="wilson"), abs=1e-9)


def test_wilson_of_nothing_and_of_f1() -> None:
    assert np.isnan(wilson(0, 0)).all() and np.isnan(wilson_f1(0, 0, 0)).all()
    low, high = wilson_f1(30, 10, 20)
    # 2J / (1 + J) at the ends of J's interval; J = 30 / 60.
    a, b = proportion_confint(30, 60, method="wilson")
    assert (low, high) == pytest.approx((2 * a / (1 + a), 2 * b / (1 + b)))
    assert low < sk.f1_score([1] * 30 + [0] * 10 + [1] * 20, [1] * 40 + [0] * 20) < high
    assert wilson_f1(20, 0, 0)[0] < 1 == wilson_f1(20, 0, 0)[1] and wilson_f1(0, 5, 5)[0] == 0


@pytest.mark.slow
def test_intervals_of_f1_cover_what_they_should() -> None:
    rng = np.random.default_rng(3)
    n, prevalence, recall, fpr = 120, 0.4, 0.8, 0.1
    tp, fp = prevalence * recall, (1 - prevalence) * fpr
    truth = 2 * tp / (2 * tp + fp + prevalence * (1 - recall))
    shares = [tp, fp, prevalence - tp, 1 - prevalence - fp]
    limits = [wilson_f1(a, b, c) for a, b, c, _ in rng.multinomial(n, shares, size=3000)]
    covered = np.mean([low <= truth <= high for low, high in limits])
    assert covered == pytest.approx(0.95, abs=0.015)


def test_draws_keep_the_classes_and_are_those_of_every_resample() -> None:
    harmful = np.array([True, True, True, False, False, False])
    score = np.array([0.9, 0.4, 0.6, 0.5, 0.1, 0.4])
    weights = np.concatenate(list(drawn(harmful, 20_000, seed=1)))
    assert (weights[:, :3].sum(axis=1) == 3).all() and (weights[:, 3:].sum(axis=1) == 3).all()
    found = statistics(harmful, score, score >= 0.5, weights)[:, METRICS.index("auc")]
    every = [
        sk.roc_auc_score(harmful, score[[*a, *b]])
        for a in product(range(3), repeat=3)
        for b in product(range(3, 6), repeat=3)
    ]
    values = np.unique(np.round(every, 9))
    for value in values:
        assert (found <= value + 1e-6).mean() == pytest.approx((np.array(every) <= value + 1e-6).mean(), abs=0.015)
    again = np.concatenate(list(drawn(harmful, 20_000, seed=1)))
    assert (again == weights).all() and not (np.concatenate(list(drawn(harmful, 20_000, seed=2))) == weights).all()


def test_many_rows_come_in_blocks() -> None:
    harmful = np.arange(100_000) % 2 == 0
    blocks = list(drawn(harmful, 5, seed=0))
    assert [weights.shape for weights in blocks] == [(2, 100_000), (2, 100_000), (1, 100_000)]
    assert not (blocks[0] == blocks[1]).all() and all((w[:, harmful].sum(axis=1) == 50_000).all() for w in blocks)
