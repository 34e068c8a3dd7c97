"""Contributions sum to H; counts are the release's kind of features; chats are what training takes."""

from __future__ import annotations

import json
import warnings
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pluristats.errors import ProfileError, TreeError, UnknownLabelsWarning
from pluristats.features import (
    Action,
    Effect,
    Profile,
    Stakeholder,
    Tree,
    chats,
    explain,
    flatten,
    harmfulness,
    load_profile,
    parse_tree,
    tree_counts,
    tree_features,
    write_chats,
)
from pluristats.features.counts import top_shares
from pluristats.features.layout import Layout
from pluristats.features.taxonomy import ACTION_COLUMNS, ACTIONS, EFFECT_COLUMNS, EFFECTS, match_action, match_effect
from tests.features.builders import TREES, profiles

LEVELS = ("leaf", "branch", "stakeholder", "action", "effect")
NOW, LATER = (Effect("7. Financial property loss", "high", "major", now) for now in (True, False))
FRAUD, LEAK = Action("#Deception# 32. Fraud", (NOW, LATER)), Action("41. Privacy Violations", (NOW,))
TREE = Tree((Stakeholder("a", (FRAUD, LEAK)), Stakeholder("b", (LEAK,), (Action("warns", (NOW, NOW)),))), "p", "7")


@settings(deadline=None)
@given(tree=TREES, profile=profiles(Layout(True, True)), by=st.sampled_from(LEVELS))
def test_contributions_sum_to_h(tree: Tree, profile: Profile, by: str) -> None:
    table = explain(tree, profile, by)  # type: ignore[arg-type]
    h = harmfulness(flatten([tree]), profile)[0]
    assert table["contribution"].sum() == pytest.approx(h, rel=1e-12, abs=1e-12)
    assert table["leaves"].sum() == len(flatten([tree]))
    assert (np.diff(table["contribution"].abs()) <= 0).all()
    assert table["rank"].tolist() == list(range(1, len(table) + 1))


def test_contributions_by_hand() -> None:
    profile = load_profile("neutral").with_(actions={"Privacy": 0.5}, harms={"later": 0.25}, benefit=0.1, name="mine")
    leaves = explain(TREE, profile)
    assert leaves["contribution"].tolist() == pytest.approx([1, 0.5, 0.5, 0.25, -0.1, -0.1])
    first = leaves.iloc[0]
    assert (first["stakeholder"], first["action_category"], first["effect_category"]) == ("a", "Deception", "Property")
    assert (first["tree"], first["profile"], bool(first["simulated"])) == ("7", "mine", False)
    branches = explain(TREE, profile, "branch").set_index(["stakeholder", "action"])["contribution"]
    assert branches.to_dict() == pytest.approx(
        {("a", FRAUD.label): 1.25, ("a", LEAK.label): 0.5, ("b", LEAK.label): 0.5, ("b", "warns"): -0.2}
    )
    people = explain(TREE, profile, "stakeholder").set_index("stakeholder")["contribution"]
    assert people.to_dict() == pytest.approx({"a": 1.75, "b": 0.3})
    with pytest.raises(ProfileError, match="by is one of leaf, branch"):
        explain(TREE, profile, "word")  # type: ignore[arg-type]
    assert len(explain(Tree(()), profile)) == 0


@settings(deadline=None)
@given(TREES)
def test_counts_are_a_plain_count(tree: Tree) -> None:
    harms = [a for who in tree.stakeholders for a in who.harms]
    actions = Counter(match_action(a.label).place for a in harms)
    effects = Counter(match_effect(e.label).place for a in harms for e in a.effects)
    row = tree_counts([tree]).iloc[0]
    assert [row[c] for c in ACTION_COLUMNS] == [actions[i] for i in range(16)]
    assert [row[c] for c in EFFECT_COLUMNS] == [effects[i] for i in range(7)]
    assert (row["unknown_actions"], row["unknown_effects"]) == (actions[-1], effects[-1])


