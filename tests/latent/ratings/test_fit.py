from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import pluristats as ps
from pluristats.errors import DroppedRowsWarning, LatentError
from pluristats.latent.metrics import coverage
from pluristats.latent.ratings import Planted, RatingFit, Ratings, fit_ratings, order_effects, plant
from pluristats.latent.ratings.associations import trait_associations, trend_associations
from pluristats.latent.ratings.check import line_residuals
from pluristats.latent.ratings.likelihoods import LIKELIHOODS, latents
from pluristats.study import Study


def test_tables_say_what_the_arrays_hold(fit: RatingFit, drifting: Planted) -> None:
    assert repr(fit) == "RatingFit('rating-drift', 24 annotators, 1,399 ratings, simulated)"
    tidy = fit.tidy()
    assert len(tidy) == 24 * 4 and tidy["simulated"].all()
    assert ((tidy["conf_low"] < tidy["estimate"]) & (tidy["estimate"] < tidy["conf_high"])).all()
    taus = tidy.query("parameter == 'tau'")["estimate"].to_numpy()
    np.testing.assert_array_equal(taus, fit.estimates.parameters[:, 3])
    rows = fit.trajectories(conf_level=0.8)
    assert len(rows) == 24 * 60 and np.allclose(rows["engaged"], 1) and rows["engaged"].max() <= 1
    z = stats.norm.ppf(0.9)
    np.testing.assert_allclose(rows["conf_high"] - rows["shift"], z * rows["sd"])
    one = rows[rows["annotator"].eq(drifting.study.annotators["annotator"].iloc[3])]
    np.testing.assert_array_equal(one["shift"], fit.smoothed.shift[3])
    np.testing.assert_array_equal(one["rating"], fit.order.rating[3])
    with pytest.raises(ValueError, match="conf_level"):
        fit.tidy(conf_level=90)


def test_no_model_is_best_for_somebody_without_a_rating() -> None:
    """All are equal there but for rounding, so that several would be counted."""
    study = ps.simulate_study(n_annotators=5, n_prompts=30, seed=3)
    silent = study.ratings["annotator"] == study.annotators["annotator"].iloc[0]
    fit = fit_ratings(replace(study, ratings_=study.ratings.assign(rating=study.ratings["rating"].mask(silent))))
    best = fit.comparison.tidy().groupby("annotator", sort=False)["best"].sum()
    assert best.tolist() == [0, 1, 1, 1, 1]
    pooled = fit.comparison.pooled()
    assert pooled["best_bic"].sum() == 4 and pooled["best_evidence"].sum() == 4


def test_planted_drift_is_recovered(fit: RatingFit, drifting: Planted) -> None:
    recovered = drifting.recovery(fit)
    assert len(recovered) == 96 and recovered["simulated"].all()
    by = {name: rows for name, rows in recovered.groupby("parameter")}
    level = by["level"]
    inside = (level["true"] >= level["conf_low"]) & (level["true"] <= level["conf_high"])
    assert inside.mean() > 0.7
    # Those who drift have the larger steps.
    moves = by["tau"]["true"] > 0.01
    assert stats.mannwhitneyu(by["tau"]["estimate"][moves], by["tau"]["estimate"][~moves]).pvalue < 1e-4
    shifts = drifting.latents(fit)
    assert len(shifts) == 24 * 60 and np.corrcoef(shifts["true"], shifts["shift"])[0, 1] > 0.6
    assert coverage(*(shifts[c].to_numpy()[None] for c in ("true", "conf_low", "conf_high"))) > 0.8


