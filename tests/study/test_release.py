"""The released data: counts and likelihoods published or computed elsewhere (statsmodels, lme4), from raw files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from pluristats.study import Study, load_study

pytestmark = pytest.mark.release


@pytest.fixture(scope="module")
def study(release_path: Path) -> Study:
    return load_study(release_path)


@pytest.fixture(scope="module")
def frame(study: Study) -> pd.DataFrame:
    return study.frame()


def test_counts(study: Study, frame: pd.DataFrame) -> None:
    assert len(study.annotators) == 100
    assert len(study.prompts) == 150
    assert len(study.ratings) == 15_000
    assert len(frame) == 14_725
    sizes = study.prompts.groupby("seed").size()
    assert len(sizes) == 127
    assert sizes.value_counts().to_dict() == {1: 104, 2: 23}
    assert {name: len(columns) for name, columns in study.groups.items()} == {
        "actions": 16,
        "effects": 7,
        "values": 39,
        "traits": 13,
        "demographics": 10,
        "factors": 3,
    }


def test_null_bic_is_the_published_one(frame: pd.DataFrame) -> None:
    null = sm.OLS(frame["rating"], np.ones(len(frame))).fit()
    assert null.bic == pytest.approx(41_796.337, abs=5e-4)


def test_traits_on_complete_cases(study: Study, frame: pd.DataFrame) -> None:
    complete = frame.dropna()
    assert len(complete) == 14_285
    null = sm.OLS(complete["rating"], np.ones(len(complete))).fit()
    traits = sm.OLS(complete["rating"], sm.add_constant(complete[list(study.groups["traits"])])).fit()
    assert null.bic == pytest.approx(40_685.5, abs=0.05)
    assert traits.bic - null.bic == pytest.approx(-217.5, abs=0.05)


def test_features_have_rank_60(study: Study, frame: pd.DataFrame) -> None:
    features = [name for group in ("actions", "effects", "values") for name in study.groups[group]]
    # Actions sum to 1 and so do effects: 62 columns, two of them determined by the others.
    assert np.linalg.matrix_rank(frame[features].to_numpy()) == 60


def test_frame_against_the_raw_files_by_other_means(frame: pd.DataFrame, release_path: Path) -> None:
    wide = pd.read_csv(release_path / "annotations.csv").set_index("Participant_ID")
    prompts = pd.read_csv(release_path / "prompts.csv").set_index("Question_Index")
    row = frame[(frame["annotator"] == 7) & (frame["prompt"] == 12)].iloc[0]
    assert row["rating_raw"] == wide.loc[7, "Rating_12"]
    assert row["harm_level"] == prompts.loc[12, "Harm_Level"]
    ratings = wide[[f"Rating_{i}" for i in range(1, 151)]].stack().dropna()
    assert row["rating"] == pytest.approx((wide.loc[7, "Rating_12"] - ratings.mean()) / ratings.std(), abs=1e-12)
    weights = wide[[f"Rating_{i}" for i in range(1, 151)]].notna().sum().to_numpy()
    child = prompts["action_Child_Harm"].to_numpy()
    mean = np.average(child, weights=weights)
    sd = np.sqrt(np.sum(weights * (child - mean) ** 2) / (weights.sum() - 1))
    assert row["action_Child_Harm"] == pytest.approx((child[11] - mean) / sd, abs=1e-12)
    white = (wide["Race_Ethnicity"] == "White").astype(float)
    assert row["Race_Ethnicity"] == pytest.approx((white[7] - white.mean()) / white.std(), abs=1e-12)
    assert row["Factor_2"] == wide.loc[7, "Factor_2"]


@pytest.mark.parametrize(
    ("column", "mean"),
    [
        ("Race_Ethnicity", 0.64),
        ("Gender", 0.52),
        ("Sexual_Orientation", 0.88),  # 87 straight and one "Aromantic or asexual, Straight"
        ("Age", (32 + 2 * 25 + 3 * 26 + 4 * 10 + 5 * 4) / 100),
        ("Political_Affiliation", (23 + 2 * 25 + 3 * 26 + 4 * 16) / 98),
        ("Education", (19 + 2 * 10 + 3 * 39 + 4 * 18) / 100),
        ("Religion_Importance", (2 * 28 + 3 * 33) / 100),
        ("Social_Media_Frequency", (7 + 2 * 36 + 3 * 54) / 100),
        ("Toxicity_Experience", (8 + 2 * 38 + 3 * 27 + 4 * 23) / 100),
        ("Income", (11 + 2 * 16 + 3 * 28 + 4 * 14 + 5 * 22) / 99),
    ],
)
def test_codings_by_hand_from_label_counts(study: Study, column: str, mean: float) -> None:
    codebook = study.codebook().set_index("column")
    assert codebook.loc[column, "mean"] == pytest.approx(mean, abs=1e-12)


def test_dropped_rows_are_counted_by_reason(study: Study, release_path: Path) -> None:
    dropped = study.dropped().set_index("reason")["rows"]
    wide = pd.read_csv(release_path / "annotations.csv")
    usable = wide[[f"Rating_{i}" for i in range(1, 151)]].notna().sum(axis=1)
    assert dropped["Unsure"] == 275
    other = "Political_Affiliation missing: answer 'Other'"
    assert dropped[other] == usable[wide["Political_Affiliation"] == "Other"].sum() > 0
    income = "Income missing: answer 'I prefer not to answer.'"
    assert dropped[income] == usable[wide["Income"].str.contains("prefer not")].sum() > 0
    assert dropped["any trait missing"] == 14_725 - 14_285


def test_labels_name_the_topics(study: Study) -> None:
    assert study.labels["value_topic_0"] == "Right to Privacy and Protection"
    assert study.labels["action_Child_Harm"] == "Child Harm"
