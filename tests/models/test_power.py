"""Power by simulation against noncentral t, where the design is balanced."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import pluristats as ps
from pluristats.models.power import _cells

SD = {"sd_raters": 0.6, "sd_prompts": 0.8, "sd_residual": 1.2}


def exact(varies: str, i: int, j: int, effect: float, alpha: float) -> float:
    """P(|t| beyond the critical value) of the test whose error is the mean square between x's levels."""
    variance, df = {
        "raters": ((0.6**2 + 1.2**2 / j) / i, i - 2),
        "prompts": ((0.8**2 + 1.2**2 / i) / j, j - 2),
        "both": (1.2**2 / (i * j), (i - 1) * (j - 1) - 1),
    }[varies]
    critical, shift = stats.t.isf(alpha / 2, df), effect / np.sqrt(variance)
    return float(stats.nct.sf(critical, df, shift) + stats.nct.cdf(-critical, df, shift))


@pytest.mark.slow
@pytest.mark.parametrize("varies", ["raters", "prompts", "both"])
@pytest.mark.parametrize("predictor", ["normal", "binary"])
def test_balanced_designs_have_the_power_of_the_t_test(varies: str, predictor: str) -> None:
    """Within 4.5 Monte Carlo errors of noncentral t; sizes at which no variance is estimated at zero."""
    table = ps.power(
        effect=0.25, varies=varies, **SD, n_raters=[12, 24], n_prompts=[20], predictor=predictor, n_sim=600, seed=2
    )
    assert table.n_raters.tolist() == [12, 24] and table.n_ratings.tolist() == [240, 480]
    for row in table.itertuples():
        truth = exact(varies, row.n_raters, row.n_prompts, 0.25, 0.05)
        assert row.power == pytest.approx(truth, abs=4.5 * np.sqrt(truth * (1 - truth) / 600))


@pytest.mark.slow
def test_without_an_effect_the_test_keeps_its_level() -> None:
    row = ps.power(effect=0.0, varies="raters", **SD, n_raters=[12], n_prompts=[20], alpha=0.1, n_sim=1500).iloc[0]
    assert row.power == pytest.approx(0.1, abs=4.5 * np.sqrt(0.09 / 1500))
    z = stats.norm.isf(0.025)  # Wilson's interval, by its formula
    middle = (row.power + z**2 / 3000) / (1 + z**2 / 1500)
    half = z * np.sqrt(row.power * (1 - row.power) / 1500 + z**2 / 4 / 1500**2) / (1 + z**2 / 1500)
    assert (row.conf_low, row.conf_high) == pytest.approx((middle - half, middle + half), rel=1e-9)


def test_the_numbers_do_not_depend_on_the_processes() -> None:
    args = {"effect": 0.3, "varies": "both", **SD, "n_raters": [8], "n_prompts": [10, 12], "n_sim": 60, "seed": 4}
    one, two = ps.power(**args), ps.power(**args, n_jobs=2)
    pd.testing.assert_frame_equal(one, two)
    assert not one.equals(ps.power(**{**args, "seed": 5}))


def test_what_a_fit_brings(table: pd.DataFrame) -> None:
    fit = ps.lmer("y ~ x + age + hard + (1|person) + (1|item)", table)
    names = {"raters": "person", "prompts": "item", "n_raters": [10], "n_prompts": [8], "n_sim": 20}
    sd_person, sd_item = fit.theta * fit.sigma
    for term, varies in (("age", "raters"), ("hard", "prompts"), ("x", "both")):
        effect = fit.fixef[term] * np.std(table[term])
        given = ps.power(
            effect=effect,
            varies=varies,
            sd_raters=sd_person,
            sd_prompts=sd_item,
            sd_residual=fit.sigma,
            **{k: v for k, v in names.items() if k.startswith("n_")},
        )
        pd.testing.assert_frame_equal(ps.power(fit, term=term, **names), given)
    other = ps.power(fit, term="age", effect=0.5, sd_raters=2.0, **names)
    assert other.effect[0] == 0.5 and other.std_error[0] > given.std_error[0]


def test_part_of_the_prompts_for_each_rater() -> None:
    """Every prompt is rated equally often, no pair twice; the residual variance divides by what a rater rates."""
    rater, prompt = _cells(30, 20, 6)
    assert (np.bincount(rater) == 6).all() and (np.bincount(prompt) == 9).all()
    assert len(set(zip(rater, prompt, strict=True))) == 180
    row = ps.power(effect=0.4, varies="raters", **SD, n_raters=[30], n_prompts=[20], per_rater=6, n_sim=200).iloc[0]
    assert row.n_ratings == 180
    low, high = np.sqrt((0.36 + 1.44 / 6) / 30), np.sqrt((0.36 + (1.44 + 0.64) / 6) / 30)
    assert low * 0.95 < row.std_error < high * 1.05


def test_refusals(table: pd.DataFrame) -> None:
    good = {"effect": 0.3, "varies": "raters", **SD, "n_raters": [10], "n_prompts": [10], "n_sim": 5}
    for changes, message in (
        ({"n_raters": [2]}, "n_raters lists numbers of at least 3"),
        ({"n_prompts": []}, "n_prompts lists numbers"),
        ({"per_rater": 1}, "per_rater is at least 2"),
        ({"per_rater": 2, "n_prompts": [50]}, "do not rate 50 prompts twice"),
        ({"predictor": "cubic"}, "'normal' or 'binary', not 'cubic'"),
        ({"alpha": 5}, "alpha is a share"),
        ({"n_sim": 0}, "n_sim is the number"),
        ({"varies": "people"}, "'raters', 'prompts' or 'both', not 'people'"),
        ({"sd_residual": 0.0}, "sd_residual is a standard deviation; it cannot be 0.0"),
        ({"sd_raters": -1.0}, "sd_raters is a standard deviation; it cannot be -1.0"),
        ({"effect": float("nan")}, "effect is a finite number"),
        ({"effect": None, "sd_prompts": None}, "Power needs effect, sd_prompts; give them"),
    ):
        with pytest.raises(ValueError, match=message):
            ps.power(**{**good, **changes})
    fit = ps.lmer("y ~ x + age + (1|person)", table)
    grid = {"n_raters": [10], "n_prompts": [10], "n_sim": 5, "raters": "person", "prompts": "item"}
    with pytest.raises(ValueError, match=r"'z' is no fixed effect of this fit, which has \(Intercept\), x, age"):
        ps.power(fit, term="z", **grid)
    with pytest.raises(ValueError, match="constant"):
        ps.power(fit, term="(Intercept)", **grid)
    with pytest.raises(ValueError, match=r"lacks \(1\|person\) or \(1\|item\), so what 'x' varies between"):
        ps.power(fit, term="x", **grid)
    with pytest.raises(ValueError, match="Power needs sd_prompts; give it"):
        ps.power(fit, term="age", **grid)
