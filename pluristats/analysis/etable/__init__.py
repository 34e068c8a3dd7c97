"""Models side by side: read (any fit → Model) ─ pick (which terms) ─ cells (what stands where) ─ notes ─ table."""

from pluristats.analysis.etable.table import ETable, etable

__all__ = ["ETable", "etable"]
