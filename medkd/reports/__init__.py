"""Results as tables."""

from .seeds import seeds_table
from .tables import Run, triplet_table

__all__ = ["Run", "seeds_table", "triplet_table"]
