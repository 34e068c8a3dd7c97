"""A rating model fitted to a study: parameters, trajectories, comparisons, checks and associations."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pluristats.display.shown import Displayed, Shown
from pluristats.errors import LatentError
from pluristats.latent.ratings.associations import trait_associations, trend_associations
from pluristats.latent.ratings.check import PredictiveCheck, predictive_check
from pluristats.latent.ratings.compare import ALL, Comparison, compare_models
from pluristats.latent.ratings.coordinates import Coordinates
from pluristats.latent.ratings.effects import trends
from pluristats.latent.ratings.estimate import Estimates, Trajectories, trajectories
from pluristats.latent.ratings.null import Kind, OrderNull, null_of_order
from pluristats.latent.ratings.order import RatingOrder, in_order
from pluristats.latent.ratings.response import Ratings
from pluristats.latent.ratings.simulators import STATIC
from pluristats.latent.record import Model
from pluristats.models.multiplicity import Adjust
from pluristats.models.tables import check_level

if TYPE_CHECKING:
    from pluristats.study import Study


@dataclass(frozen=True, eq=False, repr=False)
class RatingFit(Displayed):
    """A rating model fitted to every annotator alone, and the others that it is compared with.

    Parameters
    ----------
    order
        The ratings.
    model
        What was fitted.
    comparison
        Fits of all rating models, this one among them.
    draws, seed
        Of parameters, for trajectories.
    """

    order: RatingOrder = field(repr=False)
    model: Model
    comparison: Comparison = field(repr=False)
    draws: int
    seed: int

    def __repr__(self) -> str:
        simulated = ", simulated" if self.simulated else ""
        rated = int(self.order.mask.sum())
        return f"RatingFit({self.model.name!r}, {len(self.order.annotators)} annotators, {rated:,} ratings{simulated})"

    def _shown(self) -> Shown:
        tables = (("Models against the static one, summed over annotators", self.comparison.pooled()),)
        note = (
            "Per annotator: tidy() and comparison.tidy(); what it finds in people who do not change: simulated_null()."
        )
        return Shown(f"Ratings in trial order: {self.model.name}", self.simulated, (), (repr(self),), tables, (note,))

    @property
    def estimates(self) -> Estimates:
        """Parameters under this model."""
        return self.comparison.fits[self.model.name]

    @property
    def simulated(self) -> bool:
        """Whether nobody gave these ratings."""
        return self.order.simulated

    def tidy(self, *, conf_level: float = 0.9) -> pd.DataFrame:
        """One row an annotator and parameter: annotator, parameter, estimate, conf_low, conf_high, simulated.

        Estimates are posterior modes, intervals mode ± z sd of w (:mod:`pluristats.latent.ratings.coordinates`), as
        parameters.
        """
        check_level(conf_level)
        coordinates, fit = Coordinates.of(self.model), self.estimates
        w = coordinates.to(fit.parameters)
        half = NormalDist().inv_cdf(0.5 + conf_level / 2) * np.sqrt(np.einsum("npp->np", fit.covariance))
        names = self.model.parameter_names
        return pd.DataFrame(
            {
                "annotator": np.repeat(np.array(self.order.annotators, dtype=object), len(names)),
                "parameter": names * len(w),
                "estimate": fit.parameters.ravel(),
                "conf_low": coordinates.back(w - half).ravel(),
                "conf_high": coordinates.back(w + half).ravel(),
                "simulated": self.simulated,
            }
        ).infer_objects()

    @cached_property
    def smoothed(self) -> Trajectories:
        """Latents as arrays, shape (N, T)."""
        ratings = Ratings.of(self.order.rating, self.order.effect)
        return trajectories(self.estimates, ratings, self.draws, self.seed)

    def trajectories(self, *, conf_level: float = 0.9) -> pd.DataFrame:
        """One row a trial that was shown.

        annotator, trial (rank, from 0), shift, sd, conf_low, conf_high (shift ± z sd), engaged (probability; 1 where
        the model knows no lapses), rating, effect, simulated.
        """
        check_level(conf_level)
        found, there = self.smoothed, self.order.shown
        half = NormalDist().inv_cdf(0.5 + conf_level / 2) * found.sd
        rows = self.order.tidy()
        return pd.DataFrame(
            {
                "annotator": rows["annotator"],
                "trial": rows["trial"],
                "shift": found.shift[there],
                "sd": found.sd[there],
                "conf_low": (found.shift - half)[there],
                "conf_high": (found.shift + half)[there],
                "engaged": found.engaged[there],
                "rating": rows["rating"],
                "effect": rows["effect"],
                "simulated": self.simulated,
            }
        )

    def simulated_null(
        self, n: int = 20, seed: int = 0, *, kind: Kind = "simulated", progress: bool = False
    ) -> OrderNull:
        """Gain over the static model against people who do not change; see :func:`null_of_order`."""
        if self.model is STATIC:
            raise LatentError("The static model gains nothing over itself; fit another one for a null.")
        base = self.comparison.fits[STATIC.name]
        return null_of_order(self.order, self.model, base, self.estimates, n=n, seed=seed, kind=kind, progress=progress)

    def check(self, n: int = 100, seed: int = 0, *, model: str | None = None) -> PredictiveCheck:
        """Posterior predictive check of this model, or of another by name; see :func:`predictive_check`."""
        name = self.model.name if model is None else _known(model)
        return predictive_check(self.order, self.comparison.fits[name], n, seed)

    def associations(self, study: Study, *, adjust: Adjust = "holm", conf_level: float = 0.95) -> pd.DataFrame:
        """Traits against what changes in people; see :func:`trait_associations` and :func:`trend_associations`.

        Outcomes: ``log_tau`` (drift model), ``gamma`` (sequential), ``logit_lapse`` (lapse); ``trend``, the change of
        the mixed model's residual from first to last trial; ``rating``, the same in one mixed model.

        Parameters
        ----------
        study
            The one that was fitted.
        adjust, conf_level
            Of each outcome's family of traits.
        """
        if tuple(study.annotators["annotator"]) != self.order.annotators:
            raise LatentError("This study has other annotators than the one that was fitted.")
        own = {
            "rating-drift": ("log_tau", lambda p: np.log(p[:, 3])),
            "rating-sequential": ("gamma", lambda p: p[:, 3]),
            "rating-lapse": ("logit_lapse", lambda p: np.log(p[:, 3] / (1 - p[:, 3]))),
        }
        outcomes = {"trend": trends(self.order.residual, self.order.shown)}
        if self.model.name in own:
            name, of_parameters = own[self.model.name]
            outcomes = {name: of_parameters(self.estimates.parameters), **outcomes}
        of_people = trait_associations(study, outcomes, adjust=adjust, conf_level=conf_level)
        of_ratings = trend_associations(study, adjust=adjust, conf_level=conf_level)
        return pd.concat([of_people, of_ratings], ignore_index=True)


def fit_ratings(
    study: Study | RatingOrder, model: str = "rating-drift", *, draws: int = 32, seed: int = 0
) -> RatingFit:
    """Fit a rating model, and those that it is compared with, to every annotator's ratings in trial order.

    Parameters
    ----------
    study
        A study whose ratings are on 101 steps (its order is that of :func:`in_order`), or an order.
    model
        ``"rating-drift"``, ``"rating-sequential"``, ``"rating-lapse"`` or ``"rating-static"``.
    draws, seed
        Of parameters from their posterior, for trajectories; 0 draws takes the mode alone, whose intervals of the
        shift are too narrow.

    Raises
    ------
    LatentError
        An unknown model, ratings on another scale, or of :func:`in_order`.

    Warns
    -----
    LatentWarning
        Some annotators' fits did not converge.
    """
    name = _known(model)
    if draws < 0:
        raise LatentError(f"draws is a number of parameter draws, 0 or more, not {draws}.")
    order = study if isinstance(study, RatingOrder) else in_order(study)
    return RatingFit(order, ALL[name], compare_models(order), draws, seed)


def _known(model: str) -> str:
    if model not in ALL:
        raise LatentError(f"There is no rating model {model!r}; there are {', '.join(ALL)}.")
    return model
