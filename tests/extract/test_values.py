from __future__ import annotations

import json

import pandas as pd
import pytest

from pluristats.errors import MissingAnswersWarning
from pluristats.extract import collect_values, extract_values, read_items
from pluristats.llm import ChatClient, Endpoint
from pluristats.llm.simulated import simulated_endpoint, simulated_stats
from pluristats.values import Thresholds
from tests.extract.conftest import item, units_of
from tests.generate.conftest import HOSTILE
from tests.llm.endpoint import completion, http, serving


def test_items_are_read_from_what_models_write() -> None:
    duty = item("duty", " Duty to help ", supports=1, opposes=0, either=0)
    answer = f"Sure:\n```json\n{json.dumps({'values': [item(), duty]})}\n```"
    first, second = read_items(answer)
    assert (first.vrd, first.text, first.relevance) == ("Value", "Privacy", 0.9)
    assert (first.supports, first.opposes, first.either) == pytest.approx((0.1, 0.7, 0.2))
    assert (second.vrd, second.text, second.supports, second.explanation) == ("Duty", "Duty to help", 1.0, None)
    assert read_items("[]") == ()
    # Rounded shares are brought to a sum of 1, others are asked for again.
    (rounded,) = read_items(json.dumps([item(supports=0.33, opposes=0.33, either=0.33)]))
    assert rounded.supports == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (item("Virtue"), "item 0: vrd is none of"),
        (item(text=" "), "item 0: text is empty"),
        (item(text=None), "item 0: text is empty"),
        (item(relevance=1.2), "relevance is no number from 0 to 1"),
        (item(relevance=True), "relevance is no number"),
        (item(supports="much"), "supports is no number"),
        (item(supports=0.9), r"add up to 1\.80"),
        (item(supports=0, opposes=0, either=0), r"add up to 0\.00"),
        ("Privacy", "item 0 is no object"),
    ],
)
def test_what_does_not_fit_is_named(entry: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read_items(json.dumps([entry]))
    with pytest.raises(ValueError, match="no JSON list"):
        read_items("Values matter.")
    with pytest.raises(ValueError, match="no JSON list"):
        read_items('[{"relevance": NaN}]')


def test_items_pass_the_filter_of_kaleidos(client) -> None:
    """One table whichever model named the values, so that one filter serves both."""
    pytest.importorskip("rouge_score", reason="needs rouge-score: pip install 'pluristats[kaleido]'")
    named = [item(text="Safety of children", relevance=0.5), item(text="Doubtful", relevance=0.1)]
    named += [item(text="The safety of children", relevance=0.9), item("Duty", "Safety of children", relevance=0.5)]
    with serving(http(200, completion(json.dumps(named)))) as server:
        values = extract_values(units_of(u0="How?"), client(server), progress=False)
    kept = values.filter(Thresholds(0.2, 0.7))
    assert list(zip(kept.items["vrd"], kept.items["text"], strict=True)) == [
        ("Value", "The safety of children"),
        ("Duty", "Safety of children"),
    ]
    assert dict(zip(kept.dropped["text"], kept.dropped["reason"], strict=True)) == {
        "Safety of children": "ngram",
        "Doubtful": "relevance",
    }
    assert len(values.filter(Thresholds(0.0)).items) == 4
    with serving(http(200, completion("[]"))) as server:
        nothing = extract_values(units_of(u0="Why?"), client(server), progress=False)
    assert len(nothing.filter(Thresholds(0.2, 0.7)).items) == 0 and nothing.answered() == ["u0"]


def test_every_text_has_a_row_and_every_item_one(client) -> None:
    def script(question: str, time: int) -> bytes:
        if "does not have the form" in question:
            return http(200, completion(json.dumps([item(text="Safety")])))
        text = question.split("Text:\n")[1]
        return {
            "two": http(200, completion(json.dumps([item(), item("Right", "Right to know")]))),
            "none": http(200, completion("[]")),
            "repaired": http(200, completion(json.dumps([item(relevance=7)]))),
            "refused": http(200, completion(None, refusal="no")),
        }[text]

    units = units_of(**{name: name for name in ("two", "none", "repaired", "refused")})
    with serving(script) as server, pytest.warns(MissingAnswersWarning, match="1 of 4"):
        found = extract_values(units, client(server), progress=False)
    table = found.tidy().set_index("unit")
    assert table["status"].tolist() == ["ok", "ok", "ok", "refused"]
    assert table["items"].tolist() == [2, 0, 1, 0] and table["asked_again"].tolist() == [0, 0, 1, 0]
    items = found.items()
    assert items["prompt"].tolist() == ["two", "two", "repaired"]
    assert items["text"].tolist() == ["Privacy", "Right to know", "Safety"]
    assert found.counts() == {"ok": 3, "refused": 1, "failed": 0, "not asked": 0}


def test_the_simulated_endpoint_names_values_of_hostile_texts_once(store) -> None:
    units = units_of(**{name: text for name, text in HOSTILE.items() if name != "long"})
    with simulated_endpoint(seed=1) as url:
        asker = ChatClient(Endpoint(url, "sim", no_key=True, name="simulated"), store)
        found = extract_values(units, asker, progress=False)
        again = collect_values(units, asker)
        assert simulated_stats(url)["answered"] == len(units)
    items = found.items()
    assert set(items["prompt"]) == set(units["unit"]) and items["simulated"].all() and found.simulated
    assert items[["supports", "opposes", "either"]].sum(axis=1).to_numpy() == pytest.approx(1)
    pd.testing.assert_frame_equal(again.items(), items)
    assert repr(found).endswith("5 ok, SIMULATED>")
