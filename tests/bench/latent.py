"""How long training and inference of latent sequences take, by hidden units. Prints a Markdown table.

    python -m tests.bench.latent [UNITS ...] [--threads N]    32, 48, 64, 96 and 128 units, one thread by default

An epoch of the published size (9,000 agents of 720 trials, a tenth of them held out) is timed on 256 agents and
multiplied; times are the processor's, so that other jobs matter less, and with more than one thread they are the
clock's. With steps that grow (the default) an epoch sees fewer trials on average; the share is computed. Inference is
that of 1,024 agents of 150 trials, best of three. Weights do not matter for time.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable

import numpy as np

from pluristats.errors import LatentWarning
from pluristats.latent.estimator import Settings, infer, train
from pluristats.latent.estimator.net import need_torch
from pluristats.latent.estimator.steps import length, longest_share
from pluristats.latent.simulators import MODELS

N_AGENTS, N_TRIALS = 9000, 720
TIMED = 256


def main() -> None:
    """Print the table."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("units", nargs="*", type=int, default=[32, 48, 64, 96, 128])
    given.add_argument("--threads", type=int, default=1)
    chosen = given.parse_args()
    clock = time.process_time if chosen.threads == 1 else time.perf_counter
    need_torch().set_num_threads(chosen.threads)
    warnings.simplefilter("ignore", LatentWarning)
    print(f"{chosen.threads} thread(s); a growing epoch sees {seen(Settings()):.2f} of all trials on average\n")
    print("| units | epoch, all trials (s) | epoch, growing (s) | 40 epochs (min) | inference (agents/s) |")
    print("|---|---|---|---|---|")
    for units in chosen.units:
        whole, rate = epoch(units, chosen.threads, clock), inference(units, chosen.threads, clock)
        growing = whole * seen(Settings())
        print(f"| {units} | {whole:.0f} | {growing:.0f} | {40 * growing / 60:.0f} | {rate:,.0f} |", flush=True)


def seen(settings: Settings) -> float:
    """Share of the trials that are seen, over a training."""
    rng = np.random.default_rng(0)
    shares = [longest_share(settings, epoch) for epoch in range(settings.epochs)]
    return float(np.mean([length(N_TRIALS, settings.shortest, share, rng) for share in shares * 100]) / N_TRIALS)


def epoch(units: int, threads: int, clock: Callable[[], float]) -> float:
    """Seconds of an epoch of the published size, every step with all trials."""
    settings = Settings(units=units, epochs=1, shortest=1.0, threads=threads, held_out=0.1)
    n = round(TIMED / 0.9)
    train(MODELS["meta-rl"], n_agents=20, n_trials=10, settings=settings, device="cpu")  # what is done once
    begun = clock()
    train(MODELS["meta-rl"], n_agents=n, n_trials=N_TRIALS, settings=settings, device="cpu")
    return (clock() - begun) * N_AGENTS / n


def inference(units: int, threads: int, clock: Callable[[], float]) -> float:
    """Agents a second at 150 trials."""
    model = MODELS["meta-rl"]
    estimator = train(
        model, n_agents=20, n_trials=10, settings=Settings(units=units, epochs=1, threads=threads), device="cpu"
    )
    agents = model.simulate(n_agents=1024, n_trials=150, seed=1)
    seconds = []
    for _ in range(3):
        begun = clock()
        infer(estimator, agents, device="cpu", threads=threads)
        seconds.append(clock() - begun)
    return 1024 / min(seconds)


if __name__ == "__main__":
    main()