def test_models_are_compared_by_bic_and_evidence(fit: RatingFit) -> None:
    comparison = fit.comparison
    table, pooled = comparison.tidy(), comparison.pooled()
    assert len(table) == 24 * 4 and table.groupby("annotator")["best"].sum().eq(1).all()
    ratings = Ratings.of(fit.order.rating, fit.order.effect)
    n = fit.order.mask.sum(axis=1)
    for name, found in comparison.fits.items():
        log_likelihood = LIKELIHOODS[name](found.parameters, ratings).log_likelihood
        bic = -2 * log_likelihood + found.parameters.shape[1] * np.log(n)
        mine, all_of = table[table["model"].eq(name)], pooled[pooled["model"].eq(name)].iloc[0]
        np.testing.assert_allclose(mine["bic"], bic)
        assert all_of["bic"] == pytest.approx(bic.sum())
        assert all_of["log_evidence"] == pytest.approx(found.log_evidence.sum())
        assert all_of["n_parameters"] == 24 * found.parameters.shape[1]
    assert pooled["best_bic"].sum() == 24 and pooled["best_evidence"].sum() == 24
    gains = pooled.set_index("model")["evidence_gain"]
    assert gains["rating-drift"] > 10 and gains["rating-drift"] == gains.max() and gains["rating-static"] == 0


@pytest.mark.parametrize("kind", ["simulated", "permuted"])
def test_drift_gains_more_than_without_change(fit: RatingFit, kind: str) -> None:
    null = fit.simulated_null(4, seed=2, kind=kind)  # type: ignore[arg-type]
    pooled = null.pooled().iloc[0]
    assert pooled["p_value"] == 1 / 5 and pooled["z"] > 5 and pooled["kind"] == kind
    assert pooled["gain"] == pytest.approx(null.gain.sum())
    table = null.tidy(adjust="holm")
    for gain, p in zip(null.gain, table["p_value"], strict=True):
        assert p == pytest.approx((1 + (null.null >= gain).sum()) / (1 + null.null.size))
    assert (table["p_adjusted"] >= table["p_value"]).all()
    drifts = np.arange(24) % 2 == 0
    assert table["p_value"][drifts].median() < 0.05 < table["p_value"][~drifts].median()
    np.testing.assert_array_equal(null.null, fit.simulated_null(4, seed=2, kind=kind).null)  # type: ignore[arg-type]


def test_ratings_without_change_gain_nothing(study: Study) -> None:
    theta = np.column_stack([np.full(24, 0.5), np.full(24, 0.3), np.full(24, 0.25)])
    still = fit_ratings(plant(study, "rating-static", theta, seed=3).study, draws=0)
    null = still.simulated_null(5, seed=1)
    assert null.pooled()["p_value"].iloc[0] > 0.05 and (null.tidy()["p_adjusted"] > 0.05).all()
    assert still.comparison.pooled().set_index("model")["best_bic"]["rating-static"] >= 20


def test_what_a_drifting_model_simulates_is_what_was_seen(fit: RatingFit) -> None:
    own = fit.check(60, seed=1).tidy().set_index("statistic")
    other = fit.check(60, seed=1, model="rating-static").tidy().set_index("statistic")
    for name in ("autocorrelation 1", "spread of trends"):
        assert own.loc[name, "p_value"] > 0.05 and other.loc[name, "p_value"] <= 2 / 61 + 1e-12
        assert own.loc[name, "observed"] == other.loc[name, "observed"]
    assert own["low"].le(own["mean"]).all() and own["n"].eq(60).all() and own["model"].eq("rating-drift").all()


def test_line_residuals_are_least_squares() -> None:
    rng = np.random.default_rng(0)
    rating, effect = rng.random((3, 20)), rng.normal(size=(3, 20))
    rating[1, 4] = np.nan
    effect[2] = 0.0
    found = line_residuals(rating, effect)
    for i in range(3):
        known = ~np.isnan(rating[i])
        x = np.column_stack([np.ones(known.sum()), effect[i, known]])
        expected = rating[i, known] - x @ np.linalg.lstsq(x, rating[i, known], rcond=None)[0]
        np.testing.assert_allclose(found[i, known], expected, atol=1e-12)
    assert np.isnan(found[1, 4])


