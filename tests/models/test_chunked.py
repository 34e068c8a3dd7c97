"""Fits of rows in chunks are the fits of the same rows in memory, whatever the chunks."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import pluristats as ps
from pluristats.errors import (
    DroppedRowsWarning,
    FitError,
    FormulaError,
    RankDeficientWarning,
    SingularFitWarning,
    UnsupportedError,
)
from pluristats.models import LmerFit
from pluristats.stream import Source

FORMULA = "y ~ mood*x + age + log(hard + 9) + (1|person) + (1|item)"


def arrow(frame: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame, preserve_index=False)


def agree(chunked: LmerFit, whole: LmerFit, *, rel: float = 1e-9) -> None:
    """Same names, order and counts; same numbers to ``rel``."""
    assert chunked.loglik == pytest.approx(whole.loglik, rel=rel, abs=1e-12)
    assert chunked.terms == whole.terms and chunked.theta_names == whole.theta_names
    assert (chunked.nobs, chunked.dropped_rows, chunked.dropped_columns) == (
        whole.nobs,
        whole.dropped_rows,
        whole.dropped_columns,
    )
    scale = np.sqrt(np.diag(whole.result.vcov))
    assert np.abs(chunked.result.beta - whole.result.beta).max(initial=0) <= rel * np.abs(whole.result.beta).max(
        initial=1
    )
    np.testing.assert_allclose(np.sqrt(np.diag(chunked.result.vcov)), scale, rtol=10 * rel)
    np.testing.assert_allclose(chunked.theta, whole.theta, rtol=100 * rel, atol=1e-6 if whole.singular else 0)
    for mine, theirs in zip(chunked.result.random, whole.result.random, strict=True):
        assert mine.levels == theirs.levels
        np.testing.assert_allclose(mine.modes, theirs.modes, rtol=1e-6, atol=1e-7 * whole.sigma)
    for column in ("sigma", "aic", "bic", "bic_hybrid", "r2_marginal", "r2_conditional"):
        assert chunked.glance()[column][0] == pytest.approx(whole.glance()[column][0], rel=10 * rel, abs=1e-12)
    pd.testing.assert_frame_equal(chunked.tidy(), whole.tidy(), rtol=1e-6, atol=1e-9)


@pytest.fixture(scope="module")
def gaps(table: pd.DataFrame) -> pd.DataFrame:
    """The table with missing values, sorted so that a mood and two people are only in the last rows."""
    frame = table.sort_values(["mood", "person"]).reset_index(drop=True)
    frame.loc[[3, 50], "x"] = np.nan
    frame.loc[[50, 60], "person"] = None
    frame.loc[7, "y"] = np.nan
    return frame


@pytest.mark.filterwarnings("ignore::pluristats.errors.DroppedRowsWarning")
@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("rows", [1, 7, 1000])
def test_the_same_whatever_the_chunks(gaps: pd.DataFrame, rows: int, reml: bool) -> None:
    agree(ps.lmer(FORMULA, ps.chunks(arrow(gaps), rows=rows), reml=reml), ps.lmer(FORMULA, gaps, reml=reml))


@pytest.mark.filterwarnings("ignore::pluristats.errors.PluristatsWarning")
@pytest.mark.parametrize(
    "formula",
    [
        "y ~ 1 + (1|person)",
        "y ~ 0 + (1|person)",
        "y ~ 0 + mood + x + (1|person) + (1|item)",
        "y ~ x + (1|person/item)",
        "y ~ g + g:g + mood:age + (1|item)",
        "y ~ x + I(x**2) + np.where(hard > 0, x, 0) + (1|person) + (1|mood:item)",
        "y ~ C(item) + x + (1|person)",
        "log(y + 30) ~ 0 + one + x + (1|person)",
        "y ~ x + age + hard + I(2*x) + (1|person) + (1|item)",
        "y ~ flag + x + (1|person)",
    ],
)
def test_the_same_for_every_kind_of_formula(gaps: pd.DataFrame, formula: str) -> None:
    frame = gaps.assign(one=1.0, flag=gaps["age"] > 0)
    groups = {"g": ["x", "age", "hard"]} if "g:g" in formula else None
    chunked = ps.lmer(formula, ps.chunks(arrow(frame), rows=30), groups=groups)
    agree(chunked, ps.lmer(formula, frame, groups=groups))


def test_what_is_left_out_is_told(gaps: pd.DataFrame) -> None:
    with pytest.warns(DroppedRowsWarning) as told:
        ps.lmer(FORMULA, ps.chunks(arrow(gaps), rows=40))
    with pytest.warns(DroppedRowsWarning) as known:
        ps.lmer(FORMULA, gaps)
    assert str(told[0].message) == str(known[0].message)
    assert "4 of" in str(told[0].message) and "(y: 1, x: 2, person: 2)" in str(told[0].message)
    assert told[0].filename == __file__


@pytest.mark.parametrize("rows", [1, 7, 10_000])
def test_large_means_and_scales(table: pd.DataFrame, rows: int) -> None:
    """A column and a response at 1e9 ± 1 lose nothing: shifting both only shifts the intercept."""
    far = table.assign(x=table["x"] + 1e9, y=table["y"] + 1e9, age=table["age"] * 1e12, hard=table["hard"] * 1e-12)
    near = far.assign(x=far["x"] - 1e9, y=far["y"] - 1e9)  # exact: only the mean goes
    formula = "y ~ x + age + hard + (1|person) + (1|item)"
    chunked, whole = ps.lmer(formula, ps.chunks(arrow(far), rows=rows)), ps.lmer(formula, near)
    assert chunked.loglik == pytest.approx(whole.loglik, rel=1e-12)
    np.testing.assert_allclose(chunked.result.beta[1:], whole.result.beta[1:], rtol=1e-9)
    np.testing.assert_allclose(chunked.theta, whole.theta, rtol=1e-7)
    assert chunked.r2().marginal == pytest.approx(whole.r2().marginal, rel=1e-9)
    assert chunked.result.beta[0] == pytest.approx(whole.result.beta[0] + 1e9 * (1 - whole.result.beta[1]), rel=1e-12)


@pytest.mark.parametrize(("apart", "kept"), [(1e-3, True), (1e-5, True), (1e-6, True), (1e-9, False)])
def test_near_collinear_columns(table: pd.DataFrame, apart: float, kept: bool) -> None:
    """The twin is twin + apart·noise: its coefficient is noise's over ``apart``, to the digits that are there."""
    rng = np.random.default_rng(5)
    noise = rng.normal(size=len(table))
    frame = table.assign(noise=noise, twin=table["x"] + apart * noise)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RankDeficientWarning)
        chunked = ps.lmer("y ~ x + twin + (1|person) + (1|item)", ps.chunks(arrow(frame), rows=10))
        whole = ps.lmer("y ~ x + twin + (1|person) + (1|item)", frame)
    assert ("twin" in chunked.terms) == ("twin" in whole.terms) == kept
    if kept:
        plain = ps.lmer("y ~ x + noise + (1|person) + (1|item)", frame)
        # Optima agree to about 1e-8; the table's twin itself has lost eps / apart.
        assert chunked.fixef["twin"] * apart == pytest.approx(plain.fixef["noise"], rel=max(1e-8, 3e-14 / apart))
        assert chunked.loglik + np.log(apart) == pytest.approx(plain.loglik, rel=1e-8)
        assert chunked.loglik == pytest.approx(whole.loglik, rel=1e-9)


