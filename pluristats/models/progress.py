"""Progress of many refits: a bar with rate and remaining time on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

# Seconds between plain lines; a log of a long run stays readable.
_EVERY = 10.0


@contextmanager
def counted(what: str, total: int, *, show: bool, screen: TextIO | None = None) -> Iterator[Callable[[int], None]]:
    """A function that is told how many more are done.

    Parameters
    ----------
    what
        What is counted, such as ``"bootstrap"``.
    total
        How many there will be.
    show
        False keeps quiet.
    screen
        Stream for people; standard error by default. A terminal gets a bar; a file or pipe gets a line every ten
        seconds and one at the end, such as ``bootstrap: 250/1000, 120/s, 6 s left``.
    """
    screen = sys.stderr if screen is None else screen
    if not show:
        yield lambda done: None
    elif screen.isatty():
        with _bar(screen) as bar:
            task = bar.add_task(what, total=total)
            yield lambda done: bar.advance(task, done)
    else:
        yield _lines(what, total, screen)


def _lines(what: str, total: int, screen: TextIO) -> Callable[[int], None]:
    begun = last = time.monotonic()
    count = 0

    def advance(done: int) -> None:
        nonlocal count, last
        count += done
        now = time.monotonic()
        if count < total and now - last < _EVERY:
            return
        last = now
        rate = count / max(now - begun, 1e-9)
        tail = f"{(total - count) / rate:.0f} s left" if count < total else f"{now - begun:.1f} s"
        print(f"{what}: {count}/{total}, {rate:.3g}/s, {tail}", file=screen, flush=True)

    return advance


def _bar(screen: TextIO) -> Any:
    from rich import progress
    from rich.console import Console
    from rich.text import Text

    class Rate(progress.ProgressColumn):
        def render(self, task: Any) -> Text:
            return Text(f"{task.speed:.3g}/s" if task.speed else "")

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        Rate(),
        progress.TimeElapsedColumn(),
        progress.TextColumn("left"),
        progress.TimeRemainingColumn(),
    )
    return progress.Progress(*columns, console=Console(file=screen))
