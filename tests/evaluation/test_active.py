"""Active questions against dense Gaussian algebra, determinants, and simulated people whose answers are known."""

from __future__ import annotations

from itertools import combinations
from math import isclose

import numpy as np
import pytest
from scipy.special import ndtr

import pluristats as ps
from pluristats.errors import EvaluationError
from pluristats.evaluation.active import ActiveCurve, Belief, Questioner, active_curve, questioner
from pluristats.evaluation.latent.response import Heaped

M, D = 12, 3
RNG = np.random.default_rng(8)
X = RNG.normal(size=(M, D))
A = RNG.normal(size=(D, D))
SPREAD = A @ A.T + 0.2 * np.eye(D)
NOISE = RNG.uniform(0.2, 1.5, M)
PRIOR = Belief(RNG.normal(size=M) * 0.3, X @ SPREAD @ X.T, NOISE)
LABELS = tuple("abcdefghijkl")


def asks(criterion: str) -> Questioner:
    """On a response of a hundred and one equally likely values, a rating is nearly the normal distribution function."""
    return Questioner(LABELS, PRIOR, Heaped.alike(np.linspace(0, 1, 101)[None], 1), criterion)  # type: ignore[arg-type]


def conditioned(at: list[int], z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance given answers, by one dense solve."""
    gain = np.linalg.solve(PRIOR.cov[np.ix_(at, at)] + np.diag(NOISE[at]), PRIOR.cov[at]).T
    return PRIOR.mean + gain @ (z - PRIOR.mean[at]), PRIOR.cov - gain @ PRIOR.cov[at]


def test_one_answer_after_the_other_is_one_dense_solve() -> None:
    at, z = [4, 0, 9, 7], np.array([1.0, -0.3, 0.4, 2.0])
    belief = PRIOR
    for j, value in zip(at, z, strict=True):
        belief = belief.after(j, value)
    mean, cov = conditioned(at, z)
    np.testing.assert_allclose(belief.mean, mean, atol=1e-12)
    np.testing.assert_allclose(belief.cov, cov, atol=1e-12)
    # And in any order.
    turned = PRIOR
    for j, value in zip(at[::-1], z[::-1], strict=True):
        turned = turned.after(j, value)
    np.testing.assert_allclose(turned.mean, belief.mean, atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_the_greedy_choice_takes_most_expected_variance(seed: int) -> None:
    rng = np.random.default_rng(seed)
    at = rng.permutation(M)[:seed].tolist()
    left = np.setdiff1d(np.arange(M), at)
    mean, cov = conditioned(at, rng.normal(size=len(at))) if at else (PRIOR.mean, PRIOR.cov)
    model = asks("rating-variance")
    steep = model.median(Belief(mean + 0.5, cov, NOISE)) - model.median(Belief(mean - 0.5, cov, NOISE))
    # Variance of all ratings (to first order) once a prompt is answered, whatever the answer, prompt by prompt.
    remaining = [(steep**2 * np.diag(conditioned([*at, j], np.zeros(len(at) + 1))[1])).sum() for j in left]
    assert model.best(Belief(mean, cov, NOISE), left) == left[int(np.argmin(remaining))]
    assert np.std(remaining) > 1e-6  # the choice matters


def test_d_optimal_leaves_the_smallest_determinant() -> None:
    model = asks("d-optimal")
    belief, at, left = PRIOR, [], np.arange(M)
    for _ in range(4):
        information = [np.linalg.inv(SPREAD) + X[[*at, j]].T @ np.diag(1 / NOISE[[*at, j]]) @ X[[*at, j]] for j in left]
        best = left[int(np.argmax([np.linalg.det(one) for one in information]))]
        assert model.best(belief, left) == best
        belief, at, left = belief.after(int(best), 0.0), [*at, int(best)], left[left != best]
    # Greedily chosen, it is near the best of all sets: 1 - 1/e of the gain or more (Nemhauser et al. 1978).
    gain = [
        np.linalg.slogdet(np.eye(D) + SPREAD @ X[list(s)].T @ np.diag(1 / NOISE[list(s)]) @ X[list(s)])[1]
        for s in [*combinations(range(M), 4), tuple(at)]
    ]
    assert (1 - 1 / np.e) * max(gain) <= gain[-1] <= max(gain) + 1e-9


def test_answers_are_read_by_label_and_never_asked_again() -> None:
    model = asks("rating-variance")
    answers: dict[object, float] = {}
    for _ in range(M):
        label = model.next(answers)
        assert label not in answers
        answers[label] = 0.8
    belief = model.belief(answers)
    z = model.latent(0.8)
    assert isclose(float(ndtr(z)), 80.5 / 101, rel_tol=1e-9)  # middle of the 81st of 101 values
    order = [LABELS.index(str(label)) for label in answers]
    np.testing.assert_allclose(belief.mean, conditioned(order, np.full(M, z))[0], atol=1e-10)
    np.testing.assert_allclose(
        model.predict(answers), np.clip(np.ceil(ndtr(belief.mean) * 101 - 1e-9) - 1, 0, 100) / 100
    )
    with pytest.raises(EvaluationError, match="every candidate has an answer"):
        model.next(answers)
    assert model.next({}, candidates=["c"]) == "c"
    with pytest.raises(EvaluationError, match="prompt 'z' is not one"):
        model.next({"z": 0.5})
    with pytest.raises(EvaluationError, match="criterion is 'rating-variance' or 'd-optimal', not 'a'"):
        questioner(np.zeros((3, 3)), "abc", "a")  # type: ignore[arg-type]


def people(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Ratings of people with two traits beside their mean, and what each would say without noise."""
    rng = np.random.default_rng(seed)
    prompts = np.random.default_rng(99).normal(size=(40, 3))
    prompts[:, 0] = 1.0
    z = (np.array([0, 1.0, 0]) + rng.normal(size=(n, 3)) * [0.5, 0.6, 0.9]) @ prompts.T
    noisy = z + 0.3 * rng.normal(size=z.shape)
    return np.round(ndtr(noisy / 1.6), 2), np.round(ndtr(z / 1.6), 2)


def test_error_falls_with_questions_and_faster_with_chosen_ones() -> None:
    ratings, _ = people(80, seed=1)
    model = questioner(ratings, range(40), rank=4)
    answered, truth = people(40, seed=2)
    error = np.zeros((2, 3, 40))
    for i in range(40):
        rng = np.random.default_rng([5, i])
        for row, ask in enumerate((model.next, lambda given, rng=rng: rng.permutation([*{*range(40)} - {*given}])[0])):
            answers: dict[object, float] = {}
            for count in range(9):
                if count in (0, 3, 8):
                    error[row, (0, 3, 8).index(count), i] = np.abs(model.predict(answers) - truth[i]).mean()
                label = ask(answers)
                answers[label] = answered[i, label]
    active, random = error.mean(axis=2)
    assert active[0] == random[0] > active[1] > active[2] and random[1] > random[2]
    gap = error[1, 1] - error[0, 1]
    assert gap.mean() > 2 * gap.std(ddof=1) / np.sqrt(40)
    assert active[2] < active[0] / 2  # most of what people differ in is known after eight answers


STUDY = ps.simulate_study(n_annotators=16, n_prompts=36, seed=5)


def test_a_curve_is_a_function_of_its_seed() -> None:
    settings = {"splits": 1, "orders": 2, "folds": 4, "draws": 200}
    one = active_curve(STUDY, (0, 2, 5), **settings)
    two = active_curve(STUDY, (5, 2, 0, 2), n_jobs=2, **settings)
    assert one.questions == two.questions == (0, 2, 5) and one.simulated
    np.testing.assert_array_equal(one.active, two.active)
    np.testing.assert_array_equal(one.random, two.random)
    np.testing.assert_array_equal(one.active[0], one.random[0])  # nothing asked, nothing chosen
    other = active_curve(STUDY, (0, 2, 5), seed=1, **settings)
    assert not np.array_equal(other.random, one.random)
    table = one.tidy()
    assert table["strategy"].tolist() == ["active"] * 3 + ["random"] * 3
    assert (table["mae_lo"] < table["mae"]).all() and (table["mae"] < table["mae_hi"]).all()
    np.testing.assert_allclose(table["mae"][:3], one.active.mean(axis=1))


def test_a_comparison_is_paired_over_annotators() -> None:
    rng = np.random.default_rng(0)
    person = rng.uniform(0.1, 0.5, 200)  # people differ much more than the strategies do
    change = rng.normal(0.01, 0.02, 200)
    curve = ActiveCurve((10, 15), np.stack([person, person]), np.stack([person, person + change]), "d", 0, 4000, False)
    row = curve.compare(10, 15)
    assert row["difference"] == pytest.approx(-change.mean())
    deviation = change.std(ddof=1) / np.sqrt(200)
    assert (row["hi"] - row["lo"]) / (2 * 1.96) == pytest.approx(deviation, rel=0.06)
    assert row["mae_random"] == pytest.approx((person + change).mean())
    with pytest.raises(EvaluationError, match="the curve has no 12 questions, only 10, 15"):
        curve.compare(12, 15)


def test_too_many_questions_are_refused_by_name() -> None:
    with pytest.raises(EvaluationError, match=r"annotator .* has \d+ alignment and \d+ test ratings, too few for 30"):
        active_curve(STUDY, (0, 30), splits=1)
    with pytest.raises(EvaluationError, match="none negative"):
        active_curve(STUDY, (-1, 3))


@pytest.mark.slow
@pytest.mark.release
def test_ten_chosen_questions_are_as_good_as_fifteen_at_random(release: ps.Study) -> None:
    curve = active_curve(release, (0, 10, 15), splits=3, orders=4, folds=5)
    row = curve.compare(10, 15)
    assert row["lo"] < 0 and row["hi"] < 0.004  # no worse by more than a fiftieth of the error
    assert row["mae_active"] < 0.18 and curve.active[2].mean() < curve.random[2].mean()
