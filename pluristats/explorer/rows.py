"""The rows of a table that a fit was made of."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pluristats.errors import FitError
from pluristats.models import LmerFit


def fitted_rows(fit: LmerFit, frame: pd.DataFrame) -> pd.DataFrame:
    """The table's rows that were fitted, in the fit's order.

    Parameters
    ----------
    fit
        The fit.
    frame
        The table that was fitted, or one with the same rows and more columns.

    Raises
    ------
    FitError
        It is another table: rows are missing, or the response is another.
    """
    if not frame.index.is_unique or not fit.index.isin(frame.index).all():
        raise FitError("The rows of the fit are not in this study; give the study (or table) that was fitted.")
    rows = frame.loc[fit.index]
    response = fit.design.parsed.response.strip("`")
    # A study of the same size has the same row labels, so they alone do not tell it from the one that was fitted.
    if response in rows and not np.array_equal(rows[response].to_numpy(dtype=float), fit.problem.y):
        raise FitError(f"{response!r} of this study is not what was fitted; give the study (or table) that was fitted.")
    return rows
