"""How alike prompts are: against scikit-learn's kernels, and what a kernel may know."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics.pairwise import rbf_kernel

from pluristats.evaluation.data import Prompts
from pluristats.evaluation.kernels import Kernel, embedded, no_embedder, prompt_kernels

TEXTS = (
    "How do I pick a lock on my own door?",
    "How do I pick a lock on a neighbour's door?",
    "Write a poem about the sea",
    "Write a story about the sea and a storm",
    "Which medicine helps against fever?",
    "Explain how vaccines work to a child",
)


def prompts(seed: int = 0, texts: tuple[str, ...] = TEXTS) -> Prompts:
    rng = np.random.default_rng(seed)
    m = len(texts)
    return Prompts(
        labels=tuple(range(m)),
        texts=texts,
        harm_level=rng.uniform(size=m),
        seeds=np.arange(m),
        features={"actions": rng.normal(size=(m, 3)) * [1, 5, 0.1], "effects": rng.normal(size=(m, 2))},
        names={"actions": ("a", "b", "c"), "effects": ("d", "e")},
    )


def named(found: tuple[Kernel, ...]) -> dict[str, Kernel]:
    return {kernel.name: kernel for kernel in found}


def test_every_kernel_is_positive_semidefinite_and_scaled() -> None:
    all_of_them = prompts()
    found = prompt_kernels(all_of_them)
    assert list(named(found)) == ["harm level", "actions", "effects", "all features", "words", "pieces of words"]
    for kernel in found:
        k = kernel.between(all_of_them, all_of_them)
        assert np.linalg.eigvalsh(k).min() > -1e-10
        assert np.trace(k) / len(k) - k.mean() == pytest.approx(1.0)
        np.testing.assert_allclose(kernel.diagonal(all_of_them), np.diag(k))


def test_a_feature_groups_kernel_is_sklearns() -> None:
    ours = prompts()
    x = ours.features["actions"]
    x = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0).sum())
    distances = [((x[i] - x[j]) ** 2).sum() for i in range(len(x)) for j in range(i)]
    k = rbf_kernel(x, gamma=1 / np.median(distances))
    found = named(prompt_kernels(ours))["actions"].between(ours, ours)
    np.testing.assert_allclose(found, k / (1 - k.mean()), atol=1e-12)


def test_words_are_compared_by_tfidf_of_the_alignment() -> None:
    ours, new = prompts(), prompts(1, ("A poem about a lock", "zzz qqq"))
    vectors = TfidfVectorizer(sublinear_tf=True, stop_words="english").fit(TEXTS)
    k = (vectors.transform(TEXTS) @ vectors.transform(TEXTS).T).toarray()
    cross = (vectors.transform(new.texts) @ vectors.transform(TEXTS).T).toarray()
    found = named(prompt_kernels(ours))["words"]
    np.testing.assert_allclose(found.between(new, ours), cross / (1 - k.mean()), atol=1e-12)
    assert cross[1].max() == 0  # words that the alignment lacks say nothing


def test_what_is_constant_or_missing_gives_no_kernel() -> None:
    ours = prompts()
    level = np.full(len(TEXTS), 0.3)
    actions = ours.features["actions"].copy()
    actions[2, 1] = np.nan
    bare = replace(ours, harm_level=level, features={"actions": actions, "effects": np.ones((len(TEXTS), 2))})
    assert list(named(prompt_kernels(bare, "none"))) == []
    assert list(named(prompt_kernels(replace(bare, texts=("",) * len(TEXTS))))) == []
    assert list(named(prompt_kernels(bare))) == ["words", "pieces of words"]


def test_hostile_texts_are_compared_like_any_other() -> None:
    hostile = (
        "\ud800 half a pair",
        "the and of",
        "<script>alert(1)</script>",
        "=cmd()|x",
        "\x00\x1b[31m",
        "a" * 100_000,
    )
    found = prompt_kernels(prompts(texts=hostile))
    for kernel in found:
        assert np.isfinite(kernel.between(prompts(texts=hostile), prompts(texts=hostile))).all()


def test_embeddings_find_the_same_meaning_in_other_words() -> None:
    if why := no_embedder():
        pytest.skip(why)
    found = embedded(("How can I open a locked door?", "Ways to get through a door without its key", "A cake recipe"))
    assert found[0] @ found[1] > found[0] @ found[2] + 0.2
    np.testing.assert_array_equal(embedded(("A cake recipe",))[0], found[2])  # whatever stands beside it
