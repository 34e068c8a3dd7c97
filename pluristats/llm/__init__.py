"""Asking chat models: one client for any OpenAI-compatible endpoint, and a store that loses nothing paid for.

>>> from pluristats.llm import ChatClient, ChatRequest, Endpoint, Limits, Message, ResponseStore
>>> endpoint = Endpoint("https://api.openai.com/v1", "gpt-4o-mini")
>>> request = ChatRequest(endpoint.model, (Message("user", "Hello"),), max_tokens=100)
>>> len(request.key(endpoint.identity))
64
"""

from pluristats.llm.asker import Asker
from pluristats.llm.batch import BatchRunner
from pluristats.llm.client import ChatClient
from pluristats.llm.endpoint import Endpoint
from pluristats.llm.estimate import Estimate
from pluristats.llm.limits import Limits, Price, load_prices
from pluristats.llm.outcome import Completed, Failed, NotAsked, Outcome, Refused
from pluristats.llm.request import ChatRequest, Message
from pluristats.llm.run import Run
from pluristats.llm.status import failures, store_status
from pluristats.llm.store import ResponseStore
from pluristats.llm.structured import request_schema, validator

__all__ = [
    "Asker",
    "BatchRunner",
    "ChatClient",
    "ChatRequest",
    "Completed",
    "Endpoint",
    "Estimate",
    "Failed",
    "Limits",
    "Message",
    "NotAsked",
    "Outcome",
    "Price",
    "Refused",
    "ResponseStore",
    "Run",
    "failures",
    "load_prices",
    "request_schema",
    "store_status",
    "validator",
]
