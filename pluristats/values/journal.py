"""What is finished of a long run, a line each, written as it comes: a killed run goes on where it was.

The first line says what made the others (model, settings); a file of something else is refused. A last line that a kill
cut off is taken away. The lines are JSON in ASCII; nothing in them is executed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from pluristats.errors import ValuesError


class Journal:
    """Lines by key; without a path they are kept in memory only.

    One process at a time writes: a lock of the operating system guards the file.

    Parameters
    ----------
    path
        File; made when absent.
    made_by
        What the lines depend on: lines made by anything else are refused.
    note
        Stands in the first line for people, and is not compared.

    Raises
    ------
    ValuesError
        The file is something else, made otherwise, damaged, in use, or cannot be written.
    """

    def __init__(self, path: str | Path | None, made_by: Mapping[str, Any], note: Mapping[str, Any]):
        self._lines: dict[str, bytes] = {}
        self._file: BinaryIO | None = None
        if path is None:
            return
        import fcntl

        self._path = Path(path)
        try:
            self._file = open(self._path, "a+b")  # noqa: SIM115 (closed by close)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.close()
            why = "another run is writing to it" if isinstance(error, BlockingIOError) else str(error.strerror)
            raise ValuesError(f"journal {self._path}: {why}; wait for that run, or name another file") from None
        try:
            self._read(_line({"journal": "pluristats values", "version": 1, "made_by": dict(made_by), "note": note}))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file, which takes the lock off."""
        if self._file is not None:
            self._file.close()

    def __contains__(self, key: str) -> bool:
        return key in self._lines

    def __getitem__(self, key: str) -> Any:
        return json.loads(self._lines[key])

    def add(self, entries: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        """Keep entries by key; they are on the disk when this returns. A key that is there keeps its entry."""
        new = {key: _line({"key": key, **entry}) for key, entry in entries if key not in self._lines}
        self._lines |= new
        if self._file is not None:
            self._write(b"".join(new.values()))

    def _read(self, head: bytes) -> None:
        assert self._file is not None
        self._file.seek(0)
        first = self._file.readline()
        if not first.endswith(b"\n") and head.startswith(first):  # new, or cut while its first line was written
            self._file.truncate(0)
            self._write(head)
            return
        self._check(first, json.loads(head))
        whole = len(first)
        for number, line in enumerate(self._file, start=2):
            if not line.endswith(b"\n"):
                self._file.truncate(whole)
                break
            try:
                self._lines[json.loads(line)["key"]] = line
            except (ValueError, TypeError, KeyError, RecursionError):
                raise ValuesError(
                    f"journal {self._path}, line {number}: it is no entry; the file is damaged, take that line out"
                ) from None
            whole += len(line)

    def _check(self, first: bytes, head: dict[str, Any]) -> None:
        try:
            found = json.loads(first)
            made_by = found["made_by"] if found["journal"] == head["journal"] else None
        except (ValueError, TypeError, KeyError, RecursionError):
            made_by = None
        if not isinstance(made_by, dict):
            raise ValuesError(f"{self._path} holds something else than a journal of values; name another file")
        if found.get("version") != head["version"]:
            raise ValuesError(f"journal {self._path} is of another version of pluristats; name another file")
        wanted = head["made_by"]
        differ = sorted(k for k in wanted.keys() | made_by.keys() if wanted.get(k) != made_by.get(k))
        if differ:
            raise ValuesError(
                f"journal {self._path} was made otherwise: {differ[0]} was {_short(made_by.get(differ[0]))} and is "
                f"{_short(wanted.get(differ[0]))} now; name another file"
            )

    def _write(self, lines: bytes) -> None:
        assert self._file is not None
        try:
            self._file.write(lines)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise ValuesError(
                f"journal {self._path}: cannot be written ({error.strerror}); make room, the same run goes on"
            ) from None


def _line(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, ensure_ascii=True, separators=(",", ":")) + "\n").encode("ascii")


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