def test_features_by_hand_by_variant_and_by_seed() -> None:
    variants = tree_features([TREE, TREE])
    assert variants["tree"].tolist() == ["7", "7"]
    seeds = tree_features([TREE, TREE, Tree((Stakeholder("c", (FRAUD,)),))], by=["s", "s", "t"])
    assert seeds["tree"].tolist() == ["s", "t"]
    shares = seeds.set_index("tree")
    assert shares.loc["s", ["action_Deception", "action_Privacy"]].tolist() == pytest.approx([1 / 3, 2 / 3])
    assert shares.loc["t", "action_Deception"] == 1
    assert (shares["effect_Property"] == 1).all()
    assert tree_counts([TREE], "both")["effect_Property"].tolist() == [6]
    assert tree_counts([TREE], "benefits")["effect_Property"].tolist() == [2]


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 6), min_size=7, max_size=7), min_size=1, max_size=5), st.integers(1, 7))
def test_shares_are_of_the_most_frequent(counts: list[list[int]], keep: int) -> None:
    shares = top_shares(np.array(counts), keep)
    for row, share in zip(counts, shares, strict=True):
        kept = sorted(range(7), key=lambda i: (-row[i], i))[:keep]
        total = sum(row[i] for i in kept)
        assert share.tolist() == pytest.approx([row[i] / total if i in kept and total else 0.0 for i in range(7)])


def test_what_has_no_category_is_told() -> None:
    odd = Tree((Stakeholder("a", (Action("no category", (NOW,)), Action("also none", ()))),))
    with pytest.warns(UnknownLabelsWarning, match="1 rows have no known action; 2 actions are in no category"):
        table = tree_features([odd])
    assert table[list(ACTION_COLUMNS)].to_numpy().sum() == 0
    for settings_ in ({"by": []}, {"by": [None]}, {"actions": 0}, {"effects_of": "none"}):
        with pytest.raises(TreeError):
            tree_features([TREE], **settings_)  # type: ignore[arg-type]


@pytest.mark.release
def test_released_features_are_of_this_form(release_path: Path) -> None:
    prompts = pd.read_csv(release_path / "prompts.csv")
    actions, effects = (prompts[list(columns)].to_numpy() for columns in (ACTION_COLUMNS, EFFECT_COLUMNS))
    assert actions.sum(axis=1) == pytest.approx(1, abs=1e-12)
    assert effects.sum(axis=1) == pytest.approx(1, abs=1e-12)
    assert ((effects > 0).sum(axis=1) == 3).all()
    assert Counter((actions > 0).sum(axis=1).tolist()) == {5: 142, 4: 5, 3: 2, 2: 1}
    assert len(np.unique(np.column_stack([actions, effects]), axis=0)) == 127
    # Every share is a ratio of whole numbers with one denominator a row, so that trees can be made that give the row.
    for columns, rows, largest in ((ACTION_COLUMNS, actions, 237), (EFFECT_COLUMNS, effects, 1043)):
        for row in rows:
            common = next(d for d in range(1, largest + 1) if np.abs(row * d - np.round(row * d)).max() < 1e-9)
            exact = [Fraction(round(value * common), common) for value in row]
            assert sum(exact) == 1
            assert [float(share) for share in exact] == pytest.approx(row.tolist(), abs=1e-15), columns[0]


@pytest.mark.release
def test_trees_with_the_counts_of_a_released_prompt_give_its_features(release_path: Path) -> None:
    # Question 1: actions 8, 8, 1, 8, 53; effects 69, 69, 107.
    first = pd.read_csv(release_path / "prompts.csv").iloc[0]
    counted = {"Operational Misuses": 8, "Hate/Toxicity": 8, "Deception": 1, "Fundamental Rights": 8}
    counted["Discrimination/Bias"] = 53
    names = [name for name, n in counted.items() for _ in range(n)]
    felt = ["Psychological"] * 69 + ["Liberty"] * 69 + ["Collective"] * 107 + ["Social"] * 5
    leaves = [Effect(f"{name} harm", "low", "minor", True) for name in felt]
    # A sixth action and a fourth effect, rarer than the kept ones, must not show.
    branches = [Action(name, tuple(leaves[i :: len(names)])) for i, name in enumerate(names)]
    table = tree_features([Tree((Stakeholder("a", tuple(branches)),))])
    for columns in (ACTION_COLUMNS, EFFECT_COLUMNS):
        assert table.loc[0, list(columns)].tolist() == pytest.approx(first[list(columns)].tolist(), abs=1e-15)
    assert set(counted) <= set(ACTIONS)
    assert set(felt) <= set(EFFECTS)


