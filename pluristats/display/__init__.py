"""What results look like: tables and labels as HTML, Markdown, LaTeX, Typst, text and CSV; all text is escaped."""

from pluristats.display.explored import Explored
from pluristats.display.frames import csv_text, html_table
from pluristats.display.grid import Cell, Grid, Part, Row, frame_grid
from pluristats.display.labels import display_label, group_of
from pluristats.display.shown import Displayed, Shown
from pluristats.display.text import escape, printable

__all__ = [
    "Cell",
    "Displayed",
    "Explored",
    "Grid",
    "Part",
    "Row",
    "Shown",
    "csv_text",
    "display_label",
    "escape",
    "frame_grid",
    "group_of",
    "html_table",
    "printable",
]
