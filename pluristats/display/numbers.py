"""Numbers as people read them."""

from __future__ import annotations

import math
from numbers import Integral
from typing import Any

MISSING = "–"


def decimals(values: list[float]) -> int:
    """Decimals that give the median magnitude of the nonzero values three significant digits, 0 to 4.

    0 for none, and where all values are whole numbers.
    """
    finite = [abs(v) for v in values if math.isfinite(v) and v != 0]
    if not finite or all(v == int(v) for v in finite):
        return 0
    magnitude = math.floor(math.log10(sorted(finite)[len(finite) // 2]))
    return min(4, max(0, 2 - magnitude))


def number(value: Any, digits: int) -> str:
    """One number as text: thousands separators, a true minus sign, and never a nonzero value shown as zero."""
    if isinstance(value, Integral):
        return f"{int(value):,}".replace("-", "−")
    value = float(value)
    if not math.isfinite(value):
        return str(value).replace("-", "−").replace("inf", "∞")
    text = f"{value + 0.0:,.{digits}f}"
    if value != 0 and not text.strip("-0."):
        text = f"{value:.1e}".replace("e-0", "e-")
    return text.replace("-", "−")
