"""How much a model would gain over the static one if nothing changed: simulated people, or permuted trials."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from pluristats.display.shown import Displayed, Shown
from pluristats.errors import LatentError
from pluristats.latent.ratings.estimate import Estimates, estimate
from pluristats.latent.ratings.order import RatingOrder
from pluristats.latent.ratings.response import Ratings
from pluristats.latent.ratings.simulators import STATIC
from pluristats.latent.record import Array, Model
from pluristats.models.multiplicity import Adjust, adjusted
from pluristats.progress import counted

Kind = Literal["simulated", "permuted"]


@dataclass(frozen=True, eq=False)
class OrderNull(Displayed):
    """Gains of a model over the static one, in log likelihood, and the same under a null.

    Parameters
    ----------
    model, kind
        Of the model, and ``simulated`` or ``permuted``.
    annotators
        N identifiers.
    gain
        Observed, shape (N,).
    null
        Shape (n, N).
    seed
        Of the null.
    simulated
        Whether the ratings themselves are simulated.
    """

    model: str
    kind: Kind
    annotators: tuple[object, ...] = field(repr=False)
    gain: Array = field(repr=False)
    null: Array = field(repr=False)
    seed: int
    simulated: bool

    def _shown(self) -> Shown:
        found = self.tidy()
        clear = int((found["p_adjusted"] < 0.05).sum())
        lines = (
            f"{len(self.null)} sets of people who do not change ({self.kind}, seed {self.seed}).",
            f"{clear} of {len(found)} annotators gain more at a false discovery rate of 5 %.",
        )
        tables = (("Gain over the static model, all annotators", self.pooled()), ("By annotator", found))
        return Shown(f"Null of {self.model}", self.simulated, lines=lines, tables=tables)

    def tidy(self, *, adjust: Adjust = "bh") -> pd.DataFrame:
        """One row an annotator: annotator, gain, p_value, p_adjusted, simulated.

        Formula: p_i = (1 + #{gains of all annotators in all replicates ≥ gain_i}) / (1 + n N). The null distribution of
        a gain is taken as everybody's, since n replicates of one person say little about small p.
        """
        everybody = np.sort(self.null.ravel())
        above = everybody.size - np.searchsorted(everybody, self.gain, side="left")
        p = (1 + above) / (1 + everybody.size)
        return pd.DataFrame(
            {
                "annotator": list(self.annotators),
                "gain": self.gain,
                "p_value": p,
                "p_adjusted": adjusted(p, adjust),
                "simulated": self.simulated,
            }
        )

    def pooled(self) -> pd.DataFrame:
        """One row: model, kind, gain (sum over annotators), null_mean, null_sd, z, p_value, n, simulated.

        Formula: p = (1 + #{replicates whose sum ≥ the observed}) / (1 + n).
        """
        total, sums = float(self.gain.sum()), self.null.sum(axis=1)
        sd = sums.std(ddof=1)
        row = {
            "model": self.model,
            "kind": self.kind,
            "gain": total,
            "null_mean": sums.mean(),
            "null_sd": sd,
            "z": (total - sums.mean()) / sd,
            "p_value": (1 + (sums >= total).sum()) / (1 + len(sums)),
            "n": len(sums),
            "simulated": self.simulated,
        }
        return pd.DataFrame([row])


def null_of_order(
    order: RatingOrder,
    model: Model,
    base: Estimates,
    fit: Estimates,
    *,
    n: int = 20,
    seed: int = 0,
    kind: Kind = "simulated",
    progress: bool = False,
) -> OrderNull:
    """Refit a model and the static one to n data sets in which nothing changes.

    τ = 0, γ = 0 and lapse = 0 are edges or leave parameters without meaning, so that gains have no known distribution.

    Parameters
    ----------
    order
        The ratings.
    model
        Whose gain.
    base, fit
        Estimates of the static model and of ``model`` for these ratings.
    n
        Data sets, at least 2.
    seed
        Of the data sets.
    kind
        ``"simulated"``: ratings by the fitted static model for the same prompts in the same order. ``"permuted"``: the
        ratings as they are, with each annotator's trials in another order; whatever else is wrong with the static
        model's distribution (round numbers, tails) is in this null too, so that a gain beyond it is one of order.
    progress
        Show how far it is.
    """
    if n < 2:
        raise LatentError(f"n is a number of data sets without change, at least 2, not {n}.")
    if kind not in ("simulated", "permuted"):
        raise LatentError(f"kind is 'simulated' or 'permuted', not {kind!r}.")
    gains = np.empty((n, len(order.annotators)))
    with counted(f"null of {model.name}", n, show=progress) as advance:
        for k, stream in enumerate(np.random.SeedSequence(seed).spawn(n)):
            if kind == "simulated":
                rating, effect = _static(order, base, int(stream.generate_state(1)[0])), order.effect
            else:
                rating, effect = _permuted(order, np.random.default_rng(stream))
            ratings = Ratings.of(rating, effect)
            static = base if kind == "permuted" else estimate(STATIC, ratings, base.parameters, spread=False)
            refit = estimate(model, ratings, static.parameters, spread=False)
            gains[k] = refit.log_likelihood - static.log_likelihood
            advance(1)
    gain = fit.log_likelihood - base.log_likelihood
    return OrderNull(model.name, kind, order.annotators, gain, gains, seed, order.simulated)


def _static(order: RatingOrder, base: Estimates, seed: int) -> Array:
    made = STATIC.simulate(
        base.parameters, n_trials=order.rating.shape[1], seed=seed, effects=order.effect, rated=order.mask
    )
    return made.trials["rating"]


def _permuted(order: RatingOrder, rng: np.random.Generator) -> tuple[Array, Array]:
    """Ratings and effects in other orders; trials beyond an annotator's end stay there."""
    places = np.argsort(np.where(order.shown, rng.random(order.shown.shape), 2.0), axis=1)
    return np.take_along_axis(order.rating, places, axis=1), np.take_along_axis(order.effect, places, axis=1)
