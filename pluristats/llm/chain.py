"""From a request to its outcome: the answer in the store, or that of the repairs that follow from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pluristats.llm.answer import Answer, Usage, parse, read
from pluristats.llm.outcome import Completed, Failed, NotAsked, Outcome, Refused
from pluristats.llm.repair import describe, repair
from pluristats.llm.request import ChatRequest
from pluristats.llm.store import ResponseStore, Stored

Validate = Callable[[str], Any]


@dataclass(frozen=True)
class Chain:
    """How answers are judged, and how often a better one is asked for.

    Parameters
    ----------
    validate
        Makes what it likes of an answer's text; raises ValueError (pydantic's ValidationError is one) when it does not
        fit. Anything else that it raises is a fault of its own and stops the run.
    repairs
        The most repairs of one request.
    """

    validate: Validate | None
    repairs: int

    def follow_up(self, request: ChatRequest, stored: Stored, repairs: int) -> ChatRequest | str:
        """The repair to ask next, or why there is none: "" when the answer fits or there is none to judge."""
        if self.validate is None or stored.kind != "completed":
            return ""
        text = answer_of(stored, request).text
        try:
            self.validate(text)
        except ValueError as error:
            return repair(request, text, error, repairs + 1) if repairs < self.repairs else _misfit(error, repairs)
        return ""

    def lacking(
        self, store: ResponseStore, endpoint: str, request: ChatRequest, retry_failed: bool = False
    ) -> tuple[str, ChatRequest] | None:
        """The request of a chain that is to be asked next, with its key; None when the chain has its end.

        It is the one that the store does not hold yet, or holds as failed in an earlier run with ``retry_failed``.
        """
        repairs = 0
        while (stored := store.get(key := request.key(endpoint))) is not None:
            if retry_failed and stored.kind == "failed" and stored.run != store.run:
                break
            after = self.follow_up(request, stored, repairs)
            if isinstance(after, str):
                return None
            request, repairs = after, repairs + 1
        return key, request

    def outcome(self, store: ResponseStore, endpoint: str, key: str, run: int) -> Outcome:
        """What the store holds of a request, at the end of its chain of repairs."""
        first, repairs = key, 0
        while (stored := store.get(key)) is not None:
            request = ChatRequest.from_json(stored.request)
            old = stored.run != run
            if stored.kind == "failed":
                return Failed(first, stored.reason or "", None, stored.simulated, old, repairs)
            usage = Usage(stored.prompt_tokens, stored.completion_tokens)
            common = (usage, stored.model, stored.fingerprint)
            if stored.kind == "refused":
                return Refused(first, stored.reason or "", *common, stored.simulated, old, repairs)
            answer = answer_of(stored, request)
            try:
                parsed = None if self.validate is None else self.validate(answer.text)
            except ValueError as error:
                if repairs == self.repairs:
                    return Failed(first, _misfit(error, repairs), answer.text, stored.simulated, old, repairs)
                key, repairs = repair(request, answer.text, error, repairs + 1).key(endpoint), repairs + 1
                continue
            return Completed(
                first, answer.text, parsed, *common, answer.logprobs, answer.finish, stored.simulated, old, repairs
            )
        return NotAsked(first)


def answer_of(stored: Stored, request: ChatRequest) -> Answer:
    """The answer in a stored body, which was one when it was stored."""
    answer = read(parse(stored.body or ""), request, stored.simulated)
    assert isinstance(answer, Answer), "only answers are stored as completed"
    return answer


def _misfit(error: ValueError, repairs: int) -> str:
    return f"answer of another form after {repairs} repairs: {describe(error)}"
