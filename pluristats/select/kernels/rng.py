"""Random numbers of the compiled searches: SplitMix64 (Steele, Lea & Flood 2014), a stream is one 64-bit number.

The same stream gives the same numbers on every machine and in every thread.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pluristats.select.kernels.problem import jit

Stream = NDArray[np.uint64]
"""The state, shape (1,)."""


@jit
def bits(stream: Stream) -> np.uint64:
    """The next 64 bits."""
    stream[0] += np.uint64(0x9E3779B97F4A7C15)
    z = stream[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@jit
def below(stream: Stream, n: int) -> int:
    """An integer from 0 to n − 1 (n below 2³²; the bias is below n / 2³²)."""
    return int(((bits(stream) >> np.uint64(32)) * np.uint64(n)) >> np.uint64(32))


@jit
def uniform(stream: Stream) -> float:
    """A number between 0 and 1, both excluded."""
    return (np.float64(bits(stream) >> np.uint64(11)) + 0.5) * (1.0 / 9007199254740992.0)
