"""A method that cannot be fitted stands in the result with the reason; other errors stop the run."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

import pluristats as ps
from pluristats.errors import EvaluationError, FitError, LLMError
from pluristats.evaluation.data import Alignment, Prompts
from pluristats.evaluation.forecast import Forecast

STUDY = ps.simulate_study(n_annotators=12, n_prompts=30, seed=2)


@dataclass(frozen=True)
class Fails:
    """Predicts 0.5, or raises where a prompt of the alignment is among ``on``."""

    error: Exception
    on: tuple[object, ...] | None = None
    name: str = "fails"
    settings: tuple[str, ...] = ("new-prompts", "new-seeds")
    note: str = ""

    def unavailable(self) -> str | None:
        return None

    def fit(self, alignment: Alignment) -> Fails:
        if self.on is None or set(self.on) & set(alignment.prompts.labels):
            raise self.error
        return self

    def predict(self, prompts: Prompts) -> Forecast:
        return Forecast(np.full((12, len(prompts)), 0.5))


def test_a_method_that_fails_on_some_splits_is_skipped_in_that_setting() -> None:
    splits = [s for setting in ("new-prompts", "new-seeds") for s in ps.draw_splits(STUDY, setting, 3)]  # type: ignore[arg-type]
    tests = [set(s.test[0]) for s in splits[:3]]
    # A prompt that is in the alignment of some splits of the first setting and not of all.
    some = next(p for p in STUDY.prompts["prompt"] if 0 < sum(p in t for t in tests) < 3)
    count = sum(some not in t for t in tests)
    method = Fails(FitError("the response is constant."), on=(some,), settings=("new-prompts",))
    found = ps.evaluate(STUDY, [method, "annotator-mean"], splits=splits, draws=20)
    assert [(s.method, s.setting, s.reason) for s in found.skipped] == [
        ("fails", "new-prompts", f"the response is constant (on {count} of 3 splits)")
    ]
    assert {(j.method, j.setting) for j in found.judged} == {
        ("annotator-mean", "new-prompts"),
        ("annotator-mean", "new-seeds"),
    }
    row = found.tidy().query("method == 'fails'").iloc[0]
    assert np.isnan(row["mae"]) and row["n_annotators"] == 0 and row["note"].startswith("skipped: the response")
    alone = ps.evaluate(STUDY, "annotator-mean", splits=splits, draws=20)
    assert found.by_annotator().equals(alone.by_annotator())
    with pytest.raises(EvaluationError, match="method 'fails' was skipped: the response is constant"):
        found.compare("fails", "annotator-mean")
    two = ps.evaluate(STUDY, [method, "annotator-mean"], splits=splits, draws=20, n_jobs=2)
    assert two.skipped == found.skipped and two.tidy().equals(found.tidy())


def test_where_everything_fails_tables_are_empty() -> None:
    found = ps.evaluate(STUDY, [Fails(FitError("no rows left"))], settings=["new-prompts"], splits=2)
    assert found.skipped[0].reason == "no rows left (on 2 of 2 splits)" and len(found.tidy()) == 1
    assert len(found.by_annotator()) == len(found.by_prompt()) == len(found.predictions()) == 0
    assert set(found.published()["source"]) == {"published"}


@pytest.mark.parametrize("error", [ValueError("a bug"), LLMError("no key"), np.linalg.LinAlgError("singular")])
def test_other_errors_stop_the_run(error: Exception) -> None:
    with pytest.raises(type(error), match=str(error)):
        ps.evaluate(STUDY, [Fails(error)], settings=["new-prompts"], splits=1)


def test_errors_by_prompt_stand_beside_the_spread_of_its_ratings() -> None:
    found = ps.evaluate(STUDY, ["annotator-mean", "constant-0.5"], settings=["new-prompts"], splits=3, draws=20)
    table = found.by_prompt()
    low, high = STUDY.scale
    ratings = STUDY.ratings.assign(unit=(STUDY.ratings["rating"] - low) / (high - low))
    sd = ratings.groupby("prompt")["unit"].std()
    rows = found.predictions().merge(ratings, on=["annotator", "prompt"])
    rows["error"] = (rows["unit"] - rows["prediction"]).abs()
    again = rows.groupby(["method", "prompt"])["error"].agg(["mean", "size"])
    for row in table.itertuples():
        if not row.n:
            assert np.isnan(row.mae) and (row.method, row.prompt) not in again.index
            continue
        assert row.mae == pytest.approx(again.loc[(row.method, row.prompt), "mean"])
        assert row.n == again.loc[(row.method, row.prompt), "size"]
    one = table[table["method"] == "annotator-mean"].set_index("prompt")["sd"]
    np.testing.assert_allclose(one.to_numpy(), sd.reindex(one.index).to_numpy())


def test_the_published_rows_stand_beside_ours() -> None:
    found = ps.evaluate(STUDY, ["annotator-mean", "uniform-random"], settings=["new-prompts"], splits=2, draws=20)
    table = found.published()
    ours = table[table["source"] == "simulated data"].set_index("method")
    mae = found.tidy().set_index("method")
    for name, row in ours.iterrows():
        column = "personalised" if np.isfinite(row["personalised"]) else "aggregate"
        assert row[column] == mae.loc[name, "mae"] and row[f"{column}_lo"] == mae.loc[name, "mae_lo"]
    theirs = table[table["source"] == "published"]
    assert len(theirs) + len(ours) == len(table) and set(theirs["setting"]) == {"new-prompts"}
    assert theirs[["personalised_lo", "aggregate_hi"]].isna().all().all()


def test_a_prompt_that_nobody_else_rated_stops_no_method() -> None:
    """Asked and answered "Unsure" by all: it is among the tested prompts and has no rating in the alignment."""
    ratings = STUDY.ratings
    nobody = ratings["prompt"] == ratings["prompt"].iloc[0]
    study = replace(STUDY, ratings_=ratings.assign(rating=ratings["rating"].mask(nobody)))
    methods = ["low-rank", "low-rank-heaped", "gp", "prompt-mean", "hierarchical-ridge"]
    found = ps.evaluate(study, methods, settings=["known-prompts"], splits=1, draws=20)
    assert found.splits[0].hidden(*_labels(study))[:, 0].any() and not found.skipped
    assert found.tidy()["mae"].notna().all()


def test_constant_ratings_are_predicted_as_they_are() -> None:
    study = replace(STUDY, ratings_=STUDY.ratings.assign(rating=50.0))
    methods = ["hierarchical-ridge", "hierarchical-ridge-median"]
    found = ps.evaluate(study, methods, settings=["known-prompts", "new-prompts"], splits=1, draws=20)
    assert not found.skipped
    np.testing.assert_allclose(found.tidy()["mae"], 0.0, atol=1e-12)


def test_methods_that_learn_from_predictions_within_the_alignment_say_that_there_are_none() -> None:
    one = STUDY.ratings[STUDY.ratings["annotator"] == STUDY.ratings["annotator"].iloc[0]]
    study = replace(STUDY, ratings_=one.reset_index(drop=True))
    methods = ["hierarchical-ridge-median", "ordered-beta", "annotator-mean"]
    found = ps.evaluate(study, methods, settings=["known-prompts"], splits=1, draws=20)
    assert [s.method for s in found.skipped] == ["hierarchical-ridge-median", "ordered-beta"]
    assert all("every prompt has one rating only" in s.reason for s in found.skipped)


def _labels(study: ps.Study) -> tuple[list[object], list[object]]:
    return study.annotators["annotator"].tolist(), study.prompts["prompt"].tolist()
