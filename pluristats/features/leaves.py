"""Many trees as flat arrays: one row a leaf, so that scores are sums over a table's rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pluristats.display.shown import Displayed, Shown, mark
from pluristats.errors import TreeError
from pluristats.features.cells import AXES, SHAPE, STRIDES, Codes, Ints, decode, encode
from pluristats.features.taxonomy import EXTENTS, LIKELIHOODS, match_action, match_effect
from pluristats.features.trees import Tree

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Leaves(Displayed):
    """Leaves of T trees.

    Parameters
    ----------
    tree
        Which tree each leaf belongs to, 0 to T - 1, shape (n,).
    cell
        What each leaf is, by :mod:`pluristats.features.cells`, shape (n,).
    ids
        Names of the trees, length T. A tree may have no leaves.
    simulated
        Whether a simulated model wrote a tree, shape (T,).
    """

    tree: Ints
    cell: Ints
    ids: tuple[str, ...]
    simulated: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.cell)

    def __repr__(self) -> str:
        simulated = mark(bool(self.simulated.any()))
        return f"<Leaves: {len(self):,} leaves of {len(self.ids):,} trees{simulated}>"

    def _shown(self) -> Shown:
        import pandas as pd

        size = np.bincount(self.tree, minlength=len(self.ids))
        table = pd.DataFrame({"tree": pd.Series(self.ids, dtype=object), "leaves": size, "simulated": self.simulated})
        title = f"{len(self):,} leaves of {len(self.ids):,} trees"
        return Shown(title, bool(self.simulated.any()), tables=(("Leaves of each tree", table),))

    @property
    def codes(self) -> Codes:
        """Sign, action, effect, extent, likelihood and immediacy of each leaf, every array of shape (n,)."""
        return decode(self.cell)

    def frame(self) -> pd.DataFrame:
        """One row a leaf: ``tree`` (its id) and the codes, where -1 is unknown (and every benefit's action)."""
        import pandas as pd

        return pd.DataFrame(
            {"tree": np.asarray(self.ids, dtype=object)[self.tree], **dict(zip(AXES, self.codes, strict=True))}
        )


def flatten(trees: Iterable[Tree]) -> Leaves:
    """Leaves of trees, in order; a tree without an id is named by its place, from "1".

    Raises
    ------
    TreeError
        Two trees have the same id.
    """
    tree: list[int] = []
    cell: list[int] = []
    ids: list[str] = []
    simulated: list[bool] = []
    for i, one in enumerate(trees):
        ids.append(one.id or str(i + 1))
        simulated.append(one.simulated)
        before = len(cell)
        for _, side, action in one.branches():
            start = STRIDES[0] if side == "benefits" else (match_action(action.label).place + 1) * STRIDES[1]
            cell.extend([start + leaf_code(e.label, e.likelihood, e.extent, e.immediate) for e in action.effects])
        tree.extend([i] * (len(cell) - before))
    _distinct(ids)
    return Leaves(
        np.array(tree, dtype=np.int32), np.array(cell, dtype=np.int16), tuple(ids), np.array(simulated, dtype=bool)
    )


def leaves_from_codes(tree: Ints, codes: Codes, *, ids: Sequence[str] | None = None, simulated: bool = False) -> Leaves:
    """Leaves from arrays, for trees that are held in a table.

    Parameters
    ----------
    tree
        Which tree each leaf belongs to, 0 to T - 1, shape (n,).
    codes
        As :class:`pluristats.features.cells.Codes`.
    ids
        Names of the T trees; "1" to the largest in ``tree`` when absent.
    simulated
        Whether a simulated model wrote them.

    Raises
    ------
    ValueError
        A code is out of range, or a leaf belongs to no tree.
    """
    tree = np.asarray(tree)
    size = int(tree.max(initial=-1)) + 1
    names = tuple(str(i + 1) for i in range(size)) if ids is None else tuple(ids)
    _distinct(names)
    if tree.min(initial=0) < 0 or size > len(names):
        raise ValueError(f"tree holds places from 0 to {len(names) - 1}, one of each of the ids; others are present.")
    cell = encode(codes)
    if cell.shape != tree.shape:
        raise ValueError(f"tree has shape {tree.shape}, the codes have {cell.shape}; both have one entry a leaf.")
    return Leaves(tree.astype(np.int32), cell, names, np.full(len(names), simulated))


@lru_cache(maxsize=65536)
def leaf_code(label: str, likelihood: str, extent: str, immediate: bool | None) -> int:
    """What a leaf adds to its action's cell."""
    axes = (
        match_effect(label).place + 1,
        EXTENTS.index(extent) + 1 if extent in EXTENTS else 0,
        LIKELIHOODS.index(likelihood) + 1 if likelihood in LIKELIHOODS else 0,
        0 if immediate is None else 1 + int(immediate),
    )
    return int(np.ravel_multi_index(axes, SHAPE[2:]))


def _distinct(ids: Sequence[str]) -> None:
    if len(set(ids)) < len(ids):
        seen: set[str] = set()
        twice = next(name for name in ids if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise TreeError(f"two trees have the id {twice!r}; give every tree its own.")
