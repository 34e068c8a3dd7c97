"""What methods that ask a language model share: cells as questions, answers as a forecast, refusals as such."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pluristats.engine.result import Array
from pluristats.evaluation.data import Alignment, Prompts
from pluristats.evaluation.forecast import Forecast
from pluristats.evaluation.methods.base import NEW
from pluristats.llm import Asker, ChatRequest, Completed, Outcome, Run

Read = Callable[[Completed], float]
SIMULATED = "SIMULATED: a program on this machine made up the answers; the figure proves the plumbing and nothing else"


@dataclass(frozen=True)
class Asking:
    """Whom a method asks, and how.

    Parameters
    ----------
    asker
        A client, or its batches; its store keeps every answer, so that a run that was stopped goes on.
    temperature, max_tokens, random_seed, extra
        As in `ChatRequest`.
    repairs
        How often an answer that says no rating is asked for again; after that the cell counts as refused.
    progress
        Show rate, remaining time and spend.
    """

    asker: Asker = field(repr=False)
    temperature: float | None = 0.0
    max_tokens: int | None = 30
    random_seed: int | None = 0
    extra: Any = None
    repairs: int = 1
    progress: bool = True

    @property
    def model(self) -> str:
        """Name of the model asked."""
        return self.asker.endpoint.model

    def settings(self, **changes: Any) -> dict[str, Any]:
        """What every request has."""
        same = {"temperature": self.temperature, "max_tokens": self.max_tokens, "seed": self.random_seed}
        return same | {"extra": self.extra} | changes

    def run(self, requests: Iterable[ChatRequest], validate: Callable[[str], Any], what: str) -> Run:
        """Ask; the outcomes come in the order of the requests."""
        asked = Requests(list(requests))
        return self.asker.run(asked, validate=validate, repairs=self.repairs, progress=self.progress, what=what)


class Requests(Sequence[ChatRequest]):
    """Requests with a length, that can be gone through again."""

    def __init__(self, requests: list[ChatRequest]):
        self._requests = requests

    def __len__(self) -> int:
        return len(self._requests)

    def __getitem__(self, index: Any) -> Any:
        """One request, or several."""
        return self._requests[index]

    def __iter__(self) -> Iterator[ChatRequest]:
        return iter(self._requests)


class Asks:
    """Where methods that ask can be judged: prompts are told apart from those that were rated."""

    settings: tuple[str, ...] = NEW

    def unavailable(self) -> str | None:
        """None: whether the endpoint answers shows when it is asked."""
        return None


def forecast(outcomes: Iterable[Outcome], read: Read, shape: tuple[int, ...], notes: tuple[str, ...] = ()) -> Forecast:
    """Outcomes in the order of the cells as a forecast; what has no rating is refused.

    Parameters
    ----------
    outcomes
        One a cell, row by row.
    read
        The rating of an answer, 0 to 1; a ValueError is no rating.
    shape
        (annotators, prompts).
    notes
        What a reader must know besides.
    """
    point: Array = np.full(int(np.prod(shape)), np.nan)
    simulated = False
    for i, outcome in enumerate(outcomes):
        simulated |= bool(getattr(outcome, "simulated", False))
        if isinstance(outcome, Completed):
            try:
                point[i] = read(outcome)
            except ValueError:
                continue
    cells = point.reshape(shape)
    return Forecast(cells, refused=np.isnan(cells), notes=(*notes, *((SIMULATED,) if simulated else ())))


def for_everybody(of_prompts: Forecast, n: int) -> Forecast:
    """A forecast of one row as that of every annotator."""
    rows: NDArray[np.bool_] | None = None
    if of_prompts.refused is not None:
        rows = np.repeat(of_prompts.refused, n, axis=0)
    return Forecast(np.repeat(of_prompts.point, n, axis=0), refused=rows, notes=of_prompts.notes)


def means(alignment: Alignment) -> Array:
    """Mean rating of each alignment prompt over those who rated it; NaN where nobody did. Shape (prompts,)."""
    seen = alignment.seen
    total = np.where(seen, alignment.ratings, 0.0).sum(axis=0)
    counts = seen.sum(axis=0)
    return np.divide(total, counts, out=np.full(len(counts), np.nan), where=counts > 0)


@dataclass(frozen=True, eq=False)
class Answering:
    """A fitted method that is a function of the prompts."""

    of: Callable[[Prompts], Forecast]

    def predict(self, prompts: Prompts) -> Forecast:
        """Ratings of prompts by every annotator of the alignment."""
        return self.of(prompts)
