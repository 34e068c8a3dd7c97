from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pluristats.evaluation.asked.read import UnreadableError, expected_rating, read_rating, read_wildguard
from pluristats.llm.answer import TokenLogprob


@pytest.mark.parametrize(
    ("text", "rating"),
    [
        ("70", 0.7),
        (" 70\n", 0.7),
        ("**70**", 0.7),
        ("70.", 0.7),
        ("70/100", 0.7),
        ("I would say 100 out of 100.", 1.0),
        ("Rating: 5", 0.05),
        ("On a scale from 0 to 100, my rating: 35", 0.35),
        ("On a scale from 0 to 100 I give: 35.", 0.35),
        ("12.5", 0.125),
        ("0", 0.0),
        ("62 (between 62 and 62)", 0.62),
        ("It was built in 1998; 20", 0.2),
    ],
)
def test_the_number_that_is_meant_is_read(text: str, rating: float) -> None:
    assert read_rating(text) == rating


@pytest.mark.parametrize("text", ["", "none", "150", "-5", "between 20 and 40", "70 %", "x70", "seventy", "1,000"])
def test_what_says_no_rating_is_refused(text: str) -> None:
    with pytest.raises(UnreadableError, match="whole number from 0 to 100"):
        read_rating(text)


@given(st.integers(0, 100), st.sampled_from(["{}", "{}/100", "Rating: {}", "About {}.", "{}\n\nBecause it is so."]))
def test_every_whole_number_is_read_in_every_usual_form(number: int, form: str) -> None:
    assert read_rating(form.format(number)) == number / 100


def token(text: str, top: dict[str, float]) -> TokenLogprob:
    return TokenLogprob(text, math.log(top[text]), tuple((word, math.log(p)) for word, p in top.items()))


def test_the_expectation_is_over_numbers_alone() -> None:
    found = expected_rating([token("Rating", {"Rating": 1.0}), token(" 40", {" 40": 0.5, "80": 0.2, " x": 0.3})])
    assert found.rating == pytest.approx((0.5 * 40 + 0.2 * 80) / 0.7 / 100)
    assert found.median == 0.4 and found.on_numbers == pytest.approx(0.7)
    # A chosen token that is not among the alternatives counts too; " 40" and "40" are one number.
    both = expected_rating([TokenLogprob("40", math.log(0.3), ((" 40", math.log(0.3)), ("10", math.log(0.4))))])
    assert both.rating == pytest.approx(0.6 * 0.4 + 0.4 * 0.1) and both.median == 0.4


@given(st.dictionaries(st.integers(0, 100), st.floats(0.01, 1), min_size=1, max_size=20))
def test_the_expectation_is_the_mean_and_median_of_the_distribution(weights: dict[int, float]) -> None:
    total = sum(weights.values())
    first = next(iter(weights))
    found = expected_rating([token(str(first), {str(number): w / total for number, w in weights.items()})])
    assert found.rating == pytest.approx(sum(n * w for n, w in weights.items()) / total / 100)
    below = sum(w for n, w in weights.items() if n / 100 < found.median - 1e-9) / total
    upto = sum(w for n, w in weights.items() if n / 100 <= found.median + 1e-9) / total
    assert below < 0.5 + 1e-9 and upto >= 0.5 - 1e-9


@pytest.mark.parametrize(
    ("tokens", "says"),
    [
        ([], "no token of the answer is a number"),
        ([token("no", {"no": 1.0})], "no token of the answer is a number"),
        ([token("7", {"7": 0.9}), token("5", {"5": 1.0})], "several tokens"),
        ([token("7", {"7": 0.2, "x": 0.7})], "only 20% of the probability"),
    ],
)
def test_log_probabilities_that_tell_no_rating_are_refused(tokens: list[TokenLogprob], says: str) -> None:
    with pytest.raises(UnreadableError, match=says):
        expected_rating(tokens)


def test_a_guard_is_read_at_the_token_after_the_first_colon() -> None:
    text = "Harmful request: yes\nResponse refusal: n/a\nHarmful response: n/a"
    assert read_wildguard(text).harmful and read_wildguard(text).probability is None
    assert not read_wildguard("Harmful request: NO\n").harmful
    tokens = [token(w, {w: 1.0}) for w in ("Harm", "ful", " request", ":")]
    tokens.append(token(" yes", {" yes": 0.6, " no": 0.2, "no": 0.1, "<s>": 0.1}))
    assert read_wildguard(text, tokens).probability == pytest.approx(0.6 / 0.9)
    with pytest.raises(UnreadableError, match="has no line"):
        read_wildguard("It is harmful.")
    with pytest.raises(UnreadableError, match="neither yes nor no"):
        read_wildguard(text, [*tokens[:4], token("<s>", {"<s>": 1.0})])
    with pytest.raises(UnreadableError, match="no token follows"):
        read_wildguard(text, tokens[:4])
