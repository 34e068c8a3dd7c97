"""What a baseline says about the latents of agents."""

from __future__ import annotations

from dataclasses import dataclass

from pluristats.latent.record import Array, Ints, Mask, most_probable


@dataclass(frozen=True, eq=False)
class Inferred:
    """Latents of N agents over T trials.

    Parameters
    ----------
    method
        In words.
    continuous, continuous_sd, continuous_names
        Means and standard deviations, shape (N, T, C); NaN where a trial is missing. The deviation is that of the
        latent given the parameters: 0 where they determine it.
    probabilities, discrete_names
        Of the states of each discrete latent, shape (N, T, K) each.
    parameters
        That were used, shape (N, P).
    log_likelihood
        Of each agent's behaviour under them, shape (N,); of a particle filter, its estimate.
    mask
        Shape (N, T): trials that are there.
    """

    method: str
    continuous: Array
    continuous_sd: Array
    continuous_names: tuple[str, ...]
    probabilities: tuple[Array, ...]
    discrete_names: tuple[str, ...]
    parameters: Array
    log_likelihood: Array
    mask: Mask

    def __repr__(self) -> str:
        n, t = self.mask.shape
        names = ", ".join((*self.continuous_names, *self.discrete_names))
        return f"<Inferred: {names} of {n:,} agents over {t:,} trials, {self.method}>"

    @property
    def states(self) -> Ints:
        """Most probable states, shape (N, T, D); -1 where a trial is missing."""
        return most_probable(self.probabilities, self.mask)
