"""The page itself: contents into templates, one file out."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

import medkd
from medkd.reports.tables import Experiment, Report
from medkd.runs.files import write_atomically

from . import correction, curves
from . import scatter as points
from .task import Limits, task_content

__all__ = ["write_page"]

_TEMPLATES = Path(__file__).with_name("templates")


def write_page(experiment: Experiment, report: Report, path: Path, limits: Limits | None = None) -> Path:
    """Writes one HTML file that needs nothing else: styles, scripts and pictures are in it. Returns the path.

    Args:
        experiment: finished or not; what is missing is told in the page.
        report: its tables, of `medkd.reports.tables.write_report`.
        path: of the file, written whole or not at all.
        limits: how many cases and slices are drawn.
    """
    limits = limits or Limits()
    tasks = [task_content(experiment, report, task, limits) for task in experiment.runs]
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    text = environment.get_template("page.html").render(
        title=experiment.title,
        made=datetime.now(UTC).strftime("%d %B %Y, %H:%M UTC"),
        version=medkd.__version__,
        tasks=tasks,
        notes=report.notes.get("", []),
        published=experiment.published,
        limits=limits,
        steps=correction.STEPS,
        side=points.SIDE,
        curve=(curves.WIDTH, curves.HEIGHT),
    )
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
    return path
