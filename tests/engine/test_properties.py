"""What must not matter does not, and what must scale scales exactly: properties of ``lmer`` on random small tables."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import pluristats as ps
from pluristats.errors import FitError, RankDeficientWarning, SingularFitWarning
from pluristats.models import LmerFit

FORMULA = "y ~ x + z + (1|g) + (1|h)"


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    n = draw(st.integers(24, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    frame = pd.DataFrame({"x": rng.normal(size=n), "z": rng.normal(size=n)})
    for name, levels in (("g", 6), ("h", 4)):
        frame[name] = np.r_[np.arange(levels), rng.integers(0, levels, n - levels)]
    effects = [draw(st.sampled_from([0.0, 1.0, 3.0])) * rng.normal(size=6) for _ in range(2)]
    frame["y"] = frame.x + rng.normal(size=n) + effects[0][frame.g] + effects[1][frame.h]
    return frame


def fit(frame: pd.DataFrame, formula: str = FORMULA, *, reml: bool = True, dropped: str | None = None) -> LmerFit:
    """A fit with exactly the warnings that it should have."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = ps.lmer(formula, frame, reml=reml)
        except FitError:
            assume(False)
    ours = {w.category for w in caught}
    expected = {SingularFitWarning} if result.singular else set()
    assert ours == expected | ({RankDeficientWarning} if dropped else set())
    assert result.dropped_columns == ((dropped,) if dropped else ())
    return result


def assert_same(a: LmerFit, b: LmerFit, *, random: bool = True) -> None:
    assert b.loglik == pytest.approx(a.loglik, rel=1e-9, abs=1e-9)
    np.testing.assert_allclose(b.theta, a.theta, rtol=1e-4, atol=1e-5)
    assert b.sigma == pytest.approx(a.sigma, rel=1e-5)
    se = np.sqrt(np.diag(a.vcov))
    np.testing.assert_allclose((b.fixef[a.fixef.index] - a.fixef) / se, 0, atol=1e-5)
    if random:
        np.testing.assert_allclose(b.ranef().estimate, a.ranef().estimate, atol=1e-4 * a.sigma)


common = settings(max_examples=25, deadline=5000)


@given(frame=tables(), reml=st.booleans(), seed=st.integers(0, 99))
@common
def test_row_order(frame: pd.DataFrame, reml: bool, seed: int) -> None:
    shuffled = frame.sample(frac=1, random_state=seed)
    a, b = fit(frame, reml=reml), fit(shuffled, reml=reml)
    assert_same(a, b)
    np.testing.assert_allclose(pd.Series(b.fitted, index=b.index)[a.index], a.fitted, atol=1e-4)


@given(frame=tables(), reml=st.booleans(), names=st.permutations(range(6)))
@common
def test_relabelled_levels(frame: pd.DataFrame, reml: bool, names: list[int]) -> None:
    labels = [f"level {k}" for k in names]
    other = frame.assign(g=[labels[k] for k in frame.g])
    a, b = fit(frame, reml=reml), fit(other, reml=reml)
    assert_same(a, b, random=False)
    assert b.bic_hybrid == pytest.approx(a.bic_hybrid, rel=1e-9)
    before, after = (m.ranef().query("group == 'g'").set_index("level").estimate for m in (a, b))
    np.testing.assert_allclose(after[[labels[k] for k in before.index]], before, atol=1e-4 * a.sigma)


