"""An executed notebook as one section of the report."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass
from typing import Any

from pluristats.display.text import escape, printable
from pluristats.report.artifacts import note_html
from pluristats.report.sanitize import sanitize

# Cells that only set parameters: the report's provenance box lists the values, without a machine's paths.
_PARAMETER_TAGS = {"parameters", "injected-parameters"}

_ANSI = re.compile(r"\x1b(\[[0-9;?]*[ -/]*[@-~]|\][^\x07]*\x07|[@-Z\\-_])")

# "file.py:12: SomeWarning: message", then the line of code that Python quotes, indented.
_WARNING = re.compile(
    r"^[^\n]*?:\d+: (?P<kind>\w*Warning): (?P<text>.*?)(?=\n  |\n[^\n]*:\d+: \w*Warning: |\Z)", re.S | re.M
)
_QUOTED_CODE = re.compile(r"\n  [^\n]*")


@dataclass(frozen=True)
class Heading:
    """An entry of the contents list: the id of a heading and its text."""

    anchor: str
    text: str


@dataclass(frozen=True)
class Section:
    """A stage's part of the report.

    Parameters
    ----------
    name, title
        Of the stage.
    html
        Safe, well-formed HTML without the section's own heading.
    headings
        Its headings of the first level below the title, for the contents list.
    """

    name: str
    title: str
    html: str
    headings: tuple[Heading, ...]


def section(notebook: Any, name: str, title: str, base: str) -> Section:
    """Turn an executed notebook into a section.

    Markdown and outputs are shown, code is folded, cells that set parameters are left out, warnings become call-outs.
    A first heading of level 1 is the notebook's own title and gives way to the stage's.

    Parameters
    ----------
    notebook
        An executed nbformat notebook.
    name, title
        Of the stage; ``name`` prefixes every id.
    base
        Folder of the stage as seen from the report ("stages/study/").
    """
    parts: list[str] = []
    headings: list[Heading] = []
    title_pending = True
    for cell in notebook.cells:
        if _PARAMETER_TAGS & set(cell.get("metadata", {}).get("tags", [])):
            continue
        if cell.cell_type == "markdown":
            source = cell.source
            if title_pending:
                source, title_pending = re.sub(r"\A\s*# [^\n]*\n?", "", source), False
            parts.append(_markdown(source, name, base, headings))
        elif cell.cell_type == "code" and cell.source.strip():
            parts.append(_folded(cell.source))
            parts.extend(_output(output, base, f"{name}-") for output in _merged(cell.get("outputs", [])))
    return Section(name, title, "\n".join(part for part in parts if part), tuple(headings))


def _markdown(source: str, name: str, base: str, headings: list[Heading]) -> str:
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    renderer = IPythonRenderer(escape=True, allow_harmful_protocols=False, exclude_anchor_links=True)
    safe = sanitize(
        MarkdownWithMath(renderer=renderer).render(printable(source)), base=base, prefix=f"{name}-", deepen=1
    )

    def anchored(match: re.Match[str]) -> str:
        heading = Heading(f"{name}-{len(headings) + 1}", re.sub(r"<[^>]+>", "", match[1]))
        headings.append(heading)
        return f'<h3 id="{heading.anchor}">{match[1]}</h3>'

    return re.sub(r"<h3>(.*?)</h3>", anchored, safe, flags=re.S)


def _folded(source: str) -> str:
    return (
        f'<details class="code"><summary>Code</summary><pre tabindex="0"><code>{escape(source)}</code></pre></details>'
    )


def _merged(outputs: list[Any]) -> list[dict[str, Any]]:
    """Outputs with neighbouring pieces of one stream joined, as Jupyter splits them at random."""
    merged: list[dict[str, Any]] = []
    for output in outputs:
        if output["output_type"] == "stream" and merged and merged[-1].get("name") == output["name"]:
            merged[-1]["text"] += output["text"]
        else:
            merged.append(dict(output))
    return merged


def _output(output: dict[str, Any], base: str, prefix: str) -> str:
    if output["output_type"] == "stream":
        text = plain(output["text"])
        return warnings_html(text) if output["name"] == "stderr" else _pre(text)
    if output["output_type"] == "error":
        return note_html("warning", output["ename"], output["evalue"])
    data = output["data"]
    if "text/html" in data:
        safe = sanitize(data["text/html"], base=base, prefix=prefix)
        keys = "" if 'tabindex="0"' in safe else ' tabindex="0"'
        return f'<div class="output"{keys}>{safe}</div>'
    for mime in ("image/png", "image/jpeg"):
        if mime in data:
            source = f"data:{mime};base64,{''.join(data[mime].split())}"
            return f'<figure><img src="{escape(source)}" alt="Figure without a description"></figure>'
    if "image/svg+xml" in data:
        source = "data:image/svg+xml;base64," + b64encode(data["image/svg+xml"].encode()).decode()
        return f'<figure><img src="{source}" alt="Figure without a description"></figure>'
    return _pre(plain(data["text/plain"])) if "text/plain" in data else ""


def _pre(text: str) -> str:
    return f'<pre class="text" tabindex="0">{escape(text.rstrip())}</pre>' if text.strip() else ""


def plain(text: str) -> str:
    r"""Text of a terminal without colours, and of an overwritten line (``\r``) only what was last."""
    lines = _ANSI.sub("", text).replace("\r\n", "\n").split("\n")
    return "\n".join(line.rstrip("\r").rsplit("\r", 1)[-1] for line in lines)


def warnings_html(text: str) -> str:
    """Standard error of a cell: each distinct warning as a call-out without file paths, anything else as text.

    Parameters
    ----------
    text
        As Python's ``warnings`` prints it. A repeated warning is shown once, with how often it came.
    """
    found = [(m["kind"], m["text"].strip()) for m in _WARNING.finditer(text)]
    parts = []
    for kind, message in dict.fromkeys(found):
        times = found.count((kind, message))
        title = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind).capitalize() + (f" ({times} times)" if times > 1 else "")
        parts.append(note_html("warning", title, message))
    rest = _QUOTED_CODE.sub("", _WARNING.sub("", text)) if found else text
    return "".join(parts) + _pre(rest)
