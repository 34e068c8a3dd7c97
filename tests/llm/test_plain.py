"""Texts that a model continues (``/completions``): what is sent, what is read, and the simulated endpoint's own."""

from __future__ import annotations

import json
import math
import urllib.request

import pytest

from pluristats.errors import LLMError
from pluristats.llm import BatchRunner, ChatClient, ChatRequest, Completed, Endpoint, Message, Refused
from pluristats.llm.answer import Unusable, read
from pluristats.llm.simulated import simulated_endpoint, simulated_stats

LITERAL = "<|system|>\nList every stakeholder.\n\n<|user|>\nHow do I pick a lock?\n\n<|assistant|>\n"


def plain(text: str = LITERAL, **settings: object) -> ChatRequest:
    return ChatRequest("HarmReporter", (Message("user", text),), plain=True, max_tokens=4000, **settings)


def test_what_is_sent_is_the_text_itself():
    request = plain(seed=3, top_logprobs=5)
    body = {"model": "HarmReporter", "prompt": LITERAL, "max_tokens": 4000, "seed": 3, "logprobs": 5}
    assert request.body() == body and request.path == "/completions"
    assert ChatRequest.from_json(request.to_json()) == request
    chat = ChatRequest("HarmReporter", (Message("user", LITERAL),), max_tokens=4000, seed=3, top_logprobs=5)
    assert chat.path == "/chat/completions" and chat.key("e") != request.key("e")


def test_what_cannot_be_continued_is_refused(store):
    for messages in ((Message("system", "a"),), (Message("user", "a"), Message("user", "b"))):
        with pytest.raises(LLMError, match="one user message"):
            ChatRequest("m", messages, plain=True)
    with pytest.raises(LLMError, match="has no schema"):
        plain(schema={"type": "object"})
    with pytest.raises(LLMError, match="extra holds 'prompt'"):
        plain(extra={"prompt": "other"})
    with simulated_endpoint() as url:
        client = ChatClient(Endpoint(url, "m", no_key=True), store)
        with pytest.raises(LLMError, match="plain completions are not batched"):
            BatchRunner(client).run([plain()], progress=False)


def test_log_probabilities_of_the_older_form_are_read():
    # As the API's reference has it: columns of tokens, and null where nothing is known of the first.
    choice = {
        "text": " yes",
        "finish_reason": "stop",
        "logprobs": {"tokens": [" yes"], "token_logprobs": [-0.25], "top_logprobs": [{" yes": -0.25, " no": -1.6}]},
    }
    answer = read({"choices": [choice], "usage": {"prompt_tokens": 3, "completion_tokens": 1}}, plain(top_logprobs=2))
    assert answer.text == " yes" and answer.usage.pair == (3, 1)
    assert answer.logprobs[0].token == " yes" and answer.logprobs[0].top == ((" yes", -0.25), (" no", -1.6))
    bare = choice | {"logprobs": {"tokens": [" yes"], "token_logprobs": [-0.25], "top_logprobs": None}}
    assert read({"choices": [bare]}, plain(top_logprobs=0)).logprobs[0].top == ()
    for broken in (None, {}, {"tokens": None}, {"tokens": [" yes"], "token_logprobs": [None]}, 7):
        found = read({"choices": [choice | {"logprobs": broken}]}, plain(top_logprobs=2))
        assert isinstance(found, Unusable) and "log-probabilities" in found.kind
    for spoiled in ({"finish_reason": "stop"}, {"text": None}, {"text": 3}):
        assert isinstance(read({"choices": [spoiled]}, plain()), Unusable)


def test_the_simulated_endpoint_continues_texts(store):
    with simulated_endpoint(seed=2) as url:
        client = ChatClient(Endpoint(url, "HarmReporter", no_key=True, name="simulated"), store)
        (outcome,) = client.run([plain(top_logprobs=2, temperature=0.6)], progress=False)
        assert isinstance(outcome, Completed) and outcome.simulated
        assert json.loads(outcome.text)[0].keys() == {"stakeholder", "harms"}
        assert "".join(token.token for token in outcome.logprobs) == outcome.text
        assert all(math.exp(token.logprob) <= 1 and len(token.top) == 2 for token in outcome.logprobs)
        client.run([plain(top_logprobs=2, temperature=0.6)], progress=False)
        assert simulated_stats(url)["answered"] == 1
        body = json.dumps({"model": "m", "prompt": ["a", "b"]}).encode()
        with pytest.raises(urllib.request.HTTPError, match="400"):
            urllib.request.urlopen(urllib.request.Request(f"{url}/completions", body))


def test_faults_keep_the_form(store):
    faults = ["429=0.2", "truncated=0.2", "wrong-shape=0.2", "null-content=0.2", "no-logprobs=0.2"]
    with simulated_endpoint(seed=2, faults=faults, fault_attempts=1) as url:
        client = ChatClient(Endpoint(url, "m", no_key=True), store)
        run = client.run([plain(f"Say yes or no: {i}", top_logprobs=2) for i in range(40)], progress=False)
    assert all(isinstance(outcome, Completed) for outcome in run)
    assert len(run.counts.troubles) == 5


def test_a_content_filter_refuses_and_an_odd_answer_is_drawn_again_with_the_next_seed(store):
    with simulated_endpoint(seed=2, faults=["content-filter@1"]) as url:
        client = ChatClient(Endpoint(url, "m", no_key=True), store)
        with pytest.warns(UserWarning, match="1 of 1"):
            (refused,) = client.run([plain("one")], progress=False)
        assert isinstance(refused, Refused)
        seen = []

        def third(text: str) -> str:
            seen.append(text)
            if len(set(seen)) < 3:
                raise ValueError("not the third")
            return text

        client.run([plain("two", seed=5)], validate=third, repairs=2, progress=False)
    rows = store.rows("SELECT request FROM responses WHERE kind = 'completed' ORDER BY rowid")
    asked = [ChatRequest.from_json(row) for (row,) in rows]
    assert [(r.seed, r.template, r.messages[0].content) for r in asked] == [
        (5, "", "two"),
        (6, "+repair1", "two"),
        (7, "+repair2", "two"),
    ]
