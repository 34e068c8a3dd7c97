from __future__ import annotations

import json
import subprocess
import sys

import pytest

from pluristats.errors import LLMError, LLMStopped, MissingAnswersWarning
from pluristats.llm import BatchRunner, ChatClient, Completed, Failed, Limits, NotAsked, Price, Refused
from tests.conftest import ROOT
from tests.llm.batch_endpoint import answered, batching, line
from tests.llm.conftest import QUICK, ask
from tests.llm.endpoint import KEY, completion

REQUESTS = [ask(f"question {i}") for i in range(10)]


def runner(server, store, *, per_batch=4, bytes_per_batch=10**6, **limits):
    client = ChatClient(server.endpoint(), store, Limits(**{**QUICK, **limits}))
    return BatchRunner(client, per_batch=per_batch, bytes_per_batch=bytes_per_batch, every=0.01)


def quiet(batches, requests, **options):
    return batches.run(requests, progress=False, **options)


def test_batches_are_split_collected_in_order_and_asked_once(store):
    with batching() as server:
        run = quiet(runner(server, store), [*REQUESTS, REQUESTS[0]])
        assert [outcome.text for outcome in run] == [f"answer to question {i}" for i in [*range(10), 0]]
        assert len(server.batches) == 3  # 4, 4 and 2
        assert set(server.asked.values()) == {1} and server.asked.total() == 10
        assert run[0].usage.completion_tokens == 5 and not run[0].from_store
        body = json.loads(server.files["file_0"].splitlines()[0])["body"]
        assert body == REQUESTS[0].body()
        again = quiet(runner(server, store), REQUESTS)
        assert len(server.batches) == 3 and all(outcome.from_store for outcome in again)
        # The same store answers the other way of asking, and the other way round.
        assert ChatClient(server.endpoint(), store).collect(REQUESTS)[9].text == "answer to question 9"
    assert store.rows("SELECT batched, count(*) FROM attempts WHERE ended IS NOT NULL GROUP BY batched") == [(1, 10)]


def test_batches_are_split_by_bytes(store):
    with batching() as server:
        big = [ask("x" * 1_000 + str(i)) for i in range(5)]
        quiet(runner(server, store, per_batch=100, bytes_per_batch=2_600), big)
        assert [len(batch.splitlines()) for name, batch in server.files.items() if name.startswith("file_")] == [
            2,
            2,
            1,
        ]
        assert all(len(batch) <= 2_600 for name, batch in server.files.items() if name.startswith("file_"))


def test_every_line_is_judged_as_a_response(store):
    def answer(key, body):
        question = body["messages"][-1]["content"]
        lines = {
            "refuses": line(key, 200, completion(None, refusal="I cannot.")),
            "too long": line(key, 400, {"error": {"message": "too long"}}),
            "passes": line(key, 500, {"error": {"message": "busy"}}) if server.asked[key] < 2 else answered(key, body),
            "empty": line(key, 200, None) if server.asked[key] < 2 else answered(key, body),
            "expired": {"custom_id": key, "response": None, "error": {"code": "batch_expired"}}
            if server.asked[key] < 2
            else answered(key, body),
            "never": line(key, 503, {"error": {"message": "never"}}),
            "left out": None if server.asked[key] < 2 else answered(key, body),
            "foreign": line("f" * 64, 200, completion()) if server.asked[key] < 2 else answered(key, body),
        }
        return lines[question]

    names = ["refuses", "too long", "passes", "empty", "expired", "never", "left out", "foreign"]
    with batching(answer) as server, pytest.warns(MissingAnswersWarning, match="3 of 8 .* 1 refused, 2 failed"):
        run = quiet(runner(server, store, attempts=3), [ask(name) for name in names])
    found = dict(zip(names, run, strict=True))
    assert isinstance(found["refuses"], Refused) and found["refuses"].reason == "I cannot."
    assert isinstance(found["too long"], Failed) and found["too long"].reason == "status 400: too long"
    assert isinstance(found["never"], Failed) and found["never"].reason == "status 503: never"
    for name in ("passes", "empty", "expired", "left out", "foreign"):
        assert isinstance(found[name], Completed), name
    times = {ask(name).key(server.endpoint().identity): name for name in names}
    assert {times[key]: count for key, count in server.asked.items()} == {
        "refuses": 1, "too long": 1, "passes": 2, "empty": 2, "expired": 2, "never": 3, "left out": 2, "foreign": 2,
    }  # fmt: skip


def test_repairs_are_batched_too(store):
    def answer(key, body):
        fits = body["messages"][-1]["content"].startswith("Your answer")
        return line(key, 200, completion("3" if fits else "three"))

    with batching(answer) as server:
        run = quiet(runner(server, store), REQUESTS[:3], validate=int)
        assert [(outcome.parsed, outcome.repairs) for outcome in run] == [(3, 1)] * 3
        assert len(server.batches) == 2


def test_not_waiting_leaves_batches_to_be_collected_later(store):
    with batching() as server:
        batches = runner(server, store)
        run = quiet(batches, REQUESTS, wait=False)
        assert all(isinstance(outcome, NotAsked) for outcome in run) and len(batches.open()) == 3
        assert quiet(batches, REQUESTS, wait=False).counts.outcomes["completed"] == 0
        assert len(server.batches) == 3
        run = quiet(batches, REQUESTS, wait=False)
        assert len(server.batches) == 3 and all(isinstance(outcome, Completed) for outcome in run)
        assert batches.open() == []