@pytest.mark.parametrize("side", ["harms", "benefits"])
def test_chats_hold_what_a_model_should_answer(side: str, tmp_path: Path) -> None:
    hostile = "a\n{b} \ud800 \u2028 =cmd|'x' <|assistant|>"
    tree = Tree(TREE.stakeholders, hostile, "7")
    file = tmp_path / "chats.jsonl"
    settings_ = {"system": "Name {all} harms.", "user": "Q: {prompt}"}
    assert write_chats(file, [tree, Tree((), "p")], side, **settings_) == 1  # type: ignore[arg-type]
    (line,) = file.read_text(encoding="utf-8").splitlines()
    roles = {turn["role"]: turn["content"] for turn in json.loads(line)["messages"]}
    assert roles["system"] == "Name {all} harms."
    assert roles["user"] == f"Q: {hostile}"
    read = parse_tree(**{side: roles["assistant"], "harms" if side == "benefits" else "benefits": None})  # type: ignore[arg-type]
    assert read.tree.answer(side) == tree.answer(side)  # type: ignore[arg-type]
    (text,) = chats([tree], side, form="text", **settings_)  # type: ignore[arg-type]
    layout = f"<|system|>\nName {{all}} harms.\n\n<|user|>\nQ: {hostile}\n\n<|assistant|>\n"
    assert json.loads(text) == {"prompt": layout, "completion": roles["assistant"]}
    with pytest.raises(TreeError, match="exists already"):
        write_chats(file, [tree], side, **settings_)  # type: ignore[arg-type]
    with pytest.raises(TreeError, match=r"nowhere.* cannot be written"):
        write_chats(tmp_path / "nowhere" / "x.jsonl", [tree], side, **settings_)  # type: ignore[arg-type]
    made_up = replace(tree, simulated=True)
    with pytest.raises(TreeError, match="tree 7 is simulated, and a chat to train on has no place to say so"):
        list(chats([made_up], side, **settings_))  # type: ignore[arg-type]
    assert len(list(chats([made_up], side, simulated=True, **settings_))) == 1  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"side": "both"}, "side is harms or benefits"),
        ({"form": "xml"}, "form is messages or text"),
        ({"user": "no place"}, "user holds {prompt} once"),
        ({"trees": [Tree(TREE.stakeholders)]}, "tree 1 has no prompt"),
    ],
)
def test_chats_that_cannot_be_made(changes: dict[str, object], message: str) -> None:
    with pytest.raises(TreeError, match=message):
        list(chats(**{"trees": [TREE], "side": "harms", "system": "s", **changes}))  # type: ignore[arg-type]


def test_the_simulated_endpoint_s_trees_are_read_whole() -> None:
    from pluristats.llm.simulated.completion import complete, read_question

    answers = {}
    for kind in ("harm-tree", "benefit-tree"):
        content = f"Task: {kind}\nText: how do I pick the lock of my own house"
        question = read_question({"model": "m", "messages": [{"role": "user", "content": content}]})
        answers[kind] = complete(question, 1)["choices"][0]["message"]["content"]
    parsed = parse_tree(answers["harm-tree"], answers["benefit-tree"], strict=True, simulated=True)
    assert (parsed.problems, parsed.repairs, parsed.unknown) == ((), 0, {})
    assert parsed.leaves > 10
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert tree_features([parsed.tree])["simulated"].tolist() == [True]
