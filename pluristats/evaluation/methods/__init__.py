"""Methods by name and group; each is a small object with ``fit(alignment)`` and ``predict(prompts)``."""

from __future__ import annotations

from collections.abc import Sequence

from pluristats.errors import EvaluationError
from pluristats.evaluation.methods.aggregate import Aggregate
from pluristats.evaluation.methods.base import EVERY, NEW, Fitted, Method
from pluristats.evaluation.methods.factor import FactorProcess
from pluristats.evaluation.methods.medianmap import MedianMap
from pluristats.evaluation.methods.mixed import LassoMixed, MixedModel
from pluristats.evaluation.methods.orderedbeta import OrderedBeta
from pluristats.evaluation.methods.ridge import HierarchicalRidge
from pluristats.evaluation.methods.simple import (
    AnnotatorMean,
    AnnotatorMedian,
    Constant,
    Oracle,
    PromptMean,
    UniformRandom,
)

__all__ = [
    "EVERY",
    "NEW",
    "Aggregate",
    "AnnotatorMean",
    "AnnotatorMedian",
    "Constant",
    "FactorProcess",
    "Fitted",
    "HierarchicalRidge",
    "LassoMixed",
    "MedianMap",
    "Method",
    "MixedModel",
    "Oracle",
    "OrderedBeta",
    "PromptMean",
    "UniformRandom",
    "resolve",
    "statistical",
]

_KNOWN = ("known-prompts",)


def statistical() -> tuple[Method, ...]:
    """Every method that asks no language model, in the order of the table."""
    return (
        UniformRandom(),
        Constant(0.5),
        AnnotatorMean(),
        AnnotatorMedian(),
        PromptMean(),
        PromptMean(offset=True),
        MixedModel(),
        MixedModel("mixed-slopes", slopes=("harm_level",)),
        LassoMixed(),
        HierarchicalRidge(),
        MedianMap(HierarchicalRidge()),
        OrderedBeta(),
        FactorProcess("low-rank", heaped=False, features=False, settings=_KNOWN),
        FactorProcess("low-rank-heaped", features=False, settings=_KNOWN),
        FactorProcess("gp", heaped=False),
        FactorProcess("gp-heaped"),
        FactorProcess("gp-heaped-minilm", texts="tfidf+minilm"),
        Aggregate(FactorProcess("gp", heaped=False)),
        Oracle(),
        Oracle(offset=True),
    )


def resolve(methods: str | Method | Sequence[str | Method]) -> tuple[Method, ...]:
    """Methods from a group's name, names, or methods.

    Raises
    ------
    EvaluationError
        An unknown name, a name twice, or something that is not a method.
    """
    given = [methods] if isinstance(methods, str) or not isinstance(methods, Sequence) else list(methods)
    known = {method.name: method for method in statistical()}
    found: list[Method] = []
    for each in given:
        if isinstance(each, str):
            if each != "statistical" and each not in known:
                raise EvaluationError(
                    f"there is no method {each!r}; methods are 'statistical' (all of these), {', '.join(known)}"
                )
            found += known.values() if each == "statistical" else [known[each]]
        elif isinstance(each, Method):
            found.append(each)
        else:
            raise EvaluationError(f"{each!r} is not a method: it needs name, settings, note, unavailable() and fit()")
    names = [method.name for method in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None or not found:
        raise EvaluationError(f"method {twice!r} is given twice" if found else "no method is given")
    return tuple(found)
