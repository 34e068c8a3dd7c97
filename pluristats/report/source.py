"""What a run is about: the study, as far as the machinery needs to know it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pluristats.errors import RunError


@dataclass(frozen=True)
class Source:
    """The study of a run.

    Parameters
    ----------
    name
        Of the study.
    checksum
        Of the study's contents; equal checksums are equal data.
    simulated
        Whether the data were simulated; the report then says so in every section.
    data
        Absolute path given to the notebooks; empty for the embedded simulated study.
    seed
        Of the simulation and of every random step.
    """

    name: str
    checksum: str
    simulated: bool
    data: str
    seed: int

    @property
    def default_run(self) -> str:
        """Name of the run's folder when none is given."""
        if not self.data:
            return f"simulated-seed-{self.seed}"
        path = Path(self.data)
        name = path.parent.name if path.is_file() else path.name
        return "".join(c if c.isalnum() or c in "._-" else "-" for c in name).lstrip(".-") or "study"


def read_source(data: str | Path | None, seed: int) -> Source:
    """Load the study once, so that bad data is refused before any notebook starts.

    Parameters
    ----------
    data
        Folder or ``study.yaml`` of a study; None or "" for the embedded simulated study.
    seed
        At least 0.

    Raises
    ------
    RunError
        For a negative seed.
    StudyError
        For data that cannot be used.
    """
    if seed < 0:
        raise RunError(f"seed {seed} is negative; give 0 or more")
    from pluristats.study import open_study

    path = "" if data is None or str(data) == "" else str(Path(data).expanduser().resolve())
    study = open_study(path, seed)
    return Source(study.name, study.checksum, study.simulated, path, seed)
