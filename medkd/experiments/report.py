"""The table of an experiment, from what its runs left."""

from __future__ import annotations

import platform
from pathlib import Path

import torch

from medkd import reports

from .plan import Plan

__all__ = ["report"]


def report(plan: Plan, output_dir: Path) -> str:
    """Writes ``table.md``, ``table.tex`` and ``table.csv`` of an experiment, finished or not; returns the Markdown."""
    content = plan.content
    published = reports.load_published(content["published"]) if "published" in content else None
    teacher = next((row for row, spec in plan.content["rows"].items() if spec.get("role") == "teacher"), None)
    kinds = {task: content["tasks"][task].get("task", task) for task in plan.tasks}
    experiment = reports.Experiment(
        title=content["title"],
        runs={task: {row: plan.runs(task, row) for row in plan.rows_of(task)} for task in plan.tasks},
        metrics=content["metrics"],
        baseline=content.get("baseline", ""),
        teacher=teacher,
        published=published,
        kinds=kinds,
    )
    table = reports.results(experiment)
    costs = _costs(experiment)
    tables = reports.task_tables(table, costs, experiment.baseline)
    text = reports.write_tables(output_dir, content["title"], tables, table, _notes(plan, experiment, costs, tables))
    print(text)
    return text


def _costs(experiment: reports.Experiment) -> dict[tuple[str, str], reports.Cost]:
    """Of one run a row; students of one configuration are measured once."""
    known: dict[tuple[str, str], reports.Cost] = {}
    students: dict[str, reports.Cost] = {}
    for task, rows in experiment.runs.items():
        for row, runs in rows.items():
            folder = next((f for f in runs.values() if (f / "summary.json").is_file()), None)
            if folder is None:
                continue
            if row == experiment.teacher:
                known[task, row] = reports.cost_of_run(folder)
            else:
                if task not in students:
                    students[task] = reports.cost_of_run(folder)
                known[task, row] = students[task]
    return known


def _notes(plan: Plan, experiment: reports.Experiment, costs: dict, tables: dict) -> dict[str, list[str]]:
    general = [
        "Mean over cases of each run, then mean ± deviation over seeds (the number of runs); one run has no deviation. "
        "Differences are paired by seed. p: Wilcoxon test paired by case, each case the mean of its seeds; in brackets "
        "adjusted by Benjamini and Hochberg's false discovery rate over the rows of the table. Gap closed: share of the way "
        "from the student alone to the teacher. Collapsed: runs that find nothing in nine of ten cases; they are in the mean.",
        f"Milliseconds of one input of the network's size on {_processor()}; GMACs: 10⁹ multiply-adds.",
    ]
    if experiment.published is not None:
        general.append(f"Published: {experiment.published.source}.")
    notes = {"": general}
    for title in tables:
        task = title.split(",")[0]
        found = []
        if experiment.published is not None:
            differing = reports.differences(
                experiment.published, experiment.kinds[task], experiment.runs[task], Path(plan._data(task))
            )
            if differing:
                found.append(f"Not the paper's conditions, not to be compared with it: {'; '.join(differing)}.")
        found += _holes(experiment, task)
        notes[title] = found
    return notes


def _processor() -> str:
    """Its name where Linux tells it, and the number of threads."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor() or platform.machine()}, {torch.get_num_threads()} thread(s)"


def _holes(experiment: reports.Experiment, task: str) -> list[str]:
    missing = [
        f"{row} (seed {seed})"
        for row, runs in experiment.runs[task].items()
        for seed, folder in runs.items()
        if not (folder / "summary.json").is_file()
    ]
    return [f"Runs that did not end: {', '.join(missing)}."] if missing else []
