"""The prompt features of PluriHarms, counted from trees: which harmful actions and effects a tree names most.

The released ``action_*`` and ``effect_*`` are shares of counts: of at most 5 actions and of 3 effects, each row summing
to 1, the same for all variants of a seed. How they were counted is not published; whole-number ratios, and effects that
are two to three times the actions, fit actions counted once a branch and effects once a leaf, without weights.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from pluristats.distinct import factorise
from pluristats.errors import TreeError, UnknownLabelsWarning
from pluristats.features.layout import Array
from pluristats.features.taxonomy import ACTION_COLUMNS, EFFECT_COLUMNS, match_action, match_effect
from pluristats.features.trees import SIDES, Tree

if TYPE_CHECKING:
    import pandas as pd

EffectsOf = Literal["harms", "benefits", "both"]


def tree_counts(trees: Iterable[Tree], effects_of: EffectsOf = "harms") -> pd.DataFrame:
    """How often each category occurs in each tree, one row a tree.

    Parameters
    ----------
    trees
        Trees.
    effects_of
        Whose effects to count. Actions are those of harms: benefits have no action categories.

    Returns
    -------
    pandas.DataFrame
        ``tree`` (its id, or place from "1"), the columns of the release (``action_…``: branches, ``effect_…``:
        leaves), ``unknown_actions``, ``unknown_effects`` (in no category), ``simulated``.

    Raises
    ------
    TreeError
        ``effects_of`` is something else.
    """
    import pandas as pd

    if effects_of not in ("harms", "benefits", "both"):
        raise TreeError(f"effects_of is harms, benefits or both, not {effects_of!r}.")
    counted = SIDES if effects_of == "both" else (effects_of,)
    ids, simulated, rows = [], [], []
    actions, effects = len(ACTION_COLUMNS), len(EFFECT_COLUMNS)
    for i, tree in enumerate(trees):
        # The last place of each part is what -1, unknown, counts into.
        action, effect = np.zeros(actions + 1, dtype=np.int64), np.zeros(effects + 1, dtype=np.int64)
        for _, side, branch in tree.branches():
            if side == "harms":
                action[match_action(branch.label).place] += 1
            if side in counted:
                for leaf in branch.effects:
                    effect[match_effect(leaf.label).place] += 1
        ids.append(tree.id or str(i + 1))
        simulated.append(tree.simulated)
        rows.append(np.concatenate([action[:-1], effect[:-1], action[-1:], effect[-1:]]))
    columns = [*ACTION_COLUMNS, *EFFECT_COLUMNS, "unknown_actions", "unknown_effects"]
    table = pd.DataFrame(np.array(rows, dtype=np.int64).reshape(len(rows), len(columns)), columns=columns)
    table.insert(0, "tree", ids)
    return table.assign(simulated=np.array(simulated, dtype=bool))


def tree_features(
    trees: Iterable[Tree],
    by: Sequence[object] | None = None,
    *,
    actions: int = 5,
    effects: int = 3,
    effects_of: EffectsOf = "harms",
) -> pd.DataFrame:
    """Features as in the release: shares of the most frequent actions and effects.

    share_c = n_c / Σ n over the kept categories, 0 for the others, where n are counts (:func:`tree_counts`) and the
    kept ones are the most frequent; among equally frequent ones the earlier in the taxonomy's order is kept.

    Parameters
    ----------
    trees
        Trees.
    by
        What each tree belongs to, such as its seed: counts are added within it, so that several sampled trees of a
        seed make one row. None gives one row a tree, as for trees of variants.
    actions, effects
        How many categories to keep.
    effects_of
        Whose effects to count.

    Returns
    -------
    pandas.DataFrame
        ``tree`` (the id, or the value of ``by``, in the order of first occurrence), 16 ``action_…``, 7 ``effect_…``,
        ``simulated`` (any of its trees). A part without any known label is 0 throughout.

    Raises
    ------
    TreeError
        ``by`` has not one entry a tree or misses one, or fewer than one category is to be kept.

    Warns
    -----
    UnknownLabelsWarning
        Rows have no known action or no known effect, or labels in no category were left out of the shares.
    """
    import pandas as pd

    if actions < 1 or effects < 1:
        raise TreeError(f"at least one action and one effect are kept, not {actions} and {effects}.")
    table = tree_counts(trees, effects_of)
    if by is not None:
        names = list(by)
        if len(names) != len(table):
            raise TreeError(f"by has {len(names):,} entries for {len(table):,} trees; give one a tree.")
        if pd.isna(pd.Series(names, dtype=object)).any():
            raise TreeError("by is missing for some trees; say what each belongs to, or leave them out.")
        group, labels = factorise(pd.Series(names, dtype=object))
        table = table.drop(columns="tree").groupby(group).sum()
        table.insert(0, "tree", pd.Series(labels, dtype=object))
        table["simulated"] = table["simulated"].astype(bool)
    parts = []
    for columns, keep in ((ACTION_COLUMNS, actions), (EFFECT_COLUMNS, effects)):
        parts.append(pd.DataFrame(top_shares(table[list(columns)].to_numpy(), keep), columns=list(columns)))
    _tell(table, parts)
    return pd.concat([table[["tree"]], *parts, table[["simulated"]]], axis=1)


def top_shares(counts: Array, keep: int) -> Array:
    """Shares of the ``keep`` most frequent columns of each row, 0 elsewhere.

    Parameters
    ----------
    counts
        Not negative, shape (n, c).
    keep
        How many; of equal counts the earlier column is kept.

    Returns
    -------
    Array
        Shape (n, c); rows sum to 1, those without counts are 0.
    """
    counts = np.asarray(counts, dtype=np.float64)
    order = np.argsort(-counts, axis=1, kind="stable")[:, :keep]
    kept = np.zeros_like(counts)
    np.put_along_axis(kept, order, np.take_along_axis(counts, order, axis=1), axis=1)
    total = kept.sum(axis=1, keepdims=True)
    return np.divide(kept, total, out=np.zeros_like(kept), where=total > 0)


def _tell(table: pd.DataFrame, parts: Sequence[pd.DataFrame]) -> None:
    empty = [int((part.sum(axis=1) == 0).sum()) for part in parts]
    unknown = [int(table[name].sum()) for name in ("unknown_actions", "unknown_effects")]
    told = [f"{n:,} rows have no known {what}" for n, what in zip(empty, ("action", "effect"), strict=True) if n]
    told += [f"{n:,} {what} are in no category" for n, what in zip(unknown, ("actions", "effects"), strict=True) if n]
    if told:
        message = f"{'; '.join(told)}; tree_counts shows where, and shares leave them out."
        warnings.warn(message, UnknownLabelsWarning, stacklevel=3)
