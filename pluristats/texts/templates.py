"""Prompt templates: plain text with a name, a version and a hash that is part of every request's key."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from pluristats.errors import GenerateError
from pluristats.llm import ChatRequest, Message
from pluristats.texts.files import packaged

_NAME = re.compile(r"[a-z][a-z0-9-]*/[0-9]+")
_ROLE = re.compile(r"^\[(system|user|assistant|prompt)\]$", re.M)
_FIELD = re.compile(r"\{([a-z_]+)\}")

Role = Literal["system", "user", "assistant", "prompt"]


@dataclass(frozen=True)
class Template:
    """A conversation with fields to fill in.

    Parameters
    ----------
    name
        Name and version, ``"variant/1"``.
    sha256
        Of the file's text (UTF-8, lines ended by a line feed): what tells an edited template that kept its version.
    turns
        Role and text of each message; ``{level}`` stands for the field level. A single turn of role ``prompt`` is
        the whole text that a model continues, as models with a literal layout of their own want it.
    """

    name: str
    sha256: str
    turns: tuple[tuple[Role, str], ...]

    @property
    def identity(self) -> str:
        """Name, version and hash: `ChatRequest.template`, so that an edited template reuses no old answers."""
        return f"{self.name}@{self.sha256}"

    def messages(self, values: Mapping[str, str]) -> tuple[Message, ...]:
        """The conversation with its fields filled in, once each: a value that looks like a field stays as it is.

        Parameters
        ----------
        values
            By field.
        """
        return tuple(
            Message("user" if role == "prompt" else role, _FIELD.sub(lambda field: values[field[1]], text))
            for role, text in self.turns
        )

    @property
    def plain(self) -> bool:
        """Whether it is a text to continue and no conversation (`ChatRequest.plain`)."""
        return self.turns[0][0] == "prompt"

    def request(self, model: str, values: Mapping[str, str], **settings: Any) -> ChatRequest:
        """The question that the filled-in template asks a model.

        Parameters
        ----------
        model
            As the endpoint knows it.
        values
            By field.
        settings
            Of `ChatRequest`: ``temperature``, ``max_tokens``, ….
        """
        return ChatRequest(model, self.messages(values), template=self.identity, plain=self.plain, **settings)


def load_template(name: str | Path, fields: Iterable[str], optional: Iterable[str] = ()) -> Template:
    """Template by name from ``generation/``, or from a text file.

    The first line is the template's name and version, ``variant/1``. Then each message stands below a line
    ``[system]``, ``[user]`` or ``[assistant]``. ``{field}`` is filled in; every other brace is text. Below a single
    line ``[prompt]`` stands a text that the model continues, kept to its last line feed: for models whose layout
    (``<|system|>`` …) is part of the text, at endpoints that serve ``/completions``.

    Parameters
    ----------
    name
        Such as ``"variant"``, or the path of a file (a `Path`, or text that ends in ``.txt``).
    fields
        What it must have, each at least once, and nothing else.
    optional
        What it may have besides.

    Raises
    ------
    GenerateError
        There is no such template, or it does not have this form or these fields.
    """
    path = Path(name) if isinstance(name, Path) or name.endswith(".txt") else _packaged(name)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise GenerateError(f"template {path}: cannot be read ({reason}); give a text file") from None
    return parse_template(text, str(path), fields, optional)


def parse_template(text: str, place: str, fields: Iterable[str], optional: Iterable[str] = ()) -> Template:
    """Template from its text; ``place`` is what messages call it. See `load_template`."""
    text = "\n".join(text.splitlines()) + "\n"
    head, _, rest = text.partition("\n")
    if not _NAME.fullmatch(head.strip()):
        raise GenerateError(f"template {place}, line 1: {head[:60]!r} is no name and version; write one as variant/1")
    before, *parts = _ROLE.split(rest)
    if before.strip() or not parts:
        raise GenerateError(f"template {place}, line 2: a line [system] or [user] must open the first message")
    roles, texts = parts[::2], parts[1::2]
    if "prompt" in roles and len(roles) > 1:
        raise GenerateError(f"template {place}: [prompt] stands alone; a conversation has [system] and [user]")
    turns = tuple(
        (cast(Role, role), text.removeprefix("\n") if role == "prompt" else text.strip("\n"))
        for role, text in zip(roles, texts, strict=True)
    )
    found, wanted, known = set(_FIELD.findall(rest)), list(fields), [*fields, *optional]
    for field in sorted((set(wanted) - found) | (found - set(known))):
        problem = "is missing" if field in wanted else "is no field of this template"
        raise GenerateError(
            f"template {place}: {{{field}}} {problem}; its fields are {', '.join(f'{{{name}}}' for name in known)}"
        )
    return Template(head.strip(), hashlib.sha256(text.encode()).hexdigest(), turns)


def _packaged(name: str) -> Path:
    path = packaged(f"{name}.txt")
    if not re.fullmatch(r"[a-z0-9-]+", name) or not path.is_file():
        known = ", ".join(sorted(other.stem for other in path.parent.glob("*.txt")))
        raise GenerateError(
            f"there is no template {name!r}; there are {known or 'none (install pluristats again)'}, and a path that "
            "ends in .txt is read as a file"
        )
    return path
