"""lme4 through pymer4's bridge: against the stored values, against the native engine live, and its refusals."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pluristats.engine import native
from pluristats.engine.result import EngineFit, Factor, Problem
from pluristats.errors import FitError, FormulaError, PluristatsWarning, UnsupportedError
from tests.engine.agreement import assert_agrees
from tests.reference.cases import problem, release_frame, small_frame, stored

SMALL, SLOPES = stored("small"), stored("slopes")
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.r
@pytest.mark.parametrize("name", SMALL)
def test_stored_values(name: str, lme4: ModuleType) -> None:
    case = SMALL[name]
    prob = problem(case, small_frame(case["data"]))
    # lme4's default optimiser stops at an absolute tolerance of 1e-8 in theta and deviance, and a little before.
    assert_agrees(case, prob, lme4.fit(prob, reml=case["reml"]), theta=3e-4)


def sleepstudy(columns: dict[str, str] | None = None) -> tuple[Problem, pd.DataFrame]:
    frame = small_frame("sleepstudy").rename(columns=columns or {})
    x = np.column_stack([np.ones(len(frame)), frame.iloc[:, 1]])
    return Problem(frame.iloc[:, 0].to_numpy(float), x, ("(Intercept)", "days"), ()), frame


@pytest.mark.r
@pytest.mark.parametrize("name", SLOPES)
def test_random_slopes(name: str, lme4: ModuleType) -> None:
    case = SLOPES[name]
    prob, frame = sleepstudy()
    fit = lme4.fit(prob, reml=case["reml"], frame=frame, random=case["random"])
    assert fit.loglik == pytest.approx(case["loglik"], rel=1e-8)
    assert fit.theta_names == tuple(case["theta"])
    np.testing.assert_allclose(fit.theta, list(case["theta"].values()), atol=1e-4)
    np.testing.assert_allclose(fit.beta, list(case["fixef"].values()), rtol=1e-6)
    np.testing.assert_allclose(np.sqrt(np.diag(fit.vcov)), list(case["se"].values()), rtol=1e-4)
    (effects,) = fit.random
    assert effects.factor == "subject"
    assert effects.terms == ("(Intercept)", "days")
    assert effects.levels[0] == 308
    blocks = [np.array(v) for v in case["varcorr"].values()]
    expected = blocks[0] if len(blocks) == 1 else np.diag([b.item() for b in blocks])
    np.testing.assert_allclose(effects.covariance, expected, rtol=1e-3, atol=1e-8)
    assert effects.modes.shape == effects.mode_sd.shape == (18, 2)
    assert np.isfinite(effects.mode_sd).all()


@pytest.mark.r
def test_modes_with_slopes_solve_the_mixed_model_equations(lme4: ModuleType) -> None:
    prob, frame = sleepstudy()
    fit = lme4.fit(prob, reml=True, frame=frame, random="(1 + days | subject)")
    (effects,) = fit.random
    rows = np.flatnonzero(frame["subject"] == effects.levels[4])
    z = prob.x[rows]
    covariance = effects.covariance / fit.sigma**2
    inverse = np.linalg.inv(z.T @ z + np.linalg.inv(covariance))
    modes = inverse @ z.T @ (prob.y[rows] - prob.x[rows] @ fit.beta)
    np.testing.assert_allclose(effects.modes[4], modes, rtol=1e-6)
    np.testing.assert_allclose(effects.mode_sd[4], fit.sigma * np.sqrt(np.diag(inverse)), rtol=1e-6)


@pytest.mark.r
def test_any_column_name_will_do(lme4: ModuleType) -> None:
    odd = {"days": "pg0_ + system('x') é", "subject": "if"}
    prob, frame = sleepstudy(odd)
    fit = lme4.fit(prob, reml=True, frame=frame, random=f"(1 + `{odd['days']}` | `if`)")
    assert fit.loglik == pytest.approx(SLOPES["correlated_reml"]["loglik"], rel=1e-8)
    assert fit.random[0].factor == "if"
    assert fit.random[0].terms == ("(Intercept)", odd["days"])


@pytest.mark.r
def test_categorical_slopes(lme4: ModuleType) -> None:
    """A two-level text column has the slope of its indicator."""
    prob, frame = sleepstudy()
    frame = frame.assign(late=np.where(frame["days"] > 4, "yes", "no"), number=(frame["days"] > 4).astype(float))
    text = lme4.fit(prob, reml=True, frame=frame, random="(1 + late | subject)")
    number = lme4.fit(prob, reml=True, frame=frame, random="(1 + number | subject)")
    assert text.loglik == pytest.approx(number.loglik, rel=1e-12)
    assert text.random[0].terms == ("(Intercept)", "lateyes")


@pytest.mark.r
def test_without_fixed_effects(lme4: ModuleType) -> None:
    case = SMALL["dyestuff_ml"]
    prob = problem(case, small_frame("dyestuff"))
    empty = Problem(prob.y, prob.x[:, :0], (), prob.factors)
    fit = lme4.fit(empty, reml=False)
    assert fit.beta.shape == (0,) and fit.vcov.shape == (0, 0) and fit.kept.shape == (0,)
    assert fit.loglik == pytest.approx(native.fit(empty, reml=False).loglik, rel=1e-8)


@pytest.mark.r
def test_lme4s_own_warnings_are_raised_in_its_words(lme4: ModuleType) -> None:
    case = SMALL["unbalanced_ml"]
    prob = problem(case, small_frame("unbalanced"))
    x = prob.x.copy()
    x[:, 3] *= 1e6
    with pytest.warns(PluristatsWarning, match="very different scales"):
        lme4.fit(Problem(prob.y, x, prob.x_names, prob.factors), reml=False)


@pytest.mark.r
def test_lme4s_refusal_is_one_sentence(lme4: ModuleType) -> None:
    prob, frame = sleepstudy()
    frame = frame.assign(row=np.arange(len(frame)))
    with pytest.raises(FitError, match=r"lme4 refused the model: .*number of levels") as caught:
        lme4.fit(prob, reml=True, frame=frame, random="(1 | row)")
    assert "\n" not in str(caught.value)


@pytest.mark.r
def test_prints_nothing(lme4: ModuleType, capfd: pytest.CaptureFixture[str]) -> None:
    case = SMALL["singular_two_ml"]
    lme4.fit(problem(case, small_frame("singular_two")), reml=False)
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""


@pytest.mark.r
def test_record_tells_what_lme4_said(lme4: ModuleType) -> None:
    singular = SMALL["singular_two_ml"]
    record = lme4.fit(problem(singular, small_frame("singular_two")), reml=False).optimizer
    assert record.status == "boundary"
    assert "singular" in record.message
    assert "lme4" in record.name
    assert record.n_evaluations > 5
    inside = SMALL["three_reml"]
    record = lme4.fit(problem(inside, small_frame("three")), reml=True).optimizer
    assert record.gradient_norm < 0.1
    assert record.hessian_min_eigenvalue > 0


# ---- refusals that need no R ----


def test_refuses_a_frame_of_other_rows() -> None:
    from pluristats.engine import lme4

    prob, frame = sleepstudy()
    with pytest.raises(FitError, match="180 rows; it has 179"):
        lme4.fit(prob, reml=True, frame=frame.iloc[1:], random="(1 | subject)")
    with pytest.raises(FitError, match="it has none"):
        lme4.fit(prob, reml=True, random="(1 | subject)")


def test_refuses_a_model_without_random_effects() -> None:
    from pluristats.engine import lme4

    with pytest.raises(UnsupportedError, match='engine="native"'):
        lme4.fit(sleepstudy()[0], reml=True)


def test_refuses_infinite_slopes_variables() -> None:
    from pluristats.engine import lme4

    prob, frame = sleepstudy()
    frame = frame.assign(days=frame["days"].astype(float).replace(3.0, np.inf))
    with pytest.raises(FitError, match=r"'days'.*row 3"):
        lme4.fit(prob, reml=True, frame=frame, random="(1 + days | subject)")


def test_reads_the_random_part_before_it_needs_r() -> None:
    from pluristats.engine import lme4

    prob, frame = sleepstudy()
    with pytest.raises(FormulaError, match="'nights'"):
        lme4.fit(prob, reml=True, frame=frame, random="(1 + nights | subject)")


def test_says_what_to_install_where_r_is_missing(tmp_path: Path) -> None:
    """A process that cannot find R."""
    code = (
        "from tests.engine.test_lme4 import sleepstudy\n"
        "from pluristats.engine import lme4\n"
        "from pluristats.errors import UnsupportedError\n"
        "prob, frame = sleepstudy()\n"
        "try:\n    lme4.fit(prob, frame=frame, random='(1 | subject)')\n"
        "except UnsupportedError as error:\n    print(error)\n"
    )
    env = {k: v for k, v in os.environ.items() if not k.startswith("R_")}
    env |= {"PATH": str(tmp_path), "R_HOME": str(tmp_path / "none")}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "apt-get install r-base-core r-cran-lme4" in done.stdout
    assert "pip install 'pluristats[r]'" in done.stdout
    assert done.stdout.count("\n") == 1


# ---- live parity with the native engine ----


def grown(seed: int, design: str, p: int, sd: tuple[float, float]) -> Problem:
    """Simulated ratings: crossed, crossed with most cells missing, or nested."""
    rng = np.random.default_rng(seed)
    if design == "nested":
        outer = np.repeat(np.arange(10), rng.integers(4, 14, 10))
        inner = outer * 3 + rng.integers(0, 3, len(outer))
    else:
        outer, inner = (a.ravel() for a in np.meshgrid(np.arange(12), np.arange(9), indexing="ij"))
        keep = rng.random(len(outer)) < (1.0 if design == "crossed" else 0.5)
        keep[:12] = keep[-12:] = True
        outer, inner = np.repeat(outer[keep], 2), np.repeat(inner[keep], 2)
    n = len(outer)
    factors = []
    effects = np.zeros(n)
    for name, labels, s in (("g", outer, sd[0]), ("h", inner, sd[1])):
        levels, codes = np.unique(labels, return_inverse=True)
        factors.append(Factor(name, codes, tuple(levels.tolist())))
        effects += s * rng.normal(size=len(levels))[codes]
    x = np.column_stack([np.ones(n), rng.normal(size=(n, p))])
    y = x @ rng.normal(size=p + 1) + effects + rng.normal(size=n)
    return Problem(y, x, ("(Intercept)", *(f"x{j}" for j in range(p))), tuple(factors))


def assert_same(ours: EngineFit, theirs: EngineFit) -> None:
    """Within what lme4's own tolerance leaves open; ours never lower."""
    assert ours.loglik >= theirs.loglik - 1e-9 * abs(theirs.loglik)
    assert ours.loglik == pytest.approx(theirs.loglik, rel=1e-6)
    se = np.sqrt(np.diag(theirs.vcov))
    assert np.abs((ours.beta - theirs.beta) / se).max() < 1e-4
    np.testing.assert_allclose(np.sqrt(np.diag(ours.vcov)), se, rtol=1e-3)
    assert ours.theta_names == theirs.theta_names
    np.testing.assert_allclose(ours.theta, theirs.theta, atol=5e-3)


