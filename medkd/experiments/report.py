"""The table of an experiment, and its page, from what its runs left."""

from __future__ import annotations

from pathlib import Path

from medkd.reports import tables as reports

from .plan import Plan

__all__ = ["write_and_print", "report"]


def report(plan: Plan, output_dir: Path, html: bool = False) -> str:
    """Writes ``table.md``, ``table.tex`` and ``table.csv`` of an experiment, finished or not; returns the Markdown.

    Args:
        html: writes ``report.html`` as well.
    """
    return write_and_print(_experiment(plan), output_dir, html)


def write_and_print(experiment: reports.Experiment, output_dir: Path, html: bool = False) -> str:
    """The same of any experiment: writes the tables, prints them, and writes the page where it is wanted."""
    written = reports.write_report(experiment, output_dir)
    print(written.text)
    if html:
        from medkd.reports.page import write_page

        print(write_page(experiment, written, output_dir / "report.html"))
    return written.text


def _experiment(plan: Plan) -> reports.Experiment:
    content = plan.content
    return reports.Experiment(
        title=content["title"],
        runs={task: {row: plan.runs(task, row) for row in plan.rows_of(task)} for task in plan.tasks},
        metrics=content["metrics"],
        baseline=content.get("baseline", ""),
        teacher=next((row for row, spec in content["rows"].items() if spec.get("role") == "teacher"), None),
        published=reports.load_published(content["published"]) if "published" in content else None,
        data={task: Path(plan._data(task)) for task in plan.tasks},
        kinds={task: content["tasks"][task].get("task", task) for task in plan.tasks},
    )
