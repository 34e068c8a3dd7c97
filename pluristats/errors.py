"""Errors and warnings of pluristats: one place, so that callers can catch them by meaning.

Every error's message is one clear sentence that names what is wrong, where, and the remedy; the command line
prints it without a traceback and exits with status 1.
"""

from __future__ import annotations

from dataclasses import dataclass


class PluristatsError(Exception):
    """Base of every error that a user can mend; its message says how."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong with an input file.

    Parameters
    ----------
    where
        File, and where known row and column, as a person would look it up ("ratings.csv, row 12, column rating").
    what
        What is wrong there, with the value, and the remedy.
    """

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


class StudyError(PluristatsError):
    """The data cannot be used as a study; ``problems`` lists everything found, the message opens with the first.

    Parameters
    ----------
    problems
        At least one problem, in the order found.
    """

    def __init__(self, problems: tuple[Problem, ...] | list[Problem]):
        self.problems = tuple(problems)
        more = len(self.problems) - 1
        tail = f" (and {more} more; `pluristats data check PATH` lists all)" if more else ""
        super().__init__(f"{self.problems[0]}{tail}")


class FormulaError(PluristatsError):
    """The formula cannot be read, or names something that the data does not have."""


class UnsupportedError(FormulaError):
    """The formula asks for something that this engine does not do; the message names an alternative."""


class FitError(PluristatsError):
    """The model cannot be fitted to these data (constant response, one level per factor, no rows left, ...)."""


class RunError(PluristatsError):
    """A pipeline run cannot start or go on (unknown stage or parameter, foreign artefact, failed notebook)."""


class LLMError(PluristatsError):
    """A language model cannot be asked so (bad setting, no key, no price, a store that is not ours)."""


class LLMStopped(LLMError):
    """A run of requests stopped before its end; what was answered is stored, and the message says how to go on.

    Parameters
    ----------
    why
        One clause: what stopped it and the remedy.
    settled, failed, total
        Requests that this run had come to the end of, how many of these have failed for good, and how many were given;
        None when that is not known. The store may hold more: a run stops before it has looked all of them up.
    """

    def __init__(self, why: str, settled: int | None = None, total: int | None = None, failed: int = 0):
        self.why, self.settled, self.total, self.failed = why, settled, total, failed
        of = "" if total is None else f" of {total}"
        gone = "" if settled is None else f"{settled}{of} requests were settled by then, "
        again = " (what failed, with retry_failed or --retry-failed)" if failed else ""
        gone += f"{failed} of them as failed, " if failed else ""
        super().__init__(f"{why}; {gone}every answer is stored: run the same again to go on{again}")


class TreeError(PluristatsError, ValueError):
    """An answer or file is not a harm-benefit tree; the message names the place.

    A ValueError, so that a validator that raises it has the model asked again.
    """


class ProfileError(PluristatsError):
    """A weight profile names something unknown, a weight lies outside 0 to 1, or labels cannot fit one."""


class GenerateError(PluristatsError):
    """Variants of prompts cannot be made so (seeds, levels or a template that cannot be used, a place not to write)."""


class ValuesError(PluristatsError):
    """Values, rights and duties cannot be had or used so (a table, checkpoint, journal or embedder does not fit)."""


class TopicError(PluristatsError):
    """Topics cannot be found, named, kept or turned into features so; the message names the text, topic or file."""


class TargetError(PluristatsError):
    """A target distribution cannot be used (unknown key, weights that are no shares, a category the pool lacks)."""


class PoolError(PluristatsError):
    """A table cannot be selected from (missing column, a number that is none, fewer rows than asked for)."""


class ConstraintError(PluristatsError):
    """No selection meets the constraints, or they name what is not there; the message says which."""


class EvaluationError(PluristatsError):
    """Predictions cannot be judged so (splits, methods or settings that do not fit the study, unreadable splits)."""


class LatentError(PluristatsError):
    """Latent sequences cannot be simulated, read or inferred so; the message names the model, column or setting."""


class PluristatsWarning(UserWarning):
    """Base of every warning; each says what it means for the reader's conclusions."""


class DroppedRowsWarning(PluristatsWarning):
    """Rows were left out of a fit; the message counts them by reason."""


class MissingAnswersWarning(PluristatsWarning):
    """Some requests to a language model have no answer; the message counts them by reason."""


class ModelDriftWarning(PluristatsWarning):
    """Answers that should be of one model come from several versions of it; the message counts them."""


class UnknownLabelsWarning(PluristatsWarning):
    """Labels that a model wrote are in no category; the message counts what is left out because of it."""


class ValueItemsWarning(PluristatsWarning):
    """Some values, rights or duties could not be had or compared as asked; the message counts them."""


class FewTopicsWarning(PluristatsWarning):
    """Fewer topics were found than asked for; the message says how many."""


class OutOfReachWarning(PluristatsWarning):
    """No selection can have the target's distribution, because the pool lacks what it asks for."""


class RankDeficientWarning(PluristatsWarning):
    """Fixed-effect columns were dropped because others determine them; the message names them."""


class SingularFitWarning(PluristatsWarning):
    """A variance component is estimated at zero (the boundary)."""


class ConvergenceWarning(PluristatsWarning):
    """The optimiser stopped before its tolerance was met."""


class MonteCarloWarning(PluristatsWarning):
    """What random draws estimate is less certain than was aimed at; the message says how uncertain it is."""


class DifferentRowsWarning(PluristatsWarning):
    """Models fitted to different rows are being compared; their likelihoods and BICs are not comparable."""


class ComparisonWarning(PluristatsWarning):
    """A test or criterion compares fits in a way that it was not made for, or tests a variance on its boundary."""


class LatentWarning(PluristatsWarning):
    """Latents are less certain or further from the data than they look; the message says by how much."""


class SelectionWarning(PluristatsWarning):
    """Standard errors or p-values ignore that the same data selected the model."""
