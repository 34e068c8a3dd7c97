"""Posterior predictive check: whether what a fitted model simulates depends on order as the ratings do."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from pluristats.display.shown import Displayed, Shown
from pluristats.errors import LatentError
from pluristats.latent.ratings.effects import LAGS, statistics
from pluristats.latent.ratings.estimate import Estimates, drawn
from pluristats.latent.ratings.order import RatingOrder
from pluristats.latent.record import Array

NAMES = (*(f"autocorrelation {lag}" for lag in LAGS), "assimilation", "carry-over", "trend", "spread of trends")


@dataclass(frozen=True, eq=False)
class PredictiveCheck(Displayed):
    """Statistics of the ratings and of n simulations by a fitted model.

    Parameters
    ----------
    model
        Its name.
    observed
        Shape (S,).
    replicates
        Shape (n, S).
    seed
        Of the simulations.
    simulated
        Whether the ratings themselves are simulated.
    """

    model: str
    observed: Array
    replicates: Array = field(repr=False)
    seed: int
    simulated: bool

    def _shown(self) -> Shown:
        how = f"{len(self.replicates):,} sets of ratings by the fitted model (seed {self.seed})."
        tables = (("Statistics of the order: ratings and model", self.tidy()),)
        return Shown(f"Posterior predictive check: {self.model}", self.simulated, lines=(how,), tables=tables)

    def tidy(self) -> pd.DataFrame:
        """One row a statistic: model, statistic, observed, mean, sd, low, high (middle 95 %), p_value, n, simulated.

        Formula: p = min(1, 2 min(1 + #{≥ observed}, 1 + #{≤ observed}) / (1 + n)). Near 0: the model does not do that.
        Parameters were fitted to the same ratings, so that p errs towards the model.
        """
        n = len(self.replicates)
        above, below = ((self.replicates >= self.observed).sum(0), (self.replicates <= self.observed).sum(0))
        low, high = np.quantile(self.replicates, [0.025, 0.975], axis=0)
        return pd.DataFrame(
            {
                "model": self.model,
                "statistic": NAMES,
                "observed": self.observed,
                "mean": self.replicates.mean(axis=0),
                "sd": self.replicates.std(axis=0, ddof=1),
                "low": low,
                "high": high,
                "p_value": np.minimum(1.0, 2 * (1 + np.minimum(above, below)) / (1 + n)),
                "n": n,
                "simulated": self.simulated,
            }
        )


def predictive_check(order: RatingOrder, fit: Estimates, n: int = 100, seed: int = 0) -> PredictiveCheck:
    """Simulate n data sets with parameters from the posterior, for the same prompts in the same order.

    The statistics are those of :func:`pluristats.latent.ratings.order_effects`, of residuals from each annotator's
    least-squares line of ratings on prompt effects, for the ratings and the simulations alike.

    Parameters
    ----------
    order
        The ratings.
    fit
        Estimates for them.
    n
        Simulations, at least 2.
    seed
        Of parameters and simulations.
    """
    if n < 2:
        raise LatentError(f"n is a number of simulations, at least 2, not {n}.")
    theta, _ = drawn(fit, n, seed)
    seeds = np.random.SeedSequence(seed).generate_state(n)
    replicates = []
    for of_all, of_run in zip(theta, seeds, strict=True):
        made = fit.model.simulate(
            of_all, n_trials=order.rating.shape[1], seed=int(of_run), effects=order.effect, rated=order.mask
        )
        replicates.append(_statistics(made.trials["rating"], order))
    observed = _statistics(order.rating, order)
    return PredictiveCheck(fit.model.name, observed, np.array(replicates), seed, order.simulated)


def line_residuals(rating: Array, effect: Array) -> Array:
    """Residuals of each annotator's least-squares line of ratings on prompt effects, shape (N, T); NaN stays."""
    there = ~np.isnan(rating)
    count = np.maximum(there.sum(axis=1, keepdims=True), 1)
    x, y = (np.where(there, values, 0.0) for values in (effect, rating))
    x, y = (np.where(there, values - values.sum(axis=1, keepdims=True) / count, 0.0) for values in (x, y))
    square = (x**2).sum(axis=1, keepdims=True)
    slope = np.divide((x * y).sum(axis=1, keepdims=True), square, out=np.zeros_like(square), where=square > 0)
    return np.where(there, y - slope * x, np.nan)


def _statistics(rating: Array, order: RatingOrder) -> Array:
    return statistics(line_residuals(rating, order.effect), order.effect, order.shown)
