from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
import pytest

import pluristats as ps
from pluristats.errors import GenerateError
from pluristats.extract import feature_summary

PROMPTS = pd.DataFrame(
    {
        "prompt": list("abcd"),
        "action_Privacy": [1.0, 0.5, 0, 0],
        "action_Hate_Toxicity": [0, 0.5, 1, 1],
        "effect_Social": [0.0, 0, 0, 0],
        "value_topic_0": [0.5, -0.5, 0, -1],
    }
)


def test_a_summary_counts_what_is_not_zero() -> None:
    table = feature_summary(PROMPTS).set_index("feature")
    assert list(table.index) == list(PROMPTS.columns[1:])
    assert table["group"].tolist() == ["action", "action", "effect", "value_topic"]
    assert table["present"].tolist() == [0.5, 0.75, 0, 0.75]
    assert table["mean"].tolist() == [0.375, 0.625, 0, -0.25]
    assert table["strength"].fillna(-1).tolist() == pytest.approx([0.75, 2.5 / 3, -1, 2 / 3])
    assert (
        not table["simulated"].any()
        and feature_summary(PROMPTS.assign(simulated=[False] * 3 + [True]))["simulated"].all()
    )
    with pytest.raises(GenerateError, match="no rows or no columns action"):
        feature_summary(PROMPTS[["prompt"]])
    with pytest.raises(GenerateError, match="column 'effect_Social' has missing values"):
        feature_summary(PROMPTS.assign(effect_Social=[0, 0, 0, None]))


@pytest.mark.release
def test_the_release_has_three_effects_a_prompt_and_at_most_five_actions(release_path) -> None:
    table = feature_summary(ps.load_study(release_path).prompts).groupby("group")["present"].sum()
    # The shares add up to mean counts a prompt: 142 prompts have 5 actions, 5 have 4, 2 have 3 and 1 has 2.
    assert table["effect"] == pytest.approx(3)
    assert table["action"] == pytest.approx((142 * 5 + 5 * 4 + 2 * 3 + 2) / 150)
    assert table["value_topic"] == pytest.approx(506 / 150)


def test_bars_are_ours_and_diamonds_the_others() -> None:
    ours = feature_summary(PROMPTS.assign(simulated=True))
    ax = ps.plot.feature_summary(ours, feature_summary(PROMPTS.iloc[:1]), "the release")
    assert [bar.get_width() for bar in ax.patches] == [0.5, 0.75, 0, 0.75]
    assert ax.lines[0].get_xdata().tolist() == [1, 0, 0, 1]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "the release (1)",
        "these prompts (4, SIMULATED)",
    ]
    assert [label.get_text() for label in ax.get_yticklabels()][:2] == ["Privacy", "Hate and toxicity"]
    plt.close(ax.figure)
    told = ps.plot.describe_feature_summary(ours, feature_summary(PROMPTS), "the release")
    assert told.startswith(
        "Simulated features. Bar chart of how many of 4 prompts have each of 4 features; most often "
    )
    assert "Hate and toxicity 75 %" in told and told.endswith("Beside each the share in the release.")
    with pytest.raises(ValueError, match="feature_summary needs the columns"):
        ps.plot.feature_summary(ours.drop(columns="present"))
