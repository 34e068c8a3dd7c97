"""The search: generations of one method, and when to stop.

Work is counted in generations, each a fixed number of random streams that depend on the seed and the individual's
number only; individuals of a generation are made side by side and put in place in the order of their numbers. So the
same seed and settings give the same selection whatever the number of threads, and a run that ``seconds`` ended is the
run with ``generations`` set to what it made.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from pluristats.errors import ConstraintError
from pluristats.progress import counted
from pluristats.select.feasible import Ints, random_selection
from pluristats.select.problem import Arrays
from pluristats.select.settings import ENDLESS, Settings

# Temperatures in units of the median change of energy by a random exchange at the target (curvature only).
HOT, WARM, COLD, TABU = 2.0, 0.13, 0.012, 0.006
CHILD_MOVES = 0.3
# Random selections, and generations of the plain genetic algorithm, between two looks at the clock.
AT_ONCE = {"random": 1_000, "genetic": 100}


@dataclass(frozen=True, eq=False)
class Found:
    """What a search found.

    Parameters
    ----------
    chosen
        Rows of the problem.
    energy
        Mean divergence, from the rows.
    generations
        That were made.
    stopped
        Why: ``generations``, ``patience``, ``bound`` or ``seconds``.
    trace
        One entry a look: generations and individuals so far, best and mean distance, seconds.
    seconds, compile_seconds
        Of the search, and of compiling before it.
    """

    chosen: Ints
    energy: float
    generations: int
    stopped: str
    trace: tuple[tuple[int, int, float, float, float], ...] = field(repr=False)
    seconds: float
    compile_seconds: float


@dataclass(frozen=True, eq=False)
class Look:
    """State after some generations: how many, individuals made so far, energies of those kept, the best one's rows."""

    generations: int
    made: int
    energies: NDArray[np.float64]
    best: Ints


@dataclass(frozen=True, eq=False)
class Task:
    """What every method needs.

    Parameters
    ----------
    arrays
        The problem.
    counts
        Rows of each level to start with.
    settings
        How.
    seed
        Of the streams.
    scale
        Median change of energy by a random exchange (`exchange_scale`).
    first
        A selection that keeps the quotas, where there are any: random selections begin there.
    pool
        Threads.
    """

    arrays: Arrays
    counts: Sequence[int]
    settings: Settings
    seed: int
    scale: float
    first: Ints | None
    pool: Executor

    def stream(self, number: int) -> NDArray[np.uint64]:
        """The random stream of an individual, or −1 of the whole run."""
        return np.random.SeedSequence([self.seed, number + 1]).generate_state(1, np.uint64).astype(np.uint64)

    def start(self, number: int) -> Ints:
        """A random selection; with quotas the first one with every row exchanged for a random one that keeps them."""
        if self.first is None:
            return random_selection(self.arrays, self.counts, np.random.default_rng([self.seed, number + 1]))
        from pluristats.select.kernels.genetic import mutate

        rows = self.first.copy()
        mutate(self.arrays.problem, rows, 1.0, self.settings.any_level, self.stream(number))
        return rows


def search(
    arrays: Arrays, counts: Sequence[int], settings: Settings, seed: int = 0, bound: float | None = None
) -> Found:
    """Search.

    Parameters
    ----------
    arrays
        The problem.
    counts
        Rows of each level that searches start with (`counts.nearest_counts`); empty where there are none.
    settings
        How.
    seed
        Of the random numbers.
    bound
        Distance that no selection is below; None where it is not known.
    """
    compiling = time.perf_counter()
    scale = exchange_scale(arrays)
    first = None
    if len(arrays.problem.low):
        first = random_selection(arrays, counts, np.random.default_rng([seed, 0]))
    with ThreadPoolExecutor(settings.n_jobs) as pool:
        task = Task(arrays, counts, settings, seed, scale, first, pool)
        _compile(task)
        begun = time.perf_counter()
        trace: list[tuple[int, int, float, float, float]] = []
        stopped, best, since, looked = "generations", math.inf, 0, begun
        total = None if settings.generations >= ENDLESS else settings.generations
        with counted(settings.method, total, show=settings.progress) as advance:
            look: Look | None = None
            for look in METHOD[settings.method](task):
                now = time.perf_counter()
                lowest = float(look.energies.min())
                before = trace[-1][0] if trace else 0
                since = look.generations if lowest < best - 1e-15 else since
                best = min(best, lowest)
                distance = math.sqrt(max(best, 0.0))
                mean = float(np.sqrt(np.maximum(look.energies, 0.0)).mean())
                trace.append((look.generations, look.made, distance, mean, now - begun))
                advance(look.generations - before, note=f"distance {distance:.5f}")
                if why := _stop(settings, look, distance, bound, since, now - begun, now - looked):
                    stopped = why
                    break
                looked = now
            assert look is not None
    from pluristats.select.kernels.problem import energy_of

    return Found(
        chosen=np.sort(look.best),
        energy=float(energy_of(arrays.problem, np.sort(look.best))),
        generations=look.generations,
        stopped=stopped,
        trace=tuple(trace),
        seconds=time.perf_counter() - begun,
        compile_seconds=begun - compiling,
    )


