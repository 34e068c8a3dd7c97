"""Work that fits many models: the parametric bootstrap, the mixed ladder, and large simulated studies."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import pluristats as ps
from tests.bench.bench_engines import features_formula, need_r

__all__ = ["need_r"]

Race = Callable[..., None]
BOOTSTRAP = "release, 60 features, crossed: one parametric bootstrap refit"
LADDER = "release, null and six mixed models of the ladder, (1|annotator) + (1|prompt)"
REFITS = 1000

R_BOOTSTRAP = """
suppressMessages(library(lme4))
d <- read.csv("{path}")
m <- lmer(as.formula("{formula}"), d, REML = FALSE)
set.seed(1)
t <- system.time(bootMer(m, fixef, nsim = {n}))[["elapsed"]]
cat(t / {n})
"""


def test_bootstrap_native(race: Race, release: pd.DataFrame) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = ps.lmer(features_formula(release), release, reml=False)

        def boot() -> float:
            fit.bootstrap(REFITS, kind="parametric", seed=1, progress=False)
            return float("nan")

        race(BOOTSTRAP, "native", boot, rounds=1, warmup=0, times=REFITS)


def test_bootstrap_lme4(race: Race, release: pd.DataFrame, need_r: None, tmp_path: Path) -> None:
    path, n = tmp_path / "release.csv", 5
    release.to_csv(path, index=False)
    code = R_BOOTSTRAP.format(path=path, formula=features_formula(release), n=n)
    out = subprocess.run(["Rscript", "-e", code], check=True, capture_output=True, text=True).stdout
    race(BOOTSTRAP, "lme4 bootMer", lambda: float("nan"), rounds=n, seconds=float(out))


def test_mixed_ladder(race: Race, release_path: Path) -> None:
    study = ps.load_study(release_path)

    def ladder() -> float:
        return float(ps.bic_ladder(study, "mixed").table["loglik"].iloc[-1])

    race(LADDER, "native", ladder, rounds=3)


@pytest.mark.parametrize(
    "size",
    [(1_000_000, 6_040, 3_706), pytest.param((10_000_000, 70_000, 10_000), marks=pytest.mark.slow)],
    ids=["1M", "10M"],
)
def test_scale(race: Race, size: tuple[int, int, int]) -> None:
    """A process of its own, so that its memory is its own; 10M takes minutes and 11 GiB (PLURISTATS_BENCH_10M=1)."""
    if size[0] > 1_000_000 and not os.environ.get("PLURISTATS_BENCH_10M"):
        pytest.skip("set PLURISTATS_BENCH_10M=1 for ten million ratings (about 7 minutes, 11 GiB)")
    command = [sys.executable, "-m", "tests.bench.scale", *map(str, size), "20"]
    run = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    found = json.loads(run.stdout)
    print(json.dumps(found, indent=1))
    assert found["status"] == "converged"
    assert found["largest_z"] < 4.5
