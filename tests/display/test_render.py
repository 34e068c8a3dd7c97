from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pluristats.display import Grid, Part, Row, frame_grid, render
from pluristats.display.text import one_line, printable
from tests.display.reading import Table, of_latex, of_markdown, of_typst
from tests.display.test_text import hostile

GRID = Grid(
    caption="Two models",
    stub="",
    columns=(("(1)", "small"), ("(2)",)),
    parts=(
        Part("", (Row("Age", (("0.10*", "(0.03)"), ())), Row("Sex", (("−1.00", "(0.20)"), ("2.00", "(0.30)"))))),
        Part("Fit", (Row("Rows", (("100",), ("90",))),)),
    ),
    notes=("Standard errors in parentheses.", "Different rows."),
    above=(("", 1), ("Large", 1)),
)


@st.composite
def grids(draw):
    k = draw(st.integers(1, 3))
    cell = st.lists(hostile, max_size=2).map(tuple)
    row = st.builds(Row, hostile, st.tuples(*[cell] * k))
    part = st.builds(Part, hostile, st.lists(row, min_size=1, max_size=2).map(tuple))
    above = draw(st.one_of(st.just(()), st.tuples(hostile.map(lambda text: (text, k)))))
    return Grid(
        draw(hostile),
        draw(hostile),
        draw(st.tuples(*[cell] * k)),
        draw(st.lists(part, min_size=1, max_size=2).map(tuple)),
        draw(st.lists(hostile, max_size=2).map(tuple)),
        above,
    )


def texts(rows):
    return [[cell.text for cell in row] for row in rows]


def test_html_of_a_small_table():
    table = Table(render.html(GRID))
    assert table.caption == "Two models"
    assert table.sections == ["thead", "tbody", "tbody", "tfoot"]
    assert texts(table.rows) == [
        ["", "", "Large"],
        ["", "(1)\nsmall", "(2)"],
        ["Age", "0.10*\n(0.03)", ""],
        ["Sex", "−1.00\n(0.20)", "2.00\n(0.30)"],
        ["Fit"],
        ["Rows", "100", "90"],
        ["Standard errors in parentheses."],
        ["Different rows."],
    ]
    heads = [(cell.text, cell.attributes["scope"]) for row in table.rows for cell in row if cell.tag == "th"]
    assert heads == [
        ("Large", "colgroup"),
        ("(1)\nsmall", "col"),
        ("(2)", "col"),
        ("Age", "row"),
        ("Sex", "row"),
        ("Fit", "rowgroup"),
        ("Rows", "row"),
    ]


def test_text_of_a_small_table():
    assert render.text(GRID).splitlines() == [
        "Two models",
        "--------------------",
        "              Large",
        "       (1)     (2)",
        "      small",
        "--------------------",
        "Age   0.10*",
        "      (0.03)",
        "Sex   −1.00    2.00",
        "      (0.20)  (0.30)",
        "--------------------",
        "Fit",
        "Rows   100      90",
        "--------------------",
        "Standard errors in parentheses.",
        "Different rows.",
    ]


@given(grids())
@settings(max_examples=60, deadline=None)
def test_html_holds_every_text_and_nothing_else(grid):
    table = Table(render.html(grid))
    assert set(table.elements) <= {"table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td", "br"}
    assert (table.caption or "") == printable(grid.caption)
    assert table.outside == []
    found = [text for row in texts(table.rows) for text in row]
    bodies = [
        each
        for part in grid.parts
        for each in (
            *([part.title] if part.title else []),
            *(each for row in part.rows for each in (row.label, *("\n".join(cell) for cell in row.cells))),
        )
    ]
    above = ["", *(text for text, _ in grid.above)] if grid.above else []
    wanted = [*above, grid.stub, *("\n".join(cell) for cell in grid.columns), *bodies, *grid.notes]
    assert found == [printable(text) for text in wanted]


@given(grids())
@settings(max_examples=60, deadline=None)
def test_markdown_is_one_table_with_every_text(grid):
    table = of_markdown(render.markdown(grid))
    allowed = {"p", "strong", "table", "thead", "tbody", "tr", "th", "td", "ul", "li"}
    assert set(table.elements) <= allowed
    assert table.elements.count("table") == 1
    widths = {len(row) for row in table.rows}
    assert widths == {len(grid.columns) + 1}
    wanted = [
        *(
            line
            for part in grid.parts
            for line in (
                *([[part.title, *[""] * len(grid.columns)]] if part.title else []),
                *(
                    [row.label if i == 0 else "", *(cell[i] if i < len(cell) else "" for cell in row.cells)]
                    for row in part.rows
                    for i in range(max(1, *(len(cell) for cell in row.cells)))
                ),
            )
        )
    ]
    assert texts(table.rows[1:]) == [[one_line(text) for text in line] for line in wanted]
    said = "".join(table.outside)
    for text in (grid.caption, *grid.notes):
        assert one_line(text) in said


