from __future__ import annotations

import asyncio
import json
import time
from collections import Counter

import pytest

from pluristats.errors import LLMError, LLMStopped, MissingAnswersWarning, ModelDriftWarning
from pluristats.llm import ChatClient, Completed, Endpoint, Failed, Limits, NotAsked, Price, Refused, ResponseStore
from pluristats.progress import span
from tests.llm.conftest import QUICK, ask
from tests.llm.endpoint import KEY, completion, cut, drip, error, http, later, serving


def quiet(client, requests, **options):
    return client.run(requests, progress=False, **options)


def test_answers_come_in_the_order_given_and_are_asked_once(client, store):
    def script(question, time):
        return later(0.05 - 0.004 * int(question), http(body=completion(f"answer {question}")))

    with serving(script) as server:
        run = quiet(client(server, concurrency=4), (ask(str(i)) for i in range(10)))
        assert [outcome.text for outcome in run] == [f"answer {i}" for i in range(10)]
        assert server.most_in_flight == 4
        first = run[3]
        assert isinstance(first, Completed)
        assert (first.model, first.finish, first.from_store, first.simulated) == ("m", "stop", False, False)
        assert (first.usage.prompt_tokens, first.usage.completion_tokens) == (10, 5)
        again = quiet(client(server), [ask(str(i)) for i in (9, 9, 3, 9)])
        assert [outcome.text for outcome in again] == ["answer 9", "answer 9", "answer 3", "answer 9"]
        assert server.requests == 10 and again[0].from_store and again.counts.reused == 4
        assert [len(again), again.counts.sent, again.counts.outcomes["completed"]] == [4, 0, 4]
        table = again.tidy()
        assert table["text"].tolist() == [outcome.text for outcome in again]
        assert table["completion_tokens"].tolist() == [5] * 4
    assert client(server).collect([ask("3"), ask("new")])[1] == NotAsked(ask("new").key(server.endpoint().identity))


def test_what_is_sent_is_the_body_and_nothing_else(client):
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    request = ask(
        "q", temperature=0.5, seed=3, schema=schema, sample=2, template="t/1", extra={"reasoning_effort": "low"}
    )
    with serving(http()) as server:
        quiet(client(server), [request])
    assert server.bodies == [request.body()]
    assert "sample" not in server.bodies[0] and "template" not in server.bodies[0]
    (head,) = server.headers
    assert head.startswith("POST /v1/chat/completions ") and f"Bearer {KEY}" in head


def test_a_local_endpoint_gets_no_key_of_another(store):
    with serving(http()) as server:
        client = ChatClient(server.endpoint(no_key=True), store, Limits(**QUICK))
        quiet(client, [ask()])
    assert KEY not in server.headers[0] and "bearer none" in server.headers[0].lower()


