"""Gaussian processes over prompts, shared by annotators: with ratings as they are, or as each annotator heaps them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pluristats.engine.result import Array
from pluristats.evaluation.data import Alignment, Prompts
from pluristats.evaluation.forecast import Forecast, from_quantiles
from pluristats.evaluation.kernels import Kernel, Texts, between, no_embedder, prompt_kernels
from pluristats.evaluation.latent.factors import Factors, Scores, extended, fit_factors, known, predictive
from pluristats.evaluation.latent.response import Heaped, Response, Straight
from pluristats.evaluation.methods.base import EVERY


@dataclass(frozen=True)
class FactorProcess:
    """A few factors of prompts, each a Gaussian process; people differ in what factors are to them.

    See :mod:`pluristats.evaluation.latent.factors`.

    Parameters
    ----------
    name, settings, note
        In tables; where it is judged.
    heaped
        True: an ordinal probit with each annotator's own cutpoints (:class:`Heaped`), whose median is what is
        predicted. False: ratings are Gaussian, censored at the ends.
    texts
        What the kernels make of texts.
    features
        False leaves all kernels out: low-rank residuals of known prompts.
    rank
        Factors. Superfluous ones shrink to nothing, so more cost time rather than accuracy.
    """

    name: str
    heaped: bool = True
    texts: Texts = "tfidf"
    features: bool = True
    rank: int = 6
    settings: tuple[str, ...] = EVERY
    note: str = ""

    @property
    def embeds(self) -> bool:
        """Whether it uses embeddings of the texts."""
        return self.texts == "tfidf+minilm"

    def unavailable(self) -> str | None:
        """The embedder may be missing."""
        return no_embedder() if self.embeds else None

    def fit(self, alignment: Alignment) -> FittedFactors:
        """Scale, kernels and factors from the alignment's prompts that have ratings."""
        at = np.flatnonzero(alignment.seen.any(axis=0))
        prompts, ratings = alignment.prompts.take(at), alignment.ratings[:, at]
        response: Response = Heaped.of(ratings) if self.heaped else Straight.of(ratings)
        kernels = prompt_kernels(prompts, self.texts) if self.features else ()
        factors = fit_factors(response.latent(ratings), between(kernels, prompts, prompts), self.rank)
        return FittedFactors(factors, response, kernels, prompts)


@dataclass(frozen=True, eq=False)
class FittedFactors:
    """A fitted :class:`FactorProcess`.

    Parameters
    ----------
    factors
        The model.
    response
        From the latent scale to ratings.
    kernels
        Of prompts.
    prompts
        Those of the alignment that have ratings, in the factors' order.
    """

    factors: Factors
    response: Response
    kernels: tuple[Kernel, ...]
    prompts: Prompts

    def predict(self, prompts: Prompts) -> Forecast:
        """Medians and quantiles; a prompt without ratings has its factors from the kernels alone, or from the prior."""
        mean, sd = self.latent(prompts)
        return from_quantiles(self.response.quantiles(mean, sd))

    def latent(self, prompts: Prompts) -> tuple[Array, Array]:
        """Mean and standard deviation on the latent scale, shape (annotators, prompts)."""
        at = self.prompts.find(prompts)
        rank = self.factors.scores.shape[1]
        mean, cov = np.zeros((len(prompts), rank)), np.zeros((len(prompts), rank, rank))
        seen, new = np.flatnonzero(at >= 0), np.flatnonzero(at < 0)
        old = known(self.factors)
        mean[seen], cov[seen] = old.mean[at[seen]], old.cov[at[seen]]
        if len(new):
            others = prompts.take(new)
            cross = between(self.kernels, others, self.prompts)
            found = extended(self.factors, cross, [kernel.diagonal(others) for kernel in self.kernels], len(new))
            mean[new], cov[new] = found.mean, found.cov
        return predictive(self.factors, Scores(mean, cov))
