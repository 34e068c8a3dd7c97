"""Our engine beside its peers: DataFrame in, fitted model out, nothing kept between rounds.

The peers are called as their users call them, except that ``lme4 engine`` is ours through pymer4's bridge, without
the tests and intervals that pymer4's own ``Lmer.fit`` adds to every fit.
"""

from __future__ import annotations

import contextlib
import io
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import pluristats as ps
from pluristats.errors import UnsupportedError

FEATURES = "release, 60 features, (1|annotator) + (1|prompt), ML"
NULL = "release, intercept, (1|annotator) + (1|prompt), ML"
INSTEVAL = "InstEval, service, (1|s) + (1|d), ML"
INSTEVAL_LOGLIK = -118_865.30768  # lme4's, as published with lme4's own comparisons of optimisers

Race = Callable[..., None]


@pytest.fixture(scope="session")
def need_r() -> None:
    """Skip with the engine's own reason where R is absent."""
    from pluristats.engine import lme4

    try:
        lme4.available()
    except UnsupportedError as reason:
        pytest.skip(str(reason))


def features_formula(frame: pd.DataFrame) -> str:
    features = [c for c in frame if c not in ("rating", "annotator", "prompt")]
    return f"rating ~ {' + '.join(features)} + (1|annotator) + (1|prompt)"


def ours(formula: str, frame: pd.DataFrame, engine: str = "native") -> Callable[[], float]:
    def fit() -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # two dependent columns are dropped, as everybody does here
            return float(ps.lmer(formula, frame, reml=False, engine=engine).loglik)

    return fit


def pymer4s(formula: str, frame: pd.DataFrame) -> Callable[[], float]:
    from pymer4.models import Lmer

    def fit() -> float:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            model = Lmer(formula, frame)
            model.fit(REML=False, summarize=False, no_warnings=True)
        return float(model.logLike)

    return fit


def mixedlms(formula: str, frame: pd.DataFrame) -> Callable[[], float]:
    mixedlm = pytest.importorskip("mixedlm")

    def fit() -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return float(mixedlm.lmer(formula, frame, REML=False).logLik().value)

    return fit


def test_features_native(race: Race, release: pd.DataFrame) -> None:
    race(FEATURES, "native", ours(features_formula(release), release), rounds=7)


def test_features_mixedlm(race: Race, release: pd.DataFrame) -> None:
    race(FEATURES, "mixedlm", mixedlms(features_formula(release), release), rounds=5)


def test_features_lme4_engine(race: Race, release: pd.DataFrame, need_r: None) -> None:
    race(FEATURES, "lme4 engine (pymer4's bridge)", ours(features_formula(release), release, "lme4"), rounds=3)


def test_features_pymer4(race: Race, release: pd.DataFrame, need_r: None) -> None:
    race(FEATURES, "pymer4 Lmer.fit", pymer4s(features_formula(release), release), rounds=3)


def test_null_native(race: Race, release: pd.DataFrame) -> None:
    race(NULL, "native", ours("rating ~ 1 + (1|annotator) + (1|prompt)", release), rounds=7)


def test_null_lme4_engine(race: Race, release: pd.DataFrame, need_r: None) -> None:
    race(
        NULL,
        "lme4 engine (pymer4's bridge)",
        ours("rating ~ 1 + (1|annotator) + (1|prompt)", release, "lme4"),
        rounds=3,
    )


def test_null_statsmodels_engine(race: Race, release: pd.DataFrame) -> None:
    fit = ours("rating ~ 1 + (1|annotator) + (1|prompt)", release, "statsmodels")
    race(NULL, "statsmodels engine", fit, rounds=2, warmup=0)


def test_null_statsmodels_formula(race: Race, release: pd.DataFrame) -> None:
    import statsmodels.formula.api as smf

    def fit() -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            components = {"a": "0 + C(annotator)", "p": "0 + C(prompt)"}
            frame = release.assign(everybody=1)
            model = smf.mixedlm("rating ~ 1", frame, groups="everybody", vc_formula=components, re_formula="0")
            return float(model.fit(reml=False).llf)

    race(NULL, "statsmodels vc_formula", fit, rounds=1, warmup=0)


@pytest.fixture(scope="session")
def insteval(tmp_path_factory: pytest.TempPathFactory, need_r: None) -> pd.DataFrame:
    """73,421 ratings of 1,128 lecturers by 2,972 students, exported from R's lme4."""
    path: Path = tmp_path_factory.mktemp("insteval") / "insteval.csv"
    code = f'write.csv(lme4::InstEval[c("s", "d", "service", "y")], "{path}", row.names = FALSE)'
    subprocess.run(["Rscript", "-e", code], check=True, capture_output=True)
    return pd.read_csv(path, dtype={"s": str, "d": str})


def test_insteval_native(race: Race, insteval: pd.DataFrame) -> None:
    fit = ours("y ~ service + (1|s) + (1|d)", insteval)
    assert fit() == pytest.approx(INSTEVAL_LOGLIK, abs=1e-4)
    race(INSTEVAL, "native", fit, rounds=2, warmup=0)


def test_insteval_mixedlm(race: Race, insteval: pd.DataFrame) -> None:
    race(INSTEVAL, "mixedlm", mixedlms("y ~ service + (1|s) + (1|d)", insteval), rounds=3)


def test_insteval_lme4_engine(race: Race, insteval: pd.DataFrame) -> None:
    fit = ours("y ~ service + (1|s) + (1|d)", insteval, "lme4")
    race(INSTEVAL, "lme4 engine (pymer4's bridge)", fit, rounds=2, warmup=0)
