from __future__ import annotations

import mistune
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pluristats.display.text import latex, markdown, one_line, printable, typst
from tests.display.reading import Table, of_latex, of_typst

SPECIAL = "\\`*_{}[]()<>#+-=.!|~&$:;@\"'^%,?/\n\t \r\x00\u2028\u202e\ud800é中"
hostile = st.one_of(
    st.text(alphabet=st.characters(exclude_categories=[])),
    st.text(alphabet=SPECIAL, max_size=24),
    st.lists(
        st.sampled_from(
            [
                "http://",
                "www.",
                "mailto:",
                "](javascript:alert(1))",
                "<script>",
                "&lt;",
                "\\(",
                "$$",
                "1.",
                "```",
                "---",
                "x",
            ]
        ),
        max_size=5,
    ).map("".join),
)


def shown(html: str) -> tuple[str, list[str]]:
    """Text of a paragraph as a browser shows it, and the elements in it."""
    table = Table(html)
    return "".join(table.outside), table.elements


@given(hostile)
@example("1. x")
@example("- x")
@example("=")
@example("a https://example.org b")
@example("see WWW.example.org")
@example("<a@example.org>")
@example("\\(x\\)")
def test_markdown_reads_as_the_text_and_makes_nothing(text):
    line = one_line(text)
    source = f"{markdown(text)}\n"
    for html in (
        MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(source),
        mistune.create_markdown(escape=False, plugins=["strikethrough", "table", "url", "footnotes", "math"])(source),
    ):
        read, elements = shown(html)
        assert (read.strip("\n"), elements) == (line, ["p"] if line else [])


@pytest.mark.parametrize("text", ["0.123", "1,234.5", "(0.030)", "harm level", "a - b", "3.5***"])
def test_plain_markdown_stays_plain(text):
    assert markdown(text).replace("\\*", "*") == text


@given(hostile)
@example("--- ''")
@example("[x]")
@example("*x")
@example("?`")
def test_latex_reads_as_the_text(text):
    written = latex(text)
    assert of_latex(written) == one_line(text)
    assert written[:1] not in ("[", "*")  # it may follow the end of a row


@given(hostile)
@example('"); #panic("x')
@example("\\")
def test_typst_reads_as_the_text(text):
    assert of_typst(typst(text)) == one_line(text)


@given(hostile)
def test_one_line_is_one_printable_line(text):
    line = one_line(text)
    assert line == printable(line) == " ".join(line.split())
    assert "\n" not in line
