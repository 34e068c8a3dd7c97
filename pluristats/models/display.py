"""How a fit is shown: one list of blocks, as text or for notebooks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pluristats.display.shown import SIMULATED, Shown
from pluristats.engine.result import MonteCarlo

if TYPE_CHECKING:
    from pluristats.models.fit import LmerFit


@dataclass(frozen=True)
class Block:
    """A heading, lines of text, and optionally a table of strings."""

    heading: str
    lines: tuple[str, ...] = ()
    table: pd.DataFrame | None = None


def blocks(fit: LmerFit) -> list[Block]:
    """What a summary says, in lme4's order."""
    kind = "REML" if fit.reml else "maximum likelihood"
    head = [f"Formula: {fit.formula}", f"Engine: {fit.engine}; optimiser {fit.optimizer.status}."]
    found = fit.result.monte_carlo
    if found is not None:
        head.append(
            f"Iterative: log-likelihood and variances estimated by {found.n_probes} random probes (seed {found.seed}); "
            f"the variances' error adds {found.theta_share:.1%} of a standard error, that of the random effects' "
            f"standard errors is {found.mode_sd_error:.1%}."
        )
    if fit.design.weights_from:
        head.append(f"Weights: {fit.design.weights_from}; residual variances are of weight 1.")
    offsets = [*(f"offset({text})" for text in fit.design.parsed.offsets)]
    offsets += [str(fit.design.offset_from)] if fit.design.offset_from else []
    if offsets:
        head.append(f"Offset: {' + '.join(offsets)}.")
    if fit.simulated:
        head.insert(0, SIMULATED)
    criteria = pd.DataFrame(
        {
            "AIC": [f"{fit.aic:.1f}"],
            "BIC": [f"{fit.bic:.1f}"],
            "hybrid BIC": [f"{fit.bic_hybrid:.1f}"],
            "logLik": [f"{fit.loglik:.4f}" if found is None else f"{fit.loglik:.2f} ± {fit.loglik_error:.2f}"],
            "df": [str(fit.df)],
            "rows": [str(fit.nobs)],
        }
    )
    components = fit.varcorr()
    random = pd.DataFrame(
        {
            "Group": components.grp,
            "Name": [_pair(a, b) for a, b in zip(components.var1, components.var2, strict=True)],
            "Variance": [f"{v:.5f}" for v in components.vcov],
            "Std. dev. / corr.": [f"{v:.4f}" for v in components.sdcor],
        }
    )
    tidy = fit.tidy()
    fixed = pd.DataFrame(
        {
            "Term": tidy.term,
            "Estimate": [f"{v:.5f}" for v in tidy.estimate],
            "Std. error": [f"{v:.5f}" for v in tidy.std_error],
        }
    )
    fixed["t"] = [f"{v:.3f}" for v in tidy.statistic]
    fixed["df"] = [f"{v:.1f}" for v in tidy["df"]]
    fixed["p (Satterthwaite)"] = [p_text(v) for v in tidy.p_value]
    groups = ", ".join(f"{r.factor} {len(r.levels)}" for r in fit.result.random)
    return [
        Block(f"Linear mixed model fit by {kind}", tuple(head), criteria),
        Block("Random effects", (f"Rows: {fit.nobs}; groups: {groups}",), random),
        Block("Fixed effects", (), fixed),
        *remarks(fit),
    ]


def remarks(fit: LmerFit) -> list[Block]:
    """What a reader must know before quoting the numbers."""
    lines = []
    if fit.n_dropped:
        by_column = ", ".join(f"{column}: {count}" for column, count in fit.dropped_rows)
        lines.append(f"{fit.n_dropped} of {fit.design.n_data} rows left out, a value is missing ({by_column}).")
    if fit.dropped_columns:
        lines.append(f"Columns left out as linear combinations of others: {', '.join(fit.dropped_columns)}.")
    if fit.after_selection:
        lines.append(
            "These rows also chose the columns: standard errors and p-values ignore that and are too optimistic."
        )
    if fit.singular:
        lines.append("The fit is singular: a variance component is on the boundary.")
    if fit.optimizer.status == "failed":
        lines.append(f"The optimiser did not converge: {fit.optimizer.message}.")
    if fit.result.monte_carlo is not None and not fit.result.monte_carlo.met:
        lines.append(uncertain(fit.result.monte_carlo))
    return [Block("Remarks", tuple(lines))] if lines else []


def uncertain(found: MonteCarlo) -> str:
    """That an iterative fit's error is larger than aimed at."""
    return (
        f"With {found.n_probes} probes the error of the iterative fit is larger than aimed at: the log-likelihood is "
        f"known to ± {found.loglik_error:.2g}, the variances to ± {found.theta_share:.2g} of their standard errors, "
        f"the random effects' standard errors to {found.mode_sd_error:.1%}; differences in AIC or BIC of "
        "the first's size say nothing."
    )


def summary_text(fit: LmerFit) -> str:
    """Plain text; columns are aligned with spaces."""
    parts = []
    for block in blocks(fit):
        table = [] if block.table is None else [block.table.to_string(index=False)]
        parts.append("\n".join([block.heading, *block.lines, *table]))
    return "\n\n".join(parts)


def shown(fit: LmerFit) -> Shown:
    """The same blocks for notebooks; a block's table has its heading as caption."""
    parts = [
        Shown(lines=block.lines, tables=((block.heading, block.table),), whole=True)
        if block.table is not None
        else Shown(title=block.heading, lines=block.lines)
        for block in blocks(fit)
    ]
    return Shown(parts=tuple(parts))


def p_text(p: float) -> str:
    """A p-value for reading: three significant digits, ``<0.001`` below that."""
    if np.isnan(p):
        return "NaN"
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def _pair(a: str | None, b: str | None) -> str:
    return "" if a is None or pd.isna(a) else a if b is None or pd.isna(b) else f"{a}, {b}"
