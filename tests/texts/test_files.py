from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from pluristats.errors import GenerateError
from pluristats.texts.files import check_place, read_table, write_table
from tests.generate.conftest import HOSTILE

TABLE = pd.DataFrame(
    {
        "seed": pd.Series(list(HOSTILE), dtype=object),
        "level": [0.1 * i for i in range(len(HOSTILE))],
        "text": pd.Series([*list(HOSTILE.values())[1:], None], dtype=object),
        "tokens": pd.array([1, None, 3, 4, 5, 6], dtype="Int64"),
        "=odd": [True] * len(HOSTILE),
    }
)


def test_jsonl_gives_every_text_back(tmp_path: Path) -> None:
    write_table(TABLE, tmp_path / "t.jsonl", {})
    back, _ = read_table(tmp_path / "t.jsonl")
    assert back.to_dict("list") == TABLE.astype(object).where(TABLE.notna(), None).to_dict("list")


def test_parquet_gives_every_text_back_but_lone_surrogates_which_become_escapes(tmp_path: Path) -> None:
    write_table(TABLE, tmp_path / "t.parquet", {"simulated": True})
    back, _ = read_table(tmp_path / "t.parquet")
    expected = TABLE.copy()
    expected["text"] = expected["text"].replace({HOSTILE["surrogate"]: "lone \\ud800 and \\udfff"})
    texts = (t.astype(object).where(t.notna(), None).to_dict("list") for t in (back, expected))
    assert next(texts) == next(texts)
    assert str(back["tokens"].dtype) == "Int64"
    assert json.loads(pq.read_schema(tmp_path / "t.parquet").metadata[b"pluristats"]) == {"simulated": True}


def test_arrays_dates_and_columns_of_several_kinds(tmp_path: Path) -> None:
    table = pd.DataFrame({"when": [pd.Timestamp("2020-01-02")] * 2, "many": [np.array([1, 2])] * 2, "mixed": [1, "b"]})
    write_table(table, tmp_path / "t.jsonl", {})
    assert json.loads((tmp_path / "t.jsonl").read_text().splitlines()[1]) == {
        "when": "2020-01-02 00:00:00",
        "many": [1, 2],
        "mixed": "b",
    }
    with pytest.raises(GenerateError, match=r"Parquet cannot hold this table .*mixed.*; write \.jsonl"):
        write_table(table, tmp_path / "t.parquet", {})
    assert not (tmp_path / "t.parquet").exists()


def test_csv_runs_nothing_in_a_spreadsheet(tmp_path: Path) -> None:
    write_table(TABLE, tmp_path / "t.csv", {})
    back, first = read_table(tmp_path / "t.csv")
    assert first == 2 and list(back)[-1] == "'=odd"
    assert back["text"].tolist()[0] == "'" + HOSTILE["formula"]
    assert back["text"].tolist()[1:3] == [HOSTILE["control"], "lone \\ud800 and \\udfff"]
    assert not any(str(cell).startswith(("=", "+", "-", "@", "\t", "\r")) for cell in back.to_numpy().ravel())


@pytest.mark.parametrize("ending", ["parquet", "jsonl", "csv"])
def test_a_table_of_ours_may_be_replaced_and_nothing_else(tmp_path: Path, ending: str) -> None:
    path, columns = tmp_path / f"t.{ending}", ["seed", "level"]
    check_place(path, columns, False)
    write_table(TABLE, path, {})
    check_place(path, columns, False)
    with pytest.raises(GenerateError, match="holds something else"):
        check_place(path, ["other"], False)
    check_place(path, ["other"], True)
    path.write_text("my notes\n")
    with pytest.raises(GenerateError, match="holds something else"):
        check_place(path, columns, False)


def test_places_that_cannot_be_written_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(GenerateError, match=r"written as \.parquet, \.jsonl or \.csv"):
        check_place(tmp_path / "t.txt", [], False)
    with pytest.raises(GenerateError, match="is no folder that can be written to"):
        check_place(tmp_path / "no" / "t.csv", [], False)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "t.csv").mkdir()
    (tmp_path / "t.csv" / "kept").write_text("x")
    with pytest.raises(GenerateError, match="cannot be written"):
        write_table(TABLE, tmp_path / "t.csv", {})
    assert os.listdir(tmp_path) == ["t.csv"] and (tmp_path / "t.csv" / "kept").exists()
