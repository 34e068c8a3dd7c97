"""How much each person or item moves a fit: refits without one level at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import linalg

from pluristats.display.shown import Displayed, Shown
from pluristats.engine.refit import Refit, Refitter
from pluristats.engine.result import Array
from pluristats.errors import FitError
from pluristats.models.bootstrap import refit_problem
from pluristats.models.parallel import in_blocks
from pluristats.models.resample import clusters_of

if TYPE_CHECKING:
    from pluristats.models.fit import LmerFit


@dataclass(frozen=True, eq=False)
class Influence(Displayed):
    """Estimates without each level of a factor.

    Parameters
    ----------
    by
        The factor.
    terms, theta_names
        Names of the fixed effects and of theta.
    levels
        Labels, one a refit.
    n_rows
        Rows of each level, shape (L,).
    beta, vcov
        The fit's own fixed effects, shape (p,), and their covariance.
    theta, sigma
        The fit's own.
    betas, std_errors
        Without each level, shape (L, p); NaN where it cannot be fitted or the column was that level's alone.
    thetas, sigmas
        Without each level, shapes (L, K) and (L,).
    status
        ``converged``, ``boundary``, ``failed``, or why there is no fit without this level.
    simulated
        Whether the data say of themselves that they are simulated.
    """

    by: str
    terms: tuple[str, ...]
    theta_names: tuple[str, ...]
    levels: tuple[object, ...]
    n_rows: NDArray[np.intp] = field(repr=False)
    beta: Array = field(repr=False)
    vcov: Array = field(repr=False)
    theta: Array = field(repr=False)
    sigma: float = field(repr=False)
    betas: Array = field(repr=False)
    std_errors: Array = field(repr=False)
    thetas: Array = field(repr=False)
    sigmas: Array = field(repr=False)
    status: tuple[str, ...] = field(repr=False)
    simulated: bool = False

    def _shown(self) -> Shown:
        table = self.table().sort_values("cooks_distance", ascending=False, kind="stable", ignore_index=True)
        tables = (("Levels, the most influential first", table),)
        return Shown(f"Influence of each level of {self.by}", self.simulated, tables=tables)

    @property
    def dfbetas(self) -> Array:
        """(β_j - β_j without the level) / standard error without it, shape (L, p)."""
        return (self.beta - self.betas) / self.std_errors

    @property
    def cooks_distance(self) -> Array:
        """D = (β - β₍₋₎)' V⁻¹ (β - β₍₋₎) / p with V the covariance of the fit's own β, shape (L,).

        NaN where a column is lost with the level. (Cook 1977; as R's influence.ME and lme4.)
        """
        half = linalg.solve_triangular(
            linalg.cholesky(self.vcov, lower=True), (self.beta - self.betas).T, lower=True, check_finite=False
        )
        return np.einsum("pl,pl->l", half, half) / len(self.beta)

    def tidy(self) -> pd.DataFrame:
        """One row a level and fixed effect: level, term, estimate (without the level), dfbeta (change), dfbetas."""
        p = len(self.terms)
        return pd.DataFrame(
            {
                "level": np.repeat(np.array(self.levels, dtype=object), p),
                "term": list(self.terms) * len(self.levels),
                "estimate": self.betas.ravel(),
                "dfbeta": (self.beta - self.betas).ravel(),
                "dfbetas": self.dfbetas.ravel(),
            }
        )

    def table(self) -> pd.DataFrame:
        """One row a level: level, n_rows, cooks_distance, and sigma and each theta without it, with their changes."""
        table = pd.DataFrame(
            {
                "level": list(self.levels),
                "n_rows": self.n_rows,
                "cooks_distance": self.cooks_distance,
                "sigma": self.sigmas,
                "sigma_change": self.sigma - self.sigmas,
            }
        )
        for k, name in enumerate(self.theta_names):
            table[f"theta {name}"] = self.thetas[:, k]
            table[f"theta {name} change"] = self.theta[k] - self.thetas[:, k]
        return table.assign(status=list(self.status))


@dataclass(frozen=True)
class _Leaver:
    refitter: Refitter
    start: Array

    def without(self, rows: Sequence[NDArray[np.intp]]) -> list[Refit | FitError]:
        """A refit without each set of rows."""
        out: list[Refit | FitError] = []
        for gone in rows:
            try:
                out.append(self.refitter.without(gone, start=self.start, errors=True))
            except FitError as error:
                out.append(error)
        return out


def influence(fit: LmerFit, by: str | pd.Series, *, n_jobs: int = 1, progress: bool = False) -> Influence:
    """Refit a model without each level of a factor in turn, theta and sigma included.

    The rows are not read again: a level's rows are taken out of the cross-products
    (:meth:`pluristats.engine.refit.Refitter.without`).

    Parameters
    ----------
    fit
        With random intercepts only.
    by
        A grouping factor's name, such as ``"annotator"``, or a column of the data (a Series).
    n_jobs
        Processes.
    progress
        Show how far it is, on standard error.
    """
    problem = refit_problem(fit, "Influence")
    codes, levels = clusters_of(fit, by)
    n_rows = np.bincount(codes, minlength=len(levels))
    rows = np.split(np.argsort(codes, kind="stable"), np.cumsum(n_rows)[:-1])
    name = by if isinstance(by, str) else str(by.name)
    leaver = _Leaver(Refitter.of(problem, reml=fit.reml), fit.theta.copy())
    refits = in_blocks(leaver.without, rows, n_jobs=n_jobs, what=f"influence ({name})", progress=progress)
    p, k = len(fit.terms), len(fit.theta)
    betas, errors = np.full((len(rows), p), np.nan), np.full((len(rows), p), np.nan)
    thetas, sigmas = np.full((len(rows), k), np.nan), np.full(len(rows), np.nan)
    for i, refit in enumerate(refits):
        if isinstance(refit, Refit):
            betas[i, refit.kept], thetas[i], sigmas[i] = refit.beta, refit.theta, refit.sigma
            errors[i, refit.kept] = refit.std_error
    for array in (n_rows, betas, errors, thetas, sigmas):
        array.setflags(write=False)
    return Influence(
        by=name,
        terms=fit.terms,
        theta_names=fit.theta_names,
        levels=levels,
        n_rows=n_rows,
        beta=fit.result.beta,
        vcov=fit.result.vcov,
        theta=fit.theta,
        sigma=fit.sigma,
        betas=betas,
        std_errors=errors,
        thetas=thetas,
        sigmas=sigmas,
        status=tuple(r.status if isinstance(r, Refit) else str(r) for r in refits),
        simulated=fit.simulated,
    )
