"""What a method is: settings in a small object, `fit` to the alignment, `predict` prompts."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from pluristats.evaluation.data import Alignment, Prompts
from pluristats.evaluation.forecast import Forecast

NEW = ("new-prompts", "new-seeds")
EVERY = ("new-prompts", "new-seeds", "known-prompts")


class Fitted(Protocol):
    """A method after it saw the alignment."""

    def predict(self, prompts: Prompts) -> Forecast:
        """Ratings of prompts by every annotator of the alignment, shape (annotators, prompts).

        Prompts whose label is among the alignment's may be predicted with what others said of them; the cells that
        the alignment shows are predicted too, and not scored.
        """


@runtime_checkable
class Method(Protocol):
    """A way to predict ratings. It is sent to other processes, so it can be pickled; it holds no data.

    A method with an attribute ``embeds`` that is true finds ``embeddings`` in its prompts, computed once for all.
    """

    @property
    def name(self) -> str:
        """In tables; unique."""

    @property
    def settings(self) -> tuple[str, ...]:
        """Where it can be judged; in other settings it is left out without a word."""

    @property
    def note(self) -> str:
        """What a reader of the table must know about it."""

    def unavailable(self) -> str | None:
        """Why it cannot run here, such as a package that is not installed; None when it can."""

    def fit(self, alignment: Alignment) -> Fitted:
        """Learn from the alignment, and from nothing else."""
