"""``ordered_beta``: stored and live glmmTMB, scipy without random effects, known truth, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, special, stats

import pluristats as ps
from pluristats.analysis.sensitivity import in_r
from pluristats.errors import (
    ConvergenceWarning,
    DroppedRowsWarning,
    FitError,
    FormulaError,
    RankDeficientWarning,
    SingularFitWarning,
    UnsupportedError,
)
from pluristats.study import Study, load_study
from tests.analysis.sensitivity.conftest import rows_from
from tests.reference.cases import small_frame, stored

STORED = stored("ordered_beta")
CROSSED = "rating ~ x + w + (1|person) + (1|item)"
SCALE = (0, 100)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return small_frame("ordered_beta")


@pytest.fixture(scope="module")
def fit(table: pd.DataFrame) -> ps.OrderedBetaFit:
    return ps.ordered_beta(CROSSED, table, scale=SCALE)


def drawn(seed: int, people: int, items: int, sd: tuple[float, float] = (0.7, 0.5)) -> pd.DataFrame:
    """Ratings of every item by every person: effects 0.3 + 0.8 x - 0.5 w, cutpoints -1 and 1.5, precision 4."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame([(i, j) for i in range(people) for j in range(items)], columns=["person", "item"])
    frame["x"], frame["w"] = rng.normal(size=items)[frame["item"]], rng.normal(size=people)[frame["person"]]
    eta = 0.3 + 0.8 * frame["x"] - 0.5 * frame["w"]
    eta = eta + sd[0] * rng.normal(size=people)[frame["person"]] + sd[1] * rng.normal(size=items)[frame["item"]]
    mu, u = special.expit(eta), rng.random(len(frame))
    y = np.clip(rng.beta(4 * mu, 4 * (1 - mu)), 1e-6, 1 - 1e-6)
    y = np.where(u < special.expit(-1 - eta), 0.0, np.where(u > special.expit(1.5 - eta), 1.0, y))
    return frame.assign(rating=100 * y)


# ---- glmmTMB ----


def agrees(found: ps.OrderedBetaFit, case: dict[str, Any]) -> None:
    glance = found.glance().iloc[0]
    assert found.optimizer.status == "converged" and found.optimizer.gradient_norm < 1e-5
    assert glance[["nobs", "df"]].tolist() == [case["nobs"], case["df"]]
    assert found.fixef.to_dict() == pytest.approx(case["estimate"], rel=1e-4)
    assert found.tidy()["std_error"].tolist() == pytest.approx(list(case["se"].values()), rel=1e-4)
    assert found.cutpoints == pytest.approx(case["cutpoints"], rel=1e-4)
    assert found.phi == pytest.approx(case["phi"], rel=1e-4)
    assert glance[["loglik", "aic", "bic"]].tolist() == pytest.approx(
        [case["loglik"], case["AIC"], case["BIC"]], rel=1e-7
    )
    varcorr, ranef = found.varcorr().set_index("grp"), found.ranef()
    for group in case["groups"]:
        assert varcorr.loc[group, "sdcor"] == pytest.approx(case["sd"][group], rel=1e-4)
        modes = ranef.loc[ranef["group"] == group, "estimate"].head(4).tolist()
        assert modes == pytest.approx(case["modes"][group], rel=1e-4, abs=5e-5)


@pytest.mark.parametrize("name", ["none", "person", "crossed"])
def test_stored_glmmtmb(name: str, table: pd.DataFrame) -> None:
    case = STORED[name]
    formula = " + ".join(["rating ~ x", "w", *(f"(1|{group})" for group in case["groups"])])
    agrees(ps.ordered_beta(formula, table, scale=SCALE), case)


@pytest.mark.release
def test_stored_glmmtmb_of_the_release(release_path: Path) -> None:
    case = STORED["release"]
    people = pd.read_csv(release_path / "annotations.csv").head(40)
    prompts = pd.read_csv(release_path / "prompts.csv")
    ratings = people[[f"Rating_{q}" for q in prompts["Question_Index"]]].to_numpy(float)
    i, j = np.nonzero(~np.isnan(ratings))
    frame = prompts[case["fixed"]].iloc[j].reset_index(drop=True)
    frame["rating"], frame["person"] = ratings[i, j], people["Participant_ID"].to_numpy()[i]
    frame["item"] = prompts["Question_Index"].to_numpy()[j]
    agrees(ps.ordered_beta(f"rating ~ {' + '.join(case['fixed'])} + (1|person) + (1|item)", frame, scale=SCALE), case)


