"""Topics of statements with known themes; reruns, copies, and what cannot be fitted."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from pluristats.errors import DroppedRowsWarning, FewTopicsWarning, TopicError
from pluristats.topics import CustomEmbedder, TopicModel, fit_topics, load_topics
from pluristats.topics.fit import by_text
from tests.conftest import ROOT
from tests.topics.models import circle
from tests.topics.statements import statements

THEMES = 6
TEXTS, OF = statements(600, themes=THEMES, seed=1)


def fit(texts: list[str], **more: object) -> TopicModel:
    settings = {"topics": THEMES, "embed": "light", "min_cluster_size": 15, "progress": False}
    return fit_topics(texts, **{**settings, **more})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def model() -> TopicModel:
    """Of all texts, the first three given often."""
    pytest.importorskip("bertopic", reason="needs BERTopic: pip install 'pluristats[topics]'")
    return fit(TEXTS[:3] * 50 + TEXTS)


@pytest.mark.slow
def test_themes_are_found(model: TopicModel) -> None:
    theme = dict(zip(TEXTS, OF, strict=True))
    assert adjusted_rand_score([theme[text] for text in model.texts], model.topic) > 0.9
    assert model.n_topics == THEMES < model.merged_from
    assert (model.notes, model.agreement.share > 0.9) == ((), True)
    sizes = model.topics["texts"][1:].tolist()
    assert sizes == sorted(sizes, reverse=True)
    assert int(model.topics["size"].sum()) == 750
    assert set(model.versions) >= {"bertopic", "umap-learn", "hdbscan", "numba", "numpy"}
    # Keywords are words of the topic's own texts, and no stop words.
    for row in model.keywords.itertuples():
        own = " ".join(t for t, topic in zip(model.texts, model.topic, strict=True) if topic == row.topic).lower()
        assert set(row.keyword.split()) <= set(own.replace("-", "").replace("'", "").replace(",", "").split())
        assert not set(row.keyword.split()) & {"value", "right", "duty", "and", "of", "the"}
    assert (model.keywords.groupby("topic")["weight"].diff().dropna() <= 0).all()
    assert model.name_sources == ("keywords",) * THEMES


@pytest.mark.slow
def test_new_texts_of_a_theme_have_its_topic(model: TopicModel, tmp_path) -> None:  # type: ignore[no-untyped-def]
    new, of = statements(600, themes=THEMES, seed=2)
    table = model.assign(new)
    assert adjusted_rand_score(of, table["topic"]) > 0.9
    assert load_topics(model.save(tmp_path / "m")).assign(new).equals(table)
    assert (model.assign(model.texts)["topic"] == model.topic).all()


@pytest.mark.slow
def test_another_process_with_other_threads_and_order_finds_the_same(model: TopicModel) -> None:
    code = (
        "from tests.topics.test_fit import fit, TEXTS\n"
        "print(fit(TEXTS[::-1] + 50 * TEXTS[2::-1]).digest())"
    )  # fmt: skip
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, **dict.fromkeys(names, "2")},
    )
    assert done.stdout.split()[-1] == model.digest()


@pytest.mark.slow
def test_copies_count_only_when_kept(model: TopicModel) -> None:
    once = fit(TEXTS)
    assert (once.topic == model.topic).all()
    assert once.keywords.equals(model.keywords)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FewTopicsWarning)
        kept = fit(TEXTS[:3] * 300 + TEXTS, duplicates="keep", topics=30)
    # A text with 301 copies is a topic by itself, but for a few; folded it is with its theme.
    for text in TEXTS[:3]:
        apart, together = kept.topic_of_text([text])[text], model.topic_of_text([text])[text]
        assert len(kept.sample(apart)) <= 8
        assert len(model.sample(together)) > 50
        assert kept.topics["size"][apart + 1] > 300


@pytest.mark.slow
def test_fewer_topics_than_asked_for_are_said(model: TopicModel) -> None:
    texts = [*TEXTS, "", " ", "\ud800", "=cmd|' /C calc'!A0", "privacy " * 10_000]
    with (
        pytest.warns(FewTopicsWarning, match="topics were found where 39 were asked for; a min_cluster_size"),
        pytest.warns(DroppedRowsWarning, match="2 of 605 texts are blank"),
    ):
        few = fit(texts, topics=39)
    assert few.n_topics == few.merged_from < 39
    assert few.notes[0] == "2 of 605 texts are blank: they are not clustered and have no topic"
    assert few.notes[1] == "1 different texts are longer than the embedder reads: they were cut"
    assert few.notes[2] == f"{few.n_topics} topics were found where 39 were asked for"
    assert len(few.texts) == 603


@pytest.mark.slow
def test_texts_that_do_not_differ_have_no_topics() -> None:
    pytest.importorskip("bertopic", reason="needs BERTopic: pip install 'pluristats[topics]'")
    with pytest.raises(TopicError, match="no words but stop words"):
        fit([" ".join(["right", "to", "the"][i % 3] for i in range(n)) for n in range(2, 60)],
            embed=CustomEmbedder(lambda texts: [[1.0, i] for i in range(len(texts))], "line"))  # fmt: skip


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(-1, 3)), max_size=30))
def test_a_text_has_the_topic_of_most_of_its_copies(more: list[tuple[int, int]]) -> None:
    copies = [*((i, i - 1) for i in range(5)), *more]
    which, topic = (np.array(column, dtype=np.int64) for column in zip(*copies, strict=True))
    found, split = by_text(topic, which, 5)
    own = [[t for i, t in copies if i == text] for text in range(5)]
    assert found.tolist() == [max(sorted(set(topics)), key=topics.count) for topics in own]
    assert split == sum(len(set(topics)) > 1 for topics in own)


@pytest.mark.parametrize(
    ("texts", "settings", "message"),
    [
        ([], {}, "there are 0 different texts that are not blank; with min_cluster_size=15 topics need at least 30"),
        (TEXTS[:29] * 9, {}, "there are 29 different texts"),
        (TEXTS[:14] * 9, {"duplicates": "keep"}, "there are 14 different .* n_neighbors=15 and n_components=5 need"),
        (TEXTS[:3], {"duplicates": "keep"}, "there are 3 texts that are not blank"),
        ([*TEXTS, None], {}, "text 601 is None, which is no text"),
        (TEXTS, {"embed": "bert"}, "embed is minilm, light or an embedder, not 'bert'"),
        (TEXTS, {"embed": circle}, "see CustomEmbedder"),
        (TEXTS, {"topics": 0}, "topics is a whole number from 1, not 0"),
        (TEXTS, {"seed": -1}, "seed is a whole number from 0, not -1"),
        (TEXTS, {"seed": True}, "seed is a whole number from 0, not True"),
        (TEXTS, {"min_cluster_size": 1}, "min_cluster_size is a whole number from 2, not 1"),
        (TEXTS, {"duplicates": "drop"}, "duplicates is fold or keep, not 'drop'"),
        (TEXTS, {"language": "german"}, "language is english or multilingual, not 'german'"),
    ],
)
def test_what_cannot_be_fitted_is_refused(texts: list[str], settings: dict[str, object], message: str) -> None:
    with pytest.raises(TopicError, match=message):
        fit(texts, **settings)


def test_a_missing_bertopic_is_said_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bertopic", None)
    with pytest.raises(TopicError, match=r"topics need BERTopic .pip install 'pluristats\[topics\]'."):
        fit(TEXTS)
