"""What changed in numbers between two runs of the main job."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pluristats.display.shown import Displayed, Shown
from pluristats.errors import RunError
from pluristats.report import runfolder
from pluristats.report.runfolder import FinishedStage
from pluristats.report.tablediff import CellChange, Tolerance, compare_tables

if TYPE_CHECKING:
    import pandas as pd

IGNORED = ("seconds", "compile_seconds")
"""Columns that no two runs share: how long something took."""

Kind = Literal["stage", "table", "row", "column", "cell", "note", "file"]
# Drawings and the notebook show what the tables hold; the manifest's notes are compared by themselves.
_SHOWS = (".svg", ".png", ".ipynb")


@dataclass(frozen=True)
class Made:
    """How two runs were made differently: what, and its value in each; None where one has it not."""

    what: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Change:
    """Something that only one run has, or has otherwise.

    Parameters
    ----------
    kind
        ``stage``, ``table``, ``row`` or ``column`` (in one run only), ``cell``, ``note`` (a remark of the report), or
        ``file`` (any other file whose bytes differ).
    stage, file
        Where; empty where it does not apply.
    row, column, before, after, difference
        As :class:`pluristats.report.tablediff.CellChange`.
    """

    kind: Kind
    stage: str
    file: str = ""
    row: str = ""
    column: str = ""
    before: str | None = None
    after: str | None = None
    difference: float | None = None


@dataclass(frozen=True)
class RunDifference(Displayed):
    """Two runs compared; made by :func:`diff`.

    Parameters
    ----------
    before, after
        Their folders.
    made
        How they were made differently: study, checksum, seed, parameters, notebooks, code, versions. It explains
        changes and is none.
    changes
        Of stages, tables, notes and files.
    tables, cells
        How many were compared.
    tolerance, ignored
        As given.
    simulated
        Whether the numbers of any of the two come from simulated data.
    """

    before: Path
    after: Path
    made: tuple[Made, ...] = field(repr=False)
    changes: tuple[Change, ...] = field(repr=False)
    tables: int
    cells: int
    tolerance: Tolerance
    ignored: tuple[str, ...]
    simulated: bool

    @property
    def equal(self) -> bool:
        """Whether both runs have the same stages, and everything in them is the same."""
        return not self.changes

    def tidy(self) -> pd.DataFrame:
        """One row a change: kind, stage, file, row, column, before, after, difference."""
        import pandas as pd

        names = list(Change.__dataclass_fields__)
        return pd.DataFrame([[getattr(change, name) for name in names] for change in self.changes], columns=names)

    def sentence(self) -> str:
        """What was compared, and how much of it differs."""
        cells = sum(change.kind == "cell" for change in self.changes)
        files = len({(c.stage, c.file) for c in self.changes if c.kind in ("cell", "row", "column")})
        others = len(self.changes) - cells
        if self.equal:
            return f"No difference in {self.cells:,} cells of {self.tables:,} tables."
        more = f"; {others:,} other differences" if others else ""
        return f"{cells:,} of {self.cells:,} cells differ, in {files:,} of {self.tables:,} tables{more}."

    def lines(self, most: int = 20) -> list[str]:
        """The comparison as text, at most so many changes a file."""
        out = ["SIMULATED DATA: these numbers say nothing about people."] if self.simulated else []
        out += [f"--- {self.before}", f"+++ {self.after}"]
        out += [f"{made.what}: {_shown(made.before)} -> {_shown(made.after)}" for made in self.made]
        for (stage, file), changes in _grouped(self.changes):
            out.append(f"{stage}/{file}" if file else f"stage {stage}")
            out += [f"  {_line(change)}" for change in changes[:most]]
            out += [f"  … and {len(changes) - most:,} more"] if len(changes) > most else []
        not_compared = f" Not compared: columns {', '.join(self.ignored)}." if self.ignored else ""
        return [*out, self.sentence() + not_compared]

    def made_table(self) -> pd.DataFrame:
        """One row a thing that the runs were made differently by: what, before, after, as text."""
        import pandas as pd

        rows = [(made.what, _shown(made.before), _shown(made.after)) for made in self.made]
        return pd.DataFrame(rows, columns=["what", "before", "after"], dtype=object)

    def write_html(self, path: str | Path) -> Path:
        """Write the comparison as a page; see :func:`pluristats.report.diffpage.write_difference`."""
        from pluristats.report.diffpage import write_difference

        return write_difference(self, path)

    def _shown(self) -> Shown:
        tables = [("How the runs were made differently", self.made_table())] if self.made else []
        tables += [("What changed", self.tidy())] if self.changes else []
        return Shown(
            title="Two runs compared",
            simulated=self.simulated,
            lines=(f"Before: {self.before}", f"After: {self.after}", self.sentence()),
            tables=tuple(tables),
        )


@dataclass(frozen=True)
class _Run:
    folder: Path
    facts: Mapping[str, Any]
    stages: Mapping[str, FinishedStage]


def diff(
    before: str | Path,
    after: str | Path,
    *,
    rtol: float = 1e-9,
    atol: float = 1e-12,
    ignore: Sequence[str] = IGNORED,
) -> RunDifference:
    """Compare two finished runs: stages, every table (of figures, too) cell by cell, notes, and how they were made.

    Parameters
    ----------
    before, after
        Folders of runs, as :func:`~pluristats.report.reproduce` makes them.
    rtol, atol
        Numbers a and b are the same where |a - b| ≤ atol + rtol max(|a|, |b|).
    ignore
        Columns that are not compared.

    Raises
    ------
    RunError
        A folder is none, is no run, has not finished, or holds a stage whose files are not those that it made.
    ValueError
        A tolerance is negative.
    """
    tolerance = Tolerance(rtol, atol)
    old, new = _read(Path(before)), _read(Path(after))
    changes: list[Change] = []
    tables = cells = 0
    for stage in dict.fromkeys([*old.stages, *new.stages]):
        if stage not in old.stages or stage not in new.stages:
            changes.append(Change("stage", stage, **_only(stage in old.stages)))
            continue
        files, other = old.stages[stage].files, new.stages[stage].files
        for file in sorted({*files, *other}):
            if file.endswith(_SHOWS) or file == "manifest.json":
                continue
            is_table = file.endswith(".csv")
            if file not in files or file not in other:
                changes.append(Change("table" if is_table else "file", stage, file, **_only(file in files)))
            elif is_table:
                first, second = (_text(run.folder, stage, file) for run in (old, new))
                found = compare_tables(first, second, tolerance, ignore)
                tables, cells = tables + 1, cells + found.compared
                changes += [_of_cell(stage, file, cell) for cell in found.changes]
            elif files[file] != other[file]:
                changes.append(Change("file", stage, file, before=files[file], after=other[file]))
        changes += _of_notes(stage, old.folder, new.folder)
    return RunDifference(
        before=old.folder,
        after=new.folder,
        made=tuple(_made(old, new)),
        changes=tuple(changes),
        tables=tables,
        cells=cells,
        tolerance=tolerance,
        ignored=tuple(ignore),
        simulated=any(bool(run.facts["simulated"]) for run in (old, new)),
    )


def _read(folder: Path) -> _Run:
    """A finished run whose files are those that its stages made."""
    if not folder.is_dir():
        raise RunError(f"{folder} is no folder; name the folder of a run, such as reports/NAME")
    facts = runfolder.read_json(folder / "run.json")
    if not isinstance(facts, dict) or facts.get("format") != runfolder.FORMAT:
        raise RunError(
            f"{folder} is no run of this version of pluristats (no fitting run.json); name a folder that "
            "`pluristats reproduce` has made"
        )
    if facts.get("status") != "finished" or not isinstance(facts.get("stages"), dict):
        raise RunError(f"the run in {folder} has not finished; run `pluristats reproduce` into it again")
    stages = {}
    for name in facts["stages"]:
        record = runfolder.finished(folder, name)
        if record is None:
            raise RunError(
                f"stage {name!r} in {folder} is not there as it was made (a file is missing or changed); run "
                "`pluristats reproduce` into it again"
            )
        stages[name] = record
    return _Run(folder, facts, stages)


def _made(old: _Run, new: _Run) -> Iterator[Made]:
    """How two runs were made differently, each thing once."""
    for name in ("name", "simulated", "checksum", "seed"):
        if old.facts.get(name) != new.facts.get(name):
            yield Made({"name": "study"}.get(name, name), old.facts.get(name), new.facts.get(name))
    versions = [run.facts.get("versions") or {} for run in (old, new)]
    yield from _unlike("version of {}", *versions)
    both = [name for name in old.stages if name in new.stages]
    for name in both:
        yield from _unlike(f"parameter {name}.{{}}", old.stages[name].parameters, new.stages[name].parameters)
    for part in ("notebook", "code"):
        changed = [name for name in both if old.stages[name].parts.get(part) != new.stages[name].parts.get(part)]
        for name in changed if part == "notebook" else changed[:1]:
            what = f"notebook of {name}" if part == "notebook" else "code of pluristats"
            yield Made(what, *(str(run.stages[name].parts.get(part))[:12] for run in (old, new)))


def _unlike(what: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Made]:
    for name in dict.fromkeys([*old, *new]):
        if (name in old) != (name in new) or old.get(name) != new.get(name):
            yield Made(what.format(name), old.get(name), new.get(name))


def _text(run: Path, stage: str, file: str) -> str:
    return (runfolder.stage_folder(run, stage) / file).read_text(encoding="utf-8", errors="replace")


def _only(in_before: bool) -> dict[str, Any]:
    """That something is in one run only."""
    return {"before": "there", "after": None} if in_before else {"before": None, "after": "there"}


def _of_cell(stage: str, file: str, cell: CellChange) -> Change:
    kind: Kind = "cell" if cell.row and cell.column else "row" if cell.row else "column"
    before, after = cell.before, cell.after
    if kind != "cell":
        return Change(kind, stage, file, cell.row, cell.column, **_only(before is not None))
    return Change(kind, stage, file, cell.row, cell.column, before, after, cell.difference)


def _of_notes(stage: str, old: Path, new: Path) -> list[Change]:
    """Notes that only one of two stages shows; the same note shown twice counts twice."""
    before, after = (_notes(run, stage) for run in (old, new))
    gone, come = list(before), list(after)
    for note in before:
        if note in come:
            come.remove(note)
            gone.remove(note)
    return [
        *(Change("note", stage, before=note) for note in gone),
        *(Change("note", stage, after=note) for note in come),
    ]


def _notes(run: Path, stage: str) -> list[str]:
    content = runfolder.read_json(runfolder.stage_folder(run, stage) / "manifest.json")
    entries = content.get("artifacts", []) if isinstance(content, dict) else []
    return [f"{entry['name']}: {entry['text']}" for entry in entries if entry.get("kind") == "note"]


def _grouped(changes: Sequence[Change]) -> list[tuple[tuple[str, str], list[Change]]]:
    groups: dict[tuple[str, str], list[Change]] = {}
    for change in changes:
        groups.setdefault((change.stage, change.file), []).append(change)
    return list(groups.items())


def _line(change: Change) -> str:
    if change.kind in ("stage", "table", "row", "column"):
        what = {"stage": "stage", "table": "table", "row": f"row {change.row}", "column": f"column {change.column}"}
        return f"{what[change.kind]}: only {'before' if change.after is None else 'after'}"
    if change.kind == "note":
        return f"- {change.before}" if change.after is None else f"+ {change.after}"
    if change.kind == "file":
        return "other bytes" if change.before and change.after else f"only {'before' if change.before else 'after'}"
    by = "" if change.difference is None else f" ({'+' * (change.difference > 0)}{change.difference:.6g})"
    return f"{change.row}, {change.column}: {_shown(change.before or None)} -> {_shown(change.after or None)}{by}"


def _shown(value: Any) -> str:
    return "nothing" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
