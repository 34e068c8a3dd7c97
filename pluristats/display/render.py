"""One grid as HTML, Markdown, LaTeX, Typst or text; each writer escapes every text for its format."""

from __future__ import annotations

import unicodedata

from pluristats.display import text as escaped
from pluristats.display.grid import Align, Cell, Grid, lines


def html(grid: Grid) -> str:
    """``<table>`` with caption, scopes and notes as its foot; no style beyond alignment, no script, nothing loaded."""
    escape, width = escaped.escape, len(grid.columns) + 1
    out = ['<table class="pluristats">']
    out += [f"<caption>{escape(grid.caption)}</caption>"] if grid.caption else []
    out.append("<thead>")
    if grid.above:
        spans = "".join(
            f'<th scope="colgroup" colspan="{count}" style="text-align:center">{escape(text)}</th>'
            if text
            else f'<td colspan="{count}"></td>'
            for text, count in grid.above
        )
        out.append(f"<tr><td></td>{spans}</tr>")
    stub = f'<th scope="col">{escape(grid.stub)}</th>' if grid.stub else "<td></td>"
    heads = (_html_cell(c, a, "th", ' scope="col"') for c, a in zip(grid.columns, grid.alignment, strict=True))
    out.append(f"<tr>{stub}{''.join(heads)}</tr>")
    out.append("</thead>")
    for part in grid.parts:
        out.append("<tbody>")
        if part.title:
            out.append(f'<tr><th scope="rowgroup" colspan="{width}">{escape(part.title)}</th></tr>')
        for row in part.rows:
            cells = "".join(_html_cell(c, a, "td", "") for c, a in zip(row.cells, grid.alignment, strict=True))
            out.append(f'<tr><th scope="row">{escape(row.label)}</th>{cells}</tr>')
        out.append("</tbody>")
    if grid.notes:
        notes = (f'<tr><td colspan="{width}" style="text-align:left">{escape(note)}</td></tr>' for note in grid.notes)
        out += ["<tfoot>", *notes, "</tfoot>"]
    return "".join([*out, "</table>"])


def _html_cell(cell: Cell, align: Align, tag: str, scope: str) -> str:
    return f'<{tag}{scope} style="text-align:{align}">{"<br>".join(escaped.escape(line) for line in cell)}</{tag}>'


def markdown(grid: Grid) -> str:
    """A pipe table, its caption in bold above and its notes as a list below.

    Pipe tables have one line of headings, so headings over several columns stand before each column's own.
    """
    over = [text for text, count in grid.above for _ in range(count)] or [""] * len(grid.columns)
    heads = [" ".join(filter(None, (above, *cell))) for above, cell in zip(over, grid.columns, strict=True)]
    marks = {"left": ":---", "center": ":---:", "right": "---:"}
    out = [f"**{caption}**", ""] if (caption := escaped.markdown(grid.caption)) else []
    out += [_piped([grid.stub, *heads]), f"| :--- | {' | '.join(marks[a] for a in grid.alignment)} |"]
    for part in grid.parts:
        if part.title:
            title = escaped.markdown(part.title)  # nothing of a title that is white space: **** would be text
            out.append(f"| {f'**{title}**' if title else ''} |{'  |' * len(grid.columns)}")
        out += [_piped(line) for row in part.rows for line in lines(row)]
    if grid.notes:
        out += ["", *(f"- {escaped.markdown(note)}" for note in grid.notes)]
    return "\n".join(out) + "\n"


def _piped(texts: tuple[str, ...] | list[str]) -> str:
    return f"| {' | '.join(escaped.markdown(text) for text in texts)} |"