@pytest.mark.parametrize("method", ["exact", "iterative"])
def test_both_methods(table: pd.DataFrame, method: Literal["exact", "iterative"]) -> None:
    formula = "y ~ x + (1|person) + (1|item)"
    chunked = ps.lmer(formula, ps.chunks(arrow(table), rows=10), method=method, seed=4)
    whole = ps.lmer(formula, table, method=method, seed=4)
    assert chunked.loglik == pytest.approx(whole.loglik, rel=1e-9)
    assert (chunked.result.monte_carlo is None) == (method == "exact")
    pd.testing.assert_frame_equal(chunked.tidy(), whole.tidy(), rtol=1e-6)


def test_a_fit_on_the_boundary(table: pd.DataFrame) -> None:
    flat = table.assign(y=table.y - table.groupby("item").y.transform("mean"))
    with pytest.warns(SingularFitWarning):
        chunked = ps.lmer("y ~ 1 + (1|person) + (1|item)", ps.chunks(arrow(flat), rows=20))
    assert chunked.theta[1] == 0


@pytest.mark.parametrize(
    "kind", ["text", "large_string", "dictionary", "ordered", "integer", "integer with gaps", "float", "date text"]
)
@pytest.mark.filterwarnings("ignore::pluristats.errors.DroppedRowsWarning")
def test_levels_are_those_of_pandas(table: pd.DataFrame, tmp_path: Path, kind: str) -> None:
    """Labels and order of a grouping column and of a fixed category, by type, as pandas reads the same file."""
    number = table["person"].str[1:].astype(int)
    person: pd.Series | pd.Categorical = {
        "text": table["person"],
        "large_string": table["person"],
        "dictionary": table["person"].astype("category"),
        "ordered": pd.Series(pd.Categorical(table["person"], categories=[f"P{9 - k}" for k in range(10)] + ["none"])),
        "integer": number - 5,
        "integer with gaps": number.astype("Int64").mask(number == 3),
        "float": number / 4,
        "date text": "2024-01-" + number.astype(str).str.zfill(2),
    }[kind]
    frame = table.assign(person=np.asarray(person) if not hasattr(person, "array") else person.array)
    held = arrow(frame)
    if kind == "large_string":
        held = held.set_column(held.column_names.index("person"), "person", held["person"].cast(pa.large_string()))
    pq.write_table(held, tmp_path / "ratings.parquet", row_group_size=17)
    back = pd.read_parquet(tmp_path / "ratings.parquet")
    formula = "y ~ x + (1|person) + (1|person:mood)"
    agree(
        ps.lmer(formula, ps.chunks(tmp_path / "ratings.parquet", rows=13)),
        ps.lmer(formula, back.astype({"person": "Int64"}) if "gaps" in kind else back),
    )
    if kind in ("text", "large_string", "dictionary", "ordered", "date text"):
        agree(
            ps.lmer("y ~ x + person + (1|item)", ps.chunks(tmp_path / "ratings.parquet", rows=13)),
            ps.lmer("y ~ x + person + (1|item)", back),
        )


