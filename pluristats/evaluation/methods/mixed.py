"""Crossed mixed models as predictors: best linear unbiased predictions, and a Lasso over trait × prompt products."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pluristats.errors import PluristatsWarning
from pluristats.evaluation.data import Alignment, Prompts
from pluristats.evaluation.forecast import Forecast
from pluristats.evaluation.methods.base import EVERY
from pluristats.evaluation.methods.columns import Columns, grid, long
from pluristats.lasso import lasso_lmer
from pluristats.models import LmerFit, lmer


@dataclass(frozen=True)
class MixedModel:
    """Predictions Xβ + a_i + b_j (+ slopes) of a crossed mixed model, clipped to 0-1.

    A prompt that the alignment does not have is predicted at b_j = 0. With ``slopes`` every person has their own slopes
    of harm level and of as many features as ``slopes`` names.

    Parameters
    ----------
    name
        In tables.
    slopes
        Columns with random slopes over annotators, uncorrelated; those that the study lacks are left out.
    """

    name: str = "mixed-blup"
    slopes: tuple[str, ...] = ()
    settings: tuple[str, ...] = EVERY
    note: str = ""

    def unavailable(self) -> str | None:
        """It runs everywhere."""
        return None

    def fit(self, alignment: Alignment) -> FittedMixed:
        """REML."""
        columns = Columns.of(alignment.prompts)
        slopes = [name for name in self.slopes if name in columns.names]
        person = f"(1 + {' + '.join(slopes)}||annotator)" if slopes else "(1|annotator)"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PluristatsWarning)  # boundary variances and dropped columns predict as well
            model = lmer(_formula(columns.terms, person), long(alignment, columns), groups=columns.groups)
        return FittedMixed(model, columns, alignment)


@dataclass(frozen=True)
class LassoMixed:
    """The L1-penalised crossed mixed model; penalty by BIC, then refitted.

    Of prompt features, traits, and the products of traits with the first feature group (the release's actions).

    Predictions are the refit's Xβ + a_i + b_j, clipped to 0-1. A trait without an answer is its mean.

    Parameters
    ----------
    name
        In tables.
    n_lambda
        Penalties on the path; 30 choose as well as 100, in a third of the time.
    """

    name: str = "lasso-mixed"
    n_lambda: int = 30
    settings: tuple[str, ...] = EVERY
    note: str = ""

    def unavailable(self) -> str | None:
        """It runs everywhere."""
        return None

    def fit(self, alignment: Alignment) -> FittedMixed:
        """Select and refit."""
        columns = Columns.of(alignment.prompts)
        traits = tuple(
            name
            for name, t in zip(alignment.annotators.names, alignment.annotators.traits.T, strict=True)
            if np.ptp(np.nan_to_num(t)) > 0
        )
        groups = {**columns.groups, **({"traits": traits} if traits else {})}
        first = [g for g in alignment.prompts.names if g in columns.groups][:1]
        products = [f"traits:{g}" for g in first] if traits else []
        formula = _formula([*columns.terms, *(["traits"] if traits else []), *products], "(1|annotator)")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PluristatsWarning)  # what is selected is used to predict, not to infer
            model = lasso_lmer(formula, long(alignment, columns), groups=groups, n_lambda=self.n_lambda).refit
        return FittedMixed(model, columns, alignment)


@dataclass(frozen=True, eq=False)
class FittedMixed:
    """A fitted mixed model with what predicts from it."""

    model: LmerFit
    columns: Columns
    alignment: Alignment

    def predict(self, prompts: Prompts) -> Forecast:
        """Conditional means; random effects of prompts that the alignment lacks are 0."""
        rows = grid(self.alignment, prompts, self.columns)
        found = self.model.predict(rows, new_levels="population")
        shape = (len(self.alignment.annotators), len(prompts))
        return Forecast(np.clip(np.asarray(found).reshape(shape), 0.0, 1.0))


def _formula(terms: Sequence[str], person: str) -> str:
    return " + ".join(["rating ~ 1", *terms, person, "(1|prompt)"])
