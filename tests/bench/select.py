"""How near to the bound each way of selecting comes in equal processor time. Prints Markdown tables.

    python -m tests.bench.select [SECONDS ...] [--seeds N]    5 and 60 seconds, 5 seeds by default: about 45 minutes

The pool is `simulate_pool(seed=0)`: 62,612 candidates, 150 chosen, the paper's target, at most two a seed. Every run
has one thread and its budget in seconds of the processor, so that other jobs on the machine do not matter; compiling
and reading are not counted. One run serves all budgets: what it had found by then. Annealing's length is a setting, so
it is also run once a budget with as many moves as fill it.

pygad, pymoo and DEAP have their own operators on 150 whole numbers, the rows: a place has a harm level and takes rows
of that level, so that uniform crossover and random resetting keep the levels' counts. Two rows the same and a third of
a seed add 1 to the energy for each. Energies of a population are computed by our compiled kernel, which is faster than
anything that these libraries' users would write in Python.
"""

from __future__ import annotations

import argparse
import contextlib
import platform
import time
import types
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from pluristats.select import evaluate_selection, search, select_prompts, simulate_pool
from pluristats.select.bound import lower_bound
from pluristats.select.kernels.problem import Problem, energy_of, jit
from pluristats.select.select import _prepare, _Prepared
from pluristats.select.settings import Settings
from pluristats.select.simulate import OUT_OF_REACH
from pluristats.study import load_study

POPULATION, RESET, TOURNAMENT = 60, 0.01, 3
# Moves of annealing a second of this kind of machine, a little less than it makes.
MOVES = 3_500_000
RELEASE = Path(__file__).resolve().parents[3] / "shared" / "pluriharms"
Trace = list[tuple[float, float]]
Run = Callable[[_Prepared, int, float], Trace]


class Spent(Exception):
    """The budget is."""


class Clock:
    """Best distance so far, by seconds of the processor; raises `Spent` at the end."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.begun, self.trace = seconds, time.process_time(), [(0.0, np.inf)]

    def saw(self, energies: np.ndarray) -> None:
        """Note the energies of a generation."""
        now = time.process_time() - self.begun
        if now > self.seconds:
            raise Spent
        self.trace.append((now, min(self.trace[-1][1], float(np.sqrt(max(energies.min(), 0.0))))))


@jit
def energies_of(pb: Problem, population: np.ndarray) -> np.ndarray:
    """Energy of each, and 1 for each row too many."""
    out = np.empty(len(population))
    for p in range(len(population)):
        rows = population[p]
        seeds, inside, extra = np.zeros(len(pb.cap), np.int64), np.zeros(len(pb.level), np.bool_), 0
        for i in rows:
            seeds[pb.seed[i]] += 1
            extra += int(inside[i]) + int(seeds[pb.seed[i]] > pb.cap[pb.seed[i]])
            inside[i] = True
        out[p] = energy_of(pb, rows) + extra
    return out


def places(problem: _Prepared) -> tuple[np.ndarray, np.ndarray]:
    """First and last row that each place may take, (150,) each."""
    first, level = problem.arrays.problem.first, np.repeat(np.arange(len(problem.counts)), problem.counts)
    return first[level], first[level + 1] - 1


def random_rows(problem: _Prepared, seed: int) -> np.ndarray:
    """A population of random rows."""
    low, high = places(problem)
    return np.random.default_rng(seed).integers(low, high + 1, (POPULATION, len(low)))


def ours(method: str, **settings: Any) -> Run:
    """One of ours, with the processor's clock."""

    def run(problem: _Prepared, seed: int, seconds: float) -> Trace:
        found = search.search(
            problem.arrays, problem.counts, Settings(method=method, seconds=seconds, patience=0, **settings), seed
        )
        return [(0.0, np.inf), *((at, distance) for _, _, distance, _, at in found.trace)]

    return run


def long_annealing(problem: _Prepared, seed: int, seconds: float) -> Trace:
    """One annealing run that fills the budget."""
    return ours("annealing", offspring=1, generations=1, moves=int(MOVES * seconds))(problem, seed, 10 * seconds)


