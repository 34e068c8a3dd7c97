"""plot (see ARCHITECTURE.md)."""
