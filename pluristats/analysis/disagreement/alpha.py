"""Krippendorff's alpha: agreement of any number of annotators, with missing ratings.

Own code rather than the package ``krippendorff``: that one is GPL (this library is MIT) and holds a units × values ×
values array, where a sum of squares does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from pluristats.analysis.disagreement.prompts import rating_matrix
from pluristats.display.shown import Displayed, Shown, mark
from pluristats.errors import PluristatsError
from pluristats.study import Study

Metric = Literal["nominal", "ordinal", "interval"]


@dataclass(frozen=True)
class Alpha(Displayed):
    """Krippendorff's alpha.

    Parameters
    ----------
    value
        1 is perfect agreement, 0 what chance gives, below 0 systematic disagreement; NaN when all ratings are equal.
    metric
        How far apart two ratings are.
    observed, expected
        Mean squared difference of two ratings of the same unit, and of any two ratings.
    units, values
        Units with at least two ratings, and their ratings; other units say nothing about agreement.
    simulated
        Whether the study says of itself that it is simulated; a matrix says nothing.
    """

    value: float
    metric: Metric
    observed: float
    expected: float
    units: int
    values: int
    simulated: bool = False

    def __repr__(self) -> str:
        simulated = mark(self.simulated)
        return f"<Alpha: {self.value:.4f} ({self.metric}), {self.values:,} ratings of {self.units:,} units{simulated}>"

    def _shown(self) -> Shown:
        names = ["metric", "alpha", "observed disagreement", "expected disagreement"]
        table = pd.DataFrame([(self.metric, self.value, self.observed, self.expected)], columns=names)
        rated = f"{self.values:,} ratings of {self.units:,} units that have at least two"
        return Shown(
            "Krippendorff's alpha",
            self.simulated,
            tables=((rated, table),),
            notes=("1 is perfect agreement, 0 what chance gives.",),
        )


def krippendorff_alpha(matrix: ArrayLike | pd.DataFrame | Study, metric: Metric = "interval") -> Alpha:
    """α = 1 - D_o / D_e, with D_o = (1/n) Σ_u Σ_{i≠j in u} δ²_ij / (m_u - 1) and D_e = Σ_{i≠j} δ²_ij / (n (n - 1)).

    u runs over units with m_u ≥ 2 ratings, n = Σ m_u. δ² is 1 for unequal ratings (nominal), the squared difference
    (interval), or the squared difference of mid-ranks among the n ratings (ordinal; equal to Krippendorff's
    (Σ_{g=c..k} n_g - (n_c + n_k)/2)²). Σ_{i≠j} δ²_ij is 2 m Σ (x - mean)² for the last two and m² - Σ_k m_k² for the
    first, so no matrix of coincidences is needed.

    Parameters
    ----------
    matrix
        One row an annotator, one column a unit (prompt), NaN where there is no rating; or a study.
    metric
        ``"interval"``, ``"ordinal"`` or ``"nominal"``.

    Raises
    ------
    ValueError
        Not a matrix, an infinite cell, or an unknown metric.
    PluristatsError
        No unit has two ratings.

    References
    ----------
    Krippendorff (2011), Computing Krippendorff's alpha-reliability.
    """
    values, unit = _pairable(rating_matrix(matrix) if isinstance(matrix, Study) else matrix)
    n, m = values.size, np.bincount(unit)
    if metric == "nominal":
        code = np.unique(values, return_inverse=True)[1].reshape(-1)
        cells = np.unique(np.stack([unit, code]), axis=1, return_counts=True)
        alike = np.bincount(cells[0][0], weights=cells[1].astype(np.float64) ** 2, minlength=m.size)
        within = (m**2 - alike).astype(np.float64)
        overall = float(n**2 - (np.bincount(code).astype(np.float64) ** 2).sum())
    elif metric in ("ordinal", "interval"):
        from scipy import stats

        scores: NDArray[np.float64] = np.asarray(stats.rankdata(values) if metric == "ordinal" else values, np.float64)
        x = scores - float(scores.mean())  # centred: squares of large ratings keep their digits
        deviation = x - (np.bincount(unit, weights=x) / m)[unit]
        within = (2 * m * np.bincount(unit, weights=deviation**2)).astype(np.float64)
        overall = float(2.0 * n * np.sum(x**2))
    else:
        raise ValueError(f"metric is 'interval', 'ordinal' or 'nominal', not {metric!r}.")
    observed = float((within / (m - 1)).sum() / n)
    expected = overall / (n * (n - 1))
    alpha = 1.0 - observed / expected if np.ptp(values) > 0 else float("nan")
    simulated = isinstance(matrix, Study) and matrix.simulated
    return Alpha(alpha, metric, observed, expected, m.size, n, simulated)


def _pairable(matrix: ArrayLike | pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Ratings of units that have at least two, and the unit (0, 1, …) of each."""
    ratings = np.asarray(matrix, dtype=np.float64)
    if ratings.ndim != 2:
        raise ValueError(f"alpha takes a matrix of annotators × units, not an array of {ratings.ndim} dimensions.")
    if np.isinf(ratings).any():
        row, column = np.argwhere(np.isinf(ratings))[0]
        raise ValueError(f"row {row}, column {column} of the ratings is infinite; mark missing ratings as NaN.")
    there = ~np.isnan(ratings)
    there &= there.sum(axis=0) >= 2
    if not there.any():
        raise PluristatsError("No unit has two ratings, so agreement cannot be computed; give units rated twice.")
    unit = np.unique(np.nonzero(there.T)[0], return_inverse=True)[1].reshape(-1)
    return ratings.T[there.T], unit
