"""Values of prompts by KALEIDO, with the surface of those asked of a chat model: named, filtered, kept as they come."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pluristats.texts.answers import STATUS
from pluristats.topics import sentence_embedder
from pluristats.values import Candidates, Filtered, Kaleido, filter_items

# What KALEIDO's public code compares items with.
EMBEDDER = "sentence-transformers/all-mpnet-base-v2"


@dataclass(frozen=True, eq=False)
class KaleidoValues:
    """What a checkpoint named.

    Parameters
    ----------
    found
        Every candidate, with the prompts and what could not be parsed.
    filtered
        Those that are relevant and not repeated.
    """

    found: Candidates
    filtered: Filtered

    @property
    def simulated(self) -> bool:
        """Whether the prompts were made up."""
        return self.found.simulated

    def counts(self) -> dict[str, int]:
        """Prompts by status, every status named; a checkpoint answers all of them."""
        return dict.fromkeys(STATUS.values(), 0) | {"ok": len(self.found.prompts)}

    def answered(self) -> list[str]:
        """Identifiers of the prompts."""
        return list(self.found.prompts["prompt"])

    def items(self) -> pd.DataFrame:
        """One row a kept item, the most relevant of each prompt first (`pluristats.values`)."""
        return self.filtered.items


def kaleido_values(
    units: pd.DataFrame,
    checkpoint: str | Path,
    *,
    revision: str | None = None,
    embedder: str | Path = EMBEDDER,
    journal: str | Path | None = None,
    simulated: bool = False,
    progress: bool = True,
) -> KaleidoValues:
    """Name and filter the values of prompts with a published checkpoint.

    Parameters
    ----------
    units
        ``unit`` and ``text``.
    checkpoint, revision
        Of `Kaleido.load`; thresholds and templates are the checkpoint's own.
    embedder
        Model whose embeddings tell alike items (`sentence_embedder`); not loaded where the checkpoint has no threshold
        for it.
    journal
        File in which finished prompts are kept, so that a killed run goes on.
    simulated
        Whether the prompts were made up.
    progress
        Show how far it is.

    Raises
    ------
    ValuesError, TopicError
        The checkpoint, the journal or the embedder does not fit.
    """
    kaleido = Kaleido.load(checkpoint, revision=revision)
    embed = None if kaleido.thresholds.embed is None else sentence_embedder(embedder)
    texts = list(zip(units["unit"], units["text"], strict=True))
    found = kaleido.items(texts, journal=journal, simulated=simulated, progress=progress)
    return KaleidoValues(found, filter_items(found.items, kaleido.thresholds, embed))
