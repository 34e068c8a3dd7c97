"""The simulator: known truth comes back, within its attenuation; shape and quirks are the release's."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from pluristats.errors import PluristatsError
from pluristats.study import Study, simulate_study


@pytest.fixture(scope="module")
def study() -> Study:
    return simulate_study(seed=11)


def test_same_seed_same_study_other_seed_another() -> None:
    one, same, other = (simulate_study(8, 10, seed=seed) for seed in (1, 1, 2))
    assert one.checksum == same.checksum != other.checksum
    assert one.truth == same.truth


def test_shape_of_the_release(study: Study) -> None:
    prompts, ratings = study.prompts, study.ratings
    actions, effects, values = (prompts[list(study.groups[g])] for g in ("actions", "effects", "values"))
    assert len(ratings) == 15_000
    assert study.simulated
    np.testing.assert_allclose(actions.sum(axis=1), 1.0, atol=1e-12)
    np.testing.assert_allclose(effects.sum(axis=1), 1.0, atol=1e-12)
    assert ((actions > 0).sum(axis=1) <= 5).all()
    assert ((effects > 0).sum(axis=1) == 3).all()
    assert ((values != 0).sum(axis=1) <= 5).all()
    assert values.abs().to_numpy().max() < 1.0
    # 1, 2, 5, 10, 20, 24, … % of 150, as released.
    assert prompts["harm_level"].value_counts().sort_index().tolist() == [2, 3, 7, 15, 30, 36, 30, 15, 7, 3, 2]
    assert prompts["seed"].value_counts().value_counts().to_dict() == {1: 104, 2: 23}
    for _, pair in prompts.groupby("seed"):
        assert len(pair[list(study.groups["actions"] + study.groups["effects"])].drop_duplicates()) == 1
        assert pair["harm_level"].is_unique
    trials = ratings.pivot(index="annotator", columns="prompt", values="trial")
    assert (np.sort(trials.to_numpy(), axis=1) == np.arange(150)).all()
    assert prompts["text"].str.contains("imulated").all()


def test_quirks_of_the_release(study: Study) -> None:
    people = study.annotators
    assert (people["Political_Affiliation"] == "Other").sum() == 2
    assert (people["Income"] == "I prefer not to answer.").sum() == 1
    assert people["Religion_Importance"].str.startswith(" ").all()
    assert study.dropped()["rows"].iloc[-1] > 0
    rating = study.frame()["rating_raw"].to_numpy()
    assert rating.min() == 0.0
    assert rating.max() == 100.0
    assert (rating == np.round(rating)).all()
    # The release: 15.7 % zeros, 13.6 % hundreds, 59 % multiples of 5 (20 % if nobody rounded).
    assert 0.08 < (rating == 0).mean() < 0.25
    assert 0.08 < (rating == 100).mean() < 0.25
    assert 0.5 < (rating % 5 == 0).mean() < 0.7
    unsure = study.ratings["rating"].isna()
    assert 0.01 < unsure.mean() < 0.03
    harm = study.ratings["prompt"].map(study.prompts.set_index("prompt")["harm_level"])
    assert unsure[harm.between(0.4, 0.6)].mean() > unsure[~harm.between(0.2, 0.8)].mean()


def test_variance_shares_are_near_the_releases() -> None:
    # Moment estimates on z-scored ratings; the release itself gives 0.136, 0.413, 0.451 by the same formulas.
    shares = []
    for seed in range(6):
        table = simulate_study(seed=seed, unsure=0.0).frame()
        z = table.pivot(index="annotator", columns="prompt", values="rating").to_numpy()
        i, j = z.shape
        rows, columns = z.mean(axis=1), z.mean(axis=0)
        residual = np.sum((z - rows[:, None] - columns) ** 2) / ((i - 1) * (j - 1))
        shares.append([rows.var(ddof=1) - residual / j, columns.var(ddof=1) - residual / i, residual])
    np.testing.assert_allclose(np.mean(shares, axis=0), [0.136, 0.413, 0.451], atol=0.05)


def test_without_noise_ends_and_rounding_the_truth_is_exact() -> None:
    study = simulate_study(
        30, 140, seed=4, annotator_variance=0, prompt_variance=0, residual_variance=0, unsure=0, rounding=0, points=5.0
    )
    truth, frame = study.truth, study.frame()
    assert truth is not None
    names = [name for name in truth.fixed if name != "harm_level"]
    x = frame[names].fillna(0.0)
    x["harm_level"] = (frame["harm_level"] - study.prompts["harm_level"].mean()) / study.prompts["harm_level"].std()
    for name in truth.interactions:
        trait, action = name.split(":")
        x[name] = frame[trait].fillna(0.0) * frame[action]
    fit = sm.OLS((frame["rating_raw"] - 50.0) / truth.points, sm.add_constant(x)).fit()
    # Ratings are whole points, so each has an error of at most 0.1 latent units, and the mean one averages out.
    expected = np.array([*truth.fixed.values(), *truth.interactions.values()])
    # The frame's features are z-scored over rows (ddof of 4,200), the truth's over prompts (ddof of 140).
    np.testing.assert_allclose(fit.params.to_numpy()[1:], expected, atol=0.012)
    assert fit.rsquared > 0.97


def test_the_pipelines_view_is_attenuated_but_keeps_signs() -> None:
    study = simulate_study(300, 600, seed=2)
    truth, frame = study.truth, study.frame()
    assert truth is not None
    features = [name for group in ("actions", "effects", "values") for name in study.groups[group]]
    kept = [name for name in features if name not in ("action_Security_Risks", "effect_Physical")]
    x = frame[kept].assign(harm=frame["harm_level"])
    slopes = sm.OLS(frame["rating_raw"], sm.add_constant(x)).fit().params
    values = [name for name in truth.fixed if name.startswith("value_topic_")]
    estimated = slopes[values].to_numpy() / truth.points
    true = np.array([truth.fixed[name] for name in values])
    slope = float(estimated @ true / (true @ true))
    assert 0.5 < slope < 0.95
    assert np.corrcoef(estimated, true)[0, 1] > 0.9


def test_truth_variances_are_those_of_the_draws() -> None:
    truth = simulate_study(400, 500, seed=9).truth
    assert truth is not None
    assert np.var(truth.annotator_intercepts) == pytest.approx(truth.variances["annotator"], rel=0.25)
    assert np.var(truth.prompt_intercepts) == pytest.approx(truth.variances["prompt"], rel=0.25)


@pytest.mark.parametrize("size", [(4, 4), (5, 9), (101, 7)])
def test_small_and_odd_sizes(size: tuple[int, int]) -> None:
    study = simulate_study(*size, seed=0)
    assert (len(study.annotators), len(study.prompts)) == size
    assert not study.frame()["rating"].isna().any()


def test_nothing_to_find_can_be_asked_for() -> None:
    study = simulate_study(10, 12, n_features=0, n_traits=0, n_interactions=0)
    assert study.truth is not None
    assert set(study.truth.fixed) == {"harm_level"}
    assert not study.truth.interactions


def test_bad_arguments_are_all_named() -> None:
    with pytest.raises(PluristatsError) as caught:
        simulate_study(2, 10, seed=-1, unsure=0.9, points=float("nan"))
    assert str(caught.value) == (
        "simulate_study: n_annotators must be a whole number from 4 up, not 2; "
        "seed must be a whole number from 0 up, not -1; "
        "points must be a number of 0 or more, not nan; unsure must be a number from 0 to 0.5, not 0.9"
    )
