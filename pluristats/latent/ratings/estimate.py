"""Parameters of annotators, each alone: maximum a posteriori, and how certain that is."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy.special import ndtri

from pluristats.errors import LatentWarning
from pluristats.latent.ratings.coordinates import Coordinates
from pluristats.latent.ratings.likelihoods import LIKELIHOODS, latents
from pluristats.latent.ratings.response import Ratings
from pluristats.latent.record import Array, Mask, Model

# Of central differences of the gradient, in coordinates of about unit spread.
_DIFFERENCE = 1e-3
# Least curvature in any direction, as of a prior twice as wide: a flat tail is not followed to infinity.
_LEAST_CURVATURE = 0.25


@dataclass(frozen=True, eq=False)
class Estimates:
    """Parameters of N annotators under one model.

    Parameters
    ----------
    model
        What was fitted.
    parameters
        Shape (N, P): the mode of the posterior of w (:mod:`pluristats.latent.ratings.coordinates`), as parameters.
    covariance
        Of w, the inverse of minus the log posterior's Hessian there, shape (N, P, P).
    log_likelihood, log_posterior
        At the mode, shape (N,); the posterior's without its normaliser.
    converged
        Whether the search ended where the gradient vanishes, shape (N,).
    """

    model: Model
    parameters: Array = field(repr=False)
    covariance: Array = field(repr=False)
    log_likelihood: Array = field(repr=False)
    log_posterior: Array = field(repr=False)
    converged: Mask = field(repr=False)

    def __repr__(self) -> str:
        n, p = self.parameters.shape
        return f"<Estimates of {self.model.name!r}: {p} parameters of {n:,} annotators>"

    @property
    def log_evidence(self) -> Array:
        """Laplace's approximation of log ∫ p(ratings | θ) p(θ) dθ, shape (N,): posterior + ½ log |2π covariance|."""
        return self.log_posterior + 0.5 * np.linalg.slogdet(2 * np.pi * self.covariance)[1]


def estimate(model: Model, ratings: Ratings, start: Array | None = None, *, spread: bool = True) -> Estimates:
    """Fit every annotator by L-BFGS with exact gradients.

    Maximises log p(ratings | θ) + log π(w) over w, where θ = θ(w). On w rather than θ, so that τ, whose likelihood
    is often largest at 0, has a mode inside.

    Parameters
    ----------
    model
        One of the rating models.
    ratings
        Of N annotators.
    start
        Parameters, shape (N, k), of the first k ≤ P; the others, or all, start at the prior's centre.
    spread
        False leaves the covariance NaN, for many refits.

    Warns
    -----
    LatentWarning
        Some searches did not converge.
    """
    from scipy.optimize import minimize

    coordinates, n = Coordinates.of(model), len(ratings.mask)
    first = np.zeros((n, len(model.parameters)))
    if start is not None:
        first[:, : start.shape[1]] = Coordinates(coordinates.each[: start.shape[1]]).to(start)
    best, converged = np.empty_like(first), np.empty(n, dtype=bool)
    covariance = np.full((n, first.shape[1], first.shape[1]), np.nan)
    for i in range(n):
        posterior = _posterior(model, coordinates, ratings.rows(slice(i, i + 1)))

        def loss(w: Array, posterior: Callable[[Array], tuple[float, Array]] = posterior) -> tuple[float, Array]:
            value, slope = posterior(w)
            return -value, -slope

        found = minimize(loss, first[i], jac=True, method="L-BFGS-B", options={"gtol": 1e-5, "ftol": 1e-12})
        # A line search that can gain nothing more ends abnormally at a good optimum; the gradient decides.
        best[i], converged[i] = found.x, bool(np.abs(found.jac).max() < 1e-2)
        if spread:
            covariance[i] = _covariance(posterior, found.x)
    if not converged.all():
        warnings.warn(
            f"{int((~converged).sum())} of {n} annotators' fits of {model.name} did not converge; their parameters are "
            "less certain than they look.",
            LatentWarning,
            stacklevel=2,
        )
    theta = coordinates.back(best)
    likelihood = LIKELIHOODS[model.name](theta, ratings).log_likelihood
    return Estimates(model, theta, covariance, likelihood, likelihood + coordinates.log_prior(theta), converged)


