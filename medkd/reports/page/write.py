"""Render the contents of the page with templates into one file."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

import medkd
from medkd.reports.tables import Experiment, Report
from medkd.runs.files import write_atomically

from . import correction, curves, scatter
from .task import Limits, task_content

__all__ = ["write_page"]

_TEMPLATES = Path(__file__).with_name("templates")


def write_page(experiment: Experiment, report: Report, path: Path, limits: Limits | None = None) -> Path:
    """Write one HTML file that holds its styles, scripts and pictures.

    Args:
        experiment: finished or not; the page says what is missing.
        report: its tables, see `medkd.reports.tables.write_report`.
        path: of the file, which is written completely or not at all.
        limits: numbers of cases and slices that are shown.

    Returns:
        The path.
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
        date=datetime.now(UTC).strftime("%d %B %Y, %H:%M UTC"),
        version=medkd.__version__,
        tasks=tasks,
        notes=report.notes.get("", []),
        published=experiment.published,
        limits=limits,
        steps=correction.STEPS,
        side=scatter.SIDE,
        curve=(curves.WIDTH, curves.HEIGHT),
    )
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
    return path
