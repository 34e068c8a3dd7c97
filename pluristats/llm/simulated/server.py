"""The simulated endpoint: takes connections on 127.0.0.1, answers, misbehaves as told, counts."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from random import Random
from typing import Any

from pluristats.errors import LLMError
from pluristats.llm.simulated.batches import Batches
from pluristats.llm.simulated.completion import (
    BadRequestError,
    Question,
    as_plain,
    complete,
    fingerprint,
    read_question,
)
from pluristats.llm.simulated.embedding import embed
from pluristats.llm.simulated.faults import STATUS
from pluristats.llm.simulated.settings import Settings
from pluristats.llm.simulated.spoil import refused, spoiled_body, spoiled_message
from pluristats.llm.simulated.tally import Tally
from pluristats.llm.simulated.wire import (
    MOST_HEAD,
    Request,
    Response,
    WireError,
    error_response,
    head_of,
    json_response,
    read_request,
    send,
)

# Seconds that a client may go on sending after its request could not be read.
_LINGER = 2.0
HOST = "127.0.0.1"
MODELS = ("simulated-chat", "simulated-embedding")


class GoneError(Exception):
    """The connection is over: the client left, or a fault broke it."""


class Endpoint:
    """One simulated endpoint; `connection` serves a client.

    Parameters
    ----------
    settings
        How it behaves.
    """

    def __init__(self, settings: Settings):
        self.settings = settings
        self.tally = Tally()
        self.batches = Batches(settings, self.tally)
        self._log = settings.log.open("a", encoding="ascii", buffering=1) if settings.log else None
        self._routes: dict[tuple[str, str], Callable[[Request], Response]] = {
            ("GET", "models"): lambda _: self._list(MODELS),
            ("POST", "embeddings"): lambda request: json_response(embed(_json(request.body), settings.seed)),
            ("GET", "simulated/stats"): lambda _: json_response(self.tally.stats(settings.seed)),
            ("GET", "simulated/answers"): lambda _: json_response(self.tally.answers()),
        }

    async def connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer a client's requests one after another until it leaves."""
        try:
            while (request := await read_request(reader)) is not None:
                await self._serve(request, reader, writer)
                if not request.keep:
                    break
        except WireError as error:
            self.tally.unreadable += 1
            await _say_no(reader, writer, error_response(error.status, error.what))
        except (GoneError, OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def close(self) -> None:
        """Stop batches and drop their files."""
        await self.batches.close()
        if self._log:
            self._log.close()

    async def _serve(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = request.path.removeprefix("/v1").strip("/")
        try:
            if request.method == "POST" and path in ("chat/completions", "completions"):
                question = read_question(_json(request.body), plain=path == "completions")
                await self._complete(question, request, reader, writer)
                return
            response = self._other(request, path)
        except BadRequestError as error:
            response = error_response(400, error.what, field=error.field)
        except RecursionError:
            response = error_response(400, "the request's JSON is nested too deep")
        await send(writer, response, request.keep)

    def _other(self, request: Request, path: str) -> Response:
        if route := self._routes.get((request.method, path)):
            return route(request)
        if path.startswith("models/") and request.method == "GET":
            return json_response(_model(path.removeprefix("models/")))
        if path.split("/")[0] in ("files", "batches"):
            return self.batches.respond(request, path)
        return error_response(404, f"there is no {request.method} {request.path[:200]}")

    async def _complete(
        self, question: Question, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        arrived = time.monotonic()
        tally, settings = self.tally, self.settings
        attempt = tally.came(question.key)
        fault = settings.faults.fault(settings.seed, question.key, attempt, tally.requests)
        tally.in_flight += 1
        tally.most_in_flight = max(tally.most_in_flight, tally.in_flight)
        try:
            await self._wait(question, attempt, arrived)
            if reader.at_eof() or writer.is_closing():
                tally.abandoned += 1
                raise GoneError
            if fault == "hang":
                tally.went(question.key, fault, None)
                await _until_gone(reader)
            elif fault == "drip":
                tally.went(question.key, fault, None)
                await self._drip(writer)
            response = self._answer(question, fault)
            if fault == "cut":
                await _cut(writer, response)
            await send(writer, response, request.keep)
        finally:
            tally.in_flight -= 1
            self._note(question, attempt, fault, arrived)

    def _answer(self, question: Question, fault: str | None) -> Response:
        if fault in STATUS:
            self.tally.went(question.key, fault, None)
            return refused(fault, self.settings.retry_after)
        completion = complete(question, self.settings.seed)
        self.tally.went(question.key, fault, completion["usage"])
        if fault is not None:
            completion = spoiled_message(fault, completion)
        if question.plain:
            completion = as_plain(completion)
        return json_response(completion) if fault is None else spoiled_body(fault, completion)

    async def _wait(self, question: Question, attempt: int, arrived: float) -> None:
        delay = self.settings.latency
        if self.settings.jitter:
            delay += self.settings.jitter * Random(f"{self.settings.seed}/wait/{question.key}/{attempt}").random()
        left = arrived + delay - time.monotonic()
        if left > 0:
            await asyncio.sleep(left)

    async def _drip(self, writer: asyncio.StreamWriter) -> None:
        writer.write(head_of(Response(), None, keep=True))
        while not writer.is_closing():
            writer.write(b"1\r\n\n\r\n")
            await writer.drain()
            await asyncio.sleep(self.settings.drip)
        raise GoneError

    def _note(self, question: Question, attempt: int, fault: str | None, arrived: float) -> None:
        if self._log:
            seconds = round(time.monotonic() - arrived, 4)
            note = {"time": time.time(), "key": question.key, "attempt": attempt, "fault": fault, "seconds": seconds}
            self._log.write(json.dumps(note) + "\n")

    def _list(self, names: tuple[str, ...]) -> Response:
        return json_response({"object": "list", "data": [_model(name) for name in names]})


async def serve(settings: Settings, announce: Callable[[dict[str, Any]], None], while_stdin: bool = False) -> None:
    """Run an endpoint until SIGTERM, SIGINT or, with ``while_stdin``, the end of standard input.

    Parameters
    ----------
    settings
        How it behaves.
    announce
        Is told the address and what runs there, once connections are taken.
    while_stdin
        Stop when the process that holds the other end of standard input is gone, however it ended.

    Raises
    ------
    LLMError
        When the port cannot be had, or the log not be written.
    """
    try:
        endpoint = Endpoint(settings)
    except OSError as error:
        raise LLMError(f"log {settings.log} cannot be written: {error.strerror}; give another file") from None
    clients: set[asyncio.Task[None]] = set()

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        clients.add(task)
        try:
            await endpoint.connection(reader, writer)
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            clients.discard(task)

    stopped = asyncio.Event()
    _stop_on(stopped, while_stdin)
    try:
        server = await asyncio.start_server(client, HOST, settings.port, limit=MOST_HEAD, backlog=1024)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        raise LLMError(f"port {settings.port} of {HOST} cannot be had: {why}; give another, or 0") from None
    port = server.sockets[0].getsockname()[1]
    announce(
        {
            "url": f"http://{HOST}:{port}/v1",
            "simulated": True,
            "seed": settings.seed,
            "fingerprint": fingerprint(settings.seed),
            "pid": os.getpid(),
        }
    )
    await stopped.wait()
    server.close()
    for task in list(clients):
        task.cancel()
    await asyncio.gather(*clients, return_exceptions=True)
    await endpoint.close()


def _stop_on(stopped: asyncio.Event, while_stdin: bool) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    if while_stdin:
        stdin = sys.stdin.fileno()

        def read() -> None:
            if not os.read(stdin, 1024):
                loop.remove_reader(stdin)
                stopped.set()

        loop.add_reader(stdin, read)


async def _say_no(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, response: Response) -> None:
    """Answer, then take what the client still sends: to close with unread bytes would take the answer from it."""
    with contextlib.suppress(OSError, TimeoutError):
        await send(writer, response, keep=False)
        writer.write_eof()
        async with asyncio.timeout(_LINGER):
            while await reader.read(65536):
                pass


async def _until_gone(reader: asyncio.StreamReader) -> None:
    while await reader.read(65536):
        pass
    raise GoneError


async def _cut(writer: asyncio.StreamWriter, response: Response) -> None:
    """Half of the body, then an end that is none."""
    writer.write(head_of(response, len(response.body), keep=True) + response.body[: len(response.body) // 2])
    await writer.drain()
    raise GoneError


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise BadRequestError("the request's body is no JSON") from None


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "simulated"}
