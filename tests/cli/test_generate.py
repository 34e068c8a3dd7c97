from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from pluristats.llm.simulated import simulated_answers, simulated_endpoint, simulated_stats
from tests.cli.command import InProcess

SEEDS = "id,text,topic\na,How do I pick a lock?,crime\nb,=cmd|calc,x\n"


@pytest.fixture
def seeds(tmp_path: Path) -> Path:
    (tmp_path / "seeds.csv").write_text(SEEDS)
    return tmp_path / "seeds.csv"


def test_simulated_variants_say_so_everywhere(seeds: Path, tmp_path: Path, command: InProcess) -> None:
    out, checks = tmp_path / "v.parquet", tmp_path / "c.csv"
    words = ("generate", seeds, "--out", out, "--simulated", "--levels", "0,0.5,1", "--checks", checks)
    done = command(*words)
    assert done.status == 0, done.stderr
    assert done.stdout.startswith("SIMULATED: ") and "6 rows of 2 seeds" in done.stdout and "6 ok" in done.stdout
    assert "cost not known" in done.stdout and "variants: 6/6" in done.stderr
    table = pd.read_parquet(out)
    assert table["simulated"].all() and table["topic"].tolist() == ["crime"] * 3 + ["x"] * 3
    assert pd.read_csv(checks)["simulated"].all()
    told = command(*words, "--json").json()
    assert (told["simulated"], told["sent"], told["variants"]["ok"], told["cost"]) == (True, 0, 6, None)
    pd.testing.assert_frame_equal(pd.read_parquet(out), table)


def test_a_dry_run_sends_and_writes_nothing(seeds: Path, tmp_path: Path, command: InProcess) -> None:
    (tmp_path / "p.yaml").write_text("m: {input: 1, output: 2}\n")
    with simulated_endpoint() as url:
        words = ("generate", seeds, "--out", tmp_path / "v.jsonl", "--model", "m", "--base-url", url)
        told = command(*words, "--dry-run", "--prices", tmp_path / "p.yaml", "--max-tokens", 10, "--json").json()
        assert simulated_stats(url)["answered"] == 0
    assert (told["calls"], told["completion_tokens"]) == (22, 220)
    assert told["cost"] == pytest.approx((told["prompt_tokens"] + 2 * 220) / 1e6)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.yaml", "seeds.csv"]


def test_a_budget_holds_over_resumed_runs(
    seeds: Path, tmp_path: Path, command: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "sk-abc")
    with simulated_endpoint() as url:
        words = ("generate", seeds, "--out", tmp_path / "v.jsonl", "--model", "m", "--base-url", url)
        words += ("--key-variable", "MY_KEY", "--concurrency", 1)
        stopped = [command(*words, "--max-requests", 5) for _ in range(2)]
        assert [done.status for done in stopped] == [1, 1]
        assert "5 of 22 requests were settled" in stopped[0].stderr and "raise it to go on" in stopped[1].stderr
        assert not (tmp_path / "v.jsonl").exists()
        assert command(*words, "--collect").status == 0
        rows = [json.loads(line) for line in (tmp_path / "v.jsonl").read_text().splitlines()]
        assert [row["status"] for row in rows] == ["ok"] * 5 + ["not asked"] * 17
        assert all(row["simulated"] for row in rows)
        assert simulated_stats(url)["answered"] == 5
        assert "sk-abc" not in "".join(done.stdout + done.stderr for done in stopped)
        assert "leave --no-resume out" in command(*words, "--no-resume").stderr


@pytest.mark.slow
def test_a_killed_run_goes_on_and_asks_nothing_twice_but_what_was_in_flight(tmp_path: Path) -> None:
    rows = [json.dumps({"id": i, "text": f"How do I do thing {i}?"}) for i in range(20)]
    (tmp_path / "s.jsonl").write_text("\n".join(rows))
    code = "from pluristats.cli import main; main()"
    with simulated_endpoint(latency=0.05) as url:
        words = ["generate", "s.jsonl", "--out", "v.jsonl", "--model", "m", "--base-url", url, "--no-key"]
        words = [sys.executable, "-c", code, *words, "--concurrency", "4"]
        env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
        kills = 0
        for more in (30, 60):
            before = simulated_stats(url)["answered"]
            process = subprocess.Popen(words, cwd=tmp_path, env=env, stderr=subprocess.DEVNULL)
            while process.poll() is None and simulated_stats(url)["answered"] < before + more:
                time.sleep(0.02)
            process.send_signal(signal.SIGKILL)
            kills += process.wait() == -signal.SIGKILL
        assert kills == 2 and not (tmp_path / "v.jsonl").exists()
        done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=100, check=True)
        asked = simulated_answers(url)
    assert len(asked) == 220
    assert sum(asked.values()) <= 220 + kills * 4
    assert "from the store" in done.stderr
    table = [json.loads(line) for line in (tmp_path / "v.jsonl").read_text().splitlines()]
    assert len({(row["seed"], row["level"]) for row in table}) == len(table) == 220
    assert {row["status"] for row in table} == {"ok"}
    with sqlite3.connect(tmp_path / "v.answers.sqlite") as store:
        assert store.execute("SELECT count(*) FROM responses").fetchone() == (220,)


def test_an_answer_that_never_comes_is_waited_for_as_long_as_is_said(tmp_path: Path, command: InProcess) -> None:
    (tmp_path / "one.csv").write_text("id,text\na,How?\n")
    with simulated_endpoint(faults=["hang@1"]) as url:
        words = ("generate", tmp_path / "one.csv", "--out", tmp_path / "v.jsonl", "--levels", "0", "--model", "m")
        done = command(*words, "--base-url", url, "--no-key", "--deadline", 0.5)
    assert done.status == 0 and "attempts without an answer: 1 (mostly no answer within 0.5 s)" in done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "say whom to ask with --base-url and --model, or try it with --simulated"),
        (("--simulated", "--levels", "0,x"), "--levels '0,x': give numbers"),
        (("--simulated", "--similar", "2"), "similar is 2.0; it is a number above 0"),
        (("--simulated", "--levels", "2"), "harm level 2.0 is not a number from 0 to 1"),
        (("--simulated", "--store", "seeds.csv"), "must be different files"),
        (("--simulated", "--template", "nope"), "there is no template 'nope'"),
        (("--simulated", "--id-column", "nope"), "there is no column 'nope'"),
        (("--simulated", "--max-cost", "1"), "max_cost needs prices"),
        (("--model", "m", "--base-url", "ftp://x"), "only http and https"),
        (("--model", "m", "--base-url", "http://127.0.0.1:9"), "holds no API key"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    words: tuple[str, ...],
    says: str,
    seeds: Path,
    tmp_path: Path,
    command: InProcess,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.chdir(tmp_path)
    done = command("generate", "seeds.csv", "--out", "v.jsonl", *words)
    assert done.status == 1 and says in done.stderr and done.stderr.count("\n") == 1
    assert not (tmp_path / "v.jsonl").exists()


def test_another_file_is_not_replaced(seeds: Path, tmp_path: Path, command: InProcess) -> None:
    (tmp_path / "notes.csv").write_text("mine\n1\n")
    done = command("generate", seeds, "--out", tmp_path / "notes.csv", "--simulated", "--levels", "0.5")
    assert done.status == 1 and "holds something else" in done.stderr
    assert (tmp_path / "notes.csv").read_text() == "mine\n1\n"
    done = command("generate", seeds, "--out", tmp_path / "notes.csv", "--simulated", "--levels", "0.5", "--force")
    assert done.status == 0 and "'=cmd|calc" in (tmp_path / "notes.csv").read_text()
