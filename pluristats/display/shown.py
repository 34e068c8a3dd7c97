"""What a result shows of itself in a notebook: one record, so that no class has its own HTML."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pluristats.display import render
from pluristats.display.grid import frame_grid
from pluristats.display.text import escape, markdown

if TYPE_CHECKING:
    import pandas as pd

SIMULATED = "SIMULATED DATA: these numbers say nothing about people."


def mark(simulated: bool) -> str:
    """How the one-line ``repr`` of a result of simulated data ends; nothing for others."""
    return ", SIMULATED" if simulated else ""


@dataclass(frozen=True)
class Shown:
    """What is shown, from top to bottom.

    Parameters
    ----------
    title
        Empty for none.
    simulated
        Whether to open with :data:`SIMULATED`.
    warnings
        What must not be overlooked, in bold.
    lines
        Sentences.
    tables
        Caption and table; a table's first column heads its rows.
    notes
        Sentences below the tables.
    parts
        Results that this one holds.
    whole
        Whether to show every row and every character of the tables (:func:`pluristats.display.grid.frame_grid`).
    """

    title: str = ""
    simulated: bool = False
    warnings: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    tables: tuple[tuple[str, pd.DataFrame], ...] = ()
    notes: tuple[str, ...] = ()
    parts: tuple[Shown, ...] = ()
    whole: bool = False

    @property
    def bold(self) -> tuple[str, ...]:
        """Warnings, those of simulated data first."""
        return (SIMULATED, *self.warnings) if self.simulated else self.warnings

    def html(self) -> str:
        """HTML, every text escaped."""
        title = [f"<h4>{escape(self.title)}</h4>"] if self.title else []
        bold = [f"<p><strong>{escape(line)}</strong></p>" for line in self.bold]
        lines = [f"<p>{escape(line)}</p>" for line in self.lines]
        tables = [render.html(frame_grid(table, caption, whole=self.whole)) for caption, table in self.tables]
        notes = [f"<p>{escape(note)}</p>" for note in self.notes]
        parts = [part.html() for part in self.parts]
        return f'<section class="pluristats">{"".join([*title, *bold, *lines, *tables, *notes, *parts])}</section>'

    def markdown(self) -> str:
        """Markdown, every text escaped."""
        title = [f"#### {markdown(self.title)}\n"] if self.title else []
        bold = [f"**{markdown(line)}**\n" for line in self.bold]
        lines = [f"{markdown(line)}\n" for line in self.lines]
        tables = [render.markdown(frame_grid(table, caption, whole=self.whole)) for caption, table in self.tables]
        notes = [f"{markdown(note)}\n" for note in self.notes]
        return "\n".join([*title, *bold, *lines, *tables, *notes, *(part.markdown() for part in self.parts)])


class Displayed:
    """A result that shows itself in notebooks: it says what by ``_shown``."""

    __slots__ = ()  # records with slots stay without a dictionary

    def _shown(self) -> Shown:
        raise NotImplementedError

    def _repr_html_(self) -> str:
        return self._shown().html()

    def _repr_markdown_(self) -> str:
        return self._shown().markdown()