def _stop(
    settings: Settings, look: Look, distance: float, bound: float | None, since: int, seconds: float, last: float
) -> str | None:
    """Why to stop now, if at all."""
    if look.generations >= settings.generations:
        return "generations"
    if bound is not None and distance <= bound * (1 + settings.gap) + 1e-12:
        return "bound"
    full = len(look.energies) >= settings.population
    if settings.patience and full and look.generations - since >= settings.patience:
        return "patience"
    if settings.seconds is not None and seconds + last > settings.seconds:
        return "seconds"
    return None


def exchange_scale(arrays: Arrays, draws: int = 2_000) -> float:
    """Median of ½ (y − qΔt)' H (y − qΔt) over random exchanges within a level, H at the target; the energy's unit."""
    pb = arrays.problem
    if not len(pb.level) or not pb.size:
        return 1.0
    rng = np.random.default_rng(0)
    i = rng.integers(0, max(len(pb.level), 1), draws)
    lo, hi = pb.first[pb.level[i]], pb.first[pb.level[i] + 1]
    j = lo + rng.integers(0, 2**31, draws) % (hi - lo)
    totals = pb.base_total + pb.size * pb.unit
    if len(pb.ratio_axis):
        totals[pb.ratio_axis] += pb.size * pb.total.mean(axis=0)
    change = np.zeros(draws)
    for a, weight in enumerate(pb.weight):
        lo_k, hi_k = pb.axis[a], pb.axis[a + 1]
        y = _dense(arrays, j, lo_k, hi_k) - _dense(arrays, i, lo_k, hi_k)
        q = pb.target[lo_k:hi_k]
        y = y - q * y.sum(axis=1, keepdims=True)
        change += weight * (y[:, q > 0] ** 2 / q[q > 0]).sum(axis=1) / (8 * math.log(2) * max(totals[a], 1e-12) ** 2)
    return float(max(np.median(change), 1e-9))


def _dense(arrays: Arrays, rows: Ints, low: int, high: int) -> NDArray[np.float64]:
    pb = arrays.problem
    out = np.zeros((len(rows), high - low))
    for r, i in enumerate(rows):
        here = slice(pb.start[i, 0], pb.start[i, -1])
        k = pb.category[here]
        mine = (k >= low) & (k < high)
        out[r, k[mine] - low] = pb.mass[here][mine]
    return out


def _compile(task: Task) -> None:
    """Run every kernel of the method once on next to nothing, so that compiling is not part of the search."""
    settings = replace(task.settings, moves=1, steps=1, generations=1, population=2, offspring=3, elite=1)
    small = replace(task, settings=settings)
    if settings.method == "greedy":
        from pluristats.select.kernels.greedy import greedy

        greedy(task.arrays.problem._replace(size=0), np.asarray(task.counts, dtype=np.int64))
        return
    for number, _ in enumerate(METHOD[settings.method](small)):
        if number == 1:  # the second generation has children
            break


def _memetic(task: Task) -> Iterator[Look]:
    """Steady state: the worst gives way to a child that is better and not there yet."""
    settings = task.settings
    population: list[Ints] = []
    energies: list[float] = []
    made = generation = 0
    while True:
        generation += 1
        fresh = min(settings.offspring, settings.population - len(population))
        if fresh > 0:
            jobs = [_founder(task, made + o) for o in range(fresh)]
        else:
            jobs = [_child(task, made + o, tuple(population), tuple(energies)) for o in range(settings.offspring)]
        for rows, energy in task.pool.map(lambda job: job(), jobs):
            _insert(population, energies, settings.population, rows, energy)
        made += len(jobs)
        yield Look(generation, made, np.array(energies), population[int(np.argmin(energies))].copy())


def _insert(population: list[Ints], energies: list[float], most: int, rows: Ints, energy: float) -> None:
    same = any(
        abs(energy - e) < 1e-13 and np.array_equal(np.sort(rows), np.sort(p))
        for p, e in zip(population, energies, strict=True)
    )
    if len(population) < most:
        population.append(rows)
        energies.append(energy)
    elif not same and energy < max(energies):
        worst = int(np.argmax(energies))
        population[worst], energies[worst] = rows, energy


Job = Callable[[], tuple[Ints, float]]


def _founder(task: Task, number: int) -> Job:
    """Improve a random selection."""
    start = task.start(number)
    return lambda: _improved(task, start, number, task.stream(number), HOT, 1.0)


