from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from pluristats.extract import load_trees
from pluristats.features import load_profile, score
from pluristats.features.taxonomy import ACTION_COLUMNS, EFFECT_COLUMNS
from pluristats.llm.simulated import simulated_endpoint, simulated_stats
from tests.cli.command import InProcess

PROMPTS = """prompt,text,seed,seed_text,harm_level
p1,Pick a lock?,s,Locks,0.2
p2,=cmd|calc,s,Locks,0.8
p3,<b>tea</b>,t,Tea,0.0
"""


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    (tmp_path / "prompts.csv").write_text(PROMPTS)
    return tmp_path / "prompts.csv"


def test_simulated_features_say_so_everywhere(prompts: Path, tmp_path: Path, command: InProcess) -> None:
    words = ("features", prompts, "--out", tmp_path / "pool.parquet", "--simulated", "--topics", "none")
    done = command(*words, "--profile", "graded")
    assert done.status == 0, done.stderr
    assert done.stdout.startswith("SIMULATED: ")
    assert re.search(r"trees: 2 ok\nvalues: 3 ok\nitems: \d+ kept\n3 prompts with all features", done.stdout)
    assert "harms: 2/2" in done.stderr and "values: 3/3" in done.stderr
    table = pd.read_parquet(tmp_path / "pool.parquet")
    assert table["simulated"].all() and table["prompt"].tolist() == ["p1", "p2", "p3"]
    columns = [*ACTION_COLUMNS, *EFFECT_COLUMNS, "harmfulness"]
    assert table.loc[0, columns].tolist() == table.loc[1, columns].tolist() != table.loc[2, columns].tolist()
    trees = list(load_trees(tmp_path / "pool.trees.jsonl"))
    assert [tree.id for tree in trees] == ["s", "t"] and all(tree.simulated for tree in trees)
    assert score(trees, load_profile("graded"))["harmfulness"].tolist() == table["harmfulness"].tolist()[1:]
    items = pd.read_json(tmp_path / "pool.values.jsonl", lines=True)
    assert set(items["prompt"]) == {"p1", "p2", "p3"} and items["simulated"].all()
    told = command(*words, "--json").json()
    assert (told["sent"], told["rows"], told["simulated"], told["left_out"]) == (0, 3, True, [])


def test_irrelevant_and_repeated_values_are_left_out_and_counted(
    prompts: Path, tmp_path: Path, command: InProcess
) -> None:
    pytest.importorskip("rouge_score", reason="needs rouge-score: pip install 'pluristats[kaleido]'")
    words = ("features", prompts, "--out", tmp_path / "pool.jsonl", "--simulated", "--topics", "none", "--json")
    everything = command(*words).json()["items_counts"]
    items = pd.read_json(tmp_path / "pool.values.jsonl", lines=True)
    assert everything == {"kept": len(items), "relevance": 0, "ngram": 0, "embedding": 0}
    least = float(items["relevance"].median())
    told = command(*words, "--relevance", least, "--alike", 0.3).json()["items_counts"]
    kept = pd.read_json(tmp_path / "pool.values.jsonl", lines=True)
    assert told["relevance"] == (items["relevance"] < least).sum() > 0 and kept["relevance"].min() >= least
    assert told["kept"] == len(kept) and sum(told.values()) == len(items)


