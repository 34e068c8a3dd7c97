"""Bad input: each kind of damage gives one problem that names file, row, column, value and remedy."""

from __future__ import annotations

import codecs
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pluristats.errors import StudyError
from pluristats.study import check_study, load_study
from tests.study.conftest import Edit


def found(folder: Path) -> list[str]:
    problems = [str(problem) for problem in check_study(folder).problems]
    if problems:
        with pytest.raises(StudyError):
            load_study(folder)
    else:
        load_study(folder)
    return problems


def test_good_files_have_a_summary_and_no_problem(folder: Path) -> None:
    report = check_study(folder)
    assert report.ok
    summary = report.summary.set_index("item")["value"]
    assert summary["annotators"] == 12
    assert summary["prompts"] == 14
    assert summary["ratings asked"] == 168
    assert summary["usable ratings"] + summary["rows, Unsure"] == 168
    assert summary["released files, unchanged"] == "no"


@pytest.mark.release
def test_release_is_recognised(release_path: Path) -> None:
    summary = check_study(release_path).summary.set_index("item")["value"]
    assert summary["released files, unchanged"] == "yes"
    assert summary["simulated"] == "no"
    assert summary["rows, any trait missing"] == 440


@pytest.mark.parametrize(
    ("file", "row", "column", "value", "says"),
    [
        ("annotations.csv", 3, "Rating_4", "101", "'101' is outside 0 to 100; correct the rating or its scale"),
        ("annotations.csv", 3, "Rating_4", "-0.5", "'-0.5' is outside 0 to 100; correct the rating or its scale"),
        (
            "annotations.csv",
            13,
            "Rating_14",
            "many",
            "'many' is not a number; write a number, or leave it empty for Unsure",
        ),
        (
            "annotations.csv",
            3,
            "Rating_4",
            "1_0",
            "'1_0' is not a number; write a number, or leave it empty for Unsure",
        ),
        ("annotations.csv", 3, "Rating_4", "٣", "'٣' is not a number; write a number, or leave it empty for Unsure"),
        (
            "annotations.csv",
            3,
            "Rating_4",
            "inf",
            "'inf' is not a finite number; write a number, or leave it empty for Unsure",
        ),
        (
            "annotations.csv",
            3,
            "Rating_4",
            "NaN",
            "'NaN' is not a finite number; write a number, or leave it empty for Unsure",
        ),
        (
            "annotations.csv",
            3,
            "Rating_4",
            "1e999",
            "'1e999' is not a finite number; write a number, or leave it empty for Unsure",
        ),
        (
            "annotations.csv",
            2,
            "Trial_1",
            "first",
            "'first' is not a number; write the position in which the prompt was shown, or leave it empty",
        ),
        (
            "annotations.csv",
            5,
            "Factor_2",
            "-inf",
            "'-inf' is not a finite number; write a number, or leave it empty for no answer",
        ),
        ("annotations.csv", 4, "Participant_ID", "0", "'0' is a duplicate annotator; keep one row each"),
        ("annotations.csv", 4, "Participant_ID", " ", "' ' is empty; every annotator needs an identifier"),
        ("prompts.csv", 4, "Question_Index", "", "'' is empty; every prompt needs an identifier"),
        ("prompts.csv", 2, "effect_Liberty", "", "'' is empty; every feature needs a number"),
        ("prompts.csv", 2, "effect_Liberty", "1.5", "'1.5' is outside 0 to 1; correct the feature or its scale"),
        ("prompts.csv", 2, "value_topic_38", "-1.01", "'-1.01' is outside -1 to 1; correct the feature or its scale"),
        ("prompts.csv", 15, "Harm_Level", "high", "'high' is not a number; write a number"),
        ("prompts.csv", 15, "Harm_Level", "5", "'5' is outside 0 to 1; correct the harm level or its scale"),
    ],
)
def test_one_bad_cell_is_one_problem_in_its_place(
    folder: Path, edit: Edit, file: str, row: int, column: str, value: str, says: str
) -> None:
    edit(file, row, column, value)
    problems = found(folder)
    assert problems[0] == f"{file}, row {row}, column {column}: {says}"
    assert len(problems) == 1 or column == "Question_Index"


def test_duplicate_prompt(folder: Path, edit: Edit) -> None:
    edit("prompts.csv", 5, "Question_Index", "2")
    problems = found(folder)
    assert "prompts.csv, row 5, column Question_Index: '2' is a duplicate prompt; keep one row each" in problems
    # Prompt 4 is gone by this, so its ratings have no features any more.
    rated = "annotations.csv, row 1, column Rating_4: prompt '4' is rated but has no features; add it to prompts.csv"
    assert rated in problems


