"""The study that a notebook or a run is about: files where they are given, else the embedded simulation."""

from __future__ import annotations

from pathlib import Path

from pluristats.study.load import load_study
from pluristats.study.simulate import simulate_study
from pluristats.study.study import Study


def open_study(data: str | Path | None = None, seed: int = 0) -> Study:
    """Load the study at ``data``, or simulate one with ``seed`` where ``data`` is empty.

    Parameters
    ----------
    data
        Folder or ``study.yaml``; None or "" for the embedded simulated study.
    seed
        Of the simulation.

    Raises
    ------
    StudyError
        The files cannot be used.
    """
    return load_study(data) if data is not None and str(data) else simulate_study(seed=seed)
