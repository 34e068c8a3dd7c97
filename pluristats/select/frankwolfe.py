"""The least value of a convex function on a convex set that is known by its linear minimiser: Frank and Wolfe's method.

For a convex f, at any x of the set and for every y of it, f(y) ≥ f(x) + ∇f(x)'(y − x) ≥ f(x) + min_s ∇f(x)'(s − x): the
value minus the duality gap is a lower bound, and so is the largest of them over the iterations. Fully corrective: after
each new vertex f is minimised over all vertices found so far, by Newton's method. How well that does how
soon the gap closes, not whether the bound holds.

Sources: Frank & Wolfe 1956; Jaggi 2013; Lacoste-Julien & Jaggi 2015.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pluristats.select.distance import Array

ITERATIONS = 200
# Newton steps after each new vertex.
NEWTON = 8
# Taken off for rounding.
ROUNDING = 1e-12
# The end: a value that is known within this, or this part of it.
CLOSE, CLOSE_SHARE = 1e-8, 1e-3

Value = Callable[[Array], float]
Slope = Callable[[Array], Array]
Root = Callable[[Array, Array], Array]
Vertex = Callable[[Array], Array]


@dataclass(frozen=True, eq=False)
class Least:
    """What was found.

    Parameters
    ----------
    bound
        The function is nowhere below it on the set.
    x
        Where it is least, as far as was found.
    atoms
        Points of the set of which x is a mixture, (m, d).
    """

    bound: float
    x: Array
    atoms: Array


def least(value: Value, derivative: Slope, root: Root, vertex: Vertex, atoms: Array, enough: float = 0.0) -> Least:
    """The least value.

    Parameters
    ----------
    value, derivative
        The function and its gradient, finite at mixtures of ``atoms``.
    root
        At x and for vectors a (m, d), R a with R'R the Hessian at x, or near it: (r, m).
    vertex
        The point of the set at which a linear function is least.
    atoms
        Points of the set to start from, (m, d).
    enough
        Stop where the least value is found not to be above it.
    """
    share = np.full(len(atoms), 1 / len(atoms))
    if len(atoms) > 1:
        share = _corrected(value, derivative, root, atoms, share)
    x, best = share @ atoms, -np.inf
    for _ in range(ITERATIONS):
        g = derivative(x)
        s, now = vertex(g), value(x)
        best = max(best, now + float(g @ (s - x)))
        if now - best <= max(CLOSE, CLOSE_SHARE * abs(now)) or now <= enough * (1 + CLOSE_SHARE) + CLOSE:
            break
        if not (atoms == s).all(axis=1).any():
            atoms, share = np.vstack([atoms, s]), np.append(share, 0.0)
        share = _corrected(value, derivative, root, atoms, share)
        keep = share > 1e-12
        atoms, share = atoms[keep], share[keep] / share[keep].sum()
        x = share @ atoms
    return Least(best - ROUNDING, x, atoms)


def _corrected(value: Value, derivative: Slope, root: Root, atoms: Array, share: Array) -> Array:
    """Shares of the vertices found so far at which the function is less than before: Newton's method on the simplex.

    Each step minimises the quadratic model over all shares (non-negative least squares, their sum held by a heavy row)
    and goes towards that minimum as far as the function falls; where the model fails, a pairwise step is made.
    """
    for _ in range(NEWTON):
        x = share @ atoms
        now = value(x)
        goal = _model(root(x, atoms), atoms @ derivative(x), share)
        step = _line(derivative, x, (goal - share) @ atoms, 1.0)
        new = (1 - step) * share + step * goal
        if not value(new @ atoms) < now:
            new = _step(derivative, atoms, share)
        gained = now - value(new @ atoms)
        if gained > 0:
            share = new
        if gained <= 1e-4 * abs(now):
            break
    return share


def _model(roots: Array, slopes: Array, share: Array) -> Array:
    """Shares a ≥ 0, Σ a = 1, with the least ½ (a − share)' R'R (a − share) + slopes'(a − share)."""
    from scipy.linalg import cholesky, solve_triangular
    from scipy.optimize import nnls

    bend = roots.T @ roots
    if not (np.isfinite(bend).all() and np.isfinite(slopes).all()):  # overflow at an edge: the pairwise step is left
        return share
    scale = float(np.trace(bend)) / len(share) or 1.0
    upper = cholesky(bend / scale + 1e-10 * np.eye(len(share)))
    right = upper @ share - solve_triangular(upper, (slopes - slopes.min()) / scale, trans="T")
    heavy = 1e3 * float(np.abs(upper).max())
    try:
        found, _ = nnls(np.vstack([upper, np.full(len(share), heavy)]), np.append(right, heavy))
    except (RuntimeError, np.linalg.LinAlgError):  # it did not end, or met a singular set: the pairwise step is left
        return share
    return found / found.sum() if found.sum() > 0 else share


def _step(derivative: Slope, atoms: Array, share: Array) -> Array:
    """A pairwise step: from the worst of the vertices in use to the best, as far as the function falls."""
    x = share @ atoms
    scores = atoms @ derivative(x)
    away, near = int(np.argmax(np.where(share > 0, scores, -np.inf))), int(np.argmin(scores))
    moved = _line(derivative, x, atoms[near] - atoms[away], float(share[away]))
    share = share.copy()
    share[away] -= moved
    share[near] += moved
    return share


def _line(derivative: Slope, x: Array, direction: Array, most: float) -> float:
    """Step up to ``most`` at which a convex function is least along a direction: bisection of its derivative."""
    if float(derivative(x + most * direction) @ direction) <= 0:
        return most
    low, high = 0.0, most
    for _ in range(30):
        middle = (low + high) / 2
        if float(derivative(x + middle * direction) @ direction) > 0:
            high = middle
        else:
            low = middle
    return low
