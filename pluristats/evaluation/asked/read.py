"""What a model's answer says about a rating: a number that it writes, its expectation, a guard's yes or no."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from pluristats.llm.answer import TokenLogprob

# A number that stands by itself; "100" before "10" and "1".
_NUMBER = re.compile(r"(?<![\w.,+-])(\d{1,3})(?:\.(\d+))?(?!\w|\s*%|[.,]\d)")
_WHOLE = re.compile(r"\s*(\d{1,3})\s*")
# Least share of probability on numbers for which their expectation says what the model means.
LEAST_ON_NUMBERS = 0.5
_REQUEST = re.compile(r"harmful request:\s*(yes|no)\b", re.I)


class UnreadableError(ValueError):
    """An answer says no rating; a ValueError, so that the model is asked again."""


def read_rating(text: str) -> float:
    """The rating that an answer says, on 0 to 1.

    It is the only number from 0 to 100 in the answer, or that after its last "rating" or ":"; "out of 100" and "/100"
    do not count as numbers.

    Parameters
    ----------
    text
        The answer.

    Raises
    ------
    UnreadableError
        There is no such number, or there are several and nothing tells which.
    """
    plain = re.sub(r"\s*(?:/|out of|of)\s*100\b", " ", text)
    found = [float(f"{m[1]}.{m[2] or 0}") for m in _NUMBER.finditer(plain)]
    fitting = [number for number in found if number <= 100]
    if len(set(fitting)) != 1:
        mark = max(plain.lower().rfind("rating"), plain.rfind(":"))
        after = _NUMBER.search(plain, mark + 1) if mark >= 0 else None
        told = [float(f"{after[1]}.{after[2] or 0}")] if after else []
        fitting = [number for number in told if number <= 100]
    if not fitting:
        raise UnreadableError("there is no one whole number from 0 to 100 in the answer; answer with it alone")
    return fitting[0] / 100


@dataclass(frozen=True)
class Expectation:
    """A model's expected rating.

    Parameters
    ----------
    rating
        Σ p_j · j / 100 / Σ p_j over numbers j from 0 to 100, on 0 to 1.
    median
        Least j with half of the probability at or below it, on 0 to 1.
    on_numbers
        Σ p_j: how much of the probability the alternatives that the endpoint showed put on numbers.
    """

    rating: float
    median: float
    on_numbers: float


def expected_rating(logprobs: Sequence[TokenLogprob]) -> Expectation:
    """Expectation over the alternatives of the first token that is a number from 0 to 100.

    Numbers of several tokens cannot be told apart by their first, so that only models whose tokens are whole numbers
    up to 100 (most of today's) are read so.

    Parameters
    ----------
    logprobs
        Of an answer, with ``top_logprobs`` asked for.

    Raises
    ------
    UnreadableError
        No token is a number, or its alternatives put less than half of the probability on numbers.
    """
    for place, token in enumerate(logprobs):
        if _number(token.token) is None:
            continue
        follows = place + 1 < len(logprobs) and logprobs[place + 1].token[:1].isdigit()
        if follows:
            raise UnreadableError("the rating has several tokens, so that its alternatives are not known")
        weights: dict[int, float] = {}
        for other, logprob in {token.token: token.logprob, **dict(token.top)}.items():
            if (number := _number(other)) is not None:
                weights[number] = weights.get(number, 0.0) + math.exp(logprob)
        total = sum(weights.values())
        if total < LEAST_ON_NUMBERS:
            raise UnreadableError(f"only {total:.0%} of the probability is on numbers from 0 to 100")
        mean = sum(number * weight for number, weight in weights.items()) / total
        return Expectation(mean / 100, _median(weights, total) / 100, min(total, 1.0))
    raise UnreadableError("no token of the answer is a number from 0 to 100")


@dataclass(frozen=True)
class Guard:
    """WildGuard's judgement of a request: ``harmful`` as it says, and the probability of it."""

    harmful: bool
    probability: float | None


def read_wildguard(text: str, logprobs: Sequence[TokenLogprob] | None = None) -> Guard:
    """The first of WildGuard's three lines, ``Harmful request: yes|no``.

    The probability is p(yes) / (p(yes) + p(no)) at the token after the first ":", over first tokens with or without a
    space and in any case, from the alternatives that were asked for (None without).

    Parameters
    ----------
    text, logprobs
        Of the answer.

    Raises
    ------
    UnreadableError
        There is no such line, or neither yes nor no is among the alternatives.
    """
    line = _REQUEST.search(text)
    if line is None:
        raise UnreadableError("the answer has no line 'Harmful request: yes' or 'no'")
    harmful = line[1].lower() == "yes"
    if logprobs is None:
        return Guard(harmful, None)
    # The answer's beginning must be whole in the tokens up to and including the colon.
    said = ""
    for place, token in enumerate(logprobs[:-1]):
        said += token.token
        if said.rstrip().endswith(":"):
            return Guard(harmful, _yes_share(logprobs[place + 1]))
    raise UnreadableError("no token follows the first ':' of the answer")


def _yes_share(token: TokenLogprob) -> float:
    weight = {"yes": 0.0, "no": 0.0}
    for word, logprob in {token.token: token.logprob, **dict(token.top)}.items():
        if (plain := word.strip().lower()) in weight:
            weight[plain] += math.exp(logprob)
    if not sum(weight.values()):
        raise UnreadableError("neither yes nor no is among the alternatives of the answer")
    return weight["yes"] / sum(weight.values())


def _number(token: str) -> int | None:
    whole = _WHOLE.fullmatch(token)
    return int(whole[1]) if whole and int(whole[1]) <= 100 and (whole[1] == "0" or whole[1][0] != "0") else None


def _median(weights: dict[int, float], total: float) -> int:
    below = 0.0
    for number in sorted(weights):
        below += weights[number]
        if below >= total / 2:
            return number
    return max(weights)
