"""The debiased (desparsified) Lasso of a mixed model: intervals for the full model's coefficients.

With the variance ratios of the full model, M = X'V⁻¹X/n (intercept and forced columns in X) and β̂ the Lasso's
coefficients, a direction θ_j gives (van de Geer, Bühlmann, Ritov & Dezeure 2014, eqs. 5 and 9)

    b_j = β̂_j + θ_j'X'V⁻¹(y - Xβ̂)/n,   se² = σ² θ_j'Mθ_j/n,   b_j - β_j = noise + (e_j - Mθ_j)'(β̂ - β).

Where the full model can be fitted, X'V⁻¹y = nM β̃ with β̃ its generalised least-squares estimate, so that with c = Mθ_j

    b_j = β̂_j + c'(β̃ - β̂),   se² = c' Var(β̃) c:

all of it is one linear combination of the full fit's estimates, and Satterthwaite's degrees of freedom are that
combination's. With c = e_j (θ_j a row of M⁻¹) it is β̃_j itself and unbiased; the nodewise Lasso's c has c_j = 1 and
small other entries, a smaller variance, and a bias of at most max_k≠j|c_k| ‖β̂ - β‖₁ (columns standardised).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import linalg

from pluristats.display.shown import Displayed, Shown
from pluristats.engine.result import Array
from pluristats.errors import ConvergenceWarning, FitError, FormulaError, RankDeficientWarning, SingularFitWarning
from pluristats.lasso.inference.nodewise import direction
from pluristats.lasso.inference.unpenalised import Unpenalised, unpenalised
from pluristats.models.multiplicity import Adjust, with_adjusted
from pluristats.models.tables import check_level, t_table

if TYPE_CHECKING:
    from pluristats.lasso.mixed.fit import LassoLmer

TARGET = "What is estimated: the coefficients of the full model, all columns in it, whatever was selected."
# Share of a standardised column that another explains below which it has no part in determining it.
_INVOLVED = 1e-6


@dataclass(frozen=True, eq=False)
class Debiased(Displayed):
    """Debiased estimates of the full model's coefficients.

    Parameters
    ----------
    terms
        Columns asked for that the data determine, in the formula's order.
    estimate, std_error, df
        b, its standard error and Satterthwaite's degrees of freedom, shape (m,).
    inflation
        Variance over what it would be if the other columns were uncorrelated with this one, shape (m,).
    spill
        max_k≠j|c_k|: how much of another standardised coefficient's error comes in; 0 where b_j is the full model's
        own estimate, shape (m,).
    undetermined
        Columns that others determine together: the full model has no coefficient of theirs.
    most
        The largest inflation allowed.
    theta, sigma
        Variance ratios and residual standard deviation of the full model (REML).
    singular
        Whether one of them is zero.
    simulated
        Whether the data say of themselves that they are simulated.
    """

    terms: tuple[str, ...] = field(repr=False)
    estimate: Array = field(repr=False)
    std_error: Array = field(repr=False)
    df: Array = field(repr=False)
    inflation: Array = field(repr=False)
    spill: Array = field(repr=False)
    undetermined: tuple[str, ...]
    most: float
    theta: Array
    sigma: float
    singular: bool = False
    simulated: bool = False

    def tidy(self, *, conf_level: float = 0.95, adjust: Adjust | None = None) -> pd.DataFrame:
        """One row a term, as :meth:`pluristats.LmerFit.tidy`, with ``inflation`` and ``spill``.

        ``adjust`` adds ``p_adjusted`` over the terms of the table.
        """
        check_level(conf_level)
        table = t_table(self.terms, self.estimate, self.std_error, self.df, conf_level)
        return with_adjusted(table, adjust).assign(inflation=self.inflation, spill=self.spill)

    def _shown(self) -> Shown:
        gone = (f"Not determined by these data: {', '.join(self.undetermined)}.",) if self.undetermined else ()
        tables = (("Debiased coefficients", self.tidy()),)
        return Shown(simulated=self.simulated, lines=(*gone, TARGET), tables=tables)

    def summary(self) -> str:
        """What is estimated, which columns are not determined, and the table."""
        head = ["SIMULATED DATA: these numbers say nothing about people."] if self.simulated else []
        if self.undetermined:
            head.append(f"Not determined by these data: {', '.join(self.undetermined)}.")
        return "\n".join([*head, TARGET, self.tidy().to_string(index=False, float_format="{:.4g}".format)])


def debiased(fit: LassoLmer, terms: Sequence[str] | None = None, *, most: float = math.inf) -> Debiased:
    """Estimates and intervals for the full model's coefficients (the module's formulas).

    Parameters
    ----------
    fit
        Whose coefficients at the chosen λ are debiased.
    terms
        Columns; None is all that the data determine.
    most
        Largest variance inflation; infinite (the default) gives every column the full model's own estimate, with
        intervals as wide as the columns' correlations make them. A number, such as 5, gives those that are inflated
        more the least nodewise penalty that keeps to it (:func:`pluristats.lasso.inference.nodewise.direction`):
        shorter intervals that ignore the bias which ``spill`` lets in. In COVERAGE.md they hold less than they say.

    Returns
    -------
    Debiased

    Raises
    ------
    FitError
        The full model cannot be fitted, such as where its columns determine every prompt; or a column asked for is not
        determined.
    FormulaError
        There is no such column.

    Warns
    -----
    RankDeficientWarning
        Columns that are not determined.
    SingularFitWarning, ConvergenceWarning
        A variance component of the full model is zero, or its fit is at no proper optimum.

    References
    ----------
    van de Geer, Bühlmann, Ritov & Dezeure (2014), On asymptotically optimal confidence regions and tests for
    high-dimensional models, Ann. Stat. 42(3); Zhang & Zhang (2014), J. R. Stat. Soc. B 76(1), for penalties chosen by
    the variance; Li, Cai & Li (2021), Inference for high-dimensional linear mixed-effects models, J. Am. Stat. Assoc.
    117(540), for mixed models.
    """
    if not most >= 1.0:
        raise ValueError(f"most is the largest variance inflation, at least 1, not {most}.")
    names = fit.candidates
    terms = [terms] if isinstance(terms, str) else terms
    unknown = [t for t in terms or () if t not in names]
    if unknown:
        raise FormulaError(f"{unknown[0]!r} is no column of {fit.formula!r}; its columns are {', '.join(names[:12])}.")
    full = unpenalised(fit.rows, np.arange(len(names)))
    undetermined = undetermined_columns(full)
    lost = [t for t in terms or () if t in undetermined]
    if lost:
        raise FitError(
            f"Others determine column {lost[0]!r}, so that the full model has no coefficient of its own for it; leave "
            f"one of these out of the formula: {', '.join(undetermined)}."
        )
    if undetermined:
        warnings.warn(
            f"These columns determine each other, so that the full model has no coefficients of their own for them: "
            f"{', '.join(undetermined)}.",
            RankDeficientWarning,
            stacklevel=3,
        )
    singular = full.result.optimizer.status == "boundary"
    if singular:
        warnings.warn(
            "A variance component of the full model is zero; what varies only between its levels may have intervals "
            "that are too short.",
            SingularFitWarning,
            stacklevel=3,
        )
    wanted = [t for t in (names if terms is None else terms) if t not in undetermined]
    contrasts, inflation, spill = _contrasts(full, [full.terms.index(t) for t in wanted], most)
    df = full.df(contrasts)
    if np.isnan(df).any():
        warnings.warn(
            "The full model's fit is at no proper optimum: degrees of freedom, p-values and intervals are NaN.",
            ConvergenceWarning,
            stacklevel=3,
        )
    shrunken = fit.coef()[list(full.terms)].to_numpy()
    at = np.array([full.terms.index(t) for t in wanted], dtype=np.intp)
    return Debiased(
        terms=tuple(wanted),
        estimate=shrunken[at] + contrasts @ (full.result.beta - shrunken),
        std_error=np.sqrt(np.einsum("ij,jk,ik->i", contrasts, full.result.vcov, contrasts)),
        df=df,
        inflation=inflation,
        spill=spill,
        undetermined=undetermined,
        most=most,
        theta=full.result.theta,
        sigma=full.result.sigma,
        singular=singular,
        simulated=fit.simulated,
    )


def undetermined_columns(full: Unpenalised) -> tuple[str, ...]:
    """Columns that were dropped, and those that determine them, in the formula's order; the intercept is not named."""
    if not full.dropped:
        return ()
    x, names = full.problem.x, full.problem.x_names
    kept = full.result.kept
    gone = np.setdiff1d(np.arange(x.shape[1]), kept)
    centred = x - np.append(0.0, x[:, 1:].mean(axis=0))
    size = np.sqrt((centred**2).mean(axis=0))
    size[size == 0] = 1.0
    scaled = centred / size
    weights = linalg.lstsq(scaled[:, kept], scaled[:, gone], lapack_driver="gelsy")[0]
    involved = set(kept[(np.abs(weights) > _INVOLVED).any(axis=1)].tolist()) | set(gone.tolist())
    return tuple(name for j, name in enumerate(names) if j and j in involved)


def _contrasts(full: Unpenalised, positions: Sequence[int], most: float) -> tuple[NDArray, Array, Array]:
    """Combinations c of the full model's coefficients, shape (m, p), their inflations and their largest other entry."""
    vcov = full.result.vcov[1:, 1:]
    # R is the information V(β̃)⁻¹ scaled to a diagonal of 1, so that a column alone has variance 1.
    sd = np.sqrt(np.diag(vcov))
    information = linalg.inv(vcov / np.outer(sd, sd))
    scale = np.sqrt(np.diag(information)) / sd
    gram, inverse = information / np.outer(scale * sd, scale * sd), vcov * np.outer(scale, scale)
    out = np.zeros((len(positions), len(full.terms)))
    inflation, spill = np.empty(len(positions)), np.empty(len(positions))
    for row, j in enumerate(positions):
        found = direction(gram, inverse, j - 1, most)
        # c speaks of standardised coefficients β_k scale_k.
        out[row, 1:] = found.contrast * scale / scale[j - 1]
        inflation[row] = found.inflation
        spill[row] = np.abs(np.delete(found.contrast, j - 1)).max(initial=0.0)
    return out, inflation, spill
