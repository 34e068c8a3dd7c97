"""The one way to ask a chat model: requests in, outcomes out, everything paid for kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from typing import Any

from pluristats.errors import LLMError, LLMStopped
from pluristats.llm import loop
from pluristats.llm.chain import Chain, Validate
from pluristats.llm.endpoint import Endpoint
from pluristats.llm.estimate import Estimate, estimate_run
from pluristats.llm.limits import Limits
from pluristats.llm.request import ChatRequest
from pluristats.llm.run import Run
from pluristats.llm.session import Counts, Session
from pluristats.llm.store import ResponseStore
from pluristats.llm.summary import recount, warn
from pluristats.progress import Advance, counted


class ChatClient:
    """Asks one endpoint, within limits, and keeps every answer in a store.

    Parameters
    ----------
    endpoint
        Where, and the name of the variable that holds the key.
    store
        Answers by request key; what it holds is not asked again.
    limits
        What a run may do.
    retry_failed
        Every run asks again what failed for good in an earlier one, also where nobody says so to `run`.
    """

    def __init__(
        self, endpoint: Endpoint, store: ResponseStore, limits: Limits | None = None, *, retry_failed: bool = False
    ):
        self.endpoint, self.store, self.limits = endpoint, store, limits or Limits()
        self.retry_failed = retry_failed

    def run(
        self,
        requests: Iterable[ChatRequest],
        *,
        validate: Validate | None = None,
        repairs: int = 2,
        retry_failed: bool = False,
        progress: bool = True,
        what: str = "requests",
    ) -> Run:
        """Ask what the store does not hold yet; the outcomes come in the order of the requests.

        Parameters
        ----------
        requests
            Taken one by one as there is room to send them; their number need not be known or fit into memory.
        validate
            Given an answer's text, returns what is wanted of it or raises ValueError; then the model is asked again
            with what was wrong, up to ``repairs`` times, each a request of its own in the store.
        repairs
            See there.
        retry_failed
            Ask again what failed for good in an earlier run. (Answers that never fitted are not asked again so; more
            ``repairs`` go on from the last.)
        progress, what
            Whether to show how far it is, and what to call it.

        Raises
        ------
        LLMError
            Before anything is sent: no key, no price, a store in use.
        LLMStopped
            The run could not end: key refused, quota or budget used up, too many failures in a row. What was answered
            is stored; the same call goes on from there.
        KeyboardInterrupt
            After Ctrl-C, when what was in flight has arrived (or ``limits.grace`` seconds have passed).
        """
        if repairs < 0:
            raise LLMError(f"repairs is {repairs}; it is a number of at least 0")
        self.endpoint.api_key()
        chain, keys = Chain(validate, repairs), list[str]()
        total = len(requests) if isinstance(requests, Sized) else None
        with self.store.writing(what) as number, counted(what, total, show=progress) as advance:
            session = Session(
                self.endpoint,
                self.store,
                self.limits,
                follow_up=chain.follow_up,
                retry_failed=retry_failed or self.retry_failed,
                told=_teller(advance, bool(self.limits.prices)),
            )
            loop.run(session, self._noting(requests, keys))
        if session.stopped:
            outcomes = session.counts.outcomes
            raise LLMStopped(session.stopped, outcomes.total(), total, outcomes["failed"])
        warn(session.counts, len(keys))
        return Run(self.store, self.endpoint.identity, keys, chain, session.counts, number)

    def collect(self, requests: Iterable[ChatRequest], *, validate: Validate | None = None, repairs: int = 2) -> Run:
        """What the store already holds of these requests; nothing is sent, no key is needed."""
        identity = self.endpoint.identity
        keys = [request.key(identity) for request in requests]
        return recount(Run(self.store, identity, keys, Chain(validate, repairs), Counts(), 0))

    def dry_run(self, requests: Iterable[ChatRequest], *, retry_failed: bool = False, batch: bool = False) -> Estimate:
        """What `run` (or, with ``batch``, `BatchRunner.run`) would send, cost and take; nothing is sent."""
        again = retry_failed or self.retry_failed
        return estimate_run(requests, self.endpoint.identity, self.store, self.limits, again, batch)

    def _noting(self, requests: Iterable[ChatRequest], keys: list[str]) -> Iterator[tuple[str, ChatRequest]]:
        for request in requests:
            keys.append(request.key(self.endpoint.identity))
            yield keys[-1], request


def _teller(advance: Advance, priced: bool) -> Any:
    """Progress in requests that had to be sent; those found in the store only make fewer of them."""

    def told(counts: Counts, fresh: bool | None) -> None:
        parts = [f"{counts.reused} from the store"] if counts.reused else []
        parts += [f"{counts.outcomes[kind]} {kind}" for kind in ("refused", "failed") if counts.outcomes[kind]]
        if counts.troubles:
            ((most, _),) = counts.troubles.most_common(1)
            parts += [f"attempts without an answer: {counts.troubles.total():,} (mostly {most})"]
        parts += [f"cost {counts.cost:.4g}" if priced else f"{counts.completion_tokens:,} tokens"]
        advance(int(fresh is True), fewer=int(fresh is False), note=", ".join(parts))

    return told
