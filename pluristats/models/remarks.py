"""What a reader must know about a fit: sentences that every kind of fit shares, each with its warning."""

from __future__ import annotations

from collections.abc import Sequence

from pluristats.engine.result import OptimizerRecord
from pluristats.errors import ConvergenceWarning, DroppedRowsWarning, PluristatsWarning, RankDeficientWarning
from pluristats.formula.design import Recipe

Remark = tuple[type[PluristatsWarning], str]


def missing_rows(design: Recipe) -> str:
    """How many rows are left out, by column; without a full stop."""
    by_column = ", ".join(f"{column}: {count}" for column, count in design.dropped)
    return f"{design.n_dropped} of {design.n_data} rows are left out because a value is missing ({by_column})"


def of_rows(design: Recipe) -> list[Remark]:
    """Rows that a likelihood has not seen."""
    if not design.n_dropped:
        return []
    what = "do not compare this fit's likelihood or BIC with one on other rows."
    return [(DroppedRowsWarning, f"{missing_rows(design)}; {what}")]


def of_columns(dropped: Sequence[str]) -> list[Remark]:
    """Columns that others determine."""
    if not dropped:
        return []
    return [(RankDeficientWarning, f"Dropped as linear combinations of columns before them: {', '.join(dropped)}.")]


def of_optimizer(found: OptimizerRecord) -> list[Remark]:
    """A search that failed."""
    if found.status != "failed":
        return []
    return [(ConvergenceWarning, f"The optimiser did not converge: {found.message}.")]
