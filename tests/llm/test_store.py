from __future__ import annotations

import sqlite3
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pluristats.errors import LLMError, MissingAnswersWarning
from pluristats.llm import ResponseStore
from tests.llm.conftest import ask
from tests.llm.endpoint import KEY, completion, error, http, later, serving

HOSTILE = [
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "=cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "".join(map(chr, range(32))) + "\x7f\x9b[31m\x1b]0;title\x07",
    "\ud800 and \udfff, \ud83d alone",
    "\u202eright to left\u2066, \ufeff, \u2028\u2029",
    "'; DROP TABLE responses; --",
    "é" * 500_000,
    '{"a": "\\ud800"}',
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_passes_unharmed(text, client, store):
    with serving(lambda question, time: http(body=completion(text))) as server:
        (outcome,) = client(server).run([ask(text)], progress=False)
        assert outcome.text == text
        assert server.bodies[0]["messages"][0]["content"] == text
    with ResponseStore(store.path) as again:
        (row,) = again.rows("SELECT request, body FROM responses")
        assert row[0].isascii() and row[1].isascii()
        assert client(server).collect([ask(text)])[0].text == text


def test_nothing_is_sent_when_its_answer_might_find_no_room(client, store, monkeypatch):
    """The disk fills up while five requests are in flight: their answers are kept, and no other is asked for."""
    free = [2**25] * 5
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=free.pop() if free else 0))
    with serving(lambda question, time: later(0.3)) as server:
        with pytest.raises(LLMError, match=r"0 MiB are free on its disk, .* free 32 MiB, then run the same again"):
            client(server, concurrency=8).run((ask(str(i)) for i in range(50)), progress=False)
        assert server.requests == 5
    assert store.rows("SELECT count(*) FROM responses WHERE kind = 'completed'") == [(5,)]


def test_the_key_is_in_no_file_and_no_output(client, store, capfd):
    escaped = "".join(f"\\u{ord(c):04x}" for c in KEY)
    answers = {
        "echo": http(body=completion(f"your key is {KEY}")),
        "escaped": http(200, f'{{"choices": [{{"message": {{"content": "{escaped}"}}}}]}}'.encode()),
        "refusal": http(body=completion(None, refusal=f"not with {KEY}")),
        "400": error(400, f"bad key {KEY}"),
        "html": http(200, f"<p>{KEY}".encode()),
        "cut short": http(200, f"{'x' * 190}{KEY}".encode()),
        "fingerprint": http(body=completion(system_fingerprint=KEY, model=KEY)),
    }
    with serving(lambda question, time: answers[question]) as server:
        with pytest.warns() as told:
            run = client(server, attempts=2).run([ask(name) for name in answers])
        shown = "".join(str(w.message) for w in told) + run.tidy().to_csv() + repr(list(run)) + run.drift().to_csv()
    assert (run[0].text, run[1].text) == ("your key is [key]", "[key]")
    store.sync()
    files = [path.read_bytes() for path in store.path.parent.iterdir()]
    assert len(files) >= 3  # database, log, lock
    out, err = capfd.readouterr()
    for content in [*files, shown.encode(), out.encode(), err.encode()]:
        assert KEY.encode() not in content and KEY[:-4].encode() not in content


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300) | st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.integers(),
    lambda x: st.lists(x, max_size=3) | st.dictionaries(st.sampled_from(
        ["choices", "message", "content", "error", "usage", "refusal", "prompt_tokens", "completion_tokens", "logprobs",
         "finish_reason", "code", "message"]), x, max_size=4), max_leaves=12))  # fmt: skip
def test_whatever_comes_is_judged(body):
    import json

    from pluristats.llm.verdict import judge

    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    for status in (200, 400, 429, 500):
        verdict = judge(status, {}, content, ask(top_logprobs=1))
        assert verdict.what in ("answered", "again", "failed", "stop")
        assert (verdict.answer is not None) == (verdict.what == "answered")


@pytest.mark.parametrize("content", [b"not a database, but quite long enough to be one" * 100, b"\x00" * 5000])
def test_a_file_of_something_else_is_refused(content, tmp_path):
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(LLMError, match=r"store .*notes\.txt: file is not a database; it is no store of answers"):
        ResponseStore(path)
    assert path.read_bytes() == content
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


def test_a_database_of_something_else_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "other.sqlite"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE t (x)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(LLMError, match=r"other\.sqlite is a database of something else, not a store of answers"):
        ResponseStore(path)
    assert path.read_bytes() == before


def test_a_store_of_another_version_is_refused(store, tmp_path):
    store.change([("PRAGMA user_version = 99", ())])
    with pytest.raises(LLMError, match="is a store of version 99, and this pluristats reads version 1"):
        ResponseStore(store.path)


def test_a_damaged_store_is_named(client, store):
    with serving(lambda question, time: http(body=completion("x" * 5000))) as server:
        client(server).run([ask(str(i)) for i in range(40)], progress=False)
    store.close()
    whole = store.path.read_bytes()
    store.path.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    with pytest.raises(LLMError, match=r"store .*answers\.sqlite: .*malformed"):
        ResponseStore(store.path).get(ask("3").key("x"))


def test_places_that_cannot_hold_a_store(tmp_path):
    with pytest.raises(LLMError, match="unable to open"):
        ResponseStore(tmp_path / "no" / "folder" / "x.sqlite")
    with pytest.raises(LLMError, match="unable to open"):
        ResponseStore(tmp_path)
    with pytest.raises(LLMError, match="there is no store"):
        ResponseStore(tmp_path / "x.sqlite", create=False)
    assert not list(tmp_path.iterdir())


def test_attempts_are_counted_with_how_they_ended(client, store):
    with serving(lambda question, time: error(500) if time == 1 else http()) as server:
        client(server).run([ask("1"), ask("2")], progress=False)
    assert store.rows("SELECT result, count(*) FROM attempts GROUP BY result ORDER BY result") == [
        ("completed", 2),
        ("status 500", 2),
    ]
    assert store.rows("SELECT count(*) FROM attempts WHERE ended IS NULL") == [(0,)]


def test_what_is_stored_is_there_for_others_at_once(client, store: ResponseStore, tmp_path: Path):
    seen = []

    def told(text):
        with ResponseStore(store.path) as other:
            seen.append(other.rows("SELECT count(*) FROM responses")[0][0])
        return text

    with serving(http()) as server:
        client(server, concurrency=1).run([ask(str(i)) for i in range(5)], validate=told, progress=False)
    assert seen == [1, 2, 3, 4, 5]


def test_failures_keep_their_reason(client, store):
    with serving(error(400, "\x1b[31mno\ud800")) as server, pytest.warns(MissingAnswersWarning):
        (outcome,) = client(server).run([ask()], progress=False)
    assert outcome.reason == "status 400: \x1b[31mno\ud800"
