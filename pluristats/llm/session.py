"""One run: workers that take requests from an iterator, send what the store lacks, and stop together."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pluristats.errors import LLMError
from pluristats.llm.endpoint import Endpoint
from pluristats.llm.limits import Bucket, Budget, Limits
from pluristats.llm.request import ChatRequest, sent_json
from pluristats.llm.store import ResponseStore, Stored
from pluristats.llm.tokens import estimate, worst_case
from pluristats.llm.transport import NoResponseError, Transport
from pluristats.llm.verdict import Verdict, back_off, judge, settled_by, unanswered

# Seconds between waits for the disk, which is what a power cut can take (see `store`), and signs of life.
_BEAT = 5.0
# Requests found in the store before a worker lets others work.
_YIELD_EVERY = 50


@dataclass
class Counts:
    """What a run has done so far.

    Parameters
    ----------
    outcomes
        Number of requests given by outcome: completed, refused, failed.
    reused
        Of those, how many the store had before.
    sent
        Requests sent, repeats and repairs included.
    troubles
        Attempts that gave no answer, by kind.
    failures
        Requests failed for good, by kind.
    versions
        Answers by (model asked, model answering, fingerprint).
    prompt_tokens, completion_tokens, cost
        Of what was sent in this run (uncertain attempts at their worst case).
    simulated
        Answers from a simulated endpoint.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    reused: int = 0
    sent: int = 0
    troubles: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    versions: Counter[tuple[str, str | None, str | None]] = field(default_factory=Counter)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    simulated: int = 0


@dataclass(frozen=True)
class Settled:
    """The end of one request: what is stored of it (its last repair's), and why it fails although answered."""

    stored: Stored
    misfit: str = ""


