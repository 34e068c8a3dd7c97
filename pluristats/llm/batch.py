"""Mass runs at half the price: the same requests, store and outcomes by the Batch API, within its 24 hours.

What is submitted is noted before it leaves, with a token that the batch carries, so that a run that is killed at any
moment finds its batches again and pays for none twice.
"""

from __future__ import annotations

import json
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pluristats.errors import LLMError, LLMStopped
from pluristats.llm.answer import Unusable, parse
from pluristats.llm.batch_api import BatchApi
from pluristats.llm.chain import Chain, Validate
from pluristats.llm.client import ChatClient
from pluristats.llm.limits import Budget
from pluristats.llm.request import ChatRequest, sent_json
from pluristats.llm.run import Run
from pluristats.llm.session import Counts
from pluristats.llm.summary import recount, warn
from pluristats.llm.tokens import worst_case
from pluristats.llm.transport import redact
from pluristats.llm.verdict import Verdict, judge_json, settled_by
from pluristats.progress import counted

# The provider's most requests and bytes a batch (OpenAI: 50,000 and 200 MB).
PER_BATCH, BYTES = 50_000, 190_000_000
_ENDED = ("completed", "failed", "expired", "cancelled")


@dataclass(frozen=True)
class Batch:
    """A batch that has not been collected: its token, its id at the endpoint (None: never begun), its status there."""

    token: str
    id: str | None
    status: str
    items: int


