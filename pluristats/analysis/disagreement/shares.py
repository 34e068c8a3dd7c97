"""Where the variance of ratings comes from, and how reliable means of annotators and prompts are."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from pluristats.display.shown import Displayed, Shown
from pluristats.models import lmer
from pluristats.study import Study

_NULL = "rating_raw ~ 1 + (1|annotator) + (1|prompt)"


@dataclass(frozen=True)
class Generalisability:
    """Reliability of a mean of ``n`` ratings.

    Parameters
    ----------
    n
        Ratings in the mean.
    relative
        For comparing objects that are rated by the same raters (Eρ²).
    absolute
        For the mean's level itself, or objects rated by different raters (Φ).
    """

    n: float
    relative: float
    absolute: float


@dataclass(frozen=True)
class VarianceShares(Displayed):
    """Variance components of the null crossed model, and what they say about means.

    Parameters
    ----------
    table
        ``source`` (annotator, prompt, residual), ``variance`` (squared rating units), ``sd``, ``share`` (sum 1).
    reliability
        ``mean_of`` (prompt, annotator), ``ratings`` (in the mean: 1, and the harmonic mean of what they have),
        ``relative``, ``absolute``.
    nobs
        Ratings.
    singular
        Whether a component is zero.
    simulated
        Whether the data say of themselves that they are simulated.
    """

    table: pd.DataFrame
    reliability: pd.DataFrame
    nobs: int
    singular: bool
    simulated: bool = False

    def _shown(self) -> Shown:
        told = ("A variance component is zero, on the boundary.",) * self.singular
        tables = (("Variance of single ratings", self.table), ("Reliability of means", self.reliability))
        return Shown(f"Variance shares of {self.nobs:,} ratings", self.simulated, told, tables=tables)


def generalisability(signal: float, raters: float, residual: float, n: float) -> Generalisability:
    """Generalisability coefficients of a mean over n ratings in a crossed design (Brennan 2001, ch. 2, p × i).

    Formula: relative Eρ² = σ²_s / (σ²_s + σ²_r / n), absolute Φ = σ²_s / (σ²_s + σ²_o / n + σ²_r / n).

    Parameters
    ----------
    signal
        σ²_s, variance of the objects that are to be told apart (prompts, or annotators).
    raters
        σ²_o, variance of the other facet, over which the mean is taken.
    residual
        σ²_r, residual variance (interaction and error together).
    n
        Ratings in the mean, above 0.

    Returns
    -------
    Generalisability
        NaN when all variances are 0.
    """
    if n <= 0 or min(signal, raters, residual) < 0:
        raise ValueError("n must be positive and variances not negative.")
    if signal == 0:
        nothing = raters == residual == 0
        return Generalisability(n, *(2 * [float("nan") if nothing else 0.0]))
    return Generalisability(n, signal / (signal + residual / n), signal / (signal + (raters + residual) / n))


def variance_shares(study: Study) -> VarianceShares:
    """Shares σ²_k / (σ²_annotator + σ²_prompt + σ²_residual) of y_ij = μ + a_i + p_j + e_ij, by REML.

    Reliability (:func:`generalisability`) is given for a single rating and for the study's own means. Where ratings
    are missing these rest on different numbers n_j; their error variances σ²_r / n_j average to σ²_r / n with n the
    harmonic mean of the n_j.

    Parameters
    ----------
    study
        The study; ratings in its own units.

    Raises
    ------
    FitError
        The model cannot be fitted (constant ratings, one annotator or prompt).

    Warns
    -----
    SingularFitWarning
        A component is zero.
    """
    fit = lmer(_NULL, study)
    table = fit.varcorr().set_index("grp")["vcov"]
    variances = {
        "annotator": float(table["annotator"]),
        "prompt": float(table["prompt"]),
        "residual": float(table["Residual"]),
    }
    total = sum(variances.values())
    rows = [(source, v, v**0.5, v / total) for source, v in variances.items()]
    usable = study.ratings_[study.ratings_["rating"].notna()]
    reliability = []
    for of, over in (("prompt", "annotator"), ("annotator", "prompt")):
        counts = usable[of].value_counts()
        for n in (1.0, float(len(counts) / (1.0 / counts).sum())):
            g = generalisability(variances[of], variances[over], variances["residual"], n)
            reliability.append((of, g.n, g.relative, g.absolute))
    return VarianceShares(
        table=pd.DataFrame(rows, columns=["source", "variance", "sd", "share"]),
        reliability=pd.DataFrame(reliability, columns=["mean_of", "ratings", "relative", "absolute"]),
        nobs=fit.nobs,
        singular=fit.singular,
        simulated=study.simulated,
    )
