"""A run's folder: whose it is, who may write to it, and which stages in it are finished."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pluristats.errors import RunError
from pluristats.report.identity import file_sha256

FORMAT = "pluristats run 1"


@dataclass(frozen=True)
class FinishedStage:
    """What a finished stage left on record, as in its ``stage.json``.

    Parameters
    ----------
    name, identity
        Of the stage; equal identities mean that it need not run again.
    parts
        What the identity was computed from, by name.
    parameters
        Settings that the stage ran with, without paths.
    started, seconds
        When (UTC) and how long it ran.
    files
        Path in the stage's folder to SHA-256, for every file that the stage made.
    """

    name: str
    identity: str
    parts: Mapping[str, Any]
    parameters: Mapping[str, Any]
    started: str
    seconds: float
    files: Mapping[str, str]


def stage_folder(run: Path, name: str) -> Path:
    """Folder of a finished stage."""
    return run / "stages" / name


def write_json(path: Path, content: Any) -> None:
    """Write JSON so that a reader sees the old file or the new one, never a part."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(part, path)


def read_json(path: Path) -> Any:
    """Content of a JSON file, or None when it is absent or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


@contextmanager
def opened(run: Path) -> Iterator[None]:
    """Hold a run's folder for writing; make it when absent.

    A lock of the operating system guards it, so a run that was killed blocks nobody.

    Raises
    ------
    RunError
        When the folder holds something that is not a run of ours, or another run is writing to it.
    """
    import fcntl

    if run.exists() and not run.is_dir():
        raise RunError(f"{run} is a file; name a folder with --out")
    # What a run that was killed at its very beginning leaves behind is not somebody else's.
    if run.is_dir() and {path.name for path in run.iterdir()} - {".lock", "run.json.part"}:
        marker = read_json(run / "run.json")
        if not isinstance(marker, dict) or marker.get("format") != FORMAT:
            raise RunError(
                f"folder {run} holds something that is not a run of this version of pluristats (no fitting run.json); "
                "name another with --out"
            )
    try:
        run.mkdir(parents=True, exist_ok=True)
        lock = (run / ".lock").open("a+", encoding="utf-8")
    except OSError as error:
        raise RunError(f"cannot write to folder {run}: {error.strerror}; name another with --out") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            raise RunError(
                f"another run (process {holder}) is writing to {run}; wait for it or name another folder with --out"
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        if not (run / "run.json").is_file():
            write_json(run / "run.json", {"format": FORMAT, "status": "started"})
        _tidy(run)
        yield


def _tidy(run: Path) -> None:
    """Remove what a killed run left half done; put back a finished stage that was being replaced."""
    for old in (run / "stages").glob(".old-*"):
        current = stage_folder(run, old.name.removeprefix(".old-"))
        if current.exists():
            shutil.rmtree(old)
        else:
            os.replace(old, current)
    for work in (run / "stages").glob(".work-*"):
        shutil.rmtree(work)


def new_work(run: Path, name: str) -> Path:
    """Empty folder for a stage to work in; nothing in it counts until `finish`."""
    work = run / "stages" / f".work-{name}"
    if work.exists():
        shutil.rmtree(work)
    work.mkdir(parents=True)
    return work


def finish(run: Path, work: Path, record: FinishedStage) -> None:
    """Put a finished stage in the place of its predecessor."""
    write_json(work / "stage.json", asdict(record))
    current, old = stage_folder(run, record.name), run / "stages" / f".old-{record.name}"
    if current.exists():
        os.replace(current, old)
    os.replace(work, current)
    shutil.rmtree(old, ignore_errors=True)


def files_of(folder: Path) -> dict[str, str]:
    """Every file below a stage's folder but its record, with SHA-256."""
    paths = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != "stage.json")
    return {p.relative_to(folder).as_posix(): file_sha256(p) for p in paths}


def finished(run: Path, name: str) -> FinishedStage | None:
    """Record of a stage, or None when it has not finished or its files are not those that it made."""
    folder = stage_folder(run, name)
    content = read_json(folder / "stage.json")
    try:
        record = FinishedStage(**content)
    except TypeError:
        return None
    return record if record.files == files_of(folder) else None
