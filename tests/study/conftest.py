"""A small simulated study, in memory and as files that tests may spoil."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from pluristats.study import Study, simulate_study, write_study

Edit = Callable[[str, int, str, str], None]


@pytest.fixture(scope="session")
def small() -> Study:
    return simulate_study(n_annotators=12, n_prompts=14, seed=5)


@pytest.fixture
def folder(small: Study, tmp_path: Path) -> Path:
    """Files of the small study as if they were real data (their truth would not survive an edit)."""
    written = write_study(small, tmp_path / "study")
    (written / "simulated.json").unlink()
    return written


@pytest.fixture
def edit(folder: Path) -> Edit:
    """Set one cell by file, spreadsheet row and column."""

    def set_cell(file: str, row: int, column: str, value: str) -> None:
        with (folder / file).open(encoding="utf-8", newline="") as handle:
            rows = list(csv.reader(handle))
        rows[row - 1][rows[0].index(column)] = value
        with (folder / file).open("w", encoding="utf-8", newline="") as handle:
            csv.writer(handle, lineterminator="\n").writerows(rows)

    return set_cell
