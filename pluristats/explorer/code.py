"""Python that makes a view again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from pluristats.display.text import one_line
from pluristats.explorer.coefficients import View
from pluristats.explorer.refit import NONE, formula_of, structure_of
from pluristats.explorer.subject import Rungs, Subject
from pluristats.models import LmerFit


def code_of(subject: Subject, now: LmerFit, view: View, conf_level: float = 0.95) -> str:
    """Code that fits the model and opens the view; ``study`` in it is the study (or table) that was fitted.

    Parameters
    ----------
    subject
        What is explored.
    now
        The fit that is seen; without a random part the subject's own formula is fitted and then refitted.
    view
        Which rows are seen.
    conf_level
        Coverage of the intervals.
    """
    options = [f"{name}={value!r}" for name, value in _changed(view)]
    if conf_level != 0.95:
        options.append(f"conf_level={conf_level!r}")
    lines = ["import pluristats as ps", "", f"# study: {one_line(subject.source)}"]
    if subject.rungs is not None:
        lines += _ladder(subject.rungs, options)
        refitted = now is not subject.fit
    else:
        refitted = structure_of(now) == NONE
        lines += _fit(subject.fit if refitted else now, subject.table)
        lines.append(f"view = ps.explore({', '.join(['fit', 'study', *options])})")
    if refitted:
        engine = "" if structure_of(now) == NONE else f", engine={now.engine!r}"
        lines.append(f"view.refit({structure_of(now)!r}{engine}, reml={now.reml})")
    return "\n".join([*lines, "view.figure()", ""])


def _changed(view: View) -> Iterator[tuple[str, object]]:
    """Fields that are not the default's."""
    default = View()
    for field in fields(View):
        if getattr(view, field.name) != getattr(default, field.name):
            yield field.name, getattr(view, field.name)


def _ladder(rungs: Rungs, options: list[str]) -> Iterator[str]:
    ladder = rungs.ladder
    random = "" if ladder.random is None else f", random={ladder.random!r}"
    yield f"ladder = ps.bic_ladder(study, {ladder.spec!r}{random})"
    yield f"view = ladder.explore({', '.join(['study', f'model={rungs.model!r}', *options])})"


def _fit(fit: LmerFit, table: str) -> Iterator[str]:
    design, given, data = fit.design, [], "study"
    for name, source in (("weights", design.weights_from), ("offset", design.offset_from)):
        if source is not None:
            given.append(f"{name}={name}")
    if given:
        yield "# weights and offset: as they were given to this fit"
    formula = fit.formula
    if design.subset_of is not None:
        formula = formula_of(fit, structure_of(fit))
        kept = {name for term in design.terms if term.name in design.x_names for name in term.factors}
        others = [column for column, _ in design.dropped if column not in kept]
        if others:  # columns that were left out of the model cost it rows all the same
            yield f"rows = {table}.dropna(subset={others!r})"
            data = "rows"
    if fit.after_selection:
        yield "# These rows also chose the columns: standard errors ignore the selection."
    engine = "native" if fit.engine not in ("native", "lme4", "statsmodels") else fit.engine
    arguments = ", ".join([repr(formula), data, f"reml={fit.reml}", f"engine={engine!r}", *given])
    yield f"fit = ps.lmer({arguments})"
