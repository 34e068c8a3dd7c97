"""Bootstrap replicates against fresh fits of the same responses and rows, and against closed forms."""

from __future__ import annotations

import io
import shutil
import subprocess
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import pluristats as ps
from pluristats.engine import native
from pluristats.errors import ConvergenceWarning, RankDeficientWarning, SingularFitWarning, UnsupportedError
from pluristats.models import LmerFit
from pluristats.progress import counted

FORMULA = "y ~ x + age + hard + (1|person) + (1|item)"


def estimates(fit: LmerFit) -> np.ndarray:
    return np.r_[fit.fixef, fit.theta * fit.sigma, fit.sigma]


def quiet(formula: str, table: pd.DataFrame, *, reml: bool) -> LmerFit:
    """A fit whose remarks do not matter here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularFitWarning)
        warnings.simplefilter("ignore", RankDeficientWarning)
        return ps.lmer(formula, table, reml=reml)


def rng_of(seed: int, i: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed).spawn(i + 1)[i])


def test_parametric_replicates_are_fits_of_simulated_responses(fit: LmerFit, table: pd.DataFrame) -> None:
    found = fit.bootstrap(30, seed=8)
    for y, row, status in zip(fit.simulate(30, seed=8), found.estimates, found.status, strict=True):
        fresh = quiet(FORMULA, table.assign(y=y), reml=fit.reml)
        np.testing.assert_allclose(row, estimates(fresh), atol=1e-4)
        assert status == fresh.optimizer.status
    assert (found.n, found.n_failed, found.kind, found.seed) == (30, 0, "parametric", 8)
    np.testing.assert_array_equal(fit.bootstrap(10, seed=8).estimates, found.estimates[:10])


def copies(table: pd.DataFrame, column: str, draws: np.ndarray) -> pd.DataFrame:
    """Each draw of a level with all its rows, under a name of its own; written without the library's counting."""
    levels = pd.unique(table[column])
    parts = [table[table[column] == levels[d]].assign(**{column: f"{levels[d]} {i}"}) for i, d in enumerate(draws)]
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize("kind", ["person", "item", ["item", "person"], "both", "rows", "column"])
def test_cluster_replicates_are_fits_of_the_rows_drawn(fit: LmerFit, table: pd.DataFrame, kind: str) -> None:
    column = pd.Series(table.index % 7, index=table.index, name="slot")
    found = fit.bootstrap(6, kind=column if kind == "column" else kind, seed=2)
    n = len(table)
    for i, row in enumerate(found.estimates):
        rng = rng_of(2, i)
        drawn = table.reset_index(drop=True)
        if kind == "rows":
            drawn = table.iloc[rng.integers(0, n, n)]
        elif kind == "column":
            drawn = copies(table.assign(slot=column), "slot", rng.integers(0, 7, 7))
        else:
            names = [kind] if kind in ("person", "item") else ["person", "item"] if kind == "both" else kind
            for name in names:
                q = table[name].nunique()
                drawn = copies(drawn, name, rng.integers(0, q, q))
        fresh = quiet(FORMULA, drawn, reml=fit.reml)
        np.testing.assert_allclose(row, estimates(fresh), atol=2e-4)
    words = {"column": "slot", "both": "person + item"}.get(kind, kind) if isinstance(kind, str) else "item + person"
    assert found.kind == words


def test_levels_within_a_resampled_cluster_become_new_too(mixed: LmerFit, table: pd.DataFrame) -> None:
    """person:item lies within person: of a person drawn twice the cells are other cells."""
    found = mixed.bootstrap(5, kind="person", seed=4)
    for i, row in enumerate(found.estimates):
        drawn = copies(table, "person", rng_of(4, i).integers(0, 10, 10))
        fresh = quiet("y ~ mood*x + log(hard + 9) + (1|person) + (1|person:item)", drawn, reml=True)
        np.testing.assert_allclose(row, estimates(fresh), atol=2e-4)


def test_levels_within_two_resampled_clusters(mixed: LmerFit, table: pd.DataFrame) -> None:
    """A person's cells drawn again, and again with the person: each draw is a cell of its own."""
    cell = pd.Series([f"{p}:{i}" for p, i in zip(table.person, table.item, strict=True)], table.index, name="cell")
    found = mixed.bootstrap(4, kind=["person", cell], seed=4)
    assert found.kind == "person + cell"
    for i, row in enumerate(found.estimates):
        rng = rng_of(4, i)
        drawn = copies(table.assign(cell=cell), "person", rng.integers(0, 10, 10))
        order = pd.DataFrame({"cell": pd.unique(cell)}).reset_index()
        draws = rng.integers(0, 80, 80)
        drawn = pd.concat(
            [drawn[drawn.cell == order.cell[d]].assign(cell=f"{order.cell[d]} {k}") for k, d in enumerate(draws)],
            ignore_index=True,
        )
        fresh = quiet("y ~ mood*x + log(hard + 9) + (1|person) + (1|person:cell)", drawn, reml=True)
        np.testing.assert_allclose(row, estimates(fresh), atol=2e-4)


