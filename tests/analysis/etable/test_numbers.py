"""Every number of the table is one of the fit's own tables."""

from __future__ import annotations

import csv
import io
import math
import re
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import pluristats as ps
from pluristats.errors import PluristatsWarning

FIXED = ["estimate", "std_error", "statistic", "df", "p_value", "conf_low", "conf_high"]


def cells(table: ps.ETable, label: str) -> tuple[tuple[str, ...], ...]:
    (row,) = [row for part in table.grid.parts for row in part.rows if row.label == label]
    return row.cells


def as_number(text: str) -> float:
    return float(text.strip("()[]*").replace("−", "-").replace(",", ""))


@pytest.mark.parametrize("name", ["small", "large", "singular", "bounded", "gaussian", "penalised"])
def test_coefficients_components_and_statistics_are_the_fits_own(name, request):
    fit = request.getfixturevalue(name)
    inner = getattr(fit, "refit", fit)
    frame = ps.etable(fit, adjust="holm", statistics=["nobs", "groups", "loglik", "aic", "bic"]).frame()["(1)"]
    tidy = fit.tidy(adjust="holm").set_index("term")
    for term in tidy.index:
        found = frame["fixed"].xs(term, level="term")
        np.testing.assert_array_equal(
            found[[*FIXED, "p_adjusted"]], tidy.loc[term, [*FIXED, "p_adjusted"]].astype(float)
        )
    assert frame["fixed"].index.get_level_values("term").unique().tolist() == tidy.index.tolist()
    np.testing.assert_array_equal(np.sort(frame["random"]), np.sort(inner.tidy("ran_pars")["estimate"]))
    glance = inner.glance().iloc[0]
    for statistic in ("nobs", "loglik", "aic", "bic"):
        assert frame["fit", statistic, "value"] == glance[statistic]
    levels = inner.ranef().groupby("group")["level"].nunique()
    assert {group: frame["fit", f"groups:{group}", "value"] for group in levels.index} == levels.to_dict()


def test_r2_where_the_fit_has_it(small, bounded):
    frame = ps.etable({"a": small, "b": bounded}).frame()
    assert frame.loc[("fit", "r2_marginal", "value"), "a"] == small.r2().marginal
    assert math.isnan(frame.loc[("fit", "r2_marginal", "value"), "b"])
    assert frame.loc[("fit", "phi", "value"), "b"] == bounded.phi
    assert frame.loc[("fit", "cut_low", "value"), "b"] == bounded.cutpoints[0]


def test_a_question_is_its_refit_under_its_name(question):
    table = ps.etable(question, statistics=["nobs", "selected", "r2_marginal"])
    frame = table.frame()
    assert list(frame.columns) == ["RQ1"]
    tidy = question.tidy().set_index("term")
    assert frame["RQ1"]["fixed"].xs("estimate", level="value").to_dict() == tidy["estimate"].to_dict()
    assert frame.loc[("fit", "selected", "value"), "RQ1"] == len(question.selection.selected)


def test_least_squares_after_selection(least_squares):
    frame = ps.etable(least_squares, statistics=["nobs", "loglik", "aic", "bic", "r2"]).frame()["(1)"]
    ols, n = least_squares.ols, int(least_squares.ols.nobs)
    tidy = least_squares.tidy().set_index("term")
    assert frame["fixed"].xs("std_error", level="value").to_dict() == tidy["std_error"].to_dict()
    # Written out, with σ² estimated by maximum likelihood and counted as a parameter.
    rss, k = float(ols.ssr), len(ols.params) + 1
    loglik = -n / 2 * (math.log(2 * math.pi * rss / n) + 1)
    assert frame["fit", "loglik", "value"] == pytest.approx(loglik, rel=1e-12)
    assert frame["fit", "aic", "value"] == pytest.approx(2 * k - 2 * loglik, rel=1e-12)
    assert frame["fit", "bic", "value"] == pytest.approx(k * math.log(n) - 2 * loglik, rel=1e-12)
    assert frame["random", "Residual", "estimate"] == pytest.approx(math.sqrt(rss / (n - k + 1)), rel=1e-12)