def test_a_path_a_folder_and_a_data_set(table: pd.DataFrame, tmp_path: Path) -> None:
    whole = ps.lmer("y ~ x + mood + (1|person) + (1|item)", table)
    held = arrow(table)
    pq.write_table(held, tmp_path / "all.parquet", row_group_size=11)
    folder = tmp_path / "parts"
    folder.mkdir()
    for k in range(3):
        pq.write_table(held.slice(40 * k, 40), folder / f"{k}.parquet")
    for data in (tmp_path / "all.parquet", str(folder), held, pa.dataset.dataset(folder)):
        agree(ps.lmer("y ~ x + mood + (1|person) + (1|item)", data), whole)


def test_the_surface_without_rows(table: pd.DataFrame) -> None:
    formula = "y ~ x + age + hard + (1|person) + (1|item)"
    chunked, whole = ps.lmer(formula, ps.chunks(arrow(table), rows=9)), ps.lmer(formula, table)
    pd.testing.assert_frame_equal(chunked.ranef(), whole.ranef(), rtol=1e-7)
    pd.testing.assert_frame_equal(chunked.varcorr(), whole.varcorr(), rtol=1e-7)
    pd.testing.assert_frame_equal(chunked.confint(), whole.confint(), rtol=1e-6)
    pd.testing.assert_series_equal(chunked.icc(), whole.icc(), rtol=1e-7)
    assert chunked.objective([0.3, 0.2]) == pytest.approx(whole.objective([0.3, 0.2]), rel=1e-10)
    assert chunked.summary() == whole.summary()
    new = table.head(5).assign(person=["P1", "P2", "new", "P4", "P5"])
    for options in ({}, {"se": True}, {"interval": "prediction"}, {"random": False, "se": True}):
        mine = chunked.predict(new, new_levels="population", **options)
        theirs = whole.predict(new, new_levels="population", **options)
        np.testing.assert_allclose(np.asarray(mine), np.asarray(theirs), rtol=1e-7)
    assert "chunks" not in repr(chunked) and chunked._repr_html_() == whole._repr_html_()
    assert pickle.loads(pickle.dumps(chunked)).loglik == chunked.loglik


@pytest.mark.parametrize(
    "call",
    [
        lambda fit: fit.augment(),
        lambda fit: fit.fitted,
        lambda fit: fit.predict(),
        lambda fit: fit.diagnostics(),
        lambda fit: fit.simulate(1, seed=0),
        lambda fit: fit.bootstrap(2),
        lambda fit: fit.influence("person"),
        lambda fit: fit.index,
        lambda fit: ps.power(fit, term="x", raters="person", prompts="item", n_raters=[5], n_prompts=[5], n_sim=2),
    ],
    ids=["augment", "fitted", "predict", "diagnostics", "simulate", "bootstrap", "influence", "index", "power"],
)
def test_what_needs_rows_says_so(table: pd.DataFrame, call) -> None:  # type: ignore[no-untyped-def]
    fit = ps.lmer("y ~ x + (1|person) + (1|item)", arrow(table))
    with pytest.raises(UnsupportedError, match=r"were read in chunks and are not held.*fit a DataFrame"):
        call(fit)


