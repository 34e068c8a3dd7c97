from __future__ import annotations

import hashlib
import json
import re

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import pandas as pd
import pytest

from pluristats.report import Artifacts
from pluristats.report.drawing import inline
from tests.markup import Page

HOSTILE = "<script>alert(1)</script> & \"quoted\" 'x' \x00 \u2028 \ud800 =cmd|x"


@pytest.fixture
def frame() -> pd.DataFrame:
    return pd.DataFrame({"term": ["a", "b"], "estimate": [0.123456789, -2.0]})


def drawing():
    fig, ax = plt.subplots(figsize=(4, 3))
    ax.plot([1, 2], [3, 4])
    return fig


def test_table_is_shown_and_written_with_its_manifest_entry(tmp_path, frame):
    art = Artifacts(tmp_path / "out")
    art.table("tidy", frame, caption="Effects", regenerates="ps.rq1(study).tidy()")

    written = (tmp_path / "out/tables/tidy.csv").read_bytes()
    assert written == b"term,estimate\na,0.123456789\nb,-2.0\n"
    (entry,) = json.loads((tmp_path / "out/manifest.json").read_text())["artifacts"]
    assert entry == {
        "kind": "table",
        "name": "tidy",
        "files": {"tables/tidy.csv": hashlib.sha256(written).hexdigest()},
        "caption": "Effects",
        "regenerates": "ps.rq1(study).tidy()",
        "published": None,
        "rows": 2,
    }
    page = Page(art.shown[0])
    assert page.faults == []
    assert page.all("a") == [{"href": "tables/tidy.csv"}]
    assert "made by ps.rq1(study).tidy()" in page.text
    assert "0.12" in page.text and "0.123" not in page.text


def test_figure_writes_svg_png_and_numbers_and_shows_the_smaller(tmp_path, frame):
    art = Artifacts(tmp_path)
    art.figure("line", drawing(), caption="A line", alt="Line from 3 to 4", data=frame)

    assert (tmp_path / "figures/line.png").read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in (tmp_path / "figures/line.svg").read_bytes()
    assert (tmp_path / "figures/line.csv").read_text().startswith("term,estimate\n")
    page = Page(art.shown[0])
    assert page.faults == []
    (image,) = page.all("img")
    assert image["alt"] == "Line from 3 to 4"
    files = {kind: (tmp_path / f"figures/line.{kind}").read_bytes() for kind in ("svg", "png")}
    assert image["src"] == inline(files)
    assert 250 < int(image["width"]) < 400  # 4 inches at 96 pixels, less the margins cut off
    assert "Numbers of this figure" in page.text
    assert "−2.00" in page.text


def test_the_same_drawing_gives_the_same_bytes(tmp_path, frame):
    for folder in ("a", "b"):
        Artifacts(tmp_path / folder).figure("line", drawing(), caption="c", alt="a", data=frame)
    for ending in ("svg", "png", "csv"):
        first, second = ((tmp_path / folder / f"figures/line.{ending}").read_bytes() for folder in ("a", "b"))
        assert first == second


def test_figure_is_closed_and_axes_will_do(frame):
    fig = drawing()
    Artifacts().figure("line", fig.axes[0], caption="c", alt="a", data=frame)
    assert not plt.fignum_exists(fig.number)


def test_figure_without_alternative_text_is_an_error(frame):
    with pytest.raises(ValueError, match="'line' has no alternative text"):
        Artifacts().figure("line", drawing(), caption="c", alt=" ", data=frame)
    with pytest.raises(TypeError, match="alt"):
        Artifacts().figure("line", drawing(), caption="c", data=frame)
    plt.close("all")


def test_without_a_folder_nothing_is_written_and_nothing_is_linked(tmp_path, monkeypatch, frame):
    monkeypatch.chdir(tmp_path)
    art = Artifacts("")
    art.table("t", frame, caption="c")
    art.figure("f", drawing(), caption="c", alt="a", data=frame)
    art.note("note", "n")
    assert list(tmp_path.iterdir()) == []
    assert "<a " not in "".join(art.shown)
    assert len(art.shown) == 3


@pytest.mark.parametrize("name", ["", "../up", "a/b", "A", "a b", "é", "x" * 65, ".hidden"])
def test_names_that_are_no_file_names_are_refused(name, frame):
    with pytest.raises(ValueError, match="artefact name"):
        Artifacts().table(name, frame, caption="c")


def test_a_name_is_used_once_and_needs_a_caption(frame):
    art = Artifacts()
    art.table("t", frame, caption="c")
    with pytest.raises(ValueError, match="used twice"):
        art.figure("t", drawing(), caption="c", alt="a", data=frame)
    with pytest.raises(ValueError, match="'u' has no caption"):
        art.table("u", frame, caption="")
    plt.close("all")


def test_hostile_text_is_shown_as_text_everywhere(tmp_path):
    frame = pd.DataFrame({HOSTILE: [HOSTILE, "=1+1"], "n": [1, 2]})
    art = Artifacts(tmp_path)
    art.table("t", frame, caption=HOSTILE, regenerates=HOSTILE)
    art.figure("f", drawing(), caption=HOSTILE, alt=HOSTILE, data=frame, regenerates=HOSTILE)
    art.note("warning", HOSTILE)
    for shown in art.shown:
        page = Page(shown)
        assert page.faults == []
        assert page.all("script") == []
        assert "<script>alert(1)</script>" in page.text
        assert not re.search("[\x00\u2028\ud800]", shown)
    assert json.loads((tmp_path / "manifest.json").read_text("utf-8"))["artifacts"][2]["text"] == HOSTILE
    assert "\n'=1+1,2\n" in (tmp_path / "tables/t.csv").read_text("utf-8")


def test_notes_have_known_kinds_and_paragraphs():
    art = Artifacts()
    art.note("limitation", "first\n\nsecond")
    assert Page(art.shown[0]).texts == ["Limitation", "first", "second"]
    with pytest.raises(ValueError, match="'danger'; known are note, result"):
        art.note("danger", "x")
    with pytest.raises(ValueError, match="an empty note"):
        art.note("note", " ")


def test_each_names_the_published_figure_or_table_that_it_regenerates(tmp_path, frame):
    art = Artifacts(tmp_path)
    art.table("ours", frame, caption="c")
    art.figure("theirs", drawing(), caption="c", alt="a", data=frame, published="disagreement")
    entries = json.loads((tmp_path / "manifest.json").read_text())["artifacts"]
    assert [entry["published"] for entry in entries] == [None, "disagreement"]
    assert "nothing published corresponds" in Page(art.shown[0]).text
    assert "regenerates the paper's figure “Harm against disagreement, one point a prompt”" in Page(art.shown[1]).text
    assert Page(art.shown[0]).all("div")[0]["id"] == "table-ours"
    assert Page(art.shown[1]).all("figure")[0]["id"] == "figure-theirs"
    with pytest.raises(ValueError, match="nothing known as 'rq9'; known are composition-prompts"):
        art.table("u", frame, caption="c", published="rq9")
    art.table("u", frame, caption="c")  # a refused name is still free
