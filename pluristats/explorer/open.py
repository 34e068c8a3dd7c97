"""``explore``: from any result with coefficients to the widget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pluristats.analysis.ladder import Ladder, common_rows, ladder_formulas, mixed_fit
from pluristats.analysis.rq import Question
from pluristats.display.text import one_line
from pluristats.engine.result import Array
from pluristats.errors import UnsupportedError
from pluristats.explorer.coefficients import View
from pluristats.explorer.rows import fitted_rows
from pluristats.lasso import LassoLmer, LassoSelection
from pluristats.lasso.select import CAVEAT
from pluristats.models import LmerFit

if TYPE_CHECKING:
    from pluristats.explorer.widget import Explorer

NEEDS = "The explorer needs anywidget: pip install 'pluristats[explore]'."


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
    warnings
        What must not be overlooked besides the fit's own remarks.
    path
        Penalised coefficients, or None.
    """

    fit: LmerFit
    frame: pd.DataFrame | None = field(repr=False)
    groups: Mapping[str, tuple[str, ...]] | None
    labels: Mapping[str, str] | None
    texts: Mapping[object, str] = field(repr=False)
    source: str
    warnings: tuple[str, ...] = ()
    path: Penalties | None = None


def explore(
    result: LmerFit | LassoSelection | LassoLmer | Question | Ladder,
    study: Any = None,
    *,
    model: str = "6",
    feature_groups: Mapping[str, Sequence[str]] | None = None,
    conf_level: float = 0.95,
    **view: Any,
) -> Explorer:
    """Open the explorer of a result's coefficients in JupyterLab.

    Parameters
    ----------
    result
        A fit; a Lasso selection (its refit is shown, and its path under a slider); a research question (the refit
        with the question's own random part); a ladder (the rung ``model`` with all its columns, by maximum likelihood
        as the ladder's, with its random part, crossed intercepts where it has none).
    study
        The study, or the table, that was fitted. It names feature groups and prompts, and offers random intercepts
        that the fit does not have. A ladder needs it.
    model
        Which rung of a ladder.
    feature_groups
        Columns by group, for a table; a study brings its own.
    conf_level
        Coverage of the intervals.
    **view
        Fields of :class:`pluristats.explorer.View`: what is seen first.

    Returns
    -------
    Explorer
        The widget; the last line of a cell shows it.

    Raises
    ------
    UnsupportedError
        The widget library is not installed; or there is nothing with a random part to explore.
    FitError
        The study is not the one that was fitted.
    TypeError
        The result is of another kind.
    """
    try:
        from pluristats.explorer.widget import Explorer
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("anywidget", "ipywidgets", "traitlets"):
            raise
        raise UnsupportedError(NEEDS) from error
    subject = subject_of(result, study, model=model, groups=feature_groups)
    if subject.frame is not None:
        fitted_rows(subject.fit, subject.frame)  # refused now rather than at the first question
    return Explorer(subject, View(**view), conf_level)


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
        return Subject(_rung(result, study, model), **rest, warnings=result.notes)
    raise TypeError(f"explore() takes a fit, a Lasso selection, a research question or a ladder, not {type(result)!r}.")


def _rung(ladder: Ladder, study: Any, model: str) -> LmerFit:
    """A rung with all its columns, on the ladder's rows."""
    if study is None or isinstance(study, pd.DataFrame):
        raise UnsupportedError("A ladder holds no rows: give the study that it was made of, ladder.explore(study).")
    formulas = ladder_formulas(study)
    if model not in formulas:
        raise ValueError(f"model is one of {', '.join(formulas)}, not {model!r}.")
    frame = study.frame()
    if ladder.spec != "published":
        frame = common_rows(study, frame)
    return mixed_fit(formulas[model], frame, study, ladder.random or "(1|annotator) + (1|prompt)")[0]


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
