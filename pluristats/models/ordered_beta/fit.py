"""A fitted ordered beta model: its tables, and what it predicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import pandas as pd

from pluristats.display.shown import Displayed, Shown
from pluristats.engine.result import Array, OptimizerRecord
from pluristats.formula import Design
from pluristats.models import information, tables
from pluristats.models.estimates import freeze
from pluristats.models.multiplicity import Adjust, with_adjusted
from pluristats.models.ordered_beta.density import Shape
from pluristats.models.ordered_beta.estimate import Estimate
from pluristats.models.ordered_beta.predicted import end_probabilities, mean, quantile
from pluristats.models.predict import NewLevels, new_rows

Predicted = Literal["mean", "median", "quantiles", "p_low", "p_high", "link"]
SHAPE_TERMS = ("cut_low", "cut_high", "phi")


@dataclass(frozen=True, eq=False)
class OrderedBetaFit(Displayed):
    """A fitted ordered beta model. Its arrays are read-only, its tables copies.

    Parameters
    ----------
    formula
        As written.
    design
        What the formula made of the data; the response on its own scale.
    index
        Labels of the rows used.
    scale
        Least and greatest rating.
    result
        What was estimated.
    simulated
        Whether the data say of themselves that they are simulated.
    """

    formula: str
    design: Design = field(repr=False)
    index: pd.Index = field(repr=False)
    scale: tuple[float, float]
    result: Estimate = field(repr=False)
    simulated: bool = False

    def __post_init__(self) -> None:
        found = self.result
        freeze(found.beta, found.vcov, found.shape, found.shape_vcov)
        for r in found.random:
            freeze(r.covariance, r.modes, r.mode_sd)

    def __repr__(self) -> str:
        sd = "".join(f" sd {r.factor} {r.covariance[0, 0] ** 0.5:.3f}," for r in self.result.random)
        simulated = " SIMULATED" if self.simulated else ""
        return f"<OrderedBetaFit {self.formula!r}{simulated}: loglik {self.loglik:.3f},{sd} {self.optimizer.status}>"

    def _shown(self) -> Shown:
        singular = ("The fit is singular: a standard deviation is zero, on the boundary.",) if self.singular else ()
        failed = (f"The optimiser did not converge: {self.optimizer.message}.",) * (self.optimizer.status == "failed")
        return Shown(
            title="Ordered beta model",
            simulated=self.simulated,
            warnings=(*singular, *failed),
            lines=(f"Formula: {self.formula}", "Coefficients, cutpoints and standard deviations: logit scale."),
            tables=(
                ("Fixed effects", self.tidy()),
                ("Shape: cutpoints and precision", self.tidy("shape")),
                ("Random effects: standard deviations", self.tidy("ran_pars")),
                ("Fit", self.glance().drop(columns=["phi", "cut_low", "cut_high"])),
            ),
        )

    # --- what was estimated -------------------------------------------------------------------------------------

    @property
    def loglik(self) -> float:
        """Laplace's approximation of the log likelihood.

        Between the ends of the scale it is of a density of ratings on 0-1, so it is comparable with other ordered beta
        fits to the same ratings only.
        """
        return self.result.loglik

    @property
    def optimizer(self) -> OptimizerRecord:
        """What the optimiser did (:class:`~pluristats.models.ordered_beta.estimate.Estimate`)."""
        return self.result.optimizer

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the estimated fixed effects."""
        return tuple(self.design.x_names[j] for j in self.result.kept)

    @property
    def fixef(self) -> pd.Series:
        """Fixed effects by term."""
        return pd.Series(self.result.beta.copy(), index=list(self.terms), name="estimate")

    @property
    def vcov(self) -> pd.DataFrame:
        """Covariance matrix of the fixed effects, all other parameters estimated."""
        return pd.DataFrame(self.result.vcov.copy(), index=list(self.terms), columns=list(self.terms))

    @property
    def cutpoints(self) -> tuple[float, float]:
        """The linear predictors c₀ and c₁ at which the least and the greatest rating have probability ½."""
        return float(self.result.shape[0]), float(self.result.shape[1])

    @property
    def phi(self) -> float:
        """Precision of the beta density between the ends: its variance is μ(1 - μ) / (1 + φ)."""
        return float(self.result.shape[2])

    @property
    def nobs(self) -> int:
        """Rows used."""
        return self.design.n

    @property
    def df(self) -> int:
        """Parameters: fixed effects, cutpoints, precision, standard deviations."""
        return len(self.result.beta) + 3 + len(self.result.random)

    @property
    def singular(self) -> bool:
        """Whether a standard deviation is zero."""
        return self.optimizer.status == "boundary"

    @property
    def dropped_columns(self) -> tuple[str, ...]:
        """Fixed columns left out as linear combinations of others."""
        kept = set(self.result.kept.tolist())
        return tuple(name for j, name in enumerate(self.design.x_names) if j not in kept)

    # --- tables -------------------------------------------------------------------------------------------------

    def tidy(
        self,
        effects: Literal["fixed", "shape", "ran_pars", "ran_vals"] = "fixed",
        *,
        conf_level: float = 0.95,
        adjust: Adjust | None = None,
    ) -> pd.DataFrame:
        """One row a parameter, on the logit scale.

        Formula: statistic = estimate / std_error, p_value and interval of the normal distribution (``df`` is infinite);
        errors from the curvature of the log likelihood in all parameters.

        Parameters
        ----------
        effects
            ``"fixed"`` (term, estimate, std_error, statistic, df, p_value, conf_low, conf_high), ``"shape"`` (term
            ``cut_low``, ``cut_high``, ``phi``; estimate, std_error), ``"ran_pars"`` (group, term, estimate) or
            ``"ran_vals"`` (as :meth:`ranef`).
        conf_level
            Coverage of the interval.
        adjust
            Of fixed effects: ``"holm"`` or ``"bh"`` add ``p_adjusted``, as :meth:`pluristats.models.LmerFit.tidy`.
        """
        tables.check_level(conf_level)
        if adjust is not None and effects != "fixed":
            raise ValueError(f"adjust={adjust!r} adjusts p-values of fixed effects; effects={effects!r} has none.")
        if effects == "ran_vals":
            return self.ranef()
        if effects == "ran_pars":
            sd = [float(r.covariance[0, 0]) ** 0.5 for r in self.result.random]
            return pd.DataFrame(
                {"group": [r.factor for r in self.result.random], "term": "sd__(Intercept)", "estimate": np.array(sd)}
            )
        if effects == "shape":
            error = np.sqrt(np.diag(self.result.shape_vcov))
            return pd.DataFrame({"term": SHAPE_TERMS, "estimate": self.result.shape.copy(), "std_error": error})
        if effects != "fixed":
            raise ValueError(f"effects is 'fixed', 'shape', 'ran_pars' or 'ran_vals', not {effects!r}.")
        error = np.sqrt(np.diag(self.result.vcov))
        table = tables.t_table(self.terms, self.result.beta.copy(), error, np.full(len(error), np.inf), conf_level)
        return with_adjusted(table, adjust)

    def glance(self) -> pd.DataFrame:
        """One row: nobs, df, loglik, deviance, aic, bic, phi, cut_low, cut_high, singular, status."""
        low, high = self.cutpoints
        row = {
            "nobs": self.nobs,
            "df": self.df,
            "loglik": self.loglik,
            "deviance": -2.0 * self.loglik,
            "aic": information.aic(self.loglik, self.df),
            "bic": information.bic(self.loglik, self.df, self.nobs),
            "phi": self.phi,
            "cut_low": low,
            "cut_high": high,
            "singular": self.singular,
            "status": self.optimizer.status,
        }
        return pd.DataFrame([row])

    def varcorr(self) -> pd.DataFrame:
        """Variance components as :meth:`pluristats.models.LmerFit.varcorr`, without a residual: φ is in its place."""
        rows = [(r.factor, "(Intercept)", None, v := float(r.covariance[0, 0]), v**0.5) for r in self.result.random]
        return pd.DataFrame(rows, columns=["grp", "var1", "var2", "vcov", "sdcor"])

    def ranef(self) -> pd.DataFrame:
        """Random intercepts at their mode: group, level, term, estimate, std_error (given all other parameters)."""
        parts = [
            pd.DataFrame(
                {
                    "group": r.factor,
                    "level": list(r.levels),
                    "term": "(Intercept)",
                    "estimate": r.modes[:, 0],
                    "std_error": r.mode_sd[:, 0],
                }
            )
            for r in self.result.random
        ]
        columns = ["group", "level", "term", "estimate", "std_error"]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)

    # --- predictions --------------------------------------------------------------------------------------------

    def predict(
        self,
        new: pd.DataFrame | None = None,
        type: Predicted = "mean",
        *,
        levels: Sequence[float] = (0.05, 0.5, 0.95),
        new_levels: NewLevels = "error",
        random: bool = True,
    ) -> Array | pd.DataFrame:
        """What a rating would be, at the estimates and the random intercepts' modes; their uncertainty is not in it.

        Parameters
        ----------
        new
            Rows with the formula's columns; None is the rows of the fit. A row that misses a fixed value is NaN, with
            a warning.
        type
            ``"mean"`` and ``"median"`` (which has the least expected absolute error) in the ratings' units;
            ``"quantiles"``, a table with a column for each of ``levels``; ``"p_low"`` and ``"p_high"``, the
            probabilities of the least and the greatest rating; ``"link"``, η.
        levels
            Of the quantiles, between 0 and 1.
        new_levels
            Of a level that the fit has not seen: ``"error"``, ``"population"`` (an intercept of 0, which is not the
            mean over people), or ``"nan"``.
        random
            False leaves all random intercepts out.

        Returns
        -------
        ndarray or DataFrame
            Shape (m,); a DataFrame for quantiles.
        """
        if type not in get_args(Predicted):
            raise ValueError(f"type is one of {', '.join(get_args(Predicted))}, not {type!r}.")
        if not all(0 < level < 1 for level in levels):
            raise ValueError(f"levels are between 0 and 1, not {list(levels)}.")
        eta, index = self._linear(new, new_levels, random)
        low, high = self.scale
        if type == "link":
            return eta
        if type in ("p_low", "p_high"):
            return end_probabilities(eta, self._shape)[type == "p_high"]
        if type == "mean":
            return low + (high - low) * mean(eta, self._shape)
        if type == "median":
            return low + (high - low) * quantile(np.array(0.5), eta, self._shape)
        found = {level: low + (high - low) * quantile(np.array(level), eta, self._shape) for level in levels}
        return pd.DataFrame(found, index=index)

    @property
    def _shape(self) -> Shape:
        low, high, phi = self.result.shape
        return Shape.of(np.array([low, np.log(high - low), np.log(phi)]))

    def _linear(self, new: pd.DataFrame | None, new_levels: NewLevels, random: bool) -> tuple[Array, pd.Index]:
        """η of rows, shape (m,), and their labels."""
        if new is None:
            eta = self.design.x[:, self.result.kept] @ self.result.beta
            codes = {f.name: f.codes for f in self.design.factors}
            for r in self.result.random if random else ():
                eta = eta + r.modes[codes[r.factor], 0]
            return eta, self.index
        rows = new_rows(self.design, self.result, new, new_levels=new_levels, random=random)
        eta = rows.x @ self.result.beta
        unseen = 0.0 if new_levels == "population" else np.nan
        for r, at in zip(self.result.random, rows.levels or (), strict=False):
            eta = eta + np.where(at >= 0, r.modes[at, 0], unseen)
        return eta, rows.index
