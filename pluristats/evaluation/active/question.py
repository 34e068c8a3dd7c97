"""Which prompts to ask a new annotator about, so that few answers tell most about the others.

The prior is the factor model of other annotators on a scale that is the same for everybody: z = μ_j + w'c_j + e_j with
w ~ N(w̄, Σ_w), e_j ~ N(0, ψ_j), a crossed mixed model with random slopes of latent prompt factors. What an answer tells
is then Gaussian conditioning.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pluristats.engine.result import Array
from pluristats.errors import EvaluationError
from pluristats.evaluation.latent.factors import Factors, fit_factors
from pluristats.evaluation.latent.response import Heaped, Latent

Criterion = Literal["rating-variance", "d-optimal"]
_RANK = 12


@dataclass(frozen=True, eq=False)
class Belief:
    """What is believed of one person's latent ratings of m prompts.

    Parameters
    ----------
    mean, cov
        Of the noise-free ratings, shapes (m,) and (m, m).
    noise
        Variance of an answer around them, shape (m,).
    """

    mean: Array
    cov: Array = field(repr=False)
    noise: Array = field(repr=False)

    def after(self, j: int, z: float) -> Belief:
        """Once prompt j was answered: mean + k (z - mean_j), cov - k cov_j', k = cov_j / (cov_jj + ψ_j)."""
        gain = self.cov[:, j] / (self.cov[j, j] + self.noise[j])
        return Belief(self.mean + gain * (z - self.mean[j]), self.cov - np.outer(gain, self.cov[j]), self.noise)


@dataclass(frozen=True, eq=False)
class Questioner:
    """Chooses questions and predicts from the answers.

    Parameters
    ----------
    prompts
        Labels of the m prompts.
    prior
        Of somebody new.
    response
        Everybody's cutpoints, one row.
    criterion
        ``"rating-variance"``: the prompt whose answer takes most variance from the ratings of all prompts, Σ_t s_t²
        cov_tj² / (cov_jj + ψ_j), s_t = how much a rating moves per latent unit around the present mean; the choice
        depends on the answers through s. ``"d-optimal"``: cov_jj / ψ_j, which takes most from log |cov|.
    """

    prompts: tuple[Hashable, ...]
    prior: Belief
    response: Heaped = field(repr=False)
    criterion: Criterion = "rating-variance"

    def next(self, answers: Mapping[Hashable, float], candidates: Sequence[Hashable] | None = None) -> Hashable:
        """Label of the prompt to ask next.

        Parameters
        ----------
        answers
            Ratings on 0-1 so far, by prompt.
        candidates
            What may be asked; None is every prompt.

        Raises
        ------
        EvaluationError
            Nothing is left to ask, or a label is unknown.
        """
        allowed = self._positions(self.prompts if candidates is None else candidates)
        left = np.setdiff1d(allowed, self._positions(list(answers)))
        if not len(left):
            raise EvaluationError("every candidate has an answer; there is nothing left to ask")
        return self.prompts[self.best(self.belief(answers), left)]

    def predict(self, answers: Mapping[Hashable, float]) -> Array:
        """Median ratings of all prompts given the answers, on 0-1, shape (m,)."""
        return self.median(self.belief(answers))

    def belief(self, answers: Mapping[Hashable, float]) -> Belief:
        """The prior after these answers."""
        belief = self.prior
        for j, value in zip(self._positions(list(answers)), answers.values(), strict=True):
            belief = belief.after(int(j), self.latent(value))
        return belief

    def best(self, belief: Belief, candidates: NDArray[np.intp]) -> int:
        """Position of the candidate that the criterion likes best; the first of equals."""
        cov = belief.cov[:, candidates]
        own = belief.cov[candidates, candidates]
        if self.criterion == "d-optimal":
            return int(candidates[np.argmax(own / belief.noise[candidates])])
        steep = self._rating(belief.mean + 0.5) - self._rating(belief.mean - 0.5)
        return int(candidates[np.argmax(steep**2 @ cov**2 / (own + belief.noise[candidates]))])

    def median(self, belief: Belief) -> Array:
        """Median ratings under a belief, shape (m,)."""
        return self._rating(belief.mean)

    def latent(self, rating: float) -> float:
        """A rating on the latent scale."""
        return float(self.response.latent(np.array([[rating]])).z[0, 0])

    def _rating(self, z: Array) -> Array:
        return self.response.at(z[None])[0]

    def _positions(self, labels: Sequence[Hashable]) -> NDArray[np.intp]:
        position = {label: j for j, label in enumerate(self.prompts)}
        unknown = [label for label in labels if label not in position]
        if unknown:
            raise EvaluationError(f"prompt {unknown[0]!r} is not one that the questioner knows")
        return np.array([position[label] for label in labels], dtype=np.intp)


def questioner(
    ratings: Array, prompts: Sequence[Hashable], criterion: Criterion = "rating-variance", rank: int = _RANK
) -> Questioner:
    """Learn from other people's ratings what to ask.

    Parameters
    ----------
    ratings
        Shape (annotators, prompts), 0 to 1, NaN for none; every prompt has one.
    prompts
        Labels of the columns.
    criterion
        See :class:`Questioner`.
    rank
        Factors; superfluous ones shrink to nothing.

    Raises
    ------
    EvaluationError
        There is nothing to learn from, or no such criterion.
    """
    if criterion not in ("rating-variance", "d-optimal"):
        raise EvaluationError(f"criterion is 'rating-variance' or 'd-optimal', not {criterion!r}")
    z = Heaped.alike(ratings, len(ratings)).latent(ratings).z
    factors = fit_factors(Latent(z), (), rank)
    return Questioner(tuple(prompts), _prior(factors, z), Heaped.alike(ratings, 1), criterion)


def _prior(factors: Factors, z: Array) -> Belief:
    """Somebody new: weights as other people's, noise of each prompt as theirs."""
    x = np.column_stack([np.ones(len(factors.scores)), factors.scores])
    off = factors.weights - factors.prior_mean
    spread = (off.T @ off + factors.weights_cov.sum(axis=0)) / len(off)
    wrong = np.nanmean((z - factors.weights @ x.T) ** 2, axis=0)
    noise = wrong * factors.noise.mean() / wrong.mean()
    return Belief(x @ factors.prior_mean, x @ spread @ x.T, np.maximum(noise, 1e-3))
