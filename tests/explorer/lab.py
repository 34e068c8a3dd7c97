"""A real JupyterLab on this machine only, with a token, a folder of its own and whatever port is free."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import nbformat

from tests.conftest import ROOT

TOKEN = "token-of-a-test"


@contextmanager
def lab(folder: Path, *, dark: bool = False) -> Iterator[str]:
    """Address of a server; it and its kernels are gone afterwards."""
    runtime = folder / ".runtime"
    dirs = {f"JUPYTER_{name}_DIR": str(folder / f".{name.lower()}") for name in ("CONFIG", "RUNTIME", "DATA")}
    dirs["JUPYTERLAB_SETTINGS_DIR"] = str(folder / ".settings")
    if dark:
        theme = folder / ".settings" / "@jupyterlab" / "apputils-extension" / "themes.jupyterlab-settings"
        theme.parent.mkdir(parents=True)
        theme.write_text('{"theme": "JupyterLab Dark"}')
    env = {**os.environ, **dirs, "PYTHONPATH": str(ROOT), "IPYTHONDIR": str(folder / ".ipython")}
    runtime.mkdir(parents=True)
    options = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": "0",
        "ServerApp.open_browser": "False",
        "ServerApp.root_dir": str(folder),
        "IdentityProvider.token": TOKEN,
        "LabApp.news_url": "None",
        "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
        "ServerApp.allow_root": "True",
    }
    log = (folder / "server.log").open("w")
    command = [sys.executable, "-m", "jupyterlab", *(f"--{name}={value}" for name, value in options.items())]
    server = subprocess.Popen(command, env=env, stdout=log, stderr=log, start_new_session=True)
    try:
        yield _address(server, runtime, folder / "server.log")
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
        log.close()


def _address(server: subprocess.Popen, runtime: Path, log: Path) -> str:
    """Address that the server wrote down, once it answers."""
    for _ in range(300):
        if server.poll() is not None:
            break
        for file in runtime.glob("jpserver-*.json"):
            try:
                url = json.loads(file.read_text())["url"]
                urlopen(f"{url}api?token={TOKEN}", timeout=2)
                return str(url)
            except (OSError, ValueError):
                pass
        time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not start: {log.read_text()[-2000:]}")


def notebook(path: Path, *cells: str) -> None:
    """A notebook of code cells."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, path)


def open_explorer(page: Any, address: str, name: str, *, wait_s: int = 60) -> Any:
    """Open a notebook, run all its cells, and wait for the explorer; returns its locator."""
    page.goto(f"{address}doc/tree/{name}?token={TOKEN}")
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=60_000)
    page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]', state="attached", timeout=60_000)
    page.click(".jp-Notebook .jp-CodeCell .cm-content")
    # A kernel that has only just connected can miss the first request.
    page.wait_for_timeout(1500)
    page.keyboard.press("Shift+Enter")
    page.wait_for_selector(".ps-explorer tbody tr", timeout=wait_s * 1000)
    return page.locator(".ps-explorer")
