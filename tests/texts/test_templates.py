from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path

import pytest

from pluristats.errors import GenerateError
from pluristats.generate import Plan, load_template
from pluristats.generate.variants import FIELDS
from pluristats.llm.simulated.kinds import read_prompt
from pluristats.texts.templates import parse_template
from tests.conftest import ROOT
from tests.generate.conftest import HOSTILE, seeds_of

TEXT = "mine/3\n[system]\nBe {brief}, not {x y} or {}.\n[user]\nLevel {level}\n{text}\n"


def test_the_packaged_template_is_the_file_in_generation() -> None:
    template = load_template("variant", FIELDS)
    text = (ROOT / "generation" / "variant.txt").read_text()
    assert template.name == "variant/1" == text.splitlines()[0]
    assert template.sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert [role for role, _ in template.turns] == ["system", "user"]


def test_the_wheel_carries_the_folder_where_the_loader_looks_first() -> None:
    included = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert included["force-include"]["generation"] == "pluristats/_generation"


@pytest.mark.parametrize("name", HOSTILE)
def test_the_simulated_endpoint_understands_what_is_asked(name: str) -> None:
    (request,) = Plan(seeds_of(a=HOSTILE[name]), "m", levels=[0.3])
    prompt = read_prompt([message.content for message in request.messages])
    assert (prompt.kind, prompt.level) == ("variant", 0.3)
    # The seed itself is sent whole; the simulation reads it up to a line of dashes.
    assert request.messages[-1].content.endswith(HOSTILE[name])
    assert HOSTILE[name].startswith(prompt.text) and prompt.text


def test_fields_are_filled_in_once_and_other_braces_stay() -> None:
    template = parse_template(TEXT.replace("{brief}", "brief"), "here", FIELDS)
    system, user = template.messages({"level": "{text}", "text": "{level}\n"})
    assert system.content == "Be brief, not {x y} or {}."
    assert user.content == "Level {text}\n{level}\n"
    assert template.name == "mine/3"


def test_ends_of_lines_do_not_make_another_template(tmp_path: Path) -> None:
    text = (ROOT / "generation" / "variant.txt").read_text()
    path = tmp_path / "variant.txt"
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert load_template(path, FIELDS) == load_template("variant", FIELDS)


def test_an_edited_template_of_the_same_version_has_other_keys(tmp_path: Path) -> None:
    path = tmp_path / "variant.txt"
    text = (ROOT / "generation" / "variant.txt").read_text()
    plain = list(Plan(seeds_of(a="x"), "m"))
    for edited in (text.replace("prompts", "requests", 1), text.replace("variant/1", "variant/2"), text + "\n"):
        path.write_text(edited)
        others = list(Plan(seeds_of(a="x"), "m", template=load_template(path, FIELDS)))
        assert not {r.key("e") for r in plain} & {r.key("e") for r in others}
    # Even where what is sent is the same.
    assert others[0].body() == plain[0].body()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "line 1: '' is no name and version"),
        ("variant\n[user]\n{text} {level}", "line 1: 'variant' is no name"),
        ("v/1\nhello {text} {level}", "line 2: a line [system] or [user] must open"),
        ("v/1\nhello\n[user]\n{text} {level}", "line 2: a line [system] or [user] must open"),
        ("v/1\n[user]\n{text}", "{level} is missing; its fields are {level}, {text}"),
        ("v/1\n[user]\n{text} {level} {levle}", "{levle} is no field of this template"),
    ],
)
def test_bad_templates_are_refused(text: str, says: str) -> None:
    with pytest.raises(GenerateError) as error:
        parse_template(text, "t.txt", FIELDS)
    assert str(error.value).startswith("template t.txt") and says in str(error.value)


def test_unknown_templates_are_refused(tmp_path: Path) -> None:
    with pytest.raises(GenerateError, match=r"there is no template 'nope'; there are .*variant"):
        load_template("nope", FIELDS)
    with pytest.raises(GenerateError, match=r"there is no template '\.\./README'"):
        load_template("../README", FIELDS)
    with pytest.raises(GenerateError, match="cannot be read"):
        load_template(tmp_path / "nope.txt", FIELDS)
    (tmp_path / "latin.txt").write_bytes(b"v/1\n[user]\n\xe9")
    with pytest.raises(GenerateError, match="not UTF-8"):
        load_template(tmp_path / "latin.txt", FIELDS)


def test_a_text_to_continue_is_kept_to_its_last_line_feed() -> None:
    template = parse_template("mine/1\n[prompt]\n<|user|>\n{text}\n\n<|assistant|>\n", "here", ("text",))
    request = template.request("m", {"text": "{text}\n"}, max_tokens=5)
    assert template.plain and request.plain and request.template == template.identity
    assert request.body() == {"model": "m", "prompt": "<|user|>\n{text}\n\n\n<|assistant|>\n", "max_tokens": 5}
    with pytest.raises(GenerateError, match="stands alone"):
        parse_template("mine/1\n[system]\nBe brief.\n[prompt]\n{text}\n", "here", ("text",))
    assert not load_template("variant", FIELDS).plain
