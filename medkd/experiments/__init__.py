"""Experiments: many runs of many methods, tasks and seeds, planned here, carried out by Snakemake."""

from .plan import Job, Plan
from .plan_file import load_plan, plan_file, plans
from .report import present, report
from .run import experiment, read_plan

__all__ = ["Job", "Plan", "experiment", "load_plan", "plan_file", "plans", "present", "read_plan", "report"]
