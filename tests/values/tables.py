"""Tables of items for tests."""

from __future__ import annotations

from typing import Any

import pandas as pd

from pluristats.values import COLUMNS

HOSTILE = {
    "html": "<script>alert(1)</script> <b>bold</b> & so on",
    "formula": "=cmd|' /C calc'!A0",
    "control": "a\x00b\x1b[31m\x07\r\n\u2028c",
    "surrogate": "lone \ud800 and \udfff",
    "long": "long " * 200_000,
}


def items(*rows: tuple[Any, ...], index: Any = None) -> pd.DataFrame:
    """Rows of prompt, vrd, text, relevance and, unless they are ⅓ each, supports, opposes and either."""
    full = [row if len(row) == 7 else (*row, 1 / 3, 1 / 3, 1 / 3) for row in rows]
    table = pd.DataFrame(full, columns=list(COLUMNS), index=index)
    return table.astype({"prompt": object, "vrd": object, "text": object})
