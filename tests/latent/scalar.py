"""The models again, one agent and one trial at a time in plain Python, as a second opinion.

Each replays what an agent did and says the probability of each choice and the chosen value before its update.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence


def rl4(theta: Sequence[float], actions: Sequence[int], rewards: Sequence[int]) -> tuple[list[float], list[float]]:
    """Probability of each choice, chosen value; None-like trials are -1 and skipped (nan)."""
    beta, plus, minus, stick = theta
    q, last = {0: 0.5, 1: 0.5}, None
    probability, chosen = [], []
    for a, r in zip(actions, rewards, strict=True):
        if a < 0 or r < 0:
            probability.append(math.nan)
            chosen.append(math.nan)
            continue
        w = {k: math.exp(beta * (q[k] + (stick if k == last else 0.0))) for k in q}
        probability.append(w[a] / (w[0] + w[1]))
        chosen.append(q[a])
        rate = plus if r == 1 else minus
        q = {k: q[k] + rate * ((r if k == a else 1 - r) - q[k]) for k in q}
        last = a
    return probability, chosen


def meta_rl(
    theta: Sequence[float], actions: Sequence[int], rewards: Sequence[int], *, capped: bool = True
) -> tuple[list[float], list[float]]:
    """Probability of each choice when engaged, chosen value."""
    first, plus, beta, forget, bias, alpha_v, phi, _, _ = theta
    left = right = 0.5
    error, rate = 0.0, first
    probability, chosen = [], []
    for a, r in zip(actions, rewards, strict=True):
        if a < 0 or r < 0:
            probability.append(math.nan)
            chosen.append(math.nan)
            continue
        p_right = 1 / (1 + math.exp(beta * (left - right + bias)))
        probability.append(p_right if a == 1 else 1 - p_right)
        value = right if a == 1 else left
        chosen.append(value)
        surprise = abs(r - value) - error
        error = error + alpha_v * surprise
        if r < value:
            rate = max(0.0, phi * (surprise + first) + (1 - phi) * rate)
            rate = min(1.0, rate) if capped else rate
        new = value + (plus if r == 1 else rate) * (r - value) * (1 - error)
        left, right = (forget * left, new) if a == 1 else (new, forget * right)
    return probability, chosen


def hrl(theta: Sequence[float], cues: Sequence[int], rewards: Sequence[int]) -> tuple[list[list[float]], list[float]]:
    """Probabilities of the three cues in each trial, chosen value."""
    alpha, beta = theta
    q = [1 / 3] * 3
    probability, chosen = [], []
    for c, r in zip(cues, rewards, strict=True):
        w = [math.exp(beta * x) for x in q]
        probability.append([x / sum(w) for x in w])
        chosen.append(q[c])
        q = [x + alpha * ((r if k == c else 1 - r) - x) for k, x in enumerate(q)]
    return probability, chosen


def paths(n_states: int, n_trials: int) -> list[tuple[int, ...]]:
    """All sequences of states."""
    return list(itertools.product(range(n_states), repeat=n_trials))