def test_the_numbers_do_not_depend_on_the_processes(fit: LmerFit) -> None:
    for kind in ("parametric", "both"):
        one, two = (fit.bootstrap(60, kind=kind, seed=1, n_jobs=j) for j in (1, 2))
        np.testing.assert_array_equal(one.estimates, two.estimates)
        assert one.status == two.status
    assert not np.array_equal(one.estimates, fit.bootstrap(60, kind="both", seed=2).estimates)


@pytest.fixture(scope="module")
def balanced() -> LmerFit:
    """12 people rate 6 items once."""
    rng = np.random.default_rng(5)
    frame = pd.DataFrame([(p, i) for p in range(12) for i in range(6)], columns=["person", "item"])
    frame["y"] = rng.normal(size=12)[frame.person] + 1.5 * rng.normal(size=6)[frame.item] + rng.normal(size=72)
    return ps.lmer("y ~ 1 + (1|person) + (1|item)", frame)


@pytest.mark.slow
def test_closed_forms_of_the_balanced_design(balanced: LmerFit) -> None:
    """Var of the mean; residual mean square σ²χ²/df; each within 5 Monte Carlo errors."""
    n = 3000
    found = balanced.bootstrap(n, seed=6)
    table = found.tidy()
    sd_person, sd_item = balanced.theta * balanced.sigma
    se = np.sqrt(sd_person**2 / 12 + sd_item**2 / 6 + balanced.sigma**2 / 72)
    assert table["std_error"][0] == pytest.approx(se, rel=5 / np.sqrt(2 * n))
    assert table["bias"][0] == pytest.approx(0, abs=5 * se / np.sqrt(n))
    inside = np.array([s == "converged" for s in found.status])
    ratio = found.estimates[inside, -1] ** 2 * 55 / balanced.sigma**2
    assert stats.kstest(ratio, stats.chi2(55).cdf).pvalue > 1e-4


@pytest.mark.slow
def test_share_on_the_boundary(balanced: LmerFit) -> None:
    """One-way balanced ANOVA: REML is at zero exactly if F <= 1, which has a closed probability."""
    frame = balanced.augment()
    one_way = ps.lmer("y ~ 1 + (1|person)", frame)
    small = replace(one_way, result=_with_theta(one_way, 0.2))
    n = 2000
    found = small.bootstrap(n, seed=9)
    at_zero = stats.f(11, 60).cdf(1 / (1 + 6 * 0.2**2))
    assert found.n_boundary / n == pytest.approx(at_zero, abs=5 * np.sqrt(at_zero * (1 - at_zero) / n))
    assert (found.estimates[:, 1] == 0).sum() == found.n_boundary


def _with_theta(fit: LmerFit, theta: float) -> object:
    random = replace(fit.result.random[0], covariance=np.array([[(theta * fit.sigma) ** 2]]))
    return replace(fit.result, theta=np.array([theta]), random=(random,))


@pytest.mark.slow
def test_resampled_people_of_a_balanced_design(balanced: LmerFit) -> None:
    """The estimate is the mean of the drawn people's means; its bootstrap variance Σ(m_i - m)²/I² is known."""
    means = balanced.augment().groupby("person").y.mean().to_numpy()
    found = balanced.bootstrap(2000, kind="person", seed=3)
    drawn = [means[rng_of(3, i).integers(0, 12, 12)].mean() for i in range(50)]
    np.testing.assert_allclose(found.estimates[:50, 0], drawn, atol=1e-9)
    assert found.tidy()["std_error"][0] == pytest.approx(means.std() / np.sqrt(12), rel=5 / np.sqrt(4000))


