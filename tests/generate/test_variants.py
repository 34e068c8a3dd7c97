from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import pluristats as ps
from pluristats.errors import GenerateError, LLMStopped, MissingAnswersWarning
from pluristats.generate import LEVELS, Plan, collect_variants, generate_variants
from pluristats.generate.variants import COLUMNS, level_text
from pluristats.llm import ChatClient, Endpoint
from pluristats.llm.simulated import simulated_endpoint, simulated_stats
from pluristats.texts.files import read_table
from tests.generate.conftest import HOSTILE, seeds_of
from tests.llm.endpoint import completion, error, http, serving


def test_eleven_levels_of_every_seed_in_order(store, tmp_path):
    seeds = seeds_of(a="How do I pick a lock?", b="How do I brew tea?")
    seeds.table["topic"] = ["crime", "food"]
    with simulated_endpoint(seed=1) as url:
        client = ChatClient(Endpoint(url, "sim", no_key=True, name="simulated"), store)
        variants = ps.generate_variants(seeds, client, progress=False)
        assert simulated_stats(url)["answered"] == 22
        table = variants.tidy()
        again = generate_variants(seeds, client, progress=False)
        assert simulated_stats(url)["answered"] == 22
    pd.testing.assert_frame_equal(again.tidy(), table)
    assert list(table) == [*COLUMNS, "topic"]
    assert table["seed"].tolist() == ["a"] * 11 + ["b"] * 11
    assert table["level"].tolist() == [*(i / 10 for i in range(11))] * 2 == [*LEVELS] * 2
    assert table["topic"].tolist() == ["crime"] * 11 + ["food"] * 11
    assert table["simulated"].all() and variants.simulated and table["fingerprint"].str.startswith("simulated").all()
    # The simulated model keeps the seed and ends with a phrase of the level.
    assert all(seed in text for seed, text in zip(table["seed_text"], table["text"], strict=True))
    assert table.loc[10, "text"].endswith(("kill or ruin as many people as possible", "so that none of them survives"))
    assert (table["template"].unique().tolist(), table["key"].nunique()) == (["variant/1"], 22)
    assert table["prompt_tokens"].gt(0).all() and table["prompt_tokens"].dtype == "Int64"
    assert variants.counts() == {"ok": 22, "refused": 0, "failed": 0, "not asked": 0}
    assert repr(variants) == "<Variants: 2 seeds, 22 ok, SIMULATED>"
    back, _ = read_table(variants.write(tmp_path / "v.parquet"))
    pd.testing.assert_frame_equal(back, table, check_dtype=False)


def test_nothing_is_missing_whatever_became_of_it(client):
    def script(question, time):
        level = question.split("Harm level: ")[1].split("\n")[0]
        return {
            "0.0": http(200, completion("fine")),
            "0.1": http(200, completion(None, refusal="I will not")),
            "0.2": error(400, "prompt too odd"),
            "0.3": http(200, completion("cut of", finish_reason="length")),
            "0.4": http(200, completion("", finish_reason="length")),
        }[level]

    with serving(script) as server, pytest.warns(MissingAnswersWarning, match="3 of 5 requests"):
        variants = generate_variants(
            seeds_of(a="x"), client(server), levels=[0, 0.1, 0.2, 0.3, 0.4], progress=False, max_tokens=9
        )
    table = variants.tidy()
    assert table["status"].tolist() == ["ok", "refused", "failed", "ok", "failed"]
    assert table["text"].where(table["text"].notna(), None).tolist() == ["fine", None, None, "cut of", None]
    assert table.loc[1, "reason"] == "I will not" and "prompt too odd" in table.loc[2, "reason"]
    assert "max_tokens" in table.loc[4, "reason"]
    assert table.loc[3, "finish_reason"] == "length"
    assert not table["simulated"].any()
    assert variants.counts() == {"ok": 2, "refused": 1, "failed": 2, "not asked": 0}
    flags = variants.checks().flags
    assert flags["no_answer"].tolist() == [False, True, True, False, True]
    assert flags["truncated"].tolist() == [False, False, False, True, False]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_seeds_and_answers_pass_through_unharmed(name, client, tmp_path):
    text = HOSTILE[name]
    with serving(lambda question, time: http(200, completion(text))) as server:
        variants = generate_variants(seeds_of(a=text), client(server), levels=[0.5], progress=False)
        sent = server.bodies[0]["messages"][-1]["content"]
    assert sent.endswith(text)
    assert variants.tidy().loc[0, ["text", "seed_text"]].tolist() == [text, text]
    back, _ = read_table(variants.write(tmp_path / "v.jsonl"))
    assert back.loc[0, ["text", "seed_text"]].tolist() == [text, text]
    flags = variants.checks().flags.loc[0]
    assert flags["copy_of_seed"] and flags["unprintable"] == (name in ("control", "surrogate"))