def latex(grid: Grid) -> str:
    r"""A ``table`` environment; needs ``\usepackage{booktabs}``."""
    escape, width = escaped.latex, len(grid.columns) + 1
    out = [r"\begin{table}", r"\centering"]
    out += [rf"\caption{{{escape(grid.caption)}}}"] if grid.caption else []
    out += [rf"\begin{{tabular}}{{l{''.join(align[0] for align in grid.alignment)}}}", r"\toprule"]
    if grid.above:
        spans, rules, at = [], [], 2
        for text, count in grid.above:
            spans.append(rf"\multicolumn{{{count}}}{{c}}{{{escape(text)}}}")
            rules += [rf"\cmidrule(lr){{{at}-{at + count - 1}}}"] if text else []
            at += count
        out += [_ampersands(["", *spans]), *rules]
    out += [_ampersands([escape(text) for text in line]) for line in grid.head]
    for part in grid.parts:
        out.append(r"\midrule")
        if part.title:
            out.append(rf"\multicolumn{{{width}}}{{l}}{{\textit{{{escape(part.title)}}}}} \\")
        out += [_ampersands([escape(text) for text in line]) for row in part.rows for line in lines(row)]
    out += [r"\bottomrule", r"\end{tabular}"]
    out += [rf"\par\smallskip{{\footnotesize {escape(note)}\par}}" for note in grid.notes]
    return "\n".join([*out, r"\end{table}"]) + "\n"


def _ampersands(texts: list[str]) -> str:
    return f"{' & '.join(texts)} \\\\"


def typst(grid: Grid) -> str:
    """A ``figure`` with a ``table``; every text is a string of Typst's code, never markup."""
    literal, width = escaped.typst, len(grid.columns) + 1
    out = ["#figure(", "  table(", f"    columns: {width},", f"    align: ({', '.join(['left', *grid.alignment])}),"]
    out += ["    stroke: none,", "    table.hline(),", "    table.header("]
    if grid.above:
        spans = ", ".join(f"table.cell(colspan: {count}, align: center, {literal(t)})" for t, count in grid.above)
        out.append(f'      "", {spans},')
    out += [f"      {', '.join(literal(text) for text in line)}," for line in grid.head]
    out.append("    ),")
    for part in grid.parts:
        out.append("    table.hline(),")
        if part.title:
            out.append(f"    table.cell(colspan: {width}, emph({literal(part.title)})),")
        for row in part.rows:
            cells = [" + linebreak() + ".join(literal(line) for line in cell) or '""' for cell in row.cells]
            out.append(f"    {', '.join([literal(row.label), *cells])},")
    out += ["    table.hline(),", "  ),"]
    out += [f"  caption: {literal(grid.caption)},"] if grid.caption else []
    out.append(")")
    out += [f"#block(text(size: 0.85em, {literal(note)}))" for note in grid.notes]
    return "\n".join(out) + "\n"


def text(grid: Grid) -> str:
    """Columns aligned with spaces, for a terminal; wide characters count twice."""
    blocks = [[(line, False) for line in grid.head]]
    for part in grid.parts:
        title = [((escaped.one_line(part.title),), True)] if part.title else []
        blocks.append([*title, *((line, False) for row in part.rows for line in lines(row))])
    plain = [[(tuple(map(escaped.one_line, line)), whole) for line, whole in block] for block in blocks]
    rows = [line for block in plain for line, whole in block if not whole]
    widths = [max(_width(line[i]) for line in rows) for i in range(len(grid.columns) + 1)]
    if grid.above:
        at, spans = 1, [" " * widths[0]]
        for over, count in grid.above:
            room = sum(widths[at : at + count]) + 2 * (count - 1)
            # A heading wider than its columns makes the last of them wider.
            widths[at + count - 1] += max(0, _width(escaped.one_line(over)) - room)
            room = max(room, _width(escaped.one_line(over)))
            spans.append(_pad(escaped.one_line(over), room, "center"))
            at += count
        plain[0].insert(0, (("  ".join(spans),), True))
    rule = "-" * (sum(widths) + 2 * len(grid.columns))
    out = [escaped.one_line(grid.caption)] if grid.caption else []
    for block in plain:
        out.append(rule)
        for line, whole in block:
            padded = zip(line, widths, ("left", *grid.alignment), strict=False)
            out.append(line[0].rstrip() if whole else "  ".join(_pad(*cell) for cell in padded).rstrip())
    return "\n".join([*out, rule, *map(escaped.one_line, grid.notes)])


def _pad(content: str, width: int, align: str) -> str:
    room = width - _width(content)
    left = {"left": 0, "right": room, "center": room // 2}[align]
    return " " * left + content + " " * (room - left)


def _width(content: str) -> int:
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in content)
