"""The same fixed columns and rows under another random part, engine or likelihood."""

from __future__ import annotations

import importlib.util
import shutil
import warnings
from dataclasses import replace
from itertools import combinations

import pandas as pd

from pluristats.engine import native
from pluristats.engine.result import Factor
from pluristats.errors import PluristatsWarning, UnsupportedError
from pluristats.explorer.rows import fitted_rows
from pluristats.formula import Design, RandomTerm, grouping_factor
from pluristats.formula.random import random_terms
from pluristats.models import LmerFit
from pluristats.models.held import Held
from pluristats.models.lmer import Engine, fit_design

NONE = "none"
AS_FITTED = "as fitted"


def structures(fit: LmerFit, frame: pd.DataFrame | None = None) -> tuple[str, ...]:
    """Random parts that can be chosen: the fit's own first, then intercepts of every combination, and none.

    Parameters
    ----------
    fit
        The fit.
    frame
        The rows with their grouping columns; adds ``annotator`` and ``prompt`` where it has them.
    """
    own = tuple(dict.fromkeys(term.name for term in fit.design.parsed.random))
    more = () if frame is None else tuple(c for c in ("annotator", "prompt") if c in frame.columns and c not in own)
    names = sorted({*own, *more})
    parts = [
        " + ".join(f"(1|{name})" for name in some) for k in range(len(names), 0, -1) for some in combinations(names, k)
    ]
    mine = structure_of(fit)
    return (mine, *(part for part in [*parts, NONE] if part != mine))


def structure_of(fit: LmerFit) -> str:
    """The random part of a fit as one of :func:`structures`."""
    terms = fit.design.parsed.random
    if not all(term.intercept_only for term in terms):
        return AS_FITTED
    return " + ".join(f"(1|{name})" for name in sorted({t.name for t in terms})) or NONE


def engines() -> tuple[Engine, ...]:
    """Engines that seem to be installed; native first. R is not started to look: a refit says what is missing."""
    found: list[Engine] = ["native", "statsmodels"]
    if shutil.which("R") and importlib.util.find_spec("pymer4") is not None:
        found.append("lme4")
    return tuple(found)


def refit(
    fit: LmerFit,
    structure: str,
    *,
    engine: Engine = "native",
    reml: bool = True,
    frame: pd.DataFrame | None = None,
) -> LmerFit:
    """Fit the same rows and fixed columns anew.

    Parameters
    ----------
    fit
        Whose rows, response and fixed columns are kept; also those of an earlier selection.
    structure
        One of :func:`structures`; ``"none"`` is least squares (weighted where the fit has weights).
    engine, reml
        As :func:`pluristats.lmer`; least squares is the native engine's.
    frame
        The table that was fitted; needed for grouping columns that the fit does not have.

    Raises
    ------
    UnsupportedError
        Another random part than :func:`structures` names, or another engine for least squares.
    FitError
        The fit's rows are not in ``frame``, or the model cannot be fitted.
    """
    if not isinstance(fit.design, Design):
        raise UnsupportedError("A fit of rows read in chunks cannot be refitted here; fit a DataFrame.")
    if structure not in structures(fit, frame):
        raise UnsupportedError(f"structure is one of {'; '.join(structures(fit, frame))}, not {structure!r}.")
    with warnings.catch_warnings():
        # What the warnings say is shown as the fit's remarks.
        warnings.simplefilter("ignore", PluristatsWarning)
        if structure == NONE:
            return _least_squares(fit, engine, reml)
        design = fit.design
        if structure not in (AS_FITTED, structure_of(fit)):
            names = [part.strip()[3:-1] for part in structure.split(" + ")]
            terms = tuple(RandomTerm("1", (tuple(name.split(":")))) for name in names)
            design = replace(
                design,
                parsed=replace(design.parsed, random=terms),
                factors=tuple(_factor(fit, term, frame) for term in terms),
                random=random_terms(terms, {}),
            )
        rows = pd.DataFrame(index=fit.index) if frame is None else fitted_rows(fit, frame)
        # Design's rows are positions in the whole table; here the table is the rows used.
        design = replace(design, rows=pd.RangeIndex(len(rows)).to_numpy())
        formula = formula_of(fit, structure)
        again = fit_design(design, rows, formula=formula, reml=reml, engine=engine, simulated=fit.simulated)
    return replace(again, after_selection=fit.after_selection)


def formula_of(fit: LmerFit, structure: str) -> str:
    """A formula of the fit's columns with another random part; after a selection, of the columns kept by name."""
    if structure == AS_FITTED and fit.design.subset_of is None:
        return fit.formula
    parsed = fit.design.parsed
    response = parsed.response
    if fit.design.subset_of is None:
        fixed = " ".join(f"{sign} {piece}" for sign, piece in parsed.pieces).removeprefix("+ ")
    else:
        fixed = " + ".join(["1", *(name for name in fit.design.x_names if name != "(Intercept)")])
    offsets = "".join(f" + offset({text})" for text in parsed.offsets)
    own = " + ".join(str(term) for term in parsed.random)
    random = {AS_FITTED: own, NONE: ""}.get(structure, structure)
    return f"{response} ~ {fixed}{offsets}" + (f" + {random}" if random else "")


def _factor(fit: LmerFit, term: RandomTerm, frame: pd.DataFrame | None) -> Factor:
    for factor in fit.problem.factors:
        if factor.name == term.name:
            return replace(factor, z=None, terms=("(Intercept)",)) if factor.z is not None else factor
    if frame is None:
        raise UnsupportedError(f"The fit has no factor {term.name!r}; give the study that was fitted.")
    return grouping_factor(term, fitted_rows(fit, frame))


def _least_squares(fit: LmerFit, engine: str, reml: bool) -> LmerFit:
    if engine != "native":
        raise UnsupportedError(f"Least squares is the native engine's, not {engine!r}'s; choose a random part.")
    assert isinstance(fit.design, Design)
    problem = replace(fit.problem, factors=())
    # Residual variance RSS/(n - p), as everybody's least squares; ML's divides by n.
    result = native.fit(problem, reml=reml)
    design = replace(fit.design, parsed=replace(fit.design.parsed, random=()), factors=(), random=())
    return replace(fit, formula=formula_of(fit, NONE), design=design, data=Held(problem, fit.index), result=result)