def pygad(problem: _Prepared, seed: int, seconds: float) -> Trace:
    """Tournament, uniform crossover, random resetting, one elite."""
    import pygad as library

    low, high = places(problem)
    pb, clock = problem.arrays.problem, Clock(seconds)

    def fitness(_: Any, solutions: Any, __: Any) -> Any:
        return -energies_of(pb, np.atleast_2d(np.asarray(solutions, dtype=np.int64)))

    def look(ga: Any) -> str | None:
        try:
            clock.saw(-np.asarray(ga.last_generation_fitness))
        except Spent:
            return "stop"
        return None

    algorithm = library.GA(
        num_generations=10**9, num_parents_mating=POPULATION, initial_population=random_rows(problem, seed),
        fitness_func=fitness, fitness_batch_size=POPULATION, gene_type=int, keep_elitism=1,
        gene_space=[range(a, b + 1) for a, b in zip(low, high, strict=True)],
        parent_selection_type="tournament", K_tournament=TOURNAMENT,
        crossover_type="uniform", crossover_probability=0.9,
        mutation_type="random", mutation_probability=RESET, random_seed=seed, suppress_warnings=True,
        on_generation=look,
    )  # fmt: skip
    algorithm.run()
    return clock.trace


def pymoo(problem: _Prepared, seed: int, seconds: float) -> Trace:
    """Its genetic algorithm (the fittest of parents and children stay), uniform crossover, random resetting."""
    from pymoo.algorithms.soo.nonconvex.ga import GA
    from pymoo.core.mutation import Mutation
    from pymoo.core.problem import Problem as Base
    from pymoo.operators.crossover.ux import UniformCrossover
    from pymoo.optimize import minimize

    low, high = places(problem)
    pb, clock = problem.arrays.problem, Clock(seconds)

    class Selecting(Base):
        def __init__(self) -> None:
            super().__init__(n_var=len(low), n_obj=1, xl=low, xu=high, vtype=int)

        def _evaluate(self, x: Any, out: Any, *_: Any, **__: Any) -> None:
            out["F"] = energies_of(pb, np.asarray(x, dtype=np.int64))
            clock.saw(out["F"])

    class Reset(Mutation):
        def _do(self, _: Any, x: Any, *__: Any, random_state: Any = None, **___: Any) -> Any:
            new = random_state.integers(low, high + 1, x.shape)
            return np.where(random_state.random(x.shape) < RESET, new, x)

    algorithm = GA(
        pop_size=POPULATION,
        sampling=random_rows(problem, seed),
        crossover=UniformCrossover(prob=0.9),
        mutation=Reset(),
        eliminate_duplicates=False,
    )
    with contextlib.suppress(Spent):
        minimize(Selecting(), algorithm, ("n_gen", 10**9), seed=seed)
    return clock.trace


def deap(problem: _Prepared, seed: int, seconds: float) -> Trace:
    """Tournament, uniform crossover, uniform resetting, the fittest stays."""
    import random

    from deap import base, creator, tools

    low, high = (edge.tolist() for edge in places(problem))
    pb = problem.arrays.problem
    if not hasattr(creator, "Rows"):
        creator.create("Least", base.Fitness, weights=(-1.0,))
        creator.create("Rows", list, fitness=creator.Least)
    random.seed(seed)
    clock = Clock(seconds)
    population = [creator.Rows(rows) for rows in random_rows(problem, seed).tolist()]
    try:
        while True:
            for each, energy in zip(population, energies_of(pb, np.array(population)), strict=True):
                each.fitness.values = (energy,)
            clock.saw(np.array([each.fitness.values[0] for each in population]))
            best = tools.selBest(population, 1)[0]
            children = [creator.Rows(each) for each in tools.selTournament(population, POPULATION - 1, TOURNAMENT)]
            for a, b in zip(children[::2], children[1::2], strict=False):
                if random.random() < 0.9:
                    tools.cxUniform(a, b, 0.5)
            for child in children:
                tools.mutUniformInt(child, low, high, RESET)
            population = [best, *children]
    except Spent:
        pass
    return clock.trace


