from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pluristats.errors import ConstraintError
from pluristats.select import Constraints, measure, select_prompts
from pluristats.select.constraints import check, keeps
from tests.select.builders import small_pool, small_target

FRAME = pd.DataFrame(
    {
        "seed": [1, 1, 1, 2, 2, 3, 4, 5],
        "harm_level": [0.0, 0.1, 0.2, 0.0, 0.1, 0.0, 0.0, 0.2],
        "id": list("abcdefgg"),
    }
).assign(action_0=1.0, action_1=0.0, action_2=0.0, effect_a=0.5, effect_b=0.5, value_topic_0=-1.0)


def refused(size: int = 4, **constraints: object) -> str:
    with pytest.raises(ConstraintError) as error:
        check(measure(FRAME, small_target()), Constraints(**constraints), size)  # type: ignore[arg-type]
    return str(error.value)


pytestmark = pytest.mark.filterwarnings("ignore::pluristats.errors.OutOfReachWarning")


def test_contradictions_are_refused_with_what_contradicts() -> None:
    assert "8 rows, fewer than the 9 to select" in refused(9)
    assert "size is a whole number" in refused(0)
    assert "room for 5 rows, fewer than the 6" in refused(6, max_per_seed=1)
    assert "row 2 is in include and in exclude" in refused(include=[1, 2], exclude=[2])
    assert "include has 5 rows, more than the 4" in refused(include=[0, 3, 5, 6, 7])
    assert "exclude leaves 3 rows" in refused(exclude=[0, 1, 2, 3, 4])
    assert "include has more rows of seed '1' than max_per_seed allows (2)" in refused(include=[0, 1, 2])
    assert "include: 8 is no row of the pool" in refused(include=[8])
    assert "exclude: -1 is no row" in refused(exclude=[-1])
    assert "include: True is no row" in refused(include=[True])
    assert "include has row 3 twice" in refused(include=[3, 3])
    assert "include: no row of the pool has 'z' in id" in refused(include=["z"], id_column="id")
    assert "include: more than one row of the pool has 'g'" in refused(include=["g"], id_column="id")
    assert "no column 'name' to find rows" in refused(include=["g"], id_column="name")


def test_quotas_that_cannot_be_are_refused_with_which() -> None:
    many = refused(quotas={"harm_level": {0.2: 3}})
    assert "quota harm_level = 0.2: at least 3 rows are asked for, and 2 can" in many
    assert "include has 2 rows with harm_level = 0.2, and its quota is at most 1" in refused(
        include=[2, 7], quotas={"harm_level": {0.2: (0, 1)}}
    )
    assert "at most 0 rows are asked for, but only 4 rows without it" in refused(5, quotas={"harm_level": {0.0: 0}})
    both = {"harm_level": {0.0: (3, 4), 0.1: (2, 2)}}
    assert "the quotas of harm_level ask for at least 5 rows" in refused(quotas=both)
    tight = {"harm_level": {0.0: (0, 1), 0.1: (0, 1), 0.2: (0, 1)}}
    assert "harm_level allow 3 rows, fewer than 4" in refused(quotas=tight)
    assert "no column 'langauge' for a quota" in refused(quotas={"langauge": {"de": 1}})


def test_quotas_that_contradict_only_together_are_refused() -> None:
    # 0.2 needs rows 2 and 7, and the quota on id wants both of its a and d; a and c are of seed 1, so is row 2.
    quotas = {"harm_level": {0.2: 2}, "id": {"a": 1, "b": 1}}
    with pytest.raises(ConstraintError, match="together, though each can be kept alone"):
        select_prompts(FRAME, small_target(), 4, {"quotas": quotas}, bound=False, generations=1)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"max_per_seed": 0}, "max_per_seed is a whole number"),
        ({"max_per_seed": 1.5}, "max_per_seed is a whole number"),
        ({"include": "abc"}, "include is a list"),
        ({"quotas": [1]}, "quotas is a mapping"),
        ({"quotas": {"a": 3}}, "the quota of 'a' is a mapping"),
        ({"quotas": {"a": {1: (3, 2)}}}, "a = 1 is a number or"),
        ({"quotas": {"a": {1: -1}}}, "a = 1 is a number or"),
        ({"quotas": {"a": {1: (1, 2, 3)}}}, "a = 1 is a number or"),
    ],
)
def test_what_is_no_constraint_is_refused(given: dict[str, object], says: str) -> None:
    with pytest.raises(ConstraintError, match=says):
        Constraints(**given)  # type: ignore[arg-type]


def test_unknown_constraints_are_refused_by_name() -> None:
    with pytest.raises(ConstraintError, match="no constraint 'max_per_sed'; there are max_per_seed, include"):
        select_prompts(FRAME, small_target(), 4, {"max_per_sed": 1})


@pytest.mark.parametrize("method", ["memetic", "genetic", "annealing", "greedy", "random"])
def test_every_method_keeps_every_constraint(method: str) -> None:
    frame = small_pool(60, 5, seeds=25).assign(language=lambda t: np.where(t.index % 3 == 0, "de", "en"))
    given = Constraints(
        max_per_seed=1,
        include=[4, 17],
        exclude=[0, 1, 2],
        quotas={"language": {"de": (3, 5)}, "harm_level": {0.1: (2, 3), 0.2: 1}},
    )
    size = {"moves": 2_000, "steps": 50, "generations": 6 if method in ("memetic", "genetic") else 1}
    found = select_prompts(frame, small_target(), 12, given, method=method, bound=False, **size)
    rows = found.selected
    pool = measure(frame, small_target())
    assert keeps(rows, pool, check(pool, given, 12)) is None
    chosen = frame.iloc[rows]
    assert len(set(rows)) == 12 and chosen["seed"].is_unique
    assert {4, 17} <= set(rows) and not {0, 1, 2} & set(rows)
    assert 3 <= (chosen["language"] == "de").sum() <= 5
    assert 2 <= (chosen["harm_level"] == 0.1).sum() <= 3 and (chosen["harm_level"] == 0.2).sum() == 1


def test_rows_by_id_and_quotas_on_texts() -> None:
    frame = small_pool(30, 1, seeds=30).assign(id=[f"p{i}" for i in range(30)])
    given = {"include": ["p3"], "exclude": ["p4"], "id_column": "id", "quotas": {"id": {"p5": 1}}}
    found = select_prompts(frame, small_target(), 5, given, bound=False, generations=2, moves=500, steps=10)
    assert {3, 5} <= set(found.selected) and 4 not in found.selected


def test_what_breaks_a_constraint_is_named() -> None:
    pool = measure(FRAME, small_target())
    checked = check(pool, Constraints(include=[7], exclude=[6], quotas={"harm_level": {0.1: (1, 2)}}), 4)
    assert keeps(np.array([1, 3, 5, 7]), pool, checked) is None
    assert "distinct" in str(keeps(np.array([1, 3, 7]), pool, checked))
    assert "distinct" in str(keeps(np.array([1, 3, 3, 7]), pool, checked))
    assert "missing" in str(keeps(np.array([0, 1, 3, 5]), pool, checked))
    assert "must not be" in str(keeps(np.array([1, 3, 6, 7]), pool, checked))
    assert "a seed" in str(keeps(np.array([0, 1, 2, 7]), pool, checked))
    assert "quota harm_level = 0.1" in str(keeps(np.array([0, 3, 5, 7]), pool, checked))
