"""A stage's computed identity: equal identities mean equal inputs, parameters, notebook, code and libraries."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

LIBRARIES = (
    "numpy",
    "scipy",
    "pandas",
    "statsmodels",
    "formulaic",
    "python-glmnet",
    "matplotlib",
    "seaborn",
)
"""Libraries whose version can change a number or a figure."""

# How a finished stage is run and shown does not change what it computed, so a new style sheet reruns nothing.
PRESENTATION = ("cli/", "report/")
COMPUTING = ("report/artifacts.py", "report/drawing.py", "report/published.py", "report/svg.py")


def digest(parts: Mapping[str, Any]) -> str:
    """SHA-256 of a mapping as canonical JSON (sorted keys), 64 hexadecimal digits."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def notebook_sha256(notebook: Any) -> str:
    """SHA-256 of what a notebook does: kinds, sources and tags of its cells, not its outputs or other metadata."""
    cells = [[c.cell_type, c.source, sorted(c.get("metadata", {}).get("tags", []))] for c in notebook.cells]
    return digest({"cells": cells})


@cache
def code_version(package: Path | None = None) -> str:
    """SHA-256 over names and contents of the package's modules, those that only run or show things left out.

    Parameters
    ----------
    package
        Folder of the package; None is pluristats itself. Read once a process: a run has one code version.
    """
    root = package or Path(__file__).resolve().parent.parent
    names = {path.relative_to(root).as_posix(): path for path in root.rglob("*.py")}
    kept = {n: file_sha256(p) for n, p in names.items() if n in COMPUTING or not n.startswith(PRESENTATION)}
    return digest(kept)


@cache
def versions() -> dict[str, str]:
    """Versions of Python, pluristats and the libraries in ``LIBRARIES`` ("absent" where one is not installed)."""
    return {"python": platform.python_version()} | {name: _version(name) for name in ("pluristats", *LIBRARIES)}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "absent"
