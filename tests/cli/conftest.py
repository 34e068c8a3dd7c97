"""The command in this process."""

from __future__ import annotations

import pytest

from tests.cli.command import InProcess


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> InProcess:
    return InProcess(monkeypatch, capsys)
