"""study (see ARCHITECTURE.md)."""
