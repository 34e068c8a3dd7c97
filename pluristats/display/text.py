r"""Untrusted text for each format: what is written is what a reader sees, and nothing of it acts.

Every function makes invisible characters visible first (:func:`printable`). HTML alone keeps line feeds and tabs; in
the other formats, where a line's end may end a cell, they are spaces.
"""

from __future__ import annotations

import html
import json
import re
import unicodedata
from typing import Final

# Characters that reorder the text around them: a cell could make its neighbours read differently.
_REORDERING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

# No backslash is written as one, as "\(" in a text would become "\\(", where notebooks begin a formula.
_MARKDOWN: Final = {
    **{c: f"\\{c}" for c in "`*_{}[]#|~!$@"},
    "\\": "&#92;",
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
}
# What at a line's beginning makes a list, a heading's rule or a quotation.
_MARKDOWN_BLOCK = re.compile(r"^(?:(\d+)([.)])(?=\s|$)|([-+=:]))")
# A bare address becomes a link.
_ADDRESS = re.compile(r"(?<=[A-Za-z]):(?=//)|(?<=www)\.|(?<=mailto):|(?<=xmpp):", re.IGNORECASE)

_LATEX: Final = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "_": r"\_",
    "%": r"\%",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\textasciigrave{}",
    '"': r"\symbol{34}",  # active in babel's German
    "−": "$-$",
    "×": r"$\times$",
    "²": r"\textsuperscript{2}",
    "±": r"$\pm$",
    "∞": r"$\infty$",
    "σ": r"$\sigma$",
    "φ": r"$\phi$",
    "λ": r"$\lambda$",
    "Δ": r"$\Delta$",
    "†": r"\textdagger{}",
    "–": r"\textendash{}",
    "…": r"\ldots{}",
}


def printable(text: object) -> str:
    r"""Text with everything invisible or unencodable made visible: ``\x00``, ``\ud800``, ``\u2028``.

    Line feeds and tabs stay. Lone surrogates, control characters, line and paragraph separators and characters
    that reorder text become their Python escapes.
    """
    return "".join(c if _harmless(c) else c.encode("unicode_escape").decode() for c in str(text))


def _harmless(char: str) -> bool:
    if char in "\n\t":
        return True
    return unicodedata.category(char) not in ("Cc", "Cs", "Zl", "Zp") and char not in _REORDERING


def one_line(text: object) -> str:
    """Printable text in one line: runs of white space are one space."""
    return " ".join(printable(text).split())


def escape(text: object) -> str:
    """Printable text with ``& < > " '`` escaped, for HTML content and attributes."""
    return html.escape(printable(text), quote=True)


def markdown(text: object) -> str:
    """One line of Markdown (CommonMark with GitHub's tables) that reads as the text: no markup, link, HTML, formula."""
    line = "".join(_MARKDOWN.get(c, c) for c in one_line(text))
    line = _ADDRESS.sub(lambda match: f"\\{match[0]}", line)
    return _MARKDOWN_BLOCK.sub(lambda m: f"{m[1]}\\{m[2]}" if m[1] else f"\\{m[3]}", line)


def latex(text: object) -> str:
    """One line of LaTeX that reads as the text.

    Characters beyond Latin ones stay; they need LuaLaTeX or XeLaTeX with a font that has them.
    """
    line = "".join(_LATEX.get(c, c) for c in one_line(text))
    # Two hyphens would be a dash, two apostrophes a quotation mark; what follows the end of a row, its argument.
    return re.sub(r"^[\[*]", r"{\g<0>}", re.sub(r"([-'])(?=\1)", r"\1{}", line))


def typst(text: object) -> str:
    """A string literal of Typst's code, which reads as the text: strings are no markup."""
    # JSON's literals escape the quotation mark and the backslash alike; what else they escape is not in one line.
    return json.dumps(one_line(text), ensure_ascii=False)
