"""A figure's SVG as it goes into a page: the same drawing in about half the bytes."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator
from itertools import count, groupby
from urllib.parse import quote
from xml.etree import ElementTree

from pluristats.report.svgpath import steps

_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_HREF = f"{{{_XLINK}}}href"
_LENGTHS = ("x", "y", "width", "height", "x1", "x2", "y1", "y2")

_PNG = "data:image/png;base64,"
_GROUP = f"{{{_SVG}}}g"

_FRACTION = re.compile(r"-?\d*\.\d+(?![\de])")
_SHIFTED = re.compile(r"translate\((-?[\d.]+) 0\)")
_TRANSLATED = re.compile(r"translate\([^)]*\)")
# Of a group it is that of all together, of each member its own.
_OPACITY = re.compile(r"(?:^|;) *opacity")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
# A glyph's outline has 64 steps in each hundredth of the font's size; 8 are more than any screen shows.
_GLYPH, _COARSER = "scale(0.015625)", "scale(.125)"
# What a data address may hold unescaped inside a double-quoted attribute.
_PLAIN = " '()*+,-./:;=!@[]_~"


def compact(svg: bytes) -> bytes:
    """SVG without what nobody sees: comments, metadata, white space, names, and digits below 0.005 of a point.

    Glyphs keep their outlines, so that the drawing is the same whatever fonts a reader has.

    Parameters
    ----------
    svg
        As matplotlib writes it.
    """
    root = ElementTree.fromstring(svg)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag == f"{{{_SVG}}}metadata":
                parent.remove(child)
    names = _names(root)
    for element in root.iter():
        element.text = element.tail = None
        _shorten(element, names)
    _unwrap(root)
    _share(root)
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _XLINK)
    return ElementTree.tostring(root)


def data_uri(svg: bytes) -> str:
    """Address that holds the drawing itself, for an attribute in double quotes; shorter than in base64.

    Parameters
    ----------
    svg
        As `compact` gives it.
    """
    text = svg.decode().replace(" />", "/>").replace("xlink:href", "href").replace(f' xmlns:xlink="{_XLINK}"', "")
    if "'" not in text:
        text = text.replace('"', "'")
    return "data:image/svg+xml," + quote(text, safe=_PLAIN)


def paletted(png: bytes) -> bytes:
    """PNG of the same pixels with a byte for each, where there are at most 256 colours (and transparencies) of them."""
    import numpy as np
    from PIL import Image

    pixels = np.ascontiguousarray(Image.open(io.BytesIO(png)).convert("RGBA"))
    colours, index = np.unique(pixels.view("<u4"), return_inverse=True)
    if colours.size > 256:
        return png
    of = colours.astype("<u4").view(np.uint8).reshape(-1, 4)
    image = Image.fromarray(index.reshape(pixels.shape[:2]).astype(np.uint8), mode="P")
    image.putpalette(of[:, :3].tobytes())
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True, transparency=of[:, 3].tobytes())
    return min(buffer.getvalue(), png, key=len)


def _names(root: ElementTree.Element) -> dict[str, str]:
    """Short names of what other elements refer to, by their long ones."""
    referred: set[str] = set()
    for element in root.iter():
        for key, value in element.attrib.items():
            referred.update([value[1:]] if key == _HREF and value[:1] == "#" else _REFERENCE.findall(value))
    fresh = _short_names()
    return {e.attrib["id"]: next(fresh) for e in root.iter() if e.attrib.get("id") in referred}


def _short_names() -> Iterator[str]:
    """Yield a, b, … z, a1, b1 and so on."""
    for round_ in count():
        for letter in "abcdefghijklmnopqrstuvwxyz":
            yield f"{letter}{round_ or ''}"


def _shorten(element: ElementTree.Element, names: dict[str, str]) -> None:
    given = element.attrib
    if given.get("id") not in names:
        given.pop("id", None)
    if "d" in given and given.get("transform") == _GLYPH:
        given["d"], given["transform"] = steps(given["d"], 0, 1 / 8), _COARSER
    elif "d" in given:
        given["d"] = steps(given["d"], 2)
    for key, value in given.items():
        given[key] = _REFERENCE.sub(lambda match: f"url(#{names[match[1]]})", _value(key, value, names))
    # A glyph's place: a distance along the line says it in fewer letters than a transformation.
    shift = _SHIFTED.fullmatch(given.get("transform", ""))
    if element.tag == f"{{{_SVG}}}use" and "x" not in given and shift:
        del given["transform"]
        given["x"] = f"{round(float(shift[1]), 1):g}"  # in hundredths of the font's size


def _value(key: str, value: str, names: dict[str, str]) -> str:
    """An attribute in fewer letters."""
    if key == "id":
        return names[value]
    if key == _HREF and value[:1] == "#":
        return "#" + names[value[1:]]
    if key == _HREF and value.startswith(_PNG):
        return _PNG + base64.b64encode(paletted(base64.b64decode(value.removeprefix(_PNG)))).decode()
    if key in _LENGTHS:
        return _rounded(value)
    if key == "style":
        return value.replace("; ", ";").replace(": ", ":")
    if key == "transform":
        return _TRANSLATED.sub(lambda match: _rounded(match[0]), value)
    return value


def _rounded(text: str) -> str:
    """Numbers with at most two decimals."""
    return _FRACTION.sub(lambda match: f"{round(float(match[0]), 2) + 0:g}", text)


def _unwrap(root: ElementTree.Element) -> None:
    """Take out groups that say nothing, their children staying in place."""
    for parent in reversed(list(root.iter())):  # children before their parents
        children: list[ElementTree.Element] = []
        for child in parent:
            children.extend(child if child.tag == _GROUP and not child.attrib else [child])
        parent[:] = children


def _share(root: ElementTree.Element) -> None:
    """Neighbours that are painted and clipped alike say so once, in a group around them."""
    for parent in list(root.iter()):
        groups: list[ElementTree.Element] = []
        for child in parent:
            if (
                groups
                and child.tag == groups[-1].tag == _GROUP
                and child.attrib == groups[-1].attrib
                and _inherits(child)
            ):
                groups[-1].extend(child)
                child[:] = []
            else:
                groups.append(child)
        parent[:] = [_together(list(run)) for _, run in groupby(groups, _paint)]


def _inherits(element: ElementTree.Element) -> bool:
    """Whether a group with these attributes draws as each of its members would."""
    return set(element.attrib) <= {"style", "clip-path"} and not _OPACITY.search(element.get("style", ""))


def _paint(element: ElementTree.Element) -> tuple[str, ...]:
    """What a run of neighbours has in common; an element that is on its own has only itself."""
    style = element.get("style", "")
    if len(element) or not style or _OPACITY.search(style):
        return (str(id(element)),)
    return style, element.get("clip-path", ""), element.tag


def _together(run: list[ElementTree.Element]) -> ElementTree.Element:
    if len(run) == 1:
        return run[0]
    group = ElementTree.Element(_GROUP, {k: run[0].attrib[k] for k in ("style", "clip-path") if k in run[0].attrib})
    for element in run:
        for key in group.attrib:
            del element.attrib[key]
    group.extend(run)
    return group
