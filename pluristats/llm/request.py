"""A chat request and its key: everything that decides the answer, and which repetition it is."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from pluristats.errors import LLMError
from pluristats.llm.jsontext import ascii_json

# Keys of the body that have a field of their own here, so that `extra` cannot say them a second time.
_OWN = {"model", "messages", "temperature", "top_p", "max_tokens", "seed", "logprobs", "top_logprobs"}
_OWN |= {"response_format", "stream", "n", "prompt", "echo"}


@dataclass(frozen=True)
class Message:
    """One turn of a conversation; ``content`` may be any text, lone surrogates and control characters included."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True)
class ChatRequest:
    """One question to a chat model.

    Parameters
    ----------
    model
        Name as the endpoint knows it.
    messages
        At least one.
    temperature, top_p, max_tokens, seed
        As in the OpenAI API; None is not sent. A hard budget (`Limits.max_cost`) needs ``max_tokens``.
    top_logprobs
        How many alternatives a token to ask log-probabilities of (0 to 20; 0: of the token alone). None asks for none.
    schema
        JSON schema that the answer must fit, sent as ``response_format``; None is free text.
    sample
        Which repetition of the same question this is: part of the key, not sent.
    template
        Name and version of the prompt template, such as ``"variant/1"``: part of the key, not sent.
    extra
        Further fields of the body, such as ``{"reasoning_effort": "low"}`` or ``{"max_completion_tokens": 500}``.
    plain
        The single user message is a text that the model continues as it stands (``/completions``), for models whose
        chat layout is part of the text; no schema.

    Raises
    ------
    LLMError
        When a value cannot be sent (no message, an unknown role, NaN, a field said twice).
    """

    model: str
    messages: tuple[Message, ...]
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    top_logprobs: int | None = None
    schema: Mapping[str, Any] | None = None
    sample: int = 0
    template: str = ""
    extra: Mapping[str, Any] | None = None
    plain: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "messages", tuple(self.messages))
        if not isinstance(self.model, str) or not self.model or not self.model.isprintable():
            raise LLMError(f"model is {self.model!r}; give the name under which the endpoint knows it")
        if not self.messages:
            raise LLMError("a chat request needs at least one message")
        for message in self.messages:
            if message.role not in ("system", "user", "assistant") or not isinstance(message.content, str):
                raise LLMError(f"a message has a role of system, user or assistant and a text, not {message!r:.200}")
        for name in ("temperature", "top_p"):
            value = getattr(self, name)
            if value is not None and not math.isfinite(value):
                raise LLMError(f"{name} is {value!r}, not a number that can be sent")
        if self.max_tokens is not None and self.max_tokens < 1:
            raise LLMError(f"max_tokens is {self.max_tokens}; it must be at least 1")
        if self.top_logprobs is not None and not 0 <= self.top_logprobs <= 20:
            raise LLMError(f"top_logprobs is {self.top_logprobs}; endpoints take 0 to 20")
        if self.plain and ([message.role for message in self.messages] != ["user"] or self.schema is not None):
            raise LLMError("a plain request is one user message, the text to continue, and has no schema")
        twice = [name for name in self.extra or () if name in _OWN]
        if twice:
            raise LLMError(f"extra holds {twice[0]!r}, which is a field of the request itself or not supported")

    def body(self) -> dict[str, Any]:
        """The JSON object that is sent, nothing else."""
        body: dict[str, Any] = {"model": self.model}
        if self.plain:
            body["prompt"] = self.messages[0].content
        else:
            body["messages"] = [{"role": message.role, "content": message.content} for message in self.messages]
        for name in ("temperature", "top_p", "max_tokens", "seed"):
            if (value := getattr(self, name)) is not None:
                body[name] = value
        if self.top_logprobs is not None and self.plain:
            body["logprobs"] = self.top_logprobs
        elif self.top_logprobs is not None:
            body |= {"logprobs": True, "top_logprobs": self.top_logprobs}
        if self.schema is not None:
            schema = {"name": "answer", "schema": dict(self.schema), "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        return body | dict(sorted((self.extra or {}).items()))

    @property
    def path(self) -> str:
        """Where the body goes, below the endpoint's address."""
        return "/completions" if self.plain else "/chat/completions"

    def key(self, endpoint: str) -> str:
        """SHA-256 (hexadecimal) of the JSON of endpoint, body, sample and template.

        Two requests share a key only if the same bytes go to the same endpoint for the same repetition. The order of a
        schema's properties counts, as models follow it; the order of ``extra`` does not.

        Parameters
        ----------
        endpoint
            `Endpoint.identity`.
        """
        content = {"endpoint": endpoint, "body": self.body(), "sample": self.sample, "template": self.template}
        return hashlib.sha256(sent_json(content).encode("ascii")).hexdigest()

    @property
    def most_completion_tokens(self) -> int | None:
        """The most tokens that an answer can have, or None when the request does not bound them."""
        most = (self.extra or {}).get("max_completion_tokens", self.max_tokens)
        return most if isinstance(most, int) and most > 0 else None

    def to_json(self) -> str:
        """The request as ASCII text that `from_json` reads."""
        content = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}
        content["messages"] = [[message.role, message.content] for message in self.messages]
        return sent_json(content)

    @classmethod
    def from_json(cls, text: str) -> ChatRequest:
        """The request that `to_json` wrote."""
        content = json.loads(text)
        content["messages"] = tuple(Message(role, words) for role, words in content["messages"])
        return cls(**content)


def sent_json(content: Any) -> str:
    """JSON of what is sent or hashed, as `ascii_json` writes it.

    Raises
    ------
    LLMError
        When the content holds what JSON cannot say (NaN, an object of another kind).
    """
    try:
        return ascii_json(content, strict=True)
    except (TypeError, ValueError) as error:
        raise LLMError(f"a chat request holds what JSON cannot say: {error}") from None