def test_tidy_and_replicates(fit: LmerFit) -> None:
    found = fit.bootstrap(200, seed=1)
    table = found.tidy(conf_level=0.8)
    ran = fit.tidy("ran_pars")
    assert table.term.tolist() == [*fit.terms, *ran.term]
    assert table.group.tolist()[4:] == ran.group.tolist() and table.group[:4].isna().all()
    assert table.effect.tolist() == ["fixed"] * 4 + ["ran_pars"] * 3
    np.testing.assert_array_equal(table.estimate, np.r_[fit.fixef, ran.estimate])
    values = found.estimates
    low, high = np.percentile(values, [10, 90], axis=0)
    np.testing.assert_allclose(table.std_error, np.sqrt(((values - values.mean(0)) ** 2).sum(0) / 199))
    np.testing.assert_allclose(table.bias, values.mean(0) - table.estimate)
    np.testing.assert_allclose(table[["percentile_low", "percentile_high"]].to_numpy().T, [low, high])
    basic = np.array([2 * table.estimate - high, 2 * table.estimate - low])
    np.testing.assert_allclose(table[["basic_low", "basic_high"]].to_numpy().T, basic)
    assert (table.n == 200).all()
    long = found.replicates
    assert list(long) == ["replicate", "effect", "group", "term", "estimate", "status"] and len(long) == 1400
    wide = long[long.effect == "fixed"].pivot(index="replicate", columns="term", values="estimate")
    np.testing.assert_array_equal(wide[list(fit.terms)], values[:, :4])
    with pytest.raises(ValueError, match="conf_level"):
        found.tidy(conf_level=95)
    with pytest.raises(ValueError, match="read-only"):
        values[0] = 0


def test_columns_that_a_resample_does_not_determine(table: pd.DataFrame) -> None:
    """A column of one person's is lost with the person; the share of such replicates is known."""
    only = table.assign(only=(table.person == "P3") * table.x)
    fit = ps.lmer("y ~ x + only + (1|person) + (1|item)", only)
    with pytest.warns(RankDeficientWarning, match=r"do not determine every column \(only\)"):
        found = fit.bootstrap(200, kind="person", seed=7)
    lost = [3 not in rng_of(7, i).integers(0, 10, 10) for i in range(200)]
    np.testing.assert_array_equal(np.isnan(found.estimates[:, 2]), lost)
    assert found.n_failed == 0
    row = found.tidy().set_index("term").loc["only"]
    assert row.n == 200 - sum(lost) and row.std_error == pytest.approx(np.nanstd(found.estimates[:, 2], ddof=1))


