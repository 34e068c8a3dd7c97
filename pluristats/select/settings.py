"""How to search: one record, under the field's names."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Literal, get_args

from pluristats.errors import ConstraintError

Method = Literal["memetic", "genetic", "annealing", "greedy", "random"]
METHODS: tuple[Method, ...] = get_args(Method)

_DEFAULTS: dict[str, dict[str, Any]] = {
    "memetic": {"population": 8, "generations": 16, "offspring": 2, "patience": 8, "moves": 3_000_000},
    "genetic": {"population": 60, "generations": 10_000, "offspring": 0, "patience": 0, "moves": 0},
    "annealing": {"population": 1, "generations": 2, "offspring": 2, "patience": 0, "moves": 20_000_000},
    "greedy": {"population": 1, "generations": 1, "offspring": 1, "patience": 0, "moves": 0},
    "random": {"population": 1, "generations": 20, "offspring": 1, "patience": 0, "moves": 0},
}
for _method in METHODS:
    _plain = _method == "genetic"
    _DEFAULTS[_method] |= {"mutation_rate": 0.01 if _plain else 0.02, "tournament": 3 if _plain else 2}
# The type is what it becomes: None stands for the method's own default until the record is made.
_OWN: Any = None
# Generations where only the seconds are limited.
ENDLESS = 10**9


@dataclass(frozen=True)
class Settings:
    """Settings of a search; None is the method's own default.

    Parameters
    ----------
    method
        ``memetic``: a genetic algorithm whose individuals are improved by local search: annealing, then tabu search.
        ``genetic``: the same operators without local search. ``annealing``: independent runs from random selections,
        the best is kept. ``greedy``: rows one at a time, each the best at that time. ``random``: the best of random
        selections.
    population
        Individuals that are kept (memetic 8, genetic 60).
    generations
        How many (memetic 16, genetic 10,000, annealing 2, random 20; greedy 1). A memetic generation makes
        ``offspring`` individuals: random ones until the population is full, then children. A generation of annealing
        is ``offspring`` runs, one of ``random`` 1,000 selections. With ``seconds`` and without ``generations`` the
        seconds decide.
    offspring
        Individuals a generation (memetic and annealing 2), which ``n_jobs`` threads make at the same time. In the plain
        genetic algorithm all but ``elite`` are.
    crossover_rate
        Probability that a child has two parents.
    mutation_rate
        Probability that a row of a child is exchanged for a random one (memetic 0.02, genetic 0.01).
    tournament
        Individuals of which the fittest becomes a parent (memetic 2, genetic 3).
    elite
        Fittest individuals that a generation of the plain genetic algorithm keeps.
    any_level
        Part of random exchanges that may change the harm level; the others keep it. Of the memetic algorithm and of
        annealing this is so of every second individual; the others keep the counts of levels nearest to the target.
    moves
        Exchanges that an annealing run tries (memetic 3,000,000 for a random individual, three tenths for a child;
        annealing 20,000,000).
    steps
        Steps of tabu search an individual.
    nearest
        Candidates of each place in tabu search.
    tenure
        Steps for which a row that has left may not come back, at least; up to twice as many.
    patience
        Generations without improvement after which a full population stops (memetic 8); 0 never does.
    gap
        Stop when the distance is within this part of the bound: 0.1 is 1.1 times. Without a bound it never does.
    seconds
        Begin no generation that would probably end later than this after the start (compilation not counted).
    n_jobs
        Threads. They change no result.
    progress
        Show rate and remaining time.

    Raises
    ------
    ConstraintError
        A setting is out of its range.
    """

    method: Method = "memetic"
    population: int = _OWN
    generations: int = _OWN
    offspring: int = _OWN
    crossover_rate: float = 0.9
    mutation_rate: float = _OWN
    tournament: int = _OWN
    elite: int = 1
    any_level: float = 0.1
    moves: int = _OWN
    steps: int = 10_000
    nearest: int = 32
    tenure: int = 10
    patience: int = _OWN
    gap: float = 0.0
    seconds: float | None = None
    n_jobs: int = 1
    progress: bool = False

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ConstraintError(f"method is one of {', '.join(METHODS)}, not {self.method!r}.")
        for name, value in _DEFAULTS[self.method].items():
            if getattr(self, name) is None:
                endless = name == "generations" and self.seconds is not None and self.method != "greedy"
                object.__setattr__(self, name, ENDLESS if endless else value)
        whole = {
            "population": 1, "generations": 1, "offspring": 0, "tournament": 1, "elite": 0, "moves": 0, "steps": 0,
            "nearest": 1, "tenure": 0, "patience": 0, "n_jobs": 1,
        }  # fmt: skip
        for name, least in whole.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < least:
                raise ConstraintError(f"{name} is a whole number of at least {least}, not {value!r}.")
        for name, most in {"crossover_rate": 1, "mutation_rate": 1, "any_level": 1, "gap": math.inf}.items():
            value = getattr(self, name)
            if not (_number(value) and 0 <= value <= most):
                raise ConstraintError(f"{name} is a number from 0 to {most:g}, not {value!r}.")
            object.__setattr__(self, name, float(value))  # the kernels are compiled for one type
        if self.seconds is not None and not (_number(self.seconds) and 0 < self.seconds < math.inf):
            raise ConstraintError(f"seconds is a number above 0, not {self.seconds!r}.")


def _number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and not math.isnan(float(value))