class BatchRunner:
    """Runs requests through the Batch API into a client's store.

    Parameters
    ----------
    client
        Endpoint, store and limits; of the limits, budgets, ``attempts``, ``deadline`` and the waits count here.
    per_batch, bytes_per_batch
        What the provider takes at most.
    every
        Seconds between looks.
    """

    def __init__(
        self, client: ChatClient, *, per_batch: int = PER_BATCH, bytes_per_batch: int = BYTES, every: float = 60.0
    ):
        if not per_batch >= 1 or not bytes_per_batch >= 1 or not every >= 0:
            raise LLMError("per_batch and bytes_per_batch are at least 1, and every is at least 0 seconds")
        self.endpoint, self.store, self.limits = client.endpoint, client.store, client.limits
        self.retry_failed = client.retry_failed
        self.per_batch, self.bytes_per_batch, self.every = per_batch, bytes_per_batch, every
        self._counts, self._budget = Counts(), Budget(None, None)
        self._stopped = ""

    def open(self) -> list[Batch]:
        """Batches of this endpoint that are submitted and not collected."""
        rows = self.store.rows(
            "SELECT token, id, status, items FROM batches WHERE endpoint = ? AND status <> 'collected' ORDER BY begun",
            (self.endpoint.identity,),
        )
        return [Batch(*row) for row in rows]

    def run(
        self,
        requests: Iterable[ChatRequest],
        *,
        validate: Validate | None = None,
        repairs: int = 2,
        retry_failed: bool = False,
        progress: bool = True,
        what: str = "batched requests",
        wait: bool = True,
    ) -> Run:
        """Submit what the store lacks, wait, collect; repairs and what failed in passing go into further batches.

        Parameters
        ----------
        requests
            Gone through once a round, so a list or something else that can be repeated.
        validate, repairs, retry_failed, progress, what
            As in `ChatClient.run`.
        wait
            False submits and collects once and does not wait: outcomes that are not there yet are `NotAsked`.

        Raises
        ------
        LLMError, LLMStopped
            As `ChatClient.run`. KeyboardInterrupt leaves the batches going; the same call collects them.
        """
        if isinstance(requests, Iterator):
            raise LLMError("requests of a batched run are gone through several times: give a list, not an iterator")
        chain, identity = Chain(validate, repairs), self.endpoint.identity
        self._counts, self._stopped = Counts(), ""
        keys = [request.key(identity) for request in requests]
        with (
            self.store.writing(what) as number,
            BatchApi(self.endpoint, self.limits) as api,
            counted(what, len(set(keys)), show=progress) as advance,
        ):
            self._recover(api)
            known = 0
            while True:
                self._collect(api)
                lacking = self._submit(api, requests, chain, retry_failed or self.retry_failed)
                done = len(set(keys)) - lacking
                batches = self.open()
                cost = f", cost {self._counts.cost:.4g}" if self.limits.prices else ""
                advance(done - known, note=f"{len(batches)} batches open{cost}")
                known = done
                if not batches or not wait:
                    break
                time.sleep(self.every)
        if self._stopped:
            raise LLMStopped(self._stopped, known, len(set(keys)))
        run = recount(Run(self.store, identity, keys, chain, self._counts, number))
        warn(run.counts, len(keys))
        return run

    def _submit(self, api: BatchApi, requests: Iterable[ChatRequest], chain: Chain, retry_failed: bool) -> int:
        """Submit what the store and the open batches lack; gives how many chains have not ended."""
        self._budget = Budget(self.limits.max_cost, self.limits.max_requests)
        for asked, batched, sent, prompt, completion in self.store.spent_tokens(self.endpoint.identity):
            self._budget.sent += sent
            self._budget.spent += self.limits.price(asked).of(prompt, completion, batched)
        pending = {
            key
            for (key,) in self.store.rows(
                "SELECT key FROM batch_items JOIN batches USING (token) WHERE status <> 'collected' AND endpoint = ?",
                (self.endpoint.identity,),
            )
        }
        lacking: set[str] = set()

        def needed() -> Iterator[tuple[str, ChatRequest]]:
            for request in requests:
                if (next_ := chain.lacking(self.store, self.endpoint.identity, request, retry_failed)) is None:
                    continue
                fresh = next_[0] not in lacking and next_[0] not in pending
                lacking.add(next_[0])
                if fresh and not self._stopped:
                    yield next_

        with tempfile.TemporaryDirectory() as folder:
            for part in self._parts(needed(), Path(folder)):
                self._begin(api, *part)
        return len(lacking)

    def _parts(
        self, needed: Iterator[tuple[str, ChatRequest]], folder: Path
    ) -> Iterator[tuple[Path, list[tuple[str, ChatRequest]]]]:
        """Files of request lines within the provider's limits, with what is in them."""
        path, items, size = folder / "requests.jsonl", list[tuple[str, ChatRequest]](), 0
        file = path.open("wb")
        for key, request in needed:
            if request.plain:
                raise LLMError("plain completions are not batched; send them with ChatClient.run")
            worst = worst_case(request, len(sent_json(request.body())))
            cost = self.limits.price(request.model).of(worst.prompt, worst.completion, batch=True)
            if self.limits.max_cost is not None and request.most_completion_tokens is None:
                raise LLMError("max_cost needs max_tokens in every request: without it an answer may cost anything")
            if not self._budget.fits(cost):
                # What is in open batches, or goes into one now, may turn out cheaper than its worst case.
                if self._budget.no_more_requests or not (items or self._budget.promised or self.open()):
                    self._stopped = self._budget.reached()
                break
            self._budget.promise(cost)
            body = request.body()
            line = sent_json({"custom_id": key, "method": "POST", "url": "/v1/chat/completions", "body": body})
            if items and (len(items) == self.per_batch or size + len(line) + 1 > self.bytes_per_batch):
                file.close()
                yield path, items
                file, items, size = path.open("wb"), [], 0
            file.write(line.encode("ascii") + b"\n")
            items.append((key, request))
            size += len(line) + 1
        file.close()
        if items:
            yield path, items

    def _begin(self, api: BatchApi, path: Path, items: list[tuple[str, ChatRequest]]) -> None:
        """Note a batch and its attempts, then begin it, then note its id."""
        token, identity, now = uuid.uuid4().hex, self.endpoint.identity, time.time()
        file = api.upload(path)
        ((first,),) = self.store.rows("SELECT coalesce(max(id), 0) + 1 FROM attempts")

        def changes() -> Iterator[tuple[str, tuple[Any, ...]]]:
            yield (
                "INSERT INTO batches (token, endpoint, run, begun, status, items) VALUES (?, ?, ?, ?, 'begun', ?)",
                (token, identity, self.store.run, now, len(items)),
            )
            for attempt, (key, request) in enumerate(items, start=first):
                worst = worst_case(request, len(sent_json(request.body())))
                yield (
                    "INSERT INTO attempts (id, run, key, endpoint, asked, begun, prompt_tokens, completion_tokens,"
                    " batched) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1)",
                    (attempt, self.store.run, key, identity, request.model, now, worst.prompt, worst.completion),
                )
                yield (
                    "INSERT INTO batch_items (token, key, attempt, request) VALUES (?, ?, ?, ?)",
                    (token, key, attempt, request.to_json()),
                )

        self.store.change(changes())
        self.store.sync()
        try:
            batch = api.create(file, token)
        except LLMStopped:
            self._recover(api)
            raise
        self._counts.sent += len(items)
        self.store.change([("UPDATE batches SET id = ?, status = 'submitted' WHERE token = ?", (batch, token))])

    def _recover(self, api: BatchApi) -> None:
        """Find the batches that a killed run began without learning their ids; forget those that never began."""
        for batch in self.open():
            if batch.id is not None:
                continue
            found = api.find(batch.token)
            if found is not None:
                self.store.change(
                    [("UPDATE batches SET id = ?, status = 'submitted' WHERE token = ?", (found["id"], batch.token))]
                )
            else:
                self._release(batch)

    def _release(self, batch: Batch) -> None:
        """Forget the attempts of a batch that were never worked on."""
        unworked = "(SELECT attempt FROM batch_items WHERE token = ?) AND ended IS NULL"
        self.store.change(
            [
                (f"DELETE FROM attempts WHERE id IN {unworked}", (batch.token,)),
                ("DELETE FROM batch_items WHERE token = ?", (batch.token,)),
                ("UPDATE batches SET status = 'collected' WHERE token = ?", (batch.token,)),
            ]
        )

    def _collect(self, api: BatchApi) -> None:
        """Store the answers of every batch that has ended."""
        for batch in self.open():
            assert batch.id is not None, "batches without an id are recovered first"
            now = api.look(batch.id)
            if (status := str(now["status"])) not in _ENDED:
                self.store.change([("UPDATE batches SET status = ? WHERE token = ?", (status, batch.token))])
                continue
            for name in ("output_file_id", "error_file_id"):
                if now.get(name):
                    self._store_lines(api.lines(str(now[name])), batch)
            if status == "failed":
                errors = (now.get("errors") or {}).get("data") or [{}]
                why = redact(str(errors[0].get("message") or "no reason given"), self.endpoint.api_key())
                self._stopped = f"{self.endpoint.base_url} refused batch {batch.id}: {why[:300]}"
            elif status == "completed":
                self._count_missing(batch)
            self._release(batch)

    def _store_lines(self, lines: Iterable[bytes], batch: Batch) -> None:
        for line in lines:
            content = parse(line)
            key = content.get("custom_id") if isinstance(content, dict) else None
            waiting = self._waiting(batch, "AND batch_items.key = ?", key) if isinstance(key, str) else []
            if waiting:
                ((key, attempt, text),) = waiting
                request = ChatRequest.from_json(text)
                self._settle(key, request, attempt, _verdict(content, request))
            elif line.strip():
                self._counts.troubles["a line that nobody asked for"] += 1

    def _waiting(self, batch: Batch, more: str = "", *values: str) -> list[tuple[str, int, str]]:
        """Key, attempt and request of a batch's items that have not ended."""
        return self.store.rows(
            "SELECT batch_items.key, attempt, request FROM batch_items JOIN attempts ON attempts.id = attempt"
            f" WHERE token = ? AND ended IS NULL {more}",
            (batch.token, *values),
        )

    def _settle(self, key: str, request: ChatRequest, attempt: int, verdict: Verdict) -> None:
        """Store what one line of a batch says; what may pass is asked again, up to ``limits.attempts`` times."""
        ((tried,),) = self.store.rows("SELECT count(*) FROM attempts WHERE key = ? AND ended IS NOT NULL", (key,))
        if verdict.what == "stop":
            self._stopped = f"{self.endpoint.base_url}: {redact(verdict.reason, self.endpoint.api_key())}"
        secret = self.endpoint.api_key()
        hide: Callable[[str], str] = lambda words: redact(words, secret)  # noqa: E731
        last = tried + 1 >= self.limits.attempts
        stored = settled_by(verdict, request, key, last, self.store.run, None, hide)
        self.store.ended(attempt, verdict.kind, verdict.charged, stored)
        if verdict.what != "answered":
            self._counts.troubles[verdict.kind] += 1
        if verdict.charged is not None:
            self._counts.prompt_tokens += verdict.charged[0]
            self._counts.completion_tokens += verdict.charged[1]
            self._counts.cost += self.limits.price(request.model).of(*verdict.charged, batch=True)

    def _count_missing(self, batch: Batch) -> None:
        """What a completed batch does not mention may have been charged: it ends at its worst case."""
        for key, attempt, text in self._waiting(batch):
            verdict = Verdict("again", "missing from the batch's files", charged=None)
            self._settle(key, ChatRequest.from_json(text), attempt, verdict)


def _verdict(line: dict[str, Any], request: ChatRequest) -> Verdict:
    """What a line of a batch's output says about its request."""
    response, error = line.get("response"), line.get("error")
    if isinstance(response, dict) and isinstance(status := response.get("status_code"), int):
        body = response.get("body")
        return judge_json(status, {}, Unusable("empty body") if body is None else body, request)
    detail = json.dumps(error)[:300] if error else ""
    return Verdict("again", "no response in the batch", detail)
