"""Two runs compared as one self-contained page, in the report's style."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pluristats.display import render
from pluristats.display.grid import LONGEST, Align, Cell, Grid, Row, frame_grid
from pluristats.display.grid import Part as GridPart
from pluristats.errors import RunError
from pluristats.report.page import write_page

if TYPE_CHECKING:
    from pluristats.report.difference import Change, RunDifference

MOST = 200
"""Changed rows of a table, and other lines of a file, that the page shows."""

_GENERATOR = "pluristats diff"
_ONLY = ("only before", "only after")


@dataclass(frozen=True)
class Part:
    """What changed in one file of a stage: sentences, and a table (HTML; empty for none)."""

    title: str
    lines: tuple[str, ...]
    table: str = ""


@dataclass(frozen=True)
class Section:
    """A stage with its parts; the anchor is no text from a run."""

    anchor: str
    title: str
    parts: tuple[Part, ...]


def write_difference(found: RunDifference, path: str | Path) -> Path:
    """Write the page; nothing in it is loaded from elsewhere, and its security policy forbids scripts and requests.

    Parameters
    ----------
    found
        From :func:`pluristats.report.diff`.
    path
        Where to; a page of an earlier comparison is replaced.

    Raises
    ------
    RunError
        There is something else at the path, or it cannot be written.
    """
    path = Path(path)
    try:
        if path.exists() and (
            not path.is_file()
            or f'content="{_GENERATOR}"' not in path.read_text(encoding="utf-8", errors="replace")[:2_000]
        ):
            raise RunError(f"{path} is there and is no comparison of runs; name another path, or move it away")
        write_page(path, "diff.html.j2", **_content(found))
    except OSError as error:
        raise RunError(f"{path} cannot be written ({error.strerror}); name a path in a folder that is there") from None
    return path


def _content(found: RunDifference) -> dict[str, Any]:
    made = found.made_table()
    tolerance = found.tolerance
    return {
        "generator": _GENERATOR,
        "found": found,
        "tolerance": f"|a − b| ≤ {tolerance.atol:g} + {tolerance.rtol:g} max(|a|, |b|)",
        "made": render.html(frame_grid(made, "What is not the same in both")) if len(made) else "",
        "sections": [
            Section(f"stage-{number}", stage, tuple(_parts(list(changes))))
            for number, (stage, changes) in enumerate(groupby(found.changes, lambda change: change.stage), start=1)
        ],
    }


def _parts(changes: Sequence[Change]) -> list[Part]:
    """One part a file; notes and the stage itself belong to none."""
    parts = []
    for file, group in groupby(changes, lambda change: change.file):
        of_file = list(group)
        of_rows = [change for change in of_file if change.kind in ("cell", "row")]
        lines = [_line(change) for change in of_file if change.kind not in ("cell", "row")]
        if len(lines) > MOST:
            lines = [*lines[:MOST], f"… and {len(lines) - MOST:,} more; pluristats diff --json lists every one."]
        title = file or ("Notes" if of_file[0].kind == "note" else "The stage")
        parts.append(Part(title, tuple(lines), render.html(_grid(of_rows)) if of_rows else ""))
    return parts


def _line(change: Change) -> str:
    only = _ONLY[change.before is None]
    match change.kind:
        case "note":
            return f"{only.capitalize()}: {change.before if change.after is None else change.after}"
        case "column":
            return f"Column {_cut(change.column)}: {only}."
        case "file" if change.before and change.after:
            return "Its bytes differ."
    return f"The {change.kind} is there {only}."


def _grid(changes: Sequence[Change]) -> Grid:
    """Changed rows with the columns in which any of them changed: every cell says in words what happened to it."""
    columns = list(dict.fromkeys(change.column for change in changes if change.kind == "cell"))
    rows: dict[str, dict[str, Cell]] = {}
    for change in changes:
        cells = rows.setdefault(change.row, {"": ("both",)})
        if change.kind == "row":
            cells[""] = (_ONLY[change.before is None],)
        else:
            cells[change.column] = _cell(change)
    shown = [
        Row(_cut(row), (cells[""], *(cells.get(name, _same(cells)) for name in columns)))
        for row, cells in list(rows.items())[:MOST]
    ]
    left: Align = "left"
    more = f"{MOST} of {len(rows):,} changed rows; pluristats diff --json lists every change."
    return Grid(
        "Changed rows: before → after (difference)" if columns else "Rows that one run only has",
        "row",
        (("in which run",), *((_cut(name),) for name in columns)),
        (GridPart("", tuple(shown)),),
        (more,) if len(rows) > MOST else (),
        align=(left,) * (1 + len(columns)),
    )


def _same(cells: dict[str, Cell]) -> Cell:
    return ("same",) if cells[""] == ("both",) else ()


def _cell(change: Change) -> Cell:
    before, after = (_cut(text) if text else "nothing" for text in (change.before, change.after))
    lines: Cell = (before, f"→ {after}")
    if change.difference is None or change.difference != change.difference:
        return lines
    return (*lines, f"({change.difference:+.6g})".replace("-", "−"))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
