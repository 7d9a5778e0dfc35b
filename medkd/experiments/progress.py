"""The console of a running experiment: one line for each run that ends."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from medkd.runs.duration import format_duration
from medkd.runs.folder import RunFolder

from .plan import Job, Plan

__all__ = ["finished_lines", "print_finished"]

_POLL = 1.0  # seconds


@contextmanager
def print_finished(plan: Plan) -> Iterator[None]:
    """Print a line for each run of a plan that ends within the context, whatever machine it runs on.

    The files of the runs are watched: Snakemake itself knows neither seeds nor metrics.
    """
    ended = threading.Event()
    lines = finished_lines(plan)

    def watch() -> None:
        while not ended.wait(_POLL):
            _print(next(lines))

    watcher = threading.Thread(target=watch, daemon=True)
    next(lines)  # the runs of earlier calls
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
        _print(next(lines))


def finished_lines(plan: Plan) -> Iterator[list[str]]:
    """Yield, again and again, a line for each run that has ended since the last time.

    The first list is that of the runs that had ended before, without times.
    """
    began = time.monotonic()
    minutes: dict[str, list[float]] = {}
    waiting = list(plan.jobs.values())
    is_first = True
    while True:
        lines = []
        for job in [job for job in waiting if (plan.folder / job.result).is_file()]:
            waiting.remove(job)
            seconds = None if is_first else _seconds(plan, job)
            if seconds is not None:
                minutes.setdefault(job.kind, []).append(seconds)
            left = _seconds_left(minutes, waiting, time.monotonic() - began)
            lines.append(_line(plan, job, len(plan.jobs) - len(waiting), seconds, left))
        yield lines
        is_first = False


def _line(plan: Plan, job: Job, number: int, seconds: float | None, left: float | None) -> str:
    task = f"{job.task}, " if len(plan.tasks) > 1 else ""
    parts = [f"[{number}/{len(plan.jobs)}] {task}{job.row}, seed {job.seed}: {_dice(plan, job)}"]
    parts += [] if seconds is None else [format_duration(seconds)]
    parts += [] if left is None else [f"about {format_duration(left)} left"]
    return ", ".join(parts)


def _dice(plan: Plan, job: Job) -> str:
    """Return the Dice of a run, the mean over classes, as the table has it: in %."""
    summary = RunFolder(plan.folder / job.folder).read_summary() or {}
    for name, words in (("dice", "Dice"), ("agreement_dice", "agreement (Dice)")):
        values = [metrics[name]["mean"] for metrics in summary.values() if name in metrics]
        numbers = [value for value in values if value is not None and value == value]
        if numbers:
            return f"{words} {100 * statistics.mean(numbers):.1f} %"
    return "no Dice"


def _seconds(plan: Plan, job: Job) -> float | None:
    """Return how long a run took since it was begun or resumed; None where its record does not say."""
    for prefix in ("", "evaluate_"):
        environment = RunFolder(plan.folder / job.folder, prefix=prefix).read_environment() or {}
        try:
            started = datetime.fromisoformat(str(environment["started"])).timestamp()
        except (KeyError, ValueError):
            continue
        return max(0.0, (plan.folder / job.result).stat().st_mtime - started)
    return None


def _seconds_left(seconds: dict[str, list[float]], waiting: Sequence[Job], elapsed: float) -> float | None:
    """Return the time until the last run ends, if the others take as long as those of their kind, as many at a time as so far.

    Args:
        seconds: kind -> seconds of the runs that have ended.
        waiting: the runs that have not ended.
        elapsed: seconds since the first run began.
    """
    known = [number for numbers in seconds.values() for number in numbers]
    if not known or not waiting:
        return None
    at_once = max(1.0, sum(known) / max(elapsed, 1e-9))
    return sum(statistics.mean(seconds.get(job.kind, known)) for job in waiting) / min(at_once, len(waiting))


def _print(lines: Sequence[str]) -> None:
    for line in lines:
        print(line, flush=True)
