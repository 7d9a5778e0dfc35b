"""What is known of each run of a page: how it ended, what made it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any, NamedTuple

from medkd.reports.tables import Experiment
from medkd.runs import RunFolder

__all__ = ["RunFacts", "chosen_method", "run_facts"]

_OF_THE_PAPERS = ("plckd", "hlfd")
_LONGEST_LINE = 400  # characters of the last line of a log


class RunFacts(NamedTuple):
    """One run, ended or not."""

    task: str
    row: str
    seed: int
    folder: Path
    state: str
    """ended, unfinished (it began), or no result (it left nothing)."""
    reason: str
    """Last line of its log where it did not end, else empty."""
    method: str
    command: str
    environment: str
    """As JSON, "" without."""
    config: str
    """As YAML, "" without."""

    @property
    def name(self) -> str:
        return f"{self.row}, seed {self.seed}"

    @property
    def ended(self) -> bool:
        return self.state == "ended"


def run_facts(experiment: Experiment) -> list[RunFacts]:
    """Of all runs behind the cells, in the order of the tables."""
    return [
        _facts(task, row, seed, Path(folder))
        for task, rows in experiment.runs.items()
        for row, runs in rows.items()
        for seed, folder in runs.items()
    ]


def _facts(task: str, row: str, seed: int, folder: Path) -> RunFacts:
    run = RunFolder(folder)
    environment, config = (_text(file) for file in (run.environment, run.config))
    state = "ended" if run.has_ended else "unfinished" if config else "no result"
    command = shlex.join(map(str, (run.read_environment() or {}).get("command", [])[1:]))
    method = str((run.read_config() or {}).get("method", ""))
    reason = "" if run.has_ended else run.read_last_line()[:_LONGEST_LINE]
    return RunFacts(task, row, seed, folder, state, reason, method, command, environment, config)


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace").strip() if file.is_file() else ""


def chosen_method(experiment: Experiment, facts: list[RunFacts], task: str) -> str | None:
    """The row that is shown beside teacher and student at first: the last one of a paper's method, by place, not by result.

    None where the task has no row but teacher and student alone.
    """
    rows = [row for row in experiment.runs[task] if row not in (experiment.teacher, experiment.baseline)]
    methods: dict[str, Any] = {run.row: run.method for run in facts if run.method}
    of_papers = [row for row in rows if methods.get(row) in _OF_THE_PAPERS]
    return (of_papers or rows or [None])[-1]
