"""The tables of an experiment, and its page, from the files of its runs."""

from __future__ import annotations

from pathlib import Path

from medkd.reports import tables
from medkd.runs.escapes import without_escapes

from .plan import Plan

__all__ = ["report", "write_and_print"]


def report(
    plan: Plan, output_dir: Path, html: bool = False, trust_record: bool = False, title: str | None = None
) -> str:
    """Write ``table.md``, ``table.tex`` and ``table.csv`` of an experiment, which may be unfinished.

    Args:
        plan: of the experiment.
        output_dir: folder of the files.
        html: whether to write ``report.html`` too.
        trust_record: whether the records of the runs are executed as configurations, see `medkd.runs.load_parser`.
        title: of tables and page; None: that of the plan.

    Returns:
        The Markdown.
    """
    experiment = _experiment_of_plan(plan, trust_record)
    experiment.title = title or experiment.title
    return write_and_print(experiment, output_dir, html)


def write_and_print(experiment: tables.Experiment, output_dir: Path, html: bool = False) -> str:
    """Write the tables of any experiment, print them, and write the page if ``html``; return the Markdown."""
    written = tables.write_report(experiment, output_dir)
    print(without_escapes(written.text))
    if html:
        from medkd.reports.page import write_page  # imports torch and MONAI

        print(write_page(experiment, written, output_dir / "report.html"))
    return written.text


def _experiment_of_plan(plan: Plan, trust_record: bool = False) -> tables.Experiment:
    content = plan.content
    return tables.Experiment(
        title=content["title"],
        runs={task: {row: plan.runs(task, row) for row in plan.rows_of(task)} for task in plan.tasks},
        metrics=content["metrics"],
        baseline=content.get("baseline", ""),
        teacher=next((row for row, spec in content["rows"].items() if spec.get("role") == "teacher"), None),
        published=tables.load_published(content["published"]) if "published" in content else None,
        data={task: Path(plan.data_folder(task)) for task in plan.tasks},
        kinds={task: content["tasks"][task].get("task", task) for task in plan.tasks},
        trust_record=trust_record,
    )
