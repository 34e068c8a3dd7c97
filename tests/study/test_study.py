"""The study record: cannot be changed, knows what it is, and says how each column was made."""

from __future__ import annotations

import contextlib
import dataclasses
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pluristats.study import Study, load_study, simulate_study, write_study
from tests.study.conftest import Edit


def test_nothing_handed_out_reaches_the_study(small: Study) -> None:
    frame, checksum = small.frame(), small.checksum
    for spoiled in (small.frame(), small.annotators, small.prompts, small.ratings, small.codebook(), small.dropped()):
        spoiled.iloc[0, 0] = spoiled.iloc[-1, 0]
        del spoiled[spoiled.columns[0]]
    with contextlib.suppress(ValueError):  # pandas 3 hands out read-only arrays
        small.frame()["rating"].to_numpy()[:] = 0.0
    pd.testing.assert_frame_equal(small.frame(), frame)
    assert dataclasses.replace(small).checksum == checksum  # computed afresh from the same tables


def test_fields_and_groups_are_read_only(small: Study) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        small.name = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        small.groups["actions"] = ()  # type: ignore[index]
    assert small.truth is not None
    with pytest.raises(TypeError):
        small.truth.fixed["Age"] = 1.0  # type: ignore[index]


def test_it_survives_the_way_to_a_worker_process(small: Study) -> None:
    other = pickle.loads(pickle.dumps(small))
    assert other.checksum == small.checksum
    assert other.truth == small.truth
    pd.testing.assert_frame_equal(other.frame(), small.frame())


def test_checksum_is_of_the_contents(folder: Path, edit: Edit, tmp_path: Path) -> None:
    before = load_study(folder).checksum
    moved = folder.rename(tmp_path / "elsewhere")
    assert load_study(moved).checksum == before
    moved.rename(folder)
    edit("annotations.csv", 2, "Rating_1", "17")
    assert load_study(folder).checksum != before


def test_html_is_escaped(folder: Path) -> None:
    (folder / "study.yaml").write_text(
        "name: <script>alert(1)</script>\nratings: {file: r.csv, annotator: a, prompt: p, rating: y, scale: [0, 1]}\n"
    )
    (folder / "r.csv").write_text("a,p,y\n1,1,0\n2,1,1\n")
    page = load_study(folder)._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_repr_says_simulated(small: Study, folder: Path) -> None:
    assert "(simulated)" in repr(small)
    assert "12 annotators × 14 prompts" in repr(small)
    assert "(simulated)" not in repr(load_study(folder))


def test_codebook_has_one_row_a_frame_column_and_its_numbers_undo_the_zscore(small: Study) -> None:
    frame, book = small.frame(), small.codebook()
    assert book["column"].tolist() == frame.columns.tolist()
    row = book.set_index("column").loc["action_Deception"]
    raw = small.prompts.set_index("prompt").loc[frame["prompt"], "action_Deception"].to_numpy()
    np.testing.assert_allclose(frame["action_Deception"] * row["sd"] + row["mean"], raw, atol=1e-14)
    assert row["zscored_over"] == "usable ratings"
    assert book.set_index("column").loc["Gender", "coding"].startswith("Woman = 0, Man = 1")
    assert book.set_index("column").loc["Factor_1", "zscored_over"] == ""


def test_zscored_columns_have_mean_0_and_sd_1_over_what_the_codebook_says(small: Study) -> None:
    frame = small.frame()
    people = frame.drop_duplicates("annotator")
    checked = 0
    for row in small.codebook().itertuples():
        if row.constant or not row.zscored_over:
            continue
        values = (people if row.zscored_over == "annotators" else frame)[row.column].dropna()
        assert values.mean() == pytest.approx(0.0, abs=1e-12)
        assert values.std(ddof=1) == pytest.approx(1.0, abs=1e-12)
        checked += 1
    assert checked > 40


def test_a_constant_column_is_0_and_says_so(folder: Path, edit: Edit) -> None:
    for row in range(2, 14):
        edit("annotations.csv", row, "Gender", "Man")
    for row in range(2, 16):
        edit("prompts.csv", row, "value_topic_5", "0.1")
    study = load_study(folder)
    frame, book = study.frame(), study.codebook().set_index("column")
    for column in ("Gender", "value_topic_5"):
        assert (frame[column] == 0.0).all()
        assert book.loc[column, "constant"]
        assert "constant, so it cannot be z-scored and is 0 throughout" in book.loc[column, "coding"]
        assert book.loc[column, "sd"] == 0.0


def test_a_trait_that_nobody_answered_is_missing_throughout(folder: Path, edit: Edit) -> None:
    for row in range(2, 14):
        edit("annotations.csv", row, "Gender", "")
    study = load_study(folder)
    assert study.frame()["Gender"].isna().all()
    dropped = study.dropped().set_index("reason")["rows"]
    assert dropped["Gender missing: empty"] == len(study.frame())


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), shuffle=st.integers(0, 2**32 - 1))
def test_row_order_of_the_files_does_not_change_any_row_of_the_frame(
    tmp_path_factory: pytest.TempPathFactory, seed: int, shuffle: int
) -> None:
    study = simulate_study(n_annotators=6, n_prompts=8, seed=seed)
    folder = write_study(study, tmp_path_factory.mktemp("order") / "study")
    (folder / "simulated.json").unlink()
    rng = np.random.default_rng(shuffle)
    for file in ("annotations.csv", "prompts.csv"):
        head, *rows = (folder / file).read_text().splitlines()
        (folder / file).write_text("\n".join([head, *rng.permutation(rows)]) + "\n")
    keys = ["annotator", "prompt"]

    def by_key(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.astype({key: int for key in keys}).set_index(keys).sort_index()

    left, right = by_key(study.frame()), by_key(load_study(folder).frame())
    pd.testing.assert_frame_equal(left.drop(columns="seed"), right.drop(columns="seed"), atol=1e-12)
    # Seeds are numbered in file order, so their numbers move; who shares a seed does not.
    for frame in (left, right):
        frame["mates"] = frame.groupby("seed", observed=True)["harm_level"].transform("sum")
    np.testing.assert_allclose(left["mates"], right["mates"])
