"""Python that makes a view again."""

from __future__ import annotations

from dataclasses import fields

from pluristats.display.text import one_line
from pluristats.explorer.coefficients import View
from pluristats.explorer.refit import NONE, formula_of, structure_of
from pluristats.models import LmerFit


def code_of(first: LmerFit, now: LmerFit, view: View, source: str, conf_level: float = 0.95) -> str:
    """Code that fits the model and opens the view; ``study`` in it is the study (or table) that was fitted.

    Parameters
    ----------
    first
        The fit that was explored first; without a random part its own formula is fitted and then refitted.
    now
        The fit that is seen.
    view
        Which rows are seen.
    source
        One line that says which study it is.
    conf_level
        Coverage of the intervals.
    """
    least_squares = structure_of(now) == NONE
    fitted = first if least_squares else now
    formula = formula_of(fitted, structure_of(fitted)) if fitted.design.subset_of is not None else fitted.formula
    engine = "native" if fitted.engine not in ("native", "lme4", "statsmodels") else fitted.engine
    given = [f"{name}={name}" for name in ("weights", "offset") if getattr(fitted.problem, name) is not None]
    given = [] if fitted.design.weights_from is None and fitted.design.offset_from is None else given
    lines = ["import pluristats as ps", "", f"# study: {one_line(source)}"]
    if given:
        lines.append("# weights and offset: as they were given to this fit")
    if fitted.after_selection:
        lines.append("# These rows also chose the columns: standard errors ignore the selection.")
    arguments = ", ".join([repr(formula), "study", f"reml={fitted.reml}", f"engine={engine!r}", *given])
    lines.append(f"fit = ps.lmer({arguments})")
    default = View()
    options = [
        f"{field.name}={getattr(view, field.name)!r}"
        for field in fields(View)
        if getattr(view, field.name) != getattr(default, field.name)
    ]
    if conf_level != 0.95:
        options.append(f"conf_level={conf_level!r}")
    lines.append(f"view = ps.explore({', '.join(['fit', 'study', *options])})")
    if least_squares:
        lines.append(f"view.refit({NONE!r}, reml={now.reml})")
    return "\n".join([*lines, "view.figure()", ""])