@pytest.mark.r
@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10_000),
    design=st.sampled_from(["crossed", "unbalanced", "nested"]),
    p=st.integers(0, 3),
    sd=st.tuples(st.sampled_from([0.0, 0.3, 1.0, 3.0]), st.sampled_from([0.0, 0.5, 1.5])),
    reml=st.booleans(),
)
def test_native_is_lme4_on_random_designs(
    lme4: ModuleType, seed: int, design: str, p: int, sd: tuple[float, float], reml: bool
) -> None:
    prob = grown(seed, design, p, sd)
    assert_same(native.fit(prob, reml=reml), lme4.fit(prob, reml=reml))


@pytest.mark.r
@pytest.mark.release
@pytest.mark.slow
@pytest.mark.parametrize("reml", [False, True])
def test_native_is_lme4_on_the_release(lme4: ModuleType, release_path: Path, reml: bool) -> None:
    case = stored("release")["features_crossed_ml"]
    prob = problem(case, release_frame(release_path))
    ours, theirs = native.fit(prob, reml=reml), lme4.fit(prob, reml=reml)
    assert ours.loglik == pytest.approx(theirs.loglik, rel=1e-8)
    se = np.sqrt(np.diag(theirs.vcov))
    assert np.abs((ours.beta - theirs.beta) / se).max() < 1e-5
    assert ours.kept.tolist() == theirs.kept.tolist()


@pytest.mark.r
def test_child_processes_run_this_python_after_r_is_loaded(lme4: ModuleType) -> None:
    """R changes LD_LIBRARY_PATH, with which a notebook's kernel would start under the system's libpython."""
    lme4.available()
    code = "import platform; print(platform.python_version())"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert child.stdout.strip() == platform.python_version()
