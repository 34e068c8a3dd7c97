"""Networks and the methods they are judged against, on the same simulated agents. Prints a Markdown table a model.

    python -m tests.bench.latent_methods FOLDER [MODEL ...] [--agents N] [--noise 1 2 0.5] [--jobs N]

Networks are read from FOLDER/MODEL; one that is not there is trained first, as :data:`EPOCHS` says, and stored. Test
agents have the published number of trials and seed 12345, which no training uses; with noise other than 1 the simulator
is noisier (or less noisy) than the one that all methods assume, but for those that are told the true parameters.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from pluristats.errors import LatentWarning
from pluristats.latent import baselines
from pluristats.latent.baselines import Inferred
from pluristats.latent.estimator import Estimator, Latents, Settings, infer, load, save, train
from pluristats.latent.metrics import balanced_accuracy, coverage, mean_rmse
from pluristats.latent.ratings import infer_ratings
from pluristats.latent.record import Array, Model, Simulated
from pluristats.latent.registry import MODELS
from pluristats.latent.simulators.glm_hmm import WEIGHT_MEANS

RATINGS = ("rating-drift", "rating-sequential", "rating-lapse")
EPOCHS = {"rl4": 14, "meta-rl": 40, "hrl": 20, "weber": 20, "glm-hmm": 24} | dict.fromkeys(RATINGS, 20)
"""Of the published number of agents (of ratings: 9,000 of 150 trials), drawn anew for each; one thread, seed 1."""
TEST_SEED = 12345
Z90 = 1.6448536269514722
REFERENCE = {"rl4": "MAP", "meta-rl": "MAP", "glm-hmm": "EM (MAP)"}
REFERENCE |= dict.fromkeys(("hrl", "weber"), "particle filter, fitted") | dict.fromkeys(RATINGS, "fitted likelihood")


@dataclass(frozen=True)
class Score:
    """One method on a set of agents: seconds, and what has no meaning is NaN."""

    method: str
    rmse: float
    accuracy: float
    covered: float
    seconds: float


def main() -> None:
    """Print the tables."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("folder", type=Path)
    given.add_argument("models", nargs="*", default=list(EPOCHS))
    given.add_argument("--agents", type=int, default=200)
    given.add_argument("--noise", type=float, nargs="+", default=[1.0, 2.0, 0.5])
    given.add_argument("--jobs", type=int, default=1)
    chosen = given.parse_args()
    warnings.simplefilter("ignore", LatentWarning)
    for name in chosen.models:
        model = MODELS[name]
        estimator = network(model, chosen.folder / name)
        minutes = sum(estimator.record.seconds) / 60
        print(f"\n## {name}: SIMULATED, {chosen.agents} agents of {model.n_trials} trials")
        print(f"network: {estimator.n_agents:,} agents x {len(estimator.record.seconds)} epochs, {minutes:.0f} min\n")
        print("| noise | method | RMSE | to reference | balanced accuracy | 90 % covers | s |")
        print("|---|---|---|---|---|---|---|")
        for noise in chosen.noise:
            agents = model.simulate(n_agents=chosen.agents, seed=TEST_SEED, noise=noise)
            rows = list(scores(model, agents, estimator, known=noise == 1.0, jobs=chosen.jobs))
            against = next(row for row in rows if row.method == REFERENCE[name])
            for row in rows:
                print(line(noise, row, against), flush=True)


def network(model: Model, folder: Path) -> Estimator:
    """The stored network, or one trained now."""
    if not folder.exists():
        settings = Settings(epochs=EPOCHS[model.name], threads=1)
        folder.parent.mkdir(parents=True, exist_ok=True)
        save(train(model, seed=1, settings=settings, device="cpu", progress=True), folder)
    return load(folder)


def scores(model: Model, agents: Simulated, estimator: Estimator, *, known: bool, jobs: int) -> Iterator[Score]:
    """Every method's score; those that are told the true parameters only where ``known``."""
    yield timed("network", agents, lambda: infer(estimator, agents, device="cpu"))
    yield from METHODS[model.name](model, agents, known, jobs)