def test_without_a_key_nothing_is_sent(store, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    with serving(http()) as server:
        client = ChatClient(server.endpoint(), store, Limits(**QUICK))
        with pytest.raises(LLMError, match="OPENAI_API_KEY holds no API key"):
            quiet(client, [ask()])
        assert server.requests == 0 and client.dry_run([ask()]).calls == 1


def test_the_same_question_twice_at_once_is_asked_once(client):
    with serving(lambda question, time: later(0.1)) as server:
        run = quiet(client(server, concurrency=8), [ask("same")] * 8 + [ask("same", sample=1)])
        assert server.requests == 2
        assert run.counts.outcomes["completed"] == 9


PASSING = {
    "429": lambda: error(429, "slow down"),
    "500": lambda: error(500),
    "503 without JSON": lambda: http(503, b"<html>busy</html>"),
    "408": lambda: error(408),
    "empty": lambda: http(200, b""),
    "truncated": lambda: http(200, json.dumps(completion()).encode()[:40]),
    "malformed": lambda: http(200, b"{'id': 1}"),
    "html": lambda: http(200, b"<!doctype html><p>hello"),
    "error with 200": lambda: http(200, {"error": {"message": "overloaded"}}),
    "choices null": lambda: http(200, {**completion(), "choices": None}),
    "choices empty": lambda: http(200, {**completion(), "choices": []}),
    "another schema": lambda: http(200, {"text": "hi"}),
    "a list": lambda: http(200, [1, 2]),
    "deep": lambda: http(200, b"[" * 200_000),
    "huge number": lambda: http(200, b'{"choices": ' + b"9" * 5_000 + b"}"),
    "null content": lambda: http(200, completion(None)),
    "blank content": lambda: http(200, completion(" \n")),
    "content a number": lambda: http(200, completion(3)),
    "cut": lambda: cut,
    "hang up": lambda: None,
}


@pytest.mark.parametrize("kind", PASSING)
def test_a_failure_that_passes_is_tried_again(kind, client):
    with serving(lambda question, time: PASSING[kind]() if time < 3 else http()) as server:
        (outcome,) = run = quiet(client(server), [ask()])
        assert isinstance(outcome, Completed) and outcome.text == "yes"
        assert server.requests == 3 == run.counts.sent
        assert sum(run.counts.troubles.values()) == 2


@pytest.mark.parametrize("kind", PASSING)
def test_a_failure_that_does_not_pass_is_recorded_and_not_asked_again(kind, client, store):
    with serving(lambda question, time: PASSING[kind]()) as server:
        with pytest.warns(MissingAnswersWarning, match="1 of 1 requests have no answer: 1 failed"):
            (outcome,) = run = quiet(client(server, attempts=4, paid_attempts=2), [ask()])
        assert isinstance(outcome, Failed) and outcome.reason
        sent = server.requests
        assert sent == (2 if kind in PAID else 4)
        with pytest.warns(MissingAnswersWarning):
            quiet(client(server), [ask()])
        assert server.requests == sent
        assert run.failed() == [(0, outcome)]
    with serving(http()) as mended:
        mended_client = ChatClient(Endpoint(mended.endpoint().base_url, "m", name=server.endpoint().identity), store)
        (outcome,) = quiet(mended_client, [ask()], retry_failed=True)
        assert isinstance(outcome, Completed)


PAID = {"empty", "truncated", "malformed", "html", "choices null", "choices empty", "another schema", "a list", "deep"}
PAID |= {"huge number", "null content", "blank content", "content a number"}


def test_logprobs_are_given_or_their_absence_is_a_failure(client):
    token = {
        "token": "Yes",
        "logprob": -0.1,
        "top_logprobs": [{"token": "Yes", "logprob": -0.1}, {"token": "No", "logprob": -9999.0}],
    }
    answers = {
        "good": completion("Yes", logprobs={"content": [token]}),
        "absent": completion("Yes"),
        "null": completion("Yes", logprobs={"content": None}),
        "odd": completion("Yes", logprobs={"content": [{"token": "Yes", "logprob": "high"}]}),
    }
    with serving(lambda question, time: http(body=answers[question])) as server, pytest.warns(MissingAnswersWarning):
        run = quiet(client(server, paid_attempts=2), [ask(name, top_logprobs=2) for name in answers])
    assert run[0].logprobs[0].top == (("Yes", -0.1), ("No", -9999.0))
    assert [outcome.reason for outcome in run[1:]] == ["no log-probabilities, though asked for"] * 3
    assert server.bodies[0]["logprobs"] is True and server.bodies[0]["top_logprobs"] == 2
    assert server.requests == 1 + 3 * 2


def test_refusals_are_recorded_counted_and_not_asked_again(client):
    answers = {
        "refusal": http(body=completion(None, refusal="I cannot help with that.")),
        "filter": http(body=completion("", finish_reason="content_filter")),
        "azure": error(400, "filtered by policy", code="content_filter"),
    }
    with serving(lambda question, time: answers[question]) as server:
        for _ in range(2):
            with pytest.warns(MissingAnswersWarning, match="3 of 3 requests have no answer: 3 refused"):
                run = quiet(client(server), [ask(name) for name in answers], retry_failed=True)
    assert [outcome.reason for outcome in run] == ["I cannot help with that.", "content filter", "filtered by policy"]
    assert all(isinstance(outcome, Refused) for outcome in run)
    assert server.requests == 3


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (error(400, "context length exceeded", code="context_length_exceeded"), "status 400: context length exceeded"),
        (error(413, "too large"), "status 413: too large"),
        (error(422, "odd\nand more"), "status 422: odd and more"),
        (http(413, b"<html>\n  <p>too\n  large</p>"), "status 413: <html> <p>too large</p>"),
        (http(body=completion(None, finish_reason="length")), "max_tokens used up before any answer"),
    ],
)
def test_what_would_fail_again_is_sent_once(response, reason, client):
    with serving(response) as server, pytest.warns(MissingAnswersWarning):
        (outcome,) = quiet(client(server), [ask()])
        assert (outcome.reason, server.requests) == (reason, 1)


