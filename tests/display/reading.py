"""Readers of what was written: a table in HTML, a line of LaTeX, a file of Typst; written for the tests alone."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

from markdown_it import MarkdownIt

VOID = {"br", "hr", "img"}
# What LaTeX prints for each command that may stand in a text.
COMMANDS = {
    r"\textbackslash{}": "\\",
    r"\textasciicircum{}": "^",
    r"\textasciitilde{}": "~",
    r"\textless{}": "<",
    r"\textgreater{}": ">",
    r"\textbar{}": "|",
    r"\textasciigrave{}": "`",
    r"\symbol{34}": '"',
    r"\textendash{}": "–",
    r"\textdagger{}": "†",
    r"\textsuperscript{2}": "²",
    r"\ldots{}": "…",
    "$-$": "−",
    r"$\times$": "×",
    r"$\pm$": "±",
    r"$\infty$": "∞",
    r"$\sigma$": "σ",
    r"$\phi$": "φ",
    r"$\lambda$": "λ",
    r"$\Delta$": "Δ",
    "{[}": "[",
    "{*}": "*",
    "{}": "",
    **{f"\\{c}": c for c in "{}$&#_%"},
}
_TOKEN = re.compile("|".join(re.escape(command) for command in sorted(COMMANDS, key=len, reverse=True)) + "|.", re.S)


@dataclass
class Read:
    """A cell as read: its tag, its attributes and its text, ``<br>`` being a line's end."""

    tag: str
    attributes: dict[str, str | None]
    text: str = ""


@dataclass
class Table(HTMLParser):
    """The first table of an HTML text; ``elements`` are all tags met, wherever."""

    source: str
    rows: list[list[Read]] = field(default_factory=list)
    sections: list[str] = field(default_factory=list)
    elements: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    caption: str | None = None

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[str] = []
        self.feed(self.source)
        self.close()
        assert not self._open, f"{self._open} are never closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        if tag == "br" and self.rows:
            self.rows[-1][-1].text += "\n"
        if tag in VOID:
            return
        self._open.append(tag)
        if tag in ("thead", "tbody", "tfoot"):
            self.sections.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append(Read(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "td" in self._open or "th" in self._open:
            self.rows[-1][-1].text += data
        elif "caption" in self._open:
            self.caption = (self.caption or "") + data
        elif data.strip():
            self.outside.append(data)


def of_markdown(source: str) -> Table:
    """A table of Markdown, by way of the HTML that a parser makes of it; raw HTML counts as HTML."""
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    return Table(parser.render(source))


def of_latex(line: str) -> str:
    """What LaTeX prints for a line; an unescaped special character or ligature fails."""
    out = []
    before = ""
    for token in _TOKEN.findall(line):
        assert token in COMMANDS or token not in set('\\{}$&#_%^~<>|`"'), f"{token!r} acts in {line!r}"
        assert not (token in "-'" and token == before), f"a ligature in {line!r}"
        out.append(COMMANDS.get(token, token))
        before = token
    return "".join(out)


def of_typst(literal: str) -> str:
    """The text of a string literal of Typst."""
    assert literal[0] == literal[-1] == '"'
    inner = literal[1:-1]
    assert re.fullmatch(r'(?:[^"\\\n]|\\["\\])*', inner), f"{literal!r} is no literal"
    return re.sub(r"\\(.)", r"\1", inner)
