"""From a latent Gaussian opinion to a rating in whole hundredths, and how likely a rating is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from pluristats.errors import LatentError
from pluristats.latent.record import Array, Mask

STEPS = 100
"""Ratings are k / 100 for whole k from 0 to 100."""
_HALF = 0.5 / STEPS
_LEAST = 1e-300
_DENSITY = 1 / np.sqrt(2 * np.pi)


@dataclass(frozen=True, eq=False)
class Ratings:
    """What a likelihood reads of N annotators' ratings over T trials.

    Parameters
    ----------
    lower, upper
        The latent opinion lies between them, shape (N, T); infinite at the scale's ends.
    effect, previous
        Effects of a trial's prompt and of the one before (0 for the first trial), shape (N, T).
    mask
        Trials with a rating.
    """

    lower: Array
    upper: Array
    effect: Array
    previous: Array
    mask: Mask

    @classmethod
    def of(cls, rating: Array, effect: Array) -> Ratings:
        """From ratings (NaN for none) and prompt effects (NaN beyond an annotator's end), shape (N, T).

        Raises
        ------
        LatentError
            A rating is no whole hundredth from 0 to 1, or has no effect.
        """
        mask = ~np.isnan(rating)
        step = np.where(mask, rating, 0.0) * STEPS
        # Rounding, so that 0.29 * 100 is 29; scales of whole points from 0 to 100 leave nothing else.
        k = np.round(step)
        wrong = (np.abs(k - step) > 1e-6) | (k < 0) | (k > STEPS)
        if wrong.any():
            agent, trial = np.argwhere(wrong)[0]
            raise LatentError(
                f"Rating {rating[agent, trial]:.6g} of annotator {agent} in trial {trial} is no whole hundredth of the "
                f"scale; these models are of ratings on a scale of {STEPS} steps."
            )
        if (mask & np.isnan(effect)).any():
            agent, trial = np.argwhere(mask & np.isnan(effect))[0]
            raise LatentError(f"The rating of annotator {agent} in trial {trial} has no prompt effect.")
        lower = np.where(k == 0, -np.inf, k / STEPS - _HALF)
        upper = np.where(k == STEPS, np.inf, k / STEPS + _HALF)
        known = np.nan_to_num(effect)
        return cls(lower, upper, known, previous_of(known), mask)

    @property
    def columns(self) -> tuple[Array, Array, Array, Mask]:
        """Lower, upper, effect and mask."""
        return self.lower, self.upper, self.effect, self.mask

    def rows(self, rows: Array | slice) -> Ratings:
        """Some of the annotators."""
        return Ratings(self.lower[rows], self.upper[rows], self.effect[rows], self.previous[rows], self.mask[rows])


def previous_of(effect: Array) -> Array:
    """Effects of the prompt before, 0 for the first trial and where it is unknown; shape (N, T)."""
    return np.hstack([np.zeros((len(effect), 1)), np.nan_to_num(effect[:, :-1])])


def as_rating(latent: Array) -> Array:
    """Latent opinions as ratings: rounded to whole hundredths and clipped to 0 … 1."""
    return np.clip(np.round(latent * STEPS), 0, STEPS) / STEPS


@dataclass(frozen=True, eq=False)
class Mass:
    """Probability of ratings, and derivatives of its logarithm.

    Parameters
    ----------
    p
        Φ((upper − m) / σ) − Φ((lower − m) / σ), at least 1e-300; 1 where there is no rating.
    by_mean, by_log_sigma
        ∂ log p / ∂ m and ∂ log p / ∂ log σ; 0 where there is no rating.
    """

    p: Array
    by_mean: Array
    by_log_sigma: Array


def mass(lower: Array, upper: Array, mask: Mask, mean: Array, sigma: Array) -> Mass:
    """How likely ratings are when the latent opinion is N(mean, sigma²); shapes broadcast.

    Both limits are mirrored where they lie above the mean, so that p is exact to rounding until it underflows.
    """
    a, b = (lower - mean) / sigma, (upper - mean) / sigma
    mirrored = a + b > 0
    below, above = np.where(mirrored, -b, a), np.where(mirrored, -a, b)
    p = np.maximum(ndtr(above) - ndtr(below), _LEAST)
    phi_a, phi_b = _DENSITY * np.exp(-0.5 * a * a), _DENSITY * np.exp(-0.5 * b * b)
    # At an open end φ is 0, and so is z φ(z).
    a, b = np.where(np.isfinite(a), a, 0.0), np.where(np.isfinite(b), b, 0.0)
    there = np.broadcast_to(mask, p.shape)
    return Mass(
        np.where(there, p, 1.0),
        np.where(there, (phi_a - phi_b) / (p * sigma), 0.0),
        np.where(there, (a * phi_a - b * phi_b) / p, 0.0),
    )
