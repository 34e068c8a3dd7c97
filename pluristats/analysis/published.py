"""The published figures and directional claims of PluriHarms (ICLR 2026, arXiv 2601.08951), as facts.

Taken from public notes of the paper; what they leave open is in the ledger's ``choices``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pandas as pd

Kind = Literal["number", "sign", "claim"]


@dataclass(frozen=True)
class Figure:
    """One published figure or claim.

    Parameters
    ----------
    key
        Short and unique.
    claim
        What it is about.
    text
        As published.
    kind
        ``number`` (compare with ``value``), ``sign`` (compare the direction) or ``claim`` (true or not).
    value
        The number; +1 or -1 for a sign; 1 for a claim.
    unit
        Size of the last published digit; half of it is the rounding error allowed for "exact".
    near
        Largest relative difference still called "close".
    """

    key: str
    claim: str
    text: str
    kind: Kind
    value: float
    unit: float = 0.0
    near: float = 0.05


def _signs(question: str, signs: dict[str, int]) -> list[Figure]:
    return [
        Figure(
            key=f"{question}_sign_{term}",
            claim=f"{question.upper()} sign of {term}",
            text="positive" if sign > 0 else "negative",
            kind="sign",
            value=sign,
        )
        for term, sign in signs.items()
    ]


# ΔBIC of Models 1-6, and the BICs that they add up to when read as steps from the null's 41,796.
RUNG_DELTAS = {"1": -1338, "2": -526, "3": -2389, "4": -1107, "5": -891, "6": -496}
NULL_BIC = 41_796
RUNG_BICS = {"1": 40_458, "2": 39_932, "3": 37_543, "4": 36_436, "5": 35_545, "6": 35_049}
RUNG_TERMS = {
    "1": "traits",
    "2": "+ trait × trait",
    "3": "prompt features",
    "4": "prompt features + traits",
    "5": "+ trait × trait",
    "6": "+ prompt × trait",
}

# Evaluation table: method -> (personalised, aggregate) mean absolute error, None where not published.
EVALUATION: dict[str, tuple[float | None, float | None]] = {
    "random": (None, 0.386),
    "GPT zero-shot": (None, 0.263),
    "GPT value profile": (0.233, 0.260),
    "GPT k-shot": (0.196, 0.254),
    "GPT-4.5 k-shot": (0.195, 0.256),
    "Claude Sonnet 3.7 k-shot": (0.201, 0.250),
    "Qwen-8B k-shot": (0.197, 0.257),
    "WildGuard 7B zero-shot, probability": (None, 0.364),
    "WildGuard 7B zero-shot, class": (None, 0.403),
    "SafetyAnalyst 8B": (0.311, 0.361),
}


def published_ladder() -> pd.DataFrame:
    """The published ΔBIC of each model in the columns that :func:`pluristats.plot.ladder` draws."""
    rows = [("published", model, float(delta), float("nan"), True) for model, delta in RUNG_DELTAS.items()]
    return pd.DataFrame(rows, columns=["spec", "model", "delta_bic", "nobs", "same_rows"])


PUBLISHED: tuple[Figure, ...] = (
    Figure("ratings", "usable ratings", "about 15,000", "number", 15_000, unit=1_000),
    Figure("spearman", "Spearman correlation of synthetic harm level and mean rating", "0.59", "number", 0.59, 0.01),
    Figure("spearman_p", "its p-value", "2.2e-15", "number", 2.2e-15, 1e-16),
    Figure("variance_levels", "ratings vary more at harm levels 0.4-0.8 than elsewhere", "higher", "claim", 1),
    Figure("entropy_levels", "ratings have higher entropy at harm levels 0.4-0.8 than elsewhere", "higher", "claim", 1),
    Figure("null_bic", "null model BIC", "41,796", "number", NULL_BIC, 1),
    Figure("rq1_r2", "RQ1 R² (prompt features, annotator intercepts)", "0.273", "number", 0.273, 0.001),
    *_signs("rq1", {"action_Child_Harm": 1, "action_Self_harm": 1, "effect_Psychological": -1, "effect_Social": -1}),
    Figure("rq2_r2", "RQ2 R² (traits, prompt intercepts)", "0.0232", "number", 0.0232, 0.0001),
    *_signs(
        "rq2",
        {
            "Toxicity_Experience": 1,
            "Social_Media_Frequency": 1,
            "Education": -1,
            "Gender": -1,
            "Political_Affiliation": -1,
        },
    ),
    *(
        Figure(f"rq3_{trait}", f"RQ3 coefficient of {trait} × child harm", "about 0.034", "number", 0.034, 0.001, 0.2)
        for trait in ("Race_Ethnicity", "Sexual_Orientation", "Political_Affiliation")
    ),
    *(
        Figure(f"rung_{m}", f"ΔBIC of Model {m} ({RUNG_TERMS[m]})", f"{d:,}".replace("-", "−"), "number", d, 1)
        for m, d in RUNG_DELTAS.items()
    ),
    Figure("best_step", "prompt features help most of all kinds of features", "prompt features", "claim", 1),
    *(
        Figure(f"mae_{kind}_{method}", f"MAE of {method}, {kind}", f"{value:.3f}", "number", value, 0.001)
        for method, pair in EVALUATION.items()
        for kind, value in zip(("personalised", "aggregate"), pair, strict=True)
        if value is not None
    ),
)