def test_all_problems_are_listed_in_order(folder: Path, edit: Edit) -> None:
    edit("annotations.csv", 9, "Rating_1", "200")
    edit("annotations.csv", 3, "Rating_4", "x")
    edit("annotations.csv", 3, "Rating_2", "-1")
    edit("prompts.csv", 2, "Harm_Level", "?")
    assert [problem.split(":")[0] for problem in found(folder)] == [
        "prompts.csv, row 2, column Harm_Level",
        "annotations.csv, row 3, column Rating_2",
        "annotations.csv, row 3, column Rating_4",
        "annotations.csv, row 9, column Rating_1",
    ]
    with pytest.raises(StudyError, match=r"Harm_Level: '\?' is not a number; write a number \(and 3 more"):
        load_study(folder)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("Gender", "male"),
        ("Race_Ethnicity", "White,Martian"),
        ("Sexual_Orientation", "Straight"),
        ("Age", "34"),
        ("Education", "bachelor's degree"),
        ("Political_Affiliation", "Very liberal,Moderate"),
    ],
)
def test_unknown_category_lists_the_known_ones(folder: Path, edit: Edit, column: str, value: str) -> None:
    edit("annotations.csv", 6, column, value)
    (problem,) = found(folder)
    start = f"annotations.csv, row 6, column {column}: {value!r}".replace(
        '"bachelor\'s degree"', '"bachelor\'s degree"'
    )
    assert problem.startswith(f"{start} is an unknown category; use one of '")
    assert problem.endswith("or describe your own in a study.yaml")


@pytest.mark.parametrize("column", ["Gender", "Participant_ID", "Factor_3", "Trial_3"])
def test_missing_column(folder: Path, column: str) -> None:
    path = folder / "annotations.csv"
    path.write_text(
        path.read_text()
        .replace(f",{column},", ",Other_Name,")
        .replace(f"{column},Race", "X,Race")
        .replace(",Factor_3\n", ",Other\n")
    )
    assert f"annotations.csv, row 1, column {column}: the column is missing; add it or correct its name" in found(
        folder
    )


def test_missing_feature_column(folder: Path) -> None:
    path = folder / "prompts.csv"
    path.write_text(path.read_text().replace("action_Child_Harm", "action_child_harm"))
    says = "prompts.csv, row 1, column action_Child_Harm: the column is missing; add it or correct its name"
    assert found(folder) == [says]


@pytest.mark.parametrize("file", ["annotations.csv", "prompts.csv"])
def test_missing_file(folder: Path, file: str) -> None:
    (folder / file).unlink()
    (problem,) = found(folder)
    assert problem.startswith(f"{file}: the file is missing from ")


@pytest.mark.parametrize("file", ["annotations.csv", "prompts.csv"])
def test_a_folder_in_a_files_place(folder: Path, file: str) -> None:
    (folder / file).unlink()
    (folder / file).mkdir()
    (problem,) = found(folder)
    assert problem.startswith(f"{file}: cannot be read (Is a directory)")


@pytest.mark.parametrize("file", ["annotations.csv", "prompts.csv"])
@pytest.mark.parametrize("keep", [0, 1])
def test_empty_file_and_header_only(folder: Path, file: str, keep: int) -> None:
    path = folder / file
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:keep]))
    says = ["the file is empty; it needs a header and rows", "has a header but no rows"][keep]
    assert any(problem.startswith(f"{file}: {says}") for problem in found(folder))


def test_no_usable_rating(folder: Path, edit: Edit) -> None:
    for row in range(2, 14):
        for prompt in range(1, 15):
            edit("annotations.csv", row, f"Rating_{prompt}", "")
    assert found(folder) == ["annotations.csv: holds no usable rating, so the study is empty; give at least one"]


def test_wrong_encoding_names_the_byte(folder: Path) -> None:
    path = folder / "annotations.csv"
    data = path.read_bytes().replace("’".encode(), b"\x92")  # cp1252
    path.write_bytes(data)
    position = data.index(b"\x92")
    line = data[:position].count(b"\n") + 1
    says = f"annotations.csv: byte {position} (0x92, line {line}) is not UTF-8; save the file as UTF-8"
    assert found(folder) == [says]
    path.write_bytes(codecs.BOM_UTF8 + data)
    assert found(folder) == [says.replace(f"byte {position}", f"byte {position + 3}")]


def test_utf16_is_refused(folder: Path) -> None:
    path = folder / "prompts.csv"
    path.write_text(path.read_text(), encoding="utf-16")
    (problem,) = found(folder)
    assert problem.startswith("prompts.csv: byte 0 (0xff, line 1) is not UTF-8")


def test_byte_order_mark_crlf_and_empty_last_lines_are_fine(folder: Path) -> None:
    before = load_study(folder).checksum
    path = folder / "annotations.csv"
    path.write_bytes(codecs.BOM_UTF8 + path.read_bytes().replace(b"\n", b"\r\n") + b"\r\n\r\n")
    assert found(folder) == []
    assert load_study(folder).checksum == before


