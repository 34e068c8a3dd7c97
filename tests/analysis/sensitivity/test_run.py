"""Questions under other likelihoods: what is compared with what, known truth, and what cannot be fitted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import pluristats as ps
from pluristats.analysis.sensitivity import in_r
from pluristats.analysis.sensitivity.refit import Refit
from pluristats.errors import UnsupportedError
from pluristats.study import Study

pytestmark = pytest.mark.filterwarnings("ignore::pluristats.errors.PluristatsWarning")


@pytest.fixture(scope="module")
def found(simulated: Study) -> ps.Sensitivity:
    question = ps.rq2(simulated, ps.LassoRule(penalty=0.0), validate=False)
    return ps.likelihood_sensitivity(
        question, simulated, likelihoods=["ordinal", "fractional", "logit"], engine="python"
    )


def rated(study: Study, ratings: np.ndarray) -> Study:
    """The study with other ratings, in the order of its table."""
    return replace(study, ratings_=study.ratings.assign(rating=ratings))


# ---- the tables ----


def test_each_is_compared_with_the_gaussian_of_its_kind(found: ps.Sensitivity) -> None:
    glance = found.glance()
    assert (glance["likelihood"] + "|" + glance["kind"] + "|" + glance["reference"]).tolist() == [
        "gaussian|mixed|",
        "gaussian|marginal|gaussian (mixed)",
        "ordinal|marginal|gaussian (marginal)",
        "fractional|marginal|gaussian (marginal)",
        "logit|mixed|gaussian (mixed)",
    ]
    assert glance["status"].eq("fitted").all()
    assert glance["engine"].str.split().str[0].tolist() == ["native", "native", "native", "statsmodels", "native"]
    tidy = found.tidy().set_index(["likelihood", "kind"]).sort_index()
    ordinal, least = tidy.loc[("ordinal", "marginal")], tidy.loc[("gaussian", "marginal")]
    same = np.sign(ordinal["estimate"].to_numpy()) == np.sign(least["estimate"].to_numpy())
    assert ordinal["same_sign"].to_numpy().tolist() == same.tolist()
    assert glance["same_sign"].tolist()[2] == same.sum()
    ratio = np.median(np.abs(ordinal["statistic"].to_numpy() / least["statistic"].to_numpy()))
    assert glance["ratio"][2] == pytest.approx(ratio)


def test_the_first_is_the_fit_at_hand(found: ps.Sensitivity, simulated: Study) -> None:
    fit = ps.lmer("rating ~ traits + (1|prompt)", simulated)
    table = found.tidy()
    table = table[(table["likelihood"] == "gaussian") & (table["kind"] == "mixed")]
    expected = fit.tidy().iloc[1:]
    np.testing.assert_allclose(table["estimate"], expected["estimate"])
    np.testing.assert_allclose(table["std_error"], expected["std_error"])
    # In rating points: the same model of the ratings as given.
    points = ps.lmer("rating_raw ~ traits + (1|prompt)", simulated).tidy()["estimate"].iloc[1:]
    np.testing.assert_allclose(table["marginal_effect"], points, rtol=1e-6)


def test_marginal_effects_are_alike_where_effects_are_small(found: ps.Sensitivity) -> None:
    wide = found.tidy().pivot(index="term", columns=["likelihood", "kind"], values="marginal_effect")
    plain = wide[("gaussian", "marginal")]
    np.testing.assert_allclose(wide[("fractional", "marginal")], plain, atol=1.0)
    np.testing.assert_allclose(wide[("ordinal", "marginal")], plain, atol=1.5)


def test_changes_are_the_rows_that_differ() -> None:
    """By hand: z of 3, 3, 3, 1 against 3, -3, 1, 3."""
    terms = ("stays", "turns", "lost", "gained")

    def refit(likelihood: str, z: list[float]) -> Refit:
        return Refit(likelihood, "mixed", "hand", terms, np.array(z), np.ones(4), 1.0, 10)

    refits = (refit("gaussian", [3, 3, 3, 1]), refit("ordinal", [3, -3, 1, 3]))
    found = ps.Sensitivity("RQ0", "y ~ x", refits, None, None, 0.05, ("Beware.",))
    changes = found.changes()
    assert list(zip(changes["term"], changes["change"], strict=True)) == [
        ("turns", "sign"),
        ("lost", "lost"),
        ("gained", "gained"),
    ]
    assert changes["statistic_reference"].tolist() == [3, 3, 1]
    assert found.glance()[["significant", "same_sign", "same_significance"]].iloc[1].tolist() == [3, 3, 2]
    (sentence,) = found.sentences()
    assert sentence == (
        "ordinal (mixed), hand, against gaussian (mixed): 3 of 4 signs agree; sign changes: turns; "
        "significance lost: lost; significance gained: gained."
    )
    assert "Beware." in found.summary() and "Beware." in found._repr_html_()


def test_the_caveats_are_there(found: ps.Sensitivity, simulated: Study) -> None:
    text = found.summary()
    assert text.startswith("SIMULATED DATA")
    assert "Lasso that selected these terms took ratings as Gaussian" in text
    assert "ignore the selection" in text and "clusters by prompt" in text and "adjusted by Holm" in text
    fit = ps.lmer("rating ~ Age + (1|prompt)", simulated)
    assert "Lasso" not in ps.likelihood_sensitivity(fit, simulated, engine="python").summary()


# ---- known truth ----


def test_ratings_from_a_cumulative_logit_keep_their_signs(simulated: Study) -> None:
    """A latent trait effect, cut so that 40 % of the ratings are 0: the ordinal fit finds its size."""
    frame = simulated.frame()
    rng = np.random.default_rng(5)
    latent = 0.9 * frame["Age"] - 0.5 * frame["Education"] + rng.logistic(size=len(frame))
    cuts = np.quantile(latent, [0.4, 0.6, 0.75, 0.9])
    whole = simulated.ratings
    usable = whole["rating"].notna()  # the rows of the frame, in its order
    whole.loc[usable, "rating"] = np.array([0.0, 20, 60, 90, 100])[np.searchsorted(cuts, latent)]
    study = replace(simulated, ratings_=whole)
    fit = ps.lmer("rating ~ Age + Education + Gender + (1|prompt)", study)
    found = ps.likelihood_sensitivity(fit, study, engine="python")
    ordinal = found.tidy().query("likelihood == 'ordinal'").set_index("term")
    for term, truth in (("Age", 0.9), ("Education", -0.5), ("Gender", 0.0)):
        assert abs(ordinal.loc[term, "estimate"] - truth) < 4 * ordinal.loc[term, "std_error"]
    assert ordinal["significant"].tolist() == [True, True, False]
    table = found.tidy()
    assert np.sign(table.loc[table["term"] == "Age", "estimate"]).eq(1).all()
    assert np.sign(table.loc[table["term"] == "Education", "estimate"]).eq(-1).all()


# ---- what cannot be fitted is said ----


def test_without_r_auto_says_so(simulated: Study, monkeypatch) -> None:
    monkeypatch.setenv("PATH", "")
    fit = ps.lmer("rating ~ Age + (1|prompt)", simulated)
    glance = ps.likelihood_sensitivity(fit, simulated).glance().set_index("likelihood")
    assert glance.loc["ordinal", "kind"] == "marginal"
    assert glance.loc["ordinal", "reason"] == "R's ordinal is not installed"
    assert glance.loc["fractional", "reason"] == "it is only fitted without random effects"
    assert glance.loc["ordered-beta", ["kind", "engine", "status"]].tolist() == ["mixed", "native", "fitted"]
    with pytest.raises(UnsupportedError, match="needs R with glmmTMB"):
        ps.likelihood_sensitivity(fit, simulated, likelihoods=["beta"])


@pytest.mark.r
def test_what_r_could_not_finish_stands_without_numbers(simulated: Study, capsys) -> None:
    if "ordinal" not in in_r.installed():
        pytest.skip("R's ordinal is not installed")
    fit = ps.lmer("rating ~ Age + (1|prompt)", simulated)
    found = ps.likelihood_sensitivity(fit, simulated, likelihoods=["ordinal"], engine="r", limit_s=0.01, progress=True)
    row = found.glance().iloc[1]
    assert row["status"] == "failed" and pd.isna(row["significant"]) and pd.isna(row["same_sign"])
    assert "ordinal (mixed): not fitted. R ordinal" in found.summary() and "was stopped after" in found.summary()
    assert found.changes().empty
    assert f"{fit.nobs} rows, 1 terms, at most 0.01 s" in capsys.readouterr().err


def test_all_ratings_at_the_ends(simulated: Study) -> None:
    raw = simulated.ratings["rating"]
    study = rated(simulated, np.where(raw.isna(), np.nan, np.where(raw > 50, 100.0, 0.0)))
    fit = ps.lmer("rating ~ traits + (1|prompt)", study)
    found = ps.likelihood_sensitivity(fit, study, engine="python", likelihoods=["ordinal", "fractional", "logit"])
    wide = found.tidy().pivot(index="term", columns=["likelihood", "kind"], values="statistic")
    # With two values all are logistic regressions, or least squares.
    np.testing.assert_allclose(wide[("ordinal", "marginal")], wide[("fractional", "marginal")], rtol=2e-3)
    np.testing.assert_allclose(wide[("logit", "mixed")], wide[("gaussian", "mixed")], rtol=1e-6)
    assert found.categories is not None and found.categories.labels == ("0", "100")
    assert "Categories without a rating, left out" in found.summary()


def test_missing_ratings_are_left_out_everywhere(simulated: Study) -> None:
    raw = simulated.ratings["rating"].to_numpy(copy=True)
    raw[::7] = np.nan
    study = rated(simulated, raw)
    found = ps.likelihood_sensitivity(ps.lmer("rating ~ Age + (1|prompt)", study), study, engine="python")
    assert (found.glance()["nobs"] == np.isfinite(raw).sum()).all()


def test_crossed_is_the_crossed_model(simulated: Study) -> None:
    question = ps.rq1(simulated, ps.LassoRule(penalty=0.0), validate=False)
    found = ps.likelihood_sensitivity(question, simulated, engine="python", crossed=True)
    assert found.formula == question.crossed.formula
    assert "clusters by annotator and prompt" in found.summary()
    assert "no prompt intercept" not in found.summary()  # the caveat of the question's own model


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"likelihoods": ["probit"]}, ValueError, "not 'probit'"),
        ({"likelihoods": "ordinal"}, ValueError, "is a list"),
        ({"likelihoods": []}, ValueError, "not none"),
        ({"likelihoods": ["logit", "logit"]}, ValueError, "one of them twice"),
        ({"engine": "julia"}, ValueError, "not 'julia'"),
        ({"engine": "r", "likelihoods": ["fractional"]}, UnsupportedError, "not fitted in R"),
        ({"engine": "python", "likelihoods": ["beta"]}, UnsupportedError, "in R only"),
        ({"adjust": "bonferroni"}, ValueError, "not 'bonferroni'"),
        ({"alpha": 1.0}, ValueError, "alpha is between"),
        ({"limit_s": 0}, ValueError, "positive number of seconds"),
        ({"crossed": True}, ValueError, "is for a question"),
        ({"categories": 2, "engine": "python"}, ValueError, "at least 3"),
    ],
)
def test_bad_settings_are_refused(settings, error, words, simulated: Study) -> None:
    fit = ps.lmer("rating ~ Age + (1|prompt)", simulated)
    with pytest.raises(error, match=words):
        ps.likelihood_sensitivity(fit, simulated, **settings)


@pytest.mark.release
def test_on_the_release_rq2_keeps_its_signs(release: Study) -> None:
    found = ps.likelihood_sensitivity(ps.rq2(release, validate=False), release, engine="python")
    glance = found.glance().set_index(["likelihood", "kind"])
    assert glance["nobs"].eq(14_285).all() and glance["same_sign"].dropna().eq(10).all()
    assert found.changes()[["term", "likelihood", "change"]].to_numpy().tolist() == [
        ["Factor_1", "gaussian", "lost"],
        ["Factor_2", "gaussian", "lost"],
        ["Factor_1", "ordinal", "gained"],
        ["Social_Media_Frequency", "ordered-beta", "lost"],
        ["Income", "ordered-beta", "lost"],
        ["Factor_1", "ordered-beta", "lost"],
        ["Factor_3", "ordered-beta", "lost"],
    ]
