"""Which of the rating models says most about each annotator, and about all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from pluristats.display.shown import Displayed, Shown, mark
from pluristats.latent.ratings.estimate import Estimates, estimate
from pluristats.latent.ratings.order import RatingOrder
from pluristats.latent.ratings.response import Ratings
from pluristats.latent.ratings.simulators import RATING_MODELS, STATIC
from pluristats.latent.record import Array, Ints, Model

ALL: Mapping[str, Model] = {model.name: model for model in (STATIC, *RATING_MODELS)}


@dataclass(frozen=True, eq=False)
class Comparison(Displayed):
    """All rating models, fitted to the same ratings.

    Parameters
    ----------
    annotators
        N identifiers.
    n_ratings
        Of each annotator, shape (N,).
    fits
        By model name.
    simulated
        Whether the ratings are simulated.
    """

    annotators: tuple[object, ...] = field(repr=False)
    n_ratings: Ints = field(repr=False)
    fits: Mapping[str, Estimates]
    simulated: bool

    def __repr__(self) -> str:
        simulated = mark(self.simulated)
        return f"<Comparison of {', '.join(self.fits)}: {len(self.annotators):,} annotators{simulated}>"

    def _shown(self) -> Shown:
        tables = (("Models against the static one, summed over annotators", self.pooled()),)
        return Shown("Rating models compared", self.simulated, tables=tables, notes=("Each annotator: tidy().",))

    @property
    def bic(self) -> Mapping[str, Array]:
        """−2 log p(ratings | θ) + P log n of each annotator, by model.

        θ is the posterior's mode, whose likelihood is at most the greatest.
        """
        log_n = np.log(np.maximum(self.n_ratings, 1))
        return {name: -2 * fit.log_likelihood + len(fit.model.parameters) * log_n for name, fit in self.fits.items()}

    def tidy(self) -> pd.DataFrame:
        """One row an annotator and model.

        annotator, model, log_likelihood, n_parameters, n, bic, bic_gain (the static model's BIC minus this one's, above
        0 when this one is better), log_evidence (Laplace), best (the annotator's least BIC; nobody's without a rating),
        simulated.
        """
        bic = self.bic
        least = np.min([*bic.values()], axis=0)
        parts = [
            pd.DataFrame(
                {
                    "annotator": list(self.annotators),
                    "model": name,
                    "log_likelihood": fit.log_likelihood,
                    "n_parameters": len(fit.model.parameters),
                    "n": self.n_ratings,
                    "bic": bic[name],
                    "bic_gain": bic[STATIC.name] - bic[name],
                    "log_evidence": fit.log_evidence,
                    "best": (bic[name] == least) & (self.n_ratings > 0),
                }
            )
            for name, fit in self.fits.items()
        ]
        return pd.concat(parts, ignore_index=True).assign(simulated=self.simulated)

    def pooled(self) -> pd.DataFrame:
        """One row a model: the sums over annotators, and in how many each is best.

        model, log_likelihood, n_parameters, bic, bic_gain, log_evidence, evidence_gain, best_bic, best_evidence
        (numbers of annotators, of those with ratings), simulated.

        Parameters are each annotator's own, so that the sum of BICs asks whether everybody needs the model; the
        evidence, whose priors match the release, whether people differ as the priors say.
        """
        bic = self.bic
        least, most = np.min([*bic.values()], axis=0), np.max([f.log_evidence for f in self.fits.values()], axis=0)
        base, rated = self.fits[STATIC.name], self.n_ratings > 0
        rows = [
            {
                "model": name,
                "log_likelihood": fit.log_likelihood.sum(),
                "n_parameters": fit.parameters.size,
                "bic": bic[name].sum(),
                "bic_gain": (bic[STATIC.name] - bic[name]).sum(),
                "log_evidence": fit.log_evidence.sum(),
                "evidence_gain": (fit.log_evidence - base.log_evidence).sum(),
                "best_bic": int(((bic[name] == least) & rated).sum()),
                "best_evidence": int(((fit.log_evidence == most) & rated).sum()),
            }
            for name, fit in self.fits.items()
        ]
        return pd.DataFrame(rows).assign(simulated=self.simulated)


def compare_models(order: RatingOrder) -> Comparison:
    """Fit the static, drift, sequential and lapse models to an order of ratings."""
    ratings = Ratings.of(order.rating, order.effect)
    base = estimate(STATIC, ratings)
    fits = {STATIC.name: base}
    fits |= {model.name: estimate(model, ratings, base.parameters) for model in RATING_MODELS}
    return Comparison(order.annotators, order.mask.sum(axis=1), fits, order.simulated)