def by_likelihood(model: Model, agents: Simulated, known: bool, jobs: int) -> Iterator[Score]:
    """Reinforcement learning: the right likelihood, maximised."""
    fitted = partial(baselines.fit_parameters, model, agents.trials, n_jobs=jobs)
    implied = partial(baselines.infer, model, trials=agents.trials)
    yield timed("MAP", agents, lambda: implied(fitted().parameters))
    yield timed("maximum likelihood", agents, lambda: implied(fitted(priors=None).parameters))
    if known and model.discrete:
        yield timed("true parameters", agents, lambda: implied(agents.parameters))


def by_states(model: Model, agents: Simulated, known: bool, jobs: int) -> Iterator[Score]:
    """Hidden Markov model: EM, and forward-backward with the true parameters."""
    yield timed("EM (MAP)", agents, lambda: baselines.fit_glm_hmm(agents.trials).inferred)
    average = np.tile(WEIGHT_MEANS.ravel(), (len(agents.parameters), 1))
    yield timed("forward-backward, prior means", agents, lambda: baselines.infer_glm_hmm(average, agents.trials))
    if known:
        yield timed("true parameters", agents, lambda: baselines.infer_glm_hmm(agents.parameters, agents.trials))


def by_particles(model: Model, agents: Simulated, known: bool, jobs: int) -> Iterator[Score]:
    """No likelihood in closed form: particles with fitted and with true parameters."""
    filtered = partial(baselines.filter_particles, model, trials=agents.trials)
    yield timed(
        "particle filter, fitted",
        agents,
        lambda: filtered(baselines.fit_particles(model, agents.trials).parameters),
    )
    if known:
        yield timed("particle filter, true parameters", agents, lambda: filtered(agents.parameters))
        yield timed("particle smoother, true parameters", agents, lambda: filtered(agents.parameters, lag=20))
    if known and model.name == "hrl":
        published = partial(baselines.filter_hrl_published, agents.parameters, agents.trials)
        yield timed("published filter, true parameters", agents, published)


def by_ratings(model: Model, agents: Simulated, known: bool, jobs: int) -> Iterator[Score]:
    """Models of ratings: exact filters, parameters integrated over as `infer_ratings` does, or the true ones."""
    yield timed("fitted likelihood", agents, lambda: infer_ratings(model, agents.trials))
    if known:
        yield timed("true parameters", agents, lambda: infer_ratings(model, agents.trials, agents.parameters))


METHODS = {
    "rl4": by_likelihood,
    "meta-rl": by_likelihood,
    "glm-hmm": by_states,
    "hrl": by_particles,
    "weber": by_particles,
} | dict.fromkeys(RATINGS, by_ratings)


def timed(method: str, agents: Simulated, does: Callable[[], Latents | Inferred]) -> Score:
    """Do it, and judge it."""
    begun = time.perf_counter()
    found = does()
    seconds = time.perf_counter() - begun
    rmse = accuracy = covered = np.nan
    if agents.continuous_names:
        true = agents.continuous[:, :, 0]
        mean, low, high = interval(found)
        rmse = mean_rmse(true, mean)
        covered = coverage(true, low, high) if (high > low).any() else np.nan
    if agents.discrete_names:
        accuracy = balanced_accuracy(agents.discrete[:, :, 0], found.states[:, :, 0])
    return Score(method, rmse, accuracy, covered, seconds)


def interval(found: Latents | Inferred) -> tuple[Array, Array, Array]:
    """Means and the ends of 90 % intervals of the first continuous latent."""
    if isinstance(found, Latents):
        low, high = found.interval(0.9)
        return found.mean[:, :, 0], low[:, :, 0], high[:, :, 0]
    mean, sd = found.continuous[:, :, 0], found.continuous_sd[:, :, 0]
    return mean, mean - Z90 * sd, mean + Z90 * sd


def line(noise: float, row: Score, against: Score) -> str:
    """Markdown."""
    values = [
        f"{row.rmse:.4f}" if np.isfinite(row.rmse) else "",
        f"{row.rmse / against.rmse:.3f}" if np.isfinite(row.rmse) else "",
        f"{row.accuracy:.4f}" if np.isfinite(row.accuracy) else "",
        f"{100 * row.covered:.1f}" if np.isfinite(row.covered) else "",
        f"{row.seconds:.1f}",
    ]
    return f"| {noise:g} | {row.method} | {' | '.join(values)} |"


if __name__ == "__main__":
    main()
