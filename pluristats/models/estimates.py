"""What a fit holds and estimates: the arrays, the numbers, and no tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from pluristats.engine.result import Array, EngineFit, OptimizerRecord, Problem
from pluristats.engine.slopes.layout import lower
from pluristats.errors import UnsupportedError
from pluristats.formula import Recipe
from pluristats.models import information
from pluristats.models.equations import Equations
from pluristats.models.held import Remembered
from pluristats.models.slopes import SlopeEquations, coefficient_columns, slope_equations


@dataclass(frozen=True, eq=False)
class Estimates:
    """A model fitted to data, as numbers. Its arrays are read-only.

    Parameters
    ----------
    formula
        As written.
    design
        What the formula made of the data.
    data
        The arrays that were fitted, or their sums.
    result
        What the engine found.
    simulated
        Whether the data say of themselves that they are simulated.
    after_selection
        Whether these rows also chose the columns, so that standard errors and p-values ignore a selection.
    """

    formula: str
    design: Recipe = field(repr=False)
    data: Remembered = field(repr=False)
    result: EngineFit = field(repr=False)
    simulated: bool = False
    after_selection: bool = False

    def __post_init__(self) -> None:
        for random in self.result.random:
            freeze(random.covariance, random.modes, random.mode_sd)
        freeze(self.result.beta, self.result.vcov, self.result.theta)

    # --- what was estimated -------------------------------------------------------------------------------------

    @property
    def loglik(self) -> float:
        """Maximised log-likelihood (restricted for a REML fit), as ``lme4::logLik``."""
        return self.result.loglik

    @property
    def loglik_error(self) -> float:
        """Standard error of ``loglik`` where an iterative fit estimates it; 0 where it is exact."""
        return 0.0 if self.result.monte_carlo is None else self.result.monte_carlo.loglik_error

    @property
    def theta(self) -> Array:
        """Relative covariance parameters in lme4's order."""
        return self.result.theta

    @property
    def theta_names(self) -> tuple[str, ...]:
        """Names of ``theta``."""
        return self.result.theta_names

    @property
    def sigma(self) -> float:
        """Residual standard deviation; with weights, of a row of weight 1."""
        return self.result.sigma

    @property
    def reml(self) -> bool:
        """Whether fitted by restricted maximum likelihood."""
        return self.result.reml

    @property
    def engine(self) -> str:
        """Which engine fitted it."""
        return self.result.engine

    @property
    def optimizer(self) -> OptimizerRecord:
        """What the optimiser did."""
        return self.result.optimizer

    @property
    def singular(self) -> bool:
        """Whether a covariance is on the boundary.

        The engine says so, or the theta of a random intercept is below 1e-4, as ``lme4::isSingular``; with weights,
        relative to the residual of a row of mean weight, so that their unit does not matter.
        """
        zero = (1e-4 * self.sigma) ** 2 / self.design.mean_weight
        return self.optimizer.status == "boundary" or any(
            r.covariance[0, 0] <= zero for r in self.result.random if r.terms == ("(Intercept)",)
        )

    @property
    def fixef(self) -> pd.Series:
        """Fixed effects by term."""
        return pd.Series(self.result.beta.copy(), index=list(self.terms), name="estimate")

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the estimated fixed effects."""
        return tuple(self.design.x_names[j] for j in self.result.kept)

    @property
    def vcov(self) -> pd.DataFrame:
        """Covariance matrix of the fixed effects."""
        return pd.DataFrame(self.result.vcov.copy(), index=list(self.terms), columns=list(self.terms))

    # --- what it was fitted to ------------------------------------------------------------------------------

    @property
    def problem(self) -> Problem:
        """The arrays that were fitted.

        Raises
        ------
        UnsupportedError
            The rows were read in chunks and are not held.
        """
        return self.data.problem

    @property
    def index(self) -> pd.Index:
        """Labels of the rows used; refused as :attr:`problem`."""
        return self.data.index

    @property
    def nobs(self) -> int:
        """Rows used."""
        return self.design.n

    @property
    def n_dropped(self) -> int:
        """Rows left out because a value was missing."""
        return self.design.n_dropped

    @property
    def dropped_rows(self) -> tuple[tuple[str, int], ...]:
        """(column, rows that miss it); a row missing two columns counts for both."""
        return self.design.dropped

    @property
    def dropped_columns(self) -> tuple[str, ...]:
        """Fixed columns left out as linear combinations of others."""
        kept = set(self.result.kept.tolist())
        return tuple(name for j, name in enumerate(self.design.x_names) if j not in kept)

    @property
    def df(self) -> int:
        """Parameters: fixed effects, covariance parameters, residual variance (as ``attr(logLik(m), "df")``)."""
        return len(self.result.beta) + len(self.theta) + 1

    @property
    def deviance(self) -> float:
        """-2 log-likelihood (the REML criterion for a REML fit)."""
        return -2.0 * self.loglik

    @property
    def aic(self) -> float:
        """-2 ℓ + 2 df, as R's ``AIC``; of a REML fit only comparable between fits with the same fixed effects."""
        return information.aic(self.loglik, self.df)

    @property
    def bic(self) -> float:
        """-2 ℓ + df log(rows), as R's ``BIC``; of a REML fit only comparable with the same fixed effects."""
        return information.bic(self.loglik, self.df, self.nobs)

    @cached_property
    def bic_hybrid(self) -> float:
        """BIC in which a term that is constant within annotators pays log(annotators), not log(rows).

        See :func:`pluristats.models.information.hybrid_bic`.
        """
        return information.hybrid_bic(
            self.loglik,
            self.data.units(self.result),
            self.nobs,
            [len(r.levels) for r in self.result.random],
            [sum(c * (c + 1) // 2 for c in r.blocks or (len(r.terms),)) for r in self.result.random],
        )

    # --- helpers ------------------------------------------------------------------------------------------------

    @property
    def has_slopes(self) -> bool:
        """Whether any random term is more than an intercept."""
        return any(r.terms != ("(Intercept)",) for r in self.result.random)

    def _random_intercepts_only(self, what: str) -> None:
        if self.has_slopes:
            raise UnsupportedError(f"{what} is computed for random intercepts only; this fit has random slopes.")

    def refuse_iterative(self, what: str) -> None:
        """Refuse what needs the exact likelihood, of a fit that estimates it."""
        if self.result.monte_carlo is not None:
            raise UnsupportedError(
                f"{what} needs the exact likelihood, which an iterative fit only estimates; fit with method='exact' "
                "(which holds a matrix of the levels of all grouping factors but the largest squared) or fewer levels."
            )

    @property
    def _mean_components(self) -> Array:
        """Σ_i z_i'Σ_k z_i / n of each grouping factor: its share in the variance of a row, shape (K,)."""
        return np.array(
            [
                r.covariance[0, 0]
                if r.terms == ("(Intercept)",)
                else np.sum((z := coefficient_columns(r, self.problem)) @ r.covariance * z) / self.nobs
                for r in self.result.random
            ]
        )

    @property
    def _below_diagonal(self) -> np.ndarray:
        """Which elements of theta stand below the diagonal of a covariance's root and may be negative."""
        if not self.has_slopes:
            return np.zeros(len(self.theta), dtype=bool)
        terms = self.slope_equations.pr.layout.terms
        return np.array([i > j for t in terms for i, j in lower(t.size)])

    @property
    def _components(self) -> Array:
        return np.array([r.covariance[0, 0] for r in self.result.random])

    @cached_property
    def _fixed_part(self) -> Array:
        """The offset and Xβ, shape (n,)."""
        fixed = self.problem.x[:, self.result.kept] @ self.result.beta
        return freeze(fixed if self.problem.offset is None else fixed + self.problem.offset)

    @cached_property
    def slope_equations(self) -> SlopeEquations:
        """What ``equations`` is, for a fit with random slopes."""
        return slope_equations(self.problem, self.result)

    @cached_property
    def equations(self) -> Equations:
        """Cross-products and mixed-model equations at the estimates, for inference."""
        self._random_intercepts_only("Inference from the mixed-model equations")
        return self.data.equations(self.result)


def freeze(*arrays: Array) -> Array:
    """Make arrays read-only; returns the first."""
    for array in arrays:
        array.setflags(write=False)
    return arrays[0]
