from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pluristats.report.sanitize import sanitize
from tests.markup import Page

PIECES = [
    "<",
    ">",
    "/",
    "script",
    "style",
    "td",
    "tr",
    "table",
    "p",
    "b",
    "img ",
    "svg",
    " onload=x",
    " src=",
    "'",
    '"',
]
PIECES += [
    "http://evil.example/x",
    "javascript:1",
    "&lt;",
    "<!--",
    "-->",
    "a href=",
    "title",
    "text",
    " ",
    "</",
    "\x00",
]


@pytest.mark.parametrize(
    ("given_html", "kept"),
    [
        ("<p>a<b>b</p>", "<p>a<b>b</b></p>"),
        ("a</div>b", "ab"),
        ("<script>alert('<p>')</script>after", "after"),
        ("<style>p{}</style><p onclick=x style=y class=z>t</p>", '<p class="z">t</p>'),
        ('<img src="http://x/y.png">', ""),
        ('<img src="data:image/png;base64,AA" alt="A">', '<img alt="A" src="data:image/png;base64,AA">'),
        ('<a href="javascript:alert(1)">x</a>', "<a>x</a>"),
        ('<a href="JaVaScRiPt:alert(1)">x</a>', "<a>x</a>"),
        ('<a href="//evil/x">x</a>', "<a>x</a>"),
        ('<a href="tables/t.csv">x</a>', '<a href="stages/s/tables/t.csv">x</a>'),
        ('<a href="https://a.b/">x</a>', '<a href="https://a.b/">x</a>'),
        ('<a href="#h">x</a><p id="h">y</p>', '<a href="#s-h">x</a><p id="s-h">y</p>'),
        ("<h1>t</h1>", "<h2>t</h2>"),
        ("<h6>t</h6>", "<h6>t</h6>"),
        ("<iframe src=x><p>in</p></iframe>out", "out"),
        ("<marquee>text</marquee>", "text"),
        ("1 < 2 &amp; 3", "1 &lt; 2 &amp; 3"),
        ("<ul><li>a<li>b</ul>", "<ul><li>a</li><li>b</li></ul>"),
        ("<table><tr><td>a<td>b<tr><td>c</table>",
         "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>"),
        ("<table><thead><tr><th>h</th></tr></thead><tbody><tr><th>r</th></tr></tbody></table>",
         '<table><thead><tr><th scope="col">h</th></tr></thead><tbody><tr><th scope="row">r</th></tr></tbody></table>'),
    ],
)  # fmt: skip
def test_only_what_a_report_needs_is_kept(given_html, kept):
    assert sanitize(given_html, base="stages/s/", prefix="s-", deepen=1) == kept


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_whatever_comes_in_nests_and_loads_nothing(text):
    page = Page(sanitize(text))
    assert page.faults == []
    assert page.loaded == []
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_sanitizing_twice_changes_nothing(text):
    once = sanitize(text)
    assert sanitize(once) == once
