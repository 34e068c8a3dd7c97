"""The PluriHarms release as constants: its files, its columns, and how its labels are coded.

The coding reproduces the published sample sizes and null BIC (tests/study/test_release.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pluristats.study.coding import Coding
from pluristats.study.layout import Features, Layout
from pluristats.study.record import FrozenMap

SHA256: Final[Mapping[str, str]] = FrozenMap(
    {
        "annotations.csv": "209229b4f215572f6968ec24d1310d0c2c4055b58246f1c5051bd1804b2171df",
        "prompts.csv": "6876bfbef5c7951a9e7344b52fef407a2675cf5d3c7566a221b76a1b76aa9a25",
        "factor_loadings.csv": "186ccd5be33cb6737066f5ebfb082241bd896bb3055e15abc273308f8c48b0d1",
        "value_topic_names.json": "5a1911bb6028aa745209a9150842f61e1c653dcd46cdcd28fa648c98b1324ea2",
    }
)
"""Pinned sha256 of the files of the authors' data release of 2026-02-03."""

ACTIONS: Final = tuple(
    f"action_{name}"
    for name in (
        "Security_Risks",
        "Operational_Misuses",
        "Violence_Extremism",
        "Hate_Toxicity",
        "Sexual_Content",
        "Child_Harm",
        "Self_harm",
        "Political_Usage",
        "Economic_Harm",
        "Deception",
        "Manipulation",
        "Defamation",
        "Fundamental_Rights",
        "Discrimination_Bias",
        "Privacy",
        "Criminal_Activities",
    )
)
EFFECTS: Final = tuple(
    f"effect_{name}"
    for name in ("Physical", "Psychological", "Social", "Property", "Liberty", "Collective", "Ecological")
)
VALUES: Final = tuple(f"value_topic_{topic}" for topic in range(39))
FACTORS: Final = ("Factor_1", "Factor_2", "Factor_3")


def _ordinal(column: str, *labels: str, missing: tuple[str, ...] = ()) -> Coding:
    """Code labels as 0, 1, 2, … in the order given."""
    return Coding(column, "labels", FrozenMap({label: float(i) for i, label in enumerate(labels)}), missing=missing)


def _vocabulary(*labels: str) -> FrozenMap[float]:
    return FrozenMap({label: float("nan") for label in labels})


TRAITS: Final = (
    Coding(
        "Race_Ethnicity",
        "only",
        _vocabulary(
            "White",
            "Black or African American",
            "Latino or Hispanic",
            "East Asian",
            "South Asian",
            "American Indian, Alaska Native, or other Indigenous culture",
            "Other",
        ),
        one="White",
    ),
    _ordinal("Gender", "Woman", "Man", missing=("Other", "Prefer not to answer")),
    # "Prefer not to answer" counts as 0 here: with it missing, the published n of 14,285 does not come out.
    Coding(
        "Sexual_Orientation",
        "any",
        _vocabulary(
            "Straight (heterosexual)",
            "Bisexual or pansexual",
            "Gay",
            "Lesbian",
            "Aromantic or asexual",
            "Other",
            "Prefer not to answer",
        ),
        one="Straight (heterosexual)",
    ),
    _ordinal(
        "Age",
        "18-24 years old",
        "25-34 years old",
        "35-44 years old",
        "45-54 years old",
        "55-64 years old",
        "65 years old or above",
        missing=("Prefer not to answer",),
    ),
    _ordinal(
        "Political_Affiliation",
        "Very conservative",
        "Somewhat conservative",
        "Moderate",
        "Somewhat liberal",
        "Very liberal",
        missing=("Other", "Prefer not to answer"),
    ),
    _ordinal(
        "Education",
        "High school diploma or GED",
        "Some college, but no degree",
        "Associates or technical degree",
        "Bachelor’s degree",
        "Graduate or professional degree (MA, MS, MBA, PhD, JD, MD, DDS etc.)",
        missing=("Other", "Prefer not to answer"),
    ),
    # 0, 2, 3 and not 0, 1, 2: the coding that the published figures were reproduced with.
    Coding(
        "Religion_Importance",
        "labels",
        FrozenMap({"Not at all important": 0.0, "Somewhat important": 2.0, "Very important": 3.0}),
        missing=("Prefer not to answer",),
    ),
    _ordinal(
        "Social_Media_Frequency",
        "Less than once a week",
        "At least once a week",
        "At least once a day",
        "Over 2 hours per day",
        missing=("Prefer not to answer",),
    ),
    _ordinal(
        "Toxicity_Experience",
        "Not a problem",
        "Rarely a problem",
        "Sometimes a problem",
        "Often a problem",
        "Very often a problem",
        missing=("Prefer not to answer",),
    ),
    _ordinal(
        "Income",
        "Less than $20,000",
        "$20,000 to $34,999",
        "$35,000 to $49,999",
        "$50,000 to $74,999",
        "$75,000 to $99,999",
        "Over $100,000",
        missing=("I prefer not to answer.", "Prefer not to answer"),
    ),
    *(Coding(factor, "score") for factor in FACTORS),
)

RELEASE: Final = Layout(
    name="PluriHarms",
    annotators_file="annotations.csv",
    annotator="Participant_ID",
    prompts_file="prompts.csv",
    prompt="Question_Index",
    text="Question_Content",
    harm_level="Harm_Level",
    harm_range=(0.0, 1.0),
    ratings_file="annotations.csv",
    wide=True,
    ratings_annotator="Participant_ID",
    ratings_prompt=None,
    rating="Rating_*",
    trial="Trial_*",
    traits=TRAITS,
    features=FrozenMap(
        {
            "actions": Features(ACTIONS, 0.0, 1.0),
            "effects": Features(EFFECTS, 0.0, 1.0),
            "values": Features(VALUES, -1.0, 1.0),
        }
    ),
    seeds_from=("actions", "effects"),
    topic_names="value_topic_names.json",
)
