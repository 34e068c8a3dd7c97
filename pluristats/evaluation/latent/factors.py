"""A factor model of annotators × prompts whose factors are Gaussian processes over prompts.

z_ij = w_i0 + Σ_r w_ir c_jr + e_ij, e_ij ~ N(0, ψ_i): what a prompt is (c_j, shared by all) times what that is to a
person (w_i). c_·r ~ GP(0, Σ_l a_rl K_l + b_r I), so that prompts that are alike have alike factors, and what is a
prompt's own is learned from others' ratings of it. w_i ~ N(μ, diag(σ²)), ψ_i around a common value: people share
strength. Bounds make z censored, which is an ordinal probit. Fitted by mean-field variational Bayes (q(w) q(c)); kernel
amounts, μ and σ² by maximum likelihood.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotri

from pluristats.engine.result import Array
from pluristats.errors import EvaluationError
from pluristats.evaluation.latent.amounts import most_likely
from pluristats.evaluation.latent.response import Latent, truncated

# Ratings that the common noise counts for, beside an annotator's own.
_NOISE_COUNT = 5.0
# Rounds at which kernel amounts are estimated, and from which censored values move.
_AMOUNTS_AT = (2, 6, 10)
_CENSORED_FROM = 3


@dataclass(frozen=True, eq=False)
class Factors:
    """A fitted factor model of n annotators, m prompts, R factors and D = R + 1 weights (the first of a constant).

    Parameters
    ----------
    weights, weights_cov
        Posterior means and covariances of people's weights, shapes (n, D) and (n, D, D).
    scores, scores_cov
        Of prompts' factors, shapes (m, R) and (R, m, R, m).
    noise
        ψ_i, shape (n,).
    prior_mean, prior_var
        μ and σ², shape (D,).
    amounts
        Log variances of each kernel and of what is a prompt's own, shape (R, k + 1).
    prior_cov
        Prior covariance of each factor over the prompts, shape (R, m, m).
    """

    weights: Array = field(repr=False)
    weights_cov: Array = field(repr=False)
    scores: Array = field(repr=False)
    scores_cov: Array = field(repr=False)
    noise: Array = field(repr=False)
    prior_mean: Array
    prior_var: Array
    amounts: Array = field(repr=False)
    prior_cov: Array = field(repr=False)


@dataclass(frozen=True, eq=False)
class Scores:
    """Factors of some prompts: posterior means, shape (k, R), and covariances, shape (k, R, R)."""

    mean: Array
    cov: Array


def fit_factors(latent: Latent, kernels: Sequence[Array], rank: int, rounds: int = 15) -> Factors:
    """Fit the model.

    Parameters
    ----------
    latent
        Shape (n, m); every prompt has a value.
    kernels
        Between the prompts, shape (m, m) each, scaled so that amounts are comparable; none for factors without.
    rank
        R; at most one less than annotators and prompts.
    rounds
        Of updates; further ones move predictions by less than their error.

    Raises
    ------
    EvaluationError
        There is nothing to fit.
    """
    z, seen = latent.z, ~np.isnan(latent.z)
    if not seen.any(axis=0).all() or z.shape[1] < 2:
        raise EvaluationError("a factor model needs two prompts or more, each with a rating")
    rank = max(1, min(rank, min(z.shape) - 1))
    w, c = _start(z, seen, rank)
    n, m = z.shape
    noise = np.full(n, np.mean((_filled(z, seen) - w @ _with_constant(c).T) ** 2) * 1.3 + 1e-3)
    c_cov = np.zeros((rank, m, rank, m))
    mean, var = w.mean(axis=0), np.var(w, axis=0) + 1e-3
    amounts = np.full((rank, len(kernels) + 1), -np.log(len(kernels) + 1.0))
    prior = _prior(amounts, kernels, m)
    prior_inverse = np.stack([inverse(k) for k in prior])
    value, extra = np.where(seen, z, 0.0), np.zeros_like(z)
    for step in range(rounds):
        w, w_cov = _update_weights(value, seen / noise[:, None], c, c_cov, mean, var)
        mean = w.mean(axis=0)
        var = ((w - mean) ** 2).mean(axis=0) + np.einsum("iaa->a", w_cov) / n + 1e-6
        pull, precision = _evidence(value, seen / noise[:, None], w, w_cov)
        if step in _AMOUNTS_AT:
            amounts = _update_amounts(amounts, kernels, pull, precision, c)
            prior = _prior(amounts, kernels, m)
            prior_inverse = np.stack([inverse(k) for k in prior])
        c, c_cov = _update_scores(pull, precision, prior_inverse)
        fitted, spread = _moments(w, w_cov, c, _own_cov(c_cov))
        wrong = np.where(seen, (value - fitted) ** 2 + spread + extra, 0.0)
        noise = (wrong.sum(axis=1) + _NOISE_COUNT * wrong.sum() / seen.sum()) / (seen.sum(axis=1) + _NOISE_COUNT)
        if latent.lower is not None and latent.upper is not None and step >= _CENSORED_FROM:
            inside, variance = truncated(fitted, np.sqrt(noise)[:, None], latent.lower, latent.upper)
            value, extra = np.where(seen, inside, 0.0), np.where(seen, variance, 0.0)
    return Factors(w, w_cov, c, c_cov, noise, mean, var, amounts, prior)


def known(fit: Factors) -> Scores:
    """Factors of the prompts that the model was fitted to."""
    return Scores(fit.scores, _own_cov(fit.scores_cov))


def extended(fit: Factors, cross: Sequence[Array], own: Sequence[Array], count: int) -> Scores:
    """Factors of prompts without a rating.

    Formula: c* | c ~ N(K*K⁻¹c, K** - K*K⁻¹K*'), averaged over the posterior of c.

    Parameters
    ----------
    fit
        Of m prompts.
    cross
        Kernels between the new prompts and those m, shape (k, m) each, in the order of the fit's.
    own
        The new prompts' kernels with themselves, shape (k,) each.
    count
        New prompts k; without kernels their factors are the prior's.
    """
    rank, m, k = fit.scores.shape[1], len(fit.scores), count
    share = np.exp(fit.amounts)
    mean, cov, gain = np.zeros((k, rank)), np.zeros((k, rank, rank)), np.zeros((rank, k, m))
    for r in range(rank):
        between = sum((a * part for a, part in zip(share[r], cross, strict=False)), start=np.zeros((k, m)))
        prior = sum((a * part for a, part in zip(share[r], own, strict=False)), start=np.full(k, share[r, -1]))
        gain[r] = np.linalg.solve(fit.prior_cov[r], between.T).T
        mean[:, r] = gain[r] @ fit.scores[:, r]
        cov[:, r, r] = prior - np.einsum("jx,jx->j", gain[r], between)
    for r in range(rank):
        for s in range(rank):
            cov[:, r, s] += np.einsum("jx,jx->j", gain[r] @ fit.scores_cov[r, :, s], gain[s])
    return Scores(mean, cov)


def predictive(fit: Factors, scores: Scores) -> tuple[Array, Array]:
    """Mean and standard deviation of z for every annotator and prompt with these factors, shape (n, k)."""
    mean, spread = _moments(fit.weights, fit.weights_cov, scores.mean, scores.cov)
    return mean, np.sqrt(spread + fit.noise[:, None])


def _start(z: Array, seen: Array, rank: int) -> tuple[Array, Array]:
    """Weights and scores from the singular values of the filled table; the first factor is higher for more people."""
    filled = _filled(z, seen)
    level = filled.mean(axis=1, keepdims=True)
    u, s, vt = np.linalg.svd(filled - level, full_matrices=False)
    root = np.sqrt(z.shape[1])
    w, c = u[:, :rank] * s[:rank] / root, vt[:rank].T * root
    sign = np.where(w.mean(axis=0) < 0, -1.0, 1.0)
    return np.column_stack([level, w * sign]), c * sign


def _filled(z: Array, seen: Array) -> Array:
    """Missing values by annotator's mean + prompt's mean deviation."""
    value = np.where(seen, z, 0.0)
    rows = seen.sum(axis=1, keepdims=True)
    level = np.divide(value.sum(axis=1, keepdims=True), rows, out=np.zeros((len(z), 1)), where=rows > 0)
    shift = np.where(seen, z - level, 0.0).sum(axis=0) / seen.sum(axis=0)
    return np.where(seen, z, level + shift)


def _with_constant(c: Array) -> Array:
    return np.column_stack([np.ones(len(c)), c])


def _own_cov(scores_cov: Array) -> Array:
    """Covariance of each prompt's factors, shape (m, R, R)."""
    return np.einsum("rjsj->jrs", scores_cov)


def _update_weights(
    value: Array, precision: Array, c: Array, c_cov: Array, mean: Array, var: Array
) -> tuple[Array, Array]:
    """q(w_i) = N: a regression of each person's values on uncertain factors, with the prior of all people."""
    x = _with_constant(c)
    second = x[:, :, None] * x[:, None, :]
    second[:, 1:, 1:] += _own_cov(c_cov)
    cov = np.linalg.inv(np.diag(1.0 / var) + np.einsum("ij,jab->iab", precision, second, optimize=True))
    return np.einsum("iab,ib->ia", cov, mean / var + (value * precision) @ x), cov


def _evidence(value: Array, precision: Array, w: Array, w_cov: Array) -> tuple[Array, Array]:
    """What the ratings of each prompt say of its factors: precision × value, shape (m, R), and precision (m, R, R)."""
    second = w[:, :, None] * w[:, None, :] + w_cov
    whole = np.einsum("ij,iab->jab", precision, second, optimize=True)
    pull = (value * precision).T @ w - whole[:, :, 0]
    return pull[:, 1:], whole[:, 1:, 1:]


def _update_amounts(amounts: Array, kernels: Sequence[Array], pull: Array, precision: Array, c: Array) -> Array:
    """Amounts of each factor, the others' scores held."""
    out = amounts.copy()
    for r in range(len(amounts)):
        exact = precision[:, r, r]
        others = np.einsum("ja,ja->j", precision[:, r], c) - exact * c[:, r]
        out[r] = most_likely(amounts[r], kernels, (pull[:, r] - others) / exact, exact)
    return out


def _prior(amounts: Array, kernels: Sequence[Array], m: int) -> Array:
    out = np.zeros((len(amounts), m, m))
    for r, row in enumerate(np.exp(amounts)):
        out[r] = row[-1] * np.eye(m)
        for amount, kernel in zip(row, kernels, strict=False):
            out[r] += amount * kernel
    return out


def _update_scores(pull: Array, precision: Array, prior_inverse: Array) -> tuple[Array, Array]:
    """q(c) = N over all prompts and factors together: precision = blocks of K⁻¹ + what each prompt's ratings say."""
    m, rank = pull.shape
    whole = np.zeros((rank, m, rank, m))
    at = np.arange(m)
    for r in range(rank):
        whole[r, :, r, :] = prior_inverse[r]
        for s in range(rank):
            whole[r, at, s, at] += precision[:, r, s]
    cov = inverse(whole.reshape(rank * m, rank * m))
    mean = cov @ pull.T.ravel()
    return mean.reshape(rank, m).T, cov.reshape(rank, m, rank, m)


def _moments(w: Array, w_cov: Array, c: Array, c_cov: Array) -> tuple[Array, Array]:
    """Mean and variance of w_i'c_j with the constant, both uncertain and independent."""
    x = _with_constant(c)
    mean = w @ x.T
    from_c = np.einsum("ia,jab,ib->ij", w[:, 1:], c_cov, w[:, 1:], optimize=True)
    from_w = np.einsum("ja,iab,jb->ij", x, w_cov, x, optimize=True)
    return mean, from_c + from_w + np.einsum("iab,jab->ij", w_cov[:, 1:, 1:], c_cov, optimize=True)


def inverse(a: Array) -> Array:
    """Inverse of a symmetric positive definite matrix.

    Raises
    ------
    EvaluationError
        It is not one: kernels of prompts that are all the same.
    """
    factor, wrong = dpotrf(a, lower=1)
    if wrong:
        raise EvaluationError("a covariance of prompts is not positive definite; are feature values finite?")
    found, _ = dpotri(factor, lower=1)
    return np.tril(found) + np.tril(found, -1).T
