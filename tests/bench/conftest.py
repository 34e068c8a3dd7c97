"""The benches' shared parts: what each engine reached, and the table of ratios at the end.

Run by ``make bench``; the files are named ``bench_*.py``, so that plain ``pytest`` does not collect them.
"""

from __future__ import annotations

import math
import os
import platform
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.reference.cases import release_frame


@dataclass(frozen=True)
class Timed:
    """One engine on one model."""

    model: str
    engine: str
    loglik: float
    seconds: float
    rounds: int


TIMED = pytest.StashKey[list[Timed]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TIMED] = []


@pytest.fixture(scope="session")
def release(release_path: Path) -> pd.DataFrame:
    """Ratings, 62 features, annotator and prompt (as text) of the release."""
    frame = release_frame(release_path)
    return frame.assign(annotator="a" + frame["annotator"].astype(str), prompt="p" + frame["prompt"].astype(str))


@pytest.fixture
def race(benchmark: Any, request: pytest.FixtureRequest) -> Callable[..., None]:
    """``race(model, engine, fit, rounds=…)`` times ``fit()``, which gives a log-likelihood (NaN where there is none).

    That is compared with what the engines before it reached: nobody wins by stopping early. ``times`` is how often the
    work was done in one call, so that seconds are of one; ``seconds`` were measured elsewhere (in R).
    """
    timed = request.config.stash[TIMED]

    def run(
        model: str,
        engine: str,
        fit: Callable[[], float],
        *,
        rounds: int,
        warmup: int = 1,
        times: int = 1,
        seconds: float | None = None,
    ) -> None:
        if seconds is not None:
            timed.append(Timed(model, engine, float("nan"), seconds, rounds))
            return
        loglik = benchmark.pedantic(fit, rounds=rounds, iterations=1, warmup_rounds=warmup)
        benchmark.extra_info.update(model=model, engine=engine, loglik=loglik)
        timed.append(Timed(model, engine, loglik, benchmark.stats.stats.median / times, rounds))
        for other in timed:
            if other.model == model and not math.isnan(loglik):
                assert loglik == pytest.approx(other.loglik, rel=1e-6), f"{engine} and {other.engine} disagree"

    return run


def machine() -> dict[str, str]:
    """Processor, cores, threads and versions: what the seconds depend on."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if "model name" in line]
        cpu = names[0] if names else cpu
    threads = {k: os.environ[k] for k in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS") if k in os.environ}
    found = {"cpu": cpu, "cores": str(os.cpu_count()), "python": platform.python_version()}
    found["threads"] = ", ".join(f"{k}={v}" for k, v in threads.items()) or "as the libraries choose"
    for name in ("numpy", "scipy", "pandas", "statsmodels", "pymer4", "rpy2", "mixedlm"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    code = 'cat(R.version.string, "with lme4", as.character(packageVersion("lme4")))'
    try:
        found["r"] = subprocess.run(["Rscript", "-e", code], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        found["r"] = "absent"
    return found


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict[str, Any]) -> None:
    machine_info["pluristats_bench"] = machine()


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    timed = config.stash.get(TIMED, [])
    if not timed:
        return
    write = terminalreporter.write_line
    terminalreporter.section("engines compared")
    for key, value in machine().items():
        write(f"{key:12} {value}")
    for model in dict.fromkeys(t.model for t in timed):
        entries = sorted((t for t in timed if t.model == model), key=lambda t: t.seconds)
        native = next((t.seconds for t in entries if t.engine.startswith("native")), None)
        write("")
        write(f"{model}, from the table to the result")
        write(f"  {'engine':34} {'median s':>10} {'rounds':>6} {'x native':>9}  log-likelihood")
        for t in entries:
            ratio = "" if native is None else f"{t.seconds / native:.2f}"
            loglik = "" if math.isnan(t.loglik) else f"{t.loglik:.6f}"
            write(f"  {t.engine:34} {t.seconds:10.4f} {t.rounds:6d} {ratio:>9}  {loglik}")
