"""Progress of much work: a bar with rate and remaining time on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TextIO

# Seconds between plain lines; a log of a long run stays readable.
_EVERY = 10.0


class Advance(Protocol):
    """Tells how many more are done."""

    def __call__(self, done: int, *, fewer: int = 0, note: str = "") -> None:
        """``fewer`` need not be done after all (they were there before); ``note`` is what else to show."""


@contextmanager
def counted(what: str, total: int | None, *, show: bool, screen: TextIO | None = None) -> Iterator[Advance]:
    """A function that is told how many more are done.

    Parameters
    ----------
    what
        What is counted, such as ``"bootstrap"``.
    total
        How many there will be; None when that is not known.
    show
        False keeps quiet.
    screen
        Stream for people; standard error by default. A terminal gets a bar; a file or pipe gets a line every ten
        seconds and one at the end, such as ``bootstrap: 250/1000, 120/s, 6 s left``.
    """
    screen = sys.stderr if screen is None else screen
    if not show:
        yield _quiet
    elif screen.isatty():
        with _bar(screen) as bar:
            task = bar.add_task(what, total=total, note="")
            yield _on_bar(bar, task, total)
    else:
        lines = _Lines(what, total, screen)
        try:
            yield lines
        finally:
            lines.end()


def _quiet(done: int, *, fewer: int = 0, note: str = "") -> None:
    pass


class _Lines:
    def __init__(self, what: str, total: int | None, screen: TextIO):
        self._what, self._total, self._screen = what, total, screen
        self._begun = self._last = time.monotonic()
        self._count, self._told, self._note = 0, -1, ""

    def __call__(self, done: int, *, fewer: int = 0, note: str = "") -> None:
        self._count += done
        self._total = None if self._total is None else self._total - fewer
        self._note = note or self._note
        now = time.monotonic()
        if self._count == self._total or now - self._last >= _EVERY:
            self._line(now)

    def end(self) -> None:
        """A last line, when the last one was not about all."""
        if self._told != self._count and (self._count or self._note):
            self._line(time.monotonic())

    def _line(self, now: float) -> None:
        self._last, self._told = now, self._count
        seconds = now - self._begun
        rate = self._count / max(seconds, 1e-9)
        if self._total is None:
            of, tail = "", f"{seconds:.1f} s"
        elif self._count < self._total:
            of, tail = f"/{self._total}", f"{span((self._total - self._count) / rate)} left" if rate else "waiting"
        else:
            of, tail = f"/{self._total}", f"{seconds:.1f} s"
        note = f", {self._note}" if self._note else ""
        speed = f"{rate:.3g}" if rate < 1000 else f"{rate:.0f}"
        print(f"{self._what}: {self._count}{of}, {speed}/s, {tail}{note}", file=self._screen, flush=True)


def span(seconds: float) -> str:
    """A duration in the unit that reads best: seconds up to two minutes, minutes to two hours, hours to two days."""
    for unit, size, enough in (("s", 1, 120), ("min", 60, 7_200), ("h", 3_600, 172_800)):
        if seconds < enough:
            return f"{seconds / size:.0f} {unit}" if unit != "h" else f"{seconds / size:.1f} h"
    return f"{seconds / 86_400:.1f} days"


def _on_bar(bar: Any, task: Any, total: int | None) -> Advance:
    left = total

    def advance(done: int, *, fewer: int = 0, note: str = "") -> None:
        nonlocal left
        if fewer and left is not None:
            left -= fewer
            bar.update(task, total=left)
        bar.update(task, advance=done, **({"note": note} if note else {}))

    return advance


def _bar(screen: TextIO) -> Any:
    from rich import progress
    from rich.console import Console
    from rich.text import Text

    class Rate(progress.ProgressColumn):
        def render(self, task: Any) -> Text:
            return Text(f"{task.speed:.3g}/s" if task.speed else "")

    class Note(progress.ProgressColumn):
        def render(self, task: Any) -> Text:
            return Text(task.fields["note"])  # text, not rich's markup

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        Rate(),
        progress.TimeElapsedColumn(),
        progress.TextColumn("left"),
        progress.TimeRemainingColumn(),
        Note(),
    )
    return progress.Progress(*columns, console=Console(file=screen))
