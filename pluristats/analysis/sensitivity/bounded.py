"""The ordered beta likelihood with random intercepts, without R."""

from __future__ import annotations

import numpy as np

from pluristats.analysis.sensitivity.outcome import Rows
from pluristats.analysis.sensitivity.refit import Refit
from pluristats.errors import FitError
from pluristats.models.ordered_beta.density import Shape
from pluristats.models.ordered_beta.estimate import estimate
from pluristats.models.ordered_beta.predicted import mean_slope


def ordered_beta(rows: Rows) -> Refit:
    """Cutpoints for 0 and 1, a beta density between, and the rows' random intercepts (:func:`ps.ordered_beta`).

    The same estimates as ``glmmTMB``'s (:mod:`pluristats.analysis.sensitivity.in_r`), in seconds.

    Raises
    ------
    FitError
        The ratings leave a parameter without an estimate, or the likelihood has no maximum.
    """
    x = np.column_stack([np.ones(len(rows.raw)), rows.x])
    found = estimate(rows.unit, x, rows.factors)
    if found.optimizer.status == "failed" or len(found.kept) < x.shape[1]:
        raise FitError(f"The ordered beta likelihood has no proper maximum: {found.optimizer.message}.")
    notes = ["Conditional on the random intercepts."]
    if found.optimizer.status == "boundary":
        notes.append("A random intercept has variance zero.")
    codes = {f.name: f.codes for f in rows.factors}
    eta = x @ found.beta + sum(r.modes[codes[r.factor], 0] for r in found.random)
    cut0, cut1, phi = found.shape
    low, high = rows.scale
    shape = Shape.of(np.array([cut0, np.log(cut1 - cut0), np.log(phi)]))
    return Refit(
        likelihood="ordered-beta",
        kind="mixed",
        engine="native",
        terms=rows.terms,
        estimate=found.beta[1:] / rows.sd,
        std_error=np.sqrt(np.diag(found.vcov))[1:] / rows.sd,
        slope=float(mean_slope(eta, shape).mean()) * (high - low),
        nobs=len(rows.raw),
        notes=tuple(notes),
    )