METHODS: dict[str, tuple[Run, str]] = {
    "memetic": (ours("memetic"), "genetic algorithm with local search, the default"),
    "annealing": (ours("annealing", offspring=1), "runs of 20 million moves, the best"),
    "annealing, one run": (long_annealing, f"{MOVES / 1e6:.1f} million moves a second of the budget"),
    "genetic": (ours("genetic"), "the same operators without local search, population 60"),
    "DEAP": (deap, "population 60"),
    "pymoo": (pymoo, "population 60"),
    "pygad": (pygad, "population 60"),
    "greedy": (ours("greedy"), "one row after the other; ends by itself"),
    "random": (ours("random"), "the best of random selections"),
}


def by(trace: Iterable[tuple[float, float]], seconds: float) -> float:
    """Best distance at that time; infinite before the first."""
    return min((distance for at, distance in trace if at <= seconds), default=np.inf)


def compare(budgets: Sequence[float], seeds: int) -> None:
    """The table of all methods."""
    problem = _prepare(simulate_pool(seed=0), None, 150, None, None, None)
    floor = lower_bound(problem.pool, problem.checked).distance
    energies_of(problem.arrays.problem, random_rows(problem, 0))
    print(f"{len(problem.pool):,} candidates, 150 chosen; bound {floor:.5f}; {seeds} seeds\n")
    print("| method | " + " | ".join(f"{s:g} s: median (all)" for s in budgets) + " | |")
    print("|---|" + "---|" * len(budgets) + "---|", flush=True)
    for name, (run, what) in METHODS.items():
        found: dict[float, list[float]] = {}
        for seed in range(1, (2 if name == "greedy" else seeds + 1)):
            if name == "annealing, one run":
                traces = {s: run(problem, seed, s) for s in budgets}
            else:
                traces = dict.fromkeys(budgets, run(problem, seed, max(budgets)))
            for s, trace in traces.items():
                late = np.inf if name in ("greedy", "annealing, one run") else s  # they end by themselves
                found.setdefault(s, []).append(by(trace, late) / floor)
        cells = (f"{np.median(r):.3f} ({', '.join(f'{x:.3f}' for x in sorted(r))})" for r in found.values())
        print(f"| {name} | " + " | ".join(cells) + f" | {what} |", flush=True)


def out_of_reach(seconds: float, seeds: int) -> None:
    """A pool whose rarest categories have too little mass."""
    pool = simulate_pool(seed=0, skew=OUT_OF_REACH)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [select_prompts(pool, seed=s, seconds=seconds, patience=0) for s in range(1, seeds + 1)]
    assert found[0].bound is not None
    ratios = np.array([f.distance for f in found]) / found[0].bound.distance
    print(f"\nRare categories (skew {OUT_OF_REACH}): bound {found[0].bound.distance:.4f}; memetic in {seconds:g} s:")
    print(f"{np.median(ratios):.4f} times the bound ({', '.join(f'{r:.4f}' for r in sorted(ratios))})")


def threads(generations: int = 3) -> None:
    """The same selection from one thread and two, at full size."""
    pool = simulate_pool(seed=0)
    rows = [select_prompts(pool, seed=7, n_jobs=n, generations=generations, bound=False).selected for n in (1, 2)]
    print(f"\nOne thread and two select the same rows: {np.array_equal(*rows)}")


def released() -> None:
    """Distances of the 150 prompts that were published."""
    if not (RELEASE / "annotations.csv").is_file():
        print("\nThe released data is not here: its distances are left out")
        return
    study = load_study(RELEASE)
    found = evaluate_selection(study.prompts.reset_index(), range(len(study.prompts)))
    axes = ", ".join(f"{name} {distance:.4f}" for name, distance in found.axes.items())
    print(f"\nThe released 150: {found.distance:.4f} ({axes})")


def main() -> None:
    """Print it all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("seconds", nargs="*", type=float, default=[5.0, 60.0])
    parser.add_argument("--seeds", type=int, default=5)
    asked = parser.parse_args()
    # The searches' clock: of the processor, so that a busy machine takes nothing from them.
    search.time = types.SimpleNamespace(perf_counter=time.process_time)  # type: ignore[assignment]
    print(f"{platform.machine()}, one thread, seconds of the processor, Python {platform.python_version()}")
    with threadpool_limits(1):
        compare(asked.seconds, asked.seeds)
        out_of_reach(max(10.0, min(asked.seconds)), asked.seeds)
    threads()
    released()


if __name__ == "__main__":
    main()