@given(grids())
@settings(max_examples=60, deadline=None)
def test_latex_has_as_many_cells_a_row_as_columns(grid):
    lines = render.latex(grid).splitlines()
    assert (lines[0], lines[-1]) == (r"\begin{table}", r"\end{table}")
    assert lines.count(r"\midrule") == len(grid.parts)
    begin = next(i for i, line in enumerate(lines) if line.startswith(r"\begin{tabular}"))
    body = lines[begin + 1 : lines.index(r"\end{tabular}")]
    rows = [line for line in body if line.endswith(r" \\") and r"\multicolumn" not in line]
    cells = [row.removesuffix(r" \\").split(" & ") for row in rows]
    assert {len(row) for row in cells} == {len(grid.columns) + 1}
    height = max(1, *(len(cell) for cell in grid.columns))
    read = [[of_latex(text) for text in row] for row in cells[height:]]
    assert [row[0] for row in read if row[0]] == [
        one_line(row.label) for part in grid.parts for row in part.rows if one_line(row.label)
    ]


@given(grids())
@settings(max_examples=60, deadline=None)
def test_typst_has_text_in_literals_only(grid):
    import re

    source = render.typst(grid)
    literals = re.findall(r'"(?:[^"\\]|\\.)*"', source)
    rest = re.sub(r'"(?:[^"\\]|\\.)*"', "S", source)
    assert re.fullmatch(r"[A-Za-z0-9#(),.:+\s]*", rest)
    read = [of_typst(literal) for literal in literals]
    for text in (grid.caption, *grid.notes, *(row.label for part in grid.parts for row in part.rows)):
        assert one_line(text) in read or not text


@given(grids())
@settings(max_examples=60, deadline=None)
def test_text_has_no_line_too_many(grid):
    height = sum(max(1, *(len(cell) for cell in row.cells)) for part in grid.parts for row in part.rows)
    titles = sum(bool(part.title) for part in grid.parts)
    head = max(1, *(len(cell) for cell in grid.columns)) + bool(grid.above)
    lines = render.text(grid).split("\n")
    wanted = bool(grid.caption) + head + height + titles + len(grid.notes) + len(grid.parts) + 2
    assert len(lines) == wanted


NASTY = Grid(
    caption='\\end{table} #panic("x") $x$ % & _ ~ ^ {',
    stub="[stub]",
    columns=(("*a", '"b"'), ("\\", "--")),
    parts=(Part("<t> | 'x''", (Row("[1pt]", (("#", "&"), ("\\\\", "%"))), Row("*", ((), ("$", "{}"))))),),
    notes=("`note` \\input{/etc/passwd} σ × − ± ∞ † – … ²",),
    above=(("a_b", 2),),
)


@pytest.mark.parametrize("grid", [GRID, NASTY], ids=["plain", "nasty"])
def test_typst_compiles(grid, tmp_path):
    file = tmp_path / "table.typ"
    file.write_text(render.typst(grid), encoding="utf-8")
    if shutil.which("typst"):
        subprocess.run(["typst", "compile", str(file), str(tmp_path / "table.pdf")], check=True, timeout=60)
        assert (tmp_path / "table.pdf").read_bytes()[:5] == b"%PDF-"
    else:
        compiler = pytest.importorskip("typst", reason="neither the command nor the package typst is installed")
        assert compiler.compile(str(file))[:5] == b"%PDF-"


@pytest.mark.parametrize("grid", [GRID, NASTY], ids=["plain", "nasty"])
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not on PATH")
def test_latex_compiles(grid, tmp_path: Path):
    body = render.latex(grid)
    document = f"\\documentclass{{article}}\n\\usepackage{{booktabs}}\n\\begin{{document}}\n{body}\\end{{document}}\n"
    (tmp_path / "table.tex").write_text(document, encoding="utf-8")
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "table.tex"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=120, capture_output=True)


def test_a_frame_as_a_grid():
    frame = pd.DataFrame({"who": ["a", "b"], "n": [1, 2000], "share": [0.5, float("nan")], "p": ["<0.001", "0.2"]})
    grid = frame_grid(frame, "Counts", notes=("Made up.",))
    assert grid.parts[0].rows == (
        Row("a", (("1",), ("0.500",), ("<0.001",))),
        Row("b", (("2,000",), ("–",), ("0.2",))),
    )
    assert grid.notes == ("Made up.",)
    assert grid.align == ("right", "right", "right")
    assert texts(Table(render.html(grid)).rows)[0] == ["who", "n", "share", "p"]


def test_a_long_frame_is_cut_and_says_so():
    frame = pd.DataFrame({"who": ["x" * 500] * 61, "word": ["w"] * 61})
    grid = frame_grid(frame, "Long")
    assert [row.label for row in grid.parts[0].rows] == ["x" * 200 + "…"] * 60
    assert grid.notes == ("60 of 61 rows.",)
    assert grid.align == ("left",)
    whole = frame_grid(frame, "Long", whole=True)
    assert ([row.label for row in whole.parts[0].rows], whole.notes) == (["x" * 500] * 61, ())


def test_an_empty_frame_is_a_table_without_rows():
    grid = frame_grid(pd.DataFrame({"who": [], "n": []}), "Nothing")
    assert Table(render.html(grid)).rows[0][0].text == "who"
    assert "no rows" in " ".join(grid.notes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"parts": (Part("", (Row("x", ((),)),)),)}, "row 'x' has 1 cells, the table 2 columns"),
        ({"above": (("x", 3),)}, "the headings above span 3 columns of 2"),
        ({"align": ("left",)}, "1 alignments for 2 columns"),
    ],
)
def test_parts_that_do_not_fit_are_refused(change, message):
    fields = {name: getattr(GRID, name) for name in ("caption", "stub", "columns", "parts", "notes", "above", "align")}
    with pytest.raises(ValueError, match=message):
        Grid(**(fields | change))