@pytest.mark.parametrize(
    ("response", "says"),
    [
        (error(401, f"Incorrect API key provided: {KEY}"), r"the API key is refused \(status 401\)"),
        (error(403), "the API key may not do this"),
        (error(404, "no model m"), "there is no such model or address .*no model m"),
        (error(402), "no money left"),
        (error(429, "used up", code="insufficient_quota"), "the account's quota is used up"),
        (error(429, "used up", type="insufficient_quota"), "the account's quota is used up"),
        (http(200, {"error": {"message": "used up", "code": "insufficient_quota"}}), "the account's quota is used up"),
        (http(302, b"", {"Location": "http://127.0.0.1:1/"}), "redirects elsewhere .* http://127.0.0.1:1/"),
        (error(429, "later", {"Retry-After": "7200"}), "asks to wait 7,200 s"),
    ],
)
def test_what_no_waiting_helps_stops_the_run(response, says, client, store):
    def script(question, time):
        return http() if question == "0" else response

    with serving(script) as server:
        quiet(client(server), [ask("0")])
        with pytest.raises(LLMStopped, match=says) as stopped:
            quiet(client(server, concurrency=2), [ask(str(i)) for i in range(50)])
        assert server.requests <= 3
    assert KEY not in str(stopped.value)
    assert str(stopped.value).endswith(
        "; 1 of 50 requests were settled by then, every answer is stored: run the same again to go on"
    )
    assert store.rows("SELECT count(*) FROM responses") == [(1,)]


def test_an_endpoint_that_fails_everything_stops_the_run(client, store):
    with serving(error(500, "on fire")) as server:
        with pytest.raises(LLMStopped, match="5 requests in a row have failed, the last with status 500: on fire") as e:
            quiet(client(server, attempts=2, stop_after=5, concurrency=3), (ask(str(i)) for i in range(1000)))
        assert server.endpoint().base_url in e.value.why and "the right address" in e.value.why
        assert e.value.failed == e.value.settled >= 5 and "--retry-failed" in str(e.value)
        assert server.requests <= 2 * (5 + 3)


def test_nobody_listens(store):
    client = ChatClient(Endpoint("http://127.0.0.1:9/v1", "m"), store, Limits(**QUICK, stop_after=2, attempts=2))
    with pytest.raises(LLMStopped, match=r"http://127\.0\.0\.1:9/v1: .* cannot connect; see that this is the right"):
        quiet(client, [ask(str(i)) for i in range(9)])
    # What never reached the endpoint costs nothing.
    assert store.spent_tokens(client.endpoint.identity)[0][3:] == (0, 0)


@pytest.mark.parametrize("action", [drip, later(60)], ids=["blank lines", "silence"])
def test_a_deadline_is_of_the_whole_exchange(action, client):
    with serving(lambda question, time: action if time == 1 else http()) as server:
        begun = time.monotonic()
        (outcome,) = run = quiet(client(server, deadline=0.3), [ask()])
        assert isinstance(outcome, Completed)
        assert run.counts.troubles == Counter({"no answer within 0.3 s": 1})
        assert time.monotonic() - begun < 30  # not the server's minute


def test_retry_after_holds_everybody_back(client):
    moments = []

    def script(question, number):
        moments.append(time.monotonic())
        return error(429, "wait", {"Retry-After": "0.6"}) if len(moments) == 1 else http()

    with serving(script) as server:
        quiet(client(server, concurrency=1), [ask(str(i)) for i in range(3)])
    assert server.requests == 4
    assert moments[1] - moments[0] >= 0.6


