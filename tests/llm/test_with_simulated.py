"""The client against the simulated endpoint: its faults were written without looking at the client."""

from __future__ import annotations

import json
import warnings
from collections import Counter

import pytest

from pluristats.llm import BatchRunner, ChatClient, Completed, Endpoint, Limits, Refused, ResponseStore
from pluristats.llm.simulated import simulated_endpoint, simulated_stats
from tests.cli.command import InProcess
from tests.llm.conftest import QUICK, ask

FAULTS = (
    "429=0.05",
    "429-retry-after=0.03",
    "500=0.05",
    "503=0.05",
    "cut=0.05",
    "drip=0.02",
    "hang=0.02",
    "empty=0.05",
)
FAULTS += ("truncated=0.05", "malformed=0.05", "html=0.05", "error-200=0.05", "wrong-shape=0.05", "null-content=0.05")
FAULTS += ("no-logprobs=0.05",)
SCHEMA = {
    "type": "object",
    "properties": {"harm": {"type": "integer"}},
    "required": ["harm"],
    "additionalProperties": False,
}


@pytest.mark.slow
def test_every_request_is_answered_once_whatever_goes_wrong(store):
    requests = [ask(f"q{i}", top_logprobs=3) for i in range(150)] + [
        ask(f"s{i}", top_logprobs=0, schema=SCHEMA) for i in range(50)
    ]
    with simulated_endpoint(faults=FAULTS, retry_after=0.05, drip=0.05, seed=3) as url:
        limits = Limits(**{**QUICK, "deadline": 3.0, "concurrency": 32})
        run = ChatClient(Endpoint(url, "m"), store, limits).run(requests, progress=False)
        stats = simulated_stats(url)
    assert all(isinstance(outcome, Completed) and outcome.simulated for outcome in run)
    assert all(len(outcome.logprobs[0].top) == 3 for outcome in run[:150])
    assert all(isinstance(json.loads(outcome.text)["harm"], int) for outcome in run[150:])
    assert run.counts.troubles.total() > 50 and len(run.counts.troubles) >= 10
    assert stats["answered"] == 200
    assert store.rows("SELECT count(*) FROM attempts") == [(run.counts.sent,)]


@pytest.mark.slow
def test_batches_and_calls_give_the_same_answers(tmp_path):
    requests = [ask(f"q{i}", top_logprobs=2) for i in range(60)]
    found = []
    with simulated_endpoint(faults=["batch-expired@1", "batch-failed@5", "refusal=0.05"], batch_delay=0.1) as url:
        for way in ("calls", "batches"):
            with ResponseStore(tmp_path / way) as store, warnings.catch_warnings():
                warnings.simplefilter("ignore")
                client = ChatClient(Endpoint(url, "m"), store, Limits(**QUICK))
                runner = client if way == "calls" else BatchRunner(client, per_batch=20, every=0.05)
                run = runner.run(requests, progress=False)
                assert {type(outcome) for outcome in run} <= {Completed, Refused} and run.simulated
                found.append([(getattr(outcome, "text", None), outcome.fingerprint) for outcome in run])
                assert all(outcome.simulated for outcome in run)
                assert set(Counter(run.tidy()["outcome"])) <= {"completed", "refused"}
    same = [a == b for a, b in zip(*found, strict=True) if a[0] and b[0]]
    assert len(same) > 40 and all(same)


def test_the_status_of_a_store_on_the_command_line(store, tmp_path, monkeypatch, capsys):
    command = InProcess(monkeypatch, capsys)
    with simulated_endpoint(faults=["400@2"]) as url, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        client = ChatClient(Endpoint(url, "m", name="sim"), store, Limits(**QUICK, concurrency=1))
        client.run([ask(f"q{i}") for i in range(3)], progress=False)
    (tmp_path / "prices.yaml").write_text("m: {input: 1000000, output: 0}\n")
    told = command("llm", "status", store.path, "--prices", tmp_path / "prices.yaml", "--json")
    assert told.status == 0, told.stderr
    (row,) = told.json()["store"]
    assert (row["endpoint"], row["model"], row["completed"], row["failed"], row["simulated"]) == ("sim", "m", 2, 1, 2)
    assert row["cost"] == row["prompt_tokens"] > 0 and row["attempts"] == 3
    shown = command("llm", "status", store.path)
    assert shown.stdout.splitlines()[0].split()[:4] == ["endpoint", "model", "completed", "refused"]
    assert "status 400" in shown.stdout
    missing = command("llm", "status", tmp_path / "none.sqlite")
    assert (missing.status, missing.stderr) == (1, f"error: there is no store {tmp_path / 'none.sqlite'}\n")
