"""Writing: what is read back is what was written, and nothing is half-written or overwritten unasked."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import pandas as pd
import pytest

from pluristats.errors import PluristatsError, StudyError
from pluristats.study import Study, check_study, load_study, simulate_study, write_study
from tests.study.test_config import EXAMPLE


def assert_same(left: Study, right: Study) -> None:
    pd.testing.assert_frame_equal(left.frame(), right.frame())
    pd.testing.assert_frame_equal(left.annotators, right.annotators)
    pd.testing.assert_frame_equal(left.prompts, right.prompts)
    pd.testing.assert_frame_equal(left.ratings, right.ratings)
    pd.testing.assert_frame_equal(left.codebook(), right.codebook())
    assert left.labels == right.labels
    assert left.checksum == right.checksum
    assert left.truth == right.truth
    assert (left.name, left.simulated, left.source.seed) == (right.name, right.simulated, right.source.seed)


def test_simulated_round_trip(tmp_path: Path) -> None:
    study = simulate_study(n_annotators=20, n_prompts=25, seed=3)
    again = load_study(write_study(study, tmp_path / "new" / "study"))
    assert again.simulated
    assert again.truth is not None
    assert_same(study, again)


@pytest.mark.release
def test_release_round_trip(release_path: Path, tmp_path: Path) -> None:
    study = load_study(release_path)
    assert_same(study, load_study(write_study(study, tmp_path / "copy")))
    assert not (tmp_path / "copy" / "simulated.json").exists()


def test_seeds_that_features_do_not_show_are_written(small: Study, tmp_path: Path) -> None:
    prompts = small.prompts
    prompts["seed"] = [i // 3 + 1 for i in range(len(prompts))]
    regrouped = dataclasses.replace(small, prompts_=prompts)
    assert_same(regrouped, load_study(write_study(regrouped, tmp_path / "study")))


def test_awkward_texts_round_trip(small: Study, tmp_path: Path) -> None:
    prompts = small.prompts
    prompts.loc[0, "text"] = 'quotes " and,\ncommas\r\nand = "lines"; ünïcödé \u2028 🙂'
    study = dataclasses.replace(small, prompts_=prompts)
    assert_same(study, load_study(write_study(study, tmp_path / "study")))


def test_a_folder_with_files_is_refused_unless_forced(small: Study, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(PluristatsError, match="holds files already"):
        write_study(small, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    write_study(small, tmp_path, force=True)
    assert (tmp_path / "mine.txt").read_text() == "keep"
    assert load_study(tmp_path).checksum == small.checksum


def test_forcing_leaves_no_truth_of_another_study(small: Study, tmp_path: Path) -> None:
    folder = write_study(small, tmp_path / "study")
    as_data = dataclasses.replace(
        small, truth=None, source=dataclasses.replace(small.source, simulated=False, seed=None)
    )
    write_study(as_data, folder, force=True)
    assert not load_study(folder).simulated


def test_a_study_yaml_there_is_not_shadowed(small: Study, tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text("ratings: {}")
    with pytest.raises(PluristatsError, match=r"its study\.yaml describes other data"):
        write_study(small, tmp_path, force=True)


def test_a_file_in_the_folders_place(small: Study, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(PluristatsError, match="is a file, not a folder"):
        write_study(small, tmp_path / "taken")


def test_a_full_disk_leaves_nothing(small: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Path.write_bytes

    def fail_late(path: Path, data: bytes) -> int:
        if path.name == "simulated.json":
            raise OSError(28, os.strerror(28))
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", fail_late)
    with pytest.raises(PluristatsError, match="No space left on device"):
        write_study(small, tmp_path / "study")
    assert list(tmp_path.iterdir()) == []


def test_other_data_are_not_forced_into_the_format(tmp_path: Path) -> None:
    with pytest.raises(PluristatsError, match="does not have the release's traits, features and scale"):
        write_study(load_study(EXAMPLE), tmp_path / "study")


def test_cells_that_were_not_asked_do_not_become_unsure(small: Study, tmp_path: Path) -> None:
    study = dataclasses.replace(small, ratings_=small.ratings.iloc[1:])
    with pytest.raises(PluristatsError, match="would turn the cells not asked into Unsure"):
        write_study(study, tmp_path / "study")


def test_truth_of_edited_files_is_refused(small: Study, tmp_path: Path) -> None:
    folder = write_study(small, tmp_path / "study")
    path = folder / "prompts.csv"
    path.write_text(path.read_text().replace("[Simulated", "[Edited"))
    (problem,) = check_study(folder).problems
    assert str(problem).startswith(
        "simulated.json: prompts.csv is not the file that was simulated, so the truth is not its truth"
    )


@pytest.mark.parametrize("key", ["name", "seed", "files", "truth"])
def test_broken_truth_is_refused(small: Study, tmp_path: Path, key: str) -> None:
    folder = write_study(small, tmp_path / "study")
    content = json.loads((folder / "simulated.json").read_text())
    content[key] = [None]
    (folder / "simulated.json").write_text(json.dumps(content))
    with pytest.raises(StudyError, match=r"^simulated\.json: cannot be read"):
        load_study(folder)
