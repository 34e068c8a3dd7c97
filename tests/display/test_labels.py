from __future__ import annotations

import pytest

from pluristats.display.labels import group_of
from pluristats.plot import display_label
from pluristats.study import simulate_study

GROUPS = {"actions": ("action_Child_Harm",), "traits": ("Gender", "Age"), "demographics": ("Gender", "Age")}


@pytest.mark.parametrize(
    "term, label",
    [
        ("(Intercept)", "Intercept"),
        ("action_Child_Harm", "Child harm"),
        ("action_Self_harm", "Self-harm"),
        ("effect_Psychological", "Psychological harm"),
        ("Race_Ethnicity", "Race or ethnicity"),
        ("Factor_2", "Factor 2"),
        ("value_topic_3", "Value topic 3"),
        ("Gender:action_Child_Harm", "Gender × Child harm"),
        ("Age:Gender", "Age × Gender"),
        ("uses_LLM_daily", "Uses LLM daily"),
        ("np.log(a:b)", "Np.log(a:b)"),
        ("`my col`", "My col"),
        ("", ""),
        ("_", "_"),
        (17, "17"),
    ],
)
def test_label_of_a_term(term, label):
    assert display_label(term) == label


def test_a_studys_own_names_win_where_they_say_more():
    labels = {"value_topic_3": "Duty to Inform", "action_Child_Harm": "Child Harm", "q7": "Likes dogs"}
    assert display_label("value_topic_3", labels) == "Duty to Inform"
    assert display_label("action_Child_Harm", labels) == "Child harm"
    assert display_label("Gender:q7", labels) == "Gender × Likes dogs"


def test_every_column_of_a_study_has_its_own_label():
    study = simulate_study(n_annotators=4, n_prompts=4)
    columns = [
        *study.features["actions"],
        *study.features["effects"],
        *study.features["values"],
        *study.groups["traits"],
    ]
    labels = [display_label(name, study.labels) for name in columns]
    assert len(set(labels)) == len(labels)
    assert not [label for label in labels if "_" in label]


@pytest.mark.release
def test_topics_have_the_released_names(release_path):
    from pluristats.study import load_study

    assert display_label("value_topic_0", load_study(release_path).labels) == "Right to Privacy and Protection"


@pytest.mark.parametrize(
    "term, group",
    [
        ("action_Child_Harm", "actions"),
        ("Gender", "traits"),
        ("Gender:action_Child_Harm", "traits × actions"),
        ("Gender:unknown", "traits × other"),
        ("unknown", "other"),
    ],
)
def test_group_of_a_term(term, group):
    assert group_of(term, GROUPS) == group
