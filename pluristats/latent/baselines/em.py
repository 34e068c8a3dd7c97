"""The GLM-HMM fitted by expectation-maximisation, and its states under given parameters."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from pluristats.errors import LatentError, LatentWarning
from pluristats.latent.baselines.hmm import Smoothed, forward_backward
from pluristats.latent.baselines.inferred import Inferred
from pluristats.latent.baselines.likelihood import choices
from pluristats.latent.record import Array, Ints, Trials
from pluristats.latent.simulators.glm_hmm import TRANSITIONS, WEIGHT_MEANS, design

INITIAL = np.full(3, 1 / 3)
_STICKY = np.full((3, 3), 0.025) + 0.925 * np.eye(3)


@dataclass(frozen=True, eq=False)
class GlmHmmFit:
    """A GLM-HMM of N agents.

    Parameters
    ----------
    weights
        Shape (N, 3, 4).
    transitions
        Shape (N, 3, 3); the same for all agents when pooled.
    trace
        Objective after each iteration, summed over agents; it never falls.
    converged
        Whether it rose by less than the tolerance an agent in the end.
    inferred
        The states under the fit, smoothed.
    """

    weights: Array
    transitions: Array
    trace: Array
    converged: bool
    inferred: Inferred

    def __repr__(self) -> str:
        ended = "converged" if self.converged else "NOT converged"
        return f"<GlmHmmFit: {len(self.weights):,} agents, {len(self.trace):,} iterations, {ended}>"


def infer_glm_hmm(weights: Array, trials: Trials, *, transitions: Array = TRANSITIONS, smooth: bool = True) -> Inferred:
    """Probabilities of the states under given parameters, by forward-backward.

    Parameters
    ----------
    weights
        Shape (N, 12) as a simulation's parameters, or (N, 3, 4).
    trials
        Raw columns stimulus, action, reward, each (N, T).
    transitions
        Shape (3, 3) or (N, 3, 3).
    smooth
        Whether a state's probability knows all trials or those up to its own.
    """
    data = _Data.of(trials)
    shaped = np.asarray(weights, dtype=np.float64).reshape(len(data.action), 3, 4)
    found = data.expect(shaped, transitions)
    return _inferred(data, shaped, found, "forward-backward" if smooth else "forward filter", smooth)


def fit_glm_hmm(
    trials: Trials,
    *,
    prior_sd: float | None = 1.0,
    pooled: bool = True,
    max_iterations: int = 200,
    tolerance: float = 1e-4,
) -> GlmHmmFit:
    """Fit weights of each agent and transitions.

    E step: forward-backward. M step: A_kl ∝ expected moves from k to l; the weights by Newton's method on the logistic
    likelihood weighted by the state's probability, halved until it does not fall. States keep the names of the weights
    that they start from, the means of the model's prior; transitions start sticky (0.95), the first state is uniform.

    Parameters
    ----------
    trials
        Raw columns stimulus, action, reward, each (N, T).
    prior_sd
        Of a normal prior of the weights around the model's means (1 is the simulator's); None is maximum likelihood,
        where weights of a state that separates its choices grow without end.
    pooled
        One transition matrix for all agents, as the simulator has; otherwise each agent's own.
    max_iterations, tolerance
        Ends when an iteration raises the objective by less than ``tolerance`` an agent (published: 200, 1e-4).

    Warns
    -----
    LatentWarning
        It had not converged after ``max_iterations``.
    """
    if prior_sd is not None and not prior_sd > 0:
        raise LatentError(f"prior_sd is a positive number, or None for maximum likelihood, not {prior_sd}.")
    data = _Data.of(trials)
    n, precision = len(data.action), 0.0 if prior_sd is None else prior_sd**-2
    weights, transitions = np.tile(WEIGHT_MEANS, (n, 1, 1)), np.tile(_STICKY, (n, 1, 1))
    trace: list[float] = []
    for _ in range(max_iterations + 1):
        found = data.expect(weights, transitions)
        penalty = 0.5 * precision * ((weights - WEIGHT_MEANS) ** 2).sum()
        trace.append(float(found.log_likelihood.sum() - penalty))
        if (len(trace) > 1 and trace[-1] - trace[-2] < tolerance * n) or len(trace) > max_iterations:
            break
        weights = data.maximise(weights, found.smoothed, precision)
        transitions = _moves(found.pairs, transitions, pooled)
    converged = len(trace) > 1 and trace[-1] - trace[-2] < tolerance * n
    if not converged:
        warnings.warn(
            f"EM had not converged after {max_iterations} iterations (last rise {trace[-1] - trace[-2]:.3g} for {n} "
            "agents); raise max_iterations.",
            LatentWarning,
            stacklevel=2,
        )
    method = f"EM ({'maximum likelihood' if prior_sd is None else 'MAP'}), smoothed"
    return GlmHmmFit(weights, transitions, np.array(trace), converged, _inferred(data, weights, found, method, True))


@dataclass(frozen=True, eq=False)
class _Data:
    """Regressors (N, T, 4), their products (N, T, 16), actions (N, T; -1 where missing)."""

    x: Array
    products: Array
    action: Ints

    @classmethod
    def of(cls, trials: Trials) -> _Data:
        action, _ = choices(trials)
        action = np.where(np.isnan(np.asarray(trials["stimulus"], dtype=np.float64)), -1, action)
        x = design(trials)
        return cls(x, (x[..., :, None] * x[..., None, :]).reshape(*action.shape, 16), action)

    def expect(self, weights: Array, transitions: Array) -> Smoothed:
        return forward_backward(INITIAL, transitions, self._log_emission(weights))

    def _log_emission(self, weights: Array) -> Array:
        """Log of P(a_t | z_t), shape (N, T, 3); 0 where missing."""
        eta = self.x @ weights.transpose(0, 2, 1)
        sign = np.where(self.action == 1, 1.0, -1.0)[:, :, None]
        return np.where((self.action >= 0)[:, :, None], -np.logaddexp(0, -sign * eta), 0.0)

    def maximise(self, weights: Array, states: Array, precision: float) -> Array:
        """One Newton step of each agent and state, halved until the objective does not fall."""
        counts = np.where((self.action >= 0)[:, :, None], states, 0.0)
        p = expit(self.x @ weights.transpose(0, 2, 1))
        slope = ((counts * ((self.action == 1)[:, :, None] - p)).transpose(0, 2, 1) @ self.x) - precision * (
            weights - WEIGHT_MEANS
        )
        curve = ((counts * p * (1 - p)).transpose(0, 2, 1) @ self.products).reshape(*weights.shape, 4)
        # A little ridge only steadies the step where a state is hardly visited; what is maximised is as stated.
        step = np.linalg.solve(curve + (precision + 1e-6) * np.eye(4), slope[..., None])[..., 0]
        before, size = self._objective(weights, counts, precision), np.ones(weights.shape[:2])
        for _ in range(20):
            better = self._objective(weights + size[..., None] * step, counts, precision) >= before - 1e-12
            if better.all():
                break
            size = np.where(better, size, size / 2)
        return weights + np.where(better, size, 0.0)[..., None] * step

    def _objective(self, weights: Array, counts: Array, precision: float) -> Array:
        """Expected log likelihood of each agent's state, penalised, shape (N, 3)."""
        penalty = 0.5 * precision * ((weights - WEIGHT_MEANS) ** 2).sum(axis=2)
        return (counts * self._log_emission(weights)).sum(axis=1) - penalty


def _moves(pairs: Array, before: Array, pooled: bool) -> Array:
    counts = np.broadcast_to(pairs.sum(axis=0), pairs.shape) if pooled else pairs
    total = counts.sum(axis=2, keepdims=True)
    # A state that is never left or entered keeps its row.
    return np.where(total > 1e-12, counts / np.maximum(total, 1e-12), before)


def _inferred(data: _Data, weights: Array, found: Smoothed, method: str, smooth: bool) -> Inferred:
    n, n_trials = data.action.shape
    none = np.empty((n, n_trials, 0))
    probabilities = found.smoothed if smooth else found.filtered
    flat = weights.reshape(n, 12)
    return Inferred(method, none, none, (), (probabilities,), ("state",), flat, found.log_likelihood, data.action >= 0)
