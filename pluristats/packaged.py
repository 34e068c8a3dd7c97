"""Where files that are not code are: beside the package in a clone, inside it when installed."""

from __future__ import annotations

from pathlib import Path


def packaged(folder: str) -> Path:
    """``generation`` or ``notebooks``: the installed copy, else the repository's; it need not exist.

    The installed copy (``_generation``, ``_notebooks``) comes first, because beside an installed package a folder of
    such a name may be anybody's.
    """
    package = Path(__file__).resolve().parent
    installed = package / f"_{folder}"
    return installed if installed.is_dir() else package.parent / folder