def _child(task: Task, number: int, population: tuple[Ints, ...], energies: tuple[float, ...]) -> Job:
    """Improve a child."""
    from pluristats.select.kernels.genetic import cross, mutate, tournament
    from pluristats.select.kernels.rng import uniform

    pb, settings, stream = task.arrays.problem, task.settings, task.stream(number)
    fitness = np.array(energies)

    def job() -> tuple[Ints, float]:
        child = population[tournament(fitness, settings.tournament, stream)].copy()
        if uniform(stream) < settings.crossover_rate:
            child = cross(pb, child, population[tournament(fitness, settings.tournament, stream)], stream)
        mutate(pb, child, settings.mutation_rate, settings.any_level, stream)
        return _improved(task, child, number, stream, WARM, CHILD_MOVES)

    return job


def _improved(
    task: Task, rows: Ints, number: int, stream: NDArray[np.uint64], hot: float, part: float
) -> tuple[Ints, float]:
    """Anneal, then tabu search.

    Individuals of even number keep their harm levels' counts, which is best where the target can be met; odd ones may
    change them, which is where it cannot.
    """
    from pluristats.select.kernels.anneal import anneal
    from pluristats.select.kernels.problem import energy_of
    from pluristats.select.kernels.tabu import tabu

    pb, settings = task.arrays.problem, task.settings
    rows = rows.copy()
    moves = max(1, int(part * settings.moves))
    if pb.size and len(pb.level) > pb.size:
        any_level = settings.any_level if number % 2 else 0.0
        anneal(pb, rows, stream, moves, hot * task.scale, COLD * task.scale, any_level)
        if settings.steps:
            tabu(pb, rows, stream, settings.steps, TABU * task.scale, settings.tenure, settings.nearest)
    return rows, float(energy_of(pb, rows))


def _annealing(task: Task) -> Iterator[Look]:
    """Independent runs."""
    from pluristats.select.kernels.anneal import anneal

    pb, settings = task.arrays.problem, task.settings
    moves = settings.moves

    def run(number: int) -> tuple[Ints, float]:
        rows = task.start(number)
        heat = HOT * task.scale, COLD * task.scale
        any_level = settings.any_level if number % 2 else 0.0  # as in `_improved`
        return rows, float(anneal(pb, rows, task.stream(number), moves, *heat, any_level))

    best, energies, generation = np.empty(0, np.int64), [math.inf], 0
    while True:
        numbers = range(generation * settings.offspring, (generation + 1) * settings.offspring)
        generation += 1
        for rows, energy in task.pool.map(run, numbers):
            best = rows if energy < min(energies) else best
            energies = [min(energy, *energies)]
        yield Look(generation, generation * settings.offspring, np.array(energies), best)


def _genetic(task: Task) -> Iterator[Look]:
    """Plain generations, some at once."""
    from pluristats.select.kernels.genetic import generations
    from pluristats.select.kernels.problem import energy_of

    pb, settings, stream = task.arrays.problem, task.settings, task.stream(-1)
    population = np.array([task.start(number) for number in range(settings.population)])
    energies = np.array([energy_of(pb, rows) for rows in population])
    elite, done = min(settings.elite, settings.population - 1), 0
    while True:
        number = min(AT_ONCE["genetic"], settings.generations - done)
        generations(
            pb, population, energies, number, elite, settings.tournament, settings.crossover_rate,
            settings.mutation_rate, settings.any_level, stream,
        )  # fmt: skip
        done += number
        made = settings.population + done * (settings.population - elite)
        yield Look(done, made, energies.copy(), population[int(np.argmin(energies))].copy())


def _greedy(task: Task) -> Iterator[Look]:
    from pluristats.select.kernels.greedy import greedy
    from pluristats.select.kernels.problem import energy_of

    pb = task.arrays.problem
    counts = np.asarray(task.counts, dtype=np.int64)[: len(pb.first) - 1] - task.arrays.forced_levels
    rows = greedy(pb, counts if len(task.counts) else np.array([pb.size]))
    quotas = ((pb.member[rows, None] >> np.arange(len(pb.low), dtype=np.uint64)) & np.uint64(1)).sum(axis=0)
    if len(rows) < pb.size or (quotas < pb.low).any():
        raise ConstraintError(
            "greedy selection ends where no further row keeps the constraints; loosen a quota, or use another method."
        )
    yield Look(1, 1, np.array([energy_of(pb, rows)]), rows)


def _random(task: Task) -> Iterator[Look]:
    """Random selections, some at once."""
    from pluristats.select.kernels.genetic import best_of

    pb, stream, rows = task.arrays.problem, task.stream(-1), task.start(-1)
    best, lowest, generation, many = rows, math.inf, 0, AT_ONCE["random"]
    while True:
        energies, found = best_of(pb, rows, many, stream)
        if energies.min() < lowest:
            best, lowest = found, float(energies.min())
        generation += 1
        yield Look(generation, generation * many, energies, best)


METHOD: dict[str, Callable[[Task], Iterator[Look]]] = {
    "memetic": _memetic,
    "genetic": _genetic,
    "annealing": _annealing,
    "greedy": _greedy,
    "random": _random,
}
