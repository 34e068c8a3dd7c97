"""``explore``: from any result with coefficients to the widget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pluristats.analysis.ladder import Ladder
from pluristats.analysis.rq import Question
from pluristats.explorer.coefficients import View
from pluristats.explorer.rows import fitted_rows
from pluristats.explorer.subject import subject_of
from pluristats.lasso import LassoLmer, LassoSelection
from pluristats.models import LmerFit

if TYPE_CHECKING:
    from pluristats.explorer.widget import Explorer


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
        as the ladder's, with its random part, crossed intercepts where it has none; the others by a switch).
    study
        The study, or the table, that was fitted. It names feature groups and prompts, and offers random intercepts
        that the fit does not have. A ladder needs it.
    model
        Which rung of a ladder is seen first.
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
        There is nothing with a random part to explore.
    FitError
        The study is not the one that was fitted.
    TypeError
        The result is of another kind.
    """
    from pluristats.explorer.widget import Explorer

    subject = subject_of(result, study, model=model, groups=feature_groups)
    if subject.frame is not None:
        fitted_rows(subject.fit, subject.frame)  # refused now rather than at the first question
    return Explorer(subject, View(**view), conf_level)
