"""Where the milliseconds of one fit go: python -m tests.bench.stages RELEASE."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from pluristats.engine import native
from pluristats.engine.crossproducts import crossproducts
from pluristats.engine.profiled import project
from pluristats.engine.result import Problem
from pluristats.engine.threads import one_blas_thread
from pluristats.formula import build_design
from tests.reference.cases import release_frame


def median_ms(work: Callable[[], object], rounds: int = 15) -> float:
    """Median milliseconds of a call."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return 1e3 * sorted(times)[rounds // 2]


def main(release: Path) -> None:
    """Print the stages of the all-features crossed model."""
    warnings.simplefilter("ignore")
    frame = release_frame(release)
    features = [c for c in frame if c not in ("rating", "annotator", "prompt")]
    formula = f"rating ~ {' + '.join(features)} + (1|annotator) + (1|prompt)"
    design = build_design(formula, frame)
    problem = native.in_theta_order(Problem(design.y, design.x, design.x_names, design.factors))
    held = crossproducts(problem)
    projected = project(held)
    stages: tuple[tuple[str, Callable[[], object]], ...] = (
        ("design", lambda: build_design(formula, frame)),
        ("cross-products", lambda: crossproducts(problem)),
        ("projection", lambda: project(held)),
        ("optimum", lambda: native.optimise(projected, reml=False)),
        ("whole engine", lambda: native.fit(problem, reml=False)),
    )
    with one_blas_thread():
        for name, work in stages:
            print(f"{name:16} {median_ms(work):7.2f} ms")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
