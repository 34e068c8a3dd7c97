"""Sentence embeddings by any encoder: the mean of its last states over the words, of length 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pluristats.values.pretrained import fits_utf8, load_pretrained


@dataclass(frozen=True, eq=False)
class Embedder:
    """Texts to vectors: v = Σ_t m_t h_t / ‖Σ_t m_t h_t‖, with last hidden states h and attention mask m.

    KALEIDO's public code filters with ``sentence-transformers/all-mpnet-base-v2``.

    Parameters
    ----------
    tokenizer, model
        Of transformers; make one with `load`.
    at_once
        Texts in a batch.
    """

    tokenizer: Any
    model: Any
    at_once: int = 128

    @classmethod
    def load(cls, name: str, *, revision: str | None = None, device: str | None = None, at_once: int = 128) -> Embedder:
        """From a hub or folder: see `load_pretrained` for the parameters and errors."""
        return cls(*load_pretrained("AutoModel", name, revision, device, unused="pooler."), at_once)

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors, shape (len(texts), d). Texts are cut at the longest input that the model takes."""
        import torch

        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))  # alike lengths need little padding
        vectors = np.empty((len(texts), self.model.config.hidden_size), dtype=np.float32)
        longest = min(self.tokenizer.model_max_length, self.model.config.max_position_embeddings)
        for start in range(0, len(order), self.at_once):
            rows = order[start : start + self.at_once]
            batch = self.tokenizer(
                [fits_utf8(texts[i]) for i in rows], padding=True, truncation=True, max_length=longest,
                return_tensors="pt",
            ).to(self.model.device)  # fmt: skip
            with torch.inference_mode():
                states = self.model(**batch).last_hidden_state
                summed = (states * batch["attention_mask"][:, :, None]).sum(dim=1)
                vectors[rows] = torch.nn.functional.normalize(summed, dim=1).cpu().numpy()
        return vectors