def test_anything_with_a_tidy_table(penalised):
    """Inference on other rows has no glance()."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PluristatsWarning)
        half = penalised.split(seed=1)
    table = ps.etable({"all rows": penalised, "half": half})
    frame = table.frame()["half"].dropna()
    assert frame["fixed"].xs("estimate", level="value").to_dict() == half.tidy().set_index("term")["estimate"].to_dict()
    assert set(frame.index.get_level_values("part")) == {"fixed"}
    assert any(note.startswith("(2): selected on other rows") for note in table.notes)


def test_cells_are_the_numbers_rounded(small, large):
    table = ps.etable([small, large], digits=2, conf_level=0.9, below="conf_int", labels=False)
    frame = table.frame()
    tidy = large.tidy(conf_level=0.9).set_index("term")
    for term in tidy.index:
        estimate, interval = cells(table, term)[1]
        low, high = interval.split(", ")
        found = [as_number(estimate), as_number(low), as_number(high)]
        wanted = tidy.loc[term, ["estimate", "conf_low", "conf_high"]].astype(float)
        np.testing.assert_allclose(found, wanted, atol=0.00501)
        assert frame.loc[("fixed", term, "conf_low"), "(2)"] == tidy.at[term, "conf_low"]
    assert cells(table, "z")[0] == ()
    assert "90% intervals in brackets." in table.notes


@pytest.mark.parametrize("below", ["std_error", "statistic"])
def test_what_stands_below(small, below):
    table = ps.etable(small, below=below, digits=4, labels=False)
    row = small.tidy().set_index("term").loc["x"]
    assert as_number(cells(table, "x")[0][1]) == pytest.approx(row[below], abs=0.00005)
    assert [len(cell) for cell in cells(ps.etable(small, below=None, labels=False), "x")] == [1]


def test_p_values_below(small):
    table = ps.etable(small, below="p_value", labels=False)
    for term, p in small.tidy().set_index("term")["p_value"].items():
        assert cells(table, term)[0][1] == ("(<0.001)" if p < 0.001 else f"({p:.3f})")


@pytest.mark.parametrize("adjust", [None, "holm", "bh"])
def test_stars_count_thresholds(large, adjust):
    table = ps.etable(large, stars=(0.9, 0.5, 0.05), adjust=adjust, labels=False)
    tidy = large.tidy()
    p = 2 * stats.t.sf(abs(tidy["statistic"]), tidy["df"])
    if adjust:
        # By hand: the intercept comes first and is no member.
        order, m = np.argsort(p[1:]), len(p) - 1
        ranked = p[1:][order]
        if adjust == "holm":
            ranked = np.minimum(1, np.maximum.accumulate(ranked * (m - np.arange(m))))
        else:
            ranked = np.minimum(1, np.minimum.accumulate((ranked * m / np.arange(1, m + 1))[::-1])[::-1])
        p = np.r_[np.nan, ranked[np.argsort(order)]]
    for term, value in zip(tidy["term"], p, strict=True):
        wanted = 0 if np.isnan(value) else sum(bool(value < threshold) for threshold in (0.9, 0.5, 0.05))
        assert cells(table, term)[0][0].count("*") == wanted
    assert "* p < 0.9, ** p < 0.5, *** p < 0.05." in table.notes


def test_no_stars_unless_asked_for(large):
    assert "*" not in ps.etable(large).text()


def test_csv_is_the_frame_and_no_formula(table):
    odd = table.rename(columns={"x": "=1+2", "age": "@age"})
    fit = ps.lmer("y ~ `=1+2` + `@age` + (1|person) + (1|item)", odd, reml=False)
    found = ps.etable({"=HYPERLINK(0)": fit})
    rows = list(csv.reader(io.StringIO(found.csv())))
    assert rows[0] == ["part", "term", "value", "'=HYPERLINK(0)"]
    assert not any(re.match(r"[=@+\t\r]", cell) for row in rows for cell in row[:3])
    assert [float(row[3]) for row in rows[1:]] == pytest.approx(found.frame().iloc[:, 0].tolist(), nan_ok=True)


def test_a_number_that_would_read_as_zero(table):
    fit = ps.lmer("y ~ big + (1|person) + (1|item)", table.assign(big=table["x"] * 1e7), reml=False)
    (estimate, error) = cells(ps.etable(fit, labels=False), "big")[0]
    assert re.fullmatch(r"−?\d\.\de−\d", estimate)
    assert float(estimate.replace("−", "-")) == pytest.approx(fit.fixef["big"], rel=0.06)
    assert error != "(0.000)"


def test_slopes_and_correlations(large):
    frame = ps.etable(large).frame()["(1)"]
    components = large.varcorr()
    (correlation,) = components.loc[components["var2"] == "x", "sdcor"]
    found = frame["random"].droplevel("value").to_dict()
    assert found["person: (Intercept), x"] == correlation
    assert found["Residual"] == large.sigma
    labels = [row.label for row in ps.etable(large).grid.parts[1].rows]
    assert labels == [
        "Person: Intercept",
        "Person: X",
        "Person: correlation of Intercept and X",
        "Item: Intercept",
        "Residual",
    ]
    assert len(ps.etable(large, random=False).grid.parts) == 2
    assert pd.isna(ps.etable([large, large]).frame()).to_numpy().sum() == 0