def test_a_dry_run_counts_each_kind_and_batches_cost_half(prompts: Path, tmp_path: Path, command: InProcess) -> None:
    (tmp_path / "p.yaml").write_text("m: {input: 1, output: 2}\n")
    with simulated_endpoint() as url:
        words = ("features", prompts, "--out", tmp_path / "pool.jsonl", "--model", "m", "--base-url", url, "--dry-run")
        words += ("--topics", "none", "--prices", tmp_path / "p.yaml", "--json")
        told, batched = command(*words).json(), command(*words, "--batch").json()
        by_prompt = command(*words, "--by", "prompt", "--samples", 2, "--no-values").json()
        assert simulated_stats(url)["answered"] == 0
    assert {kind: estimate["calls"] for kind, estimate in told.items()} == {"harms": 2, "benefits": 2, "values": 3}
    assert {kind: estimate["calls"] for kind, estimate in by_prompt.items()} == {"harms": 6, "benefits": 6}
    for kind, estimate in told.items():
        assert batched[kind]["cost"] == pytest.approx(estimate["cost"] / 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.yaml", "prompts.csv"]


def test_a_budget_holds_and_what_is_there_can_be_collected(prompts: Path, tmp_path: Path, command: InProcess) -> None:
    with simulated_endpoint() as url:
        words = ("features", prompts, "--out", tmp_path / "pool.jsonl", "--model", "m", "--base-url", url, "--no-key")
        words += ("--no-values", "--concurrency", 1)
        stopped = command(*words, "--max-requests", 3)
        assert stopped.status == 1 and "raise it to go on" in stopped.stderr
        assert not (tmp_path / "pool.jsonl").exists()
        done = command(*words, "--collect", "--json").json()
        assert done["trees_counts"] == {"ok": 1, "incomplete": 0, "refused": 0, "failed": 0, "not asked": 1}
        assert done["rows"] == 3
        whole = command(*words, "--profile", "neutral", "--json").json()
        assert (whole["sent"], whole["rows"]) == (1, 3)
        assert simulated_stats(url)["answered"] == 4


@pytest.mark.parametrize("batch", [(), ("--batch", "--batch-every", 0.1)])
def test_what_failed_while_the_endpoint_was_down_is_asked_again_on_request(
    batch: tuple[object, ...], prompts: Path, tmp_path: Path, command: InProcess
) -> None:
    """Failures are kept for good: without a way to ask again, an outage would cost the prompts their features."""
    names = ("features", prompts, "--out", tmp_path / "pool.jsonl", "--model", "m", "--no-key", "--topics", "none")
    with simulated_endpoint(faults=["400=1"], fault_attempts=1) as url:
        words = (*names, "--base-url", url, "--no-values", *batch)
        assert command(*words).status == 1
        assert command(*words, "--dry-run", "--json").json()["harms"]["calls"] == 0
        assert command(*words).status == 1 and simulated_stats(url)["answered"] == 0
        assert command(*words, "--retry-failed", "--dry-run", "--json").json()["harms"]["calls"] == 2
        told = command(*words, "--retry-failed", "--json").json()
        assert (told["sent"], told["rows"], simulated_stats(url)["answered"]) == (4, 3, 4)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "say whom to ask with --base-url and --model, or try it with --simulated"),
        (("--simulated", "--no-trees", "--no-values"), "nothing to make features of"),
        (("--simulated", "--no-trees", "--topics", "none"), "nothing to make features of"),
        (("--simulated", "--no-trees", "--topics", "9", "--profile", "graded"), "--profile scores"),
        (("--simulated", "--no-values", "--kaleido", "x"), "--kaleido names values"),
        (("--simulated", "--relevance", "1.5"), "threshold relevance of Value is a number from 0 to 1"),
        (("--simulated", "--no-values", "--relevance", "0.5"), "--relevance and --alike are for values of a chat"),
        (("--simulated", "--name-topics"), "--name-topics names the topics of values"),
        (("--simulated", "--topics", "."), "topics.json cannot be read"),
        (("--simulated", "--harm-template", "nope"), "there is no template 'nope'"),
        (("--simulated", "--samples", "0"), "samples is 0"),
        (("--simulated", "--profile", "nope"), "nope"),
        (("--simulated", "--store", "prompts.csv"), "must be different files"),
        (("--simulated", "--topics", "many"), "--topics 'many'"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    words: tuple[str, ...],
    says: str,
    prompts: Path,
    tmp_path: Path,
    command: InProcess,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    topics = () if "--topics" in words else ("--topics", "none")
    done = command("features", "prompts.csv", "--out", "pool.jsonl", *topics, *words)
    assert done.status == 1 and says in done.stderr.splitlines()[-1] and done.stderr.count("error:") == 1
    # Said before anything is asked and paid for.
    assert "harms:" not in done.stderr and "values:" not in done.stderr
