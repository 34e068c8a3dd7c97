"""formula (see ARCHITECTURE.md)."""
