"""Whether it matters when a rating was given: statistics of residuals in trial order, judged by permuted orders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pluristats.display.shown import Displayed, Shown
from pluristats.errors import LatentError
from pluristats.latent.ratings.order import RatingOrder, in_order
from pluristats.latent.record import Array, Mask

if TYPE_CHECKING:
    from pluristats.study import Study

LAGS = (1, 2, 5, 10, 30)
# Orders that are computed together.
_BLOCK = 25


@dataclass(frozen=True, eq=False)
class OrderEffects(Displayed):
    """Statistics of an order, and of permuted orders.

    Parameters
    ----------
    names
        Of the S statistics, see :func:`order_effects`.
    estimates
        Shape (S,).
    null
        The same of permuted orders, shape (permutations, S).
    pairs
        Pairs of trials, or annotators, that each is computed from.
    seed
        Of the permutations.
    simulated
        Whether the ratings are simulated.
    """

    names: tuple[str, ...]
    estimates: Array
    null: Array = field(repr=False)
    pairs: tuple[int, ...]
    seed: int
    simulated: bool

    def _shown(self) -> Shown:
        how = f"Judged by {len(self.null):,} permuted orders (seed {self.seed})."
        return Shown(
            "Order of ratings", self.simulated, lines=(how,), tables=(("Statistics of the order", self.tidy()),)
        )

    def tidy(self) -> pd.DataFrame:
        """One row a statistic: estimate, null_mean, null_sd, null_low, null_high, z, p_value, n, simulated.

        Formula: p = (1 + #{b: |s_b − m| ≥ |s − m|}) / (1 + B) with m the mean of s and all s_b, which is exact
        whatever the distribution (Phipson & Smyth 2010); null_low and null_high are the middle 95 % of the s_b;
        z = (s − mean s_b) / sd s_b. A statistic that no pair of trials has is NaN.
        """
        rows = []
        for name, estimate, draws, n in zip(self.names, self.estimates, self.null.T, self.pairs, strict=True):
            middle, sd = draws.mean(), draws.std(ddof=1)
            low, high = np.quantile(draws, [0.025, 0.975])
            rows.append((name, estimate, middle, sd, low, high, (estimate - middle) / sd, _p(estimate, draws), n))
        columns = ["statistic", "estimate", "null_mean", "null_sd", "null_low", "null_high", "z", "p_value", "n"]
        return pd.DataFrame(rows, columns=columns).assign(simulated=self.simulated)


def order_effects(
    study: Study | RatingOrder, permutations: int = 500, seed: int = 0, *, lags: Sequence[int] = LAGS
) -> OrderEffects:
    """Whether residuals depend on the order of trials, against orders permuted within each annotator.

    Statistics, of residuals e_it minus their annotator's mean and prompt effects x_it (sd 1):

        autocorrelation k   Σ e_it e_i,t+k / pairs, over Σ e_it² / ratings
        assimilation        coefficient of x_i,t−1 in the regression of e_it / sd(e) on x_i,t−1 and e_i,t−1 / sd(e)
        carry-over          coefficient of e_i,t−1 / sd(e) in it
        trend               mean over annotators of b_i, the change of e from first to last trial by least squares
        spread of trends    standard deviation of b_i over annotators

    A positive assimilation is a rating that is pulled towards the prompt before, a negative one is contrast; carry-over
    is what the person made of the prompt before, or whatever else lasts. Trends are in units of the scale's width.
    Permuted trials keep their prompt, rating or its absence, so that the null is that the order of trials does not
    matter to anybody. Where people drift, each in a direction of their own, the mean trend spreads more than under this
    null: whether people at large rise is a question for a random slope of trial (``RatingFit.associations``).

    Parameters
    ----------
    study
        A study (its order is that of :func:`in_order`), or an order.
    permutations
        B, at least 2.
    seed
        Of the permutations.
    lags
        k of the autocorrelations.

    Raises
    ------
    LatentError
        Fewer than two permutations, a lag that is not a positive number of trials, or of :func:`in_order`.
    """
    if permutations < 2:
        raise LatentError(f"permutations is a number of permuted orders, at least 2, not {permutations}.")
    if wrong := [lag for lag in lags if lag < 1]:
        raise LatentError(f"A lag is a number of trials, at least 1, not {wrong[0]}.")
    order = study if isinstance(study, RatingOrder) else in_order(study)
    residual, effect, shown = centred(order.residual), order.effect, order.shown
    estimates = statistics(residual, effect, shown, lags)
    rng = np.random.default_rng(seed)
    null = [statistics(*permuted, lags) for permuted in _permuted(residual, effect, shown, permutations, rng)]
    names = (*(f"autocorrelation {lag}" for lag in lags), "assimilation", "carry-over", "trend", "spread of trends")
    return OrderEffects(names, estimates, np.concatenate(null), _pairs(residual, shown, lags), seed, order.simulated)


def centred(residual: Array) -> Array:
    """Minus each annotator's mean, shape (…, N, T); NaN stays."""
    count = (~np.isnan(residual)).sum(axis=-1, keepdims=True)
    return residual - np.nansum(residual, axis=-1, keepdims=True) / np.maximum(count, 1)


def statistics(residual: Array, effect: Array, shown: Mask, lags: Sequence[int] = LAGS) -> Array:
    """The statistics of :func:`order_effects`, in its order.

    Parameters
    ----------
    residual, effect, shown
        Shape (…, N, T), each annotator's trials in order.
    lags
        k of the autocorrelations.

    Returns
    -------
    ndarray
        Shape (…, len(lags) + 4).
    """
    there = ~np.isnan(residual)
    e = np.where(there, residual, 0.0)
    both = (-2, -1)
    variance = (e**2).sum(axis=both) / np.maximum(there.sum(axis=both), 1)
    out = [autocorrelation(residual, lag) for lag in lags]

    follows = there[..., 1:] & shown[..., :-1]
    pair = follows & there[..., :-1]
    sd = np.sqrt(variance)[..., None, None]
    y, before = e[..., 1:] / sd * pair, e[..., :-1] / sd * pair
    x = np.where(pair, effect[..., :-1], 0.0)
    xx, xb, bb = (x * x).sum(both), (x * before).sum(both), (before * before).sum(both)
    xy, by = (x * y).sum(both), (before * y).sum(both)
    with np.errstate(divide="ignore", invalid="ignore"):
        determinant = xx * bb - xb * xb
        out += [(bb * xy - xb * by) / determinant, (xx * by - xb * xy) / determinant]

    slope = trends(residual, shown)
    known = ~np.isnan(slope)
    n = known.sum(axis=-1)
    mean = np.nansum(slope, axis=-1) / np.maximum(n, 1)
    spread = np.nansum((slope - mean[..., None]) ** 2, axis=-1) / np.maximum(n - 1, 1)
    out += [np.where(n > 0, mean, np.nan), np.where(n > 1, np.sqrt(spread), np.nan)]
    return np.stack(out, axis=-1)


def autocorrelation(residual: Array, lag: int) -> Array:
    """Σ e_t e_t+k / pairs, over Σ e_t² / ratings, of all annotators, shape (…) of (…, N, T); NaN without pairs."""
    there = ~np.isnan(residual)
    e = np.where(there, residual, 0.0)
    both = (-2, -1)
    variance = (e**2).sum(axis=both) / np.maximum(there.sum(axis=both), 1)
    pairs = (there[..., lag:] & there[..., :-lag]).sum(axis=both)
    with np.errstate(divide="ignore", invalid="ignore"):
        return (e[..., lag:] * e[..., :-lag]).sum(axis=both) / pairs / variance


def trends(residual: Array, shown: Mask) -> Array:
    """Change from first to last trial by least squares, shape (…, N) of (…, N, T); NaN with fewer than two ratings."""
    there = ~np.isnan(residual)
    last = np.maximum(shown.sum(axis=-1, keepdims=True) - 1, 1)
    position = np.where(there, np.arange(residual.shape[-1]) / last, 0.0)
    count = np.maximum(there.sum(axis=-1, keepdims=True), 1)
    off = np.where(there, position - position.sum(axis=-1, keepdims=True) / count, 0.0)
    square = (off**2).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(square > 0, (off * np.where(there, residual, 0.0)).sum(axis=-1) / square, np.nan)


def _permuted(
    residual: Array, effect: Array, shown: Mask, permutations: int, rng: np.random.Generator
) -> Iterator[tuple[Array, Array, Mask]]:
    """Blocks of permuted orders; trials beyond an annotator's end stay there."""
    for begin in range(0, permutations, _BLOCK):
        size = min(_BLOCK, permutations - begin)
        keys = np.where(shown, rng.random((size, *shown.shape)), 2.0)
        places = np.argsort(keys, axis=-1)
        there = np.broadcast_to(shown, keys.shape)
        yield (
            np.take_along_axis(np.broadcast_to(residual, keys.shape), places, axis=-1),
            np.take_along_axis(np.broadcast_to(effect, keys.shape), places, axis=-1),
            there,
        )


def _pairs(residual: Array, shown: Mask, lags: Sequence[int]) -> tuple[int, ...]:
    there = ~np.isnan(residual)
    of_lags = [int((there[:, lag:] & there[:, :-lag]).sum()) for lag in lags]
    follows = int((there[:, 1:] & there[:, :-1]).sum())
    people = int((~np.isnan(trends(residual, shown))).sum())
    return (*of_lags, follows, follows, people, people)


def _p(estimate: float, draws: Array) -> float:
    if np.isnan(estimate) or np.isnan(draws).any():
        return float("nan")
    middle = (estimate + draws.sum()) / (1 + len(draws))
    # Values that are equal but for rounding count.
    as_far = np.abs(draws - middle) >= np.abs(estimate - middle) * (1 - 1e-12)
    return float((1 + as_far.sum()) / (1 + len(draws)))
