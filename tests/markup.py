"""A strict reader of HTML: fails on anything that does not nest, and lists what would be loaded."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"br", "col", "hr", "img", "meta", "link", "input", "source", "wbr"}


class Page(HTMLParser):
    def __init__(self, text: str):
        super().__init__(convert_charrefs=True)
        self.stack: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.faults: list[str] = []
        self.feed(text)
        self.close()
        self.faults += [f"<{tag}> is never closed" for tag in self.stack]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.stack or self.stack[-1] != tag:
            self.faults.append(f"</{tag}> at line {self.getpos()[0]} closes {self.stack[-1:]}")
        else:
            self.stack.pop()

    def handle_data(self, data: str) -> None:
        if self.stack[-1:] != ["style"]:
            self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        return "".join(self.texts)

    @property
    def loaded(self) -> list[str]:
        """Addresses that a browser would fetch by itself."""
        found = []
        for tag, attributes in self.elements:
            for name in ("src", "srcset", "poster", "data", "background"):
                found += [value for value in [attributes.get(name)] if value and not value.startswith("data:image/")]
            if tag in ("link", "base", "iframe", "script", "object", "embed"):
                found.append(tag)
        return found