def test_comparing_by_criteria(table: pd.DataFrame) -> None:
    """Same rows are known by a fingerprint, which chunks of another size do not change; other rows have another."""
    small = ps.lmer("y ~ 1 + (1|person)", ps.chunks(arrow(table), rows=7), reml=False)
    large = ps.lmer("y ~ x + (1|person)", ps.chunks(arrow(table), rows=100), reml=False)
    other = ps.lmer("y ~ x + (1|person)", arrow(table.assign(y=table["y"].to_numpy()[::-1])), reml=False)
    assert small.data.same_rows(large.data) and not small.data.same_rows(other.data)
    assert not small.data.same_rows(ps.lmer("y ~ 1 + (1|person)", table).data)
    assert set(ps.compare(small, large)["loglik"]) == {small.loglik, large.loglik}
    with pytest.raises(FitError, match="different rows"):
        ps.compare(large, other)


@pytest.mark.parametrize(
    ("formula", "said"),
    [
        ("y ~ center(x) + (1|person)", "'center.x.' in 'center.x.' may depend on other rows"),
        ("y ~ x - 1 + bs(x, df=4) + (1|person)", "bs"),
        ("y ~ I(x - x.mean()) + (1|person)", "'x.mean..'"),
        ("y ~ np.cumsum(x) + (1|person)", "cumsum"),
        ("scale(y) ~ x + (1|person)", "scale"),
        ("y ~ x[0] + (1|person)", "x.0."),
        ("y ~ x.astype(str) + (1|person)", "astype"),
        ("y ~ np.where(x > 0, 'a', 'b') + (1|person)", "where"),
        ("y ~ I(mood) + (1|person)", "makes categories"),
        ("y ~ x + (1 + x|person)", "not fitted in chunks"),
        ("y ~ x + offset(age) + (1|person)", "offset"),
        ("y ~ x", "no random term"),
        ("y ~ z + (1|person)", "'z', which is not in the data"),
        ("y ~ x + (1|nobody)", "'nobody'"),
        ("mood ~ x + (1|person)", "not numeric"),
    ],
)
def test_refused_formulas(table: pd.DataFrame, formula: str, said: str) -> None:
    with pytest.raises(FormulaError, match=said):
        ps.lmer(formula, arrow(table))


@pytest.mark.filterwarnings("ignore::pluristats.errors.DroppedRowsWarning")
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: f.assign(y=1.0), "response is constant"),
        (lambda f: f.assign(person="P"), "only one level"),
        (lambda f: f.assign(person=range(len(f))), "as many levels as there are rows"),
        (lambda f: f.assign(x=np.nan), r"No rows are left to fit: x \(missing in 120 rows\)"),
        (lambda f: f.head(0), "the table is empty"),
        (lambda f: f.assign(x=np.where(np.arange(len(f)) == 77, np.inf, 1.0)), "infinite value in row 77"),
        (lambda f: f.assign(y=2 * f["x"] + 3), "reproduce the response exactly"),
        (lambda f: f.assign(item=f["person"]), "cannot be told apart"),
    ],
    ids=["constant", "one level", "rows", "nothing", "empty", "infinite", "reproduced", "same groups"],
)
def test_refused_data(table: pd.DataFrame, change, said: str) -> None:  # type: ignore[no-untyped-def]
    frame = change(table)
    with pytest.raises(FitError, match=said):
        ps.lmer("y ~ x + (1|person) + (1|item)", ps.chunks(arrow(frame), rows=50))
    with pytest.raises(FitError):
        ps.lmer("y ~ x + (1|person) + (1|item)", frame)


def test_other_engines_want_a_table(table: pd.DataFrame) -> None:
    with pytest.raises(UnsupportedError, match="engine='lme4' needs all rows in memory"):
        ps.lmer("y ~ x + (1|person)", arrow(table), engine="lme4")


def test_weights_want_a_table(table: pd.DataFrame) -> None:
    for given in ({"weights": "age"}, {"offset": "age"}):
        with pytest.raises(UnsupportedError, match="weights= and offset= need all rows in memory"):
            ps.lmer("y ~ x + (1|person)", arrow(table), **given)


def test_a_column_may_be_called_anything(table: pd.DataFrame) -> None:
    """A DataFrame stays one, whatever its columns make its attributes look like."""
    odd = table.assign(reduce=1.0, columns=2.0)
    agree(ps.lmer("y ~ x + (1|person)", arrow(odd)), ps.lmer("y ~ x + (1|person)", odd))


def test_data_that_change_between_the_passes(table: pd.DataFrame) -> None:
    class Growing(Source):
        """A source with more rows at every pass."""

        columns = tuple(table.columns)
        passes = 0

        def reduce(self, work, columns):  # type: ignore[no-untyped-def]
            self.passes += 1
            return work(table.head(50 + self.passes)[list(columns)])

    with pytest.raises(FitError, match="changed while they were read"):
        ps.lmer("y ~ x + (1|item)", Growing())
