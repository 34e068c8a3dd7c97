"""Parameters of agents by maximum likelihood or maximum a posteriori, where the likelihood is tractable."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pluristats.errors import LatentError, LatentWarning
from pluristats.latent.baselines.likelihood import choices, kernel_of
from pluristats.latent.priors import Beta, Uniform
from pluristats.latent.record import Array, Ints, Mask, Model, Prior, Trials
from pluristats.models.parallel import in_blocks

# Of the central differences, in parameters scaled to 0..1.
_STEP = 1e-5


@dataclass(frozen=True, eq=False)
class Fit:
    """Parameters of N agents, each fitted alone.

    Parameters
    ----------
    parameters
        Shape (N, P).
    log_likelihood, log_posterior
        At them, shape (N,); the same for maximum likelihood. Uniform priors, which are constants, are left out.
    converged
        Whether the best start ended at a stationary point, shape (N,).
    at_bound
        Which parameters lie on a bound, shape (N, P).
    n_starts, seed
        Starts an agent, and what they were drawn from.
    """

    parameters: Array
    log_likelihood: Array
    log_posterior: Array
    converged: Mask
    at_bound: Mask
    n_starts: int
    seed: int

    def __repr__(self) -> str:
        n, p = self.parameters.shape
        return f"<Fit: {p} parameters of {n:,} agents, {int(self.converged.sum()):,} converged, seed {self.seed}>"


def fit_parameters(
    model: Model,
    trials: Trials,
    *,
    priors: Mapping[str, Prior] | Literal["model"] | None = "model",
    n_starts: int = 5,
    seed: int = 0,
    capped: bool = True,
    n_jobs: int = 1,
    progress: bool = False,
) -> Fit:
    """Fit every agent by L-BFGS-B from several starts; the best end counts.

    Maximises log L(θ) + Σ_p log π_p(θ_p) within the parameters' bounds, scaled to 0..1, with central differences.

    Parameters
    ----------
    model
        ``rl4`` or ``meta-rl``.
    trials
        Raw columns action and reward, each (N, T).
    priors
        ``"model"``: those that the simulator draws from (MAP); by parameter name, others, such as
        ``rl4.PUBLISHED_PRIORS`` (a parameter without one has a flat one); None: maximum likelihood.
    n_starts
        Drawn from the model's priors.
    seed
        An agent's starts depend on it and on the agent's place only.
    capped
        As in :func:`log_likelihood`.
    n_jobs, progress
        Processes, and whether to show how far it is.

    Warns
    -----
    LatentWarning
        Some agents' best start did not converge.
    """
    if n_starts < 1:
        raise LatentError(f"n_starts is the number of starts of each agent, at least 1, not {n_starts}.")
    action, reward = choices(trials)
    kernel_of(model)
    job = _Job(model, _chosen(model, priors), n_starts, capped)
    seeds = np.random.SeedSequence(seed).spawn(len(action))
    tasks = [*zip(action, reward, seeds, strict=True)]
    rows = in_blocks(job.fits, tasks, n_jobs=n_jobs, what=f"fits of {model.name}", progress=progress)
    values, likelihoods, posteriors, converged = (np.array(x) for x in zip(*rows, strict=True))
    if not converged.all():
        warnings.warn(
            f"{int((~converged).sum())} of {len(converged)} agents' fits stopped before they converged; their "
            "parameters may be improved by more starts (n_starts).",
            LatentWarning,
            stacklevel=2,
        )
    low, high = job.bounds()
    at_bound = (values <= low + 1e-6 * (high - low)) | (values >= high - 1e-6 * (high - low))
    return Fit(values, likelihoods, posteriors, converged, at_bound, n_starts, seed)


Task = tuple[Ints, Ints, np.random.SeedSequence]


@dataclass(frozen=True)
class _Job:
    model: Model
    priors: Mapping[str, Prior]
    n_starts: int
    capped: bool

    def bounds(self) -> tuple[Array, Array]:
        """Of the parameters, within the priors' supports, each (P,)."""
        pairs = [within(p.low, p.high, self.priors.get(p.name)) for p in self.model.parameters]
        low, high = np.array(pairs).T
        return low, high

    def fits(self, tasks: Sequence[Task]) -> list[tuple[Array, float, float, bool]]:
        return [self.fit(*task) for task in tasks]

    def fit(self, action: Ints, reward: Ints, seed: np.random.SeedSequence) -> tuple[Array, float, float, bool]:
        from scipy.optimize import minimize

        kernel, (low, high), informative = kernel_of(self.model), self.bounds(), self._informative()
        span, chosen, engaged = high - low, np.empty(len(action)), np.empty(len(action))

        def likelihood(theta: Array) -> float:
            return kernel(theta, action, reward, self.capped, chosen, engaged)

        def loss_and_slope(u: Array) -> tuple[float, Array]:
            down, up = low + np.maximum(u - _STEP, 0) * span, low + np.minimum(u + _STEP, 1) * span
            theta, moved, rise = low + u * span, low + u * span, np.empty(len(u))
            total = likelihood(theta)
            for k in range(len(u)):
                moved[k] = up[k]
                rise[k] = likelihood(moved)
                moved[k] = down[k]
                rise[k] -= likelihood(moved)
                moved[k] = theta[k]
            for k, prior in informative:
                at = prior.log_density(np.array([theta[k], up[k], down[k]]))
                total, rise[k] = total + at[0], rise[k] + at[1] - at[2]
            return -total, -rise / (up - down) * span

        starts = (self.model.draw(self.n_starts, np.random.default_rng(seed)) - low) / span
        ends = [
            minimize(
                loss_and_slope, np.clip(start, 0.01, 0.99), jac=True, method="L-BFGS-B", bounds=[(0, 1)] * len(low)
            )
            for start in starts
        ]
        best = min(ends, key=lambda end: end.fun)
        theta = low + best.x * span
        return theta, likelihood(theta), -float(best.fun), bool(best.success)

    def _informative(self) -> list[tuple[int, Prior]]:
        """Priors that are not constant within the bounds, by their parameter's place."""
        placed = [(k, self.priors.get(p.name)) for k, p in enumerate(self.model.parameters)]
        return [(k, prior) for k, prior in placed if prior is not None and not isinstance(prior, Uniform)]


def _chosen(model: Model, priors: Mapping[str, Prior] | Literal["model"] | None) -> Mapping[str, Prior]:
    if priors is None:
        return {}
    if isinstance(priors, str):
        if priors != "model":
            raise LatentError(f"priors is 'model', None or a mapping of parameter names to priors, not {priors!r}.")
        return {p.name: p.prior for p in model.parameters}
    if unknown := [name for name in priors if name not in model.parameter_names]:
        raise LatentError(
            f"Model {model.name!r} has no parameter {unknown[0]!r}; it has {', '.join(model.parameter_names)}."
        )
    return priors


def within(low: float, high: float, prior: Prior | None) -> tuple[float, float]:
    """Bounds within a prior's support, where its density is finite."""
    if isinstance(prior, Uniform):
        low, high = max(low, prior.low), min(high, prior.high)
    elif isinstance(prior, Beta):
        low, high = max(low, 1e-6), min(high, 1 - 1e-6)
    if not low < high:
        raise LatentError(f"The prior {prior} leaves nothing of the parameter's bounds.")
    return low, high
