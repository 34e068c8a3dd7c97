"""Why a tree scores as it does: what each branch adds to H."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from pluristats.distinct import group_codes
from pluristats.errors import ProfileError
from pluristats.features.harmfulness import harmfulness
from pluristats.features.leaves import Leaves, flatten
from pluristats.features.profile import Profile
from pluristats.features.taxonomy import ACTIONS, EFFECTS, match_action, match_effect
from pluristats.features.trees import Tree

if TYPE_CHECKING:
    import pandas as pd

By = Literal["leaf", "branch", "stakeholder", "action", "effect"]
_KEYS: dict[str, list[str]] = {
    "branch": ["stakeholder", "side", "action"],
    "stakeholder": ["stakeholder"],
    "action": ["side", "action_category"],
    "effect": ["side", "effect_category"],
}


def explain(tree: Tree, profile: Profile, by: By = "leaf") -> pd.DataFrame:
    """Contributions to a tree's H, the largest in size first; they sum to H (up to rounding of the last digit).

    Parameters
    ----------
    tree
        One tree.
    profile
        Weights.
    by
        ``leaf``: one row a leaf. ``branch``: a stakeholder's action with all its effects. ``stakeholder``, ``action``,
        ``effect``: summed over the tree, by category for the latter two.

    Returns
    -------
    pandas.DataFrame
        ``rank``, what the rows are of, ``contribution``, ``leaves`` (how many), ``tree``, ``profile``, ``simulated``.
        Of leaves also ``action_category``, ``effect_category`` ("unknown" where nothing matches, "benefit" for actions
        of benefits), ``likelihood``, ``extent``, ``immediate``. Texts are the model's own, as it wrote them. Equal
        contributions keep the tree's order.

    Raises
    ------
    ProfileError
        ``by`` is something else.
    """
    import pandas as pd

    if by != "leaf" and by not in _KEYS:
        raise ProfileError(f"by is one of leaf, {', '.join(_KEYS)}, not {by!r}.")
    table = pd.DataFrame(
        [
            (
                who.name,
                side,
                action.label,
                leaf.label,
                "benefit" if side == "benefits" else _name(ACTIONS, match_action(action.label).place),
                _name(EFFECTS, match_effect(leaf.label).place),
                leaf.likelihood,
                leaf.extent,
                leaf.immediate,
            )
            for who, side, action in tree.branches()
            for leaf in action.effects
        ],
        columns=[
            "stakeholder",
            "side",
            "action",
            "effect",
            "action_category",
            "effect_category",
            "likelihood",
            "extent",
            "immediate",
        ],
        dtype=object,  # pandas 3's own text cannot hold half a surrogate pair
    )
    table["immediate"] = table["immediate"].tolist()
    leaves = flatten([tree])
    n = len(leaves)
    # Every leaf as a tree of its own.
    alone = Leaves(np.arange(n), leaves.cell, tuple(map(str, range(n))), np.zeros(n, dtype=bool))
    table["contribution"] = harmfulness(alone, profile) + 0.0
    table["leaves"] = 1
    if by != "leaf":
        # Branches that are written twice are summed, as they are in H.
        keys = _KEYS[by]
        groups = group_codes(*(table[key] for key in keys))
        sums = table.groupby(groups)[["contribution", "leaves"]].sum()
        first = np.unique(groups, return_index=True)[1]
        table = table[keys].iloc[first].reset_index(drop=True).join(sums)
    order = np.argsort(-np.abs(table["contribution"].to_numpy(dtype=np.float64)), kind="stable")
    table = table.iloc[order].reset_index(drop=True)
    table.insert(0, "rank", np.arange(1, len(table) + 1))
    tree_id = pd.Series([leaves.ids[0]] * len(table), dtype=object)
    return table.assign(tree=tree_id, profile=profile.name, simulated=tree.simulated)


def _name(names: tuple[str, ...], place: int) -> str:
    return names[place] if place >= 0 else "unknown"