def test_ragged_rows(folder: Path) -> None:
    path = folder / "annotations.csv"
    lines = path.read_text().splitlines()
    n = lines[0].count(",") + 1
    lines[4] += ",extra"
    lines[6] = lines[6].rsplit(",", 1)[0]
    path.write_text("\n".join(lines) + "\n")
    assert found(folder) == [
        f"annotations.csv, row 5: has {n + 1} cells where the header has {n}; a comma in a text needs quotes",
        f"annotations.csv, row 7: has {n - 1} cells where the header has {n}; a comma in a text needs quotes",
    ]


def test_open_quote(folder: Path) -> None:
    path = folder / "prompts.csv"
    path.write_text(path.read_text() + '15,"never closed')
    (problem,) = found(folder)
    assert problem.startswith("prompts.csv, row 16: cannot be parsed as CSV (unexpected end of data)")


def test_a_column_twice(folder: Path) -> None:
    path = folder / "prompts.csv"
    path.write_text(path.read_text().replace("effect_Social", "effect_Physical"))
    assert found(folder) == ["prompts.csv, row 1, column effect_Physical: 2 columns have this name; keep one"]


def test_rows_are_a_spreadsheets_rows_when_a_text_has_line_breaks(folder: Path, edit: Edit) -> None:
    edit("prompts.csv", 2, "Question_Content", "three\nlines\nof text")
    edit("prompts.csv", 4, "Harm_Level", "7")
    assert found(folder)[0].startswith("prompts.csv, row 4, column Harm_Level: '7'")


def test_unrated_prompts_are_fine_and_counted(folder: Path) -> None:
    path = folder / "prompts.csv"
    first = path.read_text().splitlines()[1]
    path.write_text(path.read_text() + "15," + first.split(",", 1)[1] + "\n")
    assert found(folder) == []
    summary = check_study(folder).summary.set_index("item")["value"]
    assert summary["prompts without a usable rating"] == 1


@pytest.mark.parametrize("text", ["{", "[]", '{"0": 1}', "[" * 100_000, "\x00"])
def test_unreadable_topic_names(folder: Path, text: str) -> None:
    (folder / "value_topic_names.json").write_text(text)
    (problem,) = found(folder)
    assert problem.startswith("value_topic_names.json: ")
    assert problem.endswith("restore the released file")


def test_topic_name_without_a_column(folder: Path) -> None:
    (folder / "value_topic_names.json").write_text(json.dumps({"39": "One too many"}))
    (problem,) = found(folder)
    assert problem.startswith("value_topic_names.json: names 'value_topic_39', which is no column of prompts.csv")


def test_topic_names_are_optional(folder: Path) -> None:
    (folder / "value_topic_names.json").unlink()
    assert found(folder) == []
    assert load_study(folder).labels["value_topic_3"] == "value topic 3"


def test_a_seed_column_is_used_where_given(folder: Path) -> None:
    path = folder / "prompts.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([f"{lines[0]},seed", *(f"{line},s{i // 2}" for i, line in enumerate(lines[1:]))]) + "\n")
    assert load_study(folder).prompts["seed"].tolist() == [f"s{i // 2}" for i in range(14)]


def test_a_column_with_a_fixed_name_is_refused(folder: Path) -> None:
    path = folder / "prompts.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([f"{lines[0]},text", *(f"{line},x" for line in lines[1:])]) + "\n")
    (problem,) = found(folder)
    assert problem.startswith("prompts.csv, row 1, column text: this name has a fixed meaning; rename the column")


@pytest.mark.parametrize("name", ["nowhere", "x" * 5000, "a\0b"])
def test_no_such_folder(tmp_path: Path, name: str) -> None:
    (problem,) = check_study(tmp_path / name).problems
    assert problem.where.startswith(f"'{tmp_path}/")
    assert problem.what.endswith("give the folder that holds the data")
    assert str(problem).isprintable()


def test_a_file_that_is_no_description(folder: Path) -> None:
    (problem,) = check_study(folder / "prompts.csv").problems
    assert problem.what.startswith("is neither a folder nor a study.yaml")


def test_control_characters_are_escaped(folder: Path, edit: Edit) -> None:
    edit("annotations.csv", 2, "Gender", "\x1b[2J\u202eevil\nline")
    (problem,) = found(folder)
    assert "\\x1b[2J\\u202eevil\\nline" in problem
    assert problem.isprintable()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.binary(max_size=300) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")),
    file=st.sampled_from(["annotations.csv", "prompts.csv", "study.yaml", "simulated.json"]),
)
def test_any_bytes_give_problems_and_never_another_error(folder: Path, data: bytes, file: str) -> None:
    path = folder / file
    before = path.read_bytes() if path.exists() else None
    path.write_bytes(data)
    try:
        report = check_study(folder)
        assert not report.ok
        assert all(str(problem).isprintable() for problem in report.problems)
    finally:
        path.unlink() if before is None else path.write_bytes(before)