def test_replicates_without_a_fit_are_counted() -> None:
    """Where all clusters drawn have one level of g only, there is no variance between levels."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"g": np.repeat([0, 0, 0, 0, 1, 0, 1], 6), "c": np.repeat(np.r_[:6, 5], 6)})
    frame["y"] = rng.normal(size=42) + 3 * frame.g
    fit = ps.lmer("y ~ 1 + (1|g)", frame)
    with pytest.warns(ConvergenceWarning, match="have no estimates and are left out"):
        found = fit.bootstrap(300, kind=frame.c, seed=1)
    # Cluster 4 has level 1 only and lies in it; cluster 5 has both: a replicate needs two levels of g.
    both = []
    for i in range(300):
        drawn = set(rng_of(1, i).integers(0, 6, 6))
        both.append(5 in drawn or (4 in drawn and drawn - {4} != set()))
    assert [s != "refused" for s in found.status] == both
    assert found.n_failed == 300 - sum(both) == found.refusals[0][1] and "one level" in found.refusals[0][0]
    np.testing.assert_array_equal(np.isnan(found.estimates).all(axis=1), ~np.array(both))
    assert (found.tidy().n == sum(both)).all()


def test_progress_reads_in_a_log(fit: LmerFit, capsys: pytest.CaptureFixture[str]) -> None:
    fit.bootstrap(30, seed=1, progress=True)
    out, err = capsys.readouterr()
    assert out == "" and "bootstrap (parametric): 30/30, " in err and err.count("\n") == 1
    fit.bootstrap(5, seed=1)
    assert capsys.readouterr().err == ""


def test_progress_on_a_terminal() -> None:
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Screen()
    with counted("refits", 8, show=True, screen=screen) as advance:
        advance(3)
        advance(5)
    assert "refits" in screen.getvalue() and "8/8" in screen.getvalue()


def test_refusals(fit: LmerFit, mixed: LmerFit, balanced: LmerFit, table: pd.DataFrame) -> None:
    for kwargs, message in (
        ({"n": 1}, "at least 2, not 1"),
        ({"n_jobs": 0}, "or -1 for every core"),
        ({"kind": "annotator"}, r"'annotator' is no grouping factor of this fit, which has 'person', 'item'"),
        ({"kind": []}, "names no grouping factor"),
        ({"kind": table.person.iloc[:5]}, "does not have one value for each row"),
        ({"kind": table.person.where(table.index != 103)}, "missing in 1 of the fit's rows, the first with index 103"),
    ):
        with pytest.raises(ValueError, match=message):
            fit.bootstrap(**{"n": 2, **kwargs})
    one_way = ps.lmer("y ~ 1 + (1|person)", balanced.augment())
    with pytest.raises(ValueError, match="'both' needs a fit with two grouping factors, this one has person"):
        one_way.bootstrap(2, kind="both")
    slopes = replace(fit.result.random[0], terms=("(Intercept)", "x"))
    with pytest.raises(UnsupportedError, match="bootstrap of resampled rows refits random intercepts only"):
        replace(fit, result=replace(fit.result, random=(slopes,))).bootstrap(2, kind="person")


def test_a_fit_of_rows_with_gaps_takes_columns_of_the_data(table: pd.DataFrame) -> None:
    gaps = table.assign(y=table.y.where(table.index % 11 != 0))
    with pytest.warns(ps.errors.DroppedRowsWarning):
        fit = ps.lmer(FORMULA, gaps)
    by_name, by_column = (fit.bootstrap(4, kind=kind, seed=1) for kind in ("person", gaps.person))
    np.testing.assert_array_equal(by_name.estimates, by_column.estimates)


BOOT_MER = """
suppressMessages(library(lme4))
table <- read.csv(commandArgs(TRUE)[1], stringsAsFactors = TRUE)
fit <- lmer(y ~ x + age + hard + (1 | person) + (1 | item), table, REML = TRUE)
everything <- function(m) c(fixef(m), as.data.frame(VarCorr(m))$sdcor)
boot <- suppressMessages(bootMer(fit, everything, nsim = 400, seed = 1, use.u = FALSE))
write.table(boot$t, commandArgs(TRUE)[2], sep = ",", row.names = FALSE, col.names = FALSE)
"""


@pytest.mark.r
@pytest.mark.slow
def test_the_distribution_is_that_of_bootmer(table: pd.DataFrame, tmp_path: Path) -> None:
    """400 replicates of lme4's bootMer and 2,000 of ours: Kolmogorov-Smirnov of each parameter."""
    if shutil.which("Rscript") is None:
        pytest.skip("Rscript is not on the path")
    table.to_csv(tmp_path / "table.csv", index=False)
    (tmp_path / "boot.R").write_text(BOOT_MER)
    files = [str(tmp_path / name) for name in ("boot.R", "table.csv", "boot.csv")]
    done = subprocess.run(["Rscript", "--vanilla", *files], capture_output=True, text=True, timeout=300, check=False)
    if "there is no package called" in done.stderr:
        pytest.skip("R has no lme4")
    assert done.returncode == 0, done.stderr
    theirs = np.loadtxt(tmp_path / "boot.csv", delimiter=",")
    ours = ps.lmer(FORMULA, table).bootstrap(2000, seed=1).estimates
    assert theirs.shape == (400, 7) and ours.shape == (2000, 7)
    assert all(stats.ks_2samp(a, b).pvalue > 1e-3 for a, b in zip(theirs.T, ours.T, strict=True))


@pytest.mark.slow
def test_coverage_of_the_intervals() -> None:
    """Of 120 studies' 90 % intervals for a mean, cluster and parametric, about nine in ten hold the truth."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame([(p, i) for p in range(30) for i in range(5)], columns=["person", "item"])
    hits = dict.fromkeys(["parametric", "person"], 0)
    for _ in range(120):
        frame["y"] = rng.normal(size=30)[frame.person] + rng.normal(size=150)
        fit = ps.lmer("y ~ 1 + (1|person)", frame)
        for kind in hits:
            row = fit.bootstrap(100, kind=kind, seed=int(rng.integers(10**6))).tidy(conf_level=0.9).iloc[0]
            hits[kind] += row.percentile_low <= 0 <= row.percentile_high
    # 120 · 0.9 = 108 with a standard error of 3.3; percentile intervals of 30 clusters are known to be a little short.
    assert all(95 <= n <= 118 for n in hits.values()), hits


@pytest.mark.release
def test_the_release(release_path: Path) -> None:
    """Three replicates of the all-features model are fresh fits."""
    study = ps.load_study(str(release_path))
    with pytest.warns(RankDeficientWarning):
        fit = ps.lmer("rating ~ actions + effects + values + (1|annotator) + (1|prompt)", study, reml=False)
    found = fit.bootstrap(3, seed=1)
    for y, row in zip(fit.simulate(3, seed=1), found.estimates, strict=True):
        fresh = native.fit(replace(fit.problem, y=y), reml=False)
        se = np.sqrt(np.diag(fresh.vcov))
        np.testing.assert_allclose((row[: len(se)] - fresh.beta) / se, 0, atol=1e-4)
        np.testing.assert_allclose(row[len(se) :], np.r_[fresh.theta * fresh.sigma, fresh.sigma], rtol=1e-4)
