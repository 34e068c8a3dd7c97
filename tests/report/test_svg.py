"""The page's rendition of a figure is the same drawing, in fewer bytes."""

from __future__ import annotations

import base64
import io
import re
from urllib.parse import unquote
from xml.etree import ElementTree

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pluristats import plot
from pluristats.report import drawing, svg
from tests.browser import page

XLINK = "{http://www.w3.org/1999/xlink}href"


@pytest.fixture(scope="module")
def images() -> dict[str, bytes]:
    """Everything that figures are made of: text, lines, hatches, markers, transparency, an image, clipping."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=300)
    with plot.style():
        fig, (left, right) = plt.subplots(1, 2, figsize=(8, 4))
        left.scatter(x, x + rng.normal(size=300), alpha=0.4, label="points")
        left.errorbar([0, 1], [1, 2], yerr=0.5, capsize=3, label="bounded $x^2$")
        left.plot([-9, 9], [-9, 9], linestyle="--", marker="")
        left.set_xlim(-2, 2)
        left.legend(title="Ωμέγα & <co>")
        right.barh([0, 1], [3, 5], hatch="///", facecolor="white", edgecolor="#0072B2")
        right.scatter(rng.uniform(0, 5, 4000), rng.uniform(0, 1, 4000), s=4, alpha=0.2, rasterized=True)
        right.stairs(rng.uniform(size=50), np.linspace(0, 5, 51), fill=True, alpha=0.5)
    return drawing.draw(fig, "everything")


def test_a_browser_draws_the_same(images: dict[str, bytes]) -> None:
    shots = []
    with page(width=1000, height=600, offline=True) as opened:
        plain = "data:image/svg+xml;base64," + base64.b64encode(images["svg"]).decode()
        for source in (plain, svg.data_uri(svg.compact(images["svg"]))):
            opened.set_content(f'<body style="margin:0;background:#fff"><img width="1000" src="{source}">')
            opened.wait_for_function("document.images[0].complete && document.images[0].naturalWidth > 0")
            pixels = Image.open(io.BytesIO(opened.screenshot())).convert("L")
            shots.append(np.asarray(pixels, dtype=np.int64))
    assert shots[0].std() > 10  # something is drawn
    apart = np.abs(shots[0] - shots[1])
    assert apart.mean() < 0.1 and (apart > 64).mean() < 2e-4  # of 255: edges that move by 0.01 of a point


def test_it_is_shorter_refers_to_what_is_there_and_draws_as_many_elements(images: dict[str, bytes]) -> None:
    short = svg.compact(images["svg"])
    assert len(svg.data_uri(short)) < 0.75 * len(images["svg"])
    old, new = (ElementTree.fromstring(text) for text in (images["svg"], short))
    for tag in ("use", "path", "image", "clipPath"):
        kind = f"{{http://www.w3.org/2000/svg}}{tag}"
        assert len(list(old.iter(kind))) == len(list(new.iter(kind))) > 0
    ids = [e.attrib["id"] for e in new.iter() if "id" in e.attrib]
    references = {e.attrib[XLINK][1:] for e in new.iter() if e.attrib.get(XLINK, "").startswith("#")}
    references |= set(re.findall(r"url\(#([^)]+)\)", short.decode()))
    assert references == set(ids) and len(ids) == len(set(ids))
    assert svg.compact(images["svg"]) == short  # the same bytes each time


def test_an_address_needs_no_escaping_in_an_attribute(images: dict[str, bytes]) -> None:
    address = svg.data_uri(svg.compact(images["svg"]))
    assert not set(address) & set('"<>&#\n')
    drawn = ElementTree.fromstring(unquote(address.partition(",")[2]))
    assert drawn.tag == "{http://www.w3.org/2000/svg}svg"
    quoted = svg.data_uri(b"""<svg xmlns="http://www.w3.org/2000/svg"><g id="it's"/></svg>""")
    assert ElementTree.fromstring(unquote(quoted.partition(",")[2]))[0].attrib == {"id": "it's"}


@pytest.mark.parametrize("colours", [1, 256, 257])
def test_images_of_few_colours_keep_every_pixel_in_a_byte_each(colours: int) -> None:
    made = np.random.default_rng(colours).integers(0, 256, size=(colours, 4), dtype=np.uint8)
    pixels = made[np.arange(40_000).reshape(200, 200) % colours]
    buffer = io.BytesIO()
    Image.fromarray(pixels, mode="RGBA").save(buffer, format="PNG")
    short = svg.paletted(buffer.getvalue())
    assert (short != buffer.getvalue()) == (colours <= 256)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(short)).convert("RGBA")), pixels)


def test_groups_with_an_opacity_of_their_own_are_not_merged() -> None:
    text = b"""<svg xmlns="http://www.w3.org/2000/svg"><g style="opacity: 0.5"><path d="M 0 0"/></g>
    <g style="opacity: 0.5"><path d="M 0 0"/></g><path style="opacity: 0.5" d="M 0 0"/>
    <path style="opacity: 0.5" d="M 0 0"/></svg>"""
    assert [child.attrib["style"] for child in ElementTree.fromstring(svg.compact(text))] == ["opacity:0.5"] * 4


def test_the_smaller_rendition_is_the_one_in_the_page() -> None:
    noise = np.random.default_rng(2)
    fig, ax = plt.subplots(figsize=(1, 1))
    ax.scatter(noise.uniform(size=9000), noise.uniform(size=9000), s=200, c="black")
    assert drawing.inline(drawing.draw(fig, "blot")).startswith("data:image/png;base64,")


RNG = np.random.default_rng(3)
RATINGS = pd.DataFrame({"fitted": RNG.normal(size=15_000), "resid": RNG.normal(size=15_000)})
LEVELS = pd.DataFrame(
    [(level / 10, low, low + 1.0, RNG.uniform()) for level in range(11) for low in range(100)],
    columns=["harm_level", "low", "high", "share"],
)


def specifications(n: int) -> pd.DataFrame:
    table = pd.DataFrame({"id": [f"s{i}" for i in range(n)], "rows": ["own", "common"] * (n // 2), "model": "1"})
    delta = RNG.normal(size=n)
    return table.assign(delta_step=delta, delta_null=delta, same_rows=True, same_rows_null=True, published=0.0)


@pytest.mark.parametrize(
    ("name", "table", "most"),
    [
        ("residuals", RATINGS, 1000),
        ("rating_distributions", LEVELS, 500),
        ("specification_curve", specifications(4680), 500),
        ("specification_curve", specifications(200), 500),
    ],
)
def test_dense_layers_are_pixels_or_one_outline(name: str, table: pd.DataFrame, most: int) -> None:
    """What a figure of thousands of points weighs does not grow with them."""
    axes = plot.specification_curve(table, "1") if name == "specification_curve" else getattr(plot, name)(table)
    drawn = drawing.draw((axes[0] if isinstance(axes, tuple) else axes).figure, name)["svg"]
    assert drawn.count(b"<use") + drawn.count(b"<path") < most