@pytest.mark.filterwarnings("ignore::pluristats.errors.PluristatsWarning")
def test_associations_are_those_of_a_formula(study: Study) -> None:
    import statsmodels.formula.api as smf

    names = study.groups["traits"]
    frame = study.frame().drop_duplicates("annotator")
    outcome = pd.Series(np.random.default_rng(1).normal(size=24), index=study.annotators["annotator"])
    table = trait_associations(study, {"made": outcome.to_numpy()})
    data = frame.assign(y=frame["annotator"].map(outcome).astype(float)).dropna(subset=[*names])
    expected = smf.ols("y ~ " + " + ".join(names), data).fit(cov_type="HC3", use_t=True)
    mine = table.set_index("term")
    for name in names:
        assert mine.loc[name, "estimate"] == pytest.approx(expected.params[name])
        assert mine.loc[name, "std_error"] == pytest.approx(expected.bse[name])
        assert mine.loc[name, "p_value"] == pytest.approx(expected.pvalues[name])
        low, high = expected.conf_int().loc[name]
        assert (mine.loc[name, "conf_low"], mine.loc[name, "conf_high"]) == (pytest.approx(low), pytest.approx(high))
    p = np.sort(mine.loc[list(names), "p_value"])
    holm = np.minimum(1, np.maximum.accumulate(p * np.arange(len(p), 0, -1)))
    np.testing.assert_allclose(np.sort(mine.loc[list(names), "p_adjusted"]), holm)
    assert np.isnan(mine.loc["(Intercept)", "p_adjusted"]) and mine["n"].eq(len(data)).all()


@pytest.mark.filterwarnings("ignore::pluristats.errors.PluristatsWarning")
def test_trends_by_traits_are_the_mixed_models(study: Study) -> None:
    table = trend_associations(study).set_index("term")
    fit = ps.lmer("rating ~ trial + traits + trial:traits + (1 + trial | annotator) + (1 | prompt)", study)
    expected = fit.tidy().set_index("term")
    assert len(table) == 1 + len(study.groups["traits"]) and table["outcome"].eq("rating").all()
    np.testing.assert_allclose(table["estimate"], expected.loc[table.index, "estimate"])
    np.testing.assert_allclose(table["p_value"], expected.loc[table.index, "p_value"])


def test_who_is_left_out_is_told(study: Study) -> None:
    from dataclasses import replace

    people = study.annotators
    people["Age"] = people["Age"].where(people.index != 2, "Prefer not to answer")
    lacking = replace(study, annotators_=people)
    with pytest.warns(DroppedRowsWarning, match="1 of 24 annotators lack a trait"):
        assert trait_associations(lacking, {"y": np.arange(24.0)})["n"].eq(23).all()
    few = people.assign(Age="Prefer not to answer")
    with pytest.raises(LatentError, match="0 annotators with every trait are too few"):
        trait_associations(replace(study, annotators_=few), {"y": np.arange(24.0)})


@pytest.mark.filterwarnings("ignore::pluristats.errors.PluristatsWarning")
def test_all_associations_stand_in_one_table(fit: RatingFit, drifting: Planted) -> None:
    table = fit.associations(drifting.study)
    assert [*dict.fromkeys(table["outcome"])] == ["log_tau", "trend", "rating"] and table["simulated"].all()


def test_other_models_fit_through_the_same_door(drifting: Planted) -> None:
    lapse = fit_ratings(drifting.study, "rating-lapse", draws=0)
    ratings = Ratings.of(lapse.order.rating, lapse.order.effect)
    expected = latents("rating-lapse", lapse.estimates.parameters, ratings).engaged
    np.testing.assert_array_equal(lapse.trajectories()["engaged"], expected[lapse.order.shown])
    with pytest.raises(LatentError, match="other annotators"):
        lapse.associations(ps.simulate_study(n_annotators=6, n_prompts=20))
    with pytest.raises(LatentError, match="has rating-drift in it, but the fit is of rating-lapse"):
        drifting.recovery(lapse)


