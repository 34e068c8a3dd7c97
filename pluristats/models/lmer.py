"""``lmer``: formula and data in, fitted model out, whichever engine does the work."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol, cast

import numpy as np
import pandas as pd

from pluristats.engine.result import EngineFit, Problem
from pluristats.errors import (
    MonteCarloWarning,
    SingularFitWarning,
    UnsupportedError,
)
from pluristats.formula import Design, Values, build_design
from pluristats.models.chunked import fit_chunks, refuse_no_random
from pluristats.models.display import uncertain
from pluristats.models.fit import LmerFit
from pluristats.models.held import Held
from pluristats.models.remarks import Remark, of_columns, of_optimizer, of_rows
from pluristats.stream import Source, chunks, is_rows_elsewhere

Engine = Literal["native", "lme4", "statsmodels"]
Method = Literal["auto", "exact", "iterative"]


class StudyLike(Protocol):
    """Anything with a modelling frame and named feature groups."""

    @property
    def groups(self) -> Mapping[str, Sequence[str]]:
        """Feature groups: name -> frame columns."""

    @property
    def simulated(self) -> bool:
        """Whether the numbers come from a simulation."""

    def frame(self) -> pd.DataFrame:
        """One row an observation."""


def lmer(
    formula: str,
    data: StudyLike | pd.DataFrame | Source | str | Path,
    *,
    reml: bool = True,
    engine: Engine = "native",
    method: Method = "auto",
    seed: int = 0,
    groups: Mapping[str, Sequence[str]] | None = None,
    weights: Values | None = None,
    offset: Values | None = None,
    family: str = "gaussian",
) -> LmerFit:
    """Fit a linear mixed model, y = offset + Xβ + Σ_k Z_k b_k + ε, b_kl ~ N(0, σ²Λ_kΛ_k'), ε_i ~ N(0, σ²/weights_i).

    Parameters
    ----------
    formula
        As in lme4: ``"rating ~ actions + effects + (1|annotator) + (1|prompt)"``. Fixed terms are formulaic's; a
        feature group's name stands for all its columns, ``traits:actions`` for all products, ``traits:traits`` for
        each pair once. ``(1|g)`` with any number of grouping columns, interactions ``a:b`` and nesting ``a/b``;
        random slopes ``(1 + x|g)``, ``(0 + x|g)`` with a full covariance, ``(1 + x||g)`` without correlations.
        ``offset(x)`` adds a known column or expression.
    data
        A study, or a table with one row an observation. Rows that memory does not hold come from :func:`ps.chunks`, or
        directly as a path of a Parquet or Arrow file or folder, a pyarrow data set or table, or a Dask DataFrame.
    reml
        Restricted maximum likelihood (the default, as lme4) or maximum likelihood.
    engine
        ``"native"``; ``"lme4"`` through pymer4; ``"statsmodels"`` (MixedLM, slow, random intercepts only).
    method
        How the native engine computes: ``"exact"``; ``"iterative"`` (:mod:`pluristats.engine.iterative`), whose cost
        and memory grow linearly with the ratings, and which estimates the likelihood by random probes with an error
        that is reported (``fit.result.monte_carlo``); or ``"auto"``, exact up to 10,000 levels of all grouping factors
        but the largest, iterative beyond. With one grouping factor everything is exact.
    seed
        Of the iterative method's probes; the same seed gives the same numbers.
    groups
        Feature groups for a table; a study brings its own.
    weights
        Prior weights: a column's name, a Series matched by its index, or values by position. Positive; σ² is the
        residual variance of a row of weight 1, and they are not rescaled. Not numbers of replicates: a mean of m
        ratings has weight m, but m rows in one are not m rows.
    offset
        Known part of the response, given in the same ways; it adds to ``offset(x)`` in the formula.
    family
        Only ``"gaussian"``; others are refused by name.

    Returns
    -------
    LmerFit

    Raises
    ------
    FormulaError, UnsupportedError
        The formula cannot be read, names unknown columns, or asks for what the engine does not do; weights or an
        offset that do not match the table.
    FitError
        The model cannot be fitted to these data; a weight is not positive.

    Warns
    -----
    DroppedRowsWarning, RankDeficientWarning, SingularFitWarning, ConvergenceWarning, MonteCarloWarning
        What happened on the way; the same facts are fields of the result.

    References
    ----------
    Bates, Mächler, Bolker & Walker (2015), Fitting linear mixed-effects models using lme4, J. Stat. Softw. 67(1).
    """
    if family != "gaussian":
        raise UnsupportedError(
            f"family={family!r} is not supported, only 'gaussian'; R's glmer (pymer4's Lmer(..., family=...)) fits it."
        )
    _refuse_options(engine, method)
    if is_rows_elsewhere(data):
        if engine != "native":
            raise UnsupportedError(f"engine={engine!r} needs all rows in memory; read them into a DataFrame for it.")
        if weights is not None or offset is not None:
            raise UnsupportedError("weights= and offset= need all rows in memory; read them into a DataFrame for them.")
        fit = fit_chunks(formula, chunks(data), reml=reml, method=method, seed=seed, groups=groups or {})
    else:
        frame, groups, simulated = frame_and_groups(cast(StudyLike | pd.DataFrame, data), groups)
        design = build_design(formula, frame, groups, weights=weights, offset=offset)
        fit = fit_design(
            design, frame, formula=formula, reml=reml, engine=engine, method=method, seed=seed, simulated=simulated
        )
    for category, message in remarks(fit):
        warnings.warn(message, category, stacklevel=2)
    return fit


def _refuse_options(engine: str, method: str) -> None:
    if method not in ("auto", "exact", "iterative"):
        raise ValueError(f"method is 'auto', 'exact' or 'iterative', not {method!r}.")
    if engine != "native" and method != "auto":
        raise UnsupportedError(f"method={method!r} is the native engine's, not {engine!r}'s; leave one of them out.")


def frame_and_groups(
    data: StudyLike | pd.DataFrame, groups: Mapping[str, Sequence[str]] | None
) -> tuple[pd.DataFrame, Mapping[str, Sequence[str]], bool]:
    """Rows, feature groups and whether they are simulated, of a study or a table."""
    if isinstance(data, pd.DataFrame):
        return data, groups or {}, False
    if not hasattr(data, "frame") or not hasattr(data, "groups"):
        raise TypeError(f"The data are a study or a pandas DataFrame, not {type(data).__name__}; convert them first.")
    return data.frame(), data.groups if groups is None else groups, data.simulated


def fit_design(
    design: Design,
    frame: pd.DataFrame,
    *,
    formula: str,
    reml: bool,
    engine: Engine = "native",
    method: Method = "auto",
    seed: int = 0,
    simulated: bool = False,
) -> LmerFit:
    """Fit a design without a remark; what :func:`lmer` does after the formula, and Lasso refits do on a subset."""
    problem = Problem(design.y, design.x, design.x_names, design.factors, design.weights, design.offset)
    return LmerFit(
        formula=formula,
        design=design,
        data=Held(problem, frame.index[design.rows]),
        result=_fit(problem, design, frame, reml=reml, engine=engine, method=method, seed=seed),
        simulated=simulated,
    )


def _fit(
    problem: Problem, design: Design, frame: pd.DataFrame, *, reml: bool, engine: str, method: Method, seed: int
) -> EngineFit:
    refuse_no_random(design.parsed)
    slopes = [str(term) for term in design.parsed.random if not term.intercept_only]
    if slopes and engine == "statsmodels":
        raise UnsupportedError(
            f"Random term {slopes[0]} is more than a random intercept, which engine='statsmodels' does not fit; "
            "use engine='native'."
        )
    if engine == "native":
        from pluristats.engine import native

        return native.fit(problem, reml=reml, method=method, seed=seed)
    if engine == "lme4":
        from pluristats.engine import lme4

        if not slopes:
            return lme4.fit(problem, reml=reml)
        random = " + ".join(str(term) for term in design.parsed.random)
        return lme4.fit(problem, reml=reml, frame=frame.iloc[design.rows], random=random)
    if engine == "statsmodels":
        from pluristats.engine import mixedlm_statsmodels

        return mixedlm_statsmodels.fit(problem, reml=reml)
    raise UnsupportedError(f"There is no engine {engine!r}; use 'native', 'lme4' or 'statsmodels'.")


def remarks(fit: LmerFit) -> list[Remark]:
    """What a reader must know about this fit, as warnings."""
    remarks = [*of_rows(fit.design), *of_columns(fit.dropped_columns)]
    if fit.singular:
        remarks.append(
            (
                SingularFitWarning,
                f"The fit is on the boundary (singular): {_singular_parts(fit)} has variance "
                "zero; tests and intervals for it are not valid, and the term may be left out.",
            )
        )
    remarks += of_optimizer(fit.optimizer)
    found = fit.result.monte_carlo
    if found is not None and not found.met:
        remarks.append((MonteCarloWarning, uncertain(found)))
    return remarks


def _singular_parts(fit: LmerFit) -> str:
    """Which random coefficients, or combinations of those of a factor, have variance zero."""
    found = []
    for r in fit.result.random:
        sd = np.sqrt(np.diag(r.covariance) * fit.design.mean_weight) / fit.sigma
        zero = sd < (1e-4 if r.terms == ("(Intercept)",) else 1e-12)
        found += [f"{r.factor}.{term}" for term, none in zip(r.terms, zero, strict=True) if none]
        for part in r.parts:
            left = np.flatnonzero(~zero[part]) + part.start
            if len(left) > 1:
                scaled = (
                    r.covariance[np.ix_(left, left)]
                    / np.outer(sd[left], sd[left])
                    * (fit.design.mean_weight / fit.sigma**2)
                )
                if np.linalg.eigvalsh(scaled)[0] < 1e-8:
                    found.append(f"a combination of {', '.join(r.terms[j] for j in left)} in {r.factor}")
    return ", ".join(found) or "a combination of random effects"
