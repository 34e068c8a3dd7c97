"""Trees asked of real endpoints on loopback: what is kept, what is asked again, and what a reader is told."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pluristats.errors import GenerateError, MissingAnswersWarning
from pluristats.extract import TreePlan, collect_trees, extract_trees, load_tree_template
from pluristats.features import tree_counts
from pluristats.features.taxonomy import ACTION_COLUMNS, ACTIONS, EFFECT_COLUMNS, HARM_KINDS
from pluristats.llm import BatchRunner, ChatClient, Endpoint
from pluristats.llm.simulated import simulated_endpoint, simulated_stats
from pluristats.llm.simulated.kinds import read_prompt
from tests.extract.conftest import effect, tree, units_of
from tests.generate.conftest import HOSTILE
from tests.llm.endpoint import completion, error, http, serving

HARMS = tree("harms", ("41. Unauthorized Privacy Violations", [effect(), effect("9. Freedom and agency limitations")]))
BENEFITS = tree("benefits", ("learn", [effect("10. Gain of accurate information access")]))


def both(question: str, time: int) -> bytes:
    return http(200, completion(HARMS if "Task: harm-tree" in question else BENEFITS))


def test_a_template_names_the_whole_taxonomy_and_reaches_the_simulated_endpoint() -> None:
    for side, kind in (("harms", "harm-tree"), ("benefits", "benefit-tree")):
        (request,) = TreePlan(["the text\n---\nof it"], side, "m")
        system, user = (message.content for message in request.messages)
        assert request.template.startswith(f"{kind}/1@")
        prompt = read_prompt((system, user))
        assert (prompt.kind, prompt.text) == (kind, "the text")
        assert all(f". {name}" in system for name in ("Death", "Ecosystem damage")) or side == "benefits"
        assert ("45. Other Unlawful/Criminal Activities" in system) == (side == "harms")
        assert "15. Ecosystem" in system and "16." not in system.split("Effects come from")[1].split("For every")[0]
    assert [name for name in ACTIONS if name not in next(iter(TreePlan(["x"], "harms", "m"))).messages[0].content] == []
    assert sum(map(len, HARM_KINDS.values())) == 15


def test_both_sides_make_one_tree_with_its_features(client) -> None:
    with serving(both) as server:
        found = extract_trees(units_of(a="How?", b="Why?"), client(server), progress=False)
        assert server.requests == 4
        again = collect_trees(units_of(a="How?", b="Why?"), client(server))
        assert server.requests == 4
    first, second = found.trees()
    assert (first.id, first.prompt, second.id) == ("a", "How?", "b")
    assert [who.harms[0].label for who in first.stakeholders if who.harms] == ["41. Unauthorized Privacy Violations"]
    assert [who.benefits[0].label for who in first.stakeholders if who.benefits] == ["learn"]
    row = found.features().iloc[0]
    assert row["action_Privacy"] == 1 and row["effect_Physical"] == row["effect_Liberty"] == 0.5
    table = found.tidy()
    assert table["status"].tolist() == ["ok", "ok"] and not table["simulated"].any()
    assert table["harms_leaves"].tolist() == [2, 2] and table["benefits_leaves"].tolist() == [1, 1]
    pd.testing.assert_frame_equal(again.tidy(), table)
    assert repr(found) == "<ExtractedTrees: 2 texts, 2 ok>"


def test_whatever_came_of_a_text_it_has_a_row(client) -> None:
    def script(question: str, time: int) -> bytes:
        if "Task: benefit" in question:
            return http(200, completion(BENEFITS))
        if "does not have the form" in question:  # a repair: the answer stays malformed
            return http(200, completion(json.dumps([{"stakeholder": "x", "harms": [{"action": "41."}]}])))
        text = question.split("Text:\n")[1]
        return {
            "fine": http(200, completion(f"Here it is:\n```json\n{HARMS}\n```")),
            "malformed": http(200, completion(HARMS.replace('"extent": "major", ', "", 1))),
            "no list": http(200, completion("I think nobody is harmed.")),
            "refused": http(200, completion(None, refusal="I will not")),
            "failed": error(400, "too odd"),
            "nobody": http(200, completion("[]")),
        }[text]

    names = ("fine", "malformed", "no list", "refused", "failed", "nobody")
    units = units_of(**{name: name for name in names})
    with serving(script) as server, pytest.warns(MissingAnswersWarning):
        found = extract_trees(units, client(server), repairs=1, progress=False)
    table = found.tidy().set_index("unit")
    assert table["status"].to_dict() == {
        "fine": "ok",
        "malformed": "incomplete",
        "no list": "incomplete",
        "refused": "refused",
        "failed": "failed",
        "nobody": "ok",
    }
    assert table["harms_asked_again"].to_dict() == dict(zip(names, (0, 1, 1, 0, 0, 0), strict=True))
    assert "lacks effects" in table.loc["malformed", "harms_reason"]
    assert table.loc["refused", "harms_reason"] == "I will not" and "too odd" in table.loc["failed", "harms_reason"]
    assert found.counts() == {"ok": 2, "incomplete": 2, "refused": 1, "failed": 1, "not asked": 0}
    assert [None if tree is None else tree.id for tree in found.trees()] == [
        "fine",
        "malformed",
        "no list",
        None,
        None,
        "nobody",
    ]
    with pytest.warns(UserWarning, match="no known action"):
        assert found.features()["unit"].tolist() == ["fine", "malformed", "no list", "nobody"]
    assert [tree is None for tree in found.trees(["benefits"])] == [False] * 6


def test_a_repair_that_fits_counts(client) -> None:
    def script(question: str, time: int) -> bytes:
        broken = "Task: harm" in question and "does not have the form" not in question
        return http(200, completion(HARMS.replace("likelihood", "odds", 1))) if broken else both("Task: harm-tree", 1)

    with serving(script) as server:
        found = extract_trees(units_of(a="x"), {"harms": client(server)}, progress=False)
        assert server.requests == 2
        tolerant = extract_trees(units_of(a="x"), {"harms": client(server)}, strict=False, progress=False)
        assert server.requests == 2
    assert found.tidy().loc[0, ["status", "harms_asked_again"]].tolist() == ["ok", 1]
    assert tolerant.tidy().loc[0, ["status", "harms_asked_again", "harms_problems"]].tolist() == ["incomplete", 0, 1]


def test_samples_are_asked_with_seeds_of_their_own_and_counted_together(store) -> None:
    units = units_of(a="How do I open a lock?", b="How do I brew tea?")
    with simulated_endpoint(seed=1) as url:
        asker = ChatClient(Endpoint(url, "sim", no_key=True, name="simulated"), store)
        found = extract_trees(units, {"harms": asker}, samples=3, progress=False)
        assert simulated_stats(url)["answered"] == 6
    assert found.tidy()[["unit", "sample"]].to_numpy().tolist() == [[u, s] for u in "ab" for s in range(3)]
    assert len({tree.stakeholders for tree in found.trees()}) == 6
    counts = tree_counts(found.trees())
    columns = [*ACTION_COLUMNS, *EFFECT_COLUMNS]
    sums = counts.groupby("tree", sort=False)[columns].sum().to_numpy(dtype=float)
    features = found.features()[columns].to_numpy(dtype=float)
    for row, total in zip(features, sums, strict=True):
        for part, keep in ((slice(0, 16), 5), (slice(16, 23), 3)):
            top = np.sort(total[part])[::-1][:keep].sum()
            kept = row[part] > 0
            assert kept.sum() <= keep and np.isclose(row[part].sum(), 1)
            np.testing.assert_allclose(row[part][kept], total[part][kept] / top)
    assert found.simulated and found.tidy()["simulated"].all() and found.features()["simulated"].all()


def test_the_literal_layout_of_an_own_model_is_sent_as_it_stands(store, tmp_path: Path) -> None:
    layout = '<|system|>\nstakeholders, "harms"\n\n<|user|>\n{text}\n\n<|assistant|>\n'
    (tmp_path / "own.txt").write_text(f"own/1\n[prompt]\n{layout}")
    template = load_tree_template(str(tmp_path / "own.txt"), "harms")
    with simulated_endpoint(seed=1) as url:
        asker = ChatClient(Endpoint(url, "HarmReporter", no_key=True, name="simulated"), store)
        found = extract_trees(units_of(a="How?"), {"harms": asker}, templates={"harms": template}, progress=False)
    ((request,),) = store.rows("SELECT request FROM responses")
    assert json.loads(request)["plain"] is True
    assert json.loads(request)["messages"] == [["user", template.turns[0][1].replace("{text}", "How?")]]
    assert found.tidy().loc[0, "status"] == "ok"


def test_batches_give_what_calls_give(store, tmp_path: Path) -> None:
    units = units_of(**{name: text for name, text in HOSTILE.items() if name != "long"})
    with simulated_endpoint(seed=3) as url:
        asker = ChatClient(Endpoint(url, "sim", no_key=True, name="simulated"), store)
        batched = extract_trees(units, BatchRunner(asker, every=0.05), progress=False)
        assert simulated_stats(url)["answered"] == 2 * len(units)
        called = extract_trees(units, asker, progress=False)
        assert simulated_stats(url)["answered"] == 2 * len(units)
    pd.testing.assert_frame_equal(batched.tidy(), called.tidy())
    assert [tree.prompt for tree in called.trees()] == units["text"].tolist()


def test_settings_that_do_not_fit_are_refused(store) -> None:
    asker = ChatClient(Endpoint("http://127.0.0.1:9/v1", "m", no_key=True), store)
    with pytest.raises(GenerateError, match="samples is 0"):
        extract_trees(units_of(a="x"), asker, samples=0)
    with pytest.raises(GenerateError, match="sides are harms and benefits, not damages"):
        extract_trees(units_of(a="x"), {"damages": asker})  # type: ignore[dict-item]
