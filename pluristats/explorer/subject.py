"""What of a result is explored: a fit, and what is known beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from pluristats.analysis.ladder import Ladder, common_rows, ladder_formulas, mixed_fit
from pluristats.analysis.rq import Question
from pluristats.display.text import one_line
from pluristats.engine.result import Array
from pluristats.errors import FitError, UnsupportedError
from pluristats.lasso import LassoLmer, LassoSelection
from pluristats.lasso.select import CAVEAT
from pluristats.models import LmerFit
from pluristats.study import Study


@dataclass(frozen=True, eq=False)
class Penalties:
    """Penalised coefficients along a fitted path.

    Parameters
    ----------
    terms
        Candidate columns, q.
    lambdas
        The grid, shape (L,).
    coefficients
        Shape (q, L), for the columns as given.
    position
        Place of the chosen penalty.
    """

    terms: tuple[str, ...]
    lambdas: Array = field(repr=False)
    coefficients: Array = field(repr=False)
    position: int


@dataclass(frozen=True, eq=False)
class Rungs:
    """A ladder, the study that it was made of, and which of its models is seen."""

    ladder: Ladder
    study: Study
    model: str

    @property
    def formulas(self) -> dict[str, str]:
        """Fixed part of each model, by name."""
        return ladder_formulas(self.study)

    def fit(self) -> LmerFit:
        """The model with all its columns, on the ladder's rows.

        Raises
        ------
        ValueError
            The ladder has no such model.
        FitError
            The study is another, as its number of rows tells.
        """
        if self.model not in self.formulas:
            raise ValueError(f"model is one of {', '.join(self.formulas)}, not {self.model!r}.")
        frame = self.study.frame()
        if self.ladder.spec != "published":
            frame = common_rows(self.study, frame)
        random = self.ladder.random or "(1|annotator) + (1|prompt)"
        fit = mixed_fit(self.formulas[self.model], frame, self.study, random)[0]
        rows = int(self.ladder.table.set_index("model")["nobs"][self.model])
        if fit.nobs != rows:
            raise FitError(
                f"Model {self.model} of the ladder has {rows:,} rows and {fit.nobs:,} in this study; give the study "
                "that the ladder was made of."
            )
        return fit


@dataclass(frozen=True, eq=False)
class Subject:
    """What is explored.

    Parameters
    ----------
    fit
        The fit.
    frame
        The table that was fitted, or None.
    groups, labels
        As of a study, or None.
    texts
        Texts of prompts by id.
    source
        One line that says which data.
    table
        Python that gives the rows of ``study``, be it a study or a table.
    warnings
        What must not be overlooked besides the fit's own remarks.
    path
        Penalised coefficients, or None.
    rungs
        The ladder that the fit is a model of, or None.
    """

    fit: LmerFit
    frame: pd.DataFrame | None = field(repr=False)
    groups: Mapping[str, tuple[str, ...]] | None
    labels: Mapping[str, str] | None
    texts: Mapping[object, str] = field(repr=False)
    source: str
    table: str = "study"
    warnings: tuple[str, ...] = ()
    path: Penalties | None = None
    rungs: Rungs | None = None

    def with_model(self, model: str) -> Subject:
        """Another model of the ladder; errors as :meth:`Rungs.fit`."""
        if self.rungs is None:
            raise ValueError("Only a ladder has other models to switch to.")
        rungs = replace(self.rungs, model=model)
        return replace(self, fit=rungs.fit(), rungs=rungs)


def subject_of(
    result: Any, study: Any = None, *, model: str = "6", groups: Mapping[str, Sequence[str]] | None = None
) -> Subject:
    """What of a result is explored; arguments as :func:`explore`."""
    frame = study if isinstance(study, pd.DataFrame) else None if study is None else study.frame()
    known = groups if groups is not None else getattr(study, "groups", None)
    rest: dict[str, Any] = {
        "frame": frame,
        "groups": None if known is None else _parts(known),
        "labels": getattr(study, "labels", None),
        "texts": _texts(study),
        "source": _source(study),
        "table": "study" if study is None or isinstance(study, pd.DataFrame) else "study.frame()",
    }
    if isinstance(result, LmerFit):
        return Subject(result, **rest)
    if isinstance(result, Question):
        selection = result.selection
        return Subject(result.fit, **rest, warnings=(CAVEAT, *result.caveats), path=_lasso_path(selection))
    if isinstance(result, LassoSelection):
        if result.refit is None:
            raise UnsupportedError("This selection has no random part to explore; add one to its formula.")
        return Subject(result.refit, **rest, warnings=(CAVEAT,), path=_lasso_path(result))
    if isinstance(result, LassoLmer):
        p = result.path_fit
        path = Penalties(result.candidates, p.lambdas, p.coefficients, result.position)
        return Subject(result.refit, **rest, warnings=(CAVEAT,), path=path)
    if isinstance(result, Ladder):
        if study is None or isinstance(study, pd.DataFrame):
            raise UnsupportedError("A ladder holds no rows: give the study that it was made of, ladder.explore(study).")
        rungs = Rungs(result, study, model)
        return Subject(rungs.fit(), **rest, warnings=result.notes, rungs=rungs)
    raise TypeError(f"explore() takes a fit, a Lasso selection, a research question or a ladder, not {type(result)!r}.")


def _lasso_path(selection: LassoSelection) -> Penalties:
    path = selection.chosen.path
    return Penalties(selection.candidates, path.lambdas, np.asarray(path.coefficients), selection.chosen.position)


def _parts(groups: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Groups that are not unions of others named later: "traits" stays, its parts go."""
    return {name: tuple(columns) for name, columns in groups.items() if name not in ("demographics", "factors")}


def _texts(study: Any) -> dict[object, str]:
    prompts = getattr(study, "prompts", None)
    if not isinstance(prompts, pd.DataFrame) or "text" not in prompts:
        return {}
    return dict(zip(prompts["prompt"], prompts["text"], strict=True))


def _source(study: Any) -> str:
    if study is None:
        return "the data that were fitted"
    if isinstance(study, pd.DataFrame):
        return f"a table of {len(study):,} rows"
    return one_line(f"{study.name}, sha256 {study.checksum[:12]}")