@given(frame=tables(), reml=st.booleans(), shift=st.floats(-1e3, 1e3), scale=st.sampled_from([-7.0, 1e-6, 0.3, 1e6]))
@common
def test_affine_response(frame: pd.DataFrame, reml: bool, shift: float, scale: float) -> None:
    """Of y → shift + scale·y: β and σ scale, theta stays, ℓ falls by log|scale| a degree of freedom."""
    a, b = fit(frame, reml=reml), fit(frame.assign(y=shift + scale * frame.y), reml=reml)
    np.testing.assert_allclose(b.theta, a.theta, rtol=1e-4, atol=1e-5)
    degrees = a.nobs - 3 if reml else a.nobs
    assert b.loglik == pytest.approx(a.loglik - degrees * np.log(abs(scale)), rel=1e-8, abs=1e-6)
    assert b.sigma == pytest.approx(abs(scale) * a.sigma, rel=1e-5)
    expected = scale * a.fixef + [shift, 0, 0]
    np.testing.assert_allclose((b.fixef - expected) / np.sqrt(np.diag(b.vcov)), 0, atol=1e-4)
    np.testing.assert_allclose(b.vcov, scale**2 * a.vcov, rtol=1e-4, atol=1e-6 * scale**2)
    r2 = a.r2(), b.r2()
    assert r2[1].marginal == pytest.approx(r2[0].marginal, abs=1e-5)
    assert r2[1].conditional == pytest.approx(r2[0].conditional, abs=1e-5)


@given(frame=tables(), reml=st.booleans(), shift=st.floats(-1e6, 1e6), scale=st.sampled_from([-7.0, 1e-12, 0.3, 1e12]))
@common
def test_affine_column(frame: pd.DataFrame, reml: bool, shift: float, scale: float) -> None:
    """Of x → scale·(x + shift): its coefficient is divided, the intercept moves; REML's ℓ changes by log|scale|."""
    a, b = fit(frame, reml=reml), fit(frame.assign(x=scale * (frame.x + shift)), reml=reml)
    np.testing.assert_allclose(b.theta, a.theta, rtol=1e-4, atol=1e-5)
    assert b.loglik == pytest.approx(a.loglik - (np.log(abs(scale)) if reml else 0), rel=1e-8, abs=1e-7)
    se = np.sqrt(np.diag(a.vcov))
    assert (b.fixef.x * scale - a.fixef.x) / se[1] == pytest.approx(0, abs=1e-5)
    assert (b.fixef.z - a.fixef.z) / se[2] == pytest.approx(0, abs=1e-5)
    intercept = b.fixef.iloc[0] + scale * shift * b.fixef.x
    assert (intercept - a.fixef.iloc[0]) / se[0] == pytest.approx(0, abs=1e-4)
    np.testing.assert_allclose(b.fitted, a.fitted, atol=1e-4)


@given(frame=tables(), reml=st.booleans(), scale=st.sampled_from([1.0, -2.0, 1e9]), shift=st.sampled_from([0.0, 5.0]))
@common
def test_copy_of_a_column_is_dropped_by_name(frame: pd.DataFrame, reml: bool, scale: float, shift: float) -> None:
    other = frame.assign(copy=scale * frame.x + shift)
    a = fit(frame, reml=reml)
    b = fit(other, "y ~ x + z + copy + (1|g) + (1|h)", reml=reml, dropped="copy")
    assert_same(a, b)
    assert b.df == a.df and b.bic == pytest.approx(a.bic, rel=1e-9)


@given(frame=tables(), reml=st.booleans(), value=st.sampled_from([0.0, 1.0, 0.1, -1e9]))
@common
def test_constant_column_is_dropped_by_name(frame: pd.DataFrame, reml: bool, value: float) -> None:
    b = fit(frame.assign(k=value), "y ~ k + x + z + (1|g) + (1|h)", reml=reml, dropped="k")
    assert_same(fit(frame, reml=reml), b)


@given(frame=tables(), reml=st.booleans())
@common
def test_order_of_the_terms(frame: pd.DataFrame, reml: bool) -> None:
    """Factors keep lme4's order of theta (by size) however they are written."""
    a, b = fit(frame, reml=reml), fit(frame, "y ~ (1|h) + z + (1|g) + x", reml=reml)
    assert a.theta_names == b.theta_names == ("g.(Intercept)", "h.(Intercept)")
    assert_same(a, b)
    assert b.terms == ("(Intercept)", "z", "x")
