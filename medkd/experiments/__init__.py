"""Experiments: many runs of many methods, tasks and seeds, planned here and run by Snakemake.

Importing this package does not import torch or MONAI.
"""

from .bundles import Bundles, OptionCheck
from .check_plan import check_plan
from .plan import Job, Plan
from .plan_file import load_plan, plan_file, plans
from .report import report, write_and_print
from .run import experiment, read_plan

__all__ = [
    "Bundles",
    "Job",
    "OptionCheck",
    "Plan",
    "check_plan",
    "experiment",
    "load_plan",
    "plan_file",
    "plans",
    "read_plan",
    "report",
    "write_and_print",
]