class Session:
    """The asynchronous part of a run.

    Parameters
    ----------
    endpoint, store, limits
        As of the client.
    follow_up
        Given a request and what is stored of it: the repair to ask next, "" when the answer fits (or is none), or why
        it does not fit and no repair is left.
    retry_failed
        Send again what the store holds as failed.
    told
        Called after every request with the counts and whether something was sent for it; with None every few seconds,
        so that people see a run that waits.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        store: ResponseStore,
        limits: Limits,
        *,
        follow_up: Callable[[ChatRequest, Stored, int], ChatRequest | str],
        retry_failed: bool = False,
        told: Callable[[Counts, bool | None], None] = lambda counts, fresh: None,
    ):
        self.endpoint, self.store, self.limits = endpoint, store, limits
        self.counts = Counts()
        self.stopped = ""
        self._follow_up, self._retry_failed, self._told = follow_up, retry_failed, told
        self._requests, self._tokens = Bucket(limits.requests_per_minute), Bucket(limits.tokens_per_minute)
        self._budget = Budget(limits.max_cost, limits.max_requests)
        self._busy: dict[str, asyncio.Future[Settled]] = {}
        self._flying: set[asyncio.Task[Any]] = set()
        self._workers: list[asyncio.Task[None]] = []
        self._landed = asyncio.Event()
        self._not_before = 0.0
        self._failed_in_a_row = 0

    async def run(self, requests: Iterator[tuple[str, ChatRequest]]) -> None:
        """Settle every request, given with its key, or stop: then ``stopped`` says why."""
        for asked, batched, sent, prompt, completion in self.store.spent_tokens(self.endpoint.identity):
            self._budget.sent += sent
            self._budget.spent += self.limits.price(asked).of(prompt, completion, batched)
        async with Transport(self.endpoint, self.limits) as self._transport:
            beating = asyncio.create_task(self._beat())
            self._workers = [asyncio.create_task(self._work(requests)) for _ in range(self.limits.concurrency)]
            try:
                await self._all_done()
            finally:
                beating.cancel()

    async def _all_done(self) -> None:
        """Wait for the workers; after an error nothing more is sent, what is in flight lands, and it is raised."""
        waiting: set[asyncio.Task[None]] = set(self._workers)
        errors: list[BaseException] = []
        while waiting:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            errors += [error for task in done if not task.cancelled() and (error := task.exception()) is not None]
            if errors:
                self.stop("an error of the caller's own")
        if errors:
            raise errors[0]

    def stop(self, why: str) -> None:
        """Send nothing more; what is in flight may land."""
        if not self.stopped:
            self.stopped = why
            current = asyncio.current_task()
            for task in self._workers:
                if task not in self._flying and task is not current:
                    task.cancel()

    def abandon(self) -> None:
        """Wait for nothing more."""
        for task in self._workers:
            task.cancel()

    @property
    def in_flight(self) -> int:
        """Requests sent and not answered."""
        return len(self._flying)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(_BEAT)
            self._told(self.counts, None)
            await asyncio.to_thread(self.store.sync)

    async def _work(self, requests: Iterator[tuple[str, ChatRequest]]) -> None:
        for number, (key, request) in enumerate(requests, start=1):
            sent = self.counts.sent
            settled = await self._settle(request, key)
            if settled is None:
                return
            self._count(settled, request.model)
            self._told(self.counts, self.counts.sent > sent)
            if self.stopped:
                return
            if number % _YIELD_EVERY == 0:
                await asyncio.sleep(0)

    async def _settle(self, request: ChatRequest, key: str) -> Settled | None:
        """The end of a request, or None when the run stops before it."""
        if (other := self._busy.get(key)) is not None:
            # The same question is being asked right now: its answer is this one's too.
            return await asyncio.shield(other)
        self._busy[key] = future = asyncio.get_running_loop().create_future()
        try:
            settled = await self._chain(request, key)
            future.set_result(settled)
            return settled
        finally:
            del self._busy[key]
            if not future.done():
                future.cancel()

    async def _chain(self, request: ChatRequest, key: str) -> Settled | None:
        """Ask; then ask for repairs until the answer fits or none is left."""
        for repair in range(10_000):
            stored = self.store.get(key)
            if stored is None or (stored.kind == "failed" and self._retry_failed and stored.run != self.store.run):
                stored = await self._ask(request, key)
                if stored is None:
                    return None
            after = self._follow_up(request, stored, repair)
            if isinstance(after, str):
                return Settled(stored, after)
            request, key = after, after.key(self.endpoint.identity)
        raise AssertionError("a chain of repairs has no end")

    async def _ask(self, request: ChatRequest, key: str) -> Stored | None:
        """Send a request until it is answered or has failed for good, and store which."""
        body = sent_json(request.body()).encode("ascii")
        worst, expected = worst_case(request, len(body)), estimate(request, len(body))
        price = self.limits.price(request.model)
        if self.limits.max_cost is not None and request.most_completion_tokens is None:
            raise LLMError("max_cost needs max_tokens in every request: without it an answer may cost anything")
        cost = price.of(worst.prompt, worst.completion)
        paid = 0
        for attempt in range(1, self.limits.attempts + 1):
            if not await self._may_send(cost, expected.prompt + expected.completion):
                return None
            self._budget.promise(cost)
            self.counts.sent += 1
            number = self.store.sending(key, self.endpoint.identity, request.model, worst.prompt, worst.completion)
            begun = time.perf_counter()
            verdict = await self._attempt(body, request)
            charged = verdict.charged or (worst.prompt, worst.completion)
            self._budget.settle(cost, price.of(*charged))
            self._landed.set()
            if verdict.paid and verdict.charged is not None:
                self._tokens.settle(sum(charged) - expected.prompt - expected.completion)
            paid += verdict.paid
            last = attempt == self.limits.attempts or paid >= self.limits.paid_attempts
            stored = settled_by(
                verdict, request, key, last, self.store.run, time.perf_counter() - begun, self._transport.redact
            )
            self.store.ended(number, verdict.kind, verdict.charged, stored)
            self.counts.prompt_tokens += charged[0]
            self.counts.completion_tokens += charged[1]
            self.counts.cost += price.of(*charged)
            if verdict.what != "answered":
                self.counts.troubles[verdict.kind] += 1
            if stored is not None:
                self._breaker(stored)
                return stored
            if verdict.what == "stop":
                self.stop(f"{self.endpoint.base_url}: {self._transport.redact(verdict.reason)}")
            if self.stopped:
                return None
            await self._wait(verdict, attempt, key)
            if self.stopped:
                return None
        raise AssertionError("the last attempt settles the request")

    async def _attempt(self, body: bytes, request: ChatRequest) -> Verdict:
        task = asyncio.current_task()
        assert task is not None
        self._flying.add(task)
        try:
            response = await self._transport.ask(request.path, body)
        except NoResponseError as error:
            return unanswered(error.reason, error.sent)
        finally:
            self._flying.discard(task)
        return judge(response.status, response.headers, response.content, request)

    async def _may_send(self, cost: float, tokens: int) -> bool:
        """Wait until limits and budget let a request pass; False when the run stops instead."""
        await self._requests.take(1)
        await self._tokens.take(tokens)
        while not self.stopped:
            if (pause := self._not_before - time.monotonic()) > 0:
                await asyncio.sleep(pause)
            elif self._budget.fits(cost):
                return True
            elif not self._flying or self._budget.no_more_requests:
                self.stop(self._budget.reached())
            else:
                # What is in flight may turn out cheaper than its worst case.
                self._landed.clear()
                await self._landed.wait()
        return False

    async def _wait(self, verdict: Verdict, attempt: int, key: str) -> None:
        """Before the next attempt: as long as the endpoint asks everybody to wait, or this request's back-off."""
        if verdict.wait is None:
            limits = self.limits
            await asyncio.sleep(back_off(attempt, limits.first_wait, limits.longest_wait, limits.seed, key))
        elif verdict.wait <= self.limits.longest_retry_after:
            self._not_before = max(self._not_before, time.monotonic() + verdict.wait)
        else:
            self.stop(
                f"{self.endpoint.base_url} asks to wait {verdict.wait:,.0f} s, longer than longest_retry_after, "
                f"{self.limits.longest_retry_after:g} s ({self._transport.redact(verdict.reason)})"
            )

    def _breaker(self, stored: Stored) -> None:
        self._failed_in_a_row = self._failed_in_a_row + 1 if stored.kind == "failed" else 0
        if self._failed_in_a_row >= self.limits.stop_after:
            self.stop(
                f"{self.endpoint.base_url}: {self._failed_in_a_row} requests in a row have failed, the last with "
                f"{stored.reason}; see that this is the right address and that it answers"
            )

    def _count(self, settled: Settled, asked: str) -> None:
        stored, counts = settled.stored, self.counts
        failed = stored.kind == "failed" or settled.misfit
        counts.outcomes["failed" if failed else stored.kind] += 1
        counts.reused += stored.run != self.store.run
        counts.simulated += stored.simulated
        if failed:
            counts.failures[failure_kind(stored, settled.misfit)] += 1
        elif stored.kind == "completed":
            counts.versions[asked, stored.model, stored.fingerprint] += 1


def failure_kind(stored: Stored, misfit: str) -> str:
    """A failure in a few words, for counting."""
    return "answer of another form" if misfit else (stored.reason or "").split(": ")[0]
