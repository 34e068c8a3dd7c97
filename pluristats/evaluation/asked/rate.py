"""Ratings asked of a chat model: without examples, with some of the ratings, or with a profile written from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from pluristats.engine.result import Array
from pluristats.errors import EvaluationError
from pluristats.evaluation.asked.base import Answering, Asking, Asks, for_everybody, forecast, means
from pluristats.evaluation.asked.exemplars import Chooser, Exemplars, shown
from pluristats.evaluation.asked.read import expected_rating, read_rating
from pluristats.evaluation.data import Alignment, Prompts
from pluristats.evaluation.forecast import Forecast
from pluristats.llm import ChatRequest, Completed
from pluristats.texts import load_template

Reading = Literal["number", "mean", "median"]
PERSON, PUBLIC = "a person", "a hundred people, on average,"


@dataclass(frozen=True)
class ZeroShot(Asks):
    """The rating that a model gives without having seen any (aggregate: the same for everybody).

    Parameters
    ----------
    asking
        Whom.
    reading
        ``number``: the number that it writes. ``mean`` or ``median``: of the probabilities of the numbers that it could
        have written (needs log-probabilities; `expected_rating`).
    name
        In tables.
    """

    asking: Asking
    reading: Reading = "number"
    name: str = "zero-shot"
    note: str = "aggregate"

    def fit(self, alignment: Alignment) -> Answering:
        """Nothing is learned."""
        n, template = len(alignment.annotators), load_template("rate", ("text",))

        def of(prompts: Prompts) -> Forecast:
            requests = (
                template.request(self.asking.model, {"text": text}, **_settings(self.asking, self.reading))
                for text in prompts.texts
            )
            run = self.asking.run(requests, read_rating, self.name)
            return for_everybody(forecast(run, _reader(self.reading), (1, len(prompts))), n)

        return Answering(of)


@dataclass(frozen=True)
class KShot(Asks):
    """The rating that a model predicts after having seen some ratings.

    Personalised, those are the annotator's own; aggregate, the mean ratings of everybody, rounded.

    Parameters
    ----------
    asking
        Whom.
    exemplars
        Which ratings are shown, how many, within which budget of tokens.
    personalised
        Whose ratings.
    reading
        As in `ZeroShot`.
    name
        In tables.
    """

    asking: Asking
    exemplars: Exemplars = field(default_factory=Exemplars)
    personalised: bool = True
    reading: Reading = "number"
    name: str = "k-shot"

    @property
    def note(self) -> str:
        """Whose ratings, how many and which."""
        k = "all" if self.exemplars.k is None else self.exemplars.k
        return f"{_whose(self.personalised)}, {k} exemplars ({self.exemplars.choice})"

    def fit(self, alignment: Alignment) -> Answering:
        """Keep the ratings to show."""
        template = load_template("rate-examples", ("rater", "name", "examples", "text"))
        rows = alignment.ratings if self.personalised else means(alignment)[None, :]
        shows = _Shows(alignment.prompts, rows, self.exemplars)

        def of(prompts: Prompts) -> Forecast:
            requests = (
                template.request(
                    self.asking.model,
                    {**_who(i, self.personalised), "examples": shows.of(i, text), "text": text},
                    **_settings(self.asking, self.reading),
                )
                for i in range(len(rows))
                for text in prompts.texts
            )
            run = self.asking.run(requests, read_rating, self.name)
            found = forecast(run, _reader(self.reading), (len(rows), len(prompts)))
            return found if self.personalised else for_everybody(found, len(alignment.annotators))

        return Answering(of)


@dataclass(frozen=True)
class ValueProfile(Asks):
    """The rating that a model predicts from a profile that it wrote of the annotator's ratings before.

    Parameters
    ----------
    asking
        Who rates.
    writing
        Who writes profiles; ``asking`` at temperature 0.15 and 400 tokens where None, as in the paper.
    exemplars
        Which ratings the writer sees; all by default.
    personalised, reading, name
        As in `KShot`.
    """

    asking: Asking
    writing: Asking | None = None
    exemplars: Exemplars = field(default_factory=lambda: Exemplars(k=None))
    personalised: bool = True
    reading: Reading = "number"
    name: str = "value-profile"

    @property
    def note(self) -> str:
        """Whose profile."""
        return _whose(self.personalised)

    def fit(self, alignment: Alignment) -> Answering:
        """Have the profiles written."""
        rows = alignment.ratings if self.personalised else means(alignment)[None, :]
        profiles = self._write(alignment.prompts, rows)
        template = load_template("rate-profile", ("rater", "name", "profile", "text"))
        told = [i for i, profile in enumerate(profiles) if profile is not None]

        def requests(prompts: Prompts) -> Iterator[ChatRequest]:
            for i in told:
                for text in prompts.texts:
                    values = {**_who(i, self.personalised), "profile": str(profiles[i]), "text": text}
                    yield template.request(self.asking.model, values, **_settings(self.asking, self.reading))

        def of(prompts: Prompts) -> Forecast:
            run = self.asking.run(requests(prompts), read_rating, self.name)
            found = forecast(run, _reader(self.reading), (len(told), len(prompts)))
            point = np.full((len(rows), len(prompts)), np.nan)
            point[told] = found.point
            # Who has no profile, because the writer refused, has no predictions either.
            whole = Forecast(point, refused=np.isnan(point), notes=found.notes)
            return whole if self.personalised else for_everybody(whole, len(alignment.annotators))

        return Answering(of)

    def _write(self, prompts: Prompts, rows: Array) -> list[str | None]:
        writer = self.writing or replace(self.asking, temperature=0.15, max_tokens=400)
        template = load_template("value-profile", ("rater", "name", "examples"))
        shows = _Shows(prompts, rows, self.exemplars)
        requests = [
            template.request(
                writer.model, {**_who(i, self.personalised), "examples": shows.of(i, "")}, **writer.settings()
            )
            for i in range(len(rows))
        ]
        run = writer.run(requests, str, f"{self.name}: profiles")
        return [outcome.text if isinstance(outcome, Completed) else None for outcome in run]


class _Shows:
    """Exemplars of each row of ratings as text."""

    def __init__(self, prompts: Prompts, rows: Array, exemplars: Exemplars):
        self._rows, self._chooser = rows, Chooser(prompts.texts, exemplars)
        empty = np.flatnonzero(np.isnan(rows).all(axis=1))
        if len(empty):
            raise EvaluationError(f"annotator {empty[0]} has no rating to show; leave them out")

    def of(self, row: int, question: str) -> str:
        rated = np.flatnonzero(~np.isnan(self._rows[row]))
        chosen = self._chooser.choose(rated, row, question)
        return "\n\n".join(shown(self._chooser.texts[j], float(self._rows[row, j])) for j in chosen)


def _reader(reading: Reading) -> Callable[[Completed], float]:
    def read(answer: Completed) -> float:
        if reading == "number":
            return read_rating(answer.text)
        found = expected_rating(answer.logprobs or ())
        return found.rating if reading == "mean" else found.median

    return read


def _settings(asking: Asking, reading: Reading) -> dict[str, object]:
    return asking.settings(top_logprobs=None if reading == "number" else 20)


def _who(i: int, personalised: bool) -> dict[str, str]:
    """How the template calls the rater; the study's own identifiers do not leave it."""
    return {"rater": PERSON, "name": f"person {i + 1}"} if personalised else {"rater": PUBLIC, "name": "everybody"}


def _whose(personalised: bool) -> str:
    return "personalised" if personalised else "aggregate"
