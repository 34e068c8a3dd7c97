"""What a model named for prompts, as tables."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pluristats.display.shown import Displayed, Shown, mark
from pluristats.errors import ValueItemsWarning
from pluristats.values.items import COLUMNS, check_items
from pluristats.values.journal import Journal


@dataclass(frozen=True, eq=False)
class Candidates(Displayed):
    """Items that a model named, before any is filtered.

    Parameters
    ----------
    items
        Table of items: prompts in the order given, items in the order named. An item that was named again is there
        once.
    prompts
        One row a prompt: ``prompt``, ``items``, ``repeated`` (named again), ``unparsed`` (in another form),
        ``truncated`` (the model did not see its end, at least when it was asked about some of its items),
        ``simulated``.
    unparsed
        Outputs that are no items: ``prompt``, ``output``, ``simulated``.
    """

    items: pd.DataFrame
    prompts: pd.DataFrame
    unparsed: pd.DataFrame

    def __repr__(self) -> str:
        simulated = mark(self.simulated)
        return f"<Candidates: {len(self.items):,} items of {len(self.prompts):,} prompts{simulated}>"

    def _shown(self) -> Shown:
        counted = pd.DataFrame(self.counts().items(), columns=["what", "number"])
        return Shown(
            "Items before any is filtered", self.simulated, tables=(("Counted", counted), ("Items", self.items))
        )

    @property
    def simulated(self) -> bool:
        """Whether the prompts are."""
        return bool(self.prompts["simulated"].any())

    def counts(self) -> dict[str, int]:
        """Numbers of prompts, items, repeated and unparsed outputs, and truncated prompts."""
        sums = self.prompts[["items", "repeated", "unparsed", "truncated"]].sum()
        return {"prompts": len(self.prompts), **{str(name): int(value) for name, value in sums.items()}}


def collected(texts: Mapping[Any, str], done: Journal, explain: bool, simulated: bool) -> Candidates:
    """Tables of what the journal has of these prompts."""
    columns = [*COLUMNS, *(["explanation"] if explain else [])]
    items, prompts, unparsed = [], [], []
    for prompt, text in texts.items():
        entry = done[text_key(text)]
        items += [(prompt, *row) for row in entry["items"]]
        unparsed += [(prompt, output, simulated) for output in entry["unparsed"]]
        counts = (len(entry["items"]), entry["repeated"], len(entry["unparsed"]))
        prompts.append((prompt, *counts, entry["truncated"], simulated))
    table = pd.DataFrame(items, columns=columns, dtype=object).assign(simulated=simulated)
    about = ["prompt", "items", "repeated", "unparsed", "truncated", "simulated"]
    return Candidates(
        check_items(table),
        pd.DataFrame(prompts, columns=about).astype({"prompt": object, "truncated": bool, "simulated": bool}),
        pd.DataFrame(unparsed, columns=["prompt", "output", "simulated"]).astype({"simulated": bool}),
    )


def text_key(text: str) -> str:
    """Key of a prompt's text in the journal."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def warn(found: Candidates) -> None:
    """Warn of what was not had as asked, on behalf of the caller's caller."""
    counts = found.counts()
    told = {
        "unparsed": "outputs are no items (see .unparsed)",
        "truncated": "prompts are longer than the model's input, so that it did not see their end (see .prompts)",
    }
    parts = [f"{counts[name]:,} {meaning}" for name, meaning in told.items() if counts[name]]
    if parts:
        of = f"of {counts['prompts']:,} prompts and {counts['items']:,} items"
        warnings.warn(f"{of}: {'; '.join(parts)}", ValueItemsWarning, stacklevel=3)
