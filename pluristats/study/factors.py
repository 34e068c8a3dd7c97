"""Factor scores from questionnaire means, by released loadings."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pluristats.errors import PluristatsError
from pluristats.study.coding import zscore

_SUFFIX = "_z_scored"


def score_factors(questionnaire_means: pd.DataFrame, loadings: pd.DataFrame) -> pd.DataFrame:
    """S = Z Λ: z-scored questionnaire means times loadings, summed.

    Z_ij = (x_ij - mean_j) / sd_j over the given annotators (ddof 1). Nothing else is done: no division by the
    number of questionnaires, no regression weights, no rescaling of the factors.

    Parameters
    ----------
    questionnaire_means
        One row an annotator, a column for each row of ``loadings``, named as there with or without the ending
        ``_z_scored``; other columns are not used.
    loadings
        One row a questionnaire (index), one column a factor, as ``factor_loadings.csv`` read with ``index_col=0``.

    Returns
    -------
    DataFrame
        The annotators' index, the loadings' columns.

    Raises
    ------
    PluristatsError
        Columns are missing; a cell is missing, infinite or no number; a column is constant.

    Notes
    -----
    The release does not hold the questionnaire means, and how its scores were estimated is not published, so these
    are the authors' scores only up to those unknown details. A plain sum is a guess that fits: with the
    correlations that the loadings imply, its standard deviations are 3.4, 2.8 and 2.7 where the released scores
    have 3.5, 2.8 and 2.8, while regression scores would have about 0.9.
    """
    columns = [_column(str(name), questionnaire_means) for name in loadings.index]
    absent = [str(name).removesuffix(_SUFFIX) for name, found in zip(loadings.index, columns, strict=True) if not found]
    if absent:
        raise PluristatsError(f"questionnaire means lack the columns {', '.join(absent)}; add them")
    z = np.column_stack([_standardised(questionnaire_means, str(column)) for column in columns])
    weights = _finite(loadings, "loadings")
    return pd.DataFrame(z @ weights, index=questionnaire_means.index, columns=loadings.columns)


def _column(name: str, means: pd.DataFrame) -> str | None:
    return next((known for known in (name, name.removesuffix(_SUFFIX)) if known in means.columns), None)


def _standardised(means: pd.DataFrame, column: str) -> np.ndarray:
    z = zscore(_finite(means[[column]], "questionnaire means")[:, 0])
    if z.constant:
        raise PluristatsError(
            f"questionnaire means, column {column}: all rows hold {z.mean:g}, so no z-score; drop it from the loadings"
        )
    return z.values


def _finite(table: pd.DataFrame, what: str) -> np.ndarray:
    """Cells as finite numbers, or an error that names the first that is none."""
    values = table.apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64)
    bad = np.argwhere(~np.isfinite(values))
    if bad.size:
        row, column = bad[0]
        value = table.iloc[int(row), int(column)]
        raise PluristatsError(
            f"{what}, row {table.index[row]!r}, column {table.columns[column]}: {value!r} is not a finite number; "
            "complete it or leave the row out"
        )
    return values
