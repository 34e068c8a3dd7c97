"""Ratings in the order in which people gave them, with what a mixed model says about each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pluristats.display.shown import Displayed, Shown
from pluristats.errors import LatentError
from pluristats.latent.record import Array, Ints, Mask

if TYPE_CHECKING:
    from pluristats.study import Study

FORMULA = "rating ~ 1 + (1|annotator) + (1|prompt)"


@dataclass(frozen=True, eq=False, repr=False)
class RatingOrder(Displayed):
    """Ratings of N annotators over T trials, each annotator's in the order of the trials.

    Parameters
    ----------
    annotators, prompts
        Identifiers.
    prompt
        Index into ``prompts``, shape (N, T), -1 beyond an annotator's end.
    number
        The trials' numbers as recorded, shape (N, T), NaN beyond the end. Positions are ranks of these: a gap in the
        numbers (a trial that was no rating) is no gap here.
    rating
        Shape (N, T), 0 and 1 are the scale's ends; NaN where there is none.
    effect
        The prompt's effect by the mixed model in its standard deviations over prompts, shape (N, T); NaN beyond the
        end only.
    residual
        Rating minus the mixed model's fitted value, in units of ``rating``; NaN where there is none.
    effect_sd
        Standard deviation of the prompts' effects, in units of ``rating``.
    formula
        The mixed model.
    simulated
        Whether nobody gave these ratings.
    """

    annotators: tuple[object, ...]
    prompts: tuple[object, ...]
    prompt: Ints
    number: Array
    rating: Array
    effect: Array
    residual: Array
    effect_sd: float
    formula: str
    simulated: bool

    def __repr__(self) -> str:
        simulated = ", simulated" if self.simulated else ""
        n, t = self.rating.shape
        return f"RatingOrder({n} annotators, {t} trials, {int(self.mask.sum()):,} ratings{simulated}, {self.formula!r})"

    def _shown(self) -> Shown:
        there = self.mask
        table = pd.DataFrame(
            {
                "annotator": pd.Series(self.annotators, dtype=object),
                "trials": self.shown.sum(axis=1),
                "ratings": there.sum(axis=1),
                "mean rating": np.where(there, self.rating, 0).sum(axis=1) / np.maximum(there.sum(axis=1), 1),
            }
        )
        return Shown(
            "Ratings in trial order",
            self.simulated,
            lines=(f"Residuals of {self.formula}.",),
            tables=(("Of each annotator", table),),
        )

    @property
    def mask(self) -> Mask:
        """Trials with a rating, shape (N, T)."""
        return ~np.isnan(self.rating)

    @property
    def shown(self) -> Mask:
        """Trials that exist, rated or not, shape (N, T)."""
        return self.prompt >= 0

    def tidy(self) -> pd.DataFrame:
        """One row a trial: annotator, trial (rank, from 0), number, prompt, rating, effect, residual, simulated."""
        who, trial = np.nonzero(self.shown)
        there = self.shown
        return pd.DataFrame(
            {
                "annotator": pd.Series(self.annotators, dtype=object)[who].infer_objects().to_numpy(),
                "trial": trial,
                "number": self.number[there],
                "prompt": pd.Series(self.prompts, dtype=object)[self.prompt[there]].infer_objects().to_numpy(),
                "rating": self.rating[there],
                "effect": self.effect[there],
                "residual": self.residual[there],
                "simulated": self.simulated,
            }
        )


def in_order(study: Study, formula: str | None = None) -> RatingOrder:
    """Ratings of a study in trial order, with the residuals and prompt effects of a mixed model.

    Formula: residual = rating − fitted; a prompt's effect = mean over its rows of (fitted − the annotator's intercept),
    which for the default formula is its random intercept; over prompts standardised to mean 0 and sd 1 (ddof 1).

    Parameters
    ----------
    study
        With ``trial`` for every rating asked for.
    formula
        A mixed model of ``rating`` with ``(1|annotator)`` and ``(1|prompt)``; by default nothing else, so that whatever
        is systematic about a prompt or a person is taken out, and what is left is order and noise.

    Raises
    ------
    LatentError
        A trial is missing or stands twice for one annotator, the formula is of something else, or the prompts have
        no effects that differ.
    FormulaError, FitError
        Of :func:`pluristats.models.lmer`.

    Notes
    -----
    A rating that the formula's fit drops (a missing trait) has no residual. A prompt that nobody rated has effect 0.
    """
    from pluristats.formula import parse_formula
    from pluristats.models.lmer import lmer

    formula = FORMULA if formula is None else formula
    rows = study.ratings
    _refuse_trials(rows)
    parsed = parse_formula(formula)
    response = parsed.response.strip("`")
    factors = {term.group for term in parsed.random}
    if response not in ("rating", "rating_raw") or {("annotator",), ("prompt",)} - factors:
        raise LatentError(
            f"The formula of an order is a model of rating with (1|annotator) and (1|prompt), not {formula!r}."
        )
    fit = lmer(formula, study)
    low, high = study.scale
    unit = float(study.frame()["rating_raw"].std()) if response == "rating" else 1.0
    fitted = fit.augment()
    effects = _prompt_effects(fit.ranef(), fitted)
    sd = float(effects.std())
    if not sd > 0:
        raise LatentError("The mixed model finds no differences between prompts, so that no rating can be told apart.")

    of_rows = fitted.set_index(["annotator", "prompt"])["resid"]
    place = pd.MultiIndex.from_frame(rows[["annotator", "prompt"]])
    annotators, prompts = study.annotators["annotator"], study.prompts["prompt"]
    who = pd.Index(annotators).get_indexer(pd.Index(rows["annotator"]))
    number = rows["trial"].to_numpy(dtype=np.float64)
    rank = rows.groupby("annotator")["trial"].rank(method="first").to_numpy().astype(np.int64) - 1
    shape = (len(annotators), int(rank.max()) + 1)

    def laid(values: Array) -> Array:
        out = np.full(shape, np.nan)
        out[who, rank] = values
        return out

    what = np.full(shape, -1)
    what[who, rank] = pd.Index(prompts).get_indexer(pd.Index(rows["prompt"]))
    z = (rows["prompt"].map(effects).astype(float).to_numpy() - float(effects.mean())) / sd
    return RatingOrder(
        tuple(annotators),
        tuple(prompts),
        what,
        laid(number),
        laid((rows["rating"].to_numpy(dtype=np.float64) - low) / (high - low)),
        laid(np.nan_to_num(z)),
        laid(of_rows.reindex(place).to_numpy(dtype=np.float64) * unit / (high - low)),
        sd * unit / (high - low),
        formula,
        study.simulated,
    )


def _prompt_effects(modes: pd.DataFrame, fitted: pd.DataFrame) -> pd.Series:
    """Effect by prompt, in units of the fit's response."""
    mine = modes[modes["group"].eq("annotator") & modes["term"].eq("(Intercept)")].set_index("level")["estimate"]
    of_annotator = fitted["annotator"].map(mine).astype(float).fillna(0.0)
    return (fitted["fitted"] - of_annotator).groupby(fitted["prompt"]).mean()


def _refuse_trials(rows: pd.DataFrame) -> None:
    absent = rows["trial"].isna()
    if absent.all():
        raise LatentError("This study does not say in which order ratings were given; name the column of trials.")
    if absent.any():
        row = rows[absent].iloc[0]
        raise LatentError(
            f"{int(absent.sum()):,} ratings have no trial, the first by annotator {row['annotator']!r} of prompt "
            f"{row['prompt']!r}; give each its place in the order, or leave the rating out."
        )
    twice = rows.duplicated(["annotator", "trial"])
    if twice.any():
        row = rows[twice].iloc[0]
        raise LatentError(
            f"Annotator {row['annotator']!r} has trial {row['trial']:g} twice, the second time for prompt "
            f"{row['prompt']!r}; an order needs one rating a trial."
        )
