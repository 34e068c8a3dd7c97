"""What `ChatClient` and `BatchRunner` have in common, for code that does not mind which of them asks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from pluristats.llm.chain import Validate
from pluristats.llm.endpoint import Endpoint
from pluristats.llm.request import ChatRequest
from pluristats.llm.run import Run


class Asker(Protocol):
    """Sends requests one by one (`ChatClient`), or in batches at half the price (`BatchRunner`)."""

    @property
    def endpoint(self) -> Endpoint:
        """Whom it asks."""

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
        """Outcomes in the order of the requests, which can be gone through again."""
