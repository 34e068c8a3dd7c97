"""Bootstrap of a fitted model: refits of simulated responses or of resampled people, items or rows."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd
from numpy.random import SeedSequence
from numpy.typing import NDArray

from pluristats.display.shown import Displayed, Shown
from pluristats.engine import native
from pluristats.engine.refit import Refit, Refitter
from pluristats.engine.result import Array, EngineFit, Problem
from pluristats.engine.threads import one_blas_thread
from pluristats.errors import ConvergenceWarning, FitError, RankDeficientWarning, UnsupportedError
from pluristats.models.parallel import in_blocks
from pluristats.models.resample import Resampler, clusters_of
from pluristats.models.simulate import Recipe, recipe, streams
from pluristats.models.tables import tidy_components

if TYPE_CHECKING:
    from pluristats.models.fit import LmerFit

Kind = str | pd.Series | Sequence[str | pd.Series]
# What a refit gives: of random intercepts, of random slopes, or why there is none.
Outcome = Refit | EngineFit | FitError


@dataclass(frozen=True, eq=False)
class Bootstrap(Displayed):
    """Bootstrap replicates of a fit's estimates.

    Parameters
    ----------
    kind
        What was resampled, in words.
    seed
        Of the random numbers.
    parameters
        One row a parameter: effect (``fixed`` or ``ran_pars``), group, term, and the fit's own ``estimate``.
    estimates
        Replicates, shape (n, parameters), read-only. NaN where a replicate could not be fitted or its rows do not
        determine the column.
    status
        ``converged``, ``boundary``, ``failed`` (the optimiser stopped early) or ``refused`` (no fit is possible), one
        a replicate; estimates of the last two are NaN.
    refusals
        (reason, replicates) of those that failed or were refused.
    simulated
        Whether the data say of themselves that they are simulated.
    """

    kind: str
    seed: int
    parameters: pd.DataFrame = field(repr=False)
    estimates: Array = field(repr=False)
    status: tuple[str, ...] = field(repr=False)
    refusals: tuple[tuple[str, int], ...] = ()
    simulated: bool = False

    def _shown(self) -> Shown:
        refused = tuple(f"{count:,} replicates without estimates: {reason}" for reason, count in self.refusals)
        how = f"{self.n:,} replicates (seed {self.seed}), {self.n_boundary:,} of them on the boundary."
        tables = (("Bootstrap standard errors and intervals", self.tidy()),)
        return Shown(f"Bootstrap: {self.kind}", self.simulated, lines=(how, *refused), tables=tables)

    @property
    def n(self) -> int:
        """Replicates asked for."""
        return len(self.status)

    @property
    def n_failed(self) -> int:
        """Replicates without estimates."""
        return sum(s in ("failed", "refused") for s in self.status)

    @property
    def n_boundary(self) -> int:
        """Replicates with a variance component at zero; they count."""
        return self.status.count("boundary")

    @property
    def replicates(self) -> pd.DataFrame:
        """One row a replicate and parameter: replicate, effect, group, term, estimate, status."""
        m = len(self.parameters)
        table = pd.concat([self.parameters.drop(columns="estimate")] * self.n, ignore_index=True)
        table.insert(0, "replicate", np.repeat(np.arange(self.n), m))
        return table.assign(estimate=self.estimates.ravel(), status=np.repeat(np.array(self.status, dtype=object), m))

    def tidy(self, *, conf_level: float = 0.95) -> pd.DataFrame:
        """One row a parameter, with bootstrap standard errors and intervals.

        Formula: std_error = sd of the replicates (n - 1), bias = their mean - estimate; percentile interval = their
        α/2 and 1-α/2 quantiles, basic interval = 2 estimate - those, the other way round (Davison & Hinkley 1997,
        sections 5.2-5.3; quantiles by linear interpolation).

        Parameters
        ----------
        conf_level
            Coverage, a share.

        Returns
        -------
        DataFrame
            effect, group, term, estimate, std_error, bias, percentile_low, percentile_high, basic_low, basic_high,
            n (replicates that have the parameter). With fewer than two of them the rest is NaN.
        """
        if not 0.0 < conf_level < 1.0:
            raise ValueError(f"conf_level is a share between 0 and 1, such as 0.95, not {conf_level}.")
        tails = [(1 - conf_level) / 2, (1 + conf_level) / 2]
        rows = []
        for values, estimate in zip(self.estimates.T, self.parameters["estimate"], strict=True):
            there = values[~np.isnan(values)]
            if len(there) < 2:
                rows.append([np.nan] * 6 + [len(there)])
                continue
            low, high = np.quantile(there, tails)
            bias = there.mean() - estimate
            rows.append([there.std(ddof=1), bias, low, high, 2 * estimate - high, 2 * estimate - low, len(there)])
        names = ["std_error", "bias", "percentile_low", "percentile_high", "basic_low", "basic_high", "n"]
        table = pd.DataFrame(rows, columns=names).astype({"n": int})
        return pd.concat([self.parameters, table], axis=1)


class _Job(Protocol):
    """Makes refits from streams of random numbers."""

    def refits(self, streams: Sequence[SeedSequence]) -> list[Outcome]:
        """One refit a stream."""


@dataclass(frozen=True)
class _Simulated:
    refitter: Refitter
    recipe: Recipe
    start: Array

    def refits(self, streams: Sequence[SeedSequence]) -> list[Outcome]:
        return [*self.refitter.fit_many(self.recipe.draw(streams), start=self.start)]


@dataclass(frozen=True)
class _SimulatedSlopes:
    """Fits of random slopes read the rows each time."""

    problem: Problem
    reml: bool
    recipe: Recipe

    def refits(self, streams: Sequence[SeedSequence]) -> list[Outcome]:
        out: list[Outcome] = []
        for stream in streams:
            try:
                with one_blas_thread():
                    out.append(native.fit(replace(self.problem, y=self.recipe.draw([stream])[0]), reml=self.reml))
            except FitError as error:
                out.append(error)
        return out


@dataclass(frozen=True)
class _Resampled:
    resampler: Resampler
    reml: bool
    start: Array

    def refits(self, streams: Sequence[SeedSequence]) -> list[Outcome]:
        out: list[Outcome] = []
        for stream in streams:
            problem = self.resampler.draw(np.random.default_rng(stream))
            try:
                with one_blas_thread():
                    out.append(Refitter.of(problem, reml=self.reml).fit(start=self._start(problem)))
            except FitError as error:
                out.append(error)
        return out

    def _start(self, problem: Problem) -> Array | None:
        """The fit's theta, unless losing levels has changed the factors' order."""
        sizes = [f.q for f in problem.factors]
        return self.start if all(a >= b for a, b in pairwise(sizes)) else None


def bootstrap(
    fit: LmerFit, n: int = 1000, *, kind: Kind = "parametric", seed: int = 0, n_jobs: int = 1, progress: bool = False
) -> Bootstrap:
    """Refit a model to n simulated responses or resamples of its rows.

    Parameters
    ----------
    fit
        Refits are by the native engine, by ML or REML as the fit; with random slopes parametric only.
    n
        Replicates.
    kind
        ``"parametric"``: responses y* = Xβ + Σ_k Z_k b_k + ε with new effects, as :func:`simulate` gives for the same
        seed (lme4's ``bootMer``). A grouping factor's name, such as ``"annotator"``: whole levels with replacement.
        Several names, or ``"both"`` for the two that a fit has: each is resampled by itself and a row comes as often
        as the product of its levels' draws (the pigeonhole bootstrap; Owen 2007). In place of a name, a column of the
        data (a Series): its values are the clusters. ``"rows"``: single rows. A level drawn twice is two levels of the
        refit.
    seed
        The i-th replicate depends on ``seed`` and i only, not on ``n_jobs``.
    n_jobs
        Processes; worth it where a thousand refits take more than about ten seconds.
    progress
        Show how far it is, on standard error.

    Returns
    -------
    Bootstrap

    Warns
    -----
    ConvergenceWarning, RankDeficientWarning
        Replicates without estimates, or without some columns (resampled rows need not determine them).

    References
    ----------
    Owen (2007), The pigeonhole bootstrap, Ann. Appl. Stat. 1(2).
    """
    if n < 2:
        raise ValueError(f"n is the number of replicates, at least 2, not {n}.")
    job, words = _job(fit, kind)
    parts = in_blocks(job.refits, streams(seed, n), n_jobs=n_jobs, what=f"bootstrap ({words})", progress=progress)
    return _gathered(fit, parts, words, seed)


def refit_problem(fit: LmerFit, what: str) -> Problem:
    """The rows of a fit with its estimated columns only, factors in theta's order."""
    if fit.has_slopes:
        raise UnsupportedError(f"{what} refits random intercepts only; this fit has random slopes.")
    fit.refuse_iterative(f"{what} by refits")
    by_name = {f.name: f for f in fit.problem.factors}
    factors = tuple(by_name[r.factor] for r in fit.result.random)
    x = np.ascontiguousarray(fit.problem.x[:, fit.result.kept])
    return replace(fit.problem, x=x, x_names=fit.terms, factors=factors)


def _job(fit: LmerFit, kind: Kind) -> tuple[_Job, str]:
    if fit.has_slopes and isinstance(kind, str) and kind == "parametric":
        x = np.asfortranarray(fit.problem.x[:, fit.result.kept])
        return _SimulatedSlopes(replace(fit.problem, x=x, x_names=fit.terms), fit.reml, recipe(fit)), kind
    problem, start = refit_problem(fit, "The bootstrap of resampled rows"), fit.theta.copy()
    if isinstance(kind, str) and kind == "parametric":
        return _Simulated(Refitter.of(problem, reml=fit.reml), recipe(fit), start), kind
    clusters, words = _clusters(fit, kind)
    return _Resampled(Resampler.of(problem, clusters), fit.reml, start), words


def _clusters(fit: LmerFit, kind: Kind) -> tuple[list[NDArray[np.intp]], str]:
    """Codes of the cluster variables that ``kind`` names."""
    if isinstance(kind, str) and kind == "rows":
        return [], kind
    named: list[str | pd.Series] = [kind] if isinstance(kind, str | pd.Series) else list(kind)
    known = [f.name for f in fit.problem.factors]
    if isinstance(kind, str) and kind == "both" and "both" not in known:
        if len(known) != 2:
            raise ValueError(
                f"kind='both' needs a fit with two grouping factors, this one has {', '.join(known)}; name the ones to "
                "resample, such as kind=['annotator', 'prompt']."
            )
        named = [*known]
    if not named:
        raise ValueError("kind names no grouping factor; name one, or use 'rows' to resample single rows.")
    words = [name if isinstance(name, str) else str(name.name) for name in named]
    return [clusters_of(fit, name)[0] for name in named], " + ".join(words)


def _gathered(fit: LmerFit, refits: Sequence[Outcome], words: str, seed: int) -> Bootstrap:
    p, k = len(fit.terms), len(fit.theta)
    estimates = np.full((len(refits), p + k + 1), np.nan)
    status, reasons = [], Counter[str]()
    for row, refit in zip(estimates, refits, strict=True):
        if isinstance(refit, FitError):
            status.append("refused")
            reasons[str(refit)] += 1
            continue
        outcome = refit.optimizer.status if isinstance(refit, EngineFit) else refit.status
        status.append(outcome)
        if outcome == "failed":
            reasons["The optimiser did not converge."] += 1
            continue
        row[refit.kept] = refit.beta
        row[p:] = (
            tidy_components(refit)["estimate"]
            if isinstance(refit, EngineFit)
            else np.r_[refit.theta * refit.sigma, refit.sigma]
        )
    estimates.setflags(write=False)
    random = fit.tidy("ran_pars")
    parameters = pd.DataFrame(
        {
            "effect": ["fixed"] * p + ["ran_pars"] * len(random),
            "group": [None] * p + random["group"].tolist(),
            "term": [*fit.terms, *random["term"]],
            "estimate": np.r_[fit.result.beta, random["estimate"]],
        }
    )
    result = Bootstrap(words, seed, parameters, estimates, tuple(status), tuple(reasons.most_common()), fit.simulated)
    _warn(result)
    return result


def _warn(result: Bootstrap) -> None:
    if result.n_failed:
        reason, count = result.refusals[0]
        warnings.warn(
            f"{result.n_failed} of {result.n} bootstrap replicates have no estimates and are left out; {count} of them "
            f"because: {reason}",
            ConvergenceWarning,
            stacklevel=4,
        )
    fitted = np.isin(result.status, ["converged", "boundary"])
    missing = np.isnan(result.estimates[fitted])
    if missing.any():
        names = result.parameters["term"].to_numpy()[missing.any(axis=0)]
        warnings.warn(
            f"In {int(missing.any(axis=1).sum())} of {result.n} bootstrap replicates the rows drawn do not determine "
            f"every column ({', '.join(map(str, names))}); those columns have fewer replicates, and the others' "
            "estimates there are of a smaller model.",
            RankDeficientWarning,
            stacklevel=4,
        )
