"""What an endpoint's JSON says: an answer, a refusal, or nothing that can be used."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pluristats.llm.request import ChatRequest

# A count of tokens above this is nonsense (and more than SQLite's integers or floats hold exactly).
_MOST = 2**40


@dataclass(frozen=True)
class Usage:
    """Tokens as the endpoint counted them; None where it did not say."""

    prompt_tokens: int | None
    completion_tokens: int | None

    @property
    def pair(self) -> tuple[int, int] | None:
        """Both numbers, or None when one is missing."""
        if self.prompt_tokens is None or self.completion_tokens is None:
            return None
        return self.prompt_tokens, self.completion_tokens


@dataclass(frozen=True)
class TokenLogprob:
    """One token of an answer: its log-probability, and the likeliest tokens in its place with theirs."""

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Answer:
    """An answer or a refusal.

    Parameters
    ----------
    kind
        "completed", or "refused" by the model or the endpoint's content filter.
    text
        The answer, or what the refusal says.
    finish
        ``finish_reason``: "stop", "length" for an answer that was cut at ``max_tokens``, …
    logprobs
        One entry a token, or None when they were not asked for.
    """

    kind: Literal["completed", "refused"]
    text: str
    finish: str | None
    model: str | None
    fingerprint: str | None
    simulated: bool
    usage: Usage
    logprobs: tuple[TokenLogprob, ...] | None


@dataclass(frozen=True)
class Unusable:
    """JSON, or what should have been JSON, that gives no answer.

    Parameters
    ----------
    kind
        In a few words, for counting.
    detail
        The endpoint's own words, shortened; may be empty.
    usage
        What it charged for, where it says.
    final
        Asking again would give the same.
    error
        The ``error`` object, where there is one.
    """

    kind: str
    detail: str = ""
    usage: Usage = Usage(None, None)
    final: bool = False
    error: Mapping[str, Any] | None = None


def parse(content: bytes | str) -> Any:
    """JSON of a response body, or `Unusable`."""
    if not content.strip():
        return Unusable("empty body")
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        text = content.decode("utf-8", "replace") if isinstance(content, bytes) else content
        kind = "HTML instead of JSON" if text.lstrip()[:1] == "<" else "broken JSON"
        return Unusable(kind, _line(text, 200))


def read(content: Any, request: ChatRequest, simulated: bool = False) -> Answer | Unusable:
    """What the JSON of a chat completion says.

    Parameters
    ----------
    content
        As `parse` gives it.
    request
        What was asked: log-probabilities must be there if they were asked for.
    simulated
        Whether the endpoint said so beside the JSON; a ``system_fingerprint`` beginning "simulated" says so too.
    """
    if isinstance(content, Unusable):
        return content
    if not isinstance(content, dict):
        return Unusable("JSON that is no object", json.dumps(content)[:200])
    usage = _usage(content.get("usage"))
    choices = content.get("choices")
    if not choices and content.get("error"):
        error = error_of(content)
        return Unusable("an error with status 200", words(error), usage, error=error)
    choice = choices[0] if isinstance(choices, list) and choices else None
    if request.plain and isinstance(choice, dict):
        choice = _as_chat(choice)
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        return Unusable("JSON without a message", json.dumps(content)[:200], usage)
    finish = choice.get("finish_reason")
    text, refusal = message.get("content"), message.get("refusal")
    fingerprint = _text(content.get("system_fingerprint"))
    logprobs: tuple[TokenLogprob, ...] | None = None
    if isinstance(refusal, str) and refusal:
        kind, said = "refused", refusal
    elif finish == "content_filter":
        kind, said = "refused", text if isinstance(text, str) and text else "content filter"
    elif not isinstance(text, str) or not text.strip():
        if finish == "length":
            return Unusable("max_tokens used up before any answer", "", usage, final=True)
        return Unusable("no content", json.dumps(message)[:200], usage)
    else:
        kind, said = "completed", text
        if request.top_logprobs is not None:
            found = _logprobs(choice.get("logprobs"))
            if found is None:
                return Unusable("no log-probabilities, though asked for", "", usage)
            logprobs = found
    return Answer(
        kind="refused" if kind == "refused" else "completed",
        text=said,
        finish=_text(finish),
        model=_text(content.get("model")),
        fingerprint=fingerprint,
        simulated=simulated or (fingerprint or "").startswith("simulated"),
        usage=usage,
        logprobs=logprobs,
    )


def _as_chat(choice: dict[str, Any]) -> dict[str, Any]:
    """A choice of ``/completions`` in the form of a chat's; what has not that form stays as it is."""
    if "text" not in choice:
        return choice
    held, entries = choice.get("logprobs"), None
    if isinstance(held, dict):
        columns = [held.get(name) for name in ("tokens", "token_logprobs", "top_logprobs")]
        tokens, chosen, top = (column if isinstance(column, list) else [] for column in columns)
        tops = [one if isinstance(one, dict) else {} for one in top] or [{} for _ in tokens]
        entries = [
            {
                "token": token,
                "logprob": logprob,
                "top_logprobs": [{"token": other, "logprob": value} for other, value in others.items()],
            }
            for token, logprob, others in zip(tokens, chosen, tops, strict=False)
        ]
    return choice | {
        "message": {"content": choice["text"], "refusal": None},
        "logprobs": None if entries is None else {"content": entries},
    }


def error_of(content: Any) -> dict[str, Any]:
    """The error object of a JSON body, in the forms that endpoints give it; {} when there is none."""
    error = content.get("error") if isinstance(content, dict) else None
    if isinstance(error, dict):
        return error
    if isinstance(error, str):
        return {"message": error}
    # vLLM before 0.8 and some proxies put the fields at the top.
    fields = ("message", "type", "code", "detail")
    return {name: content[name] for name in fields if name in content} if isinstance(content, dict) else {}


def words(error: Mapping[str, Any]) -> str:
    """What an error object says, shortened, as one line."""
    return _line(str(error.get("message") or error.get("detail") or error.get("code") or error.get("type") or ""), 300)


def _line(text: str, longest: int) -> str:
    return " ".join(text[: 10 * longest].split())[:longest]


def _usage(usage: Any) -> Usage:
    def count(name: str) -> int | None:
        value = usage.get(name) if isinstance(usage, dict) else None
        return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST else None

    return Usage(count("prompt_tokens"), count("completion_tokens"))


def _text(value: Any) -> str | None:
    """A name that the endpoint gives; what cannot be written as UTF-8 becomes an escape."""
    return value.encode("utf-8", "backslashreplace").decode("utf-8")[:200] if isinstance(value, str) else None


def _logprobs(content: Any) -> tuple[TokenLogprob, ...] | None:
    """Log-probabilities in the API's form; None when they are not there or not of that form."""
    tokens = content.get("content") if isinstance(content, dict) else None
    try:
        found = tuple(
            TokenLogprob(
                str(token["token"]),
                _number(token["logprob"]),
                tuple((str(other["token"]), _number(other["logprob"])) for other in token.get("top_logprobs") or ()),
            )
            for token in tokens or ()
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    return found or None


def _number(value: Any) -> float:
    number = float(value)
    if math.isnan(number):
        raise ValueError("NaN is no log-probability")
    return number
