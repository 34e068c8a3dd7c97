"""Seed prompts: AIR-Bench 2024, or any CSV, JSONL or Parquet file with an identifier and a text."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import pandas as pd

from pluristats.display.shown import Displayed, Shown
from pluristats.errors import GenerateError, Problem
from pluristats.study.tables import place, show
from pluristats.texts.cells import read_identifier, read_text_cell
from pluristats.texts.files import packaged, read_table

AIR_BENCH = "stanford-crfm/air-bench-2024"
AIR_BENCH_REVISION = "976d9fbb0f52bce704dcbef5bd7a2652e65f2a21"
"""The revision that HELM pins."""
_AIR_COLUMNS = ("cate-idx", "l2-name", "l3-name", "l4-name", "prompt")

Duplicates = Literal["refuse", "first"]


@dataclass(frozen=True, eq=False)
class Seeds(Displayed):
    """Seed prompts.

    Parameters
    ----------
    table
        One row a seed, in the file's order: ``seed`` (identifier, unique), ``text``, then every other column.
    source
        Where they come from.
    dropped
        Rows left out because an earlier one has the same text: ``row``, ``seed``, ``reason``.
    """

    table: pd.DataFrame
    source: str
    dropped: pd.DataFrame

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        return f"<Seeds: {len(self):,} from {self.source!r}, {len(self.dropped):,} dropped>"

    def _shown(self) -> Shown:
        tables = [("Seeds", self.table)]
        if len(self.dropped):
            tables.append(("Left out: an earlier seed has the same text", self.dropped))
        return Shown(f"{len(self):,} seed prompts", lines=(self.source,), tables=tuple(tables))

    def head(self, n: int) -> Seeds:
        """The first n seeds, for a trial."""
        return replace(self, table=self.table.head(n), source=f"{self.source} (first {min(n, len(self))})")


def load_seeds(
    path: str | Path, *, id_column: str = "id", text_column: str = "text", duplicates: Duplicates = "refuse"
) -> Seeds:
    """Seeds from a CSV, JSONL or Parquet file.

    Every text stays exactly as it is. A file with AIR-Bench's columns (``cate-idx``, ``l2-name``, ``l3-name``,
    ``l4-name``, ``prompt``) and without ``id_column`` is read as `load_air_bench` reads it.

    Parameters
    ----------
    path
        The other columns are kept: text in CSV, JSON's values in JSONL (nested ones as JSON text).
    id_column, text_column
        Which columns identify and hold the seeds. Whole numbers as identifiers become text.
    duplicates
        What becomes of a text that stands there twice: ``"refuse"`` the file, or keep the ``"first"`` and list the
        others in `Seeds.dropped`. An identifier that stands there twice and an empty text are always refused.

    Raises
    ------
    GenerateError
        With file, row and column of the first problem, and how many more there are.
    """
    path = Path(path)
    frame, first = read_table(path)
    if id_column not in frame and text_column not in frame and set(_AIR_COLUMNS) <= set(frame):
        return _air_bench(frame, path.name, first, duplicates)
    for name, option in ((id_column, "id_column"), (text_column, "text_column")):
        if name not in frame:
            raise GenerateError(
                f"{path.name}: there is no column {name!r} among {', '.join(map(repr, frame))[:300]}; name the column "
                f"with {option}= (--{option.replace('_', '-')})"
            )
    if id_column == text_column:
        raise GenerateError(f"{path.name}: column {id_column!r} cannot be both identifier and text")
    return _seeds(frame, id_column, text_column, path.name, first, duplicates)


def load_air_bench(
    path: str | Path | None = None, *, revision: str = AIR_BENCH_REVISION, duplicates: Duplicates = "refuse"
) -> Seeds:
    """AIR-Bench 2024 (Zeng et al., 2024; CC-BY-4.0): 5,694 prompts of the default configuration.

    The prompts have no identifier of their own, so ``seed`` is ``air-`` and the first 12 hexadecimal digits of the
    SHA-256 of the text: the same prompt has the same identifier in every copy.

    Parameters
    ----------
    path
        A copy as CSV, JSONL or Parquet; None reads the hub through the package ``datasets``, which must be installed.
    revision
        Of the hub's repository.
    duplicates
        As in `load_seeds`.

    Raises
    ------
    GenerateError
        The copy cannot be used, or there is no ``datasets`` or no network.
    """
    if path is not None:
        frame, first = read_table(Path(path))
        return _air_bench(frame, Path(path).name, first, duplicates)
    try:
        import datasets
    except ImportError:
        raise GenerateError(
            "AIR-Bench from the hub needs the package datasets (pip install 'pluristats[hub]'); or give the path of "
            "a copy"
        ) from None
    try:
        loaded = datasets.load_dataset(AIR_BENCH, "default", split="test", revision=revision)
    except Exception as error:  # whatever the hub's client raises: no network, no such revision, a full disk
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise GenerateError(f"AIR-Bench could not be had from the hub ({reason}); give the path of a copy") from None
    return _air_bench(loaded.to_pandas(), f"{AIR_BENCH}@{revision}", 1, duplicates)


def example_seeds() -> Seeds:
    """A few seeds of our own (``generation/example-seeds.csv``), for trials."""
    return load_seeds(packaged("example-seeds.csv"))


def _air_bench(frame: pd.DataFrame, source: str, first: int, duplicates: Duplicates) -> Seeds:
    missing = [name for name in _AIR_COLUMNS if name not in frame]
    if missing:
        raise GenerateError(f"{source}: AIR-Bench has a column {missing[0]!r} and this does not; use load_seeds")
    identifiers = [f"air-{_hash(text)[:12]}" for text in frame["prompt"]]
    # "text" is ours; a column of that name in somebody's copy would collide and is refused below.
    return _seeds(frame.assign(**{"air id": identifiers}), "air id", "prompt", source, first, duplicates)


def _hash(text: object) -> str:
    return hashlib.sha256(str(text).encode("utf-8", "surrogatepass")).hexdigest()


def _seeds(frame: pd.DataFrame, id_column: str, text_column: str, file: str, first: int, duplicates: str) -> Seeds:
    if duplicates not in ("refuse", "first"):
        raise GenerateError(f"duplicates is {duplicates!r}; it is 'refuse' or 'first'")
    frame = frame.reset_index(drop=True)
    rest = [name for name in frame.columns if name not in (id_column, text_column)]
    problems = [
        Problem(file, f"column {name!r} has a name that the tables use themselves; rename it")
        for name in rest
        if name in ("seed", "text")
    ]
    problems += [
        Problem(place(file, column=name), f"holds {' and '.join(kinds)}; a column of a table holds one kind")
        for name in rest
        if len(kinds := _kinds(frame[name])) > 1
    ]
    identifiers, texts = [], []
    for i, (identifier, text) in enumerate(zip(frame[id_column], frame[text_column], strict=True), start=first):
        identifiers.append(read_identifier(identifier, place(file, i, id_column), problems))
        texts.append(read_text_cell(text, place(file, i, text_column), problems))
    row_of_text: dict[str, int] = {}
    row_of_id: dict[str, int] = {}
    dropped = []
    keep = []
    for i, (identifier, text) in enumerate(zip(identifiers, texts, strict=True), start=first):
        if (same := row_of_text.setdefault(text, i)) != i and text:
            what = f"has the text of row {same}"
            dropped.append((i, identifier, what))
            if duplicates == "refuse":
                remedy = 'take it out, or keep the first of each with duplicates="first" (--duplicates first)'
                problems.append(Problem(place(file, i, text_column), f"{what}; {remedy}"))
            continue
        keep.append(i - first)
        if (same := row_of_id.setdefault(identifier, i)) != i and identifier:
            problems.append(
                Problem(place(file, i, id_column), f"{show(identifier)} stands in row {same} too; make it unique")
            )
    if not texts:
        problems.append(Problem(file, "has no rows; there is nothing to make variants of"))
    if problems:
        more = f" (and {len(problems) - 1} more problems)" if len(problems) > 1 else ""
        raise GenerateError(f"{problems[0]}{more}")
    table = pd.concat(
        [pd.DataFrame({"seed": identifiers, "text": texts}, dtype=object), frame[rest]], axis="columns"
    ).iloc[keep]
    return Seeds(table.reset_index(drop=True), file, pd.DataFrame(dropped, columns=["row", "seed", "reason"]))


def _kinds(values: pd.Series) -> list[str]:
    """What a column of any values holds: "text", "numbers", "True or False" or the name of another type."""
    names = {str: "text", bool: "True or False", int: "numbers", float: "numbers"}
    return (
        sorted({names.get(kind, kind.__name__) for kind in values.dropna().map(type)}) if values.dtype == object else []
    )
