"""Who drifts: people's traits against what changes in their ratings."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pluristats.errors import DroppedRowsWarning, LatentError
from pluristats.latent.record import Array
from pluristats.models.multiplicity import Adjust, with_adjusted

if TYPE_CHECKING:
    from pluristats.study import Study

COLUMNS = ["outcome", "term", "estimate", "std_error", "statistic", "df", "p_value", "conf_low", "conf_high", "n"]


def trait_associations(
    study: Study, outcomes: Mapping[str, Array], *, adjust: Adjust = "holm", conf_level: float = 0.95
) -> pd.DataFrame:
    """Least squares of an annotator's figures on all traits at once.

    Formula: outcome_i = β_0 + Σ_l β_l trait_il + ε_i over annotators with every trait; standard errors by HC3
    (MacKinnon & White 1985), as figures of people are not known equally well; t with n − p degrees of freedom.

    Parameters
    ----------
    study
        With traits.
    outcomes
        By name, one value an annotator in the order of ``study.annotators``.
    adjust
        Of p over the traits of one outcome (:mod:`pluristats.models.multiplicity`).
    conf_level
        Coverage of each interval alone.

    Returns
    -------
    DataFrame
        outcome, term, estimate, std_error, statistic, df, p_value, p_adjusted, conf_low, conf_high, n.

    Warns
    -----
    DroppedRowsWarning
        Annotators lack a trait.
    """
    import statsmodels.api as sm

    traits = _traits(study)
    known = traits.notna().all(axis=1).to_numpy()
    if known.sum() <= traits.shape[1] + 1:
        raise LatentError(
            f"{int(known.sum())} annotators with every trait are too few for {traits.shape[1]} traits and an intercept."
        )
    if not known.all():
        warnings.warn(
            f"{int((~known).sum())} of {len(known)} annotators lack a trait and are left out of these associations.",
            DroppedRowsWarning,
            stacklevel=2,
        )
    x = sm.add_constant(traits[known].to_numpy(dtype=np.float64), has_constant="add")
    parts = []
    for name, values in outcomes.items():
        fit = sm.OLS(np.asarray(values, dtype=np.float64)[known], x).fit(cov_type="HC3", use_t=True)
        low, high = fit.conf_int(1 - conf_level).T
        table = pd.DataFrame(
            {
                "outcome": name,
                "term": ["(Intercept)", *traits.columns],
                "estimate": fit.params,
                "std_error": fit.bse,
                "statistic": fit.tvalues,
                "df": fit.df_resid,
                "p_value": fit.pvalues,
                "conf_low": low,
                "conf_high": high,
                "n": int(known.sum()),
            }
        )
        parts.append(with_adjusted(table, adjust))
    return pd.concat(parts, ignore_index=True).assign(simulated=study.simulated)


def trend_associations(study: Study, *, adjust: Adjust = "holm", conf_level: float = 0.95) -> pd.DataFrame:
    """Traits against a linear trend in the rating itself, in one mixed model.

    rating ~ trial + traits + trial:traits + (1 + trial | annotator) + (1 | prompt), all z-scored. Without the random
    slope of trial, which is the annotators' own drift, ratings would count as if a person's were independent.

    Returns
    -------
    DataFrame
        As :func:`trait_associations`, with the outcome ``rating`` and the terms ``trial`` and ``trial:<trait>``; n are
        ratings, ``df`` Satterthwaite's.
    """
    from pluristats.models.lmer import lmer

    _traits(study)
    fit = lmer("rating ~ trial + traits + trial:traits + (1 + trial | annotator) + (1 | prompt)", study)
    table = fit.tidy(effects="fixed", conf_level=conf_level)
    mine = table[table["term"].str.startswith("trial")].reset_index(drop=True)
    shown = mine.assign(outcome="rating", n=fit.nobs)[COLUMNS]
    return with_adjusted(shown, adjust).assign(simulated=study.simulated)


def _traits(study: Study) -> pd.DataFrame:
    """One row an annotator, NaN for those without a usable rating."""
    names = [name for name in study.groups.get("traits", ())]
    if not names:
        raise LatentError("This study knows no traits of its annotators, so that nothing can be associated with them.")
    first = study.frame()[["annotator", *names]].drop_duplicates("annotator").set_index("annotator")
    return first.reindex(study.annotators["annotator"])
