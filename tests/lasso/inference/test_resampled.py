"""Resampled selections: each is the selection of its rows, and nothing is called an interval."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pluristats.errors import ConvergenceWarning, FormulaError
from tests.lasso.inference.designs import FORMULA, select


@pytest.mark.parametrize("more", [{}, {"penalty": "cv", "folds": "annotators", "n_folds": 3}], ids=["bic", "cv"])
def test_a_resample_is_selected_from_as_if_it_were_the_data(crossed: pd.DataFrame, more: dict) -> None:
    fit = select(crossed, n_lambda=8, **more)
    found = fit.bootstrap(2, seed=5)
    for row, stream in zip(found.coefficients, np.random.SeedSequence(5).spawn(2), strict=True):
        draws = np.bincount(np.random.default_rng(stream).integers(0, 21, 21), minlength=21)
        times = draws[crossed.annotator]
        at = np.repeat(np.arange(len(crossed)), times)
        copy = np.arange(len(at)) - np.repeat(np.cumsum(times) - times, times)
        table = crossed.iloc[at].reset_index(drop=True)
        table["person"] = table.annotator * 100 + copy
        assert table.person.nunique() == 21
        formula = FORMULA.replace("(1|annotator)", "(1|person)")  # folds keep the annotator whole, all copies of it
        alone = select(table, formula, n_lambda=8, **more)
        np.testing.assert_allclose(row, alone.coef().iloc[1:], atol=1e-7 * np.abs(row).max())


@pytest.mark.parametrize("by", ["rows", "annotator"])
def test_copies_of_a_row_stay_in_one_fold(crossed: pd.DataFrame, by: str) -> None:
    """As where a column says which row each is a copy of; else a copy in training has seen what is tested."""
    numbered = crossed.assign(number=np.arange(len(crossed)))
    rows, column = (select(numbered, n_lambda=8, penalty="cv", folds=folds, n_folds=3) for folds in ("rows", "number"))
    np.testing.assert_array_equal(
        rows.bootstrap(3, by=by, seed=2).coefficients, column.bootstrap(3, by=by, seed=2).coefficients
    )


def test_the_table_counts_zeros_and_says_what_it_is_not(crossed: pd.DataFrame) -> None:
    fit = select(crossed, n_lambda=8)
    found = fit.bootstrap(6, by=["annotator", "prompt"])
    table = found.tidy().set_index("term")
    np.testing.assert_allclose(table["frequency"], (found.coefficients != 0).mean(axis=0))
    np.testing.assert_allclose(table["q50"], np.median(found.coefficients, axis=0))
    np.testing.assert_allclose(table["estimate"], fit.coef().iloc[1:])
    assert not [name for name in table if "conf" in name]
    assert "not confidence intervals" in found.summary() and "not confidence intervals" in found.note
    np.testing.assert_array_equal(
        found.coefficients, fit.bootstrap(6, by=["annotator", "prompt"], n_jobs=2).coefficients
    )


def test_resamples_that_cannot_be_fitted_are_counted(crossed: pd.DataFrame) -> None:
    """One level has one row, which a resample of rows lacks with probability 1/e."""
    fit = select(crossed.assign(side=crossed.index == 3), "y ~ b + d + e + (1|side)", n_lambda=3)
    with pytest.warns(ConvergenceWarning, match=r"of 8 resamples .* 'side' has only one level"):
        found = fit.bootstrap(8, by="rows")
    refused = sum(k for _, k in found.refusals)
    assert 0 < refused < 8 and refused == np.isnan(found.coefficients).all(axis=1).sum()
    assert not found.tidy().isna().any().any()


def test_refusals(crossed: pd.DataFrame) -> None:
    fit = select(crossed, n_lambda=3)
    with pytest.raises(ValueError, match="at least 1"):
        fit.bootstrap(0)
    with pytest.raises(ValueError, match="nothing to resample"):
        fit.bootstrap(2, by=[])
    with pytest.raises(FormulaError, match="'nobody'"):
        fit.bootstrap(2, by="nobody")
