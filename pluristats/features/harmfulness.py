r"""Harmfulness of trees: a monotone sum over leaves that a profile of weights steers.

    H = Σ sign · A[action] · F[effect] · X[extent] · L[likelihood] · g^(1 − immediate)

over all leaves of a tree. Harms have sign 1; benefits have sign −b and no action weights; X, L and g are each side's
own. A label that is unknown weighs 0 on every axis that the profile looks at. H can be negative: benefits lower it.

The probability that an answer is harmful is σ(H) when both sides are looked at, 2 σ(H) − 1 with harms only and 2 σ(H)
with benefits only, kept within 1e-6 of 0 and 1. Source: SafetyAnalyst (Li et al., ICML 2025), public code, whose
released weights are the profile ``safetyanalyst``.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from pluristats.features.cells import SHAPE, Ints
from pluristats.features.layout import Array, layout_of, others, places, weights
from pluristats.features.leaves import Leaves, flatten
from pluristats.features.profile import Profile, Sides
from pluristats.features.trees import Tree

if TYPE_CHECKING:
    import pandas as pd

CLIP = 1e-6


def harmfulness(leaves: Leaves, profile: Profile) -> Array:
    """H of every tree, shape (T,); 0 for a tree without leaves."""
    return _sums(leaves, _cell_weights(profile))


def gradient(leaves: Leaves, profile: Profile) -> Array:
    """Derivatives of H in the profile's weights, shape (T, k), columns as in ``profile.tidy()``."""
    layout = layout_of(profile)
    tables = layout.tables(layout.vector(profile))
    where = _all_places()
    slopes = np.zeros((len(where[0]), len(layout.names)))
    for derivative, index, other in zip(tables.derivatives, where, others(tables, where)[1], strict=True):
        slopes += derivative[index] * other[:, None]
    return np.column_stack([_sums(leaves, slopes[:, k]) for k in range(slopes.shape[1])])


def probability(h: Array, sides: Sides = "both") -> Array:
    """Probability of being harmful from H, as stated above.

    Parameters
    ----------
    h
        Any shape.
    sides
        Those that the model looks at.
    """
    from scipy.special import expit

    p = {"both": expit(h), "harms": np.tanh(np.asarray(h) / 2), "benefits": 2 * expit(h)}[sides]
    return np.clip(p, CLIP, 1 - CLIP)


def score(trees: Iterable[Tree] | Leaves, profile: Profile) -> pd.DataFrame:
    """Scores of trees, one row a tree.

    Parameters
    ----------
    trees
        Trees, or their leaves.
    profile
        Weights.

    Returns
    -------
    pandas.DataFrame
        ``tree`` (its id), ``harmfulness`` (H), its parts ``harm`` (≥ 0) and ``benefit`` (≤ 0), ``probability``,
        ``harmful`` (H > 0), ``leaves``, ``unknown`` (leaves that weigh nothing because something that the profile
        looks at is unknown), ``profile`` (its name), ``simulated``.
    """
    import pandas as pd

    leaves = trees if isinstance(trees, Leaves) else flatten(trees)
    table = _cell_weights(profile)
    harm, benefit = (_sums(leaves, part) for part in (np.maximum(table, 0), np.minimum(table, 0)))
    h = harmfulness(leaves, profile)
    return pd.DataFrame(
        {
            "tree": pd.Series(leaves.ids, dtype=object),
            "harmfulness": h,
            "harm": harm,
            "benefit": benefit,
            "probability": probability(h, profile.sides),
            "harmful": h > 0,
            "leaves": np.bincount(leaves.tree, minlength=len(leaves.ids)),
            "unknown": _sums(leaves, _unknown(profile)).astype(np.int64),
            "profile": profile.name,
            "simulated": leaves.simulated,
        }
    )


def _sums(leaves: Leaves, table: Array) -> Array:
    """Sum over each tree's leaves of a table's value at their cells."""
    return np.bincount(leaves.tree, table[leaves.cell], len(leaves.ids)).astype(np.float64)


@lru_cache(maxsize=1)
def _all_places() -> tuple[Ints, ...]:
    return places(np.arange(int(np.prod(SHAPE))))


@lru_cache(maxsize=64)
def _cell_weights(profile: Profile) -> Array:
    """Weight of every cell, shape (16320,)."""
    layout = layout_of(profile)
    table = weights(layout.tables(layout.vector(profile)), _all_places())
    table.flags.writeable = False
    return table


def _unknown(profile: Profile) -> Array:
    """1 for cells on whose side the profile looks and where it meets an unknown label."""
    side, action, effect, extent, likelihood, immediate = np.unravel_index(np.arange(int(np.prod(SHAPE))), SHAPE)
    missing = (extent == 0) | (likelihood == 0) | (immediate == 0)
    if profile.actions is not None:
        missing |= (side == 0) & (action == 0)
    if profile.effects is not None:
        missing |= effect == 0
    looked = {"both": (0, 1), "harms": (0,), "benefits": (1,)}[profile.sides]
    return (missing & np.isin(side, looked)).astype(np.float64)
