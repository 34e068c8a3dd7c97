"""The report in a real Chromium: no barrier that axe-core finds, no request, nothing hostile that acts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.browser import page
from tests.conftest import ROOT

AXE = ROOT / ".axe/node_modules/axe-core/axe.min.js"
LOOKS = {"light": {}, "dark": {"dark": True}, "phone": {"width": 360, "height": 740}}


@pytest.fixture(scope="module")
def axe() -> str:
    """Source of axe-core."""
    if not AXE.is_file():
        pytest.skip("needs axe-core: make axe")
    return AXE.read_text("utf-8")


def barriers(opened: Any, axe: str) -> list[str]:
    """Serious and critical violations, each with where it is."""
    opened.evaluate(axe)  # by the debugger's channel, which the page's security policy does not bind
    found = opened.evaluate("async () => (await axe.run(document)).violations")
    bad = [v for v in found if v["impact"] in ("serious", "critical")]
    return [f"{v['id']}: {n['html'][:200]} {n['failureSummary'][:200]}" for v in bad for n in v["nodes"][:3]]


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_no_serious_barrier(finished_run: Any, axe: str, look: str) -> None:
    with page(offline=True, **LOOKS[look]) as opened:
        for file in (finished_run.run / "report.html", finished_run.run.parent / "index.html"):
            opened.goto(file.as_uri())
            opened.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
            assert barriers(opened, axe) == []
            wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert opened.evaluate(wide) <= 0  # nothing but tables scrolls sideways


def test_axe_would_find_one(axe: str) -> None:
    with page(offline=True) as opened:
        opened.set_content("<html lang=en><title>x</title><main><h1>x</h1><img src='data:image/png;base64,'></main>")
        assert any(barrier.startswith("image-alt") for barrier in barriers(opened, axe))


def watched(opened: Any, file: Path) -> list[str]:
    """What opening a file requests, and what it says on the console."""
    seen: list[str] = []
    opened.on("request", lambda request: seen.append(f"request {request.url[:100]}"))
    opened.on("console", lambda message: seen.append(f"{message.type} {message.text}"))
    opened.on("pageerror", lambda error: seen.append(f"error {error}"))
    opened.on("dialog", lambda dialog: (seen.append(f"dialog {dialog.message}"), dialog.dismiss()))
    opened.goto(file.as_uri())
    opened.wait_for_timeout(100)
    return [text for text in seen if not text.startswith("request data:image/")]


def test_first_paint_requests_nothing_and_links_lead_to_files(finished_run: Any) -> None:
    file = finished_run.run / "report.html"
    with page(offline=True) as opened:
        assert watched(opened, file) == [f"request {file.as_uri()[:100]}"]
        assert opened.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
        assert (
            opened.evaluate("performance.getEntriesByType('resource').filter(e => !/^data:/.test(e.name)).length") == 0
        )
        links = opened.evaluate("[...document.querySelectorAll('.files a')].map(a => decodeURI(a.href))")
    assert {Path(link).suffix for link in links} == {".csv", ".svg", ".png"}
    assert all(Path(link.removeprefix("file://")).is_file() for link in links)
