"""A notebook of the main job by plain papermill, as a person runs it without the command line."""

from __future__ import annotations

from pathlib import Path

import papermill

ROOT = Path(__file__).parents[2]


def execute(name: str, folder: Path, **parameters: object) -> None:
    """Run ``notebooks/NAME.ipynb`` with these parameters; what it printed is left in ``folder/executed.ipynb``."""
    papermill.execute_notebook(
        str(ROOT / "notebooks" / f"{name}.ipynb"),
        str(folder / "executed.ipynb"),
        parameters=parameters,
        kernel_name="python3",
        progress_bar=False,
        cwd=str(ROOT),
    )
