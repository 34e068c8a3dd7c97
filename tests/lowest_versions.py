"""Print pip constraints that pin every dependency of pyproject.toml to the lowest version it allows."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path


def lowest(pyproject: str) -> list[str]:
    """``name==version`` for each ``name>=version`` of the dependencies and of the extra ``dev``."""
    project = tomllib.loads(pyproject)["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    pins = []
    for requirement in wanted:
        match = re.fullmatch(r"([\w.-]+)>=([\w.]+)", requirement)
        if match is None:
            raise SystemExit(f"cannot read the lowest version of {requirement!r}; write it as name>=version")
        pins.append(f"{match[1]}=={match[2]}")
    return pins


if __name__ == "__main__":
    root = Path(__file__).resolve().parent.parent
    sys.stdout.write("\n".join(lowest((root / "pyproject.toml").read_text())) + "\n")
