"""Facts about each run of a page: its state, command, environment and configuration."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any, NamedTuple

from medkd.reports.tables import Experiment
from medkd.runs import RunFolder
from medkd.runs.results import trained_run

__all__ = ["RunFacts", "chosen_method", "run_facts"]

_PAPER_METHODS = ("plckd", "hlfd")
_LONGEST_LINE = 400  # characters of the last line of a log


class RunFacts(NamedTuple):
    """One run, whether it has ended or not."""

    task: str
    row: str
    seed: int
    folder: Path
    state: str
    """"ended", "unfinished" if it began, or "no result" if it left no files."""
    reason: str
    """Last line of the log of a run that did not end, else empty."""
    method: str
    command: str
    environment: str
    """JSON; empty if there is none."""
    config: str
    """YAML; empty if there is none."""
    data: str = ""
    """Folder of the data set, as recorded."""
    trust_record: bool = False
    """See `medkd.runs.load_parser`."""

    @property
    def name(self) -> str:
        """Row and seed."""
        return f"{self.row}, seed {self.seed}"

    @property
    def ended(self) -> bool:
        """Whether the test of the run is complete."""
        return self.state == "ended"


def run_facts(experiment: Experiment) -> list[RunFacts]:
    """Return the facts of all runs, in the order of the tables."""
    return [
        _facts(task, row, seed, Path(folder), experiment.trust_record)
        for task, rows in experiment.runs.items()
        for row, runs in rows.items()
        for seed, folder in runs.items()
    ]


def _facts(task: str, row: str, seed: int, folder: Path, trust_record: bool) -> RunFacts:
    run = RunFolder(folder)
    trained = trained_run(folder)  # of an evaluation that of its model
    environment, config = (_text(file) for file in (trained.environment, trained.config))
    state = "ended" if run.has_ended else "unfinished" if config else "no result"
    command = shlex.join(map(str, (trained.read_environment() or {}).get("command", [])[1:]))
    record = trained.read_config() or {}
    method, data = (str(record.get(name, "")) for name in ("method", "dataset_dir"))
    reason = "" if run.has_ended else run.read_last_line()[:_LONGEST_LINE]
    return RunFacts(task, row, seed, folder, state, reason, method, command, environment, config, data, trust_record)


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace").strip() if file.is_file() else ""


def chosen_method(experiment: Experiment, facts: list[RunFacts], task: str) -> str | None:
    """Return the row that the page shows beside teacher and student at first.

    It is the last row with a method of one of the two papers, else the last row: the choice follows the order of the rows,
    never the results.

    Returns:
        The title of the row; None if there are only teacher and student alone.
    """
    rows = [row for row in experiment.runs[task] if row not in (experiment.teacher, experiment.baseline)]
    methods: dict[str, Any] = {run.row: run.method for run in facts if run.method}
    paper_rows = [row for row in rows if methods.get(row) in _PAPER_METHODS]
    candidates = paper_rows or rows
    return candidates[-1] if candidates else None
