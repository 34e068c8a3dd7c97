"""Profiles fitted to people's labels: bounded least loss with exact gradients.

The objective is

    mean loss(label, H(tree)) + shrink / n · Σ (θ_k − θ⁰_k)²,    0 ≤ θ_k ≤ 1,

over n labels. Trees enter as counts of their distinct leaves, so that an evaluation costs the same for a hundred
leaves a tree or a thousand. It is not convex: L-BFGS-B starts from several points, whose outcomes are in the record.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pluristats.display.shown import Displayed, Shown, mark
from pluristats.errors import ConvergenceWarning, DroppedRowsWarning, ProfileError
from pluristats.features.labelled import Labelled, identified, labelled, rows_of
from pluristats.features.layout import Array, Layout, pull_back, weights
from pluristats.features.leaves import Leaves
from pluristats.features.link import LOSSES, Loss, losses
from pluristats.features.profile import LOOKED_AT, Profile, Sides

if TYPE_CHECKING:
    import pandas as pd

TOLERANCE = 1e-5
_AGREE = 1e-6


@dataclass(frozen=True)
class FitRecord:
    """What the optimiser did.

    Parameters
    ----------
    name
        Optimiser.
    status
        ``converged`` or ``failed``: the projected gradient of the best start misses the tolerance.
    message
        The optimiser's words about the best start.
    n_evaluations
        Evaluations of the objective, all starts.
    gradient_norm
        Largest absolute entry of the gradient projected on the bounds, max |clip(θ − g) − θ|, at the best point.
    tolerance
        What it was required to reach.
    starts
        Objective that each start reached, in the order of the starts.
    agreeing
        How many starts came within 1e-6 of the best; 1 of many is a reason to ask for more starts.
    seed
        Of the starts.
    """

    name: str
    status: Literal["converged", "failed"]
    message: str
    n_evaluations: int
    gradient_norm: float
    tolerance: float
    starts: tuple[float, ...]
    agreeing: int
    seed: int


@dataclass(frozen=True)
class ProfileFit(Displayed):
    """A profile that was fitted.

    Parameters
    ----------
    profile
        The weights.
    loss, value
        Name of the loss, and its mean over the labels (without the penalty).
    n, trees
        Labels and labelled trees.
    dropped
        Missing labels, which were left out.
    shrink
        Strength of the pull toward ``toward``.
    record
        What the optimiser did.
    unidentified
        Weights that no leaf of the labelled trees depends on; they keep the value of ``toward`` (1 without one).
    aliased
        Weights that can be moved together without changing any score: only products of them are known.
    simulated
        Whether a simulated model wrote any of the labelled trees.
    """

    profile: Profile
    loss: Loss
    value: float
    n: int
    trees: int
    dropped: int
    shrink: float
    record: FitRecord = field(repr=False)
    unidentified: tuple[str, ...] = ()
    aliased: tuple[str, ...] = ()
    simulated: bool = False

    def __repr__(self) -> str:
        simulated = mark(self.simulated)
        fitted = f"{self.loss} loss {self.value:.4f}, {self.n:,} labels of {self.trees:,} trees"
        return f"<ProfileFit {self.profile.name!r}: {fitted}, {self.record.status}{simulated}>"

    def _shown(self) -> Shown:
        bad = () if self.record.status == "converged" else (failure(self.record),)
        left_out = (f"{self.dropped:,} labels are missing and left out.",) if self.dropped else ()
        return Shown(
            f"Profile: {self.profile.name}",
            self.simulated,
            bad,
            left_out,
            (("Fit", self.glance()), ("Weights", self.tidy())),
        )

    def tidy(self) -> pd.DataFrame:
        """One row a weight: ``term``, ``estimate``, ``known`` (``yes``, ``aliased`` or ``no``), ``at_bound``."""
        table = self.profile.tidy()
        known = {**dict.fromkeys(self.aliased, "aliased"), **dict.fromkeys(self.unidentified, "no")}
        table["known"] = [known.get(term, "yes") for term in table["term"]]
        table["at_bound"] = (table["estimate"] == 0) | (table["estimate"] == 1)
        return table

    def glance(self) -> pd.DataFrame:
        """One row: the loss, labels and trees, and how the optimiser fared."""
        import pandas as pd

        row = {
            "profile": self.profile.name,
            "loss": self.loss,
            "value": self.value,
            "n": self.n,
            "trees": self.trees,
            "dropped": self.dropped,
            "shrink": self.shrink,
            "status": self.record.status,
            "starts": len(self.record.starts),
            "agreeing": self.record.agreeing,
            "unidentified": len(self.unidentified),
            "aliased": len(self.aliased),
        }
        return pd.DataFrame([row])


def fit_profile(
    leaves: Leaves,
    labels: Sequence[float] | Array,
    *,
    tree: Sequence[Any] | None = None,
    actions: bool = True,
    effects: bool = False,
    sides: Sides = "both",
    loss: Loss = "logistic",
    shrink: float = 0.0,
    toward: Profile | None = None,
    n_starts: int = 8,
    seed: int = 0,
    name: str = "fitted",
) -> ProfileFit:
    """Weights that predict labels best.

    Parameters
    ----------
    leaves
        Trees, from ``flatten``.
    labels
        From 0 to 1, shape (n,): 0 and 1 for unharmful and harmful, or ratings divided by their scale's length. Missing
        ones (NaN) are dropped with a warning.
    tree
        Id of each label's tree, shape (n,); trees in their order, one label each, when absent.
    actions, effects
        Which weights to fit: 29 with actions, 36 with both, 20 with effects only (both sides).
    sides
        ``harms`` or ``benefits`` to look at one side only.
    loss
        ``logistic`` (Bernoulli likelihood, or fractional logit), ``squared`` or ``absolute``
        (:mod:`pluristats.features.link`).
    shrink
        Strength of the pull toward ``toward``, in units of the total loss: 1 / (2 shrink) is the variance of a normal
        prior when the loss is logistic.
    toward
        Profile to shrink toward and to start from.
    n_starts
        Starts, the first of them ``toward`` where given, the others drawn.
    seed
        Of the drawn starts.
    name
        Name of the profile.

    Raises
    ------
    ProfileError
        Labels or settings cannot be used; the message says which.

    Warns
    -----
    DroppedRowsWarning
        Labels are missing.
    ConvergenceWarning
        No start met the tolerance.
    """
    rows, y = rows_of(leaves, labels, tree)
    _check(loss, sides, shrink, toward, n_starts)
    missing = np.isnan(y)
    if missing.any():
        warnings.warn(f"{missing.sum():,} of {len(y):,} labels are missing and left out.", DroppedRowsWarning, 2)
    data = labelled(leaves, rows[~missing], y[~missing], loss == "logistic")
    layout = Layout(actions, effects, sides)
    simulated = bool(leaves.simulated[rows[~missing]].any())
    fit = minimise(data, layout, loss, shrink, toward, n_starts, (seed,), name, int(missing.sum()), simulated)
    if fit.record.status == "failed":
        warnings.warn(failure(fit.record), ConvergenceWarning, stacklevel=2)
    return fit


def minimise(
    data: Labelled,
    layout: Layout,
    loss: Loss,
    shrink: float,
    toward: Profile | None,
    n_starts: int,
    seed: tuple[int, ...],
    name: str,
    dropped: int = 0,
    simulated: bool = False,
) -> ProfileFit:
    """The fit itself, from what :func:`fit_profile` has checked; ``seed`` may have several parts."""
    from scipy.optimize import minimize

    unidentified, aliased = identified(data, layout)
    centre = np.ones(len(layout.names)) if toward is None else layout.vector(toward)
    fixed = np.isin(layout.names, unidentified)
    low, high = np.where(fixed, centre, 0.0), np.where(fixed, centre, 1.0)

    def objective(theta: Array) -> tuple[float, Array]:
        value, slope = evaluate(data, layout, theta, loss)
        away = theta - centre
        return value + shrink / data.n * float(away @ away), slope + 2 * shrink / data.n * away

    starts = _starts(data, layout, toward, n_starts, seed)
    done = [
        minimize(
            objective,
            np.clip(start, low, high),
            jac=True,
            method="L-BFGS-B",
            bounds=np.column_stack([low, high]),
            options={"maxiter": 5000, "maxfun": 20000, "ftol": 1e-14, "gtol": TOLERANCE / 100, "maxcor": 20},
        )
        for start in starts
    ]
    reached = np.array([result.fun for result in done])
    best = done[int(np.argmin(reached))]
    slope = objective(best.x)[1]
    norm = float(np.abs(np.clip(best.x - slope, low, high) - best.x).max())
    record = FitRecord(
        "scipy L-BFGS-B",
        "converged" if norm <= TOLERANCE else "failed",
        str(best.message),
        int(sum(result.nfev for result in done)) + 1,
        norm,
        TOLERANCE,
        tuple(float(value) for value in reached),
        int((reached <= reached.min() + _AGREE).sum()),
        seed[0],
    )
    return ProfileFit(
        layout.profile(best.x, name, f"fitted to {data.n:,.0f} labels of {data.counts.shape[0]:,} trees"),
        loss,
        evaluate(data, layout, best.x, loss)[0],
        int(data.n),
        data.counts.shape[0],
        dropped,
        shrink,
        record,
        unidentified,
        aliased,
        simulated,
    )


def evaluate(data: Labelled, layout: Layout, theta: Array, loss: Loss) -> tuple[float, Array]:
    """Mean loss and its gradient in the weights, shape (k,)."""
    tables = layout.tables(theta)
    h = data.counts @ weights(tables, data.where)
    value, slope = losses(h[data.tree], data.y, loss, layout.sides)
    per_tree = np.bincount(data.tree, data.weight * slope, len(h)) / data.n
    mean = float((data.weight * value).sum()) / data.n
    gradient: Array = pull_back(tables, data.where, per_tree @ data.counts)[1]
    return mean, gradient


def _starts(data: Labelled, layout: Layout, toward: Profile | None, n: int, seed: tuple[int, ...]) -> list[Array]:
    """Starts: ``toward``, then draws in [0, 1] whose categories are scaled so that H is of size 1.

    A sum over hundreds of leaves saturates the probability, where the squared and absolute losses are flat.
    """
    rng = np.random.default_rng(seed)
    starts = [] if toward is None else [layout.vector(toward)]
    scaled = np.array([name.startswith(("action_", "benefit_weight")) for name in layout.names])
    if not any(name.startswith("action_") for name in layout.names):
        scaled = np.array([name.startswith("effect_") for name in layout.names])
    while len(starts) < n:
        theta = rng.random(len(layout.names))
        h = np.abs(data.counts @ weights(layout.tables(theta), data.where))
        size = float(np.median(h))
        starts.append(np.where(scaled, theta / max(size, 1.0), theta))
    return starts


def _check(loss: str, sides: str, shrink: float, toward: Profile | None, n_starts: int) -> None:
    if loss not in LOSSES:
        raise ProfileError(f"loss is one of {', '.join(LOSSES)}, not {loss!r}.")
    if sides not in LOOKED_AT:
        raise ProfileError(f"sides is one of {', '.join(LOOKED_AT)}, not {sides!r}.")
    if not 0 <= shrink < np.inf:
        raise ProfileError(f"shrink is a number from 0, not {shrink!r}.")
    if shrink and toward is None:
        raise ProfileError("shrink needs a profile to shrink toward; give toward=.")
    if n_starts < 1:
        raise ProfileError(f"n_starts is at least 1, not {n_starts!r}.")


def failure(record: FitRecord) -> str:
    """In words, of a fit that did not meet the tolerance."""
    return (
        f"the projected gradient is {record.gradient_norm:.1e} where the optimiser stopped ({record.message}), above "
        f"{record.tolerance:.0e}; ask for more starts (n_starts), or shrink."
    )
