"""The one door upwards: a result opens its explorer, which stands layers above it."""

from __future__ import annotations

import importlib
from typing import Any


class Explored:
    """A result whose coefficients can be explored in JupyterLab.

    Layers import downwards only. This one method looks its module up by name when it is called, so that results keep
    working, and stay light, without the explorer and its widget library.
    """

    def explore(self, study: Any = None, **options: Any) -> Any:
        """Open the explorer of these coefficients; see :func:`pluristats.explorer.explore`."""
        return importlib.import_module("pluristats.explorer").explore(self, study, **options)
