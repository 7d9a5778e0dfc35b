"""Experiments: many runs of many methods, tasks and seeds, planned here, carried out by Snakemake."""

from .plan import Job, Plan
from .plan_file import load_plan, plan_file, plans
from .report import report, write_and_print
from .run import experiment, read_plan

__all__ = ["Job", "Plan", "experiment", "load_plan", "plan_file", "plans", "write_and_print", "read_plan", "report"]
