"""The store of answers: one SQLite file, written before anything else is done with an answer.

What it survives. Every row is committed in WAL mode when it is known, so that killing the process at any moment loses
only answers that had not arrived; and nothing is sent when the disk has no room for its answer. A power cut or a crash
of the machine can lose what came since the last `sync` (`ChatClient` asks for one every five seconds), never what came
before it, and leaves a readable file.

The file holds requests, answers and reasons as JSON in ASCII, and numbers; nothing in it is ever executed or unpickled.
One process at a time may run requests into it (`writing`); others may read it meanwhile. Keep it on a disk of this
machine: SQLite's locks do not hold on a network share.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from pluristats.errors import LLMError
from pluristats.llm.jsontext import ascii_json

# "PluL": what file(1) and we recognise a store by; the version of the tables is SQLite's user_version.
_APPLICATION = 0x506C754C
# Bytes that must be free on the disk for a request to be sent, so that the answers in flight find room: 256 of 100 kB.
ROOM = 2**25
_VERSION = 1
_TABLES = """
CREATE TABLE runs (id INTEGER PRIMARY KEY, begun REAL NOT NULL, pid INTEGER NOT NULL, note TEXT NOT NULL);
CREATE TABLE responses (
  key TEXT PRIMARY KEY, run INTEGER NOT NULL, kind TEXT NOT NULL CHECK (kind IN ('completed', 'refused', 'failed')),
  endpoint TEXT NOT NULL, request TEXT NOT NULL, request_bytes INTEGER NOT NULL, body TEXT, reason TEXT,
  asked TEXT NOT NULL, model TEXT, fingerprint TEXT, simulated INTEGER NOT NULL,
  prompt_tokens INTEGER, completion_tokens INTEGER, seconds REAL, stored REAL NOT NULL);
CREATE TABLE attempts (
  id INTEGER PRIMARY KEY, run INTEGER NOT NULL, key TEXT NOT NULL, endpoint TEXT NOT NULL, asked TEXT NOT NULL,
  begun REAL NOT NULL, ended REAL, result TEXT, prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL,
  batched INTEGER NOT NULL DEFAULT 0);
CREATE INDEX attempts_by_key ON attempts (key);
CREATE TABLE batches (
  token TEXT PRIMARY KEY, id TEXT, endpoint TEXT NOT NULL, run INTEGER NOT NULL, begun REAL NOT NULL,
  status TEXT NOT NULL, items INTEGER NOT NULL);
CREATE TABLE batch_items (
  token TEXT NOT NULL, key TEXT NOT NULL, attempt INTEGER NOT NULL, request TEXT NOT NULL, PRIMARY KEY (token, key));