def test_answers_of_several_versions_are_told(client):
    def script(question, time):
        return http(body=completion(model="m-2" if question == "3" else "m-1", system_fingerprint="fp"))

    with serving(script) as server, pytest.warns(ModelDriftWarning, match=r"3 from m-1 \(fp\), 1 from m-2 \(fp\)"):
        run = quiet(client(server), [ask(str(i)) for i in range(4)])
    assert sorted(run.drift()["answers"]) == [1, 3]


def test_simulated_answers_say_so_for_ever(client):
    def script(question, time):
        if question == "header":
            return http(headers={"X-Simulated": "pluristats"})
        return http(body=completion(system_fingerprint="simulated-1" if question == "fingerprint" else "fp_1"))

    names = ["header", "fingerprint", "real"]
    with serving(script) as server:
        for _ in range(2):
            with pytest.warns(ModelDriftWarning):
                run = quiet(client(server), [ask(name) for name in names])
            assert [outcome.simulated for outcome in run] == [True, True, False]
            assert run.simulated and run.tidy()["simulated"].tolist() == [True, True, False]
    assert client(server).collect([ask("header")]).simulated
    assert not client(server).collect([ask("real")]).simulated


def test_inside_a_running_event_loop(client):
    with serving(http()) as server:

        async def cell():
            return quiet(client(server), [ask()])

        assert asyncio.run(cell())[0].text == "yes"


def test_progress_reads_in_a_log(client, capsys):
    with serving(http()) as server:
        limits = {"prices": {"m": Price(1e6, 2e6)}}
        client(server, **limits).run([ask(str(i)) for i in range(4)], what="variants")
        client(server, **limits).run([ask(str(i)) for i in range(6)], what="variants")
        out, err = capsys.readouterr()
    first, second = err.splitlines()
    assert first.startswith("variants: 4/4, ") and first.endswith("cost 80")
    assert second.startswith("variants: 2/2, ") and second.endswith("4 from the store, cost 40")
    assert out == ""


def test_a_run_that_waits_says_so_in_a_log(client, capsys, monkeypatch):
    """A log of a run whose endpoint answers nothing must not stay empty until the last try."""
    monkeypatch.setattr("pluristats.llm.session._BEAT", 0.05)
    monkeypatch.setattr("pluristats.progress._EVERY", 0.05)
    with serving(lambda question, time: error(500) if time < 3 else http()) as server:
        client(server, first_wait=0.5, longest_wait=0.5, attempts=3).run([ask()], what="variants")
    *waiting, last = capsys.readouterr().err.splitlines()
    assert "variants: 0/1, 0/s, waiting, attempts without an answer: 1 (mostly status 500), 0 tokens" in waiting
    assert last.startswith("variants: 1/1, ") and "attempts without an answer: 2" in last


@pytest.mark.parametrize(
    ("seconds", "says"),
    [(0.4, "0 s"), (119, "119 s"), (120, "2 min"), (7_199, "120 min"), (53_358, "14.8 h"), (561_600, "6.5 days")],
)
def test_what_is_left_of_a_run_of_days_can_be_read(seconds, says):
    assert span(seconds) == says


def test_a_fault_of_the_callers_own_ends_the_run_and_loses_nothing(client, store):
    def requests():
        yield ask("1")
        yield ask("2")
        raise KeyError("seed")

    def validate(text):
        raise RuntimeError("a bug")

    with serving(http()) as server:
        with pytest.raises(KeyError, match="seed"):
            quiet(client(server, concurrency=1), requests())
        assert store.rows("SELECT count(*) FROM responses") == [(2,)]
        with pytest.raises(RuntimeError, match="a bug"):
            quiet(client(server), [ask("1"), ask("3")], validate=validate)
        # What was in flight when the error came was paid for, and is kept.
        assert store.rows("SELECT count(*) FROM responses") == [(3,)]
        with pytest.raises(LLMError, match="repairs is -1"):
            quiet(client(server), [], repairs=-1)
        assert list(quiet(client(server), [])) == []


def test_a_resumed_run_in_another_process_gets_a_store_that_is_not_in_use(client, store, tmp_path):
    with ResponseStore(store.path) as other, other.writing(), serving(http()) as server:
        with pytest.raises(LLMError, match=r"another run \(process \d+\) is writing to store"):
            quiet(client(server), [ask()])
        assert server.requests == 0
