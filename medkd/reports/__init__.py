"""Results as tables."""

from .conditions import Conditions, conditions
from .configured import configured
from .cost import Cost, cost_of_run
from .experiment import Experiment, results
from .folders import experiment_of_runs, run_record
from .published import Published, load_published
from .render import NAMES, task_tables, write_tables
from .report import Report, write_report
from .runs import collapsed_runs, has_ended, last_line, read_cases
from .tables import Run, triplet_table

__all__ = [
    "NAMES",
    "Conditions",
    "Cost",
    "Experiment",
    "Published",
    "Report",
    "Run",
    "collapsed_runs",
    "conditions",
    "configured",
    "cost_of_run",
    "experiment_of_runs",
    "has_ended",
    "last_line",
    "load_published",
    "read_cases",
    "results",
    "run_record",
    "task_tables",
    "triplet_table",
    "write_report",
    "write_tables",
]
