"""Hierarchical ridge: what features are to everybody, and how each person differs, both shrunk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pluristats.engine.result import Array
from pluristats.evaluation.data import Alignment, Prompts
from pluristats.evaluation.forecast import Forecast
from pluristats.evaluation.methods.base import EVERY
from pluristats.evaluation.methods.columns import Columns

_PENALTIES = np.geomspace(1e-1, 1e5, 19)


@dataclass(frozen=True)
class HierarchicalRidge:
    """Predictions a_i + x_j'(β + b_i) + u_j, clipped to 0-1.

    β: a ridge regression of prompts' mean deviations on z-scored features; u_j: what that leaves of a prompt's mean,
    shrunk, for prompts that others rated; b_i: a ridge regression of each person's remaining deviations. One penalty
    for β, one for all b_i, each with the least leave-one-out error over the alignment.
    """

    name: str = "hierarchical-ridge"
    settings: tuple[str, ...] = EVERY
    note: str = ""

    def unavailable(self) -> str | None:
        """It runs everywhere."""
        return None

    def fit(self, alignment: Alignment) -> FittedRidge:
        """Two ridge regressions."""
        at = np.flatnonzero(alignment.seen.any(axis=0))
        prompts, y = alignment.prompts.take(at), alignment.ratings[:, at]
        columns = Columns.of(prompts)
        x = columns.matrix(prompts)
        level = row_means(y)
        mean = row_means((y - level[:, None]).T)
        common = ridge([x], [mean])
        left = mean - common.predict(0, x)
        deviation = y - level[:, None] - mean
        seen = [~np.isnan(row) for row in deviation]
        own = ridge([x[s] for s in seen], [row[s] for row, s in zip(deviation, seen, strict=True)])
        # A prompt's own effect is its residual, less what the noise of a mean of that many ratings would give.
        counts = (~np.isnan(y)).sum(axis=0)
        noise = float(np.nanvar(deviation)) / counts
        signal = max(float(np.var(left) - noise.mean()), 0.0)
        # Where neither varies there is nothing to shrink.
        share = np.divide(signal, signal + noise, out=np.zeros_like(noise), where=signal + noise > 0)
        return FittedRidge(level, common, own, columns, prompts, left * share)


@dataclass(frozen=True, eq=False)
class Ridge:
    """Ridge regressions with one penalty: intercepts, shape (k,), coefficients, shape (k, p), and the penalty."""

    intercept: Array
    coefficients: Array
    penalty: float

    def predict(self, which: int, x: Array) -> Array:
        """Of one of them, shape (len(x),)."""
        return self.intercept[which] + x @ self.coefficients[which]


@dataclass(frozen=True, eq=False)
class FittedRidge:
    """A fitted :class:`HierarchicalRidge`; ``effects`` are u_j of ``prompts``."""

    level: Array
    common: Ridge
    own: Ridge
    columns: Columns
    prompts: Prompts
    effects: Array

    def predict(self, prompts: Prompts) -> Forecast:
        """Conditional means."""
        x = self.columns.matrix(prompts)
        at = self.prompts.find(prompts)
        effects = np.where(at >= 0, self.effects[at], 0.0)
        person = self.own.intercept[:, None] + self.own.coefficients @ x.T
        found = self.level[:, None] + self.common.predict(0, x) + effects + person
        return Forecast(np.clip(found, 0.0, 1.0))


def ridge(xs: list[Array], ys: list[Array]) -> Ridge:
    """Ridge regressions of several responses, each on its own rows, with a common penalty.

    Formula: β = argmin Σ (y - α - x'β)² + λ |β|², α free; λ minimises Σ (e_j / (1 - h_j))² over all rows of all
    responses, the exact leave-one-out error (h the hat matrix with intercept). A response without two rows is 0.

    Parameters
    ----------
    xs, ys
        Rows, shape (n_k, p), and responses, shape (n_k,), of each of K regressions.
    """
    p = xs[0].shape[1]
    usable = [len(y) > 1 for y in ys]
    parts = [_decomposed(x, y) if ok else None for x, y, ok in zip(xs, ys, usable, strict=True)]
    error = sum((_left_out(part) for part in parts if part is not None), start=np.zeros(len(_PENALTIES)))
    penalty = float(_PENALTIES[int(np.argmin(error))])
    intercept, coefficients = np.zeros(len(ys)), np.zeros((len(ys), p))
    for k, (x, y, part) in enumerate(zip(xs, ys, parts, strict=True)):
        if part is not None:
            u, s, vt, centred = part
            coefficients[k] = vt.T @ (s / (s**2 + penalty) * (u.T @ centred))
            intercept[k] = y.mean() - x.mean(axis=0) @ coefficients[k]
    return Ridge(intercept, coefficients, penalty)


def row_means(y: Array) -> Array:
    """Mean of each row's ratings, shape (n,); of all ratings for a row without any."""
    seen = ~np.isnan(y)
    count = seen.sum(axis=1)
    total = np.where(seen, y, 0.0).sum(axis=1)
    return np.divide(total, count, out=np.full(len(y), total.sum() / max(count.sum(), 1)), where=count > 0)


def _decomposed(x: Array, y: Array) -> tuple[Array, Array, Array, Array]:
    u, s, vt = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    return u, s, vt, y - y.mean()


def _left_out(part: tuple[Array, Array, Array, Array]) -> Array:
    """Sum of squared leave-one-out errors with each penalty."""
    u, s, _, y = part
    share = s[:, None] ** 2 / (s[:, None] ** 2 + _PENALTIES)
    hat = 1.0 / len(y) + (u**2) @ share
    residual = y[:, None] - u @ (share * (u.T @ y)[:, None])
    return np.asarray(np.sum((residual / np.maximum(1.0 - hat, 1e-9)) ** 2, axis=0))
