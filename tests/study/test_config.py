"""study.yaml: the documented example gives hand-computed numbers; everything unclear is refused by name."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from pluristats.errors import StudyError
from pluristats.study import check_study, load_study

EXAMPLE = Path(__file__).parent / "example"
README = Path(__file__).resolve().parents[2] / "data" / "README.md"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EXAMPLE, tmp_path / "example"))


def edit(folder: Path, old: str, new: str, file: str = "study.yaml") -> None:
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))


def test_readme_shows_this_example() -> None:
    shown = re.search(r"```yaml\n(.*?)```", README.read_text(), re.DOTALL)
    assert shown is not None
    assert shown[1] == (EXAMPLE / "study.yaml").read_text()


def test_example_by_hand() -> None:
    study = load_study(EXAMPLE)
    assert study.name == "Tone of comments"
    assert not study.simulated
    assert study.scale == (1.0, 7.0)
    assert dict(study.groups) == {
        "topics": ("politics", "sport"),
        "style": ("style_irony", "style_length"),
        "traits": ("age", "first_language", "trust"),
        "demographics": ("age", "first_language", "trust"),
        "factors": (),
    }
    frame = study.frame()
    raw = np.array([1, 7, 2, 6, 4, 5, 3], dtype=float)  # in file order, without the unsure one
    assert frame["rating_raw"].tolist() == raw.tolist()
    sd = np.sqrt(((raw - 4) ** 2).sum() / 6)
    np.testing.assert_allclose(frame["rating"], (raw - 4) / sd, rtol=0, atol=1e-14)
    assert frame["annotator"].tolist() == ["ann", "ann", "bob", "bob", "bob", "eve", "eve"]
    assert frame["seed"].tolist() == ["t1", "t1", "t1", "t1", "t2", "t2", "t1"]
    # age codes 0, 2, 1: mean 1, sd 1. English only: ann 1, bob 0, eve no answer: mean 1/2, sd sqrt(1/2).
    first = frame.drop_duplicates("annotator").set_index("annotator", drop=False)
    assert first["age"].tolist() == [-1.0, 1.0, 0.0]
    np.testing.assert_allclose(first["first_language"], [0.5**0.5, -(0.5**0.5), np.nan], atol=1e-14)
    np.testing.assert_allclose(first["trust"], [0.5**0.5, -(0.5**0.5), np.nan], atol=1e-14)
    # politics over rows: 0 1 0 1 1 1 0.
    politics = np.array([0, 1, 0, 1, 1, 1, 0], dtype=float)
    np.testing.assert_allclose(frame["politics"], (politics - politics.mean()) / politics.std(ddof=1), atol=1e-14)
    assert study.dropped()["rows"].tolist() == [1, 2, 2, 2]
    assert study.dropped()["reason"].tolist() == [
        "Unsure",
        "first_language missing: answer 'no answer'",
        "trust missing: empty",
        "any trait missing",
    ]
    assert study.annotators["note"].tolist() == ["", "paid twice", ""]
    summary = check_study(EXAMPLE).summary.set_index("item")["value"]
    assert summary["columns not modelled"] == "note"


def test_wide_and_long_tables_give_the_same_study(folder: Path) -> None:
    long = load_study(folder)
    (folder / "workers.csv").write_text(
        "worker,age,first_language,trust,score_c1,score_c2,score_c3,at_c1,at_c2,at_c3\n"
        'ann,18-29,English,3.5,1,7,unsure,1,2,3\nbob,50+,"English, Spanish",1,2,6,4,3,1,2\n'
        "eve,30-49,no answer,,3,,5,2,,1\n"
    )
    edit(folder, "file: ratings.csv", "layout: wide, file: workers.csv")
    edit(folder, "prompt: comment, rating: score, trial: position", "rating: score_*, trial: at_*")
    wide = load_study(folder)
    keys = ["annotator", "prompt"]
    left = long.frame().astype({k: str for k in keys}).sort_values(keys).reset_index(drop=True)
    right = wide.frame().astype({k: str for k in keys}).sort_values(keys).reset_index(drop=True)
    columns = ["rating", "rating_raw", "trial", "age", "politics", "style_irony"]
    np.testing.assert_allclose(left[columns], right[columns], atol=1e-14)
    assert wide.dropped()["rows"][0] == 2  # the cell that eve was not asked looks like an Unsure one in a wide table


def test_ratings_alone_are_enough(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("who,what,y\n1,9,3\n1,10,4\n2,9,5\n")
    (tmp_path / "study.yaml").write_text(
        "ratings: {file: r.csv, annotator: who, prompt: what, rating: y, scale: [1, 5]}"
    )
    study = load_study(tmp_path / "study.yaml")
    assert study.annotators["annotator"].tolist() == [1, 2]
    assert study.prompts["prompt"].tolist() == [9, 10]
    assert study.frame()["rating"].tolist() == [-1.0, 0.0, 1.0]
    assert study.frame()["trial"].isna().all()
    assert study.frame()["harm_level"].isna().all()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("trial: position", "tiral: position", "study.yaml, ratings: unknown key 'tiral'"),
        ("name: Tone", "title: Tone", "study.yaml: unknown key 'title'"),
        ("scale: [1, 7]", "scale: [7, 1]", "ratings.scale: the first number must be less"),
        ("scale: [1, 7], ", "", "ratings.scale: give the least and greatest"),
        ("prompt: comment, ", "", "ratings: lacks the key prompt"),
        ("file: workers.csv", "file: ../workers.csv", "annotators.file: '../workers.csv' must be a file inside"),
        ("file: workers.csv", "file: /etc/passwd", "annotators.file: '/etc/passwd' must be a file inside"),
        ("18-29: 0", "yes: 0", "annotators.traits.age: YAML reads the key 'True' as bool; put it in quotes"),
        ("18-29: 0", "18-29: .nan", "annotators.traits.age.18-29: must be a finite number"),
        ("one: English", "one: German", "first_language.one: must be one of English, Spanish, other"),
        ("rule: only", "rule: sole", "first_language.rule: must be one of labels, only, any, number, score"),
        ("trust: number", "trust: percent", "annotators.traits.trust: must be one of number, score"),
        ("trust: number", "rating: number", "rating: this name has a fixed meaning"),
        ("trust: number", "sport: number", "sport: the column is named twice"),
        ("topics: [", "traits: [", "prompts.features.traits: this group name is taken"),
        ("[politics, sport]", "[politics, politics]", "prompts.features.topics: lists 'politics' twice"),
        ("range: [0, 1]", "range: [0, 0.4]", "comments.csv, row 2, column style_irony: '0.5' is outside 0 to 0.4"),
        ('"style_*"', '"tone_*"', "comments.csv, row 1, column tone_*: no column matches"),
        ("topics: [politics, sport]", "topics: [style_irony]", "column style_irony: is in two feature groups"),
        ("seed: thread", "seed: thread, seed: body", "study.yaml, seed: the key occurs twice"),
        ("trust: number", "trust: &a number\n    sport: *a", "uses a YAML alias"),
        ("trust: number", "trust: !!python/object/apply:os.system ['true']", "is not readable YAML"),
        ("trust: number", "trust: [number", "is not readable YAML"),
    ],
)
def test_unclear_descriptions_are_refused_by_name(folder: Path, old: str, new: str, says: str) -> None:
    edit(folder, old, new)
    report = check_study(folder)
    assert any(says in str(problem) for problem in report.problems), report.problems
    with pytest.raises(StudyError):
        load_study(folder)


@pytest.mark.parametrize("text", ["", "- a list", "42", "\x00", "[" * 900_000])
def test_what_is_no_description_is_refused(folder: Path, text: str) -> None:
    (folder / "study.yaml").write_text(text)
    assert [problem.where for problem in check_study(folder).problems] == ["study.yaml"]


def test_a_pattern_may_not_catch_a_fixed_name(folder: Path) -> None:
    edit(folder, "style_length", "rating", "comments.csv")
    edit(folder, '"style_*"', '"*a*"')  # body is no number; rating and style_... are caught too
    problems = [str(problem) for problem in check_study(folder).problems]
    assert "comments.csv, row 1, column rating: this name has a fixed meaning in a frame; rename the column" in problems


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        ("ratings.csv", "bob,c2,6,1", "bob,c2,8,1", "ratings.csv, row 6, column score: '8' is outside 1 to 7"),
        ("ratings.csv", "bob,c2,6,1", "bob,c1,6,1", "ratings.csv, row 6: annotator 'bob' has rated prompt 'c1' before"),
        ("ratings.csv", "bob,c2,6,1", "joe,c2,6,1", "row 6, column worker: annotator 'joe' is not in workers.csv"),
        ("ratings.csv", "bob,c2,6,1", "bob,c9,6,1", "row 6, column comment: prompt 'c9' is rated but has no features"),
        ("ratings.csv", "bob,c2,6,1", ",c2,6,1", "ratings.csv, row 6, column worker: '' is empty"),
        ("ratings.csv", "bob,c2,6,1", "bob,c2,6,x", "ratings.csv, row 6, column position: 'x' is not a number"),
        ("workers.csv", "3.5", "much", "workers.csv, row 2, column trust: 'much' is not a number"),
        ("workers.csv", "50+", "50 +", "workers.csv, row 3, column age: '50 +' is an unknown category"),
        ("comments.csv", "c2,Boo!,t1", "c2,Boo!,", "comments.csv, row 3, column thread: '' is empty"),
    ],
)
def test_bad_cells_in_described_data(folder: Path, file: str, old: str, new: str, says: str) -> None:
    edit(folder, old, new, file)
    problems = [str(problem) for problem in check_study(folder).problems]
    assert any(says in problem for problem in problems), problems
