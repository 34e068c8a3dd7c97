from __future__ import annotations

import numpy as np
import pytest
import statsmodels.formula.api as smf
from scipy import stats

from pluristats.analysis.disagreement import prompt_statistics, unsure

NAN = np.nan

TERMS = ["(Intercept)", "harm level (per 0.1)", "distance of the level from 0.5 (per 0.1)", "trial (per 10)"]


def wilson(k: int, n: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """Ends p where (k/n - p)² = z² p (1 - p) / n."""
    ends = np.roots([1 + z**2 / n, -(2 * k / n + z**2 / n), (k / n) ** 2])
    return float(min(ends)), float(max(ends))


def test_rates_by_level_and_annotator(make):
    study = make([[NAN, 5, NAN, 3], [1, 2, 3, 4], [NAN, 6, 7, 8]], levels=[0.5, 0.2, 0.5, 0.9])
    found = unsure(study)
    assert (found.asked, found.unsure) == (12, 3)

    level = found.by_level.set_index("harm_level")
    assert level.index.tolist() == [0.2, 0.5, 0.9]
    assert level["asked"].tolist() == [3, 6, 3]
    assert level["unsure"].tolist() == [0, 3, 0]
    assert level["rate"].tolist() == [0, 0.5, 0]
    assert tuple(level.loc[0.5, ["conf_low", "conf_high"]]) == pytest.approx(wilson(3, 6))
    assert tuple(level.loc[0.2, ["conf_low", "conf_high"]]) == pytest.approx(wilson(0, 3), abs=1e-12)
    assert level.loc[0.2, "conf_low"] == 0

    names = study.annotators["annotator"].tolist()
    assert found.by_annotator["annotator"].tolist() == [names[0], names[2], names[1]]
    assert found.by_annotator["rate"].tolist() == [0.5, 0.25, 0]


def test_association_is_spearman_over_prompts(simulated):
    prompts = prompt_statistics(simulated)
    rate = prompts["n_unsure"] / (prompts["n"] + prompts["n_unsure"])
    found = unsure(simulated).association.set_index("measure")
    for measure in ("mean", "variance"):
        theirs = stats.spearmanr(rate, prompts[measure])
        assert found.loc[measure, "rho"] == pytest.approx(theirs.statistic)
        assert found.loc[measure, "p_value"] == pytest.approx(theirs.pvalue)


def test_the_regression_finds_what_the_answers_were_drawn_from(make):
    """1,200 answers a level with P(unsure) = expit(-2 + 0.3 level/0.1 - 0.4 |level - 0.5|/0.1)."""
    rng = np.random.default_rng(8)
    levels = np.repeat(np.arange(11) / 10, 12)
    logit = -2 + 0.3 * levels / 0.1 - 0.4 * np.abs(levels - 0.5) / 0.1
    ratings = np.where(rng.random((100, levels.size)) < 1 / (1 + np.exp(-logit)), NAN, 50.0)
    trial = np.array([rng.permutation(levels.size) for _ in range(100)], dtype=float)
    model = unsure(make(ratings, levels=levels, trial=trial)).model.set_index("term")
    assert model.index.tolist() == TERMS
    truth = np.array([-2, 0.3, -0.4, 0.0])
    assert (np.abs(model["estimate"] - truth) < 4 * model["std_error"]).all()
    assert model.loc[TERMS[1], "std_error"] < 0.02
    np.testing.assert_allclose(model["odds_ratio"], np.exp(model["estimate"]))
    np.testing.assert_allclose(model["conf_high"] - model["estimate"], 1.959964 * model["std_error"], rtol=1e-6)


def test_errors_are_the_clustered_sandwich(simulated):
    """Bread by hand, meat from the scores summed over annotators, factor G/(G-1) · (n-1)/(n-k)."""
    model = unsure(simulated).model
    ratings = simulated.ratings.merge(simulated.prompts[["prompt", "harm_level"]], on="prompt")
    level = ratings["harm_level"].to_numpy()
    x = np.column_stack([np.ones(len(level)), level / 0.1, np.abs(level - 0.5) / 0.1, ratings["trial"] / 10])
    y = ratings["rating"].isna().to_numpy().astype(float)
    p = 1 / (1 + np.exp(-x @ model["estimate"].to_numpy()))
    np.testing.assert_allclose(x.T @ (y - p), 0, atol=1e-4)  # the maximum
    bread = np.linalg.inv((x * (p * (1 - p))[:, None]).T @ x)
    scores = np.array(
        [(x * (y - p)[:, None])[ratings["annotator"] == a].sum(axis=0) for a in simulated.annotators_["annotator"]]
    )
    n, k, g = *x.shape, len(scores)
    sandwich = bread @ scores.T @ scores @ bread * g / (g - 1) * (n - 1) / (n - k)
    np.testing.assert_allclose(model["std_error"], np.sqrt(np.diag(sandwich)), rtol=1e-5)


def test_what_cannot_be_in_the_regression_is_named(make):
    rng = np.random.default_rng(0)
    ratings = np.where(rng.random((6, 8)) < 0.3, NAN, 50.0)
    found = unsure(make(ratings, levels=[NAN] * 8, trial=np.full((6, 8), NAN)))
    assert found.by_level.empty
    assert found.model["term"].tolist() == ["(Intercept)"]
    assert found.left_out == ("harm level: the study has none", "trial (per 10): the study does not have it")
    share = np.isnan(ratings).mean()
    assert found.model.loc[0, "estimate"] == pytest.approx(np.log(share / (1 - share)))

    one_sided = unsure(make(ratings, levels=[0.5, 0.5, 0.6, 0.6, 0.7, 0.7, 0.9, 0.9]))
    assert len(one_sided.left_out) == 1
    assert one_sided.left_out[0].endswith("does not vary, or follows from the other terms")
    assert len(one_sided.model) == 3

    half = np.tile(np.arange(8.0), (6, 1))
    half[0, 0] = NAN
    assert unsure(make(ratings, trial=half)).left_out == ("1 rows without trial (per 10)",)


@pytest.mark.parametrize(
    "ratings, reason",
    [
        (np.full((4, 6), 50.0), "no answer is Unsure"),
        (np.full((4, 6), NAN), "every answer is Unsure"),
        (np.array([[50.0, NAN, 50, NAN, 50, 50]]), "there is one annotator"),
        (np.tile([50.0, 50, 50, NAN, NAN, NAN], (4, 1)), "does not converge"),
    ],
)
def test_no_regression_says_why(make, ratings, reason):
    found = unsure(make(ratings, levels=[0.1, 0.3, 0.4, 0.6, 0.7, 0.9]))
    assert found.model.empty
    assert found.model.columns.tolist()[:3] == ["term", "estimate", "std_error"]
    assert reason in found.left_out[-1]


@pytest.mark.release
def test_release(release):
    found = unsure(release)
    assert (found.asked, found.unsure) == (15_000, 275)
    assert found.by_level["asked"].tolist() == [200, 300, 700, 1500, 3000, 3600, 3000, 1500, 700, 300, 200]
    assert found.by_level["unsure"].sum() == found.by_annotator["unsure"].sum() == 275
    assert found.left_out == ()
    # The same model through statsmodels' formulas.
    data = release.ratings.merge(release.prompts[["prompt", "harm_level"]], on="prompt")
    data["unsure"] = data["rating"].isna().astype(int)
    theirs = smf.logit("unsure ~ I(harm_level * 10) + I(abs(harm_level - 0.5) * 10) + I(trial / 10)", data).fit(
        disp=0, cov_type="cluster", cov_kwds={"groups": data["annotator"]}
    )
    np.testing.assert_allclose(found.model["estimate"], theirs.params, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.model["p_value"], theirs.pvalues, rtol=1e-3)
