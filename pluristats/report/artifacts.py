"""What a notebook calls to show and keep a table, a figure or a note."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pluristats.display.frames import Format, csv_text, html_table
from pluristats.display.text import escape, printable
from pluristats.report import drawing
from pluristats.report import published as paper

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["note", "result", "warning", "limitation"]
KINDS: dict[str, str] = {"note": "Note", "result": "Result", "warning": "Warning", "limitation": "Limitation"}

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


class Artifacts:
    """Shows tables, figures and notes in a notebook and, where there is a folder, keeps them as files.

    Each call displays escaped HTML at once. With a folder, ``tables/<name>.csv``, ``figures/<name>.svg``, ``.png`` and
    ``.csv`` (the plotted numbers) are written there, and ``manifest.json`` lists them with caption, alternative text
    and SHA-256. Captions, alternative texts and cells are untrusted and escaped.

    Parameters
    ----------
    out
        Folder, made when absent. Empty (interactive use) only displays.

    Attributes
    ----------
    shown
        The HTML displayed so far, one text a call.

    Examples
    --------
    >>> import pandas as pd
    >>> art = Artifacts()
    >>> art.table("counts", pd.DataFrame({"level": ["low"], "n": [1234]}), caption="Counts")
    >>> "1,234" in art.shown[0]
    True
    """

    def __init__(self, out: str | Path = ""):
        self.folder = Path(out) if str(out) else None
        self.shown: list[str] = []
        self._entries: list[dict[str, Any]] = []
        self._names: set[str] = set()

    def table(
        self,
        name: str,
        df: pd.DataFrame,
        *,
        caption: str,
        regenerates: str | None = None,
        published: str | None = None,
        formats: Mapping[str, Format] | None = None,
        max_rows: int = 200,
    ) -> None:
        """Show a table and write its CSV.

        Parameters
        ----------
        name
            File name without ending: lower-case letters, digits, ``-`` and ``_``; once a notebook.
        df
            The table. Numbers are shown rounded; the CSV is unrounded.
        caption
            One plain sentence.
        regenerates
            The call that makes this table, for a reader who wants it alone ("ps.bic_ladder(study)").
        published
            Key of the paper's figure or table that this is (`pluristats.report.published.ITEMS`); None where the paper
            has nothing like it, which is then said.
        formats, max_rows
            As in `pluristats.display.frames.html_table`.

        Raises
        ------
        ValueError
            For a bad or repeated name, an empty caption, or an unknown ``published``.
        """
        said = paper.named(published)
        self._claim(name, caption)
        files = {"csv": self._write(f"tables/{name}.csv", _utf8(csv_text(df)))}
        table = html_table(df, caption, formats, max_rows)
        shown = f'<div class="table" id="table-{name}">{table}{_foot(files, regenerates, said)}</div>'
        self._record("table", name, files, caption=caption, regenerates=regenerates, published=published, rows=len(df))
        self._show(shown)

    def figure(
        self,
        name: str,
        fig: Any,
        *,
        caption: str,
        alt: str,
        data: pd.DataFrame,
        regenerates: str | None = None,
        published: str | None = None,
        formats: Mapping[str, Format] | None = None,
        max_rows: int = 200,
    ) -> None:
        """Show a figure with its numbers as a folded table, and write SVG, PNG and CSV. Closes the figure.

        Parameters
        ----------
        name
            As for `table`.
        fig
            A matplotlib figure, or anything that has one (axes, a seaborn grid).
        caption
            One plain sentence.
        alt
            What a person who cannot see the figure should know: kind of chart, axes, what it shows.
        data
            The plotted numbers.
        regenerates, published, formats, max_rows
            As for `table`.

        Raises
        ------
        ValueError
            For a bad or repeated name, an empty caption or ``alt``, or an unknown ``published``.
        """
        said = paper.named(published)
        if not alt.strip():
            raise ValueError(f"figure {name!r} has no alternative text; say in alt= what it shows")
        self._claim(name, caption)
        images = drawing.draw(getattr(fig, "figure", fig), name)
        files = {ending: self._write(f"figures/{name}.{ending}", image) for ending, image in images.items()}
        files["csv"] = self._write(f"figures/{name}.csv", _utf8(csv_text(data)))
        numbers = html_table(data, f"Numbers of the figure: {caption}", formats, max_rows)
        width = drawing.css_width(images["png"])
        shown = (
            f'<figure id="figure-{name}"><img src="{drawing.inline(images)}" width="{width}" alt="{escape(alt)}">'
            f"<figcaption>{escape(caption)} {_foot(files, regenerates, said)}</figcaption>"
            f'<details><summary>Numbers of this figure</summary><div class="table">{numbers}</div></details></figure>'
        )
        self._record(
            "figure",
            name,
            files,
            caption=caption,
            alt=alt,
            regenerates=regenerates,
            published=published,
            rows=len(data),
        )
        self._show(shown)

    def note(self, kind: Kind, text: str) -> None:
        """Show a remark that must not be overlooked.

        Parameters
        ----------
        kind
            ``note``, ``result``, ``warning`` or ``limitation``.
        text
            Plain text; an empty line begins a new paragraph.

        Raises
        ------
        ValueError
            For an unknown kind or an empty text.
        """
        if kind not in KINDS:
            raise ValueError(f"note of kind {kind!r}; known are {', '.join(KINDS)}")
        if not text.strip():
            raise ValueError(f"an empty {kind}")
        self._record("note", kind, {}, text=text)
        self._show(note_html(kind, KINDS[kind], text))

    def _show(self, html: str) -> None:
        self.shown.append(html)
        if "IPython" in sys.modules:
            from IPython import get_ipython
            from IPython.display import HTML, display

            if get_ipython() is not None:
                display(HTML(html))

    def _claim(self, name: str, caption: str) -> None:
        if not _NAME.fullmatch(name):
            raise ValueError(f"artefact name {name!r}: use lower-case letters, digits, - and _ (at most 64)")
        if name in self._names:
            raise ValueError(f"artefact name {name!r} is used twice in this notebook")
        if not caption.strip():
            raise ValueError(f"artefact {name!r} has no caption")
        self._names.add(name)

    def _write(self, relative: str, content: bytes) -> str:
        """Write a file below the folder; its relative path, or "" when there is no folder."""
        if self.folder is None:
            return ""
        path = self.folder / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        part.write_bytes(content)
        os.replace(part, path)
        return relative

    def _record(self, kind: str, name: str, files: dict[str, str], **what: Any) -> None:
        if self.folder is None:
            return
        hashes = {p: hashlib.sha256((self.folder / p).read_bytes()).hexdigest() for p in files.values()}
        self._entries.append({"kind": kind, "name": name, "files": hashes, **what})
        text = json.dumps({"artifacts": self._entries}, indent=1, ensure_ascii=True)
        self._write("manifest.json", _utf8(text + "\n"))


def note_html(kind: str, title: str, text: str) -> str:
    """HTML of a call-out; every argument is escaped."""
    paragraphs = "".join(f"<p>{escape(part)}</p>" for part in printable(text).split("\n\n") if part.strip())
    return f'<aside class="note {escape(kind)}"><p class="kind">{escape(title)}</p>{paragraphs}</aside>'


def _foot(files: Mapping[str, str], regenerates: str | None, said: str) -> str:
    links = [f'<a href="{escape(path)}">{ending.upper()}</a>' for ending, path in files.items() if path]
    made = [f"made by <code>{escape(regenerates)}</code>"] if regenerates else []
    return f'<span class="files">{" · ".join([*links, *made, escape(said)])}</span>'


def _utf8(text: str) -> bytes:
    return text.encode("utf-8")
