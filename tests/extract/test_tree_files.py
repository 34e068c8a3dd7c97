from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pluristats.errors import GenerateError
from pluristats.extract import TreePlan, load_trees, write_trees
from pluristats.features import chats, parse_tree
from tests.extract.conftest import effect, tree
from tests.generate.conftest import HOSTILE


def trees() -> list:
    return [
        parse_tree(tree("harms", (text[:2000], [effect(text[:2000])])), None, prompt=text, id=name, simulated=True).tree
        for name, text in HOSTILE.items()
    ]


def test_hostile_trees_come_back_as_they_were(tmp_path: Path) -> None:
    assert write_trees(tmp_path / "t.jsonl", [trees()[0], None, *trees()[1:]]) == len(HOSTILE)
    assert list(load_trees(tmp_path / "t.jsonl")) == trees()
    assert write_trees(tmp_path / "t.jsonl", trees()[:1]) == 1  # a file of trees is replaced
    assert [path.name for path in tmp_path.iterdir()] == ["t.jsonl"]


def test_nothing_is_left_of_a_file_that_broke_off(tmp_path: Path) -> None:
    def broken():
        yield trees()[0]
        raise RuntimeError("the store is gone")

    with pytest.raises(RuntimeError, match="the store is gone"):
        write_trees(tmp_path / "t.jsonl", broken())
    assert not list(tmp_path.iterdir())
    (tmp_path / "t.jsonl").write_text("mine\n")
    with pytest.raises(GenerateError, match="holds something else"):
        write_trees(tmp_path / "t.jsonl", trees())
    assert (tmp_path / "t.jsonl").read_text() == "mine\n"


@pytest.mark.parametrize(
    ("line", "says"), [("{", "is not JSON"), ("[]", "list of stakeholders"), ("{}", "stakeholders")]
)
def test_a_line_that_is_no_tree_is_named(tmp_path: Path, line: str, says: str) -> None:
    write_trees(tmp_path / "t.jsonl", trees()[:1])
    with (tmp_path / "t.jsonl").open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(GenerateError, match=f"t.jsonl, line 2: .*{says}"):
        list(load_trees(tmp_path / "t.jsonl"))
    with pytest.raises(GenerateError, match="cannot be read"):
        list(load_trees(tmp_path / "missing.jsonl"))


def test_a_file_that_is_no_text_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_bytes("café".encode("latin-1"))
    with pytest.raises(GenerateError, match=r"t\.jsonl: cannot be read \(it is not UTF-8\)"):
        list(load_trees(tmp_path / "t.jsonl"))


@pytest.mark.parametrize("side", ["harms", "benefits"])
def test_chats_ask_what_was_asked(side: Any, tmp_path: Path) -> None:
    """An own extractor is trained on the very question that its teacher was asked."""
    (question,) = TreePlan(["{prompt}"], side, "m")
    system, user = (turn.content for turn in question.messages)
    write_trees(tmp_path / "t.jsonl", trees())
    lines = list(chats(load_trees(tmp_path / "t.jsonl"), side, system=system, user=user, simulated=True))
    asked = list(TreePlan(list(HOSTILE.values()), side, "m"))
    assert len(lines) == (len(asked) if side == "harms" else 0)  # these trees have no benefits
    for line, request in zip(lines, asked, strict=False):
        turns = [(turn["role"], turn["content"]) for turn in json.loads(line)["messages"]]
        assert turns[:2] == [(message.role, message.content) for message in request.messages]