@pytest.mark.r
def test_live_glmmtmb() -> None:
    try:
        in_r.require("ordered-beta")
    except UnsupportedError as reason:
        pytest.skip(str(reason))
    frame = drawn(11, 12, 18)
    by_r = in_r.mixed(rows_from(frame, "person", "item", terms=("x", "w")), "ordered-beta", None, 300)
    found = ps.ordered_beta(CROSSED, frame, scale=SCALE).tidy().set_index("term").loc[["x", "w"]]
    np.testing.assert_allclose(found["estimate"], by_r.estimate, rtol=1e-4)
    np.testing.assert_allclose(found["std_error"], by_r.std_error, rtol=1e-3)


# ---- other sources ----


def test_without_random_effects_it_is_the_plain_maximum(table: pd.DataFrame) -> None:
    """Nelder-Mead and BFGS (scipy) on Kubinec's density, with both cutpoints free."""
    y, x = table["rating"].to_numpy() / 100, np.column_stack([np.ones(len(table)), table[["x", "w"]]])

    def minus(theta: np.ndarray) -> float:
        eta, (low, high, log_phi) = x @ theta[:3], theta[3:]
        if high <= low:
            return np.inf
        mu, phi, inside = special.expit(eta), np.exp(log_phi), (y > 0) & (y < 1)
        between = np.log(special.expit(eta - low) - special.expit(eta - high))
        out = np.where(y == 0, np.log(1 - special.expit(eta - low)), np.log(special.expit(eta - high)))
        out[inside] = (between + stats.beta.logpdf(np.where(inside, y, 0.5), mu * phi, (1 - mu) * phi))[inside]
        return -out.sum()

    rough = optimize.minimize(minus, [0, 0, 0, -1, 1, 1], method="Nelder-Mead", options={"maxiter": 4000}).x
    best = optimize.minimize(minus, rough, method="BFGS", options={"gtol": 1e-4})
    found = ps.ordered_beta("rating ~ x + w", table, scale=SCALE)
    assert found.loglik == pytest.approx(-best.fun, abs=1e-6)
    np.testing.assert_allclose(found.fixef, best.x[:3], atol=1e-4)
    np.testing.assert_allclose([*found.cutpoints, np.log(found.phi)], best.x[3:], atol=1e-4)
    assert found.ranef().empty and found.varcorr().empty


@pytest.mark.slow
def test_known_truth_is_found() -> None:
    """Over eight draws estimates are within 4 of their standard errors, and off by as much as these say on average."""
    z = []
    for seed in range(8):
        found = ps.ordered_beta(CROSSED, drawn(seed, 40, 30), scale=SCALE)
        tidy, shape = found.tidy(), found.tidy("shape")
        truth = np.array([0.3, 0.8, -0.5, -1.0, 1.5, 4.0])
        estimate = np.r_[tidy["estimate"], shape["estimate"]]
        z.append((estimate - truth) / np.r_[tidy["std_error"], shape["std_error"]])
        assert found.varcorr().set_index("grp")["sdcor"].to_dict() == pytest.approx(
            {"person": 0.7, "item": 0.5}, rel=0.45
        )
    assert np.abs(z).max() < 4
    assert 0.6 < np.sqrt(np.mean(np.square(z))) < 1.4


# ---- the surface ----


def test_predictions(fit: ps.OrderedBetaFit, table: pd.DataFrame) -> None:
    new = table.iloc[[3, 77, 400]]
    eta = fit.predict(new, "link")
    ranef = fit.ranef().set_index(["group", "level"])["estimate"]
    by_hand = fit.fixef["(Intercept)"] + fit.fixef["x"] * new["x"] + fit.fixef["w"] * new["w"]
    by_hand += [ranef["person", p] + ranef["item", i] for p, i in zip(new["person"], new["item"], strict=True)]
    np.testing.assert_allclose(eta, by_hand)
    np.testing.assert_allclose(fit.predict(type="link")[[3, 77, 400]], eta)
    low, high = fit.cutpoints
    p_low, p_high = special.expit(low - eta), special.expit(eta - high)
    np.testing.assert_allclose(fit.predict(new, "p_low"), p_low)
    np.testing.assert_allclose(fit.predict(new, "p_high"), p_high)
    np.testing.assert_allclose(fit.predict(new), 100 * (p_high + (1 - p_low - p_high) * special.expit(eta)))
    quantiles = fit.predict(new, "quantiles", levels=(0.02, 0.5, 0.98))
    assert quantiles.index.equals(new.index) and quantiles.columns.tolist() == [0.02, 0.5, 0.98]
    np.testing.assert_allclose(quantiles[0.5], fit.predict(new, "median"))
    mu = special.expit(eta)
    inside = stats.beta.ppf((0.5 - p_low) / (1 - p_low - p_high), mu * fit.phi, (1 - mu) * fit.phi)
    np.testing.assert_allclose(quantiles[0.5], 100 * np.where(p_low >= 0.5, 0, inside))
    assert ((quantiles[0.02] == 0) == (p_low >= 0.02)).all() and ((quantiles[0.98] == 100) == (p_high > 0.02)).all()


