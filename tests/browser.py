"""A real headless Chromium for tests, or a skip that says what is missing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHROMIUM = os.environ.get("PLURISTATS_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
"""The browser that tests drive; playwright's own download is not used."""


@contextmanager
def page(*, width: int = 1280, height: int = 900, dark: bool = False, offline: bool = False) -> Iterator[Page]:
    """An empty page in a fresh profile; without Chromium or playwright the test is skipped.

    Parameters
    ----------
    width, height
        Of the window, in CSS pixels; 360 wide is a phone.
    dark
        Whether the reader prefers a dark page.
    offline
        Whether every request to a network fails, also to this machine.
    """
    if CHROMIUM is None:
        pytest.skip("needs Chromium: apt-get install chromium (or set PLURISTATS_CHROMIUM)")
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install 'pluristats[dev]'")
    with api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            offline=offline,
        )
        try:
            yield context.new_page()
        finally:
            browser.close()
