"""lasso (see ARCHITECTURE.md)."""
