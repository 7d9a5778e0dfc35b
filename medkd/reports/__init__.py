"""Results as tables."""

from .conditions import differences
from .cost import Cost, cost_of_run
from .experiment import Experiment, results
from .published import Published, load_published
from .render import task_tables, write_tables
from .seeds import seeds_table
from .tables import Run, triplet_table

__all__ = [
    "Cost",
    "Experiment",
    "Published",
    "Run",
    "cost_of_run",
    "differences",
    "load_published",
    "results",
    "seeds_table",
    "task_tables",
    "triplet_table",
    "write_tables",
]
