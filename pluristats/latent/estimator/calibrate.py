"""Uncertainty that means what it says: factors of standard deviations and temperatures from held-out agents."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from pluristats.errors import LatentError

Array = NDArray[np.float64]

LEVELS = np.round(np.arange(0.01, 1.0, 0.01), 2)
"""Levels of intervals for which a half-width is held; those between are interpolated."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """What held-out agents say of a network's uncertainty.

    Parameters
    ----------
    scale
        What standard deviations are multiplied by, shape (C,).
    half_widths
        Shape (C, levels): in standard deviations, at ``LEVELS``; 1.645 at 0.90 if errors are normal.
    temperature
        What logits are divided by, shape (D,).
    """

    scale: Array
    half_widths: Array
    temperature: Array


def half_width(half_widths: Array, level: float) -> Array:
    """Half-widths of intervals at a level, in standard deviations, shape (C,).

    Raises
    ------
    LatentError
        A level outside 0.01 to 0.99.
    """
    if not LEVELS[0] <= level <= LEVELS[-1]:
        raise LatentError(f"level {level!r} of an interval is not calibrated; give one from 0.01 to 0.99")
    return np.array([np.interp(level, LEVELS, widths) for widths in half_widths])


def calibrate(mean: Array, sd: Array, y: Array, logits: tuple[Array, ...], states: NDArray[np.int64]) -> Calibration:
    """Factors from what a network said of held-out trials and what was so.

    Formulas: scale = root mean [(y - m)²/sd²]; half-width at level q = quantile q of |y - m| / (scale · sd), so that
    the intervals cover q of the held-out trials, whatever the errors' distribution; temperature = argmin of the
    held-out log loss of softmax(logits / temperature).

    Parameters
    ----------
    mean, sd, y
        Shape (n, C).
    logits
        One a discrete latent, shape (n, states).
    states
        Shape (n, D).

    Notes
    -----
    Coverage holds on average over trials of agents like the held-out ones. It need not hold for one trial, or for one
    kind of agent.
    """
    z = (y - mean) / sd
    scale = np.sqrt(np.mean(z**2, axis=0))
    scale = np.where(scale > 0, scale, 1.0)
    widths = np.quantile(np.abs(z / scale), LEVELS, axis=0).T.reshape(mean.shape[1], len(LEVELS))
    temperature = np.array([_temperature(logit, states[:, d]) for d, logit in enumerate(logits)])
    return Calibration(scale, widths, temperature)


def _temperature(logits: Array, states: NDArray[np.int64]) -> float:
    rows = np.arange(len(states))

    def loss(log_temperature: float) -> float:
        return float(-log_softmax(logits / np.exp(log_temperature), axis=1)[rows, states].mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-2.0, 2.0), method="bounded").x))
