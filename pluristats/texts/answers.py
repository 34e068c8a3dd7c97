"""What became of a question, as cells of a table: the same columns wherever answers are tabulated."""

from __future__ import annotations

from typing import Any

from pluristats.llm import Completed, Failed, NotAsked, Outcome, Refused

STATUS = {Completed: "ok", Refused: "refused", Failed: "failed", NotAsked: "not asked"}
"""The word of each outcome."""


def answer_cells(outcome: Outcome) -> dict[str, Any]:
    """Cells of one outcome.

    ``text`` (missing unless ``status`` is ok), ``status``, ``reason``, ``finish_reason``, ``answered_by``,
    ``fingerprint``, ``simulated``, ``prompt_tokens``, ``completion_tokens``, ``key``.
    """
    usage = getattr(outcome, "usage", None)
    return {
        "text": outcome.text if isinstance(outcome, Completed) else None,
        "status": STATUS[type(outcome)],
        "reason": getattr(outcome, "reason", None),
        "finish_reason": getattr(outcome, "finish", None),
        "answered_by": getattr(outcome, "model", None),
        "fingerprint": getattr(outcome, "fingerprint", None),
        "simulated": getattr(outcome, "simulated", False),
        "prompt_tokens": None if usage is None else usage.prompt_tokens,
        "completion_tokens": None if usage is None else usage.completion_tokens,
        "key": outcome.key,
    }
