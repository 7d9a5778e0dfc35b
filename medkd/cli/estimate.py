"""Estimate how long the runs of an experiment take: a few steps of each kind of run, in a folder that is removed."""

from __future__ import annotations

import io
import json
import logging
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medkd.runs.duration import format_duration
from medkd.runs.errors import one_line_errors, rounded
from medkd.runs.files import save_atomically, write_atomically
from medkd.runs.folder import RunFolder

if TYPE_CHECKING:
    from monai.engines import SupervisedTrainer

    from medkd.experiments import Job, Plan

__all__ = ["measure_steps", "print_estimate"]

_SKIPPED, _MEASURED = 1, 3
_RESULT = "steps.json"
_STEPS = ["$cli.measure_steps(@train::trainer, @output_dir)"]


@dataclass(frozen=True)
class _Estimate:
    """The training steps of one kind of run."""

    seconds: float
    """Of a step."""
    steps: int
    """Of a run."""

    @property
    def total(self) -> float:
        """Seconds of a run."""
        return self.seconds * self.steps


class _Measured(Exception):
    """Enough steps were taken."""


def measure_steps(trainer: SupervisedTrainer, output_dir: str) -> None:
    """Take the first steps of a training, and write their time and the weights that they end with.

    Neither loading nor validation is measured.

    Args:
        trainer: of a run that has not begun.
        output_dir: folder of the files. ``model.pt`` lets the runs that learn from this one be measured.
    """
    from ignite.engine import Events

    starts, seconds = [0.0], []

    def begin() -> None:
        starts[0] = time.monotonic()

    def end(engine: SupervisedTrainer) -> None:
        seconds.append(time.monotonic() - starts[0])
        if len(seconds) == _SKIPPED + _MEASURED:
            raise _Measured

    trainer.add_event_handler(Events.ITERATION_STARTED, begin)
    trainer.add_event_handler(Events.ITERATION_COMPLETED, end)
    logging.disable(logging.ERROR)  # ignite logs each exception that ends a training
    try:
        trainer.run()
    except _Measured:
        pass
    finally:
        logging.disable(logging.NOTSET)
    steps = (trainer.state.max_epochs or 0) * (trainer.state.epoch_length or 0)
    result = {"seconds": statistics.median(seconds[_SKIPPED:] or seconds), "steps": steps}
    folder = RunFolder(output_dir)
    save_atomically(trainer.network.state_dict(), folder.model)
    write_atomically(folder.path / _RESULT, partial(Path.write_text, data=json.dumps(result)))


def print_estimate(plan: Plan, missing: Iterable[Job], cores: int | None) -> None:
    """Measure one run of each task and row that is missing, and print how long all of them take.

    Args:
        plan: of the experiment.
        missing: the runs that have not ended.
        cores: number of runs at once.
    """
    from medkd.experiments import Plan

    runs = Counter((job.task, job.row) for job in missing)
    print(
        f"\nestimate from {_MEASURED} training steps of each kind of run at full size (minutes for a large network on a "
        "CPU; Ctrl-C ends it), without loading, validation and test:",
        flush=True,
    )
    total = 0.0
    with tempfile.TemporaryDirectory() as folder:
        trial = Plan(plan.content, plan.data, Path(folder))
        measured: set[str] = set()
        for (task, row), count in runs.items():
            job = next(job for job in trial.jobs.values() if (job.task, job.row) == (task, row))
            try:
                _check_has_cases(plan.data_folder(task))
                for needed in (*job.needs, job.folder):
                    _measure(trial.jobs[needed], measured)
                estimate = _read(Path(folder) / job.folder)
            except Exception as error:  # of whatever kind: the runs themselves will tell
                print(f"  {task}, {row}: no estimate: {one_line_errors(error) or type(error).__name__}", flush=True)
                continue
            total += estimate.total * count
            each = f"{estimate.steps} steps of {rounded(estimate.seconds, 2)} s"
            print(f"  {task}, {row}: {each}, about {format_duration(estimate.total)} a run, {count} to do", flush=True)
    if total:
        together = f" with --cores {cores}" if cores else ""
        print(f"  in all about {format_duration(total / (cores or 1))}{together}", flush=True)


def _measure(job: Job, measured: set[str]) -> None:
    """Run a job up to its first steps, once. Cached soft labels count as computed ones: their cache takes long to fill."""
    if job.folder in measured:
        return
    measured.add(job.folder)
    if job.expressions:
        raise ValueError("found options that are code, which only the run itself executes")
    from .parser import read_command
    from .verbs import VERBS

    _, verb, *words = job.command
    command = read_command(VERBS[verb], words)
    if "soft_labels" in command.settings:
        command.settings["soft_labels"] = "online"
    command.options["run"] = _STEPS
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        VERBS[verb].run(command)


def _check_has_cases(data: str) -> None:
    file = Path(data) / "datalist.json"
    if not json.loads(file.read_text(encoding="utf-8")).get("training"):
        raise ValueError(f"{file}: found no training cases")


def _read(folder: Path) -> _Estimate:
    content: Mapping[str, Any] = json.loads((folder / _RESULT).read_text())
    return _Estimate(content["seconds"], content["steps"])
