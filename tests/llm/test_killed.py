"""Runs that end otherwise than they should: kill -9, Ctrl-C, two at once."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pluristats.llm import ChatClient, Completed, ResponseStore
from tests.conftest import ROOT
from tests.llm.endpoint import Server, completion, cut, drip, error, http, later, serving
from tests.llm.job import requests

FAULTS = (error(429, "slow"), error(500), http(200, b""), http(200, b"{"), http(200, b"<p>"), cut, drip, None)


def job(server: Server, path: Path, number: int, concurrency: int = 8) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "tests.llm.job",
        server.endpoint().base_url,
        str(path),
        str(number),
        str(concurrency),
    ]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def until(condition: Any, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.005)


@pytest.mark.slow
def test_killed_at_random_moments_every_item_is_there_once_and_paid_once(tmp_path):
    number, path, draw, answered = 120, tmp_path / "answers.sqlite", random.Random(1), Counter[str]()

    def script(question, time):
        if draw.random() < 0.3:
            return draw.choice(FAULTS)
        answered[question] += 1
        return later(0.03, http(body=completion(f"answer to {question}")))

    with serving(script) as server:
        for kill in range(4):
            process = job(server, path, number)
            until(lambda: answered.total() >= 20 * kill + draw.randrange(1, 20))  # noqa: B023 (called at once)
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
        out, err = job(server, path, number).communicate(timeout=100)
        assert out.startswith(f"answered {number}, "), err
        with ResponseStore(path) as store:
            run = ChatClient(server.endpoint(), store).collect(requests(number))
            assert all(isinstance(outcome, Completed) for outcome in run)
            assert [outcome.text for outcome in run] == [f"answer to question {i}" for i in range(number)]
            assert store.rows("SELECT count(*), count(DISTINCT key) FROM responses") == [(number, number)]
            lost = dict(store.rows("SELECT key, count(*) FROM attempts WHERE ended IS NULL GROUP BY key"))
            sent = store.rows("SELECT count(*) FROM attempts")[0][0]
    # Nothing was answered twice but what was in flight when a kill came, and nothing was sent that is not on record.
    for i, request in enumerate(requests(number)):
        assert 1 <= answered[f"question {i}"] <= 1 + lost.get(request.key(server.endpoint().identity), 0)
    assert sum(lost.values()) <= 4 * 8
    assert server.requests <= sent <= server.requests + 4 * 8


@pytest.mark.slow
def test_ctrl_c_stops_sending_keeps_what_is_in_flight_and_says_how_to_go_on(tmp_path):
    path, done = tmp_path / "answers.sqlite", []

    async def slowly(writer):
        response = await later(0.4)(writer)
        done.append(1)
        return response

    with serving(lambda question, time: slowly) as server:
        process = job(server, path, 1000)
        until(lambda: server.requests >= 20)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        sent = server.requests
    assert process.returncode != 0 and out == ""
    assert re.search(r"pluristats: stopping; [1-8] requests are in flight", err)  # eight, but for one that just ended
    assert "everything that was answered is stored; run the same again to go on where this stopped" in err
    assert err.strip().endswith("KeyboardInterrupt")
    with ResponseStore(path) as store:
        assert store.rows("SELECT count(*) FROM responses") == [(len(done),)] == [(sent,)]
        assert store.rows("SELECT count(*) FROM attempts WHERE ended IS NULL") == [(0,)]


@pytest.mark.slow
def test_of_two_runs_into_one_store_the_second_is_refused(tmp_path):
    path = tmp_path / "answers.sqlite"
    with serving(lambda question, time: later(0.1)) as server:
        first = job(server, path, 100)
        until(lambda: server.requests > 0)
        second = job(server, path, 100)
        _, err = second.communicate(timeout=60)
        out, _ = first.communicate(timeout=60)
        assert server.requests == 100
    assert f"another run (process {first.pid}) is writing to store {path}" in err
    assert out == "answered 100, 0 from the store\n"
