"""Topic models as files, without pickle: two in a folder.

``topics.json`` has texts, counts, topics, keywords, names, settings, versions and notes (ASCII, so that lone surrogates
are kept as escapes). It names ``arrays-….npz``, which has the embeddings and, for the light embedder, its numbers, by
its SHA-256. The JSON is written last and in one step: a folder always holds a whole model, the old one or the new.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from pluristats.errors import TopicError
from pluristats.topics.embed import Embedder
from pluristats.topics.light import LightEmbedder
from pluristats.topics.model import TopicModel
from pluristats.topics.nearest import Agreement
from pluristats.topics.sentences import sentence_embedder
from pluristats.topics.settings import Settings

NAME, KIND, FORMAT = "topics.json", "pluristats topics", 1
_ARRAYS = re.compile(r"arrays-[0-9a-f]{16}\.npz")
T = TypeVar("T")


def save(model: TopicModel, folder: str | Path, *, force: bool = False) -> Path:
    """Write a model; see `TopicModel.save`."""
    folder = Path(folder)
    check_folder(folder, force)
    arrays: dict[str, Any] = {"vectors": model.vectors}
    light = None
    if isinstance(model.embedder, LightEmbedder):
        arrays |= {"idf": model.embedder.idf, "components": model.embedder.components}
        light = {"words": model.embedder.words, "pieces": model.embedder.pieces}
    packed = io.BytesIO()
    np.savez(packed, allow_pickle=False, **arrays)
    sha256 = hashlib.sha256(packed.getvalue()).hexdigest()
    content = {
        "kind": KIND,
        "format": FORMAT,
        "simulated": model.simulated,
        "embedding": dict(model.embedding),
        "settings": asdict(model.settings),
        "versions": dict(model.versions),
        "notes": model.notes,
        "far": model.far,
        "agreement": {**asdict(model.agreement), "share_in_topics": _or_none(model.agreement.share_in_topics)},
        "merged_from": model.merged_from,
        "arrays": f"arrays-{sha256[:16]}.npz",
        "sha256": sha256,
        "names": model.names,
        "name_sources": model.name_sources,
        "keywords": model.keywords[["topic", "rank", "keyword", "weight"]].values.tolist(),
        "light": light,
        "texts": model.texts,
        "counts": model.counts.tolist(),
        "topic": model.topic.tolist(),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _put(folder / str(content["arrays"]), packed.getvalue())
        _put(folder / NAME, json.dumps(content, allow_nan=False).encode("ascii"))
        for old in folder.iterdir():
            if _ARRAYS.fullmatch(old.name) and old.name != content["arrays"]:
                old.unlink()
    except OSError as error:
        raise TopicError(f"{folder}: cannot be written ({error.strerror}); name another folder.") from None
    return folder


def load_topics(folder: str | Path, *, embed: Embedder | None = None) -> TopicModel:
    """Read a model that `TopicModel.save` wrote.

    Parameters
    ----------
    folder
        Where it is.
    embed
        The embedder that it was fitted with, for new texts. Not needed for fitted texts, nor where it was MiniLM (when
        its package is there) or the light one, which comes with the model.

    Raises
    ------
    TopicError
        A file is missing, damaged or of something else, or ``embed`` is another embedder; the message names the file.
    """
    folder = Path(folder)
    path = folder / NAME
    content = _content(path)
    arrays = _arrays(folder, content)
    try:
        model = _model(content, arrays)
    except (TopicError, KeyError, TypeError, ValueError, OverflowError) as error:
        reason = f"it has no {error}" if isinstance(error, KeyError) else " ".join(str(error).split())[:200]
        raise TopicError(f"{path} is not a topic model as pluristats writes it ({reason}); save it again.") from None
    return _with_embedder(model, content, arrays, embed, path)


def _model(content: dict[str, Any], arrays: dict[str, Any]) -> TopicModel:
    texts, n = _list(content["texts"], str), len(content["texts"])
    names, sources = _list(content["names"], str), _list(content["name_sources"], str)
    topic, counts = (np.array(_list(content[key], int), dtype=np.int64) for key in ("topic", "counts"))
    vectors = arrays["vectors"]
    keywords = pd.DataFrame(content["keywords"], columns=["topic", "rank", "keyword", "weight"])
    keywords = keywords.astype({"topic": np.int64, "rank": np.int64, "keyword": object, "weight": np.float64})
    whole = (
        n > 0
        and list(texts) == sorted(set(texts))
        and len(sources) == len(names)
        and topic.shape == counts.shape == (n,)
        and -1 <= topic.min() <= topic.max() < len(names)
        and counts.min() >= 1
        and keywords["topic"].between(0, len(names) - 1).all()
        and vectors.dtype == np.float32
        and vectors.ndim == 2
        and len(vectors) == n
        and np.isfinite(vectors).all()
    )
    if not whole:
        raise ValueError("its parts do not fit together")
    agreement = dict(content["agreement"])
    if agreement["share_in_topics"] is None:
        agreement["share_in_topics"] = float("nan")
    return TopicModel(
        texts=texts,
        counts=counts,
        topic=topic,
        vectors=vectors,
        keywords=keywords,
        names=names,
        name_sources=sources,
        settings=Settings(**content["settings"]),
        far=float(content["far"]),
        agreement=Agreement(**agreement),
        merged_from=int(content["merged_from"]),
        embedding={"kind": "", "name": "", **content["embedding"]},
        versions=dict(content["versions"]),
        notes=_list(content["notes"], str),
        simulated=bool(content["simulated"]),
    )


def _with_embedder(
    model: TopicModel, content: dict[str, Any], arrays: dict[str, Any], embed: Embedder | None, path: Path
) -> TopicModel:
    """The model with the given embedder, or the one that its identity names, where that can be had."""
    from dataclasses import replace

    kind = model.embedding["kind"]
    if embed is None and kind == "minilm":
        try:
            embed = sentence_embedder()
        except TopicError:
            return model  # fitted texts need none; a new one says so
    elif embed is None and kind == "light":
        try:
            terms = {part: _list(content["light"][part], str) for part in ("words", "pieces")}
            embed = LightEmbedder(
                **terms, idf=arrays["idf"], components=arrays["components"], seed=int(model.embedding["seed"])
            )
        except (KeyError, TypeError, ValueError) as error:
            raise TopicError(f"{path} lacks parts of its light embedder ({error}); save the model again.") from None
    if embed is not None and dict(embed.identity) != dict(model.embedding):
        raise TopicError(
            f"{path}: the model was fitted with {_told(model.embedding)}, not with {_told(embed.identity)}; give that "
            "embedder, or fit the texts again."
        )
    return replace(model, embedder=embed)


def _told(identity: Any) -> str:
    return f"{identity.get('name')!r} ({', '.join(f'{k} {str(v)[:12]}' for k, v in identity.items() if k != 'name')})"


def _list(values: Any, kind: type[T]) -> tuple[T, ...]:
    if not isinstance(values, list) or not all(isinstance(v, kind) and not isinstance(v, bool) for v in values):
        raise ValueError(f"a list of {kind.__name__} holds something else")
    return tuple(values)


def _content(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise TopicError(f"{path} cannot be read ({error.strerror}); give the folder of a saved topic model.") from None
    except (ValueError, RecursionError) as error:
        raise TopicError(f"{path} is not JSON ({str(error)[:100]}); save the model again.") from None
    if not isinstance(content, dict) or content.get("kind") != KIND:
        raise TopicError(f"{path} is not a topic model of pluristats; give the folder of one.")
    if content.get("format") != FORMAT:
        raise TopicError(f"{path} has format {content.get('format')!r}, this pluristats reads {FORMAT}; fit it again.")
    return content


def _arrays(folder: Path, content: dict[str, Any]) -> dict[str, Any]:
    name = str(content.get("arrays"))
    if not _ARRAYS.fullmatch(name):  # a name from a file must not lead out of the folder
        raise TopicError(f"{folder / NAME} names no file of arrays; save the model again.")
    path = folder / name
    try:
        packed = path.read_bytes()
        if hashlib.sha256(packed).hexdigest() != content.get("sha256"):
            raise TopicError(f"{path} is not the file that was written with {NAME}; save the model again.")
        with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
            return {key: arrays[key] for key in arrays.files}
    except OSError as error:
        raise TopicError(f"{path} cannot be read ({error.strerror or error}); save the model again.") from None
    except (ValueError, EOFError, BadZipFile) as error:
        raise TopicError(f"{path} does not hold arrays ({error}); save the model again.") from None


def check_folder(folder: Path, force: bool) -> None:
    """Refuse a place where a model cannot or should not be saved.

    Raises
    ------
    TopicError
        It is a file, or a folder that holds something else (unless ``force``).
    """
    if folder.exists() and not folder.is_dir():
        raise TopicError(f"{folder} is a file; name a folder.")
    if folder.is_dir() and not force and any(folder.iterdir()):
        try:
            _content(folder / NAME)
        except TopicError:
            raise TopicError(
                f"{folder} holds something else than a topic model; name another folder, or force writing into it."
            ) from None


def _put(path: Path, content: bytes) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(part, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _or_none(number: float) -> float | None:
    return None if number != number else number
