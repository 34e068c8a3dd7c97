"""One profile a group or annotator, shrunken toward the profile of all."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pluristats.display.shown import Displayed, Shown, mark
from pluristats.errors import ConvergenceWarning, ProfileError
from pluristats.features.fit import ProfileFit, fit_profile, minimise
from pluristats.features.labelled import labelled, rows_of
from pluristats.features.layout import Array, Layout
from pluristats.features.leaves import Leaves
from pluristats.features.link import Loss
from pluristats.features.profile import Profile, Sides

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class ProfileFits(Displayed):
    """Profiles by group.

    Parameters
    ----------
    overall
        The fit to all labels.
    groups
        Fits by group, in the order of their names.
    by
        What the groups are called in tables.
    """

    overall: ProfileFit
    groups: Mapping[str, ProfileFit]
    by: str = "group"

    def __repr__(self) -> str:
        simulated = mark(self.simulated)
        return f"<ProfileFits: {len(self.groups):,} profiles by {self.by!r}, {self.overall.n:,} labels{simulated}>"

    @property
    def simulated(self) -> bool:
        """Whether a simulated model wrote any of the labelled trees."""
        return self.overall.simulated

    def _shown(self) -> Shown:
        failed = [name for name, fit in self.groups.items() if fit.record.status == "failed"]
        bad = (f"{len(failed):,} of {len(self.groups):,} fits did not meet the tolerance.",) if failed else ()
        tables = ((f"By {self.by}", self.glance()), ("Profile of all", self.overall.tidy()))
        return Shown(f"Profiles by {self.by}", self.simulated, bad, tables=tables, notes=("Weights of each: tidy().",))

    def profile(self, group: object) -> Profile:
        """Profile of a group.

        Raises
        ------
        ProfileError
            There is no such group.
        """
        if str(group) not in self.groups:
            raise ProfileError(f"there is no {self.by} {str(group)!r} among those with labels.")
        return self.groups[str(group)].profile

    def tidy(self) -> pd.DataFrame:
        """One row a group and weight: the group, then the columns of ``ProfileFit.tidy()``."""
        return self._stack({name: fit.tidy() for name, fit in self.groups.items()})

    def glance(self) -> pd.DataFrame:
        """One row a group: the columns of ``ProfileFit.glance()``."""
        return self._stack({name: fit.glance() for name, fit in self.groups.items()})

    def _stack(self, tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
        import pandas as pd

        for name, table in tables.items():
            table.insert(0, self.by, name)
        return pd.concat(list(tables.values()), ignore_index=True)


def fit_profiles(
    leaves: Leaves,
    labels: Sequence[float] | Array,
    by: Sequence[Any],
    *,
    tree: Sequence[Any] | None = None,
    actions: bool = True,
    effects: bool = False,
    sides: Sides = "both",
    loss: Loss = "logistic",
    shrink: float = 10.0,
    n_starts: int = 2,
    seed: int = 0,
) -> ProfileFits:
    """A profile of all labels, and one of each group's or annotator's, shrunken toward it.

    Every group's fit starts from the profile of all and from ``n_starts - 1`` drawn points. Weights that a group's
    trees say nothing about are those of all.

    Parameters
    ----------
    leaves, labels, tree, actions, effects, sides, loss, seed
        As in :func:`fit_profile`; the profile of all is fitted from 8 starts, without shrinking.
    by
        Group or annotator of each label, shape (n,); a Series gives its name to the tables.
    shrink
        Strength of the pull toward the profile of all, in units of a group's total loss: 0 is none; the default, 10,
        is a normal prior of standard deviation 0.22 on each weight when the loss is logistic.

    Raises
    ------
    ProfileError
        As in :func:`fit_profile`, or a label has no group.

    Warns
    -----
    DroppedRowsWarning, ConvergenceWarning
        As in :func:`fit_profile`; the latter once, with the groups that it is about.
    """
    names = np.array([_group(value, i) for i, value in enumerate(by)], dtype=object)
    rows, y = rows_of(leaves, labels, tree)
    if len(names) != len(y):
        raise ProfileError(f"by names {len(names):,} groups for {len(y):,} labels; give one a label.")
    overall = fit_profile(
        leaves, labels, tree=tree, actions=actions, effects=effects, sides=sides, loss=loss, seed=seed, name="all"
    )
    layout = Layout(actions, effects, sides)
    fits = {}
    for k, name in enumerate(sorted(set(names))):
        mine = names == name
        there = mine & ~np.isnan(y)
        if not there.any():
            raise ProfileError(f"the group {name!r} has no label that is not missing; leave it out.")
        data = labelled(leaves, rows[there], y[there], loss == "logistic")
        dropped = int(mine.sum() - there.sum())
        simulated = bool(leaves.simulated[rows[there]].any())
        fits[name] = minimise(
            data, layout, loss, shrink, overall.profile, n_starts, (seed, k + 1), str(name), dropped, simulated
        )
    failed = [name for name, fit in fits.items() if fit.record.status == "failed"]
    if failed:
        message = f"the fits of {len(failed):,} groups did not meet the tolerance: {', '.join(failed[:5])}"
        warnings.warn(f"{message}{' …' if len(failed) > 5 else ''}; ask for more starts.", ConvergenceWarning, 2)
    return ProfileFits(overall, fits, str(getattr(by, "name", None) or "group"))


def _group(value: Any, row: int) -> str:
    if value is None or value != value:
        raise ProfileError(f"label {row + 1:,} has no group; drop it, or give it one.")
    return str(value)
