"""Tables of texts as files: read strictly, written whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pandas as pd

from pluristats.errors import GenerateError, Problem
from pluristats.packaged import packaged as folder
from pluristats.study.tables import parse_csv, read_text

# A spreadsheet runs text that begins so as a formula; one more apostrophe before it can be taken away again.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_MARK = b"pluristats"


def packaged(name: str) -> Path:
    """Where a file of ``generation/`` is; a path that need not exist where there is none of this name."""
    return folder("generation") / name


def read_table(path: Path) -> tuple[pd.DataFrame, int]:
    """A CSV, JSONL or Parquet file as a table, and the number that a person gives to its first row.

    Cells of a CSV file are text; values of JSONL and Parquet stay what they are (nested ones of JSONL as JSON text).

    Raises
    ------
    GenerateError
        The file cannot be read; the message names file and row.
    """
    readers = {".csv": _read_csv, ".jsonl": _read_jsonl, ".parquet": _read_parquet}
    if (reader := readers.get(path.suffix.lower())) is None:
        raise GenerateError(f"{path.name}: tables are read from .csv, .jsonl and .parquet files; export it as one")
    return reader(path)


def write_table(table: pd.DataFrame, path: Path, facts: dict[str, Any]) -> None:
    r"""Write a table beside its place, then put it there in one step.

    ``.parquet`` and ``.jsonl`` keep every text exactly, except that Parquet, which holds UTF-8, has lone surrogates as
    escapes (``\ud800``). ``.csv`` is for people: it has lone surrogates as escapes too, and an apostrophe before text
    that a spreadsheet would run as a formula (`unmarked` takes it away).

    Parameters
    ----------
    facts
        What is written into a Parquet file's metadata, under the key "pluristats".
    """
    content = {".parquet": _as_parquet, ".jsonl": _as_jsonl, ".csv": _as_csv}[path.suffix.lower()](table, facts)
    with placed(path) as file:
        file.write(content)


@contextmanager
def placed(path: Path) -> Iterator[IO[bytes]]:
    """A file written beside its place and put there in one step, on disk; after an error nothing has changed.

    Raises
    ------
    GenerateError
        It cannot be written.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(part, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        raise GenerateError(f"{path}: cannot be written ({error.strerror}); name another place") from None
    finally:
        part.unlink(missing_ok=True)


def check_place(path: Path, columns: list[str], force: bool) -> None:
    """Refuse, before anything is paid for, a place where a table with these columns cannot or should not be written.

    Raises
    ------
    GenerateError
        An unknown ending, no such folder, no pyarrow, or a file there that holds something else (unless ``force``).
    """
    if path.suffix.lower() not in (".parquet", ".jsonl", ".csv"):
        raise GenerateError(f"{path}: tables are written as .parquet, .jsonl or .csv; name one of these")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise GenerateError(f"{path}: {path.parent} is no folder that can be written to; make it first")
    if path.suffix.lower() == ".parquet":
        try:
            import pyarrow  # noqa: F401
        except ImportError:
            raise GenerateError(
                f"{path}: Parquet needs pyarrow (pip install 'pluristats[arrow]'); or name a .jsonl file"
            ) from None
    if path.exists() and not force:
        try:
            known = not path.stat().st_size or list(read_table(path)[0].columns)[: len(columns)] == columns
        except (GenerateError, OSError):
            known = False
        if not known:
            raise GenerateError(f"{path} holds something else than such a table; name another file, or force replacing")


def _content(path: Path) -> str:
    problems: list[Problem] = []
    content = read_text(path, path.name, problems)
    if content is None:
        raise GenerateError(str(problems[0]))
    return content.text


def _read_csv(path: Path) -> tuple[pd.DataFrame, int]:
    text = _content(path)
    problems: list[Problem] = []
    longest = csv.field_size_limit(max(len(text), 131_072))  # a text may be as long as the file
    try:
        table = parse_csv(text, path.name, problems)
    finally:
        csv.field_size_limit(longest)
    if table is None:
        raise GenerateError(str(problems[0]))
    return table.frame, 2


def _read_jsonl(path: Path) -> tuple[pd.DataFrame, int]:
    rows = []
    # Not splitlines(): JSON strings may hold U+2028 and other characters that it takes for ends of lines.
    for number, line in enumerate(_content(path).rstrip().split("\n"), start=1):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = "is empty" if not line.strip() else f"is not JSON ({error})"
            raise GenerateError(f"{path.name}, line {number}: {reason}; write one object a line") from None
        if not isinstance(row, dict):
            raise GenerateError(f"{path.name}, line {number}: {line[:60]!r} is no JSON object; write one a line")
        rows.append({name: json.dumps(v) if isinstance(v, list | dict) else v for name, v in row.items()})
    return pd.DataFrame(rows, dtype=object), 1


def _read_parquet(path: Path) -> tuple[pd.DataFrame, int]:
    try:
        return pd.read_parquet(path), 1
    except ImportError:
        raise GenerateError(f"{path.name}: Parquet needs pyarrow; pip install 'pluristats[arrow]'") from None
    except Exception as error:  # pyarrow's kinds
        reason = (str(error) or type(error).__name__).splitlines()[0][:200]
        raise GenerateError(f"{path.name}: cannot be read as Parquet ({reason}); export it again") from None


def _as_parquet(table: pd.DataFrame, facts: dict[str, Any]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        arrow = pa.Table.from_pandas(_utf8(table), preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise GenerateError(f"Parquet cannot hold this table ({error}); write .jsonl") from None
    arrow = arrow.replace_schema_metadata({**(arrow.schema.metadata or {}), _MARK: json.dumps(facts).encode()})
    sink = pa.BufferOutputStream()
    pq.write_table(arrow, sink, compression="zstd")
    return bytes(sink.getvalue())


def _as_jsonl(table: pd.DataFrame, facts: dict[str, Any]) -> bytes:
    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    return "".join(f"{json.dumps(row, default=_item)}\n" for row in rows).encode("ascii")


def _as_csv(table: pd.DataFrame, facts: dict[str, Any]) -> bytes:
    def harmless(value: Any) -> Any:
        return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value

    text = io.StringIO(newline="")
    safe = _utf8(table).rename(columns=harmless)
    safe.astype(object).map(harmless).to_csv(text, index=False, lineterminator="\n")
    return text.getvalue().encode()


def unmarked(table: pd.DataFrame) -> pd.DataFrame:
    """A table read from a CSV file of `write_table`, without the apostrophes that it put before formulas."""

    def plain(value: Any) -> Any:
        return value[1:] if isinstance(value, str) and value[:1] == "'" and _FORMULA.match(value) else value

    return table.map(plain).rename(columns=plain)


def _utf8(table: pd.DataFrame) -> pd.DataFrame:
    """Table whose texts can be written as UTF-8; what cannot becomes an escape."""

    def plain(value: Any) -> Any:
        return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value

    texts = [name for name in table if table[name].dtype == object or pd.api.types.is_string_dtype(table[name])]
    plain_table = table.copy()
    for name in texts:
        plain_table[name] = table[name].map(plain)
    return plain_table.rename(columns=plain)


def _item(value: Any) -> Any:
    """Values and arrays of numpy as JSON has them; anything else (a date) as text."""
    return value.tolist() if hasattr(value, "tolist") else str(value)
