"""One HTTP exchange through the official SDK: its connections and errors, none of its retries or parsing.

The SDK would turn HTML into a string, a missing list into None and broken JSON into a bare error, and would send a
request up to three times unasked; so the bytes are sent and received here as they are, and judged in `verdict`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass

from pluristats.llm.endpoint import Endpoint
from pluristats.llm.limits import Limits

REDACTED = "[key]"


class NoResponseError(Exception):
    """No response came; ``sent`` says whether the endpoint may have had the request.

    For this package only: `session` turns it into a verdict.
    """

    def __init__(self, reason: str, sent: bool):
        self.reason, self.sent = reason, sent
        super().__init__(reason)


@dataclass(frozen=True)
class Response:
    """Status, headers (names in lower case) and body of a response."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class Transport:
    """Connections to one endpoint; use as an asynchronous context manager.

    Parameters
    ----------
    endpoint, limits
        Where, how many connections and for how long.
    """

    def __init__(self, endpoint: Endpoint, limits: Limits):
        import httpx2
        import openai

        self._openai, self._httpx = openai, httpx2
        self._key = endpoint.api_key()
        self._deadline = limits.deadline
        connections = httpx2.Limits(
            max_connections=limits.concurrency, max_keepalive_connections=limits.concurrency, keepalive_expiry=30.0
        )
        # A redirect would send the prompt (and a POST as a GET) somewhere that nobody named.
        http = openai.DefaultAsyncHttpxClient(limits=connections, timeout=limits.deadline, follow_redirects=False)
        self.sdk = openai.AsyncOpenAI(
            api_key=self._key, base_url=endpoint.base_url, max_retries=0, timeout=limits.deadline, http_client=http
        )

    async def __aenter__(self) -> Transport:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.sdk.close()

    async def ask(self, path: str, body: bytes) -> Response:
        """Send the JSON of a request to a path below the address; the whole exchange keeps within the deadline.

        Raises
        ------
        NoResponseError
            When none came.
        """
        try:
            async with asyncio.timeout(self._deadline):
                response = await self.sdk.post(
                    path,
                    cast_to=self._httpx.Response,
                    content=body,
                    options={"headers": {"Content-Type": "application/json"}},
                )
        except self._openai.APIStatusError as error:
            response = error.response
        except (TimeoutError, self._openai.APITimeoutError):
            raise NoResponseError(f"no answer within {self._deadline:g} s", sent=True) from None
        except self._openai.APIConnectionError as error:
            raise self._broken(error) from None
        headers = {name.lower(): value for name, value in response.headers.items()}
        # Before anything is shortened, which could leave half a key; `redact` finds other spellings later.
        content = (
            response.content.replace(self._key.encode(), REDACTED.encode()) if len(self._key) >= 8 else response.content
        )
        return Response(response.status_code, headers, content)

    def _broken(self, error: Exception) -> NoResponseError:
        cause = error.__cause__
        if isinstance(cause, self._httpx.ConnectError):
            return NoResponseError("cannot connect", sent=False)
        return NoResponseError(f"the connection broke ({type(cause or error).__name__})", sent=True)

    def redact(self, text: str) -> str:
        """Text, or JSON, without the API key."""
        return redact(text, self._key)


def redact(text: str, key: str) -> str:
    """Text, or JSON, without the key; what is shorter than eight characters is no secret."""
    for form in (key, json.dumps(key)[1:-1]):
        text = text.replace(form, REDACTED) if len(form) >= 8 else text
    return text
