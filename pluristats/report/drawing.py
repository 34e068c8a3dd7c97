"""A figure as files, and as the one rendition of it that a page holds."""

from __future__ import annotations

import base64
import io
import sys
from collections.abc import Mapping
from typing import Any

from pluristats.report import svg

DPI = 144


def draw(figure: Any, name: str) -> dict[str, bytes]:
    """SVG and PNG of a figure by ending, byte for byte the same for the same drawing; the figure is closed.

    Parameters
    ----------
    figure
        A matplotlib figure.
    name
        What identifiers in the SVG are made from.
    """
    import matplotlib as mpl

    images = {}
    with mpl.rc_context({"svg.hashsalt": name, "svg.fonttype": "path"}):
        for ending, metadata in (("svg", {"Date": None}), ("png", {"Software": None})):
            buffer = io.BytesIO()
            figure.savefig(buffer, format=ending, dpi=DPI, bbox_inches="tight", facecolor="white", metadata=metadata)
            images[ending] = buffer.getvalue()
    # Otherwise Jupyter's inline backend shows it a second time, without alternative text.
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close(figure)
    return images


def inline(images: Mapping[str, bytes]) -> str:
    """Address that holds the drawing: its SVG, which is sharp at any size, or its PNG where that takes fewer bytes."""
    vector = svg.data_uri(svg.compact(images["svg"]))
    pixels = "data:image/png;base64," + base64.b64encode(images["png"]).decode()
    return min(vector, pixels, key=len)


def css_width(png: bytes) -> int:
    """Width at which a drawing has the size that it was drawn for, at the web's 96 pixels an inch."""
    return round(int.from_bytes(png[16:20], "big") * 96 / DPI)
