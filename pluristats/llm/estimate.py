"""A dry run: how many requests a run would send, and about what they cost and take."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pluristats.display.shown import Displayed, Shown
from pluristats.llm.limits import Limits
from pluristats.llm.request import ChatRequest, sent_json
from pluristats.llm.store import ResponseStore
from pluristats.llm.tokens import estimate, worst_case

# Seconds an answer takes where the store has none to go by.
_LATENCY = 2.0
# Answers of a model in the store from which its means are used.
_ENOUGH = 20
# Seconds in which the Batch API answers.
_BATCH = 86_400.0


@dataclass(frozen=True)
class Estimate(Displayed):
    """What a run would send.

    Parameters
    ----------
    requests, distinct
        Given, and different ones among them.
    stored, failed
        Of the distinct ones, answered or failed in the store already (failed ones are asked again only on request).
    calls
        Requests to send, without repeats and repairs.
    prompt_tokens, completion_tokens
        Expected of these calls.
    cost, worst_cost
        Expected, and at worst for one attempt each; None where a price (or, at worst, ``max_tokens``) is missing.
    seconds
        Expected duration.
    rule
        How all this was reckoned.
    """

    requests: int
    distinct: int
    stored: int
    failed: int
    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost: float | None
    worst_cost: float | None
    seconds: float
    rule: str

    def __repr__(self) -> str:
        cost = "" if self.cost is None else f", cost about {self.cost:,.4g}"
        return f"<Estimate: {self.calls:,} calls of {self.requests:,} requests{cost}>"

    def _shown(self) -> Shown:
        return Shown("What a run would send", lines=(str(self),))

    def __str__(self) -> str:
        cost = "no prices given" if self.cost is None else f"cost about {self.cost:,.4g}"
        most = "" if self.worst_cost is None else f" (at most {self.worst_cost:,.4g} without repeats)"
        return (
            f"{self.calls:,} calls of {self.requests:,} requests ({self.stored:,} answered and {self.failed:,} failed "
            f"in the store), about {self.prompt_tokens:,} + {self.completion_tokens:,} tokens, {cost}{most}, "
            f"about {self.seconds:,.0f} s. {self.rule}"
        )


@dataclass(frozen=True)
class _Means:
    """Of a model's answers in the store: tokens a byte of request, tokens an answer, seconds of a direct call."""

    count: int
    per_byte: float
    completion: float
    seconds: float | None  # batches' answers have no duration


def estimate_run(
    requests: Iterable[ChatRequest],
    endpoint: str,
    store: ResponseStore,
    limits: Limits,
    retry_failed: bool = False,
    batch: bool = False,
) -> Estimate:
    """Look every request up in the store and add up those that it lacks.

    Rule: with at least 20 answers of a model in the store, prompt tokens are their mean tokens a byte of request, an
    answer's tokens their mean (at most ``max_tokens``), its seconds the mean of those that came by direct calls;
    otherwise a quarter of the bytes, ``max_tokens`` (or 500) and 2 s. Duration = max(calls × seconds / concurrency,
    calls and tokens over their limits a minute), or 24 hours by the Batch API, at its price.
    """
    seen: set[bytes] = set()
    means: dict[str, _Means | None] = {}
    given = stored = failed = prompt = completion = calls = 0
    cost: float | None = 0.0
    worst: float | None = 0.0
    latency = 0.0
    for request in requests:
        given += 1
        key = request.key(endpoint)
        if bytes.fromhex(key) in seen:
            continue
        seen.add(bytes.fromhex(key))
        found = store.rows("SELECT kind FROM responses WHERE key = ?", (key,))
        failed += bool(found) and found[0][0] == "failed"
        stored += bool(found) and found[0][0] != "failed"
        if found and not (retry_failed and found[0][0] == "failed"):
            continue
        calls += 1
        if request.model not in means:
            means[request.model] = _means(store, endpoint, request.model)
        size = len(sent_json(request.body()))
        mean, expected, most = means[request.model], estimate(request, size), worst_case(request, size)
        answer, bound = expected.completion, request.most_completion_tokens
        asked = expected.prompt
        if mean is not None:
            asked = round(mean.per_byte * len(request.to_json()))
            answer = round(mean.completion if bound is None else min(mean.completion, bound))
        prompt, completion = prompt + asked, completion + answer
        latency += _LATENCY if mean is None or mean.seconds is None else mean.seconds
        price = limits.prices.get(request.model)
        cost = None if price is None or cost is None else cost + price.of(asked, answer, batch)
        fixed = price is not None and bound is not None
        worst = worst + price.of(most.prompt, most.completion, batch) if fixed and price and worst is not None else None
    seconds = max(
        latency / limits.concurrency,
        60.0 * calls / (limits.requests_per_minute or float("inf")),
        60.0 * (prompt + completion) / (limits.tokens_per_minute or float("inf")),
    )
    known = [mean.count for mean in means.values() if mean is not None]
    rule = (
        f"Reckoned from {sum(known):,} answers in the store."
        if known and len(known) == len(means)
        else "Reckoned as a token every 4 bytes of request, max_tokens (or 500) an answer and 2 s a call."
    )
    if batch:
        rule += " By the Batch API, which takes up to 24 hours."
        seconds = _BATCH if calls else 0.0
    return Estimate(given, len(seen), stored, failed, calls, prompt, completion, cost, worst, seconds, rule)


def _means(store: ResponseStore, endpoint: str, model: str) -> _Means | None:
    """The means, or None where the store has too few answers."""
    ((count, size, prompt, completion, seconds),) = store.rows(
        "SELECT count(*), sum(request_bytes), sum(prompt_tokens), avg(completion_tokens), avg(seconds) FROM responses"
        " WHERE endpoint = ? AND asked = ? AND kind = 'completed' AND prompt_tokens IS NOT NULL"
        " AND completion_tokens IS NOT NULL",
        (endpoint, model),
    )
    return _Means(count, prompt / size, completion, seconds) if count >= _ENOUGH else None
