"""Results as tables."""

from .tables import Run, triplet_table

__all__ = ["Run", "triplet_table"]
