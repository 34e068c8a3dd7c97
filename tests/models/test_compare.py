"""Comparisons: R's anova, the boundary by simulation, and what is refused."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import pluristats as ps
from pluristats.errors import ComparisonWarning, DifferentRowsWarning, FitError, PluristatsWarning
from pluristats.models import LmerFit
from pluristats.models.compare import boundary_p
from tests.reference.cases import inference, small_frame

R = inference("compare")
RANDOM = "(1|person) + (1|item)"


def lmer(formula: str, frame: pd.DataFrame, *, reml: bool = False) -> LmerFit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PluristatsWarning)
        return ps.lmer(formula, frame, reml=reml)


@pytest.fixture(scope="module")
def unbalanced() -> pd.DataFrame:
    return small_frame("unbalanced")


def assert_as_r(table: pd.DataFrame, expected: dict[str, list[float]]) -> None:
    assert table.n_params.tolist() == expected["npar"]
    for name in ("aic", "bic", "loglik", "deviance"):
        np.testing.assert_allclose(table[name], expected[name], rtol=1e-8)
    assert table.loc[0, ["chisq", "chisq_df", "p_value", "p_boundary"]].isna().all()
    for name in ("chisq", "chisq_df", "p_value"):
        np.testing.assert_allclose(table[name][1:], np.array(expected[name][1:], dtype=float), rtol=1e-5)


def test_fixed_effects_as_r(unbalanced: pd.DataFrame) -> None:
    fits = [lmer(f"y ~ {fixed} + {RANDOM}", unbalanced) for fixed in ("1", "x", "x + z + w")]
    assert_as_r(ps.anova(*fits), R["fixed"])
    pd.testing.assert_frame_equal(ps.anova(*fits[::-1]), ps.anova(*fits))
    assert ps.anova(*fits).p_boundary.isna().all()


def test_a_variance_component_as_r(unbalanced: pd.DataFrame) -> None:
    fits = [lmer(f"y ~ x + {random}", unbalanced, reml=True) for random in ("(1|person)", RANDOM)]
    with pytest.warns(ComparisonWarning, match=r"1 variance parameter more.*p_boundary is right"):
        table = ps.anova(*fits)
    assert_as_r(table, R["random_reml"])
    assert table.p_boundary[1] == pytest.approx(table.p_value[1] / 2)


def test_two_components_have_no_boundary_p(unbalanced: pd.DataFrame) -> None:
    frame = unbalanced.assign(third=np.arange(len(unbalanced)) % 5)
    fits = [lmer("y ~ x + (1|person)", frame), lmer(f"y ~ x + {RANDOM} + (1|third)", frame)]
    with pytest.warns(ComparisonWarning, match=r"2 variance parameters more.*p_value is too large\.$"):
        assert np.isnan(ps.anova(*fits).p_boundary[1])


def test_boundary_p_by_hand() -> None:
    assert boundary_p(2.705543454095404, 1) == pytest.approx(0.05)
    assert boundary_p(0.0, 1) == 1.0
    assert [boundary_p(3e-12, 1), boundary_p(-3e-12, 1)] == pytest.approx([1.0, 1.0], abs=1e-5)
    assert boundary_p(5.138, 2) == pytest.approx(0.05, abs=1e-4)  # Self & Liang's ½χ²_1 + ½χ²_2
    assert boundary_p(4.0, 3) == pytest.approx(0.5 * stats.chi2.sf(4.0, 3) + 0.5 * stats.chi2.sf(4.0, 2))


def test_restricted_likelihoods_do_not_depend_on_the_order_of_terms(unbalanced: pd.DataFrame) -> None:
    table = unbalanced.assign(u=np.arange(len(unbalanced)) % 7, v=np.arange(len(unbalanced)) % 5)
    one, other = (lmer(f"y ~ {fixed} + (1|person)", table, reml=True) for fixed in ("u + v", "v + u"))
    larger = lmer(f"y ~ v + u + {RANDOM}", table, reml=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ComparisonWarning)
        assert ps.anova(one, larger).chisq[1] == pytest.approx(ps.anova(other, larger).chisq[1])
    assert ps.compare(one, other).delta_aic.tolist() == pytest.approx([0.0, 0.0])
    with pytest.raises(FitError, match="different fixed effects"):
        ps.compare(one, lmer("y ~ u + v + (1|person)", table.assign(u=10 * table.u), reml=True))


def test_a_component_at_zero_has_p_1_whatever_rounding_leaves() -> None:
    found = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        table = pd.DataFrame({"a": rng.integers(0, 12, 200), "t": rng.integers(0, 12, 200)})
        table["y"] = rng.normal(size=12)[table.a] + rng.normal(size=200)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fits = [ps.lmer(f"y ~ 1 + (1|a){more}", table, reml=False) for more in ("", " + (1|t)")]
            if fits[1].theta.min() == 0:
                found.append(ps.anova(*fits).p_boundary[1])
    assert len(found) > 3
    np.testing.assert_allclose(found, 1.0, atol=1e-3)


@pytest.mark.slow
def test_the_boundary_p_holds_its_level() -> None:
    """No item effect: of 400 tests p_boundary rejects about 5 %, p_value about half as many."""
    rng = np.random.default_rng(8)
    person, item = (a.ravel() for a in np.meshgrid(np.arange(12), np.arange(10), indexing="ij"))
    found = []
    for _ in range(400):
        frame = pd.DataFrame({"person": person, "item": item})
        frame["y"] = rng.normal(size=12)[person] + rng.normal(size=len(frame))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PluristatsWarning)
            found.append(ps.anova(lmer("y ~ 1 + (1|person)", frame), lmer(f"y ~ 1 + {RANDOM}", frame)).iloc[1])
    tests = pd.DataFrame(found)
    # Three standard errors of 400 coin tosses; the chi-bar-square is asymptotic, small designs fall a little below.
    assert 0.015 < (tests.p_boundary < 0.05).mean() < 0.085
    assert (tests.p_value < 0.05).mean() < 0.05
    assert 0.4 < (tests.chisq < 1e-6).mean() < 0.75


@pytest.mark.parametrize(
    ("make", "message", "category"),
    [
        (
            lambda d: (lmer("y ~ 1 + (1|person)", d), lmer("y ~ x + (1|person)", d.iloc[3:])),
            "different rows or responses, or with other weights or offsets",
            DifferentRowsWarning,
        ),
        (
            lambda d: (lmer("y ~ 1 + (1|person)", d), lmer("y ~ x + (1|person)", d, reml=True)),
            r"different criteria \(REML and ML\); refit both with reml=False",
            ComparisonWarning,
        ),
        (
            lambda d: (lmer("y ~ 1 + (1|person)", d, reml=True), lmer("y ~ x + (1|person)", d, reml=True)),
            "different fixed effects.*refit both with reml=False",
            ComparisonWarning,
        ),
    ],
)
def test_refusals_name_the_remedy(
    make: Callable[[pd.DataFrame], tuple[LmerFit, LmerFit]],
    message: str,
    category: type[Warning],
    unbalanced: pd.DataFrame,
) -> None:
    small, large = make(unbalanced)
    for function in (ps.anova, ps.compare):
        with pytest.raises(FitError, match=message + r".*\(force=True compares them all the same\)"):
            function(small, large)
        with pytest.warns(category, match=message):
            table = function(small, large, force=True)
        np.testing.assert_allclose(table.loglik, [small.loglik, large.loglik])
    assert ps.anova(large, large).chisq[1] == 0.0


def test_models_that_are_not_nested(unbalanced: pd.DataFrame) -> None:
    one, other = lmer("y ~ w + (1|person)", unbalanced), lmer(f"y ~ x + {RANDOM}", unbalanced)
    with pytest.raises(FitError, match=r"not nested \(column 'w' is not in the larger one\).*ps\.compare"):
        ps.anova(one, other)
    persons, items = lmer("y ~ x + (1|person)", unbalanced), lmer("y ~ x + w + (1|item)", unbalanced)
    with pytest.raises(FitError, match=r"\(1\|person\) is not in the larger one"):
        ps.anova(persons, items)
    with pytest.warns(ComparisonWarning, match="not nested"):
        assert ps.anova(persons, items, force=True).chisq_df[1] == 1
    assert ps.compare(persons, items).formula.tolist() == [persons.formula, items.formula]


def test_nested_by_other_names(unbalanced: pd.DataFrame) -> None:
    """A combination of the larger model's columns, and the same groups under another label, are nested."""
    frame = unbalanced.assign(both=2 * unbalanced.x - unbalanced.w, who=unbalanced.person.str.upper())
    small, large = lmer("y ~ both + (1|who)", frame), lmer("y ~ x + w + (1|person)", frame)
    row = ps.anova(small, large).iloc[1]
    assert row.chisq == pytest.approx(2 * (large.loglik - small.loglik)) and row.chisq > 0
    assert row.p_value == pytest.approx(stats.norm.sf(np.sqrt(row.chisq)) * 2)


def test_compare(unbalanced: pd.DataFrame) -> None:
    fits = [lmer(f"y ~ {fixed} + {RANDOM}", unbalanced) for fixed in ("x + w", "1", "x")]
    table = ps.compare(*fits)
    assert table.formula.tolist() == [fit.formula for fit in fits]
    for name in ("aic", "bic", "bic_hybrid"):
        np.testing.assert_allclose(table[f"delta_{name}"], [getattr(f, name) - min(table[name]) for f in fits])
    ratio = np.exp((fits[2].bic - fits[0].bic) / 2)  # the Bayes factor by BIC
    assert table.weight_bic[0] / table.weight_bic[2] == pytest.approx(ratio)
    assert table.weight_bic.sum() == pytest.approx(1.0)


def test_one_fit_is_not_a_comparison(fit: LmerFit) -> None:
    with pytest.raises(FitError, match=r"at least two fits.*fit\.tidy\(\)"):
        ps.anova(fit)
    with pytest.raises(FitError, match=r"at least two fits.*fit\.glance\(\)"):
        ps.compare(fit)