def test_bad_questions_are_refused(fit: RatingFit, drifting: Planted, study: Study) -> None:
    for ask, message in (
        (lambda: fit_ratings(drifting.study, "drift"), "There is no rating model 'drift'"),
        (lambda: fit_ratings(drifting.study, draws=-1), "draws is a number"),
        (lambda: fit.simulated_null(1), "n is a number of data sets"),
        (lambda: fit.simulated_null(4, kind="other"), "kind is 'simulated' or 'permuted'"),  # type: ignore[arg-type]
        (lambda: fit.check(1), "n is a number of simulations"),
        (lambda: fit.check(5, model="drift"), "There is no rating model 'drift'"),
        (lambda: plant(study, "drift"), "There is no rating model 'drift'"),
        (lambda: fit_ratings(fit.order, "rating-static", draws=0).simulated_null(2), "gains nothing over itself"),
    ):
        with pytest.raises(LatentError, match=message):
            ask()


def test_planted_studies_say_what_they_are(study: Study, drifting: Planted) -> None:
    new = drifting.study
    assert new.simulated and new.source.path is None and new.truth is None and "rating-drift" in new.name
    before, after = study.ratings, new.ratings
    np.testing.assert_array_equal(before["rating"].isna(), after["rating"].isna())
    assert before.drop(columns="rating").equals(after.drop(columns="rating"))
    known = after["rating"].dropna()
    assert (known == known.round()).all() and known.between(0, 100).all()
    # Each stands where its trial was simulated.
    row = after.query("trial == 7").iloc[4]
    place = list(study.annotators["annotator"]).index(row["annotator"])
    np.testing.assert_allclose(row["rating"], 100 * drifting.simulated.trials["rating"][place, 7])
    drawn = plant(study, "rating-sequential", seed=2)
    assert drawn.simulated.parameters.shape == (24, 4)
    again = plant(study, "rating-sequential", seed=2).study.ratings
    assert drawn.study.ratings.equals(again)
    assert drawn.study.checksum != plant(study, "rating-sequential", seed=3).study.checksum


@pytest.mark.release
@pytest.mark.slow
def test_the_release_drifts(release_path: object) -> None:
    """Signs and sizes that stand in the report; order permuted within annotators is the null."""
    study = ps.load_study(str(release_path))
    found = order_effects(study, 199).tidy().set_index("statistic")
    assert found.loc["autocorrelation 1", "estimate"] == pytest.approx(0.060, abs=0.001)
    for name in ("autocorrelation 1", "assimilation", "trend", "spread of trends"):
        assert found.loc[name, "p_value"] <= 0.01
    fit = fit_ratings(study, draws=0)
    pooled = fit.comparison.pooled().set_index("model")
    assert pooled["best_bic"].idxmax() == "rating-static" and pooled.loc["rating-drift", "evidence_gain"] > 100
    null = fit.simulated_null(3, kind="permuted")
    assert null.pooled()["z"].iloc[0] > 10 and null.tidy()["p_adjusted"].lt(0.05).sum() > 15


def test_somebody_without_a_rating_is_what_the_priors_say(fit: RatingFit) -> None:
    from dataclasses import replace

    order = fit.order
    silent = np.arange(24)[:, None] == 5
    none = replace(
        order, rating=np.where(silent, np.nan, order.rating), residual=np.where(silent, np.nan, order.residual)
    )
    found = fit_ratings(none, draws=0)
    expected = [p.prior.mean for p in found.model.parameters[:2]] + [p.prior.median for p in found.model.parameters[2:]]
    np.testing.assert_allclose(found.estimates.parameters[5], expected, rtol=1e-4)
    np.testing.assert_allclose(np.delete(found.estimates.parameters, 5, axis=0),
                               np.delete(fit.estimates.parameters, 5, axis=0))  # fmt: skip
    assert found.comparison.tidy().query("annotator == @order.annotators[5]")["n"].eq(0).all()
    assert order_effects(none, 9).tidy()["n"].iloc[-1] == 23
