"""Made-up annotators and prompts in the release's format: vocabulary, sparsity and quotas of the real ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pluristats.study.release import ACTIONS, EFFECTS, FACTORS, VALUES

# Answers as the release spells them (some begin with a space) and how many of 100 people give them.
_ANSWERS: Final[Mapping[str, Mapping[str, int]]] = {
    "Race_Ethnicity": {
        "White": 64,
        "Black or African American": 14,
        "Latino or Hispanic": 6,
        "East Asian": 5,
        "Other": 3,
        "South Asian": 2,
        "Latino or Hispanic,White": 2,
        "Black or African American,White": 2,
        "American Indian, Alaska Native, or other Indigenous culture,White": 2,
    },
    "Gender": {"Man": 52, "Woman": 48},
    "Sexual_Orientation": {
        " Straight (heterosexual)": 87,
        " Bisexual or pansexual": 8,
        " Gay": 2,
        "Aromantic or asexual, Lesbian": 1,
        "Aromantic or asexual, Straight (heterosexual)": 1,
        "Prefer not to answer": 1,
    },
    "Age": {
        "18-24 years old": 3,
        "25-34 years old": 32,
        "35-44 years old": 25,
        "45-54 years old": 26,
        "55-64 years old": 10,
        "65 years old or above": 4,
    },
    "Political_Affiliation": {
        "Very conservative": 8,
        "Somewhat conservative": 23,
        "Moderate": 25,
        "Somewhat liberal": 26,
        "Very liberal": 16,
        "Other": 2,
    },
    "Education": {
        "High school diploma or GED": 14,
        "Some college, but no degree": 19,
        "Associates or technical degree": 10,
        "Bachelor’s degree": 39,
        "Graduate or professional degree (MA, MS, MBA, PhD, JD, MD, DDS etc.)": 18,
    },
    "Religion_Importance": {" Not at all important": 39, " Somewhat important": 28, " Very important": 33},
    "Social_Media_Frequency": {
        "Less than once a week": 3,
        "At least once a week": 7,
        "At least once a day": 36,
        "Over 2 hours per day": 54,
    },
    "Toxicity_Experience": {
        "Not a problem": 4,
        "Rarely a problem": 8,
        "Sometimes a problem": 38,
        "Often a problem": 27,
        "Very often a problem": 23,
    },
    "Income": {
        "Less than $20,000": 8,
        "$20,000 to $34,999": 11,
        "$35,000 to $49,999": 16,
        "$50,000 to $74,999": 28,
        "$75,000 to $99,999": 14,
        "Over $100,000": 22,
        "I prefer not to answer.": 1,
    },
}
_FACTOR_SD: Final = np.array([3.5, 2.8, 2.8])
_FACTOR_CORRELATION: Final = np.array([[1.0, -0.25, 0.5], [-0.25, 1.0, 0.1], [0.5, 0.1, 1.0]])

# Of 100 prompts, how many have the target harm level 0.0, 0.1, …, 1.0.
_HARM_LEVELS: Final = (1, 2, 5, 10, 20, 24, 20, 10, 5, 2, 1)
# Of 150 prompts, how many share their seed's action and effect rows with another one.
_PAIRS_PER_PROMPT: Final = 23 / 150
# How common each action, effect and value topic is (share of prompts with a non-zero cell).
_ACTION_WEIGHT: Final = (27, 51, 32, 44, 11, 25, 14, 7, 31, 73, 30, 9, 52, 33, 20, 33)
_EFFECT_WEIGHT: Final = (17, 57, 45, 33, 60, 73, 14)
_TOPIC_WEIGHT: Final = tuple(np.geomspace(20, 3, len(VALUES)))
_N_ACTIONS: Final = {5: 142, 4: 5, 3: 2, 2: 1}
_N_TOPICS: Final = {0: 2, 1: 7, 2: 35, 3: 32, 4: 37, 5: 37}


def quota(weights: Sequence[float], n: int) -> NDArray[np.intp]:
    """Split n into whole counts in proportion to weights: largest remainders first, among equals the rarest.

    Parameters
    ----------
    weights
        Non-negative, not all zero, shape (k,).
    n
        How many to split; the counts sum to it.
    """
    exact = np.asarray(weights, dtype=np.float64) * n / np.sum(weights)
    counts = np.floor(exact).astype(np.intp)
    order = np.lexsort((exact, counts - exact))
    counts[order[: n - int(counts.sum())]] += 1
    return counts


def invent_annotators(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Make n annotators: ``annotator`` 0 … n-1, ten demographics by quota, three correlated factor scores.

    Quotas, not draws, so that 100 annotators always have the release's two "Other" politics and one withheld
    income, and rows with missing traits occur.
    """
    columns: dict[str, object] = {"annotator": np.arange(n)}
    for column, answers in _ANSWERS.items():
        labels = np.repeat(np.array(list(answers), dtype=object), quota(tuple(answers.values()), n))
        columns[column] = rng.permutation(labels).tolist()
    covariance = _FACTOR_CORRELATION * np.outer(_FACTOR_SD, _FACTOR_SD)
    scores = rng.multivariate_normal(np.zeros(3), covariance, size=n)
    columns.update(zip(FACTORS, (scores - scores.mean(axis=0)).T, strict=True))
    return pd.DataFrame(columns)


