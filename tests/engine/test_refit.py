"""Refits from held cross-products against fits of the rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pluristats.engine import native
from pluristats.engine.refit import Refit, Refitter
from pluristats.engine.result import EngineFit, Factor, Problem
from pluristats.errors import FitError
from tests.reference import cases

common = settings(max_examples=40, deadline=None)


def problem(
    seed: int, *, sd: tuple[float, float] = (1.0, 1.0), mean: float = 0.0, intercept: bool = True, nested: bool = False
) -> Problem:
    """Unbalanced rows of 9 people and 7 items, columns that vary within, between people and between items."""
    rng = np.random.default_rng(seed)
    n = 90
    person = np.r_[np.arange(9), rng.integers(0, 9, n - 9)]
    item = np.r_[np.arange(7), rng.integers(0, 7, n - 7)]
    if nested:
        item = person * 2 + rng.integers(0, 2, n)
        item = np.unique(item, return_inverse=True)[1]
    q = int(item.max()) + 1
    x = np.column_stack(
        [
            np.ones(n),
            rng.normal(5, 2, n),
            rng.normal(size=9)[person],
            1e4 * rng.normal(size=q)[item],
            rng.normal(size=n),
        ]
    )
    names = ("(Intercept)", "x", "age", "hard", "w")
    y = mean * intercept + x[:, 1] * 0.3 + sd[0] * rng.normal(size=9)[person] + sd[1] * rng.normal(size=q)[item]
    y = y + rng.normal(size=n)
    start = 0 if intercept else 1
    factors = (
        Factor("person", person.astype(np.intp), tuple(range(9))),
        Factor("item", item.astype(np.intp), tuple(range(q))),
    )
    return Problem(y, x[:, start:], names[start:], factors)


def assert_same(a: Refit, b: EngineFit, kept: np.ndarray | None = None) -> None:
    """To 1e-8 of the log-likelihood; estimates to what a gradient of 1e-6 leaves open where the optimum is flat."""
    np.testing.assert_array_equal(a.kept, b.kept if kept is None else kept[b.kept])
    assert a.status == b.optimizer.status
    assert a.loglik == pytest.approx(b.loglik, rel=1e-8, abs=1e-8)
    np.testing.assert_allclose(a.theta, b.theta, rtol=5e-4, atol=1e-6)
    assert a.sigma == pytest.approx(b.sigma, rel=1e-4)
    if a.std_error is not None:
        np.testing.assert_allclose(a.std_error, np.sqrt(np.diag(b.vcov)), rtol=1e-4)
    np.testing.assert_allclose((a.beta - b.beta) / np.sqrt(np.diag(b.vcov)), 0, atol=1e-4)


@given(
    seed=st.integers(0, 10**6),
    reml=st.booleans(),
    intercept=st.booleans(),
    nested=st.booleans(),
    sd=st.sampled_from([(1.0, 1.0), (0.0, 1.0), (0.0, 0.0), (3.0, 0.1)]),
    mean=st.sampled_from([0.0, 100.0, 1e6]),
)
@common
def test_another_response(
    seed: int, reml: bool, intercept: bool, nested: bool, sd: tuple[float, float], mean: float
) -> None:
    held = problem(seed, intercept=intercept, nested=nested)
    other = replace(held, y=problem(seed + 1, sd=sd, mean=mean, intercept=intercept).y)
    refitter = Refitter.of(held, reml=reml)
    assert_same(refitter.fit(), native.fit(held, reml=reml))
    fresh = native.fit(other, reml=reml)
    assert_same(refitter.fit(other.y, errors=True), fresh)
    (many,) = refitter.fit_many(other.y[None])
    assert isinstance(many, Refit) and many.loglik == pytest.approx(fresh.loglik, rel=1e-8)


@given(
    seed=st.integers(0, 10**6),
    reml=st.booleans(),
    intercept=st.booleans(),
    columns=st.sets(st.integers(0, 3), min_size=0, max_size=4),
)
@common
def test_fewer_columns(seed: int, reml: bool, intercept: bool, columns: set[int]) -> None:
    """Also without the intercept, without any column, in two steps, and with another response afterwards."""
    held = problem(seed, intercept=intercept)
    asked = np.array(sorted(columns), dtype=np.intp)
    fewer = replace(held, x=held.x[:, asked], x_names=tuple(held.x_names[j] for j in asked))
    fresh = native.fit(fewer, reml=reml)
    once = Refitter.of(held, reml=reml).subset(asked)
    assert_same(once.fit(errors=True), fresh, asked)
    twice = Refitter.of(held, reml=reml).subset(sorted(columns | {1})).subset(asked)
    assert_same(twice.fit(), fresh, asked)
    other = problem(seed + 1, mean=20.0, intercept=intercept).y
    assert_same(once.fit(other), native.fit(replace(fewer, y=other), reml=reml), asked)


def test_a_ladder_of_columns_does_not_touch_the_rows() -> None:
    held = problem(3)
    refitter = Refitter.of(held)
    rows = replace(refitter, columns=replace(refitter.columns, basis=np.full_like(held.x, np.nan)))
    assert_same(rows.subset([0, 1, 3]).fit(), native.fit(replace(held, x=held.x[:, [0, 1, 3]])), np.array([0, 1, 3]))


def test_dropped_columns_come_back_when_what_they_depend_on_is_left_out() -> None:
    held = problem(5)
    held = replace(held, x=np.column_stack([held.x, held.x[:, 1] + held.x[:, 4]]), x_names=(*held.x_names, "sum"))
    refitter = Refitter.of(held)
    assert refitter.kept.tolist() == [0, 1, 2, 3, 4]
    fewer = replace(held, x=held.x[:, [0, 1, 5]], x_names=("(Intercept)", "x", "sum"))
    part = refitter.subset([0, 1, 5])
    assert_same(part.fit(), native.fit(fewer), np.array([0, 1, 5]))
    assert_same(part.subset([0, 5]).fit(), native.fit(replace(fewer, x=held.x[:, [0, 5]])), np.array([0, 5]))


def test_nearly_collinear_columns_are_read_from_the_rows() -> None:
    held = problem(6)
    near = held.x[:, 1] + 1e-5 * np.random.default_rng(0).normal(size=len(held.y))
    held = replace(held, x=np.column_stack([held.x, near]), x_names=(*held.x_names, "near"))
    refitter = Refitter.of(held)
    assert len(refitter.kept) == 6
    asked = np.array([0, 2, 5])
    assert_same(refitter.subset(asked).fit(), native.fit(replace(held, x=held.x[:, asked])), asked)
    stay = held.factors[0].codes != 4
    assert_same(refitter.without(np.flatnonzero(~stay)), native.fit(without(held, ~stay)))


def without(held: Problem, rows: np.ndarray) -> Problem:
    """The problem of the other rows, built from scratch."""
    factors = []
    for f in held.factors:
        present, codes = np.unique(f.codes[~rows], return_inverse=True)
        factors.append(Factor(f.name, codes.astype(np.intp), tuple(present.tolist())))
    return Problem(held.y[~rows], held.x[~rows], held.x_names, tuple(factors))


@given(
    seed=st.integers(0, 10**6),
    reml=st.booleans(),
    intercept=st.booleans(),
    nested=st.booleans(),
    factor=st.integers(0, 1),
    level=st.integers(0, 6),
    mean=st.sampled_from([0.0, 1e6]),
)
@common
def test_without_a_level(
    seed: int, reml: bool, intercept: bool, nested: bool, factor: int, level: int, mean: float
) -> None:
    held = problem(seed, mean=mean, intercept=intercept, nested=nested)
    gone = held.factors[factor].codes == level
    fresh = native.fit(without(held, gone), reml=reml)
    refitter = Refitter.of(held, reml=reml)
    assert_same(refitter.without(np.flatnonzero(gone), errors=True), fresh)
    warm = refitter.without(np.flatnonzero(gone), start=refitter.fit().theta)
    assert warm.loglik >= fresh.loglik - 1e-8 * abs(fresh.loglik)


def test_a_level_that_carries_a_column_takes_it_along() -> None:
    held = problem(8)
    only = (held.factors[0].codes == 2) * np.arange(len(held.y))
    held = replace(held, x=np.column_stack([held.x, only]), x_names=(*held.x_names, "only"))
    refitter = Refitter.of(held)
    gone = held.factors[0].codes == 2
    found = refitter.without(np.flatnonzero(gone))
    assert found.kept.tolist() == [0, 1, 2, 3, 4]
    assert_same(found, native.fit(without(held, gone)))
    assert refitter.without(np.flatnonzero(held.factors[0].codes == 3)).kept.tolist() == [0, 1, 2, 3, 4, 5]


def test_without_a_level_of_a_subset() -> None:
    held = problem(11)
    gone = held.factors[1].codes == 1
    part = Refitter.of(held).subset([0, 1, 4]).without(np.flatnonzero(gone))
    assert_same(part, native.fit(without(replace(held, x=held.x[:, [0, 1, 4]]), gone)), np.array([0, 1, 4]))


def test_one_factor_and_none() -> None:
    held = problem(2)
    for factors in (held.factors[1:], ()):
        fewer = replace(held, factors=factors)
        refitter = Refitter.of(fewer, reml=False)
        other = replace(fewer, y=problem(3).y)
        assert refitter.fit(other.y).loglik == pytest.approx(native.fit(other, reml=False).loglik, rel=1e-10)
        assert refitter.without(np.arange(5)).loglik == pytest.approx(
            native.fit(without(fewer, np.arange(len(held.y)) < 5), reml=False).loglik, rel=1e-10
        )


def test_what_cannot_be_fitted_is_refused() -> None:
    held = problem(4)
    refitter = Refitter.of(held)
    with pytest.raises(FitError, match="non-finite"):
        refitter.fit(np.where(np.arange(90) == 3, np.nan, held.y))
    with pytest.raises(ValueError, match="A response has 90 values"):
        refitter.fit(held.y[:5])
    with pytest.raises(FitError, match="reproduce the response"):
        refitter.fit(held.x @ [1.0, 2.0, 3.0, 4.0, 5.0])
    good, bad = refitter.fit_many(np.stack([held.y, np.full(90, 3.0)]))
    assert isinstance(good, Refit) and isinstance(bad, FitError)
    with pytest.raises(FitError, match="person' has only one level"):
        refitter.without(np.flatnonzero(held.factors[0].codes != 0))
    with pytest.raises(ValueError, match="positions from 0 to 4"):
        refitter.subset([0, 7])


@pytest.mark.release
def test_the_release(release_path: Path) -> None:
    """All features, both intercepts: levels left out, columns left out, responses exchanged."""
    frame = cases.release_frame(release_path)
    features = [c for c in frame if c.startswith(("action_", "effect_", "value_topic_"))]
    held = Problem(
        frame.rating.to_numpy(),
        np.column_stack([np.ones(len(frame)), frame[features].to_numpy()]),
        ("(Intercept)", *features),
        (cases.factor("annotator", frame), cases.factor("prompt", frame)),
    )
    refitter = Refitter.of(held, reml=False)
    start = refitter.fit().theta
    assert refitter.fit().loglik == pytest.approx(-15474.93192, abs=1e-5)
    for k, level in ((0, 0), (1, 77), (0, 149)):
        gone = refitter.problem.factors[k].codes == level
        assert_same(
            refitter.without(np.flatnonzero(gone), start=start), native.fit(without(refitter.problem, gone), reml=False)
        )
    actions = np.arange(16)
    assert_same(
        refitter.subset(actions).fit(start=start), native.fit(replace(held, x=held.x[:, :16]), reml=False), actions
    )
    other = np.random.default_rng(1).permutation(held.y)
    found, fresh = refitter.fit(other, start=start), native.fit(replace(held, y=other), reml=False)
    assert found.loglik == pytest.approx(fresh.loglik, rel=1e-10)