def test_predictions_are_as_good_as_they_say(fit: ps.OrderedBetaFit, table: pd.DataFrame) -> None:
    at_low, at_high = (table["rating"] == 0).mean(), (table["rating"] == 100).mean()
    assert fit.predict(type="p_low").mean() == pytest.approx(at_low, abs=0.02)
    assert fit.predict(type="p_high").mean() == pytest.approx(at_high, abs=0.02)
    assert fit.predict().mean() == pytest.approx(table["rating"].mean(), abs=1.5)
    q = fit.predict(type="quantiles", levels=(0.1, 0.9))
    # A quantile is often at an end, where many ratings are: as many are below as can be, and as many not above.
    for level in (0.1, 0.9):
        assert (table["rating"] < q[level]).mean() <= level + 0.02
        assert (table["rating"] <= q[level]).mean() >= level - 0.02
    # The median beats the mean in absolute error.
    error = [np.abs(table["rating"] - fit.predict(type=kind)).mean() for kind in ("median", "mean")]
    assert error[0] < error[1]


def test_new_levels(fit: ps.OrderedBetaFit, table: pd.DataFrame) -> None:
    new = table.iloc[:2].assign(person=[1, 999])
    with pytest.raises(FitError, match="'999' of 'person', which the fit has not seen"):
        fit.predict(new)
    assert np.isnan(fit.predict(new, new_levels="nan")).tolist() == [False, True]
    population = fit.predict(new, "link", new_levels="population")
    ranef = fit.ranef().set_index(["group", "level"])["estimate"]
    assert population[1] == pytest.approx(
        fit.predict(new, "link", random=False)[1] + ranef["item", new["item"].iloc[1]]
    )
    with pytest.warns(DroppedRowsWarning, match="1 of 2 rows miss a fixed value"):
        assert np.isnan(fit.predict(new.assign(x=[1.0, np.nan]), new_levels="population")).tolist() == [False, True]


def test_tables(fit: ps.OrderedBetaFit) -> None:
    tidy = fit.tidy(adjust="holm")
    assert tidy["term"].tolist() == ["(Intercept)", "x", "w"] == list(fit.terms)
    np.testing.assert_allclose(tidy["p_value"], 2 * stats.norm.sf(np.abs(tidy["estimate"] / tidy["std_error"])))
    np.testing.assert_allclose(np.sqrt(np.diag(fit.vcov)), tidy["std_error"])
    assert fit.varcorr()[["grp", "var1"]].to_numpy().tolist() == [["item", "(Intercept)"], ["person", "(Intercept)"]]
    assert fit.tidy("ran_pars")["estimate"].tolist() == fit.varcorr()["sdcor"].tolist()
    assert fit.ranef().groupby("group").size().to_dict() == {"item": 25, "person": 20}
    assert fit.tidy("shape")["term"].tolist() == ["cut_low", "cut_high", "phi"]
    assert "sd item" in repr(fit) and "SIMULATED" not in repr(fit)
    with pytest.raises(ValueError, match="read-only"):
        fit.result.beta[0] = 1
    for wrong in ({"effects": "random"}, {"effects": "ran_pars", "adjust": "holm"}, {"conf_level": 2}):
        with pytest.raises(ValueError):
            fit.tidy(**wrong)
    with pytest.raises(ValueError, match="not 'density'"):
        fit.predict(type="density")
    with pytest.raises(ValueError, match="levels are between"):
        fit.predict(type="quantiles", levels=[0, 0.5])


def test_a_study_says_its_scale_and_that_it_is_simulated() -> None:
    study = ps.simulate_study(n_annotators=15, n_prompts=20, seed=4)
    found = ps.ordered_beta("rating_raw ~ harm_level + (1|annotator) + (1|prompt)", study)
    assert found.scale == study.scale and found.simulated and "SIMULATED" in repr(found)
    with pytest.raises(FitError, match="outside the scale 0 to 100; take ratings as given"):
        ps.ordered_beta("rating ~ harm_level + (1|annotator)", study)


def test_units_and_order_of_rows_do_not_matter(fit: ps.OrderedBetaFit, table: pd.DataFrame) -> None:
    other = table.sample(frac=1, random_state=3).assign(
        rating=lambda t: t["rating"] / 25 + 1, x=lambda t: 10 + 1000 * t["x"]
    )
    found = ps.ordered_beta(CROSSED, other, scale=(1, 5))
    assert found.loglik == pytest.approx(fit.loglik, abs=1e-7)
    assert found.fixef["x"] * 1000 == pytest.approx(fit.fixef["x"], rel=1e-6)
    assert found.tidy()["std_error"][2] == pytest.approx(fit.tidy()["std_error"][2], rel=1e-5)


# ---- what is said ----