"""


@dataclass(frozen=True)
class Stored:
    """What the store holds of one request: its answer, or why there is none.

    Parameters
    ----------
    key, request
        The key and the request as JSON (`ChatRequest.from_json`).
    kind
        "completed": ``body`` is the endpoint's JSON; "refused": ``body`` too, and ``reason`` is what the model said;
        "failed": ``reason`` says why it has failed for good, ``body`` is None.
    model, fingerprint
        As the endpoint named them (None when it did not).
    simulated
        The answer came from a simulated endpoint.
    prompt_tokens, completion_tokens
        As the endpoint counted them (None when it did not).
    seconds
        From sending to the answer.
    run
        Number of the run that stored it.
    """

    key: str
    request: str
    kind: Literal["completed", "refused", "failed"]
    body: str | None
    reason: str | None
    model: str | None
    fingerprint: str | None
    simulated: bool
    prompt_tokens: int | None
    completion_tokens: int | None
    seconds: float | None
    run: int


_STORED = ", ".join(field.name for field in fields(Stored))


class ResponseStore:
    """Answers by request key, and every request ever sent.

    Parameters
    ----------
    path
        SQLite file; made when absent.
    create
        False refuses a file that is not there.

    Raises
    ------
    LLMError
        When the file is something else, damaged, of another version, or cannot be written.
    """

    def __init__(self, path: str | Path, *, create: bool = True):
        self.path = Path(path)
        self.run = 0
        if not create and not self.path.is_file():
            raise LLMError(f"there is no store {self.path}")
        with self._named():
            # The client works in a thread of its own; only one thread at a time uses the connection.
            self._db = sqlite3.connect(self.path, timeout=30.0, isolation_level=None, check_same_thread=False)
            try:
                self._open()
            except BaseException:
                self._db.close()
                raise

    def _open(self) -> None:
        (application,) = self._db.execute("PRAGMA application_id").fetchone()
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        (tables,) = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and application != _APPLICATION:
            raise LLMError(f"{self.path} is a database of something else, not a store of answers; name another file")
        if tables and version != _VERSION:
            raise LLMError(
                f"{self.path} is a store of version {version}, and this pluristats reads version {_VERSION}; name "
                "another file"
            )
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        if not tables:
            with self._transaction():
                if not self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                    for statement in _TABLES.split(";\n"):
                        self._db.execute(statement)
                    self._db.execute(f"PRAGMA application_id = {_APPLICATION}")
                    self._db.execute(f"PRAGMA user_version = {_VERSION}")

    def __enter__(self) -> ResponseStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; what is stored stays."""
        self._db.close()

    @contextmanager
    def writing(self, note: str = "") -> Iterator[int]:
        """Be the one process that runs requests into this store; gives the run's number.

        A lock of the operating system on ``<path>.lock`` guards it, so that a run that was killed blocks nobody.

        Raises
        ------
        LLMError
            When another run holds it.
        """
        import fcntl

        try:
            lock = open(f"{self.path}.lock", "a+", encoding="ascii")  # noqa: SIM115 (closed below)
        except OSError as error:
            raise LLMError(f"cannot write beside store {self.path}: {error.strerror}") from None
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                lock.seek(0)
                holder = lock.read(20).strip() or "unknown"
                raise LLMError(
                    f"another run (process {holder}) is writing to store {self.path}; wait for it or name another store"
                ) from None
            lock.truncate(0)
            lock.write(f"{os.getpid()}\n")
            lock.flush()
            with self._named():
                row = self._db.execute(
                    "INSERT INTO runs (begun, pid, note) VALUES (?, ?, ?)", (time.time(), os.getpid(), note)
                )
            self.run = int(row.lastrowid or 0)
            try:
                yield self.run
            finally:
                self.sync()

    def get(self, key: str) -> Stored | None:
        """What is stored under a key."""
        with self._named():
            row = self._db.execute(f"SELECT {_STORED} FROM responses WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        stored = Stored(*row)
        reason = None if stored.reason is None else json.loads(stored.reason)
        return replace(stored, reason=reason, simulated=bool(stored.simulated))

    def sending(
        self, key: str, endpoint: str, asked: str, prompt_tokens: int, completion_tokens: int, batched: bool = False
    ) -> int:
        """Note that a request is about to be sent, with the most tokens it may cost; gives the attempt's number.

        An attempt that is never ended (the process was killed) keeps counting with these tokens.

        Raises
        ------
        LLMError
            The disk is nearly full: an answer might be paid for and find no room.
        """
        free = shutil.disk_usage(self.path.parent).free
        if free < ROOM:
            raise LLMError(
                f"store {self.path}: {free / 2**20:,.0f} MiB are free on its disk, and answers might find no room; "
                f"free {ROOM / 2**20:,.0f} MiB, then run the same again: every answer so far is stored"
            )
        with self._named():
            row = self._db.execute(
                "INSERT INTO attempts (run, key, endpoint, asked, begun, prompt_tokens, completion_tokens, batched)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (self.run, key, endpoint, asked, time.time(), prompt_tokens, completion_tokens, batched),
            )
        return int(row.lastrowid or 0)

    def ended(self, attempt: int, result: str, tokens: tuple[int, int] | None, response: Stored | None = None) -> None:
        """Note how an attempt ended, and store what it brought in the same transaction.

        Parameters
        ----------
        attempt
            From `sending`.
        result
            ``"answered"`` or what went wrong, short.
        tokens
            Of prompt and answer as charged; None keeps the worst case noted before.
        response
            What settles the request: its answer or final failure.
        """
        with self._named(), self._transaction():
            self._db.execute("UPDATE attempts SET ended = ?, result = ? WHERE id = ?", (time.time(), result, attempt))
            if tokens is not None:
                self._db.execute(
                    "UPDATE attempts SET prompt_tokens = ?, completion_tokens = ? WHERE id = ?", (*tokens, attempt)
                )
            if response is not None:
                self._put(response, attempt)

    def _put(self, response: Stored, attempt: int) -> None:
        endpoint, asked = self._db.execute("SELECT endpoint, asked FROM attempts WHERE id = ?", (attempt,)).fetchone()
        s, reason = response, None if response.reason is None else ascii_json(response.reason)
        self._db.execute(
            "INSERT OR REPLACE INTO responses (key, run, kind, endpoint, request, request_bytes, body, reason, asked,"
            " model, fingerprint, simulated, prompt_tokens, completion_tokens, seconds, stored)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (s.key, self.run, s.kind, endpoint, s.request, len(s.request), s.body, reason, asked, s.model,
             s.fingerprint, s.simulated, s.prompt_tokens, s.completion_tokens, s.seconds, time.time()),
        )  # fmt: skip

    def rows(self, query: str, values: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
        """Rows of a reading query; the tables are in this module's text."""
        with self._named():
            return self._db.execute(query, tuple(values)).fetchall()

    def change(self, statements: Iterable[tuple[str, tuple[Any, ...]]]) -> None:
        """Several changes in one transaction."""
        with self._named(), self._transaction():
            for statement, values in statements:
                self._db.execute(statement, values)

    def spent_tokens(self, endpoint: str) -> list[tuple[str, bool, int, int, int]]:
        """Everything ever sent to an endpoint: (model asked, batched, requests, prompt tokens, completion tokens)."""
        return [
            (asked, bool(batched), *counts)
            for asked, batched, *counts in self.rows(
                "SELECT asked, batched, count(*), sum(prompt_tokens), sum(completion_tokens) FROM attempts"
                " WHERE endpoint = ? GROUP BY asked, batched",
                (endpoint,),
            )
        ]

    def sync(self) -> None:
        """Wait until what is written so far is on the disk, so that a power cut cannot take it."""
        # The log beside the database carries no locks, so opening and closing it here is safe (the database is not).
        try:
            log = os.open(f"{self.path}-wal", os.O_RDONLY)
        except FileNotFoundError:
            return
        try:
            os.fsync(log)
        finally:
            os.close(log)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if "not a database" in str(error) or "malformed" in str(error):
                remedy = (
                    "it is no store of answers or damaged; name another, or save what can be with sqlite3's .recover"
                )
            else:
                remedy = "is the folder there, writable and on a disk with space left?"
            raise LLMError(f"store {self.path}: {error}; {remedy}") from None
