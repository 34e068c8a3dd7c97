"""Informative missingness: who answers "Unsure", and to which prompts."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pluristats.analysis.disagreement.levels import spearman
from pluristats.analysis.disagreement.prompts import has_harm_levels, prompt_statistics, require_harm_levels
from pluristats.display.shown import Displayed, Shown
from pluristats.distinct import factorise
from pluristats.study import Study

Array = NDArray[np.float64]

# (term, unit): a coefficient is per unit, so that odds ratios are of a readable size.
_LEVEL = ("harm level (per 0.1)", 0.1)
_TRIAL = ("trial (per 10)", 10.0)
_MODEL = ("term", "estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high", "odds_ratio")


@dataclass(frozen=True)
class Unsure(Displayed):
    """Where ratings were withheld.

    Parameters
    ----------
    asked, unsure
        Ratings asked for, and those without an answer.
    by_level, by_annotator
        ``harm_level`` or ``annotator``; ``asked``, ``unsure``, ``rate``, ``conf_low``, ``conf_high`` (Wilson interval;
        it takes answers as independent). ``by_level`` has no rows where the study has no harm levels;
        ``by_annotator`` has the highest rate first.
    association
        Spearman correlation over prompts of the Unsure rate with the ratings' ``mean`` and ``variance``:
        ``measure``, ``rho``, ``p_value``, ``n`` (NaN when either does not vary).
    model
        Logistic regression of Unsure, one row a term (log odds): ``term``, ``estimate``, ``std_error``,
        ``statistic``, ``p_value``, ``conf_low``, ``conf_high``, ``odds_ratio``. No rows when it cannot be fitted.
    left_out
        Why a term, rows or the whole model are left out; empty when nothing is.
    simulated
        Whether the data say of themselves that they are simulated.
    """

    asked: int
    unsure: int
    by_level: pd.DataFrame
    by_annotator: pd.DataFrame
    association: pd.DataFrame
    model: pd.DataFrame
    left_out: tuple[str, ...]
    simulated: bool = False

    def _shown(self) -> Shown:
        tables = (
            ("By harm level", self.by_level),
            ("Goes with", self.association),
            ("Logistic regression, log odds", self.model),
        )
        return Shown(
            f"Unsure: {self.unsure:,} of {self.asked:,} ratings",
            self.simulated,
            tables=tuple((caption, table) for caption, table in tables if len(table)),
            notes=tuple(f"Left out: {reason}" for reason in self.left_out),
        )


def unsure(study: Study, *, middle: float = 0.5, conf_level: float = 0.95) -> Unsure:
    """Unsure rates by harm level and annotator, what they go with, and a logistic regression of them.

    Formula: rate = unsure / asked with Wilson's (1927) interval; logit P(unsure) = b0 + b1 level/0.1 +
    b2 |level - middle|/0.1 + b3 trial/10 by maximum likelihood, with the cluster-robust sandwich covariance over
    annotators (Liang & Zeger 1986, statsmodels' small-sample factor), as one annotator's answers are not independent.

    Parameters
    ----------
    study
        The study. Terms that it does not have (no harm levels, no display order) or that do not vary are left out
        of the regression and named in ``left_out``.
    middle
        Where the distance term has its zero.
    conf_level
        Coverage of all intervals.
    """
    ratings, prompts = study.ratings_, study.prompts_
    missing = ratings["rating"].isna().to_numpy()
    which = pd.Index(prompts["prompt"]).get_indexer(pd.Index(ratings["prompt"]))
    by_level = _rates(pd.Series([], dtype=float), missing[:0], "harm_level", conf_level)
    columns: dict[str, Array] = {}
    if has_harm_levels(study):
        level = require_harm_levels(study)[which]
        by_level = _rates(pd.Series(level), missing, "harm_level", conf_level).sort_values("harm_level")
        columns = {
            _LEVEL[0]: level / _LEVEL[1],
            f"distance of the level from {middle:g} (per 0.1)": np.abs(level - middle) / _LEVEL[1],
        }
    columns[_TRIAL[0]] = ratings["trial"].to_numpy(dtype=np.float64) / _TRIAL[1]
    cluster = factorise(ratings["annotator"])[0]
    model, left_out = _model(missing, columns, cluster, conf_level)
    if not has_harm_levels(study):
        left_out = ("harm level: the study has none", *left_out)
    by_annotator = _rates(ratings["annotator"], missing, "annotator", conf_level)
    return Unsure(
        asked=len(missing),
        unsure=int(missing.sum()),
        by_level=by_level.reset_index(drop=True),
        by_annotator=by_annotator.sort_values("rate", ascending=False, kind="stable").reset_index(drop=True),
        association=_association(study),
        model=model,
        left_out=left_out,
        simulated=study.simulated,
    )


def _rates(groups: pd.Series, missing: NDArray[np.bool_], name: str, conf_level: float) -> pd.DataFrame:
    from statsmodels.stats.proportion import proportion_confint

    codes, labels = factorise(groups)
    counts = pd.Series(missing.astype(np.int64))[codes >= 0].groupby(codes[codes >= 0]).agg(["size", "sum"])
    asked, withheld = counts["size"].to_numpy(dtype=np.int64), counts["sum"].to_numpy(dtype=np.int64)
    low, high = proportion_confint(withheld, asked, alpha=1 - conf_level, method="wilson")
    # Exactly 0 and 1 at the ends, where the formula leaves rounding errors.
    low, high = np.where(withheld == 0, 0.0, low), np.where(withheld == asked, 1.0, high)
    return pd.DataFrame(
        {
            name: pd.Series(labels, dtype=groups.dtype),
            "asked": asked,
            "unsure": withheld,
            "rate": withheld / asked,
            "conf_low": low,
            "conf_high": high,
        }
    )


def _association(study: Study) -> pd.DataFrame:
    prompts = prompt_statistics(study)
    asked = (prompts["n"] + prompts["n_unsure"]).to_numpy(dtype=np.float64)
    with np.errstate(invalid="ignore"):
        rate = prompts["n_unsure"].to_numpy(dtype=np.float64) / asked
    rows = []
    for measure in ("mean", "variance"):
        found = spearman(rate, prompts[measure].to_numpy(dtype=np.float64))
        rows.append((measure, found.rho, found.p_value, found.n))
    return pd.DataFrame(rows, columns=["measure", "rho", "p_value", "n"])


def _model(
    missing: NDArray[np.bool_], columns: dict[str, Array], cluster: NDArray[np.intp], conf_level: float
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Logistic regression table, and what it leaves out and why."""
    left_out: list[str] = []
    empty = pd.DataFrame(columns=list(_MODEL))
    there = np.ones(missing.size, dtype=bool)
    kept: dict[str, Array] = {"(Intercept)": np.ones(missing.size)}
    for name, values in columns.items():
        known = ~np.isnan(values)
        if not known.any():
            left_out.append(f"{name}: the study does not have it")
            continue
        if not known.all():
            left_out.append(f"{int((~known).sum())} rows without {name}")
        there &= known
        kept[name] = values
    for name in list(kept)[1:]:
        before = np.column_stack([kept[other][there] for other in kept if other != name])
        if np.linalg.matrix_rank(np.column_stack([before, kept[name][there]])) <= np.linalg.matrix_rank(before):
            left_out.append(f"{name}: does not vary, or follows from the other terms")
            del kept[name]
    y = missing[there].astype(np.float64)
    if not 0 < y.sum() < y.size:
        what = "no answer is Unsure" if not y.any() else "every answer is Unsure"
        return empty, (*left_out, f"the regression: {what}")
    if np.unique(cluster[there]).size < 2:
        return empty, (*left_out, "the regression: there is one annotator, so no errors that are robust to clusters")
    x = np.column_stack([values[there] for values in kept.values()])
    fitted = _logit(y, x, cluster[there])
    if isinstance(fitted, str):
        return empty, (*left_out, f"the regression: {fitted}")
    estimate, covariance = fitted
    return _tidy(list(kept), estimate, np.sqrt(np.diag(covariance)), conf_level), tuple(left_out)


def _logit(y: Array, x: Array, cluster: NDArray[np.intp]) -> tuple[Array, Array] | str:
    """Coefficients and cluster-robust covariance, or why there are none."""
    import statsmodels.api as sm
    from statsmodels.tools.sm_exceptions import (
        ConvergenceWarning,
        HessianInversionWarning,
        PerfectSeparationError,
        PerfectSeparationWarning,
    )

    with warnings.catch_warnings():
        for category in (ConvergenceWarning, HessianInversionWarning, PerfectSeparationWarning):
            warnings.simplefilter("error", category)
        try:
            result = sm.Logit(y, x).fit(disp=0, cov_type="cluster", cov_kwds={"groups": cluster})
        except (
            ConvergenceWarning,
            HessianInversionWarning,
            PerfectSeparationError,
            PerfectSeparationWarning,
            np.linalg.LinAlgError,
        ) as error:
            return f"it does not converge ({type(error).__name__}), as when a term predicts the answers perfectly"
    return np.asarray(result.params), np.asarray(result.cov_params())


def _tidy(terms: list[str], estimate: Array, se: Array, conf_level: float) -> pd.DataFrame:
    from scipy import stats

    z = stats.norm.ppf(0.5 + conf_level / 2)
    return pd.DataFrame(
        {
            "term": terms,
            "estimate": estimate,
            "std_error": se,
            "statistic": estimate / se,
            "p_value": 2.0 * stats.norm.sf(np.abs(estimate / se)),
            "conf_low": estimate - z * se,
            "conf_high": estimate + z * se,
            "odds_ratio": np.exp(estimate),
        }
    )
