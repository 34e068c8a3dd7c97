"""Studies with known changes in their annotators, to see whether they are found."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pluristats.errors import LatentError
from pluristats.latent.ratings.compare import ALL
from pluristats.latent.ratings.order import in_order
from pluristats.latent.record import Array, Simulated

if TYPE_CHECKING:
    from pluristats.latent.ratings.fit import RatingFit
    from pluristats.study import Study


@dataclass(frozen=True, eq=False)
class Planted:
    """A simulated study and what it was made with.

    Parameters
    ----------
    study
        Marked as simulated.
    simulated
        Latents and parameters.
    """

    study: Study
    simulated: Simulated = field(repr=False)

    def recovery(self, fit: RatingFit, *, conf_level: float = 0.9) -> pd.DataFrame:
        """One row an annotator and parameter: annotator, parameter, true, estimate, conf_low, conf_high, simulated."""
        if self.simulated.model != fit.model.name:
            raise LatentError(f"This study has {self.simulated.model} in it, but the fit is of {fit.model.name}.")
        true = pd.DataFrame(self.simulated.parameters, columns=list(self.simulated.parameter_names))
        true["annotator"] = pd.Series(fit.order.annotators, dtype=object).infer_objects()
        rows = true.melt("annotator", var_name="parameter", value_name="true")
        both = rows.merge(fit.tidy(conf_level=conf_level), on=["annotator", "parameter"])
        return both[["annotator", "parameter", "true", "estimate", "conf_low", "conf_high"]].assign(simulated=True)

    def latents(self, fit: RatingFit, *, conf_level: float = 0.9) -> pd.DataFrame:
        """``fit.trajectories`` with a column ``true``: the shift, or for lapses 1 where the annotator was engaged."""
        where = fit.order.shown
        source = self.simulated.continuous if self.simulated.continuous_names else self.simulated.discrete
        return fit.trajectories(conf_level=conf_level).assign(true=source[:, :, 0][where].astype(np.float64))


def plant(study: Study, model: str = "rating-drift", parameters: Array | None = None, seed: int = 0) -> Planted:
    """A study's annotators, prompts and trial order, with ratings by a rating model.

    Prompts' effects are those that the study's own mixed model finds (:func:`in_order`). Ratings that are missing stay
    missing.

    Parameters
    ----------
    study
        Any with trials.
    model
        A rating model's name.
    parameters
        Shape (N, P); drawn from the model's priors when None.
    seed
        Of parameters and ratings.

    Returns
    -------
    Planted
        Its study says that it is simulated, has the planted model in its name, and no ``truth``, as that describes
        another model.
    """
    from pluristats.study.record import Source

    if model not in ALL:
        raise LatentError(f"There is no rating model {model!r}; there are {', '.join(ALL)}.")
    order = in_order(study)
    n = None if parameters is not None else len(order.annotators)
    made = ALL[model].simulate(
        parameters, n_agents=n, n_trials=order.rating.shape[1], seed=seed, effects=order.effect, rated=order.mask
    )
    low, high = study.scale
    who, trial = np.nonzero(order.shown)
    of_place = pd.Series(
        low + (high - low) * made.trials["rating"][who, trial],
        index=pd.MultiIndex.from_arrays([who, order.prompt[who, trial]]),
    )
    rows = study.ratings
    place = pd.MultiIndex.from_arrays(
        [
            pd.Index(order.annotators).get_indexer(pd.Index(rows["annotator"])),
            pd.Index(order.prompts).get_indexer(pd.Index(rows["prompt"])),
        ]
    )
    # Whole points, which low + (high − low) k / 100 misses by rounding.
    rating = np.round(of_place.reindex(place).to_numpy(dtype=np.float64), 10)
    new = replace(
        study,
        name=f"{study.name}, ratings by {model} (seed {seed})",
        source=Source(None, "simulated", simulated=True, seed=seed),
        truth=None,
        ratings_=rows.assign(rating=rating),
    )
    return Planted(new, made)
