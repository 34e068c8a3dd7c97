"""Any CSV file as a table: what becomes numbers, what text, what is missing, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pluristats.errors import StudyError
from pluristats.study.csvfile import read_csv


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "table.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_numbers_text_and_missing_cells(tmp_path: Path) -> None:
    table = read_csv(
        write(
            tmp_path,
            'y,who,note,gone\n1,ann,,\n -2.5e1 , bob ,N/A,NA\n,ann,"a, b",null\n+.5,NA,nan,NaN\n',
        )
    )
    assert table.columns.tolist() == ["y", "who", "note", "gone"]
    assert table.index.tolist() == [2, 3, 4, 5]
    assert table["y"].dtype == np.float64
    np.testing.assert_array_equal(table["y"], [1.0, -25.0, np.nan, 0.5])
    assert table["who"].isna().tolist() == [False, False, False, True]
    assert table["who"].tolist()[:3] == ["ann", "bob", "ann"]
    assert table["note"].isna().tolist() == [True, True, False, True]
    assert table["note"].tolist()[2] == "a, b"
    assert table["gone"].isna().all()
    assert table["gone"].dtype == np.float64


@settings(deadline=None, max_examples=50)
@given(values=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_numbers_survive_a_round_trip(values: list[float], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("csv") / "table.csv"
    pd.DataFrame({"x": values, "label": "a"}).to_csv(path, index=False)
    np.testing.assert_array_equal(read_csv(path)["x"].to_numpy(), values)


def test_what_python_but_no_spreadsheet_reads_as_a_number_is_text(tmp_path: Path) -> None:
    table = read_csv(write(tmp_path, "id\n1_000\n١٢\n-nan\n"))
    assert table["id"].tolist() == ["1_000", "١٢", "-nan"]


def test_long_identifiers_stay_apart(tmp_path: Path) -> None:
    table = read_csv(write(tmp_path, "id,y\n1234567890123456789,1\n1234567890123456788,2\n"))
    assert float("1234567890123456789") == float("1234567890123456788")
    assert table["id"].nunique() == 2


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("y,x\n1,2\n2,3\ntwelve,4\n", r"^table\.csv, row 4, column y: 'twelve' is not a number, unlike most"),
        ("y\n1\n2\n1,5\n", r"^table\.csv, row 4: has 2 cells where the header has 1"),
        ("y,y\n1,2\n", r"^table\.csv, row 1, column y: 2 columns have this name"),
        ("y,x\n", r"^table\.csv: has a header but no rows"),
        ("", r"^table\.csv: the file is empty"),
        (b"y,x\n1,\xe9\n", r"^table\.csv: byte 6 \(0xe9, line 2\) is not UTF-8"),
        ('y,x\n1,"2\n', r"^table\.csv, row 2: cannot be parsed as CSV"),
        ("y,\x1b[31mx\n1,2\n2,3\n3,\x07\n", r"column \\x1b\[31mx: '\\x07' is not a number"),
    ],
)
def test_bad_files_are_refused_in_one_sentence(content: str | bytes, says: str, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=says) as refused:
        read_csv(write(tmp_path, content))
    assert "\n" not in str(refused.value)
    assert str(tmp_path) not in str(refused.value)


def test_every_mixed_column_is_listed(tmp_path: Path) -> None:
    with pytest.raises(StudyError) as refused:
        read_csv(write(tmp_path, "a,b\n1,1\n2,x\ny,3\n"))
    assert [problem.where for problem in refused.value.problems] == [
        "table.csv, row 4, column a",
        "table.csv, row 3, column b",
    ]


def test_a_column_of_which_half_is_numbers_is_text(tmp_path: Path) -> None:
    table = read_csv(write(tmp_path, "answer\n1\n2\nmaybe\nno\n"))
    assert table["answer"].tolist() == ["1", "2", "maybe", "no"]


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"^nowhere\.csv: the file is missing from"):
        read_csv(tmp_path / "nowhere.csv")
    with pytest.raises(StudyError, match="cannot be read"):
        read_csv(tmp_path)
