"""HTML from notebook cells, reduced to what a report needs and always well-formed."""

from __future__ import annotations

import html
from html.parser import HTMLParser

# fmt: off
_KEPT = frozenset((
    "a", "abbr", "aside", "b", "blockquote", "br", "caption", "code", "col", "colgroup", "dd", "del",
    "details", "div", "dl", "dt", "em", "figcaption", "figure", "h1", "h2", "h3", "h4", "h5", "h6",
    "hr", "i", "img", "ins", "kbd", "li", "ol", "p", "pre", "s", "samp", "small", "span", "strong",
    "sub", "summary", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul", "var",
))
# fmt: on
_VOID = frozenset(("br", "col", "hr", "img"))
# Their content is not text to read: dropped with everything inside.
# fmt: off
_DROPPED = frozenset((
    "script", "style", "iframe", "object", "template", "noscript", "svg", "math", "head", "title",
    "textarea", "select",
))
# fmt: on
_ATTRIBUTES = frozenset(("alt", "class", "colspan", "rowspan", "scope", "title", "start"))
_CLOSED_BY_NEXT = {"li": {"li"}, "tr": {"tr", "td", "th"}, "td": {"td", "th"}, "th": {"td", "th"}, "p": {"p"}}


def sanitize(source: str, *, base: str = "", prefix: str = "", deepen: int = 0) -> str:
    """HTML with only harmless elements and attributes, every element closed.

    Scripts, styles, frames, event handlers and everything that loads from elsewhere are dropped; other unknown
    elements lose their tags and keep their text. Images stay only when inlined (``data:image/``). Header cells get
    the ``scope`` they lack, and what scrolls sideways can be reached by keys.

    Parameters
    ----------
    source
        HTML, however broken.
    base
        Put before relative links ("stages/study/"), which are relative to a notebook's folder.
    prefix
        Put before every ``id`` and every link to one, so that sections do not collide.
    deepen
        Levels added to headings, at most h6.

    Returns
    -------
    str
        HTML that the standard parser reads without an open or stray tag.
    """
    cleaner = _Cleaner(base, prefix, deepen)
    cleaner.feed(source)
    cleaner.close()
    return cleaner.finished()


class _Cleaner(HTMLParser):
    def __init__(self, base: str, prefix: str, deepen: int):
        super().__init__(convert_charrefs=True)
        self.base, self.prefix, self.deepen = base, prefix, deepen
        self.parts: list[str] = []
        self.open: list[str] = []
        self.dropping: list[str] = []

    def finished(self) -> str:
        while self.open:
            self._close()
        return "".join(self.parts)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self.dropping:
            self.dropping.extend([tag] if tag == self.dropping[0] else [])
            return
        if tag in _DROPPED:
            self.dropping.append(tag)
            return
        if tag not in _KEPT:
            return
        while self.open and self.open[-1] in _CLOSED_BY_NEXT.get(tag, ()):
            self._close()
        tag = self._level(tag)
        given = {name: value or "" for name, value in attrs}
        kept = self._attributes(tag, given)
        if tag == "img" and "src" not in kept:
            return
        text = "".join(f' {name}="{_attribute(value)}"' for name, value in kept.items())
        self.parts.append(f"<{tag}{text}>")
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.dropping:
            if tag == self.dropping[-1]:
                self.dropping.pop()
            return
        tag = self._level(tag)
        if tag in self.open:
            while self.open[-1] != tag:
                self._close()
            self._close()

    def handle_data(self, data: str) -> None:
        if not self.dropping:
            self.parts.append(html.escape(data, quote=False))

    def _close(self) -> None:
        self.parts.append(f"</{self.open.pop()}>")

    def _level(self, tag: str) -> str:
        if len(tag) == 2 and tag[0] == "h" and tag[1].isdigit():
            return f"h{min(6, int(tag[1]) + self.deepen)}"
        return tag

    def _attributes(self, tag: str, given: dict[str, str]) -> dict[str, str]:
        kept = {name: value for name, value in given.items() if name in _ATTRIBUTES}
        if given.get("id"):
            kept["id"] = self.prefix + given["id"]
        if tag == "a" and (link := self._link(given.get("href", ""))):
            kept["href"] = link
        if tag == "img":
            if given.get("src", "").startswith("data:image/"):
                kept["src"] = given["src"]
            if given.get("width", "").isdecimal():
                kept["width"] = given["width"]
            kept.setdefault("alt", "Figure without a description")
        if tag == "pre" or (tag == "div" and given.get("class") == "table"):
            kept["tabindex"] = "0"  # what may scroll sideways must scroll by keys too
        if tag == "th":
            kept.setdefault("scope", "col" if "thead" in self.open else "row")
        return kept

    def _link(self, href: str) -> str:
        if href.startswith("#"):
            return "#" + self.prefix + href[1:] if len(href) > 1 else ""
        if href.startswith(("http://", "https://", "mailto:")):
            return href
        if ":" in href or href.startswith(("/", "\\")) or not href:
            return ""
        return self.base + href


def _attribute(value: str) -> str:
    """Text for an attribute in double quotes; apostrophes, of which a drawing has thousands, may stay."""
    return html.escape(value, quote=False).replace('"', "&quot;")
