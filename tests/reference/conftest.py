"""The engine tests' fixture of R, here too."""

from tests.engine.conftest import lme4

__all__ = ["lme4"]
