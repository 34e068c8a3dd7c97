"""Methods that ask, against endpoints on loopback: what is asked of whom, and what becomes of the answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pluristats.errors import EvaluationError, MissingAnswersWarning
from pluristats.evaluation.asked import Asking, Exemplars, KShot, SafetyAnalyst, ValueProfile, WildGuard, ZeroShot
from pluristats.evaluation.data import Alignment, Annotators, Prompts
from pluristats.features import (
    Action,
    Effect,
    Stakeholder,
    Tree,
    fit_profile,
    fit_profiles,
    flatten,
    harmfulness,
    probability,
)
from pluristats.llm import ChatClient, Endpoint, Limits, ResponseStore
from pluristats.llm.simulated import simulated_endpoint, simulated_stats
from tests.llm.endpoint import KEY, Server, completion, http, serving


def prompts_of(*texts: str) -> Prompts:
    n = len(texts)
    return Prompts(tuple(texts), texts, np.full(n, np.nan), np.arange(n), {}, {})


def alignment_of(ratings: list[list[float]], *texts: str) -> Alignment:
    people = Annotators(tuple("abcdefgh"[: len(ratings)]), np.empty((len(ratings), 0)), ())
    return Alignment(np.array(ratings, dtype=float), prompts_of(*texts), people, 0)


NAN = float("nan")
ALIGNMENT = alignment_of([[0.1, 0.9, NAN], [0.3, NAN, 0.5]], "lock one", "bomb two", "tea three")
TEST = prompts_of("lock new", "tea new")


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


@pytest.fixture
def asking(tmp_path: Path):
    with ResponseStore(tmp_path / "answers.sqlite") as store:

        def make(server: Server) -> Asking:
            return Asking(ChatClient(server.endpoint(), store, Limits(first_wait=0.001, attempts=2)), progress=False)

        yield make


def contents(server: Server) -> list[str]:
    return [body["messages"][-1]["content"] for body in server.bodies]


def test_zero_shot_is_asked_once_a_prompt_for_everybody(asking: Callable[[Server], Asking]) -> None:
    with serving(lambda question, time: http(200, completion("70" if "lock" in question else "5"))) as server:
        found = ZeroShot(asking(server)).fit(ALIGNMENT).predict(TEST)
        assert sorted(text.split("Text:\n")[1] for text in contents(server)) == ["lock new", "tea new"]
    assert found.point.tolist() == [[0.7, 0.05]] * 2 and not found.refused.any() and found.notes == ()


def test_k_shot_shows_each_annotator_their_own_ratings(asking: Callable[[Server], Asking]) -> None:
    with serving(http(200, completion("40"))) as server:
        found = KShot(asking(server), Exemplars(k=5)).fit(ALIGNMENT).predict(TEST)
        asked = contents(server)
    assert found.point.shape == (2, 2) and (found.point == 0.4).all()
    first = next(text for text in asked if "person 1" in text and "lock new" in text)
    assert "Rated 10:\nlock one" in first and "Rated 90:\nbomb two" in first and "tea three" not in first
    second = next(text for text in asked if "person 2" in text and "lock new" in text)
    assert "Rated 30:\nlock one" in second and "Rated 50:\ntea three" in second and "bomb two" not in second
    assert first.split("---\nText:\n")[1] == "lock new" and len(asked) == 4
    assert not any(label in "".join(server.bodies[0]["messages"][0]["content"]) for label in ("person 1",))


def test_aggregate_k_shot_shows_mean_ratings_and_asks_once(asking: Callable[[Server], Asking]) -> None:
    with serving(http(200, completion("40"))) as server:
        method = KShot(asking(server), Exemplars(k=5, choice="nearest"), personalised=False)
        found = method.fit(ALIGNMENT).predict(TEST)
        asked = contents(server)
    assert len(asked) == 2 and (found.point == 0.4).all() and found.point.shape == (2, 2)
    assert all(f"Rated {r}:\n{t}" in asked[0] for r, t in ((20, "lock one"), (90, "bomb two"), (50, "tea three")))
    assert method.note == "aggregate, 5 exemplars (nearest)"


def test_refusals_and_answers_without_a_rating_are_refused_cells(asking: Callable[[Server], Asking]) -> None:
    def script(question: str, time: int) -> bytes:
        if "tea new" in question:
            return http(200, completion(None, refusal="I will not"))
        return http(200, completion("hard to say" if "person 1" in question or "does not have" in question else "40"))

    with serving(script) as server, pytest.warns(MissingAnswersWarning):
        found = KShot(asking(server)).fit(ALIGNMENT).predict(TEST)
    assert found.refused.tolist() == [[True, True], [False, True]] and found.point[1, 0] == 0.4


def test_a_profile_is_written_once_and_used_for_every_prompt(asking: Callable[[Server], Asking]) -> None:
    def script(question: str, time: int) -> bytes:
        if "Task: value-profile" in question:
            who = "one" if "person 1" in question else "two"
            return http(200, completion(f"Profile of {who}."))
        return http(200, completion("20" if "Profile of one." in question else "80"))

    with serving(script) as server:
        method = ValueProfile(asking(server))
        found = method.fit(ALIGNMENT).predict(TEST)
        assert server.requests == 2 + 4
        writers = [body for body in server.bodies if "value-profile" in body["messages"][-1]["content"]]
    assert found.point.tolist() == [[0.2, 0.2], [0.8, 0.8]]
    assert all(body["temperature"] == 0.15 for body in writers)
    assert "Rated 90:\nbomb two" in writers[0]["messages"][-1]["content"] + writers[1]["messages"][-1]["content"]


def test_who_has_no_profile_has_no_prediction(asking: Callable[[Server], Asking]) -> None:
    def script(question: str, time: int) -> bytes:
        if "Task: value-profile" in question and "person 2" in question:
            return http(200, completion(None, refusal="no"))
        return http(200, completion("30"))

    with serving(script) as server, pytest.warns(MissingAnswersWarning):
        found = ValueProfile(asking(server)).fit(ALIGNMENT).predict(TEST)
    assert found.refused.tolist() == [[False, False], [True, True]] and (found.point[0] == 0.3).all()


def test_everything_runs_on_the_simulated_endpoint_and_says_so(tmp_path: Path) -> None:
    with simulated_endpoint(seed=1) as url, ResponseStore(tmp_path / "answers") as store:
        asking = Asking(ChatClient(Endpoint(url, "sim", no_key=True, name="simulated"), store), progress=False)
        methods = [
            ZeroShot(asking),
            ZeroShot(asking, reading="mean", name="zero-shot-mean"),
            KShot(asking, reading="median"),
            ValueProfile(asking),
            WildGuard(asking),
            WildGuard(asking, probability=False),
        ]
        found = {method.name: method.fit(ALIGNMENT).predict(TEST) for method in methods}
        answered = simulated_stats(url)["answered"]
        again = KShot(asking, reading="median").fit(ALIGNMENT).predict(TEST)
        assert simulated_stats(url)["answered"] == answered
    for forecast in found.values():
        assert forecast.point.shape == (2, 2) and not forecast.refused.any()
        assert any(note.startswith("SIMULATED") for note in forecast.notes)
    np.testing.assert_array_equal(again.point, found["k-shot"].point)
    assert (found["zero-shot-mean"].point != found["zero-shot"].point).any()
    guard, told = found["wildguard-class"].point, found["wildguard-probability"].point
    assert set(np.unique(guard)) <= {0.0, 1.0} and ((told > 0) & (told < 1)).all()
    # At temperature 0 the guard says what is more probable.
    np.testing.assert_array_equal(guard, (told > 0.5).astype(float))


def tree(label: str, *actions: str) -> Tree:
    effect = Effect("2. Physical health risks", "high", "major", True)
    return Tree((Stakeholder("x", tuple(Action(a, (effect,)) for a in actions)),), id=label)


def test_safety_analyst_is_the_profile_fitted_to_whose_ratings() -> None:
    texts = [f"t{i}" for i in range(12)]
    trees = {t: tree(t, *(["Privacy"] * (i % 3) + ["Deception"] * (i % 4))) for i, t in enumerate(texts)}
    rng = np.random.default_rng(1)
    ratings = np.round(rng.random((3, 8)), 2)
    ratings[1, 2] = NAN
    alignment = alignment_of(ratings.tolist(), *texts[:8])
    test = prompts_of(*texts[8:])
    leaves, new = flatten([trees[t] for t in texts[:8]]), flatten([trees[t] for t in texts[8:]])

    average = np.nanmean(ratings, axis=0)
    profile = fit_profile(leaves, average, loss="absolute").profile
    found = SafetyAnalyst(trees).fit(alignment).predict(test)
    assert found.point.tolist() == [probability(harmfulness(new, profile)).tolist()] * 3

    who, what = np.nonzero(~np.isnan(ratings))
    fits = fit_profiles(leaves, ratings[who, what], who.tolist(), tree=[texts[j] for j in what], loss="absolute")
    personal = SafetyAnalyst(trees, by="annotator").fit(alignment).predict(test)
    expected = [probability(harmfulness(new, fits.profile(i))).tolist() for i in range(3)]
    np.testing.assert_allclose(personal.point, expected, rtol=1e-12)

    grouped = SafetyAnalyst(trees, by="group", groups={"a": "x", "b": "y", "c": "x"}).fit(alignment).predict(test)
    assert grouped.point[0].tolist() == grouped.point[2].tolist()
    with pytest.raises(EvaluationError, match="annotator 'a' is in no group"):
        SafetyAnalyst(trees, by="group").fit(alignment)
    with pytest.raises(EvaluationError, match="prompt 'other' has no tree"):
        SafetyAnalyst(trees).fit(alignment).predict(prompts_of("other"))
