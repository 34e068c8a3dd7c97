"""A request checked, and its whole answer as the OpenAI API writes it: a function of seed and request body."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from pluristats.llm.simulated.answers import answer
from pluristats.llm.simulated.kinds import Prompt, read_prompt
from pluristats.llm.simulated.thoughts import Thoughts
from pluristats.llm.simulated.tokens import Token, cut, logprobs, prompt_tokens, tokens_of

# Raised by one whenever the same request would be answered otherwise than before.
VERSION = 1
# The API's own limits.
MOST_CHOICES, MOST_TOP, MOST_STOPS = 128, 20, 4
_REFUSED = ("tools", "functions", "audio", "prediction", "web_search_options")


class BadRequestError(Exception):
    """A request that an endpoint answers with status 400: what is wrong, and with which field."""

    def __init__(self, what: str, field: str | None = None):
        self.what, self.field = what, field
        super().__init__(what)


@dataclass(frozen=True)
class Question:
    """A checked request.

    Parameters
    ----------
    key
        SHA-256 of the body's canonical JSON, hexadecimal: the same for the same body, however it was written.
    model, contents, schema, n, most, stop, logprobs, top, temperature
        Of the body; ``most`` is max_tokens, ``contents`` the messages' texts, ``top`` top_logprobs.
    plain
        Whether a text is to be continued (``/completions``).
    """

    key: str
    model: str
    contents: tuple[str, ...]
    schema: Mapping[str, Any] | None
    n: int
    most: int | None
    stop: tuple[str, ...]
    logprobs: bool
    top: int
    temperature: float
    plain: bool = False


def key_of(body: object) -> str:
    """SHA-256 of the canonical JSON of a body, hexadecimal."""
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def read_question(body: Any, plain: bool = False) -> Question:
    """A request's fields: of a chat, or with ``plain`` of a text to continue.

    Raises
    ------
    BadRequestError
        When a field is missing, wrong, or asks for what is not simulated.
    """
    if not isinstance(body, dict):
        raise BadRequestError("the request's body is no JSON object")
    if body.get("stream"):
        raise BadRequestError("the simulated endpoint does not stream; leave stream out", "stream")
    for field in _REFUSED:
        if body.get(field):
            raise BadRequestError(f"the simulated endpoint does not know {field}; leave it out", field)
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise BadRequestError("you must provide a model", "model")
    top = _number(body, "logprobs" if plain else "top_logprobs", 0, MOST_TOP, int)
    asked = top is not None if plain else bool(body.get("logprobs"))
    if top is not None and not asked:
        raise BadRequestError("top_logprobs needs logprobs to be true", "top_logprobs")
    most = _number(body, "max_completion_tokens", 1, math.inf, int)
    temperature = _number(body, "temperature", 0, 2, float)
    return Question(
        key=key_of(body),
        model=model,
        contents=(_plain(body.get("prompt")),) if plain else _contents(body.get("messages")),
        schema=None if plain else _schema(body.get("response_format")),
        n=int(_number(body, "n", 1, MOST_CHOICES, int) or 1),
        most=most if most is not None else _number(body, "max_tokens", 1, math.inf, int),
        stop=_stop(body.get("stop")),
        logprobs=asked,
        top=top or 0,
        temperature=1.0 if temperature is None else temperature,
        plain=plain,
    )


def complete(question: Question, seed: int) -> dict[str, Any]:
    """The ``chat.completion`` that answers a question.

    Raises
    ------
    BadRequestError
        When the schema cannot be followed.
    """
    prompt = read_prompt(question.contents, question.model)
    choices, said = [], 0
    for index in range(question.n):
        chance = Random(f"{seed}/{question.key}/{index}")
        tokens, reason = _tokens(question, prompt, seed, chance)
        said += len(tokens)
        choices.append(
            {
                "index": index,
                "message": {
                    "role": "assistant",
                    "content": "".join(token.text for token in tokens),
                    "refusal": None,
                },
                "logprobs": {"content": logprobs(tokens, question.top, chance), "refusal": None}
                if question.logprobs
                else None,
                "finish_reason": reason,
            }
        )
    return {
        "id": f"chatcmpl-simulated-{question.key[:24]}",
        "object": "chat.completion",
        "created": 0,
        "model": question.model,
        "system_fingerprint": fingerprint(seed),
        "choices": choices,
        "usage": usage(prompt_tokens(question.contents), said),
    }


def as_plain(completion: dict[str, Any]) -> dict[str, Any]:
    """A chat completion, as it is or spoiled, in the form of ``/completions``."""

    def choice(one: dict[str, Any]) -> dict[str, Any]:
        message, held = one["message"], one["logprobs"]
        entries = held["content"] if held else []
        columns = {
            "tokens": [entry["token"] for entry in entries],
            "token_logprobs": [entry["logprob"] for entry in entries],
            "top_logprobs": [{top["token"]: top["logprob"] for top in e["top_logprobs"]} for e in entries],
        }
        return {
            "index": one["index"],
            # A text that is continued has no place for a refusal but itself.
            "text": message["content"] if message["refusal"] is None else message["refusal"],
            "logprobs": columns if held else None,
            "finish_reason": one["finish_reason"],
        }

    names = {"id": completion["id"].replace("chatcmpl", "cmpl"), "object": "text_completion"}
    return completion | names | {"choices": [choice(one) for one in completion["choices"]]}


def fingerprint(seed: int) -> str:
    """What marks every answer as simulated, and by which answers and seed."""
    return f"simulated-{VERSION}-seed-{seed}"


def usage(asked: int, said: int) -> dict[str, int]:
    """Counts of tokens."""
    return {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}


def _tokens(question: Question, prompt: Prompt, seed: int, chance: Random) -> tuple[list[Token], str]:
    thoughts = Thoughts(prompt, seed, chance, greedy=question.temperature == 0, shown=question.top)
    try:
        parts = answer(thoughts, question.schema)
    except ValueError as error:
        raise BadRequestError(
            f"the simulated endpoint cannot follow the JSON schema: {error}", "response_format"
        ) from None
    return cut(tokens_of(parts), question.most, question.stop)


def _plain(prompt: Any) -> str:
    if not isinstance(prompt, str):
        raise BadRequestError("prompt is no text; only one text is simulated", "prompt")
    return prompt


def _contents(messages: Any) -> tuple[str, ...]:
    if not isinstance(messages, list) or not messages:
        raise BadRequestError("messages is no list of messages", "messages")
    return tuple(_content(message, index) for index, message in enumerate(messages))


def _content(message: Any, index: int) -> str:
    place = f"messages[{index}]"
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        raise BadRequestError(f"{place} is no object with a role", place)
    content = message.get("content")
    if content is None and message["role"] == "assistant":
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise BadRequestError(f"{place}.content is no text", f"{place}.content")
    texts = [part.get("text") if isinstance(part, dict) and part.get("type") == "text" else None for part in content]
    if not all(isinstance(text, str) for text in texts):
        raise BadRequestError(
            f"{place}.content has a part that is no text; only texts are simulated", f"{place}.content"
        )
    return "".join(str(text) for text in texts)


def _schema(format_: Any) -> Mapping[str, Any] | None:
    if format_ is None or (isinstance(format_, dict) and format_.get("type") == "text"):
        return None
    if isinstance(format_, dict) and format_.get("type") == "json_object":
        return {"type": "object", "properties": {"answer": {"type": "string"}, "reason": {"type": "string"}}}
    schema = format_.get("json_schema") if isinstance(format_, dict) else None
    schema = schema.get("schema") if isinstance(schema, dict) else None
    if not isinstance(schema, dict):
        raise BadRequestError("response_format has no json_schema with a schema", "response_format")
    return schema


def _stop(stop: Any) -> tuple[str, ...]:
    words = [stop] if isinstance(stop, str) else stop or []
    if not isinstance(words, list) or len(words) > MOST_STOPS or not all(isinstance(w, str) and w for w in words):
        raise BadRequestError(f"stop is a text or a list of at most {MOST_STOPS} texts", "stop")
    return tuple(words)


def _number(body: Mapping[str, Any], field: str, low: float, high: float, kind: type) -> Any:
    """A field that is a number within bounds, or None."""
    value: Any = body.get(field)
    if value is None:
        return None
    right = isinstance(value, int | float if kind is float else int) and not isinstance(value, bool)
    if not right or not low <= value <= high:
        raise BadRequestError(f"{field} is {value!r:.40}, not a number from {low} to {high}", field)
    return value