def test_a_variance_of_zero_is_on_the_boundary(table: pd.DataFrame) -> None:
    """A grouping that has nothing to do with the ratings, drawn by lot: the fit is that without it."""
    plain = ps.ordered_beta("rating ~ x + w + (1|person)", table, scale=SCALE)
    shuffled = table.assign(lot=np.random.default_rng(0).permutation(500) % 25)
    with pytest.warns(SingularFitWarning, match="the intercepts of lot have variance zero"):
        found = ps.ordered_beta("rating ~ x + w + (1|person) + (1|lot)", shuffled, scale=SCALE)
    assert found.singular and found.glance()["status"][0] == "boundary"
    assert found.loglik == pytest.approx(plain.loglik, abs=1e-6)
    np.testing.assert_allclose(found.tidy()["std_error"], plain.tidy()["std_error"], rtol=1e-4)


def test_no_maximum_is_said(table: pd.DataFrame) -> None:
    """A column that is 1 exactly where the rating is 0: its coefficient has no bound."""
    with pytest.warns(ConvergenceWarning, match="did not converge"):
        found = ps.ordered_beta("rating ~ end", table.assign(end=1.0 * (table["rating"] == 0)), scale=SCALE)
    assert found.optimizer.status == "failed"


def test_a_precision_without_bound_is_said(table: pd.DataFrame) -> None:
    """All ratings between the ends are alike, so that the beta density may be as narrow as one likes."""
    alike = table.assign(rating=np.where(table["rating"].isin([0, 100]), table["rating"], 50))
    with pytest.warns(ConvergenceWarning, match="the precision has no bound"):
        found = ps.ordered_beta("rating ~ 1", alike, scale=SCALE)
    assert found.optimizer.status == "failed"


def test_dropped_rows_and_columns_are_said(table: pd.DataFrame) -> None:
    double = table.assign(double=2 * table["x"])
    double.loc[3, "w"] = np.nan
    with pytest.warns(DroppedRowsWarning, match="1 of 500 rows"), pytest.warns(RankDeficientWarning, match="double"):
        found = ps.ordered_beta("rating ~ x + double + w + (1|person)", double, scale=SCALE)
    assert found.nobs == 499 and found.dropped_columns == ("double",)


@pytest.mark.parametrize(
    ("formula", "settings", "error", "words"),
    [
        ("rating ~ x + (1 + x|person)", {}, UnsupportedError, "more than a random intercept"),
        ("rating ~ x + (x||person)", {}, UnsupportedError, "more than a random intercept"),
        ("rating ~ x + offset(w) + (1|person)", {}, UnsupportedError, "takes no offset"),
        ("rating ~ nothing + (1|person)", {}, FormulaError, "'nothing'"),
        ("rating ~ x + (1|person)", {"scale": None}, ValueError, r"scale=\(0, 100\)"),
        ("rating ~ x + (1|person)", {"scale": (100, 0)}, ValueError, "least and the greatest"),
        ("rating ~ x + (1|person)", {"scale": (0, 50)}, FitError, "is .* in row .*, outside the scale 0 to 50"),
        ("rating ~ x + (1|person)", {"scale": (-1, 100)}, FitError, "No rating is at the least value"),
        ("rating ~ x + (1|person)", {"scale": (0, 101)}, FitError, "No rating is at the greatest value"),
        ("ends ~ x + (1|person)", {}, FitError, "0 of 500 ratings are between the ends"),
        ("rating ~ x + (1|many)", {}, UnsupportedError, "at most 3,000"),
    ],
)
def test_refusals(formula: str, settings: dict[str, Any], error: type, words: str, table: pd.DataFrame) -> None:
    frame = table.assign(ends=np.where(table["rating"] > 50, 100, 0))
    if "many" in formula:
        frame = pd.concat([frame] * 7, ignore_index=True).assign(many=np.arange(3500))
    with pytest.raises(error, match=words):
        ps.ordered_beta(formula, frame, **{"scale": SCALE, **settings})


@pytest.mark.release
def test_the_whole_release(release_path: Path) -> None:
    """Its errors end where the likelihood is flat, and its median predicts better than a linear model's mean."""
    study: Study = load_study(release_path)
    formula = "rating_raw ~ harm_level + (1|annotator) + (1|prompt)"
    found, linear = ps.ordered_beta(formula, study), ps.lmer(formula, study)
    assert found.nobs == 14_725 and found.optimizer.status == "converged" and found.optimizer.gradient_norm < 1e-5
    y = linear.problem.y
    assert np.abs(y - found.predict(type="median")).mean() < np.abs(y - linear.fitted).mean()
    assert found.predict(type="p_low").mean() == pytest.approx((y == 0).mean(), abs=0.005)


def test_reference_values_say_where_they_come_from() -> None:
    path = Path(__file__).parent.parent / "reference" / "values" / "ordered_beta.json"
    assert json.loads(path.read_text())["versions"]["glmmTMB"]
