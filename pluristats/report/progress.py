"""Progress of a run: a bar on a terminal, plain lines elsewhere, and always a log file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from pluristats.display.text import printable


def utc_now() -> str:
    """UTC time to the second, like 2026-01-31T12:00:00Z."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def cell_titles(notebook: Any) -> list[str]:
    """For each cell the last Markdown heading at or above it ("" before the first)."""
    titles, current = [], ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and (found := re.findall(r"^#+ +(.+?)\s*$", cell.source, re.M)):
            current = found[-1]
        titles.append(current)
    return titles


class Progress:
    """Reports what a run does; make one with `progress`."""

    def __init__(self, log: TextIO, screen: TextIO | None, bar: Any = None):
        self._log, self._screen, self._bar = log, screen, bar
        self._task: Any = None

    def say(self, text: str) -> None:
        """One line of news, to the log and the screen."""
        line = f"{utc_now()} {printable(text)}"
        self._log.write(line + "\n")
        self._log.flush()
        if self._bar is not None:
            self._bar.console.print(printable(text), markup=False, highlight=False)
        elif self._screen is not None:
            print(line, file=self._screen, flush=True)

    def begin(self, stage: str, cells: int) -> None:
        """Begin a stage with that many cells to run."""
        self.say(f"{stage}: running {cells} cells")
        if self._bar is not None:
            self._task = self._bar.add_task(stage, total=cells, detail="")

    def cell(self, stage: str, number: int, total: int, title: str) -> None:
        """Cell ``number`` of ``total`` begins."""
        if self._bar is not None:
            self._bar.update(self._task, completed=number - 1, detail=printable(title))
            self._log.write(f"{utc_now()} {stage}: cell {number}/{total} {printable(title)}\n")
            self._log.flush()
        else:
            self.say(f"{stage}: cell {number}/{total} {title}".rstrip())

    def end(self, stage: str, cells: int, seconds: float) -> None:
        """All cells have run."""
        if self._bar is not None:
            self._bar.update(self._task, completed=cells, detail="")
        self.say(f"{stage}: finished in {seconds:.1f} s")


@contextmanager
def progress(log: Path, screen: TextIO | None) -> Iterator[Progress]:
    """Open the log and, when ``screen`` is a terminal, a bar with the remaining time.

    Parameters
    ----------
    log
        File that timestamped lines are added to.
    screen
        Stream for people (standard error); None keeps quiet.
    """
    with log.open("a", encoding="utf-8") as file:
        if screen is None or not screen.isatty():
            yield Progress(file, screen)
            return
        from rich import progress as rich_progress
        from rich.console import Console
        from rich.text import Text

        class Detail(rich_progress.ProgressColumn):
            def render(self, task: Any) -> Text:
                return Text(task.fields["detail"])  # a heading is text, not rich's markup

        columns = (
            rich_progress.TextColumn("{task.description}"),
            rich_progress.BarColumn(),
            rich_progress.MofNCompleteColumn(),
            rich_progress.TimeElapsedColumn(),
            rich_progress.TextColumn("left"),
            rich_progress.TimeRemainingColumn(),
            Detail(),
        )
        with rich_progress.Progress(*columns, console=Console(file=screen)) as bar:
            yield Progress(file, screen, bar)
