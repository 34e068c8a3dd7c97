"""Operators of the genetic algorithms, which keep every constraint, and the plain genetic algorithm itself.

Crossover and mutation are sequences of exchanges of one row, each of which is made only if it keeps the constraints: a
child of feasible parents is feasible, and nothing needs repair.
"""

from __future__ import annotations

import numpy as np

from pluristats.select.kernels.problem import (
    Floats,
    Ints,
    Problem,
    allowed,
    count,
    energy_of,
    jit,
    new_state,
)
from pluristats.select.kernels.rng import Stream, below, uniform

# Rows that are tried for a place before mutation leaves it.
TRIES = 10


@jit
def cross(pb: Problem, mother: Ints, father: Ints, stream: Stream) -> Ints:
    """Uniform crossover: the mother's rows, half of those that differ exchanged for the father's.

    The rows that only one parent has are paired at random, within levels first, and a pair is exchanged with
    probability ½ if that keeps the constraints.
    """
    child = mother.copy()
    st = new_state(pb, child)
    theirs = np.zeros(len(pb.level), np.bool_)
    for j in father:
        theirs[j] = True
    places = np.array([place for place in range(len(child)) if not theirs[child[place]]], np.int64)
    others = np.array([j for j in father if not st.inside[j]], np.int64)
    shuffle(places, stream)
    shuffle(others, stream)
    used = np.zeros(len(others), np.bool_)
    open_ = np.ones(len(places), np.bool_)
    for same_level in (True, False):
        for p in range(len(places)):
            for o in range(len(others)):
                if open_[p] and not used[o]:
                    i, j = child[places[p]], others[o]
                    if same_level and pb.level[i] != pb.level[j]:
                        continue
                    open_[p], used[o] = False, True
                    if uniform(stream) < 0.5 and allowed(pb, st, i, j):
                        count(pb, st, i, j)
                        child[places[p]] = j
    return child


@jit
def mutate(pb: Problem, chosen: Ints, rate: float, any_level: float, stream: Stream) -> None:
    """Exchange each row with probability ``rate`` for a random one of its level (or, of ``any_level``, of any)."""
    st = new_state(pb, chosen)
    for place in range(len(chosen)):
        if uniform(stream) >= rate:
            continue
        i = chosen[place]
        lo, hi = pb.first[pb.level[i]], pb.first[pb.level[i] + 1]
        if uniform(stream) < any_level:
            lo, hi = 0, len(pb.level)
        for _ in range(TRIES):
            j = lo + below(stream, hi - lo)
            if allowed(pb, st, i, j):
                count(pb, st, i, j)
                chosen[place] = j
                break


@jit
def shuffle(values: Ints, stream: Stream) -> None:
    """Fisher-Yates, in place."""
    for z in range(len(values) - 1, 0, -1):
        at = below(stream, z + 1)
        values[z], values[at] = values[at], values[z]


@jit
def tournament(energies: Floats, size: int, stream: Stream) -> int:
    """The fittest of ``size`` individuals drawn with replacement."""
    best = below(stream, len(energies))
    for _ in range(size - 1):
        other = below(stream, len(energies))
        if energies[other] < energies[best]:
            best = other
    return best


@jit
def generations(
    pb: Problem,
    population: Ints,
    energies: Floats,
    number: int,
    elite: int,
    size: int,
    crossover_rate: float,
    mutation_rate: float,
    any_level: float,
    stream: Stream,
) -> Floats:
    """A number of generations of the plain genetic algorithm, in place; best and mean energy of each, (number, 2).

    The ``elite`` fittest stay; every other place goes to a child of two tournament winners or a mutated copy of one.

    Parameters
    ----------
    population
        (P, size).
    energies
        Of the population, (P,).
    """
    trace = np.empty((number, 2))
    for g in range(number):
        order = np.argsort(energies)
        older, was = population[order], energies[order]
        for p in range(len(older)):
            if p < elite:
                population[p], energies[p] = older[p], was[p]
                continue
            child = older[tournament(was, size, stream)].copy()
            if uniform(stream) < crossover_rate:
                child = cross(pb, child, older[tournament(was, size, stream)], stream)
            mutate(pb, child, mutation_rate, any_level, stream)
            population[p], energies[p] = child, energy_of(pb, child)
        trace[g, 0], trace[g, 1] = energies.min(), energies.mean()
    return trace


@jit
def best_of(pb: Problem, rows: Ints, number: int, stream: Stream) -> tuple[Floats, Ints]:
    """Energies of random selections, each the last with all rows exchanged within their levels, and the best one."""
    energies = np.empty(number)
    best = rows.copy()
    for z in range(number):
        mutate(pb, rows, 1.0, 0.0, stream)
        energies[z] = energy_of(pb, rows)
        if energies[z] <= energies[: z + 1].min():
            best[:] = rows
    return energies, best
