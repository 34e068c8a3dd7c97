"""The paper's table of predictors, to stand beside ours."""

from __future__ import annotations

import pandas as pd

_ROWS: tuple[tuple[str, float | None, float | None], ...] = (
    ("random", None, 0.386),
    ("GPT zero-shot", None, 0.263),
    ("GPT value profile", 0.233, 0.260),
    ("GPT k-shot", 0.196, 0.254),
    ("GPT-4.5 k-shot", 0.195, 0.256),
    ("Claude Sonnet 3.7 k-shot", 0.201, 0.250),
    ("Qwen-8B k-shot", 0.197, 0.257),
    ("WildGuard 7B zero-shot, probability", None, 0.364),
    ("WildGuard 7B zero-shot, class", None, 0.403),
    ("SafetyAnalyst 8B", 0.311, 0.361),
)


def published() -> pd.DataFrame:
    """Published mean absolute errors (Li et al., ICLR 2026; from public notes of it).

    Returns
    -------
    DataFrame
        method, setting (``new-prompts``: their split is of that kind; its seed, k and the handling of refusals are not
        known), personalised, aggregate (NaN where there is none), source (``published``).
    """
    table = pd.DataFrame(list(_ROWS), columns=["method", "personalised", "aggregate"])
    table = table.astype({"personalised": float, "aggregate": float})
    table.insert(1, "setting", "new-prompts")
    return table.assign(source="published")
