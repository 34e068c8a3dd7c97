"""`pluristats ladder` and `pluristats ledger`: seven rows, strict JSON, warnings on stderr, one sentence an error."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import pluristats as ps
from pluristats.study import load_study, write_study
from tests.cli.command import InProcess, process

STUDY_YAML = """\
ratings: {file: ratings.csv, annotator: who, prompt: what, rating: score, scale: [0, 100]}
annotators: {file: people.csv, id: who, traits: {age: number, gender: {a: 0, b: 1}}}
prompts: {file: prompts.csv, id: what, features: {topics: [t1, t2, t3]}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small study of its own format, in which one person gives no age."""
    folder = tmp_path_factory.mktemp("study")
    rng = np.random.default_rng(1)
    topics, age, gender = rng.normal(size=(20, 3)), rng.integers(18, 70, 15), rng.integers(0, 2, 15)
    scores = 50 + 12 * topics[:, 0] + 6 * (gender - 0.5)[:, None] + 8 * rng.normal(size=(15, 1))
    scores = np.clip(np.round(scores + 12 * rng.normal(size=(15, 20))), 0, 100).astype(int)
    (folder / "study.yaml").write_text(STUDY_YAML)
    people = [f"p{i},{'' if i == 4 else age[i]},{'ab'[gender[i]]}" for i in range(15)]
    (folder / "people.csv").write_text("\n".join(["who,age,gender", *people]))
    prompts = [f"q{j},{','.join(f'{v:.4f}' for v in topics[j])}" for j in range(20)]
    (folder / "prompts.csv").write_text("\n".join(["what,t1,t2,t3", *prompts]))
    ratings = [f"p{i},q{j},{scores[i, j]}" for i in range(15) for j in range(20)]
    (folder / "ratings.csv").write_text("\n".join(["who,what,score", *ratings]))
    return folder


def test_the_installed_command(folder: Path, tmp_path: Path) -> None:
    done = process("ladder", "--data", folder, "--json", cwd=tmp_path)
    assert done.status == 0
    rows = done.json()
    assert [row["model"] for row in rows] == ["null", "1", "2", "3", "4", "5", "6"]
    assert list(rows[0])[:5] == ["model", "nobs", "n_params", "bic", "delta_bic"]
    assert rows[0]["delta_bic"] is None
    assert [row["nobs"] for row in rows] == [300, 280, 280, 300, 280, 280, 280]
    for above, row in pairwise(rows):
        assert row["delta_bic"] == pytest.approx(row["bic"] - above["bic"])
    assert done.stderr.startswith("warning: BICs in this ladder come from different rows")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "flags",
    [
        (),
        ("--spec", "common-rows"),
        ("--spec", "mixed", "--random", "(1|annotator)"),
        ("--penalty", "cv"),
        ("--penalty", "0.02"),
    ],
)
def test_rows_are_those_of_the_library(flags: tuple[str, ...], folder: Path, command: InProcess) -> None:
    done = command("ladder", "--data", folder, "--json", *flags)
    assert done.status == 0
    options = dict(zip(flags[::2], flags[1::2], strict=True))
    penalty = options.get("--penalty", "bic")
    rule = ps.LassoRule(penalty=penalty if penalty in ("bic", "cv") else float(penalty))  # type: ignore[arg-type]
    spec = options.get("--spec", "published")
    if spec == "published":
        with pytest.warns(ps.errors.DifferentRowsWarning):
            ladder = ps.bic_ladder(load_study(folder), "published", rule=rule)
        assert done.stderr.startswith("warning: BICs")
    else:
        ladder = ps.bic_ladder(load_study(folder), spec, rule=rule, random="(1|annotator)")  # type: ignore[arg-type]
        assert done.stderr == ""
    told = done.json()
    for name in ("nobs", "n_params", "terms", "same_rows"):
        assert [row[name] for row in told] == ladder.table[name].tolist()
    assert [row["bic"] for row in told] == pytest.approx(ladder.table["bic"].tolist(), rel=1e-12)


def test_table_for_people(folder: Path, command: InProcess) -> None:
    done = command("ladder", "--data", folder, "--spec", "mixed")
    assert done.status == 0
    lines = done.stdout.splitlines()
    assert lines[0] == "BIC ladder, mixed (1|annotator) + (1|prompt)"
    assert lines[1].split()[:5] == ["model", "nobs", "n_params", "bic", "delta_bic"]
    assert [line.split()[0] for line in lines[2:9]] == ["null", "1", "2", "3", "4", "5", "6"]
    assert lines[9].startswith("- All models use the 280 of 300 rows")
    assert not {"NaN", "None", "<NA>"} & set(done.stdout.split())
    own = command("ladder", "--data", folder)
    assert "- BICs in this ladder come from different rows" in own.stdout


def test_a_simulated_study_says_so(tmp_path: Path, command: InProcess) -> None:
    whole = write_study(ps.simulate_study(14, 16, 2), tmp_path / "study")
    shown = command("ladder", "--data", whole, "--penalty", "0.1")
    assert shown.stdout.startswith("BIC ladder, published (SIMULATED DATA)")


@pytest.mark.parametrize("penalty", ["aic", "-1", "nan", "inf", ""])
def test_a_penalty_that_is_none_is_a_usage_error(penalty: str, folder: Path, command: InProcess) -> None:
    for name in ("ladder", "ledger"):
        done = command(name, "--data", folder, "--penalty", penalty)
        assert (done.status, done.stdout) == (2, "")
        assert "--penalty is bic, cv or a number not below 0" in " ".join(done.stderr.replace("│", " ").split())


@pytest.mark.parametrize(
    ("flags", "status", "says"),
    [
        (("--spec", "nested"), 2, "Usage"),
        (("--spec", "mixed", "--random", "(1|school)"), 1, "error: The formula names 'school'"),
        (("--spec", "mixed", "--random", "age"), 1, "error: The random part 'age' may hold random terms only"),
        (("--spec", "mixed", "--random", "(1 + age|prompt)"), 1, "error: Random term (1 + age | prompt) is more than"),
    ],
)
def test_bad_options(flags: tuple[str, ...], status: int, says: str, folder: Path, command: InProcess) -> None:
    done = command("ladder", "--data", folder, "--json", *flags)
    assert (done.status, done.stdout) == (status, "")
    assert says in done.stderr


def test_bad_studies_are_one_sentence(folder: Path, tmp_path: Path, command: InProcess) -> None:
    for name in ("ladder", "ledger"):
        done = command(name, "--data", tmp_path / "nowhere", "--json")
        assert (done.status, done.stdout) == (1, "")
        assert done.stderr.startswith("error: ")
        assert done.stderr.count("\n") == 1
    for file in folder.iterdir():
        (tmp_path / file.name).write_text(file.read_text())
    settings = STUDY_YAML.replace("prompts: {file: prompts.csv, id: what, features: {topics: [t1, t2, t3]}}\n", "")
    (tmp_path / "study.yaml").write_text(settings)
    done = command("ladder", "--data", tmp_path)
    assert done.stderr == (
        "error: study: it has no prompt features, which the BIC ladder needs; name their columns in study.yaml\n"
    )


def test_ledger_of_a_study_without_the_papers_columns(folder: Path, command: InProcess) -> None:
    done = command("ledger", "--data", folder, "--json", "--penalty", "0.02")
    assert (done.status, done.stderr) == (0, "")
    rows = {row["key"]: row for row in done.json()}
    assert len(rows) == len(ps.analysis.ledger.PUBLISHED)
    assert rows["ratings"]["ours"] == 300
    assert rows["ratings"]["nobs"] == 300
    assert rows["spearman"]["verdict"] == "not tried"
    assert rows["spearman"]["ours"] is None
    assert rows["rq1_sign_action_Child_Harm"]["verdict"] == "not tried"
    shown = command("ledger", "--data", folder, "--penalty", "0.02").stdout
    assert "not tried" in shown
    assert not {"NaN", "None", "<NA>"} & set(shown.split())


@pytest.mark.slow
def test_ledger_of_a_simulated_study_agrees_with_nothing(tmp_path: Path, command: InProcess) -> None:
    folder = write_study(ps.simulate_study(24, 30, 3), tmp_path / "study")
    done = command("ledger", "--data", folder, "--penalty", "0.1")
    assert done.stdout.startswith("SIMULATED DATA: nothing here can be compared")
    assert " exact" not in done.stdout


@pytest.mark.release
@pytest.mark.slow
def test_published_ladder_of_the_release(release_path: Path, tmp_path: Path) -> None:
    done = process("ladder", "--data", release_path, "--spec", "published", "--json", cwd=tmp_path)
    rows = done.json()
    assert rows[0]["bic"] == pytest.approx(41_796.337, abs=5e-4)
    assert [row["nobs"] for row in rows] == [14_725, 14_285, 14_285, 14_725, 14_285, 14_285, 14_285]
