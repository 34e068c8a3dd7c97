"""R, where it is there."""

from __future__ import annotations

from types import ModuleType

import pytest

from pluristats.errors import UnsupportedError


@pytest.fixture(scope="session")
def lme4() -> ModuleType:
    """The lme4 engine, or a skip with its own reason."""
    from pluristats.engine import lme4 as engine

    try:
        engine.available()
    except UnsupportedError as reason:
        pytest.skip(str(reason))
    return engine
