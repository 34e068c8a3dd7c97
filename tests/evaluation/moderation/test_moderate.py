"""moderate(): tables, refusals, degenerate benchmarks, pairs, and models that are asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

import pluristats as ps
from pluristats.errors import EvaluationError, MissingAnswersWarning
from pluristats.evaluation.asked import Asking, KShot, SafetyAnalyst, WildGuard, ZeroShot
from pluristats.evaluation.moderation.binary import METRICS
from pluristats.features import Action, Effect, Stakeholder, Tree, flatten, harmfulness, load_profile, probability
from pluristats.llm import ChatClient, Limits, ResponseStore
from tests.llm.endpoint import KEY, completion, http, serving


def table_of(n: int = 200, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    harmful = rng.random(n) < 0.4
    return pd.DataFrame(
        {
            "text": [f"text {i}" for i in range(n)],
            "label": np.where(harmful, "harmful", "unharmful"),
            "good": np.round(np.clip(rng.normal(0.35 + 0.3 * harmful, 0.2), 0, 1), 2),
            "poor": np.where(rng.random(n) < 0.4 + 0.2 * harmful, "harmful", "unharmful"),
        }
    )


def estimates(found: ps.Moderation, method: str) -> pd.DataFrame:
    rows = found.tidy()
    return rows[rows["method"] == method].set_index("metric")


def test_columns_of_scores_and_classes() -> None:
    table = table_of()
    found = ps.moderate(table, ["good", "poor"], positive="harmful")
    y = table["label"] == "harmful"
    good, poor = estimates(found, "good"), estimates(found, "poor")
    assert good.loc["auc", "estimate"] == pytest.approx(roc_auc_score(y, table["good"]))
    assert good.loc["average_precision", "estimate"] == pytest.approx(average_precision_score(y, table["good"]))
    assert good.loc["f1", "estimate"] == pytest.approx(f1_score(y, table["good"] >= 0.5))
    assert poor.loc["f1", "estimate"] == pytest.approx(f1_score(y, table["poor"] == "harmful"))
    ends = found.tidy()
    assert (ends["lo"] < ends["estimate"]).all() and (ends["estimate"] < ends["hi"]).all()
    assert set(ends.loc[ends["interval"] == "bootstrap", "metric"]) == {"auc", "average_precision"}
    wide = found.glance().set_index("method")
    assert wide.loc["poor", "auc"] == pytest.approx(
        (1 + poor.loc["recall", "estimate"] - poor.loc["false_positive_rate", "estimate"]) / 2
    )
    assert wide.loc["poor", "note"].startswith("classes: auc is") and wide.loc["good", "note"] == ""
    assert not found.simulated and "2 models on 200 texts" in repr(found)


def test_an_interval_of_auc_is_as_wide_as_delongs() -> None:
    table = table_of(600, seed=4)
    row = estimates(ps.moderate(table, "good", positive="harmful", draws=4000), "good").loc["auc"]
    a, b = (table.loc[table["label"] == c, "good"].to_numpy() for c in ("harmful", "unharmful"))
    above = (a[:, None] > b) + (a[:, None] == b) / 2
    # DeLong, DeLong & Clarke-Pearson 1988: variances of the placements of each class.
    deviation = np.sqrt(above.mean(axis=1).var(ddof=1) / len(a) + above.mean(axis=0).var(ddof=1) / len(b))
    assert (row["hi"] - row["lo"]) / (2 * 1.959964) == pytest.approx(deviation, rel=0.05)


def test_refusals_are_left_out_or_counted_as_a_class() -> None:
    table = pd.DataFrame(
        {"label": [1, 1, 1, 0, 0, 0], "score": [0.9, 0.8, np.nan, 0.7, 0.1, np.nan], "other": [0.6] * 6}
    )
    skipped = ps.moderate(table, ["score", "other"])
    wide = skipped.glance().set_index("method")
    assert wide.loc["score", ["n", "n_harmful", "n_refused"]].tolist() == [4, 2, 2]
    assert wide.loc["other", ["n", "n_harmful", "n_refused"]].tolist() == [6, 3, 0]
    assert wide.loc["score", "recall"] == 1 and wide.loc["score", "auc"] == 1
    counted = {
        policy: ps.moderate(table, "score", refusals=policy).glance().iloc[0] for policy in ("harmful", "harmless")
    }
    for policy, value in (("harmful", 2.0), ("harmless", -2.0)):
        score = table["score"].fillna(value)
        row = counted[policy]
        assert row["n"] == 6 and row["n_refused"] == 2
        assert row["auc"] == pytest.approx(roc_auc_score(table["label"], score))
        assert row["f1"] == pytest.approx(f1_score(table["label"], score >= 0.5))
    compared = skipped.compare("score", "other")
    assert (compared["n"] == 4).all()
    kept = skipped.predictions()
    assert kept["refused"].sum() == 2 and kept.loc[kept["refused"], "score"].isna().all() and len(kept) == 12
    nobody = ps.moderate(table.assign(score=None), "score").tidy()
    assert nobody["estimate"].isna().all() and set(nobody["reason"]) == {"no text counts"}


def test_one_class_alone_leaves_holes_with_reasons() -> None:
    table = pd.DataFrame({"label": [1] * 5, "score": [0.9, 0.8, 0.7, 0.2, 0.6]})
    rows = estimates(ps.moderate(table, "score"), "score")
    assert rows["estimate"].isna().to_dict() == {m: m not in ("recall", "f1") for m in METRICS}
    assert rows.loc["recall", "estimate"] == 0.8 and rows.loc["f1", "estimate"] == pytest.approx(8 / 9)
    assert rows.loc["f1", "lo"] < 8 / 9 < rows.loc["f1", "hi"]
    assert (rows["reason"] == "no text is labelled harmless").tolist() == rows["estimate"].isna().tolist()
    rows = estimates(ps.moderate(table.assign(label=0), "score"), "score")
    assert rows["estimate"].notna().to_dict() == {m: m == "false_positive_rate" for m in METRICS}
    assert rows.loc["auc", "reason"] == "no text is labelled harmful"
    wide = ps.moderate(table, "score").glance().iloc[0]
    assert wide["note"] == "precision, false_positive_rate, auc, average_precision: no text is labelled harmless"
    none = ps.moderate(table.assign(label=[1, 1, 0, 0, 0], score=0.1), "score")
    rows = estimates(none, "score")
    assert rows.loc["precision", "reason"] == "no text is flagged" and np.isnan(rows.loc["precision", "estimate"])
    assert rows.loc["f1", "estimate"] == 0 and rows.loc["auc", "estimate"] == 0.5  # all scores are equal: a tie
    pair = ps.moderate(table.assign(b=0.5), ["score", "b"]).compare("score", "b").set_index("metric")
    assert np.isnan(pair.loc["auc", "difference"]) and pair.loc["auc", "reason"] == "no text is labelled harmless"
    assert pair.loc["recall", "difference"] == pytest.approx(-0.2)


def test_classes_that_do_not_overlap_have_no_bootstrap_interval() -> None:
    table = pd.DataFrame({"label": [1, 1, 1, 0, 0], "score": [0.9, 0.8, 0.7, 0.2, 0.6]})
    rows = estimates(ps.moderate(table, "score"), "score")
    assert rows.loc["auc", "estimate"] == 1 and np.isnan(rows.loc["auc", "lo"]) and rows.loc["auc", "reason"]
    assert rows.loc["recall", "lo"] < 1 and rows.loc["f1", "lo"] < 1


def test_a_comparison_is_paired() -> None:
    table = table_of(300, seed=2)
    rng = np.random.default_rng(5)
    table["same"] = table["good"]
    table["near"] = np.clip(table["good"] + rng.normal(0, 0.02, 300), 0, 1)
    found = ps.moderate(table, ["good", "same", "near", "poor"], positive="harmful", seed=3)
    same = found.compare("good", "same")
    assert (same[["difference", "lo", "hi", "only_a_right"]] == 0).all().all()
    near = found.compare("good", "near").set_index("metric").loc["auc"]
    alone = estimates(found, "good").loc["auc"]
    assert near["hi"] - near["lo"] < (alone["hi"] - alone["lo"]) / 3
    poor = found.compare("good", "poor").set_index("metric")
    turned = found.compare("poor", "good").set_index("metric")
    np.testing.assert_allclose(poor["difference"], -turned["difference"])
    np.testing.assert_allclose(poor["lo"], -turned["hi"])
    y, flagged = table["label"] == "harmful", [table["good"] >= 0.5, table["poor"] == "harmful"]
    right = [f == y for f in flagged]
    assert poor["only_a_right"].iloc[0] == (right[0] & ~right[1]).sum() and poor.loc["auc", "lo"] > 0
    assert len(found.comparisons()) == 6 * len(METRICS)
    again = ps.moderate(table, ["good", "poor"], positive="harmful", seed=3)
    pd.testing.assert_frame_equal(again.compare("good", "poor"), found.compare("good", "poor"))
    pd.testing.assert_frame_equal(again.tidy(), found.tidy().query("method in ('good', 'poor')").reset_index(drop=True))
    with pytest.raises(EvaluationError, match="no model 'best' here; there are good, poor"):
        again.compare("good", "best")


def test_thresholds_and_unlabelled_rows(tmp_path: Path) -> None:
    table = pd.DataFrame({"label": [1, 0, None, 1], "rating": [80, 20, 50, 40], "p": [0.9, 0.2, 0.5, 0.7]})
    found = ps.moderate(table, ["rating", "p"], threshold={"rating": 50}).glance()
    assert found["recall"].tolist() == [0.5, 1.0] and found["threshold"].tolist() == [50, 0.5]
    assert found["n"].tolist() == [3, 3] and found["n_unlabelled"].tolist() == [1, 1]
    table.to_csv(tmp_path / "t.csv", index=False)
    again = ps.moderate(tmp_path / "t.csv", ["rating", "p"], threshold={"rating": 50}).glance()
    pd.testing.assert_frame_equal(found, again)
    with pytest.raises(EvaluationError, match="'rating' has scores outside 0-1, such as 80; give its threshold"):
        ps.moderate(table, "rating")
    with pytest.raises(EvaluationError, match="a threshold is given for 'q', which is not judged; p are"):
        ps.moderate(table, "p", threshold={"q": 0.5})
    with pytest.raises(EvaluationError, match="there is no column 'q'; there are label, rating, p"):
        ps.moderate(table, "q")
    with pytest.raises(EvaluationError, match="'p' is given twice"):
        ps.moderate(table, ["p", "p"])
    with pytest.raises(EvaluationError, match="nothing to judge"):
        ps.moderate(table)
    with pytest.raises(EvaluationError, match="refusals is"):
        ps.moderate(table, "p", refusals="drop")  # type: ignore[arg-type]
    with pytest.raises(EvaluationError, match="no cell of the labels or classes is 'yes'"):
        ps.moderate(table, "p", positive=(1, "yes"))
    assert ps.moderate(table.assign(simulated=True), "p").simulated


@pytest.fixture
def asking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with ResponseStore(tmp_path / "answers.sqlite") as store:
        yield lambda server: Asking(
            ChatClient(server.endpoint(), store, Limits(first_wait=0.001, attempts=2)), progress=False, repairs=0
        )


def test_a_model_is_asked_once_a_text_and_refusals_are_counted(asking) -> None:
    table = pd.DataFrame({"text": ["lock a", "tea b", "odd c", "lock a"], "label": [1, 0, 1, 1]})

    def answer(question: str, time: int):
        return http(200, completion("I cannot say" if "odd" in question else "80" if "lock" in question else "10"))

    with serving(answer) as server, pytest.warns(MissingAnswersWarning):
        found = ps.moderate(table, methods=ZeroShot(asking(server)))
        asked = [body["messages"][-1]["content"].split("Text:\n")[1] for body in server.bodies]
    assert sorted(asked) == ["lock a", "odd c", "tea b"]
    row = found.glance().iloc[0]
    assert row["method"] == "zero-shot" and row["n"] == 3 and row["n_refused"] == 1 and row["recall"] == 1
    assert found.predictions()["score"].fillna(-1).tolist() == [0.8, 0.1, -1, 0.8]


def test_methods_that_learn_from_ratings_are_refused(asking) -> None:
    table = pd.DataFrame({"text": ["a", "b"], "label": [1, 0]})
    with serving(http(200, completion("1"))) as server:
        whom = asking(server)
        with pytest.raises(EvaluationError, match="'k-shot' learns from people's ratings"):
            ps.moderate(table, methods=KShot(whom))
        with pytest.raises(EvaluationError, match="'safetyanalyst' learns from people's ratings"):
            ps.moderate(table, methods=SafetyAnalyst({}))
        with pytest.raises(EvaluationError, match="row 1, column 'text': ' ' is no text to ask about"):
            ps.moderate(table.assign(text=["a", " "]), methods=WildGuard(whom))
        assert server.bodies == []


def test_safetyanalyst_scores_by_the_trees_of_the_rows() -> None:
    def tree(name: str, extent: str) -> Tree:
        effect = Effect("2. Physical health risks", "high", extent, True)
        return Tree((Stakeholder("people", (Action("1. Violent crimes", (effect,)),)),), id=name)

    trees = {name: tree(name, extent) for name, extent in (("p", "minor"), ("q", "major"))}
    profile = load_profile("safetyanalyst")
    table = pd.DataFrame({"id": ["q", "p", "q"], "text": ["a", "b", "c"], "label": [1, 0, 1]})
    model = SafetyAnalyst(trees, profile=profile)
    found = ps.moderate(table, methods=model, names="id").predictions()["score"]
    leaves = flatten([trees["q"], trees["p"]])
    q, p = np.asarray(probability(harmfulness(leaves, profile), profile.sides))
    assert found.tolist() == pytest.approx([q, p, q]) and q > p
    with pytest.raises(EvaluationError, match="has no tree"):
        ps.moderate(table.assign(id="r"), methods=model, names="id")