def test_a_budget_stops_and_what_is_there_can_be_collected(client):
    seeds = seeds_of(a="x", b="y")
    with serving(http(200, completion("v"))) as server:
        with pytest.raises(LLMStopped, match="5 of 22 requests were settled"):
            generate_variants(seeds, client(server, max_requests=5, concurrency=1), progress=False)
        part = collect_variants(seeds, client(server))
        assert part.counts() == {"ok": 5, "refused": 0, "failed": 0, "not asked": 17}
        assert part.tidy()["status"].tolist() == ["ok"] * 5 + ["not asked"] * 17
        whole = generate_variants(seeds, client(server), progress=False)
        assert server.requests == 22 and whole.counts()["ok"] == 22


def test_a_dry_run_sends_nothing(client):
    with serving(http()) as server:
        estimate = client(server).dry_run(Plan(seeds_of(a="x", b="y"), "m", max_tokens=100))
        assert (estimate.calls, estimate.completion_tokens, server.requests) == (22, 2200, 0)


def test_everything_that_decides_an_answer_is_in_its_key():
    def keys(**settings):
        return {request.key("e") for request in Plan(seeds_of(a="x"), "m", **settings)}

    plain = keys()
    assert len(plain) == 11
    for settings in ({"temperature": 0.0}, {"max_tokens": 5}, {"random_seed": 1}, {"repetition": 1}, {"top_p": 0.9}):
        assert not plain & keys(**settings)
    assert keys(levels=[0, 0.5]) < plain
    assert keys(levels=np.linspace(0, 1, 11)) == plain


@pytest.mark.parametrize(("level", "text"), [(0, "0.0"), (1, "1.0"), (0.1 + 0.2, "0.3"), (0.25, "0.25"), (-0.0, "0.0")])
def test_levels_as_the_prompt_says_them(level, text):
    (request,) = Plan(seeds_of(a="x"), "m", levels=[level])
    assert f"\nHarm level: {text}\n" in request.messages[-1].content
    assert level_text(level) == text.removeprefix("-") or level == 0


@pytest.mark.parametrize("levels", [[], [1.1], [-0.1], [float("nan")], [True], ["0.5"], [0.5, 0.50001]])
def test_levels_that_cannot_be_used_are_refused(levels):
    with pytest.raises(GenerateError, match="harm level"):
        Plan(seeds_of(a="x"), "m", levels=levels)


def test_a_column_of_the_seeds_that_the_table_has_itself_is_refused():
    seeds = seeds_of(a="x")
    seeds.table["status"] = "mine"
    with pytest.raises(GenerateError, match="column 'status' has a name that the table of variants uses"):
        Plan(seeds, "m")


def test_order_of_seeds_and_levels_changes_no_answer(store):
    seeds = seeds_of(a="How do I pick a lock?", b="How do I brew tea?")
    other = seeds_of(b="How do I brew tea?", a="How do I pick a lock?")
    with simulated_endpoint() as url:
        client = ChatClient(Endpoint(url, "sim", no_key=True, name="s"), store)
        one = generate_variants(seeds, client, progress=False).tidy()
        two = generate_variants(other, client, levels=LEVELS[::-1], progress=False).tidy()
    by = ["seed", "level"]
    pd.testing.assert_frame_equal(
        one.sort_values(by, ignore_index=True), two.sort_values(by, ignore_index=True), check_like=True
    )