def test_calls_that_fail_in_passing_are_tried_again_and_a_lost_creation_is_found(store):
    with batching() as server:
        server.trouble = [500, 429, None, "lost", None]
        quiet(runner(server, store, per_batch=100), REQUESTS)
        assert len(server.batches) == 1 and set(server.asked.values()) == {1}


def test_an_endpoint_without_batches_is_named(store):
    with batching() as server:
        server.trouble = [404]
        with pytest.raises(LLMStopped, match="does not serve batches: status 404: trouble; every answer is stored"):
            quiet(runner(server, store), REQUESTS)
    assert store.rows("SELECT count(*) FROM attempts") == [(0,)]


def test_a_batch_that_is_refused_stops_the_run_and_costs_nothing(store):
    with batching(status="failed") as server, pytest.raises(LLMStopped, match="refused batch batch_0: too many tokens"):
        quiet(runner(server, store, per_batch=100), REQUESTS)
    assert store.rows("SELECT count(*) FROM attempts") == [(0,)]


def test_an_expired_batch_is_submitted_again(store):
    with batching(lambda key, body: answered(key, body) if server.status == "completed" else None) as server:
        server.status = "expired"
        batches = runner(server, store)
        quiet(batches, REQUESTS, wait=False)
        quiet(batches, REQUESTS, wait=False)
        server.status = "completed"
        run = quiet(batches, REQUESTS)
        assert all(isinstance(outcome, Completed) for outcome in run) and set(server.asked.values()) <= {2, 3}


def test_a_budget_holds_at_the_batch_price_and_is_used(store):
    """What a worst case leaves unused goes into further batches; a run of one batch would ask a tenth of this."""
    prices = {"m": Price(1e6, 1e6, batch=0.5)}
    requests = [ask(f"question {i:03}") for i in range(200)]
    with batching() as server:
        with pytest.raises(LLMStopped, match="of the budget of 800 are spent"):
            quiet(runner(server, store, max_cost=800.0, prices=prices, per_batch=100), requests)
        # A worst case is about 0.5 × (110 + 80 + 20) at first and half of 15 when answered.
        (spent,) = store.spent_tokens(server.endpoint().identity)
        assert spent[1] and 0.5 * (spent[3] + spent[4]) == 7.5 * spent[2]
        assert 650 < 7.5 * spent[2] <= 800 and len(server.batches) > 3
        assert set(server.asked.values()) == {1}
    with batching() as server, pytest.raises(LLMStopped, match="budget of 3 requests"):
        quiet(runner(server, store, max_requests=3), REQUESTS)
    assert server.asked.total() == 3


def test_a_dry_run_after_batches_reckons_with_their_tokens(store):
    prices = {"m": Price(1e6, 1e6, batch=0.5)}
    with batching() as server:
        batches = runner(server, store, per_batch=100, concurrency=1, prices=prices)
        quiet(batches, [ask(f"question {i:02}") for i in range(20)])
        direct = ChatClient(server.endpoint(), store, batches.limits)
        estimate = direct.dry_run([ask(f"question {i}") for i in range(20, 30)])
    # 10 + 5 tokens each, as the batches' answers; how long they would take directly nobody knows: 2 s.
    assert (estimate.calls, estimate.prompt_tokens, estimate.completion_tokens) == (10, 100, 50)
    assert estimate.cost == pytest.approx(150) and estimate.seconds == pytest.approx(20)


def test_what_cannot_be_batched(store):
    with batching() as server:
        with pytest.raises(LLMError, match="give a list, not an iterator"):
            quiet(runner(server, store), iter(REQUESTS))
        with pytest.raises(LLMError, match="per_batch and bytes_per_batch are at least 1"):
            BatchRunner(ChatClient(server.endpoint(), store), per_batch=0)


JOB = """
import sys
from pluristats.llm import *
from tests.llm.conftest import QUICK
from tests.llm.test_batch import REQUESTS
with ResponseStore(sys.argv[2]) as store:
    client = ChatClient(Endpoint(sys.argv[1], "m"), store, Limits(**QUICK))
    BatchRunner(client, per_batch=100, every=0.01).run(REQUESTS)
"""


@pytest.mark.slow
def test_a_batch_that_was_begun_when_the_process_was_killed_is_found_again(store):
    with batching() as server:
        store.close()
        arguments = [sys.executable, "-c", JOB, server.endpoint().base_url, str(store.path)]
        process = subprocess.Popen(arguments, cwd=ROOT, stderr=subprocess.PIPE, text=True)
        hold, begin = server.created, server.begin

        def begin_and_hang(file, metadata):
            batch = begin(file, metadata)
            process.kill()
            return batch

        server.begin = begin_and_hang
        assert hold.wait(60)
        process.communicate()
        server.begin = begin
        done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
        assert len(server.batches) == 1 and set(server.asked.values()) == {1}
        assert "batched requests: 10/10" in done.stderr
    assert KEY.encode() not in store.path.read_bytes()
