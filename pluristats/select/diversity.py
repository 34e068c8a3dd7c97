"""How alike the selected texts are, and how many seeds they come from."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from pluristats.display.shown import Displayed, Shown, mark
from pluristats.errors import PoolError


@dataclass(frozen=True, eq=False)
class Diversity(Displayed):
    """Diversity of a selection.

    Parameters
    ----------
    rows
        Selected.
    seeds
        Distinct seeds; as many as rows where the pool has no seeds.
    most_per_seed
        Rows of the seed that has the most.
    mean_similarity
        Mean similarity of all pairs of texts, NaN where there are no texts or only one: |A ∩ B| / |A ∪ B|, A and B the
        sets of three consecutive characters (case and white space do not count).
    near_duplicates
        One row a pair of texts with at least the similarity asked for: first, second (rows of the pool), similarity,
        same_seed; the most alike first.
    threshold
        That similarity.
    simulated
        Whether any row says of itself that it is.
    """

    rows: int
    seeds: int
    most_per_seed: int
    mean_similarity: float
    near_duplicates: pd.DataFrame = field(repr=False)
    threshold: float
    simulated: bool = False

    def __repr__(self) -> str:
        alike = f"{len(self.near_duplicates):,} near-duplicates (from {self.threshold:g})"
        simulated = mark(self.simulated)
        return f"<Diversity: {self.rows:,} rows of {self.seeds:,} seeds, {alike}{simulated}>"

    def _shown(self) -> Shown:
        tables = [("Diversity of the selection", self.glance())]
        if len(self.near_duplicates):
            tables.append((f"Texts alike from {self.threshold:g}", self.near_duplicates))
        return Shown("", self.simulated, tables=tuple(tables))

    def glance(self) -> pd.DataFrame:
        """One row: rows, seeds, most_per_seed, mean_similarity, near_duplicates (pairs), threshold."""
        facts = {
            "rows": self.rows,
            "seeds": self.seeds,
            "most_per_seed": self.most_per_seed,
            "mean_similarity": self.mean_similarity,
            "near_duplicates": len(self.near_duplicates),
            "threshold": self.threshold,
        }
        return pd.DataFrame([facts])


def diversity(frame: pd.DataFrame, *, text: str = "text", similar: float = 0.9) -> Diversity:
    """Diversity of rows of a pool.

    Parameters
    ----------
    frame
        The rows, with their numbers in the pool as index.
    text
        Column of texts; a frame without it has no similarities.
    similar
        Similarity from which two texts are near-duplicates, above 0 and at most 1.

    Raises
    ------
    PoolError
        ``similar`` is out of its range, or a text is missing.
    """
    from pluristats.generate.checks import similarities

    if not 0 < similar <= 1:
        raise PoolError(f"similar is a number above 0 and at most 1, not {similar!r}.")
    seeds = frame["seed"].to_numpy() if "seed" in frame else frame.index.to_numpy()
    counts = pd.Series(seeds).value_counts()
    columns = ["first", "second", "similarity", "same_seed"]
    mean, pairs = np.nan, pd.DataFrame(columns=columns)
    if text in frame and len(frame) > 1:
        missing = frame.index[frame[text].isna()]
        if len(missing):
            raise PoolError(f"row {missing[0]} of the pool has no {text}; give every candidate one.")
        matrix = similarities([" ".join(str(t).casefold().split()) for t in frame[text]])
        first, second = np.triu_indices(len(frame), 1)
        values = matrix[first, second]
        mean = float(values.mean())
        at = np.flatnonzero(values >= similar)
        at = at[np.argsort(-values[at], kind="stable")]
        index = frame.index.to_numpy()
        found = {
            "first": index[first[at]],
            "second": index[second[at]],
            "similarity": values[at],
            "same_seed": seeds[first[at]] == seeds[second[at]],
        }
        pairs = pd.DataFrame(found)
    simulated = "simulated" in frame and bool(frame["simulated"].astype(bool).any())
    return Diversity(len(frame), len(counts), int(counts.max()), mean, pairs, similar, simulated)