@dataclass(frozen=True, eq=False)
class Trajectories:
    """Latents of N annotators over T trials.

    Parameters
    ----------
    shift, sd
        Mean and standard deviation, shape (N, T).
    engaged
        Probability of being engaged, shape (N, T).
    """

    shift: Array
    sd: Array
    engaged: Array

    def __repr__(self) -> str:
        n, t = self.shift.shape
        return f"<Trajectories: {n:,} annotators over {t:,} trials>"


def drawn(fit: Estimates, n: int, seed: int) -> tuple[Array, Array]:
    """Parameters from the normal approximation of each annotator's posterior of w, spread evenly.

    Formula: w = mode + L z, LL' = covariance, z a scrambled Sobol sequence through the normal's quantiles, whose means
    err much less than those of n independent draws. Everybody has the same z, each in an order of their own, so that
    the k-th draws of all annotators are as if independent.

    Returns
    -------
    theta
        Shape (n, N, P).
    log_density
        Of the approximation at them, shape (n, N), without its constant, which is the annotator's.
    """
    from scipy.stats import qmc

    coordinates, rng = Coordinates.of(fit.model), np.random.default_rng(seed)
    people, p = fit.parameters.shape
    uniform = qmc.Sobol(p, seed=rng).random_base2(int(np.ceil(np.log2(n))))[:n]
    z = ndtri(np.clip(uniform, 1e-9, 1 - 1e-9))[np.argsort(rng.random((n, people)), axis=0)]
    root = np.linalg.cholesky(fit.covariance)
    w = coordinates.to(fit.parameters) + np.einsum("npq,knq->knp", root, z)
    return coordinates.back(w), -0.5 * (z**2).sum(axis=2)


def trajectories(fit: Estimates, ratings: Ratings, draws: int = 32, seed: int = 0) -> Trajectories:
    """Latents given ratings, averaged over what the parameters may be.

    Formula: mean = Σ_k v_k m_k and sd² = Σ_k v_k (s_k² + m_k²) − mean², m_k and s_k² the moments under parameters θ_k;
    θ_k drawn from the normal approximation of the posterior, weighted by v_k ∝ posterior / approximation. With the mode
    alone (0 draws) the level would count as known, and intervals of the shift be too narrow.

    Parameters
    ----------
    fit, ratings
        Of the same annotators.
    draws
        Of parameters; 0 takes the mode.
    seed
        Of the draws.
    """
    if draws == 0:
        found = latents(fit.model.name, fit.parameters, ratings)
        return Trajectories(found.shift, np.sqrt(found.variance), found.engaged)
    coordinates, n = Coordinates.of(fit.model), len(fit.parameters)
    thetas, density = drawn(fit, draws, seed)
    weights, first, second, engaged = (np.empty((draws, n, *tail)) for tail in ((), *[ratings.mask.shape[1:]] * 3))
    for k, theta in enumerate(thetas):
        found = latents(fit.model.name, theta, ratings)
        weights[k] = found.log_likelihood + coordinates.log_prior(theta) - density[k]
        first[k], second[k], engaged[k] = found.shift, found.variance + found.shift**2, found.engaged
    weights = np.exp(weights - weights.max(axis=0))
    weights /= weights.sum(axis=0)
    mean, square, state = (np.einsum("kn,knt->nt", weights, x) for x in (first, second, engaged))
    return Trajectories(mean, np.sqrt(np.maximum(square - mean**2, 0.0)), np.minimum(state, 1.0))


def _posterior(model: Model, coordinates: Coordinates, ratings: Ratings) -> Callable[[Array], tuple[float, Array]]:
    """Log posterior of one annotator's w, and its gradient."""
    likelihood = LIKELIHOODS[model.name]

    def at(w: Array) -> tuple[float, Array]:
        theta = coordinates.back(w[None])
        score = likelihood(theta, ratings)
        slope = score.gradient * coordinates.slope(theta) + coordinates.prior_slope(theta)
        return float(score.log_likelihood[0] + coordinates.log_prior(theta)[0]), slope[0]

    return at


def _covariance(posterior: Callable[[Array], tuple[float, Array]], w: Array) -> Array:
    """Inverse of minus the Hessian by central differences of the gradient, eigenvalues kept above a least."""
    steps = _DIFFERENCE * np.eye(len(w))
    hessian = np.array([(posterior(w + h)[1] - posterior(w - h)[1]) / (2 * _DIFFERENCE) for h in steps])
    values, vectors = np.linalg.eigh(-(hessian + hessian.T) / 2)
    return (vectors / np.maximum(values, _LEAST_CURVATURE)) @ vectors.T
