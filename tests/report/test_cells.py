from __future__ import annotations

import warnings

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from pluristats.errors import SingularFitWarning
from pluristats.report.cells import Heading, plain, section, warnings_html
from tests.markup import Page


def shown(*cells) -> Page:
    made = section(new_notebook(cells=list(cells)), "study", "The study", "stages/study/")
    page = Page(made.html)
    assert page.faults == []
    return page


def code(*outputs, source="x", tags=()):
    return new_code_cell(source, outputs=list(outputs), metadata={"tags": list(tags)})


def test_titles_give_way_and_headings_are_listed():
    cells = [new_markdown_cell("# Own title\n\nIntro\n\n## Part *one*\n\n### Deeper"), new_markdown_cell("## Two")]
    made = section(new_notebook(cells=cells), "study", "The study", "")
    assert made.title == "The study"
    assert made.headings == (Heading("study-1", "Part one"), Heading("study-2", "Two"))
    assert "Own title" not in made.html
    assert '<h3 id="study-1">Part <em>one</em></h3>' in made.html
    assert "<h4>Deeper</h4>" in made.html


def test_raw_html_in_markdown_is_text():
    page = shown(new_markdown_cell("a <script>alert(1)</script> <b onclick='x'>b</b>"))
    assert page.all("script") == []
    assert "<script>alert(1)</script>" in page.text


def test_code_is_folded_and_parameter_cells_are_left_out():
    page = shown(
        code(source="data = '/somewhere/private'", tags=["injected-parameters"]),
        code(source="data = ''", tags=["parameters"]),
        code(source="y = '<b>'"),
    )
    assert page.texts == ["Code", "y = '<b>'"]
    assert [tag for tag, _ in page.elements] == ["details", "summary", "pre", "code"]


def test_outputs_by_kind():
    page = shown(
        code(
            new_output("stream", name="stdout", text="\x1b[31mred\x1b[0m <b>\n"),
            new_output("execute_result", data={"text/plain": "repr", "text/html": "<p>html</p>"}),
            new_output("display_data", data={"text/plain": "only <text>"}),
            new_output("display_data", data={"image/png": "QUJD\n", "text/plain": "<Figure>"}),
            new_output("display_data", data={"image/svg+xml": "<svg onload='x'/>"}),
            new_output("error", ename="ValueError", evalue="<bad>", traceback=[]),
        )
    )
    text = [t for t in page.texts if t.strip()]
    assert text == ["Code", "x", "red <b>", "html", "only <text>", "ValueError", "<bad>"]
    images = page.all("img")
    assert [image["alt"] for image in images] == ["Figure without a description"] * 2
    assert images[0]["src"] == "data:image/png;base64,QUJD"
    assert images[1]["src"].startswith("data:image/svg+xml;base64,")


def test_pieces_of_a_stream_are_joined():
    pieces = [new_output("stream", name="stderr", text=text) for text in ("/a.py:1: UserWarn", "ing: split\n")]
    assert "split" in shown(code(*pieces)).text
    assert "/a.py" not in shown(code(*pieces)).text


def python_prints(message: str, category: type[Warning], line: str = "fit(x)") -> str:
    return warnings.formatwarning(message, category, "/home/someone/secret/fit.py", 12, line)


def test_warnings_become_callouts_without_paths():
    text = (
        python_prints("the variance of annotator is 0;\nread on", SingularFitWarning)
        + python_prints("the variance of annotator is 0;\nread on", SingularFitWarning)
        + python_prints("old <name>", DeprecationWarning, line="g()")
        + "and then a plain line\n"
    )
    page = Page(warnings_html(text))
    assert page.faults == []
    assert [t.strip() for t in page.texts if t.strip()] == [
        "Singular fit warning (2 times)",
        "the variance of annotator is 0;\nread on",
        "Deprecation warning",
        "old <name>",
        "and then a plain line",
    ]
    assert "secret" not in page.text


@pytest.mark.parametrize(("text", "shown_text"), [("10%\r50%\r100%\n", "100%\n"), ("a\r\nb", "a\nb"), ("x\r", "x")])
def test_plain_keeps_what_was_last_on_a_line(text, shown_text):
    assert plain(text) == shown_text