def invent_prompts(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Make n prompts: ``prompt`` 1 … n, placeholder ``text``, ``harm_level``, ``seed``, and sparse features.

    About 15 % of prompts are the second variant of a seed: they share its action and effect rows and differ in
    harm level and values.
    """
    harm_level = np.repeat(np.arange(11) / 10, quota(_HARM_LEVELS, n))  # ascending
    # Pairs are half the list apart, where levels differ because no level holds half of the prompts.
    first = rng.choice(n // 2, size=min(round(n * _PAIRS_PER_PROMPT), n // 2), replace=False)
    seed = np.arange(n)
    seed[first + n // 2] = seed[first]
    order = rng.permutation(n)
    harm_level, seed = harm_level[order], pd.factorize(seed[order])[0]
    shares = _distinct_shares(int(seed.max()) + 1, rng)
    features = np.column_stack([shares[seed], np.array([_valences(rng) for _ in range(n)])])
    text = [
        f"[Simulated prompt {i + 1}: placeholder of harm level {level:.1f}, seed {s + 1}; not a real prompt.]"
        for i, (level, s) in enumerate(zip(harm_level, seed, strict=True))
    ]
    head = pd.DataFrame({"prompt": np.arange(1, n + 1), "text": text, "harm_level": harm_level, "seed": seed + 1})
    return pd.concat([head, pd.DataFrame(features, columns=[*ACTIONS, *EFFECTS, *VALUES])], axis=1)


def _distinct_shares(n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Action and effect shares of n seeds, shape (n, 23), no two rows alike (seeds are inferred from them)."""
    rows: dict[tuple[float, ...], None] = {}
    while len(rows) < n:
        k = int(rng.choice(list(_N_ACTIONS), p=_probabilities(tuple(_N_ACTIONS.values()))))
        actions = _shares(_ACTION_WEIGHT, k, int(rng.integers(15, 238)), 0.6, rng)
        effects = _shares(_EFFECT_WEIGHT, 3, int(rng.integers(30, 600)), 8.0, rng)
        rows[(*actions, *effects)] = None
    return np.array(list(rows))


def _shares(
    weights: Sequence[float], k: int, total: int, evenness: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Shares of ``total`` counts over k categories, at least one count each; they sum to 1."""
    shares = np.zeros(len(weights))
    chosen = rng.choice(len(weights), size=k, replace=False, p=_probabilities(weights))
    shares[chosen] = (1 + rng.multinomial(total - k, rng.dirichlet(np.full(k, evenness)))) / total
    return shares


def _valences(rng: np.random.Generator) -> NDArray[np.float64]:
    """Signed valences of up to five value topics of one prompt, shape (39,)."""
    values = np.zeros(len(VALUES))
    k = int(rng.choice(list(_N_TOPICS), p=_probabilities(tuple(_N_TOPICS.values()))))
    chosen = rng.choice(len(VALUES), size=k, replace=False, p=_probabilities(_TOPIC_WEIGHT))
    values[chosen] = np.round(rng.choice([-1.0, 1.0], size=k) * rng.beta(3.0, 1.7, size=k), 10)
    return values


def _probabilities(weights: Sequence[float]) -> NDArray[np.float64]:
    return np.asarray(weights, dtype=np.float64) / np.sum(weights)
