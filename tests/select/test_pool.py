from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pluristats.errors import OutOfReachWarning, PoolError, TargetError
from pluristats.select import Axis, Target, evaluate_selection, load_target, measure, read_pool, simulate_pool
from tests.select.builders import by_scipy, small_pool, small_target


def changed(column: str, row: int, value: object) -> pd.DataFrame:
    frame = small_pool(10, 0).astype({column: object})
    frame.loc[row, column] = value
    return frame


@pytest.mark.parametrize("mass", ["shares", "argmax", "presence"])
def test_masses_give_scipys_distance_of_the_tables_columns(mass: str) -> None:
    frame = small_pool(12, 3)
    rows = [0, 3, 4, 9]
    found = evaluate_selection(frame, rows, small_target(weights=(1, 2, 1, 3)), masses=mass)  # type: ignore[arg-type]
    target = small_target(weights=(1, 2, 1, 3))
    assert found.distance == pytest.approx(by_scipy(frame, rows, target, mass=mass), abs=1e-12)


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (changed("action_1", 2, np.nan), r"row 2 of the pool's column action_1 is 'nan'; it must be a finite number"),
        (changed("action_1", 2, "=1+1"), r"row 2 of the pool's column action_1 is '=1\+1'"),
        (changed("value_topic_0", 4, np.inf), "row 4 .* 'inf'"),
        (changed("effect_a", 3, -0.25), "row 3 of the pool has -0.25 in column effect_a"),
        (changed("harm_level", 5, 0.55), r"row 5 of the pool has '0.55' in column harm_level, .* \(0.0, 0.1, 0.2\)"),
        (changed("harm_level", 5, np.nan), "row 5 of the pool's column harm_level"),
        (changed("seed", 6, None), "row 6 of the pool has no seed"),
        (small_pool(10, 0).drop(columns="seed"), "no column seed"),
        (small_pool(10, 0).drop(columns="harm_level"), "no column 'harm_level', which axis 'harm' is about"),
        (small_pool(10, 0).drop(columns=["effect_a", "effect_b"]), "no column that begins with 'effect_'"),
        (small_pool(10, 0).assign(effect_a=0.0, effect_b=0.0), r"anything but 0 in the columns effect_\*"),
        (small_pool(10, 0).iloc[:0], "no rows"),
        (pd.concat([small_pool(5, 0), small_pool(5, 0)[["seed"]]], axis=1), "two columns called 'seed'"),
    ],
)
def test_what_is_no_pool_is_refused_with_row_and_column(frame: pd.DataFrame, says: str) -> None:
    with pytest.raises(PoolError, match=says):
        measure(frame, small_target())


def test_a_category_that_the_pool_lacks_is_refused_by_name() -> None:
    target = Target("t", (Axis("action", prefix="action_", shares=(("0", 0.5), ("9", 0.5))),))
    with pytest.raises(TargetError, match="'9', and the pool has no column 'action_9'"):
        measure(small_pool(10, 0), target)
    whole = Target("t", (Axis("action", prefix="action_", shares=(("0", 0.5), ("action_0", 0.5))),))
    with pytest.raises(TargetError, match="'action_0' twice"):
        measure(small_pool(10, 0), whole)


def test_columns_that_the_target_does_not_name_should_be_empty() -> None:
    target = Target("t", (Axis("action", prefix="action_", shares=(("action_2", 0.25), ("0", 0.75))),))
    assert measure(small_pool(10, 0), target).axes[0].target.tolist() == [0.75, 0, 0.25]


def test_levels_are_the_same_within_rounding() -> None:
    frame = small_pool(10, 0)
    frame["harm_level"] = frame["harm_level"] + 1e-9
    frame.loc[0, "harm_level"] = 0.1 + 0.2 - 0.1
    assert measure(frame, small_target()).axes[0].mass.sum() == 10


def test_categories_without_any_row_are_named() -> None:
    frame = small_pool(10, 0).assign(value_topic_1=0.0, harm_level=0.0)
    with pytest.warns(OutOfReachWarning, match=r"harm: 0\.1, 0\.2; value: 1"):
        pool = measure(frame, small_target())
    assert pool.empty == {"harm": (0.1, 0.2), "value": ("1",)}


def test_a_column_of_texts_is_an_axis_too() -> None:
    frame = pd.DataFrame({"seed": range(4), "language": ["de", "en", "en", "en"]})
    target = Target("t", (Axis("language", column="language", shares=(("de", 0.5), ("en", 0.5))),))
    assert evaluate_selection(frame, [0, 1], target).distance == 0
    with pytest.raises(PoolError, match="'fr' in column language"):
        measure(frame.replace("de", "fr"), target)
    even = Target("t", (Axis("language", column="language"),))
    assert measure(frame, even).axes[0].categories == ("de", "en")


def test_files(tmp_path: Path) -> None:
    frame = small_pool(10, 0)
    frame.to_csv(tmp_path / "pool.csv", index=False)
    frame.to_parquet(tmp_path / "pool.parquet")
    for name in ("pool.csv", "pool.parquet"):
        pd.testing.assert_frame_equal(read_pool(tmp_path / name), frame)
    with pytest.raises(PoolError, match=r"no\.csv is not there"):
        read_pool(tmp_path / "no.csv")
    with pytest.raises(PoolError, match=r"\.parquet or \.csv"):
        read_pool(tmp_path / "pool.xlsx")
    (tmp_path / "bad.parquet").write_text("x")
    with pytest.raises(PoolError, match="cannot be read"):
        read_pool(tmp_path / "bad.parquet")
    (tmp_path / "bad.csv").write_bytes(b"a,b\n\xff,1\n")
    with pytest.raises(PoolError, match="cannot be read"):
        read_pool(tmp_path / "bad.csv")


def test_the_simulated_pool_is_as_documented() -> None:
    pool = simulate_pool(n_seeds=400, seed=3)
    assert len(pool) == 4_400
    assert pool["simulated"].all()
    actions, effects, values = (pool.filter(like=name) for name in ("action_", "effect_", "value_topic_"))
    assert (actions.shape[1], effects.shape[1], values.shape[1]) == (16, 7, 39)
    np.testing.assert_allclose(actions.sum(axis=1), 1, atol=1e-12)
    np.testing.assert_allclose(effects.sum(axis=1), 1, atol=1e-12)
    assert ((actions > 0).sum(axis=1) <= 5).all()
    assert ((effects > 0).sum(axis=1) == 3).all()
    assert ((values != 0).sum(axis=1) <= 5).all() and values.abs().max().max() <= 1
    assert (pool.groupby("seed")[list(actions)].nunique() == 1).all().all()
    common, rare = actions["action_Security_Risks"].sum(), actions["action_Criminal_Activities"].sum()
    assert 3 < common / rare < 16
    # Variants support more at level 0 than at level 1.
    sign = np.sign(values).sum(axis=1).groupby(pool["harm_level"]).mean()
    assert sign.iloc[0] > 0 > sign.iloc[-1]
    pd.testing.assert_frame_equal(pool, simulate_pool(n_seeds=400, seed=3))
    assert measure(pool, load_target()).simulated
    for bad in ({"n_seeds": 0}, {"levels": 12}, {"skew": (1, 2)}, {"skew": (0.5, 2, 2)}):
        with pytest.raises(PoolError):
            simulate_pool(**bad)  # type: ignore[arg-type]
